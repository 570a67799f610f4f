//! age plugins: recipients `age1NAME1…` and identities `AGE-PLUGIN-NAME-1…` are
//! the business of a program `age-plugin-NAME`, which is told file keys and
//! stanzas on its standard input (age's plugin protocol, recipient-v1 and
//! identity-v1). The framing is the age library's. What is said is said here,
//! because the library's own client begins a session for each file, and a
//! hardware key asks for its PIN and touch once a session.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use age::EncryptError;
use age::secrecy::ExposeSecret;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::plugin::{Connection, IDENTITY_V1, RECIPIENT_V1, Reply, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::FromBase32;
use zeroize::{Zeroize, Zeroizing};

use super::super::search_path;
use super::super::system_error::reason;
use crate::app::ports::Prompt;
use crate::domain::keys::{go_quoted, plugin_of_identity, plugin_of_recipient};

/// How long a plugin may be silent before the person is told who is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most of a plugin's own words that an error keeps.
const LONGEST_WORDS: usize = 2 << 10;

/// Commands of both machines that ask the person something.
const TALK: [&str; 4] = ["msg", "confirm", "request-public", "request-secret"];

/// How plugins are found, and who answers them.
#[derive(Clone, Copy)]
pub(super) struct Plugins<'p> {
    pub(super) search_path: &'p OsString,
    pub(super) prompt: &'p dyn Prompt,
}

impl Plugins<'_> {
    /// Where the program of plugin `name` is.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        search_path::find(self.search_path, &program(name))
    }
}

/// `AGE-PLUGIN-NAME-1…`
pub(super) struct PluginIdentity {
    name: String,
    text: Zeroizing<String>,
}

impl PluginIdentity {
    /// Reads one; `None` if it is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let name = plugin_of_identity(text)?;
        let (_, data, _) = bech32::decode(text).ok()?;
        Vec::<u8>::from_base32(&data).ok()?.zeroize();
        Some(Self { name, text: Zeroizing::new(text.to_owned()) })
    }

    /// The NAME of `age-plugin-NAME`.
    pub(super) fn plugin(&self) -> &str {
        &self.name
    }

    /// The identity itself, for the plugin and for nobody else.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// `age1NAME1…`
pub(super) struct PluginRecipient<'p> {
    name: String,
    text: String,
    plugins: Plugins<'p>,
}

impl<'p> PluginRecipient<'p> {
    /// Reads one; whether its plugin is there is found out when it is used.
    pub(super) fn parse(text: &str, plugins: Plugins<'p>) -> Result<Self, &'static str> {
        let name = plugin_of_recipient(text).ok_or("invalid plugin name")?;
        bech32::decode(text)
            .ok()
            .and_then(|(_, data, _)| Vec::<u8>::from_base32(&data).ok())
            .ok_or("invalid Bech32 encoding")?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), plugins })
    }

    fn wrap(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), String> {
        let mut wrapped = Wrapped::default();
        let mut session = Session::open(&self.name, RECIPIENT_V1, self.plugins)?;
        session.send(|phase| {
            phase.send("add-recipient", &[&self.text], &[])?;
            phase.send("extension-labels", &[], &[])?;
            phase.send("wrap-file-key", &[], file_key.expose_secret())
        })?;
        session.answer(&["recipient-stanza", "labels"], |command| wrapped.take(command))?;
        if let Some(problem) = session.problems.into_iter().next() {
            return Err(problem.text);
        }
        if wrapped.stanzas.is_empty() {
            return Err(format!("{} returned no stanza", program(&self.name)));
        }
        Ok((wrapped.stanzas, wrapped.labels))
    }
}

impl age::Recipient for PluginRecipient<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        self.wrap(file_key).map_err(|reason| EncryptError::Io(io::Error::other(reason)))
    }
}

/// What a plugin made of a file key.
#[derive(Default)]
struct Wrapped {
    stanzas: Vec<Stanza>,
    labels: HashSet<String>,
}

