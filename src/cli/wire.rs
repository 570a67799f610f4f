//! Builds the adapters and hands them to the use cases; the only file that may
//! import adapters.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::env::{Environment, Variable};
use super::output::Output;
use super::report::Failure;
use crate::adapters::audit_log::SystemAuditLog;
use crate::adapters::children;
use crate::adapters::clock::SystemClock;
use crate::adapters::edit_lock::SystemEditLocks;
use crate::adapters::editor::SystemEditor;
use crate::adapters::files::SystemFiles;
use crate::adapters::hardening;
use crate::adapters::keys::KeySources;
use crate::adapters::private_dir::SystemPrivateFiles;
use crate::adapters::processes::SystemProcesses;
use crate::adapters::progress::TerminalProgress;
use crate::adapters::prompt::{Askpass, TerminalPrompt};
use crate::adapters::pty;
use crate::adapters::random::SystemRandom;
use crate::adapters::repository::Git;
use crate::adapters::signers::SystemSigners;
use crate::adapters::staging::SystemStaging;
use crate::adapters::transaction::SystemTransactions;
use crate::adapters::trust_store::SystemTrustStore;
use crate::app::agent::authority;
use crate::app::audit::record;
use crate::app::config::Memory;
use crate::app::ports::Files as _;
use crate::app::{Deps, integrity, leaflock_folders, reuse};
use crate::domain::keys::sources::{AgeEnvironment, PgpEnvironment};
use crate::domain::secret::SecretBytes;

/// Keeps the memory of this process from others; the first thing that is done.
pub fn harden() {
    hardening::harden();
}

/// Puts a program on a terminal of its own, if that is what this process was started
/// for; its exit code if that failed.
pub fn helper(arguments: &[OsString]) -> Option<u8> {
    pty::helper(arguments)
}

/// Ends this process by a signal, after everything is cleaned up.
pub fn die_of(signal: i32) {
    children::die_of(signal);
}

/// Calls `work` with the ports of this machine.
pub fn with_deps<T>(
    env: &Environment,
    work: impl FnOnce(&Deps<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let machine = Machine::of(env);
    let prompt = TerminalPrompt::new(askpass(env), &machine.progress);
    let keys = KeySources::new(age_environment(env), pgp_environment(env), &machine.files, &prompt);
    let signers = signers(env, &machine, &prompt);
    let deps = machine.deps(&prompt, &keys, &signers);
    let done = recorded(&deps, work(&deps));
    Output::of_process().notices(&deps.authorities.release_notices());
    done
}

/// The adapters that need no other, and what a call remembers. Every command has a
/// [`with_deps`] of its own, so what is the same in all of them is kept out of it.
struct Machine {
    files: SystemFiles,
    private_files: SystemPrivateFiles,
    edit_locks: SystemEditLocks,
    editor: SystemEditor,
    progress: TerminalProgress,
    repository: Git,
    configs: Memory,
    formers: reuse::Memory,
    audit: record::Memory,
    leaflock_folders: leaflock_folders::Memory,
    settings: integrity::Memory,
    trust: SystemTrustStore,
    authorities: authority::Memory,
}

impl Machine {
    fn of(env: &Environment) -> Self {
        let runtime = env.path(Variable::XdgRuntimeDir);
        let temporary = env.path(Variable::TmpDir).unwrap_or_else(|| PathBuf::from(TEMPORARY));
        let files = SystemFiles::new(env.path(Variable::Pwd));
        Self {
            private_files: SystemPrivateFiles::new(runtime.clone(), temporary.clone()),
            edit_locks: SystemEditLocks::new(runtime, temporary, env.text(Variable::User)),
            editor: SystemEditor::new(
                env.get(Variable::SopsEditor),
                env.get(Variable::Editor),
                env.get(Variable::Path),
            ),
            progress: TerminalProgress::default(),
            repository: git(env, &files),
            files,
            configs: Memory::default(),
            formers: reuse::Memory::default(),
            audit: record::Memory::default(),
            leaflock_folders: leaflock_folders::Memory::default(),
            settings: integrity::Memory::default(),
            trust: SystemTrustStore::new(env.config_folder(), env.state_folder(), env.text(Variable::Trust)),
            authorities: authority::Memory::new(env.answers_in_json()),
        }
    }

    fn deps<'m>(
        &'m self,
        prompt: &'m TerminalPrompt<'_>,
        keys: &'m KeySources<'_>,
        signers: &'m SystemSigners<'_>,
    ) -> Deps<'m> {
        Deps {
            files: &self.files,
            private_files: &self.private_files,
            edit_locks: &self.edit_locks,
            editor: &self.editor,
            processes: &SystemProcesses,
            prompt,
            clock: &SystemClock,
            random: &SystemRandom,
            keys,
            progress: &self.progress,
            staging: &SystemStaging,
            repository: &self.repository,
            transactions: &SystemTransactions,
            configs: &self.configs,
            formers: &self.formers,
            signers,
            audit_log: &SystemAuditLog,
            audit: &self.audit,
            leaflock_folders: &self.leaflock_folders,
            settings: &self.settings,
            trust: &self.trust,
            authorities: &self.authorities,
        }
    }
}

