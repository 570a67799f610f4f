//! Questions to the person. Secrets are asked on the terminal itself without
//! echo, or through an askpass program. Yes-or-no questions and pauses read
//! standard input, as SOPS does, so that `yes |` works, and the terminal where
//! standard input has ended. Two threads never ask at the same time.
#![expect(clippy::disallowed_methods, reason = "the home of questions")]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::app::ports::{Prompt, PromptError};
use crate::domain::secret::SecretBytes;

use super::progress::TerminalProgress;
use super::signals;
use super::system_error::reason;

/// The name of the terminal that controls this process.
#[cfg(unix)]
const TERMINAL: &str = "/dev/tty";
#[cfg(windows)]
const TERMINAL: &str = "CONIN$";

/// The longest answer of an askpass program that is read, as in ssh.
const LONGEST_ANSWER: usize = 1024;

/// Held while a question is open.
static ASKING: Mutex<()> = Mutex::new(());

/// A program that asks in our stead, in the manner of ssh: the question is its
/// argument, the answer its output, and a failure means no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Askpass {
    /// The program, looked up on the search path.
    pub program: OsString,
    /// Also where there is a terminal.
    pub first: bool,
}

/// Asks on the terminal.
#[derive(Clone, Debug, Default)]
pub struct TerminalPrompt<'p> {
    askpass: Option<Askpass>,
    progress: Option<&'p TerminalProgress>,
}

impl<'p> TerminalPrompt<'p> {
    /// Asks through `askpass` where it applies; `progress` is out of the way meanwhile.
    pub fn new(askpass: Option<Askpass>, progress: &'p TerminalProgress) -> Self {
        Self { askpass, progress: Some(progress) }
    }

    /// Runs `ask` with the terminal to itself.
    fn alone<T>(&self, ask: impl FnOnce() -> T) -> T {
        let _asking: MutexGuard<'_, ()> = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        match self.progress {
            Some(progress) => progress.aside(ask),
            None => ask(),
        }
    }

    /// The askpass program, where it is to be asked; else the terminal.
    fn person(&self, wanted: &str) -> Result<Person<'_>, PromptError> {
        let askpass = self.askpass.as_ref();
        match askpass.filter(|askpass| askpass.first) {
            Some(askpass) => Ok(Person::Askpass(askpass)),
            None => match (terminal(), askpass) {
                (Some(terminal), _) => Ok(Person::Terminal(terminal)),
                (None, Some(askpass)) => Ok(Person::Askpass(askpass)),
                (None, None) => Err(no_terminal(wanted)),
            },
        }
    }
}

/// Where an answer comes from.
enum Person<'a> {
    Askpass(&'a Askpass),
    Terminal(File),
}

impl Prompt for TerminalPrompt<'_> {
    fn secret(&self, wanted: &str) -> Result<SecretBytes, PromptError> {
        let wanted = &printable(wanted);
        self.alone(|| match self.person(wanted)? {
            Person::Askpass(askpass) => askpass.ask(wanted, None),
            Person::Terminal(terminal) => {
                let _silence = Silence::over(terminal).map_err(|error| failed(wanted, &error))?;
                match rpassword::prompt_password(format!("{wanted}: ")) {
                    Ok(answer) => Ok(SecretBytes::new(answer.into_bytes())),
                    Err(error) => Err(failed(wanted, &error)),
                }
            }
        })
    }

    fn visible(&self, wanted: &str) -> Result<SecretBytes, PromptError> {
        let wanted = &printable(wanted);
        self.alone(|| match self.person(wanted)? {
            Person::Askpass(askpass) => askpass.ask(wanted, None),
            Person::Terminal(terminal) => {
                Ok(line(terminal, &format!("{wanted}: "), wanted)?.into_bytes().into())
            }
        })
    }

    fn choose(&self, question: &str, yes: &str, no: Option<&str>) -> Result<bool, PromptError> {
        let (question, yes) = (&printable(question), printable(yes));
        let choices = match no {
            Some(no) => format!("{question} (y: {yes}, n: {}): ", printable(no)),
            None => format!("{question} (Enter: {yes}): "),
        };
        self.alone(|| {
            loop {
                let answer = match self.person(question)? {
                    Person::Askpass(askpass) => return askpass.confirm(&choices),
                    Person::Terminal(terminal) => line(terminal, &choices, question)?,
                };
                match (no, answer.trim()) {
                    (None, _) | (_, "y" | "Y" | "yes") => return Ok(true),
                    (_, "n" | "N" | "no") => return Ok(false),
                    _ => {}
                }
            }
        })
    }

    fn tell(&self, message: &str) {
        let text = format!("{}\n", printable(message));
        self.alone(|| {
            // Nobody is left to tell if that fails.
            let _ = match terminal() {
                Some(mut terminal) => terminal.write_all(text.as_bytes()),
                None => io::stderr().write_all(text.as_bytes()),
            };
        });
    }

    fn confirm(&self, question: &str) -> Result<bool, PromptError> {
        self.alone(|| {
            loop {
                match ask(&format!("{question} (y/n): "), question)?.trim() {
                    "y" | "Y" | "yes" => return Ok(true),
                    "n" | "N" | "no" => return Ok(false),
                    _ => {}
                }
            }
        })
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
        self.alone(|| ask(&format!("{message}\n"), message).map(drop))
    }
}

