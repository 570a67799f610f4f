//! The use cases of the agent layer, and what they stand on: `trust_store` is what is
//! known outside of the repository, `own_files` where its files may lie, `signer_chain` how trust
//! moves from one list of signers to the next, `trusted_list` whether one is trusted, `signing`
//! the user's own key, `age` how old a policy may be, `former_agents` who may not call itself a
//! person, `manifest_file` which manifest counts, `revocation_file` which denials beside the
//! policy, `authority` the only way to a policy that counts, `root` where it lies and what to
//! say of one that is gone, `write` how files that belong to it change, `showing` what an agent
//! may be shown, `listed` what its manifest says of a file, `overtaken` what to make of
//! one that another call wrote meanwhile.

pub mod trust_store;
pub mod refusal;
pub mod signing;
pub mod own_files;
pub mod signer_chain;
pub mod trusted_list;
pub mod age;
pub mod former_agents;
pub mod manifest_file;
pub mod revocation_file;
pub mod authority;
pub mod root;
pub mod write;
pub mod overtaken;
pub mod showing;
pub mod listed;