impl Wrapped {
    fn take(&mut self, mut command: Stanza) -> Result<(), &'static str> {
        if command.tag == "labels" {
            self.labels.extend(command.args);
            return Ok(());
        }
        if command.args.len() < 2 || command.args.remove(0) != "0" {
            return Err("it wrapped a file key that it was not given");
        }
        command.tag = command.args.remove(0);
        self.stanzas.push(command);
        Ok(())
    }
}

/// What a plugin made of stanzas.
#[derive(Default)]
pub(super) struct Unwrapped {
    /// File keys by the index of their file.
    pub(super) file_keys: BTreeMap<usize, FileKey>,
    /// What went wrong.
    pub(super) problems: Vec<Problem>,
    /// Whether the person was asked anything.
    pub(super) asked: bool,
}

/// What a plugin says went wrong.
pub(super) struct Problem {
    /// With which of the files, if with one of them.
    pub(super) file: Option<usize>,
    /// In its words, behind its name.
    pub(super) text: String,
}

/// Has the plugin of `identities`, which are of one plugin, unwrap all `files`
/// in one session. A file is a list of stanzas of which one is enough.
pub(super) fn unwrap(
    identities: &[&PluginIdentity],
    files: &[Vec<Stanza>],
    plugins: Plugins<'_>,
) -> Unwrapped {
    let mut unwrapped = Unwrapped::default();
    let Some(name) = identities.first().map(|identity| identity.plugin()) else { return unwrapped };
    let failed = |text| Unwrapped { problems: vec![Problem { file: None, text }], ..Unwrapped::default() };
    let mut session = match Session::open(name, IDENTITY_V1, plugins) {
        Ok(session) => session,
        Err(reason) => return failed(reason),
    };
    let sent = session.send(|phase| {
        for identity in identities {
            phase.send("add-identity", &[identity.text()], &[])?;
        }
        for (number, stanzas) in files.iter().enumerate() {
            for stanza in stanzas {
                phase.send_stanza("recipient-stanza", &[&number.to_string()], stanza)?;
            }
        }
        Ok(())
    });
    let answered = sent.and_then(|()| {
        session.answer(&["file-key"], |mut command| {
            let index = command.args.first().and_then(|index| index.parse().ok());
            let key = FileKey::try_init_with_mut(|key: &mut [u8; FILE_KEY_BYTES]| {
                let fits = command.body.len() == key.len();
                fits.then(|| key.copy_from_slice(&command.body)).ok_or(())
            });
            command.body.zeroize();
            match (index, key) {
                (Some(index), Ok(key)) if index < files.len() => {
                    unwrapped.file_keys.entry(index).or_insert(key);
                    Ok(())
                }
                _ => Err("it returned a file key that is none, or for no file"),
            }
        })
    });
    unwrapped.asked = session.asked;
    unwrapped.problems = session.problems;
    if let Err(text) = answered {
        unwrapped.problems.push(Problem { file: None, text });
    }
    unwrapped
}

type Pipes = Connection<
    age_core::io::DebugReader<std::process::ChildStdout>,
    age_core::io::DebugWriter<std::process::ChildStdin>,
>;
type Phase<'c> = age_core::plugin::UnidirSend<
    'c,
    age_core::io::DebugReader<std::process::ChildStdout>,
    age_core::io::DebugWriter<std::process::ChildStdin>,
>;

/// A plugin that runs.
struct Session<'p> {
    name: &'p str,
    connection: Pipes,
    prompt: &'p dyn Prompt,
    problems: Vec<Problem>,
    asked: bool,
}

impl<'p> Session<'p> {
    fn open(name: &'p str, machine: &str, plugins: Plugins<'p>) -> Result<Self, String> {
        let path = find(name, plugins)?;
        let connection = Connection::open(&path, machine)
            .map_err(|error| format!("couldn't start plugin: {}: {}", program(name), reason(&error)))?;
        Ok(Self { name, connection, prompt: plugins.prompt, problems: Vec::new(), asked: false })
    }

