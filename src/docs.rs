//! The user's manual beside `--help`, kept with the code that it describes.

#[doc = include_str!("docs/lossless.md")]
pub mod lossless {}

#[doc = include_str!("docs/sops-differences.md")]
pub mod sops_differences {}

#[doc = include_str!("docs/drop-in.md")]
pub mod drop_in {}

#[doc = include_str!("docs/dotenv.md")]
pub mod dotenv {}

#[doc = include_str!("docs/check.md")]
pub mod check {}
#[doc = include_str!("docs/diff.md")]
pub mod diff {}

#[doc = include_str!("docs/git.md")]
pub mod git {}

#[doc = include_str!("docs/seal.md")]
pub mod seal {}

#[doc = include_str!("docs/seal-mutations.md")]
pub mod seal_mutations {}

#[doc = include_str!("docs/bench.md")]
pub mod bench {}

#[doc = include_str!("docs/merge.md")]
pub mod merge {}

#[doc = include_str!("docs/threat-model.md")]
pub mod threat_model {}

#[doc = include_str!("docs/audit.md")]
pub mod audit {}

#[doc = include_str!("docs/redact.md")]
pub mod redact {}

#[doc = include_str!("docs/run-agent.md")]
pub mod run_agent {}

#[doc = include_str!("docs/trust.md")]
pub mod trust {}

#[doc = include_str!("docs/policy.md")]
pub mod policy {}

#[doc = include_str!("docs/json.md")]
pub mod json {}

#[doc = include_str!("docs/agent-guide.md")]
pub mod agent_guide {}

#[doc = include_str!("docs/derived-files.md")]
pub mod derived_files {}

#[doc = include_str!("docs/agents.md")]
pub mod agents {}
