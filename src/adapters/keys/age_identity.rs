//! Where age identities are looked for, in sops's places and with sops's rules
//! (sops-compat 6.2), each read at most once in a process and only when needed:
//! native identities at once, SSH keys when a file asks for one, commands when
//! that did not do, passphrases when nothing else did.
//!
//! Reading never fails: what went wrong in a place is kept with it and shown
//! only if no identity opens the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::age_parse::{Identity, belongs, parse_identities, parse_ssh};
use super::age_plugin::Plugins;
use super::plugin_round::Rounds;
use crate::app::ports::{Files, Prompt};
use crate::domain::keys::report::Tried;
use crate::domain::keys::sources::{AgeEnvironment, Outcome, Source, Visit, loading_report};
use crate::domain::keys::survey::{Opener, Place, Plugin, Survey};
use crate::domain::keys::{WrappedKey, go_quoted, plugin_of_recipient};
use crate::domain::secret::SecretBytes;

/// The longest encrypted identity file that sops reads.
const LONGEST_LOCKED_FILE: usize = 16 << 20;

/// One place and what was found there.
pub(super) struct Loaded {
    pub(super) identities: Vec<Identity>,
    visit: Visit,
}

/// The user's age identities, from everywhere sops looks.
///
/// One value serves a whole process and all of its threads: it is what makes
/// every place read once and every passphrase asked once.
pub struct Identities<'e> {
    env: AgeEnvironment,
    files: &'e dyn Files,
    prompt: &'e dyn Prompt,
    native: OnceLock<Vec<Loaded>>,
    ssh: OnceLock<Vec<Loaded>>,
    commands: Mutex<BTreeMap<(Source, String), Arc<Loaded>>>,
    rounds: Rounds,
}

impl<'e> Identities<'e> {
    /// Identities as `env` names them. Nothing is read yet.
    pub fn new(env: AgeEnvironment, files: &'e dyn Files, prompt: &'e dyn Prompt) -> Self {
        Self {
            env,
            files,
            prompt,
            native: OnceLock::new(),
            ssh: OnceLock::new(),
            commands: Mutex::new(BTreeMap::new()),
            rounds: Rounds::default(),
        }
    }

