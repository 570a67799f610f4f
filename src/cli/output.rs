//! The only printer. Data goes to stdout as it is; talk goes to stderr, one
//! prefix a kind, control characters escaped; when the reader of stdout goes
//! away, nothing is said.
#![expect(clippy::disallowed_methods, reason = "the only printer")]

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write};

use super::report::{self, Failure};
use crate::app::request::{Level, Notice};
use crate::domain::document::sink::Sink;

/// Where a call prints.
pub struct Output {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    stdout_is_terminal: bool,
    /// What was to be said, where it goes into the answer instead.
    held: Option<Vec<Notice>>,
}

impl Output {
    /// The process's own streams.
    pub fn of_process() -> Self {
        Self {
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            held: None,
        }
    }

    /// Other streams, for tests.
    pub fn new(stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        Self { stdout, stderr, stdout_is_terminal: false, held: None }
    }

    /// True when a person reads stdout.
    pub fn stdout_is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Prints bytes as they are, to the last one.
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.stdout.write_all(bytes).and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::Stdout(error),
        })
    }

    /// Prints what comes in pieces.
    pub fn printer(&mut self) -> Printer<'_> {
        Printer { output: self, waiting: Vec::new(), failed: None }
    }

    /// Prints our own text (help, reports) to stdout.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.data(text.as_bytes())
    }

    /// Keeps what is to be said for the answer, from here on, or says it.
    pub fn hold_notices(&mut self, hold: bool) {
        self.held = hold.then(Vec::new);
    }

    /// True when what is to be said goes into the answer.
    pub fn holds_notices(&self) -> bool {
        self.held.is_some()
    }

    /// What was kept, once.
    pub fn release_notices(&mut self) -> Vec<Notice> {
        self.held.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Says something on stderr: `note: …`, `warning: …`, and its hint.
    pub fn notice(&mut self, notice: &Notice) {
        if let Some(held) = &mut self.held {
            held.push(notice.clone());
            return;
        }
        let word = match notice.level {
            Level::Note => "note",
            Level::Warning => "warning",
        };
        let mut text = format!("{word}: {}\n", notice.text);
        if let Some(hint) = &notice.hint {
            let _ = writeln!(text, "hint: {hint}");
        }
        self.talk(&text);
    }

    /// Says several things.
    pub fn notices(&mut self, notices: &[Notice]) {
        for notice in notices {
            self.notice(notice);
        }
    }

    /// Reports a failure on stderr.
    pub fn failure(&mut self, failure: &Failure) {
        self.talk(&report::render(failure));
    }

    /// Prints `text` to stderr, safe for a terminal. There is nobody left to
    /// tell if that fails.
    pub fn talk(&mut self, text: &str) {
        let _ = self.stderr.write_all(escape(text).as_bytes());
        let _ = self.stderr.flush();
    }
}

/// Bytes that a [`Printer`] gathers before it prints them.
const GATHERED: usize = 256 * 1024;

/// Prints pieces as they are made; a failure is told in the end.
pub struct Printer<'o> {
    output: &'o mut Output,
    waiting: Vec<u8>,
    failed: Option<Failure>,
}

impl Printer<'_> {
    /// Prints the rest.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.print();
        self.failed.map_or(Ok(()), Err)
    }

    fn print(&mut self) {
        if self.failed.is_none() && !self.waiting.is_empty() {
            self.failed = self.output.data(&self.waiting).err();
        }
        self.waiting.clear();
    }
}

impl Sink for Printer<'_> {
    fn push(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > GATHERED {
            self.print();
        }
        self.waiting.extend_from_slice(bytes);
    }
}

/// `text` with everything escaped that a terminal could take for a command or
/// that could reorder what is shown: control characters except newline and tab,
/// and the bidirectional controls.
pub fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    let dangerous = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(dangerous) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if dangerous(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// The same for what stands in a line with others: a name with a line break would begin a
/// line of its own.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '\n' | '\u{2028}' | '\u{2029}' => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Output, escape};
    use crate::cli::report::Failure;

    /// A stream whose reader went away.
    struct Gone;

    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_told_apart() {
        let mut output = Output::new(Box::new(Gone), Box::new(Gone));
        assert!(matches!(output.data(b"x"), Err(Failure::BrokenPipe)));
        output.talk("nobody hears this");
    }

    #[test]
    fn nothing_on_stderr_can_command_a_terminal() {
        assert_eq!(escape("plain\n\ttext ü"), "plain\n\ttext ü");
        assert_eq!(escape("\u{1b}[2J\r\u{7f}"), "\\u{1b}[2J\\u{d}\\u{7f}");
        assert_eq!(escape("a\u{202e}b"), "a\\u{202e}b");
    }
}
