//! A program whose output passes a redactor.
//!
//! Its standard output and standard error are pipes, or where ours are a terminal, a
//! terminal of its own ([`super::pty`]); each has a thread that reads, redacts and
//! writes. What the program reads is our standard input itself, unless that is the
//! terminal.
//!
//! Streams usually end with the program. What processes that it left behind still
//! write is passed on for a moment; then their next write fails, as it does when the
//! reader of a pipe goes away. To wait for their end would be to wait for daemons.
#![expect(clippy::disallowed_methods, reason = "it stands between a program's streams and ours")]

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::children::{Jobs, command, start, wait};
use super::pty;
use super::signals::{self, Manner};
use crate::app::ports::{Ending, Launch};
use crate::domain::agent::redact::{Patterns, Redactor};
use crate::domain::secret::SecretBytes;

/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;

/// How long processes that outlive the program are listened to, and how long one that
/// was stopped is.
const GRACE: Duration = Duration::from_secs(1);

/// How often it is looked whether all that a stopped program wrote is passed on.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// One of our own streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Stream {
    /// Whether it is a terminal.
    fn is_terminal(self) -> bool {
        match self {
            Self::Output => io::stdout().is_terminal(),
            Self::Error => io::stderr().is_terminal(),
        }
    }

    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Output => {
                let mut stdout = io::stdout();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::Error => io::stderr().write_all(bytes),
        }
    }
}

/// Runs the program and waits for its end.
pub(super) fn run(launch: &Launch, patterns: &Arc<Patterns>) -> io::Result<Ending> {
    signals::watch();
    let on_terminal =
        [Stream::Output, Stream::Error].map(Stream::is_terminal).into_iter().any(|is_terminal| is_terminal);
    // Without the system's terminals there are pipes: less comfort, the same secrecy.
    let terminal = if on_terminal { pty::Terminal::open().ok() } else { None };
    match terminal {
        Some(terminal) => on_its_terminal(launch, patterns, terminal),
        None => on_pipes(launch, patterns),
    }
}

/// Both streams apart, in our session: signals of the terminal reach the program by
/// themselves.
fn on_pipes(launch: &Launch, patterns: &Arc<Patterns>) -> io::Result<Ending> {
    let mut passers = Passers::new(patterns)?;
    let (output, error) = (passers.pipe(Stream::Output)?, passers.pipe(Stream::Error)?);
    let child = {
        let mut pending = signals::pending();
        // What it holds of the pipes is closed with it.
        let mut command = command(launch);
        command.stdout(output).stderr(error);
        let child = start(launch, || command.spawn())?;
        pending.child = Some((child.id(), Manner::Command));
        child
    };
    let ended = wait(child, Jobs::Program, &mut || passers.catch_up());
    signals::pending().child = None;
    passers.come();
    ended
}

/// On a terminal of its own, which stands for those of our streams that are one.
fn on_its_terminal(launch: &Launch, patterns: &Arc<Patterns>, terminal: pty::Terminal) -> io::Result<Ending> {
    let slots = pty::Slots {
        input: io::stdin().is_terminal(),
        output: Stream::Output.is_terminal(),
        error: Stream::Error.is_terminal(),
    };
    let mut passers = Passers::new(patterns)?;
    let apart = match slots {
        pty::Slots { output: true, error: true, .. } => Stdio::null(),
        pty::Slots { output: true, .. } => passers.pipe(Stream::Error)?,
        _ => passers.pipe(Stream::Output)?,
    };
    let shown = if slots.output { Stream::Output } else { Stream::Error };
    // Who outlives the leader of the session is cut off from its terminal by the system.
    passers.pass(terminal.screen()?, shown, Duration::ZERO)?;
    let child = {
        let mut pending = signals::pending();
        let child = terminal.spawn(launch, slots, apart)?;
        pending.child = Some((child.id(), Manner::Session));
        child
    };
    let attended = terminal.attend(slots.input);
    let ended = wait(child, Jobs::Program, &mut || {
        passers.catch_up();
        signals::pending().give_terminal_back();
    });
    signals::pending().child = None;
    passers.come();
    drop(attended);
    ended
}

/// The threads that pass on what the program writes. They are there before it is: once
/// it runs, nothing is left that could fail and leave it behind. Dropped instead, they
/// end by themselves.
struct Passers<'p> {
    patterns: &'p Arc<Patterns>,
    end: End,
    threads: Vec<JoinHandle<()>>,
    sources: Vec<Weak<Source>>,
}

/// What a thread reads from; locked from before a read until what was read is written.
struct Source {
    from: File,
    turn: Mutex<()>,
}

