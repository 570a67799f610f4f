//! What must be put right before the process dies of a signal or an abort:
//! private directories are wiped and removed, temporary files are removed, the
//! terminal gets its echo back. And what must not be cut in two by a signal.
//!
//! A thread waits for the signals that end a process; it is started by the first
//! thing that needs it, so that other calls don't pay for it. What the caller
//! ignores (`nohup`, a shell's background job) stays ignored. While the editor
//! runs, Ctrl-C and Ctrl-\ are the editor's, as in git: we end when it ends.
//! SIGTERM and SIGHUP are handed on to it first. While another program runs, all
//! of them are handed on, but for those that its terminal gives it anyway, and we
//! end when it ends.
#![expect(
    clippy::disallowed_methods,
    reason = "temporary files go with the process; its own status is no file"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, Once, PoisonError, RwLock, RwLockReadGuard};

use super::wipe::wipe_tree;

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
    /// The program that runs.
    pub(super) child: Option<(u32, Manner)>,
}

/// What signals mean while a program runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// They end the editor, and us.
    Editor,
    /// They are the program's.
    Command,
    /// They are the program's, which has a terminal of its own: what is typed here it
    /// does not get by itself.
    Session,
}

impl Pending {
    /// The terminal's settings are put back, where they were changed.
    #[cfg(unix)]
    pub(super) fn give_terminal_back(&mut self) {
        if let Some((terminal, settings)) = self.terminal.take() {
            let _ = rustix::termios::tcsetattr(terminal, rustix::termios::OptionalActions::Now, &settings);
        }
    }
}

static PENDING: Mutex<Pending> = Mutex::new(Pending {
    folders: Vec::new(),
    files: BTreeSet::new(),
    #[cfg(unix)]
    terminal: None,
    child: None,
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
    pending.give_terminal_back();
    for (folder, in_memory) in pending.folders.drain(..) {
        wipe_tree(&folder, in_memory);
    }
    for file in std::mem::take(&mut pending.files) {
        let _ = fs::remove_file(file);
    }
}

#[cfg(unix)]
pub(super) use unix::in_foreground;

#[cfg(unix)]
mod unix {
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use super::{HELD, Manner, clean, pending};

    /// The signals that are waited for.
    const WATCHED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

    /// How long the editor has to end after a signal that was handed on.
    const GRACE: Duration = Duration::from_millis(200);

    pub(super) fn watch() {
        let ignored = ignored();
        let watched = WATCHED.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let Ok(mut signals) = Signals::new(watched) else { return };
        thread::spawn(move || {
            for signal in signals.forever() {
                let child = pending().child;
                match child {
                    Some((_, Manner::Editor)) if signal == SIGINT || signal == SIGQUIT => {}
                    Some((editor, Manner::Editor)) => {
                        if hand_on(editor, signal) {
                            thread::sleep(GRACE);
                        }
                        die(signal);
                    }
                    Some((_, Manner::Command)) if is_typed(signal) => {}
                    Some((program, Manner::Command)) => {
                        hand_on(program, signal);
                    }
                    Some((program, Manner::Session)) if signal == SIGINT || signal == SIGQUIT => {
                        hand_on_to_group(program, signal);
                    }
                    Some((program, Manner::Session)) => {
                        hand_on(program, signal);
                    }
                    None => die(signal),
                }
            }
        });
    }

    /// The signals that this process ignores, as a set of bits.
    fn ignored() -> u64 {
        let set = std::fs::read_to_string("/proc/self/status").ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        });
        set.unwrap_or(0)
    }

    /// True for a signal that the terminal gives to the whole job: Ctrl-C, Ctrl-\.
    fn is_typed(signal: i32) -> bool {
        (signal == SIGINT || signal == SIGQUIT) && in_foreground()
    }

    /// True when this process belongs to the job in front of its terminal.
    pub(in crate::adapters) fn in_foreground() -> bool {
        let terminal = rustix::fs::open("/dev/tty", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
        let front = terminal.and_then(rustix::termios::tcgetpgrp);
        front.is_ok_and(|front| front == getpgrp())
    }

    fn hand_on(child: u32, signal: i32) -> bool {
        let Some(child) = i32::try_from(child).ok().and_then(Pid::from_raw) else { return false };
        Signal::from_named_raw(signal).is_some_and(|signal| kill_process(child, signal).is_ok())
    }

    /// To the program and what it started, as a terminal gives it.
    fn hand_on_to_group(leader: u32, signal: i32) {
        let group = i32::try_from(leader).ok().and_then(Pid::from_raw);
        if let (Some(group), Some(signal)) = (group, Signal::from_named_raw(signal)) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Whoever holds the process may ask for the list, so it is asked for last.
    fn die(signal: i32) {
        let _all_done = HELD.write();
        let mut pending = pending();
        clean(&mut pending);
        let _ = emulate_default_handler(signal);
    }
}
