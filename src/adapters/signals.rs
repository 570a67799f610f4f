//! What must be put right before the process dies of a signal or an abort:
//! private directories are wiped and removed, temporary files are removed, the
//! terminal gets its echo back. And what must not be cut in two by a signal.
//!
//! A thread waits for SIGHUP, SIGINT, SIGQUIT and SIGTERM; it is started by the
//! first thing that needs it, so that other calls don't pay for it. While the
//! editor runs, Ctrl-C and Ctrl-\ are the editor's, as in git: we end when it
//! ends. SIGTERM and SIGHUP are handed on to it first.
#![expect(clippy::disallowed_methods, reason = "temporary files go with the process")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, Once, PoisonError, RwLock, RwLockReadGuard};

use super::private_dir;

/// What is to be put right.
#[derive(Default)]
pub(super) struct Pending {
    /// Private directories, with whether each is in memory.
    pub(super) folders: Vec<(PathBuf, bool)>,
    /// Temporary files.
    pub(super) files: BTreeSet<PathBuf>,
    /// The terminal's settings before echo was switched off.
    #[cfg(unix)]
    pub(super) terminal: Option<(std::fs::File, rustix::termios::Termios)>,
    /// The editor that runs.
    pub(super) editor: Option<u32>,
}

static PENDING: Mutex<Pending> = Mutex::new(Pending {
    folders: Vec::new(),
    files: BTreeSet::new(),
    #[cfg(unix)]
    terminal: None,
    editor: None,
});
static WATCH: Once = Once::new();
static HELD: RwLock<()> = RwLock::new(());

/// Exclusive use of the list. As long as it is held, no signal cleans up.
pub(super) fn pending() -> MutexGuard<'static, Pending> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets no signal end the process as long as the result lives. Not to be asked
/// for twice by one thread.
pub(super) fn hold() -> RwLockReadGuard<'static, ()> {
    HELD.read().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file that goes with the process. Dropping this forgets it, and
/// removes nothing.
#[derive(Debug)]
pub(super) struct Listed(PathBuf);

impl Listed {
    /// Puts `file` on the list.
    pub(super) fn new(file: PathBuf) -> Self {
        watch();
        pending().files.insert(file.clone());
        Self(file)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        pending().files.remove(&self.0);
    }
}

/// Starts watching, once a process.
pub(super) fn watch() {
    WATCH.call_once(|| {
        clean_on_abort();
        #[cfg(unix)]
        unix::watch();
    });
}

/// Where a panic aborts, nothing is dropped: the panic hook cleans up instead.
fn clean_on_abort() {
    if cfg!(panic = "abort") {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Ok(mut pending) = PENDING.try_lock() {
                clean(&mut pending);
            }
            report(panic);
        }));
    }
}

fn clean(pending: &mut Pending) {
    #[cfg(unix)]
    if let Some((terminal, settings)) = pending.terminal.take() {
        let _ = rustix::termios::tcsetattr(terminal, rustix::termios::OptionalActions::Now, &settings);
    }
    for (folder, in_memory) in pending.folders.drain(..) {
        private_dir::wipe_tree(&folder, in_memory);
    }
    for file in std::mem::take(&mut pending.files) {
        let _ = fs::remove_file(file);
    }
}

#[cfg(unix)]
mod unix {
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use super::{HELD, Pending, clean, pending};

    /// How long the editor has to end after a signal that was handed on.
    const GRACE: Duration = Duration::from_millis(200);

    pub(super) fn watch() {
        let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) else { return };
        thread::spawn(move || {
            for signal in signals.forever() {
                let editor = pending().editor;
                match editor {
                    Some(_) if signal == SIGINT || signal == SIGQUIT => {}
                    Some(editor) => {
                        hand_on(editor, signal);
                        die(&mut pending(), signal);
                    }
                    None => die(&mut pending(), signal),
                }
            }
        });
    }

    fn hand_on(editor: u32, signal: i32) {
        let Some(editor) = i32::try_from(editor).ok().and_then(Pid::from_raw) else { return };
        let signal = if signal == SIGHUP { Signal::HUP } else { Signal::TERM };
        if kill_process(editor, signal).is_ok() {
            thread::sleep(GRACE);
        }
    }

    fn die(pending: &mut Pending, signal: i32) {
        let _all_done = HELD.write();
        clean(pending);
        let _ = emulate_default_handler(signal);
    }
}
