//! A terminal for a program whose output is looked at on its way to ours, so that it
//! keeps its colours, its prompts and its size.
//!
//! The program leads a session whose controlling terminal this is: Ctrl-C, Ctrl-Z and
//! a shell's jobs work inside of it. Ours is raw meanwhile, so that every key arrives,
//! and is put back on every way out; if we are killed outright, by the leader of that
//! session. Its size, and each change of it, is handed on.
//!
//! Making a session takes work between fork and exec, where only unsafe code can be.
//! So this program is started twice more, as a [`helper`]. The first one leads the
//! session and stays, as a shell would: a job whose parent is outside of its session
//! cannot be stopped by Ctrl-Z. The second one is put in front, takes its place on the
//! terminal and becomes the program. A failure to do so is reported through the slot in
//! which the terminal is to be.
#![cfg_attr(
    unix,
    expect(clippy::disallowed_methods, reason = "the home of terminals that programs are given")
)]

use std::ffi::OsString;

/// The first word of the command line of the helper that leads the session.
const LEADER: &str = "__terminal-leader";

/// The first word of the command line of the helper that becomes the program.
const PROGRAM: &str = "__terminal-program";

/// Which of a program's streams are its terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    /// Standard input.
    pub(super) input: bool,
    /// Standard output.
    pub(super) output: bool,
    /// Standard error.
    pub(super) error: bool,
}

#[cfg(unix)]
pub(super) use unix::Terminal;

/// The exit code of this process if its arguments say that it is a helper.
pub fn helper(arguments: &[OsString]) -> Option<u8> {
    let (first, rest) = arguments.split_first()?;
    #[cfg(unix)]
    return match first.to_str() {
        Some(LEADER) => Some(unix::lead(rest)),
        Some(PROGRAM) => Some(unix::become_program(rest)),
        _ => None,
    };
    #[cfg(not(unix))]
    return (first == LEADER || first == PROGRAM).then_some(rest.len().min(1) as u8);
}

