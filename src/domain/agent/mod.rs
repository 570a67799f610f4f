//! Agents: who may have which value, by what right, and what is written down about it.
//! `pattern` has the wildcards for names, key paths and files; `policy` what
//! `.leaflock/policy.yaml` says and how it decides.

pub mod denial;
pub mod leaves;
pub mod pattern;
pub mod policy;
