//! Agents: who may do what with which secret of a repository. `pattern` has the
//! wildcards for names, key paths and files; `policy` what `.leaflock/policy.yaml` says and
//! how it decides.

pub mod pattern;
pub mod policy;