#[cfg(unix)]
mod unix {
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io::{self, IsTerminal as _, Read as _, Write as _};
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{Mode, OFlags, open};
    use rustix::process::{Pid, getpgrp, ioctl_tiocsctty, setsid};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout};
    use rustix::termios::{
        OptionalActions, OutputModes, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetpgrp,
        tcsetwinsize,
    };
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGWINCH};
    use signal_hook::iterator::{Handle, Signals};

    use super::{LEADER, PROGRAM, Slots};
    use crate::adapters::children::{Jobs, die_of, find, start, wait};
    use crate::adapters::signals::Manner;
    use crate::adapters::{hardening, signals};
    use crate::app::ports::{Ending, Launch};

    /// How often a job in the background looks whether it is in front again.
    const LOOK_AGAIN: Duration = Duration::from_millis(200);

    /// A terminal that nobody uses yet: the side of the screen and keyboard, and the
    /// side of the program.
    pub(in crate::adapters) struct Terminal {
        screen: OwnedFd,
        /// Held open so that the program may close its own and open it again.
        _inside: OwnedFd,
        path: OsString,
    }

    impl Terminal {
        /// Makes one, with the size and settings of ours.
        pub(in crate::adapters) fn open() -> io::Result<Self> {
            let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            grantpt(&screen)?;
            unlockpt(&screen)?;
            let path = OsString::from_vec(ptsname(&screen, Vec::new())?.into_bytes());
            let inside = open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
            if let Some(ours) = ours() {
                if let Ok(mut settings) = tcgetattr(ours) {
                    // Where ours stays as it is, it ends the lines.
                    if !io::stdin().is_terminal() {
                        settings.output_modes.remove(OutputModes::OPOST);
                    }
                    let _ = tcsetattr(&inside, OptionalActions::Now, &settings);
                }
                copy_size(ours, &screen);
            }
            Ok(Self { screen, _inside: inside, path })
        }

        /// What the program shows.
        pub(in crate::adapters) fn screen(&self) -> io::Result<File> {
            Ok(File::from(self.screen.try_clone()?))
        }

        /// Starts the program on it, and `apart` in place of that output which is not on it.
        pub(in crate::adapters) fn spawn(
            &self,
            launch: &Launch,
            slots: Slots,
            apart: Stdio,
        ) -> io::Result<Child> {
            let nothing = OsString::new();
            let (program, arguments) = launch.words.split_first().unwrap_or((&nothing, &[]));
            let found = launch.search_path.as_deref().and_then(|path| find(program, path));
            let place = found.as_deref().map_or(program.as_os_str(), |path| path.as_os_str());
            let (mut report, reported) = io::pipe()?;
            let mut helper = Command::new(std::env::current_exe()?);
            helper.arg(LEADER).arg(word_of(slots)).arg(&self.path).arg(place).arg(program).args(arguments);
            helper.env_clear().envs(launch.environment.iter());
            match slots.output {
                true => helper.stdout(reported).stderr(apart),
                false => helper.stdout(apart).stderr(reported),
            };
            let mut child = start(launch, || helper.spawn())?;
            // The command holds the other ends of the report and of the pipe.
            drop(helper);
            let mut number = [0; 4];
            match report.read_exact(&mut number) {
                Ok(()) => {
                    let _ = child.wait();
                    Err(io::Error::from_raw_os_error(i32::from_le_bytes(number)))
                }
                Err(_) => Ok(child),
            }
        }

        /// Makes ours raw and hands on what is typed, and changes of size, until the
        /// result is dropped.
        pub(in crate::adapters) fn attend(&self, types: bool) -> Attended {
            let mut attended = Attended { handle: None, done: None };
            if types {
                take_over();
                if let (Ok(keyboard), Ok((seen_by, done))) =
                    (self.screen.try_clone(), rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC))
                {
                    attended.done = Some(done);
                    thread::spawn(move || hand_typing_on(File::from(keyboard), &seen_by));
                }
            }
            if let (Ok(screen), Ok(mut noticed)) =
                (self.screen.try_clone(), Signals::new([SIGWINCH, SIGCONT]))
            {
                attended.handle = Some(noticed.handle());
                thread::spawn(move || {
                    for signal in noticed.forever() {
                        if signal == SIGCONT && types {
                            take_over();
                        }
                        if let Some(ours) = ours() {
                            copy_size(ours, &screen);
                        }
                    }
                });
            }
            attended
        }
    }

    /// Our terminal in the service of another one; dropped, it is ours again.
    pub(in crate::adapters) struct Attended {
        handle: Option<Handle>,
        done: Option<OwnedFd>,
    }

    impl Drop for Attended {
        fn drop(&mut self) {
            if let Some(handle) = &self.handle {
                handle.close();
            }
            self.done = None;
            signals::pending().give_terminal_back();
        }
    }

    /// That of our streams which is a terminal.
    fn ours() -> Option<BorrowedFd<'static>> {
        [stdin(), stdout(), stderr()].into_iter().find(|stream| stream.is_terminal())
    }

    fn copy_size(from: BorrowedFd<'_>, to: impl AsFd) {
        if let Ok(size) = tcgetwinsize(from) {
            let _ = tcsetwinsize(to, size);
        }
    }

    /// Makes our terminal raw if this is the job in front of it, and remembers what it
    /// was, for every way out.
    fn take_over() {
        let mut pending = signals::pending();
        if pending.terminal.is_some() || !signals::in_foreground() {
            return;
        }
        let Ok(settings) = tcgetattr(stdin()) else { return };
        let Ok(terminal) = stdin().try_clone_to_owned() else { return };
        let raw = raw(&settings);
        pending.terminal = Some((File::from(terminal), settings));
        let _ = tcsetattr(stdin(), OptionalActions::Now, &raw);
    }

    /// Hands on what is typed, until the other end of `done` is closed.
    fn hand_typing_on(mut keyboard: File, done: &OwnedFd) {
        let mut typed = zeroize::Zeroizing::new([0; 4096]);
        loop {
            let mut watched =
                [PollFd::from_borrowed_fd(stdin(), PollFlags::IN), PollFd::new(done, PollFlags::IN)];
            match poll(&mut watched, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if !watched[1].revents().is_empty() => return,
                // What is typed is another job's: to read would stop this one.
                Ok(_) if !signals::in_foreground() => {
                    thread::sleep(LOOK_AGAIN);
                    continue;
                }
                Ok(_) => {}
            }
            match rustix::io::read(stdin(), typed.as_mut_slice()) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(count) if count > 0 && keyboard.write_all(&typed[..count]).is_ok() => {}
                _ => return,
            }
        }
    }

    /// Slots as a word: `ioe`, or less.
    fn word_of(slots: Slots) -> String {
        let letters = [(slots.input, 'i'), (slots.output, 'o'), (slots.error, 'e')];
        letters.into_iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| letter).collect()
    }

    /// The slot that is to be the terminal, and holds the report until then.
    fn reporting(slots: &OsStr) -> BorrowedFd<'static> {
        if slots.as_bytes().contains(&b'o') { stdout() } else { stderr() }
    }

    /// Tells what went wrong.
    fn report(to: OwnedFd, error: &io::Error) {
        let number = error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
        let _ = File::from(to).write_all(&number.to_le_bytes());
    }

    /// Leads a session on the terminal, starts the program there and ends as it does.
    pub(super) fn lead(words: &[OsString]) -> u8 {
        let [slots, path, ..] = words else { return 1 };
        let Ok(to) = rustix::io::fcntl_dupfd_cloexec(reporting(slots), 3) else { return 1 };
        let outer = slots.as_bytes().contains(&b'i').then(|| watch_parent(slots)).flatten();
        let child = match start_job(words, slots, path) {
            Ok(child) => child,
            Err(error) => {
                report(to, &error);
                return 1;
            }
        };
        // The program alone holds the report now, until it runs.
        drop(to);
        let ended = wait(child, Jobs::Group, &mut || ());
        if let Some(settings) = outer {
            put_back(slots, &settings);
        }
        match ended {
            Ok(Ending::Code(code)) => code,
            Ok(Ending::Signal(signal)) => {
                signals::pending().child = None;
                die_of(signal);
                1
            }
            Err(_) => 1,
        }
    }

    /// Puts the terminal that is our input back, also while the program goes on, when the
    /// parent, which makes it raw, was killed: it puts it back itself otherwise. Returns what
    /// its settings are now.
    fn watch_parent(slots: &OsStr) -> Option<Termios> {
        let settings = tcgetattr(stdin()).ok()?;
        let mut hung_up = Signals::new([SIGHUP]).ok()?;
        let (slots, kept) = (slots.to_owned(), settings.clone());
        thread::spawn(move || {
            for _ in hung_up.forever() {
                put_back(&slots, &kept);
            }
        });
        Some(settings)
    }

    /// Puts our input back if the inner terminal hung up: the parent, which holds the other
    /// side of it until we end, is gone. Whoever changed the settings since has the
    /// terminal, and keeps his.
    fn put_back(slots: &OsStr, settings: &Termios) {
        let is_ours = || tcgetattr(stdin()).is_ok_and(|now| has_modes_of(&now, &raw(settings)));
        if is_hung_up(reporting(slots)) && is_ours() {
            let _ = tcsetattr(stdin(), OptionalActions::Now, settings);
        }
    }

    fn is_hung_up(terminal: BorrowedFd<'_>) -> bool {
        let mut watched = [PollFd::from_borrowed_fd(terminal, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().contains(PollFlags::HUP)
    }

    fn has_modes_of(one: &Termios, other: &Termios) -> bool {
        let modes = |it: &Termios| (it.input_modes, it.output_modes, it.control_modes, it.local_modes);
        modes(one) == modes(other)
    }

    /// Settings with which every key arrives.
    fn raw(settings: &Termios) -> Termios {
        let mut raw = settings.clone();
        raw.make_raw();
        raw
    }

    /// Starts the other helper as the job in front of the terminal at `path`.
    fn start_job(words: &[OsString], slots: &OsStr, path: &OsStr) -> io::Result<Child> {
        setsid()?;
        let terminal = open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        ioctl_tiocsctty(&terminal)?;
        signals::watch();
        let mut job = Command::new(std::env::current_exe()?);
        job.arg(PROGRAM).args(words).process_group(0);
        let child = {
            let mut pending = signals::pending();
            let child = hardening::as_before(|| job.spawn())?;
            pending.child = Some((child.id(), Manner::Session));
            child
        };
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            tcsetpgrp(&terminal, group)?;
        }
        match slots.as_bytes().contains(&b'o') {
            true => dup2_stdout(&terminal)?,
            false => dup2_stderr(&terminal)?,
        }
        Ok(child)
    }

    /// Becomes the program, once this is the job in front of the terminal; returns only
    /// if it could not.
    pub(super) fn become_program(words: &[OsString]) -> u8 {
        let [slots, path, program, name, arguments @ ..] = words else { return 1 };
        // It is closed when the program takes this process over.
        let Ok(to) = rustix::io::fcntl_dupfd_cloexec(reporting(slots), 3) else { return 1 };
        let error = match take_place(slots, path) {
            Ok(()) => {
                let mut command = Command::new(program);
                command.arg0(name).args(arguments);
                hardening::as_before(|| command.exec())
            }
            Err(error) => error,
        };
        report(to, &error);
        1
    }

    /// Puts the terminal at `path` into these slots.
    fn take_place(slots: &OsStr, path: &OsStr) -> io::Result<()> {
        let terminal = open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        // The leader puts it in front a moment after it was started.
        while tcgetpgrp(&terminal)? != getpgrp() {
            thread::sleep(Duration::from_micros(100));
        }
        for slot in slots.as_bytes() {
            match slot {
                b'i' => dup2_stdin(&terminal)?,
                b'o' => dup2_stdout(&terminal)?,
                _ => dup2_stderr(&terminal)?,
            }
        }
        Ok(())
    }
}

/// Elsewhere programs are given pipes.
#[cfg(not(unix))]
pub(super) struct Terminal {}

#[cfg(not(unix))]
impl Terminal {
    pub(super) fn open() -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn screen(&self) -> std::io::Result<std::fs::File> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn spawn(
        &self,
        _: &crate::app::ports::Launch,
        _: Slots,
        _: std::process::Stdio,
    ) -> std::io::Result<std::process::Child> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn attend(&self, _: bool) {}
}
