//! Builds the adapters and hands them to the use cases; the only file that may
//! import adapters.

use std::path::PathBuf;

use super::env::{Environment, Variable};
use super::report::Failure;
use crate::adapters::clock::SystemClock;
use crate::adapters::edit_lock::SystemEditLocks;
use crate::adapters::editor::SystemEditor;
use crate::adapters::files::SystemFiles;
use crate::adapters::hardening;
use crate::adapters::private_dir::SystemPrivateFiles;
use crate::adapters::progress::TerminalProgress;
use crate::adapters::prompt::TerminalPrompt;
use crate::adapters::random::SystemRandom;
use crate::app::Deps;

/// Keeps the memory of this process from others; the first thing that is done.
pub fn harden() {
    hardening::harden();
}

/// Calls `work` with the ports of this machine.
pub fn with_deps<T>(
    env: &Environment,
    work: impl FnOnce(&Deps<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = env.path(Variable::XdgRuntimeDir);
    let temporary = env.path(Variable::TmpDir).unwrap_or_else(|| PathBuf::from(TEMPORARY));
    work(&Deps {
        files: &SystemFiles::new(env.path(Variable::Pwd)),
        private_files: &SystemPrivateFiles::new(runtime.clone(), temporary.clone()),
        edit_locks: &SystemEditLocks::new(runtime, temporary, env.text(Variable::User)),
        editor: &SystemEditor::new(
            env.get(Variable::SopsEditor),
            env.get(Variable::Editor),
            env.get(Variable::Path),
        ),
        prompt: &TerminalPrompt,
        clock: &SystemClock,
        random: &SystemRandom,
        progress: &TerminalProgress::default(),
    })
}

/// Where temporary files go if no variable says so.
#[cfg(unix)]
const TEMPORARY: &str = "/tmp";
#[cfg(windows)]
const TEMPORARY: &str = "C:\\Windows\\Temp";
