//! Other programs: becoming one, running one and waiting for it, starting one.
//!
//! While a program runs, this process is as good as absent: signals from the
//! terminal are the program's own, others are handed on to it, and when it stops,
//! this process stops with it.
#![expect(clippy::disallowed_methods, reason = "the home of the processes that commands start")]

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::app::ports::{
    Account, Ending, FileError, Launch, LaunchError, LaunchErrorKind, MemoryFile, Processes,
};
use crate::domain::agent::redact::Patterns;

use super::children::{Jobs, command, start, wait};
use super::signals::{self, Manner};
use super::system_error::reason;
use super::{accounts, redacted, search_path};

/// The programs of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemProcesses;

impl Processes for SystemProcesses {
    fn account(&self, name: &str) -> Result<Option<Account>, FileError> {
        accounts::find(name)
    }

    fn find(&self, name: &str, search_path: &OsStr) -> Option<PathBuf> {
        search_path::find(search_path, name)
    }

    fn own_program(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    fn become_program(&self, launch: &Launch) -> LaunchError {
        let error = start(launch, || as_account(launch, become_it).unwrap_or_else(|error| error));
        launch_error(launch, &error)
    }

    fn run(&self, launch: &Launch) -> Result<Ending, LaunchError> {
        signals::watch();
        let started = {
            let mut pending = signals::pending();
            let started = start(launch, || as_account(launch, Command::spawn));
            if let Ok(Ok(child)) = &started {
                pending.child = Some((child.id(), Manner::Command));
            }
            started
        };
        let ended = started.flatten().and_then(|child| wait(child, Jobs::Program, &mut || ()));
        signals::pending().child = None;
        ended.map_err(|error| launch_error(launch, &error))
    }

    fn run_redacted(&self, launch: &Launch, patterns: &Arc<Patterns>) -> Result<Ending, LaunchError> {
        redacted::run(launch, patterns).map_err(|error| launch_error(launch, &error))
    }

    fn start(&self, launch: &Launch) -> Result<(), LaunchError> {
        let spawn = |command: &mut Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let started = start(launch, || as_account(launch, spawn));
        started.flatten().map(drop).map_err(|error| launch_error(launch, &error))
    }

    fn memory_file(&self, bytes: &[u8]) -> Option<Box<dyn MemoryFile>> {
        #[cfg(target_os = "linux")]
        {
            let file = linux::Memory::with(bytes).ok()?;
            Some(Box::new(file))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = bytes;
            None
        }
    }
}

#[cfg(unix)]
fn become_it(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

/// Elsewhere a process cannot become another program: it runs it and ends alike.
#[cfg(not(unix))]
fn become_it(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// Calls `start` with the rights of the account that the launch is for.
#[cfg(target_os = "linux")]
fn as_account<T: Send>(launch: &Launch, start: impl FnOnce(&mut Command) -> T + Send) -> io::Result<T> {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    let Some(account) = &launch.account else { return Ok(start(&mut command(launch))) };
    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    // Rights belong to threads: this one gives up its own, the process keeps them
    // to clean up with.
    let work = || {
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(start(&mut command(launch)))
    };
    std::thread::scope(|scope| {
        scope.spawn(work).join().unwrap_or_else(|_| Err(io::Error::other("a thread failed")))
    })
}

/// Calls `start` with the rights of the account that the launch is for.
#[cfg(not(target_os = "linux"))]
fn as_account<T: Send>(launch: &Launch, start: impl FnOnce(&mut Command) -> T + Send) -> io::Result<T> {
    let mut command = command(launch);
    if let Some(account) = &launch.account {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            command.uid(account.uid).gid(account.gid);
        }
        #[cfg(not(unix))]
        return Err(io::Error::other(format!("this system cannot switch to user {}", account.name)));
    }
    Ok(start(&mut command))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::path::PathBuf;

    use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
    use rustix::io::{FdFlags, fcntl_setfd};

    use crate::app::ports::MemoryFile;

    /// A file of memory alone, known by its descriptor's number, which is the same in
    /// the process that inherits it.
    #[derive(Debug)]
    pub(super) struct Memory(File);

    impl Memory {
        pub(super) fn with(bytes: &[u8]) -> io::Result<Self> {
            let memory = memfd_create("leaflock", MemfdFlags::CLOEXEC)?;
            fchmod(&memory, Mode::RUSR | Mode::WUSR)?;
            let mut file = File::from(memory);
            file.write_all(bytes)?;
            Ok(Self(file))
        }
    }

    impl MemoryFile for Memory {
        fn path(&self) -> PathBuf {
            PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
        }

        fn set_inherited(&self, inherited: bool) {
            let flags = if inherited { FdFlags::empty() } else { FdFlags::CLOEXEC };
            // Fails for no descriptor that is open.
            let _ = fcntl_setfd(&self.0, flags);
        }
    }
}

fn launch_error(launch: &Launch, error: &io::Error) -> LaunchError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => LaunchErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => LaunchErrorKind::Denied,
        io::ErrorKind::ArgumentListTooLong => LaunchErrorKind::TooLarge,
        _ => LaunchErrorKind::Other,
    };
    let program = launch.words.first().map(PathBuf::from).unwrap_or_default();
    LaunchError { program, kind, reason: reason(error) }
}
