//! Agents: who may have which value, by what right, and what is written down about it.
//! `place` says where their files lie; `hidden_characters` are those that no signed text may hold; `pattern` has the
//! wildcards for names, key paths and files; `policy` what
//! `.leaflock/policy.yaml` says and how it decides; `leaves` the secrets of a file;
//! `sshsig` signatures, `allowed_signers` and `signer_list` whose count, `trust` what is
//! known of that outside of the repository; `revocations` the denials beside the policy;
//! `view` is a source cut to what one may have, and `manifest` the list of what was cut
//! from what; `redact` finds values in the output of programs, and `child_environment` is
//! what such a program may inherit; `fingerprint` compares values without showing them;
//! `report` tells people who can reach what, and who did; `audit` is the log of who
//! opened what.

pub mod denial;
pub mod hidden_characters;
pub mod place;
pub mod redact;
pub mod child_environment;
pub mod fingerprint;
pub mod public_key;
pub mod sshsig;
pub mod new_key;
pub mod allowed_signers;
pub mod leaves;
pub mod signer_list;
pub mod trust;
pub mod pattern;
pub mod policy;
pub mod revocations;
pub mod view;
pub mod manifest;
pub mod report;
pub mod audit;
