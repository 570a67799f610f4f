//! LAYER 1: the use cases, one a file, named as their commands. They take plain
//! data, return data, never print, and know the world only through [`ports`].

pub mod parallel;
pub mod quote;
pub mod variables;
pub mod ports;
pub mod repository;
pub mod signers;
pub mod error;
pub mod request;
pub mod batch;
pub mod config;
pub mod names;
pub mod leaflock_folders;
pub mod integrity;
pub mod agent;
pub mod audit;
pub mod trust;
pub mod policy_sign;
pub mod policy_init;
pub mod open;
pub mod lock;
pub mod binary;
pub mod sealing;
pub mod wrap;
pub mod derived;
pub mod rekey;
pub mod strangers;
pub mod updatekeys;
pub mod rotate;
pub mod groups;
pub mod rekey_batch;
pub mod replace;
pub mod change;
pub mod reuse;
pub mod encrypt;
pub mod decrypt;
pub mod carrier;
pub mod sides;
pub mod merge;
pub mod session;
pub mod edit;
pub mod resolve;
pub mod set;
pub mod unset;
pub mod seal;
pub mod textconv;
pub mod diff;
pub mod filestatus;
pub mod snapshot;
pub mod check;
pub mod who;
pub mod governed;
pub mod absent;
pub mod can;
pub mod who_can;
pub mod what_can;
pub mod lookup;
pub mod secret_values;
pub mod opened_value;
pub mod get;
pub mod fingerprint;
pub mod compare;
pub mod exists;
pub mod list;
pub mod schema;
pub mod agent_guide;
pub mod policy_lint;
pub mod policy_explain;
pub mod policy_test;
pub mod audit_report;
pub mod doctor;
pub mod exposure;
pub mod revoke;
pub mod principals;
pub mod agent_add;
pub mod agent_list;
pub mod agent_show;
pub mod agent_rekey;
pub mod agent_exposure;
pub mod agent_remove;
pub mod agent_sync;
pub mod agent_revoke;
pub mod launch;
pub mod granted;
pub mod redact;
pub mod exec_env;
pub mod exec_file;
pub mod run;
pub mod run_agent;
pub mod config_explain;
pub mod init;
pub mod git_filter;
pub mod git_setup;
pub mod branch;
pub mod status;

use agent::authority;
use agent::trust_store::TrustStore;
use audit::log::AuditLog;
use ports::{
    Clock, EditLocks, Editor, Files, Keys, PrivateFiles, Processes, Progress, Prompt, Random, Staging,
    Transactions,
};
use repository::Repository;
use signers::Signers;

/// The ports a use case may need, built by `cli::wire` or by a test.
pub struct Deps<'d> {
    /// Files and folders.
    pub files: &'d dyn Files,
    /// Private places for plaintext.
    pub private_files: &'d dyn PrivateFiles,
    /// One editing session a file.
    pub edit_locks: &'d dyn EditLocks,
    /// The user's editor.
    pub editor: &'d dyn Editor,
    /// Other programs.
    pub processes: &'d dyn Processes,
    /// Questions on the terminal.
    pub prompt: &'d dyn Prompt,
    /// The time.
    pub clock: &'d dyn Clock,
    /// Randomness.
    pub random: &'d dyn Random,
    /// Master keys.
    pub keys: &'d dyn Keys,
    /// How far a batch has come.
    pub progress: &'d dyn Progress,
    /// Many files replaced at once.
    pub staging: &'d dyn Staging,
    /// The git repository.
    pub repository: &'d dyn Repository,
    /// Many files replaced all or none.
    pub transactions: &'d dyn Transactions,
    /// The config files that were read so far.
    pub configs: &'d config::Memory,
    /// The repositories that were asked so far.
    pub formers: &'d reuse::Memory,
    /// Signatures.
    pub signers: &'d dyn Signers,
    /// The chains of the audit trail.
    pub audit_log: &'d dyn AuditLog,
    /// What this call wrote into them.
    pub audit: &'d audit::record::Memory,
    /// The `.leaflock` folders that were found so far.
    pub leaflock_folders: &'d leaflock_folders::Memory,
    /// The settings of repositories that were read so far.
    pub settings: &'d integrity::Memory,
    /// What is trusted, outside of every repository.
    pub trust: &'d dyn TrustStore,
    /// The policies that were verified so far.
    pub authorities: &'d authority::Memory,
}