impl Askpass {
    /// The program's answer to a question.
    fn ask(&self, wanted: &str, manner: Option<&str>) -> Result<SecretBytes, PromptError> {
        let refused = |reason: String| PromptError::Failed { wanted: wanted.to_owned(), reason };
        let name = self.program.to_string_lossy();
        let mut command = Command::new(&self.program);
        command.arg(format!("{wanted}: ")).stdin(Stdio::null()).stderr(Stdio::inherit());
        if let Some(manner) = manner {
            command.env("SSH_ASKPASS_PROMPT", manner);
        }
        let output = command
            .output()
            .map_err(|error| refused(format!("the askpass program {name}: {}", reason(&error))))?;
        let mut answer = SecretBytes::new(output.stdout);
        if !output.status.success() {
            return Err(refused(format!("the askpass program {name} gave no answer")));
        }
        if answer.len() > LONGEST_ANSWER {
            return Err(refused(format!("the answer of the askpass program {name} is too long")));
        }
        let end = answer.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(answer.len());
        answer.as_mut_vec().truncate(end);
        Ok(answer)
    }

    /// Consent is an empty answer or `yes`, as in ssh.
    fn confirm(&self, question: &str) -> Result<bool, PromptError> {
        let answer = self.ask(question, Some("confirm"));
        Ok(answer.is_ok_and(|answer| answer.is_empty() || answer.eq_ignore_ascii_case(b"yes")))
    }
}

/// `text` without what could steer a terminal; line breaks and tabs stay.
fn printable(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Shows `text` on the terminal and reads a line from it.
fn line(mut terminal: File, text: &str, wanted: &str) -> Result<String, PromptError> {
    terminal.write_all(text.as_bytes()).map_err(|error| failed(wanted, &error))?;
    let mut line = String::new();
    match BufReader::new(terminal).read_line(&mut line).map_err(|error| failed(wanted, &error))? {
        0 => Err(no_terminal(wanted)),
        _ => {
            line.truncate(line.trim_end_matches(['\n', '\r']).len());
            Ok(line)
        }
    }
}

fn failed(wanted: &str, error: &io::Error) -> PromptError {
    PromptError::Failed { wanted: wanted.to_owned(), reason: reason(error) }
}

/// No echo, from before the question is shown: `rpassword` turns it off only
/// after that, and a quick answer would be seen. Dropping this gives the
/// terminal its settings back, and so does a signal that ends the process.
struct Silence;

impl Silence {
    #[cfg(unix)]
    fn over(terminal: File) -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        signals::watch();
        let settings = tcgetattr(&terminal)?;
        let mut silent = settings.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        let mut pending = signals::pending();
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        pending.terminal = Some((terminal, settings));
        Ok(Self)
    }

    #[cfg(not(unix))]
    fn over(terminal: File) -> io::Result<Self> {
        drop(terminal);
        signals::watch();
        Ok(Self)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        #[cfg(unix)]
        signals::pending().give_terminal_back();
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
    let failed = |error: io::Error| failed(wanted, &error);
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