    /// Phase one: what the plugin is told.
    fn send(&mut self, tell: impl FnOnce(&mut Phase<'_>) -> io::Result<()>) -> Result<(), String> {
        let name = self.name;
        self.connection.unidir_send(|mut phase| tell(&mut phase)).map_err(|error| ended(name, &error))
    }

    /// Phase two: what it answers, and what it asks the person. `take` gets the
    /// commands called `wanted`.
    fn answer(
        &mut self,
        wanted: &[&str],
        mut take: impl FnMut(Stanza) -> Result<(), &'static str>,
    ) -> Result<(), String> {
        let Self { name, connection, prompt, problems, asked } = self;
        let (name, prompt) = (*name, *prompt);
        let known: Vec<&str> = wanted.iter().copied().chain(TALK).chain(["error"]).collect();
        let mut handle = |command: Stanza, reply: Reply<'_, _, _>, heard: &Sender<()>| {
            let _ = heard.send(());
            if command.tag == "error" {
                problems.push(problem(name, &command));
                return reply.ok(None);
            }
            if !TALK.contains(&command.tag.as_str()) {
                if let Err(wrong) = take(command) {
                    problems.push(Problem { file: None, text: format!("{}: {wrong}", program(name)) });
                }
                return reply.ok(None);
            }
            *asked |= command.tag != "msg";
            let (response, unanswered) = talk(name, prompt, command, reply);
            problems.extend(unanswered.map(|text| Problem { file: None, text }));
            response
        };
        let done = while_waiting(name, prompt, |heard| {
            connection.bidir_receive(&known, |command, reply| handle(command, reply, heard))
        });
        done.map_err(|error| ended(name, &error))
    }
}

/// Runs `work`; if nothing is heard for a while, says who is waited for.
fn while_waiting<T>(name: &str, prompt: &dyn Prompt, work: impl FnOnce(&Sender<()>) -> T) -> T {
    thread::scope(|scope| {
        let (heard, silence) = mpsc::channel::<()>();
        scope.spawn(move || {
            if silence.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                prompt.tell(&format!("waiting for {}…", program(name)));
            }
        });
        work(&heard)
    })
}

/// Puts what a plugin says or asks to the person. With what could not be
/// answered, and why.
fn talk<R: Read, W: Write>(
    name: &str,
    prompt: &dyn Prompt,
    command: Stanza,
    reply: Reply<'_, R, W>,
) -> (Response, Option<String>) {
    let said = format!("{}: {}", program(name), String::from_utf8_lossy(&command.body));
    let answer = match command.tag.as_str() {
        "msg" => {
            prompt.tell(&said);
            return (reply.ok(None), None);
        }
        "confirm" => {
            let labels: Vec<String> = command.args.iter().take(2).filter_map(|text| label(text)).collect();
            let (yes, no) = (labels.first().map_or("yes", String::as_str), labels.get(1).map(String::as_str));
            match prompt.choose(&said, yes, no) {
                Ok(chosen) => {
                    return (reply.ok_with_metadata(&[if chosen { "yes" } else { "no" }], None), None);
                }
                Err(error) => Err(error),
            }
        }
        "request-public" => prompt.visible(&said),
        _ => prompt.secret(&said),
    };
    match answer {
        Ok(text) => (reply.ok(Some(&text)), None),
        Err(error) => (reply.fail(), Some(error.to_string())),
    }
}

/// What a button says.
fn label(text: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD_NO_PAD.decode(text).ok()?).ok()
}

fn problem(name: &str, command: &Stanza) -> Problem {
    let file = match &command.args[..] {
        [kind, file, ..] if kind == "stanza" => file.parse().ok(),
        _ => None,
    };
    let words = String::from_utf8_lossy(&command.body);
    let words: String = words.trim().chars().take(LONGEST_WORDS).collect();
    Problem { file, text: format!("{}: {words}", program(name)) }
}

fn program(name: &str) -> String {
    format!("age-plugin-{name}")
}

fn find(name: &str, plugins: Plugins<'_>) -> Result<PathBuf, String> {
    plugins.program(name).ok_or_else(|| {
        let program = go_quoted(&program(name));
        format!("couldn't start plugin: exec: {program}: executable file not found in $PATH")
    })
}

/// Why a session broke off.
fn ended(name: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            format!("{} ended without an answer", program(name))
        }
        _ => format!("{}: {}", program(name), reason(error)),
    }
}