/// The signing keys that the environment names.
fn signers<'m>(env: &Environment, machine: &'m Machine, prompt: &'m TerminalPrompt<'_>) -> SystemSigners<'m> {
    SystemSigners::new(
        env.get(Variable::SigningKey).map(|key| SecretBytes::new(key.into_encoded_bytes())),
        env.path(Variable::AllowedSigners),
        &machine.private_files,
        prompt,
    )
}

/// The result of a call, whose failure is written down where a policy is. What went on
/// without a file that was refused fails in the end.
fn recorded<T>(deps: &Deps<'_>, result: Result<T, Failure>) -> Result<T, Failure> {
    match result {
        Ok(done) => match record::refusal(deps) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(done),
        },
        Err(Failure::App(error)) => {
            record::file_failed(deps, &error);
            Err(record::ended_refused(deps, error).into())
        }
        Err(failure) => Err(failure),
    }
}

/// Git, in the repository that the environment names, if it names one.
fn git(env: &Environment, files: &SystemFiles) -> Git {
    let folder = files.absolute(Path::new(".")).unwrap_or_default();
    Git::new(env.path(Variable::GitDir), env.path(Variable::GitWorkTree), folder)
}

/// What the environment says about age identities.
fn age_environment(env: &Environment) -> AgeEnvironment {
    let path = |variable| env.present(variable).map(PathBuf::from);
    let text = |variable| env.present(variable).map(|value| value.to_string_lossy().into_owned());
    let key = env.present(Variable::AgeKey);
    AgeEnvironment {
        key: key.map(|value| SecretBytes::new(value.into_encoded_bytes())),
        key_file: path(Variable::AgeKeyFile),
        key_cmd: text(Variable::AgeKeyCmd),
        ssh_key_file: path(Variable::AgeSshPrivateKeyFile),
        ssh_key_cmd: text(Variable::AgeSshPrivateKeyCmd),
        home: env.path(Variable::Home),
        default_key_file: env.identity_file(),
        search_path: env.get(Variable::Path).unwrap_or_default(),
    }
}

/// The program that asks for passphrases, if one is to. `SSH_ASKPASS` counts when
/// it counts for ssh: where there is a display and no terminal, unless
/// `SSH_ASKPASS_REQUIRE` says otherwise.
fn askpass(env: &Environment) -> Option<Askpass> {
    if let Some(program) = env.get(Variable::Askpass) {
        return Some(Askpass { program, first: true });
    }
    let program = env.get(Variable::SshAskpass)?;
    let display = env.get(Variable::Display).or_else(|| env.get(Variable::WaylandDisplay)).is_some();
    let require = env.text(Variable::SshAskpassRequire).unwrap_or_default().to_ascii_lowercase();
    match require.as_str() {
        "force" => Some(Askpass { program, first: true }),
        "never" => None,
        "prefer" => display.then_some(Askpass { program, first: true }),
        _ => display.then_some(Askpass { program, first: false }),
    }
}

/// What the environment says about GnuPG.
fn pgp_environment(env: &Environment) -> PgpEnvironment {
    PgpEnvironment {
        program: env.get(Variable::GpgExec),
        home: env.path(Variable::GnupgHome),
        terminal: env.get(Variable::GpgTty),
    }
}

/// Where temporary files go if no variable says so.
#[cfg(unix)]
const TEMPORARY: &str = "/tmp";
#[cfg(windows)]
const TEMPORARY: &str = "C:\\Windows\\Temp";
