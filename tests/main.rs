//! The integration tests: one binary, so that one link serves them all.
//!
//! They drive the built `leaflock` as a user would, beside the real `sops`
//! where a second opinion is wanted (`ci/test` installs it and sets
//! `SOPS_BIN`), in sandboxes that start from nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails by panicking, and it owns the files that it touches"
)]

mod agent_audit;
mod agent_daily;
mod agent_guide;
mod agent_planted;
mod agent_policy;
mod agent_report;
mod agent_run;
mod agent_signatures;
mod agent_sync;
mod agent_trust;
mod batch;
mod callers;
mod changes;
mod check;
mod check_clean;
mod check_scopes;
mod command_line;
mod compat;
mod crash;
mod diff;
mod doctor;
mod drop_in;
mod exec;
mod git_filter;
mod git_setup;
mod github_action;
mod json_answers;
mod keys;
mod large_files;
mod leak;
mod lossless;
mod merge;
mod network;
mod plugins;
mod quirks;
mod redact;
mod rekey;
mod revoke;
mod run;
mod run_dotenv;
mod saving;
mod seal;
mod seal_mutations;
mod stable_ciphertext;
mod status;
mod structure;
mod terminal;
mod testkit;
mod transcripts;
mod vectors;
mod yaml_suite;
