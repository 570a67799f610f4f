//! Questions to the person. Secrets are asked on the terminal itself without
//! echo. Yes-or-no questions and pauses read standard input, as SOPS does, so
//! that `yes |` works, and the terminal where standard input has ended.
#![expect(clippy::disallowed_methods, reason = "the home of questions")]

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};

use crate::app::ports::{Prompt, PromptError};
use crate::domain::secret::SecretBytes;

use super::files::reason;
use super::signals;

/// The name of the terminal that controls this process.
#[cfg(unix)]
const TERMINAL: &str = "/dev/tty";
#[cfg(windows)]
const TERMINAL: &str = "CONIN$";

/// Asks on the terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalPrompt;

impl Prompt for TerminalPrompt {
    fn secret(&self, wanted: &str) -> Result<SecretBytes, PromptError> {
        let terminal = terminal().ok_or_else(|| no_terminal(wanted))?;
        let _echo = EchoBack::after(terminal);
        match rpassword::prompt_password(format!("{wanted}: ")) {
            Ok(answer) => Ok(SecretBytes::new(answer.into_bytes())),
            Err(error) => Err(PromptError::Failed { wanted: wanted.to_owned(), reason: reason(&error) }),
        }
    }

    fn confirm(&self, question: &str) -> Result<bool, PromptError> {
        loop {
            match ask(&format!("{question} (y/n): "), question)?.trim() {
                "y" | "Y" | "yes" => return Ok(true),
                "n" | "N" | "no" => return Ok(false),
                _ => {}
            }
        }
    }

    fn line(&self) -> Result<Option<String>, PromptError> {
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => Err(PromptError::Failed { wanted: "an answer".to_owned(), reason: reason(&error) }),
        }
    }

    fn pause(&self, message: &str) -> Result<(), PromptError> {
        ask(&format!("{message}\n"), message).map(drop)
    }
}

/// Gives the terminal its settings back if a signal ends the process while echo
/// is off.
struct EchoBack;

impl EchoBack {
    fn after(terminal: File) -> Self {
        signals::watch();
        #[cfg(unix)]
        {
            let settings = rustix::termios::tcgetattr(&terminal).ok();
            signals::pending().terminal = settings.map(|settings| (terminal, settings));
        }
        #[cfg(not(unix))]
        drop(terminal);
        Self
    }
}

impl Drop for EchoBack {
    fn drop(&mut self) {
        #[cfg(unix)]
        {
            signals::pending().terminal = None;
        }
    }
}

fn terminal() -> Option<File> {
    OpenOptions::new().read(true).write(true).open(TERMINAL).ok()
}

fn no_terminal(wanted: &str) -> PromptError {
    PromptError::NoTerminal { wanted: wanted.to_owned() }
}

/// Shows `text` on standard error and reads a line.
fn ask(text: &str, wanted: &str) -> Result<String, PromptError> {
    let failed = |error: io::Error| PromptError::Failed { wanted: wanted.to_owned(), reason: reason(&error) };
    let mut shown = io::stderr().lock();
    shown.write_all(text.as_bytes()).and_then(|()| shown.flush()).map_err(failed)?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line).map_err(failed)? > 0 {
        return Ok(line);
    }
    let mut terminal = BufReader::new(terminal().ok_or_else(|| no_terminal(wanted))?);
    match terminal.read_line(&mut line).map_err(failed)? {
        0 => Err(no_terminal(wanted)),
        _ => Ok(line),
    }
}
