//! Renders a failure: SOPS's first line, then where, then deeper causes, then
//! advice, one `hint:` line each.

use std::fmt::Write as _;

use crate::app::error::{Error, Place};
use crate::cli::exit;

/// Why a call failed.
#[derive(Debug)]
pub enum Failure {
    /// A use case failed.
    App(Error),
    /// The command line cannot be understood.
    Usage(Usage),
    /// Files of a batch failed; they were listed already.
    Batch {
        /// The exit code of the worst.
        code: u8,
    },
    /// The command that was run did not succeed.
    Command {
        /// Its exit code.
        code: u8,
        /// What there is to say about it.
        message: Option<String>,
    },
    /// The answer of the command told why.
    Told {
        /// Its exit code.
        code: u8,
    },
    /// Nobody reads the output any more; nothing is said.
    BrokenPipe,
    /// The output cannot be written.
    Stdout(std::io::Error),
}

impl Failure {
    /// The exit code of the process.
    pub fn code(&self) -> u8 {
        match self {
            Self::App(error) => exit::of_error(error),
            Self::Usage(usage) => usage.code,
            Self::Command { code, .. } | Self::Batch { code } | Self::Told { code } => *code,
            Self::BrokenPipe => exit::BROKEN_PIPE,
            Self::Stdout(_) => exit::CANNOT_WRITE,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl From<Usage> for Failure {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

/// A mistake on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The exit code.
    pub code: u8,
    /// What is wrong, in SOPS's words where it has any.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Usage {
    /// A mistake with the unclassified exit code.
    pub fn new(message: impl Into<String>) -> Self {
        Self::with_code(exit::GENERIC, message)
    }

    /// A mistake with another exit code.
    pub fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new() }
    }

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// The text of a failure, with a final newline; empty if there is nothing to say.
pub fn render(failure: &Failure) -> String {
    let mut text = String::new();
    match failure {
        Failure::App(error) => render_error(error, false, &mut text),
        Failure::Usage(usage) => {
            let _ = writeln!(text, "{}", usage.message);
            render_hints(&usage.hints, &mut text);
        }
        Failure::Stdout(error) => {
            let _ = writeln!(text, "cannot write to standard output: {error}");
        }
        Failure::Command { message, .. } => {
            if let Some(message) = message {
                let _ = writeln!(text, "{message}");
            }
        }
        Failure::Batch { .. } | Failure::Told { .. } | Failure::BrokenPipe => {}
    }
    text
}

/// The text of a use case's error. With `file_is_named`, a place that says no
/// more than the file is left out.
pub fn render_error(error: &Error, file_is_named: bool, text: &mut String) {
    let _ = writeln!(text, "{error}");
    let place = error.place();
    let says_more = place.line.is_some() || place.key.is_some();
    let place = render_place(&place);
    if !place.is_empty() && (says_more || !file_is_named) {
        let _ = writeln!(text, "  at {place}");
    }
    let mut cause = error.cause();
    while let Some(error) = cause {
        let _ = writeln!(text, "  caused by: {error}");
        cause = error.source();
    }
    render_hints(&error.hints(), text);
}

/// `path:line, key`, as far as known.
pub fn render_place(place: &Place) -> String {
    let mut text = String::new();
    if let Some(path) = &place.path {
        let _ = write!(text, "{}", path.display());
    }
    match (place.line, text.is_empty()) {
        (Some(line), true) => {
            let _ = write!(text, "line {line}");
        }
        (Some(line), false) => {
            let _ = write!(text, ":{line}");
        }
        (None, _) => {}
    }
    if let Some(key) = &place.key {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{key}");
    }
    text
}

fn render_hints(hints: &[String], text: &mut String) {
    for hint in hints {
        let _ = writeln!(text, "hint: {hint}");
    }
}