    /// What has been tried, place by place, for [`crate::domain::keys::report`].
    /// Meaningful after an unwrap that failed.
    pub fn tried(&self) -> Vec<Tried> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tried: Vec<Tried> = Vec::new();
        let places = self.ssh_places().iter().chain(self.native_places());
        for place in places.chain(commands.values().map(|place| &**place)) {
            let problem = match &place.visit.outcome {
                Outcome::Unreadable(reason) | Outcome::Malformed(reason) => Some(reason.clone()),
                Outcome::Absent | Outcome::Found(_) => None,
            };
            let mut found = Tried { location: place.visit.location.clone(), problem, ..Tried::default() };
            place.identities.iter().for_each(|identity| identity.describe(&mut found.identities));
            if !tried.contains(&found) {
                tried.push(found);
            }
        }
        tried
    }

    pub(super) fn prompt(&self) -> &dyn Prompt {
        self.prompt
    }

    /// What is in every place, for people; see [`crate::app::ports::Keys::survey`].
    pub(super) fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        for place in self.ssh_places().iter().chain(self.native_places()) {
            let mut identities = Vec::new();
            place.identities.iter().for_each(|identity| identity.describe(&mut identities));
            let Visit { source, outcome, .. } = &place.visit;
            let path = self.path_of(*source);
            survey.places.push(Place { source: *source, path, outcome: Some(outcome.clone()), identities });
            for identity in place.identities.iter().filter_map(Identity::plugin) {
                let name = identity.plugin().to_owned();
                if survey.plugins.iter().all(|known| known.name != name) {
                    survey.plugins.push(Plugin { path: self.plugins().program(&name), name });
                }
            }
        }
        let commands = [(Source::SshKeyCmd, &self.env.ssh_key_cmd), (Source::KeyCmd, &self.env.key_cmd)];
        for (source, command) in commands {
            let outcome = command.is_none().then_some(Outcome::Absent);
            survey.places.push(Place { source, path: None, outcome, identities: Vec::new() });
        }
        survey.places.sort_by_key(|place| place.source);
        survey
    }

    fn path_of(&self, source: Source) -> Option<PathBuf> {
        let in_home = |name| self.env.home.as_ref().map(|home| home.join(".ssh").join(name));
        match source {
            Source::SshKeyFile => self.env.ssh_key_file.clone(),
            Source::KeyFile => self.env.key_file.clone(),
            Source::HomeEd25519 => in_home("id_ed25519"),
            Source::HomeRsa => in_home("id_rsa"),
            Source::DefaultKeyFile => self.env.default_key_file.clone(),
            Source::SshKeyCmd | Source::Key | Source::KeyCmd => None,
        }
    }

    /// Who would open what is wrapped for `recipient`.
    pub(super) fn opener(&self, recipient: &str) -> Option<Opener> {
        let commands = self.commands(recipient);
        let places = || {
            let own = self.ssh_places().iter().chain(self.native_places());
            own.chain(commands.iter().map(|place| &**place))
        };
        let key = WrappedKey { recipient, enc: "" };
        let opener = |place: &Loaded, certain, needs| Opener {
            location: place.visit.location.clone(),
            certain,
            needs,
        };
        for place in places() {
            if let Some(identity) = place.identities.iter().find(|identity| belongs(&key, identity)) {
                return Some(opener(place, true, identity.is_locked().then_some("a passphrase")));
            }
        }
        let plugin = plugin_of_recipient(recipient);
        for place in places() {
            let mut plugins = place.identities.iter().filter_map(Identity::plugin);
            if plugins.any(|identity| Some(identity.plugin()) == plugin) {
                return Some(opener(place, false, Some("its plugin")));
            }
        }
        let locked = |identity: &Identity| identity.is_locked() && identity.public().is_none();
        let place = places().find(|place| place.identities.iter().any(locked))?;
        Some(opener(place, false, Some("a passphrase")))
    }

    /// How plugins are found and answered.
    pub(super) fn plugins(&self) -> Plugins<'_> {
        Plugins { search_path: &self.env.search_path, prompt: self.prompt }
    }

    /// What plugins opened already.
    pub(super) fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Identities of `SOPS_AGE_KEY`, `SOPS_AGE_KEY_FILE` and the default file.
    pub(super) fn native(&self) -> impl Iterator<Item = &Identity> {
        self.native_places().iter().flat_map(|place| &place.identities)
    }

    /// SSH keys of `SOPS_AGE_SSH_PRIVATE_KEY_FILE` and the home directory.
    pub(super) fn ssh(&self) -> impl Iterator<Item = &Identity> {
        self.ssh_places().iter().flat_map(|place| &place.identities)
    }

    fn native_places(&self) -> &[Loaded] {
        self.native.get_or_init(|| {
            [self.load_key(), self.load_key_file(), self.load_default_key_file()]
                .into_iter()
                .flatten()
                .collect()
        })
    }

    fn ssh_places(&self) -> &[Loaded] {
        self.ssh.get_or_init(|| {
            let home = |name| self.env.home.as_ref().map(|home| home.join(".ssh").join(name));
            let mut places = vec![match &self.env.ssh_key_file {
                Some(path) => self.load_ssh_file(Source::SshKeyFile, path, true),
                None => absent(Source::SshKeyFile, None),
            }];
            for (source, name) in [(Source::HomeEd25519, "id_ed25519"), (Source::HomeRsa, "id_rsa")] {
                places.extend(home(name).map(|path| self.load_ssh_file(source, &path, false)));
            }
            places
        })
    }

    /// Whether any command is to be asked for identities.
    pub(super) fn has_commands(&self) -> bool {
        self.env.key_cmd.is_some() || self.env.ssh_key_cmd.is_some()
    }

    /// What the commands print for `recipient`; each runs once per recipient.
    pub(super) fn commands(&self, recipient: &str) -> Vec<Arc<Loaded>> {
        let configured = [(Source::SshKeyCmd, &self.env.ssh_key_cmd), (Source::KeyCmd, &self.env.key_cmd)];
        let mut known = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        configured
            .into_iter()
            .filter_map(|(source, command)| {
                let command = command.as_deref()?;
                let loaded = known.entry((source, recipient.to_owned()));
                Some(loaded.or_insert_with(|| Arc::new(load_command(source, command, recipient))).clone())
            })
            .collect()
    }

    /// All identities in the order of sops: SSH keys first.
    pub(super) fn everything<'a>(
        &'a self,
        commands: &'a [Arc<Loaded>],
    ) -> impl Iterator<Item = &'a Identity> {
        self.ssh().chain(self.native()).chain(commands.iter().flat_map(|place| &place.identities))
    }

    /// What sops appends to the error of the key of `recipient`.
    pub(super) fn loading_report(&self, recipient: &str) -> String {
        let commands = self.commands(recipient);
        let mut visits: Vec<Visit> = self
            .ssh_places()
            .iter()
            .chain(self.native_places())
            .chain(commands.iter().map(|place| &**place))
            .map(|place| place.visit.clone())
            .collect();
        if self.env.key_cmd.is_none() {
            visits.push(absent(Source::KeyCmd, None).visit);
        }
        visits.sort_by_key(|visit| visit.source);
        loading_report(&visits)
    }

    fn load_key(&self) -> Option<Loaded> {
        Some(match &self.env.key {
            Some(text) => native_place(Source::Key, None, text.clone()),
            None => absent(Source::Key, None),
        })
    }

    fn load_key_file(&self) -> Option<Loaded> {
        let Some(path) = &self.env.key_file else { return Some(absent(Source::KeyFile, None)) };
        Some(match self.files.read(path) {
            Ok(contents) => native_place(Source::KeyFile, None, contents.bytes),
            Err(error) => unreadable(
                Source::KeyFile,
                None,
                format!("failed to open {} file: {error}", name_of(Source::KeyFile)),
            ),
        })
    }

    fn load_default_key_file(&self) -> Option<Loaded> {
        let path = self.env.default_key_file.as_deref()?;
        Some(match self.files.read_if_there(path) {
            Ok(Some(contents)) => native_place(Source::DefaultKeyFile, Some(path), contents.bytes),
            Ok(None) => absent(Source::DefaultKeyFile, Some(path)),
            Err(error) => {
                unreadable(Source::DefaultKeyFile, Some(path), format!("failed to open file: {error}"))
            }
        })
    }

    fn load_ssh_file(&self, source: Source, path: &Path, must_exist: bool) -> Loaded {
        let failed = |error| unreadable(source, Some(path), format!("failed to open file: {error}"));
        let contents =
            if must_exist { self.files.read(path).map(Some) } else { self.files.read_if_there(path) };
        match contents {
            Ok(Some(contents)) => ssh_place(source, path, &contents.bytes),
            Ok(None) => absent(source, Some(path)),
            Err(error) => failed(error),
        }
    }
}

