//! What the tests share: a sandbox to run programs in, the real `sops`, and
//! generators of documents.

pub(crate) mod changes;
pub(crate) mod askpass;
pub(crate) mod docs;
pub(crate) mod gen_flat;
pub(crate) mod gen_json;
pub(crate) mod gen_odd_yaml;
pub(crate) mod gen_policy;
pub(crate) mod gen_yaml;
pub(crate) mod generate;
pub(crate) mod history;
pub(crate) mod gpg;
pub(crate) mod json_schema;
pub(crate) mod lossless;
pub(crate) mod plugin;
pub(crate) mod policy_evaluator;
pub(crate) mod repository;
pub(crate) mod rng;
pub(crate) mod sandbox;
pub(crate) mod shrink;
pub(crate) mod sops;
pub(crate) mod tools;
