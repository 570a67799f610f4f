//! Finds and reads `.sops.yaml`, and plans by it (sops-compat 9).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Deps;
use super::error::{Error, Place};
use super::ports::Contents;
use super::request::{FileOptions, KeyOptions, Notice, RuleOptions};
use crate::domain::config::{self, Config, ConfigError, CreationRule, Flags, NO_MATCH, Plan, PlanError};
use crate::domain::keys::kinds::KeyKind;
use crate::domain::select::{RuleKind, Settings};
use crate::domain::store::{Format, Layout};

/// The name of a config file.
pub const NAME: &str = ".sops.yaml";

/// The name that SOPS does not accept, but warns about.
const WRONG_NAME: &str = ".sops.yml";

/// How many folders are searched, as in SOPS.
const DEPTH: usize = 100;

/// A config file that was found and read.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// How it was found, in a few words.
    pub how: &'static str,
    /// What it says.
    pub config: Config,
}

impl Found {
    /// The path that rules are matched against.
    pub fn relative(&self, file: &Path) -> String {
        let folder = self.path.parent().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let file = file.to_string_lossy();
        Config::relative(&folder, &file).to_owned()
    }
}

/// The configs that were found in this call, and what was noticed on the way, by
/// the folder of the file and `--config`.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<Sought, Answer>>);

type Sought = (PathBuf, Option<PathBuf>);
type Answer = (Option<Arc<Found>>, Vec<Notice>);

/// The config in force for `file`: `--config`, else found from the working
/// folder upwards as SOPS does, else from the file's folder upwards. It is read
/// once a call.
pub fn find(
    deps: &Deps<'_>,
    file: &Path,
    options: &FileOptions,
    notices: &mut Vec<Notice>,
) -> Result<Option<Arc<Found>>, Error> {
    let folder = file.parent().unwrap_or(file).to_owned();
    let sought = (folder, options.config.clone());
    let mut known = deps.configs.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((found, noticed)) = known.get(&sought) {
        notices.extend_from_slice(noticed);
        return Ok(found.clone());
    }
    let mut noticed = Vec::new();
    let found = search(deps, file, options, &mut noticed)?.map(Arc::new);
    notices.extend_from_slice(&noticed);
    known.insert(sought, (found.clone(), noticed));
    Ok(found)
}

fn search(
    deps: &Deps<'_>,
    file: &Path,
    options: &FileOptions,
    notices: &mut Vec<Notice>,
) -> Result<Option<Found>, Error> {
    if let Some(path) = &options.config {
        let contents = deps.files.read(path).map_err(|error| Error::Config {
            place: Place::default(),
            cause: format!("could not read config file: {error}").into(),
            hints: Vec::new(),
        })?;
        let path = deps.files.absolute(path).map_err(Error::Read)?;
        return read(path, &contents, "--config").map(Some);
    }
    let working = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let places =
        [(Some(working.as_path()), "from the working folder"), (file.parent(), "from the file's folder")];
    for (start, how) in places {
        for folder in start.into_iter().flat_map(Path::ancestors).take(DEPTH) {
            let path = folder.join(NAME);
            if let Some(contents) = deps.files.read_if_there(&path).map_err(Error::Read)? {
                return read(path, &contents, how).map(Some);
            }
            let wrong = folder.join(WRONG_NAME);
            if notices.is_empty() && deps.files.kind(&wrong).map_err(Error::Read)?.is_some() {
                notices.push(Notice::warning(format!(
                    "ignoring \"{}\" when searching for config file; the config file must be called \"{NAME}\"",
                    wrong.display()
                )));
            }
        }
    }
    Ok(None)
}

fn read(path: PathBuf, contents: &Contents, how: &'static str) -> Result<Found, Error> {
    let config = Config::parse(&contents.bytes).map_err(|error| config_error(error, &path))?;
    Ok(Found { path, how, config })
}

/// A fault of the config with its place.
pub fn config_error(error: ConfigError, path: &Path) -> Error {
    let mut place = Place::file(path).at_line(error.line);
    if !error.key.is_empty() {
        place = place.at_key(error.key.clone());
    }
    let hints = error.advice.clone().into_iter().collect();
    Error::Config { place, cause: error.message.into(), hints }
}