fn name_of(source: Source) -> &'static str {
    source.variable().unwrap_or("the default place")
}

fn visit(source: Source, path: Option<&Path>, outcome: Outcome) -> Visit {
    let location = match path {
        Some(path) => path.display().to_string(),
        None => name_of(source).to_owned(),
    };
    Visit { source, location, outcome }
}

fn absent(source: Source, path: Option<&Path>) -> Loaded {
    Loaded { identities: Vec::new(), visit: visit(source, path, Outcome::Absent) }
}

fn unreadable(source: Source, path: Option<&Path>, reason: String) -> Loaded {
    Loaded { identities: Vec::new(), visit: visit(source, path, Outcome::Unreadable(reason)) }
}

/// Reads `text` as a file of native identities, or as one that is encrypted to
/// a passphrase.
fn native_place(source: Source, path: Option<&Path>, text: SecretBytes) -> Loaded {
    let mut visit = visit(source, path, Outcome::Absent);
    let parsed = if text.starts_with(b"age-encryption") || text.starts_with(b"-----BEGIN AGE") {
        locked_file(text, &visit.location)
    } else {
        parse_identities(&text, source == Source::Key)
            .map_err(|reason| format!("failed to parse '{}' age identities: {reason}", visit.location))
    };
    finish(&mut visit, parsed)
}

