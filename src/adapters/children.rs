//! A program as a child of this process: how it is started, how its end is waited
//! for, and how this process ends as it did.
#![expect(clippy::disallowed_methods, reason = "the home of starting children")]

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::app::ports::{Ending, Launch};

use super::{hardening, search_path};

/// The command of a launch, whose account is the caller's business.
pub(super) fn command(launch: &Launch) -> Command {
    let nothing = OsString::new();
    let (program, arguments) = launch.words.split_first().unwrap_or((&nothing, &[]));
    let found = launch.search_path.as_deref().and_then(|path| find(program, path));
    let mut command = Command::new(found.as_deref().unwrap_or(Path::new(program)));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, program);
    command.args(arguments).env_clear();
    command.envs(launch.environment.iter());
    command
}

/// Does `start`, which starts the program of `launch`, with the limits that this process
/// was given, and with the program's files in memory open to it.
pub(super) fn start<T>(launch: &Launch, start: impl FnOnce() -> T) -> T {
    let inherit = |inherited| launch.memory.iter().for_each(|file| file.set_inherited(inherited));
    inherit(true);
    let started = hardening::as_before(start);
    inherit(false);
    started
}

/// The program of a bare name; what is not found is left to the system, which looks
/// in the environment's own `PATH`.
pub(super) fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let name = program.to_str().filter(|name| !name.contains(std::path::is_separator))?;
    search_path::find(path, name)
}

/// Dies of a signal as the program did that was run, so that the caller's own
/// parent sees the same. Returns where that cannot be.
pub fn die_of(signal: i32) {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        match signal_hook::low_level::emulate_default_handler(signal) {
            Ok(()) => {}
            // SIGKILL, which nobody can handle.
            Err(_) => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    let _ = kill_process(getpid(), signal);
                }
            }
        }
    }
    #[cfg(not(unix))]
    let _ = signal;
}

/// Who goes on when a program that was stopped goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jobs {
    /// The program: a shell sees to the rest of the job, which is ours.
    Program,
    /// The whole group that it leads.
    Group,
}

/// Waits for the end of the program, and stops and goes on with it; `pause` is called
/// before we stop.
pub(super) fn wait(mut child: Child, jobs: Jobs, pause: &mut dyn FnMut()) -> io::Result<Ending> {
    #[cfg(unix)]
    stop_along(&child, jobs, pause);
    #[cfg(not(unix))]
    let _ = (jobs, pause);
    let status = child.wait()?;
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return Ok(Ending::Signal(signal));
        }
    }
    Ok(Ending::Code(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

/// Returns when the program has ended. A shell sees a job stop only if this
/// process stops too; after Ctrl-Z that has happened by the time the program's
/// stop is seen, so it is looked at twice.
#[cfg(unix)]
fn stop_along(child: &Child, jobs: Jobs, pause: &mut dyn FnMut()) {
    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, kill_process_group, waitid,
    };
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    let ended_or_stopped = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(pid), ended_or_stopped) {
            Ok(Some(status)) if status.stopped() => {}
            Err(rustix::io::Errno::INTR) => continue,
            _ => return,
        }
        let still = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
        if matches!(still, Ok(Some(status)) if status.stopped()) {
            pause();
            let _ = kill_process(getpid(), Signal::STOP);
            let _ = match jobs {
                Jobs::Program => kill_process(pid, Signal::CONT),
                Jobs::Group => kill_process_group(pid, Signal::CONT),
            };
        }
    }
}
