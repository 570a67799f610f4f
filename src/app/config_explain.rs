//! Which creation rule applies to a file, why, for whom it encrypts, and which
//! keys of the file it would encrypt.

use std::path::PathBuf;

use super::Deps;
use super::config::{self, Found};
use super::error::{Error, Place, While};
use super::names;
use super::open;
use super::request::{FileOptions, Notice};
use crate::domain::config::{Fate, Flags, PlanError, Recipient, Unknown, explain};
use crate::domain::keys::names::Names;
use crate::domain::store::{Format, Purpose, Store};

/// What to explain.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file; it need not exist.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
}

/// The explanation.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The config file in force.
    pub config: PathBuf,
    /// How it was found, in a few words: `--config`, `found from the working directory`.
    pub config_found: String,
    /// The path that rules are matched against.
    pub matched_path: String,
    /// Every rule up to and including the one that applies.
    pub rules: Vec<RuleVerdict>,
    /// Key groups of the rule that applies, one line a key: `age age1…`.
    pub groups: Vec<Vec<String>>,
    /// The threshold, where there is more than one group.
    pub shamir_threshold: Option<i64>,
    /// The selection rule in words: `encrypted_regex ^(password|token)$`, and where it comes from.
    pub selection: String,
    /// True when the MAC covers encrypted values only.
    pub mac_only_encrypted: bool,
    /// The leaves of the file with what would happen to them; `None` when there is no file.
    pub leaves: Option<Vec<Leaf>>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Why one rule applies or does not.
#[derive(Debug)]
pub struct RuleVerdict {
    /// Its number in the file, from 1.
    pub number: usize,
    /// Its line in the config file.
    pub line: Option<usize>,
    /// Its `path_regex`; `None` matches every path.
    pub path_regex: Option<String>,
    /// True for the rule that applies.
    pub applies: bool,
}

/// One leaf of the file.
#[derive(Debug)]
pub struct Leaf {
    /// Where it stands, as an index: `["database"]["password"]`.
    pub path: String,
    /// Its line in the file.
    pub line: Option<usize>,
    /// True when its value is encrypted.
    pub encrypted: bool,
}

/// Explains one file.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let mut notices = Vec::new();
    let path = deps.files.absolute(&request.path).map_err(Error::Read)?;
    let name = match &request.file.filename_override {
        Some(name) => deps.files.absolute(name).map_err(Error::Read)?,
        None => path.clone(),
    };
    let Some(found) = config::find(deps, &name, &request.file, &mut notices)? else {
        return Err(config::plan_error(PlanError::NoKeys, None));
    };
    let format = request.file.input_format.unwrap_or_else(|| Format::of_path(&name.to_string_lossy()));
    let contents = deps.files.read_if_there(&path).map_err(Error::Read)?;
    let store = format.store();
    let mut tree = match &contents {
        Some(contents) => Some(
            store
                .read(&contents.bytes, Purpose::Encrypt)
                .map_err(|error| open::read_error(error, &Place::file(&path), While::Encrypting))?,
        ),
        None => None,
    };
    let (names, _) = names::of(deps, &name, &request.file);
    let matched_path = found.relative(&name);
    let file = tree.as_mut().map(|tree| (store as &dyn Store, tree));
    let explained = explain(&found.config, &matched_path, &Flags::default(), file, format == Format::Binary);
    notices.extend(explained.unknown.iter().map(|unknown| unknown_key(&found, unknown)));
    let plan = explained.plan.map_err(|error| config::plan_error(error, Some(&found)))?;
    let rules = explained.verdicts.into_iter().map(|verdict| RuleVerdict {
        number: verdict.index + 1,
        line: Some(verdict.line),
        path_regex: Some(verdict.path_regex).filter(|pattern| !pattern.is_empty()),
        applies: verdict.applies,
    });
    let leaves = explained.leaves.into_iter().map(|leaf| Leaf {
        path: leaf.path,
        line: Some(leaf.line),
        encrypted: leaf.fate == Fate::Encrypted,
    });
    Ok(Outcome {
        config: found.path.clone(),
        config_found: found.how.to_owned(),
        matched_path,
        rules: rules.collect(),
        groups: plan
            .groups
            .iter()
            .map(|group| group.iter().map(|key| shown(key, &names)).collect())
            .collect(),
        shamir_threshold: plan.shamir_threshold,
        selection: plan.selection.describe(),
        mac_only_encrypted: plan.selection.mac_only_encrypted(),
        leaves: contents.is_some().then(|| leaves.collect()),
        notices,
    })
}

/// A key with whose it is.
fn shown(recipient: &Recipient, names: &Names) -> String {
    let identity = recipient.key.identity();
    let key = format!("{} {identity}", recipient.key.kind.metadata_field());
    match names.of(&identity).or(recipient.name.as_deref()) {
        Some(name) if !identity.ends_with(name) => format!("{key} ({name})"),
        _ => key,
    }
}

fn unknown_key(found: &Found, unknown: &Unknown) -> Notice {
    let text = format!("{}, line {}: {} means nothing here", found.path.display(), unknown.line, unknown.key);
    match unknown.meant {
        Some(meant) => Notice::warning(text).with_hint(format!("did you mean {meant}?")),
        None => Notice::warning(text),
    }
}