fn finish(visit: &mut Visit, parsed: Result<Vec<Identity>, String>) -> Loaded {
    let (identities, outcome) = match parsed {
        Ok(identities) => {
            let outcome = Outcome::Found(identities.len());
            (identities, outcome)
        }
        Err(reason) => (Vec::new(), Outcome::Malformed(reason)),
    };
    Loaded { identities, visit: Visit { outcome, ..visit.clone() } }
}

fn locked_file(contents: SecretBytes, location: &str) -> Result<Vec<Identity>, String> {
    if contents.len() >= LONGEST_LOCKED_FILE {
        return Err(format!("failed to read '{location}': file too long"));
    }
    Ok(vec![Identity::locked_file(contents, location)])
}

/// Reads `contents` as an SSH private key.
fn ssh_place(source: Source, path: &Path, contents: &[u8]) -> Loaded {
    let mut visit = visit(source, Some(path), Outcome::Absent);
    let parsed = parse_ssh(contents, &visit.location)
        .map_err(|reason| format!("malformed SSH identity in {}: {reason}", go_quoted(&visit.location)));
    finish(&mut visit, parsed)
}

/// Runs a key command without a shell, `SOPS_AGE_RECIPIENT` in its environment,
/// and reads what it prints.
fn load_command(source: Source, command: &str, recipient: &str) -> Loaded {
    let output = match run(source, command, recipient) {
        Ok(output) => output,
        Err(reason) => return unreadable(source, None, reason),
    };
    if source == Source::KeyCmd {
        return native_place(source, None, output);
    }
    let mut visit = visit(source, None, Outcome::Absent);
    let parsed = parse_ssh(&output, &visit.location).and_then(|keys| {
        if keys.iter().any(Identity::is_locked) {
            return Err("the key is encrypted, and there is no file to ask a passphrase for".to_owned());
        }
        Ok(keys)
    });
    let parsed = parsed.map_err(|reason| format!("malformed SSH identity from {}: {reason}", visit.location));
    finish(&mut visit, parsed)
}

/// The command's output. Errors name the program only: arguments can hold secrets.
#[expect(clippy::disallowed_methods, reason = "the home of key commands")]
fn run(source: Source, command: &str, recipient: &str) -> Result<SecretBytes, String> {
    let variable = name_of(source);
    let words = shlex::split(command).ok_or_else(|| {
        format!("failed to parse command from {variable}: EOF found when expecting closing quote")
    })?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(format!("failed to parse command from {variable}: it is empty"));
    };
    let failed = |reason: String| format!("failed to execute command {program} from {variable}: {reason}");
    let output = Command::new(program)
        .args(arguments)
        .env("SOPS_AGE_RECIPIENT", recipient)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| failed(not_started(program, error.kind())))?;
    let text = SecretBytes::new(output.stdout);
    match output.status.code() {
        Some(0) => Ok(text),
        Some(code) => Err(failed(format!("exit status {code}"))),
        None => Err(failed("killed by a signal".to_owned())),
    }
}

/// Why a program did not start, as Go says it.
fn not_started(program: &str, kind: std::io::ErrorKind) -> String {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::NotFound if program.contains('/') => {
            format!("fork/exec {program}: no such file or directory")
        }
        ErrorKind::NotFound => format!("exec: {}: executable file not found in $PATH", go_quoted(program)),
        ErrorKind::PermissionDenied => format!("fork/exec {program}: permission denied"),
        other => other.to_string(),
    }
}