/// Why there is no plan, as an error of this layer.
pub fn plan_error(error: PlanError, found: Option<&Found>) -> Error {
    let path = found.map(|found| found.path.as_path()).unwrap_or(Path::new(NAME));
    let message = error.to_string();
    match error {
        PlanError::Config(error) => config_error(error, path),
        PlanError::Clash(_) => Error::Conflict { message, hints: Vec::new() },
        PlanError::NoKeys => Error::Recipients {
            cause: message.into(),
            hints: vec![
                "`leaflock init` makes an identity and a .sops.yaml; `--age RECIPIENT` encrypts to one recipient".to_owned(),
            ],
        },
        PlanError::Key { .. } => Error::Recipients { cause: message.into(), hints: Vec::new() },
        PlanError::Pattern(_) => Error::Config {
            place: Place::file(path),
            cause: message.into(),
            hints: vec!["a rule that does not compile selects nothing: values would be stored in plain text".to_owned()],
        },
    }
}

/// What the command line asks for.
pub fn flags(keys: &KeyOptions, rules: &RuleOptions) -> Flags {
    let mut settings = Settings::default();
    settings.mac_only_encrypted = rules.mac_only_encrypted;
    let texts = [
        (RuleKind::UnencryptedSuffix, &rules.unencrypted_suffix),
        (RuleKind::EncryptedSuffix, &rules.encrypted_suffix),
        (RuleKind::UnencryptedRegex, &rules.unencrypted_regex),
        (RuleKind::EncryptedRegex, &rules.encrypted_regex),
        (RuleKind::UnencryptedCommentRegex, &rules.unencrypted_comment_regex),
        (RuleKind::EncryptedCommentRegex, &rules.encrypted_comment_regex),
    ];
    for (kind, text) in texts {
        if let Some(text) = text {
            settings.set_rule(kind, text.as_str());
        }
    }
    let lists = keys.lists().into_iter();
    Flags {
        keys: lists
            .filter_map(|(name, list)| Some((KeyKind::of_metadata_field(name)?, list?.to_owned())))
            .collect(),
        aws_profile: keys.aws_profile.clone().unwrap_or_default(),
        context: keys.encryption_context.clone(),
        context_for_rule: rules.needs_creation_rule,
        shamir_threshold: keys.shamir_threshold.unwrap_or(0),
        settings,
    }
}

/// How a new file of this name is encrypted.
pub fn plan(
    deps: &Deps<'_>,
    name: &Path,
    format: Format,
    options: &FileOptions,
    keys: &KeyOptions,
    rules: &RuleOptions,
    notices: &mut Vec<Notice>,
) -> Result<Plan, Error> {
    let found = find(deps, name, options, notices)?;
    let rule = match found.as_deref() {
        Some(found) => rule_for(found, name)?,
        None => None,
    };
    let plan = config::plan(rule, &flags(keys, rules), format == Format::Binary)
        .map_err(|error| with_notices(plan_error(error, found.as_deref()), notices))?;
    notices.extend(plan.warnings.iter().map(Notice::warning));
    Ok(plan)
}

/// Adds what was noticed on the way to an error that it may explain: a config of
/// the wrong name.
fn with_notices(mut error: Error, notices: &[Notice]) -> Error {
    if let Error::Recipients { hints, .. } = &mut error {
        hints.splice(0..0, notices.iter().map(|notice| notice.text.clone()));
    }
    error
}

/// The creation rule for a file.
pub fn rule_for<'f>(found: &'f Found, name: &Path) -> Result<Option<&'f CreationRule>, Error> {
    found.config.rule_for(&found.relative(name)).map_err(|error| config_error(error, &found.path))
}

/// True for the error of [`rule_for`] that none of the rules is for the file.
pub fn is_no_match(error: &Error) -> bool {
    matches!(error, Error::Config { cause, .. } if cause.to_string() == NO_MATCH)
}

/// The creation rule for a file, if one is for it.
pub fn rule_if_any<'f>(found: &'f Found, name: &Path) -> Result<Option<&'f CreationRule>, Error> {
    match rule_for(found, name) {
        Err(error) if is_no_match(&error) => Ok(None),
        rule => rule,
    }
}

/// How output that is laid out anew is indented: `--indent`, else `stores` of
/// the config.
pub fn layout(deps: &Deps<'_>, name: &Path, format: Format, options: &FileOptions) -> Result<Layout, Error> {
    if options.indent.is_some() {
        return Ok(Layout { indent: options.indent });
    }
    let Some(found) = find(deps, name, options, &mut Vec::new())? else { return Ok(Layout::default()) };
    let indent = match (format, found.config.stores.indent(format)) {
        (_, None) | (Format::Yaml, Some(0)) | (Format::Json | Format::Binary, Some(-1)) => None,
        (_, Some(indent)) if indent < 0 => {
            let error =
                ConfigError::new(format!("Indentation of {} stores must not be negative", format.name()));
            return Err(config_error(error, &found.path));
        }
        (_, Some(indent)) => Some(u8::try_from(indent).unwrap_or(u8::MAX)),
    };
    Ok(Layout { indent })
}