impl Source {
    /// True while bytes wait that were not passed on yet.
    #[cfg(unix)]
    fn is_behind(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Ok(_turn) = self.turn.try_lock() else { return true };
        let mut watched = [PollFd::new(&self.from, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().contains(PollFlags::IN)
    }

    #[cfg(not(unix))]
    fn is_behind(&self) -> bool {
        false
    }
}

impl<'p> Passers<'p> {
    fn new(patterns: &'p Arc<Patterns>) -> io::Result<Self> {
        Ok(Self { patterns, end: End::new()?, threads: Vec::new(), sources: Vec::new() })
    }

    /// A pipe for the program, whose bytes go `to` a stream of ours.
    fn pipe(&mut self, to: Stream) -> io::Result<Stdio> {
        let (from, pipe) = io::pipe()?;
        self.pass(file(from), to, GRACE)?;
        Ok(pipe.into())
    }

    /// Passes on what `from` gives, until it ends, or `grace` after the program.
    fn pass(&mut self, from: File, to: Stream, grace: Duration) -> io::Result<()> {
        let redactor = Redactor::new(Arc::clone(self.patterns));
        let waiting = self.end.awaited(grace)?;
        let source = Arc::new(Source { from, turn: Mutex::new(()) });
        self.sources.push(Arc::downgrade(&source));
        self.threads.push(thread::Builder::new().spawn(move || pass(&source, to, redactor, waiting))?);
        Ok(())
    }

    /// Waits until what the program wrote before it was stopped is passed on; not for ever,
    /// because what we write to may be stopped as well.
    fn catch_up(&self) {
        let until = Instant::now() + GRACE;
        let is_behind = |source: &Weak<Source>| source.upgrade().is_some_and(|source| source.is_behind());
        while self.sources.iter().any(is_behind) && Instant::now() < until {
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// The end has come: waits until everything is passed on.
    fn come(self) {
        drop(self.end);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

#[cfg(unix)]
fn file(pipe: impl Into<std::os::fd::OwnedFd>) -> File {
    File::from(pipe.into())
}

#[cfg(not(unix))]
fn file(pipe: impl Into<std::os::windows::io::OwnedHandle>) -> File {
    File::from(pipe.into())
}

/// The end of the program, which threads can wait for: a pipe without bytes that is
/// closed when it comes.
struct End {
    #[cfg(unix)]
    seen_by: std::os::fd::OwnedFd,
    #[cfg(unix)]
    _comes: std::os::fd::OwnedFd,
}

impl End {
    fn new() -> io::Result<Self> {
        #[cfg(unix)]
        {
            let (seen_by, comes) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            Ok(Self { seen_by, _comes: comes })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// What waits for bytes, and for this end and `grace` more.
    fn awaited(&self, grace: Duration) -> io::Result<Waiting> {
        #[cfg(unix)]
        return Ok(Waiting { end: self.seen_by.try_clone()?, grace, until: None });
        #[cfg(not(unix))]
        {
            let _ = grace;
            Ok(Waiting {})
        }
    }
}

/// Passes everything on. When nobody takes it any more, the source is closed, so that the
/// program learns it as it would without us.
fn pass(source: &Source, to: Stream, mut redactor: Redactor, mut waiting: Waiting) {
    let mut buffer = SecretBytes::new(vec![0; PIECE]);
    let mut out = Vec::with_capacity(PIECE);
    while waiting.for_bytes(&source.from) {
        let _turn = source.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match (&source.from).read(buffer.as_mut_vec()) {
            Ok(0) => break,
            Ok(count) => {
                redactor.push(&buffer[..count], &mut out);
                if to.write(&out).is_err() {
                    return;
                }
                out.clear();
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            // What a terminal says whose other side is closed.
            Err(_) => break,
        }
    }
    redactor.finish(&mut out);
    let _ = to.write(&out);
}

/// How long a thread waits for bytes.
#[cfg(unix)]
struct Waiting {
    end: std::os::fd::OwnedFd,
    grace: Duration,
    until: Option<Instant>,
}

#[cfg(unix)]
impl Waiting {
    /// Waits for bytes, or an end of them that a read will tell; false when there is
    /// no more time.
    fn for_bytes(&mut self, from: &File) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        loop {
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut watched = [PollFd::new(from, PollFlags::IN), PollFd::new(&self.end, PollFlags::IN)];
            // Once the end is known it would be reported for ever.
            let count = if self.until.is_some() { 1 } else { 2 };
            match poll(&mut watched[..count], left.as_ref()) {
                Ok(0) => return false,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return true,
                Ok(_) if !watched[0].revents().is_empty() => return true,
                Ok(_) => self.until = Some(Instant::now() + self.grace),
            }
        }
    }
}

/// Elsewhere a thread reads until the stream ends.
#[cfg(not(unix))]
struct Waiting {}

#[cfg(not(unix))]
impl Waiting {
    fn for_bytes(&mut self, _: &File) -> bool {
        true
    }
}
