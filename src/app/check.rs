//! Whether files are what they should be, without a key: everything that
//! `domain::check` finds in the files of the work tree, of the index or of a commit,
//! under the config of the same state, less what was reviewed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::audit::record;
use super::error::Error;
use super::integrity::{self, Subject};
use super::open::{self, Locked};
use super::request::{FileOptions, OpenOptions, Together};
use super::snapshot::{Scope, View};
use super::{config, names};
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::manifest::{self, Manifest, Verdict};
use crate::domain::agent::place;
use crate::domain::check::{
    self, Encrypted, Finding, Ignores, Kind, Look, Related, Rule, Rulebook, Shape, related_name,
};
use crate::domain::config::{Config, ConfigError};
use crate::domain::document::open::Extras;
use crate::domain::document::sink::Discard;
use crate::domain::document::{self};
use crate::domain::keys::SealedKey;
use crate::domain::keys::names::Names;
use crate::domain::settings::{self, Level};
use crate::domain::store::Format;

/// Where the findings that were reviewed are listed, below the top.
pub const IGNORES: &str = ".leaflock/check-ignore";

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which state of the files.
    pub scope: Scope,
    /// Files and folders; none are all.
    pub paths: Vec<PathBuf>,
    /// Also decrypt everything, and compare the MACs.
    pub decrypt: bool,
    /// Formats, config.
    pub file: FileOptions,
    /// Keys.
    pub open: OpenOptions,
}

/// A finding and the file that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file, absolute.
    pub path: PathBuf,
    /// What is wrong.
    pub finding: Finding,
}

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// The folder that paths are shown below.
    pub root: PathBuf,
    /// How many files were looked at.
    pub checked: usize,
    /// How many of them are encrypted.
    pub encrypted: usize,
    /// Findings, by file and line.
    pub findings: Vec<Found>,
    /// How many findings were reviewed.
    pub silenced: usize,
    /// Files that could not be looked at.
    pub failed: Vec<(PathBuf, Error)>,
}

/// A config, ready for many files.
struct Settings {
    folder: PathBuf,
    rules: Rulebook,
    names: Names,
}

impl Settings {
    fn new(folder: PathBuf, config: &Config, mut names: Names) -> Self {
        config.names(&mut names);
        Self { folder, rules: Rulebook::new(config), names }
    }

    /// The path that rules are matched against, and the rule for it.
    fn rule_for(&self, file: &Path) -> (String, Option<&Rule>) {
        let (folder, file) = (self.folder.to_string_lossy(), file.to_string_lossy());
        let path = Config::relative(&folder, &file).to_owned();
        let rule = self.rules.rule_for(&path);
        (path, rule)
    }
}

/// The configs of the folders.
#[derive(Default)]
struct Configs {
    by_folder: HashMap<PathBuf, Option<Arc<Settings>>>,
    /// The folders whose files must have seals.
    sealed: HashSet<PathBuf>,
    /// The manifests of the folders with policies that have derived files.
    manifests: HashMap<PathBuf, Option<Manifest>>,
    broken: Vec<Found>,
}

/// What was seen of one file.
struct Seen {
    findings: Vec<Finding>,
    is_encrypted: bool,
    /// For files whose name is related to another's.
    shape: Option<Shape>,
    /// The wrapped keys, for the second look with a key.
    sealed: Vec<Vec<SealedKey>>,
}

/// Looks at files.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let view = View::open(deps, &request.scope, &request.paths)?;
    let configs = configs(deps, &view, request)?;
    let related = related(&view);
    let mut paths: Vec<PathBuf> = view.chosen.iter().cloned().collect();
    paths.extend(related.keys().filter(|path| !view.chosen.contains(*path)).cloned());
    let look = |path: &Path, bytes: &[u8], former: Option<&[u8]>| {
        let seen = look_at(deps, path, (bytes, former), &configs, request, related.contains_key(path));
        // What a link leads to is looked at by its own name.
        let is_linked = !(seen.findings.is_empty() && seen.shape.is_none()) && deps.files.is_link(path);
        if is_linked && request.scope == Scope::WorkTree {
            Seen { findings: Vec::new(), shape: None, ..seen }
        } else {
            seen
        }
    };
    let mut outcome = Outcome {
        root: view.root.clone(),
        checked: 0,
        encrypted: 0,
        findings: configs.broken.clone(),
        silenced: 0,
        failed: Vec::new(),
    };
    let mut shapes: BTreeMap<PathBuf, (bool, Shape)> = BTreeMap::new();
    let mut encrypted: Vec<(PathBuf, Vec<Vec<SealedKey>>)> = Vec::new();
    for (path, seen) in view.each(&paths, &look)? {
        let is_chosen = view.chosen.contains(&path);
        match seen {
            Err(_) if !is_chosen => {}
            Err(error) => outcome.failed.push((path, error)),
            Ok(seen) => {
                if let Some(shape) = seen.shape {
                    shapes.insert(path.clone(), (seen.is_encrypted, shape));
                }
                if is_chosen {
                    outcome.checked += 1;
                    outcome.encrypted += usize::from(seen.is_encrypted);
                    let found = seen.findings.into_iter();
                    outcome.findings.extend(found.map(|finding| Found { path: path.clone(), finding }));
                    if seen.is_encrypted {
                        encrypted.push((path, seen.sealed));
                    }
                }
            }
        }
    }
    outcome.findings.extend(leftovers(&view, &related, &shapes));
    if request.decrypt {
        verify(deps, &view, request, encrypted, &mut outcome)?;
    }
    silence(&view, &mut outcome)?;
    outcome.findings.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(outcome)
}

/// By file, then by place.
fn order(found: &Found) -> (&Path, Option<usize>, Option<usize>, Kind, &str) {
    let Finding { kind, line, column, message, .. } = &found.finding;
    (&found.path, *line, *column, *kind, message)
}

/// The config of every folder that has a chosen file: the nearest one above it.
fn configs(deps: &Deps<'_>, view: &View<'_>, request: &Request) -> Result<Configs, Error> {
    let mut configs = Configs::default();
    let names = read_names(view)?;
    let given = match &request.file.config {
        Some(path) => {
            let path = deps.files.absolute(path).map_err(Error::Read)?;
            let contents = deps.files.read(&path).map_err(Error::Read)?;
            let config =
                Config::parse(&contents.bytes).map_err(|error| config::config_error(error, &path))?;
            let folder = path.parent().unwrap_or(&path).to_owned();
            Some(Arc::new(Settings::new(folder, &config, names.clone())))
        }
        None => None,
    };
    let mut by_config: HashMap<PathBuf, Option<Arc<Settings>>> = HashMap::new();
    let folders: HashSet<&Path> = view.chosen.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        if given.is_some() {
            configs.by_folder.insert(folder.to_owned(), given.clone());
            continue;
        }
        let mut found = None;
        for above in folder.ancestors() {
            let path = above.join(config::NAME);
            if let Some(known) = by_config.get(&path) {
                if known.is_some() {
                    found.clone_from(known);
                    break;
                }
                continue;
            }
            let read = view.read(&path)?;
            let parsed = read.as_deref().map(Config::parse);
            let settings = match parsed {
                None => None,
                Some(Ok(config)) => Some(Arc::new(Settings::new(above.to_owned(), &config, names.clone()))),
                Some(Err(error)) => {
                    configs.broken.extend(broken(view, &path, &error));
                    Some(Arc::new(Settings::new(above.to_owned(), &Config::default(), names.clone())))
                }
            };
            by_config.insert(path, settings.clone());
            if settings.is_some() {
                found = settings;
                break;
            }
        }
        configs.by_folder.insert(folder.to_owned(), found);
    }
    demands(view, &mut configs)?;
    manifests(view, &mut configs)?;
    Ok(configs)
}

/// Finds out which folders the settings ask for seals in.
fn demands(view: &View<'_>, configs: &mut Configs) -> Result<(), Error> {
    let mut known: HashMap<PathBuf, Option<Level>> = HashMap::new();
    let folders: HashSet<&Path> = view.chosen.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        for above in folder.ancestors().take_while(|above| above.starts_with(&view.root)) {
            let path = above.join(integrity::PLACE);
            let level = match known.get(&path) {
                Some(level) => *level,
                None => {
                    let parsed = view.read(&path)?.map(|bytes| settings::Settings::parse(&bytes));
                    let level = match parsed {
                        None => None,
                        Some(Ok(settings)) => Some(settings.seal),
                        Some(Err(error)) => {
                            let found = Finding::of_file(Kind::BrokenConfig, error.message);
                            let finding = found.at_line(error.line);
                            configs.broken.push(Found { path: path.clone(), finding });
                            Some(Level::Off)
                        }
                    };
                    known.insert(path, level);
                    level
                }
            };
            if let Some(level) = level {
                if level != Level::Off {
                    configs.sealed.insert(folder.to_owned());
                }
                break;
            }
        }
    }
    Ok(())
}

/// Reads the manifests that list derived files. Whether one counts is not for a check
/// without trust to say: it is compared with what it lists.
fn manifests(view: &View<'_>, configs: &mut Configs) -> Result<(), Error> {
    let folders: HashSet<&Path> = view.chosen.iter().filter_map(|path| derived(path)).collect();
    for folder in folders {
        let bytes = view.read(&folder.join(manifest::PLACE))?;
        let manifest = bytes.and_then(|bytes| Manifest::parse(&bytes).ok());
        configs.manifests.insert(folder.to_owned(), manifest);
    }
    Ok(())
}

/// The folder of the policy, for a file where only derived ones belong.
fn derived(path: &Path) -> Option<&Path> {
    let depth = Path::new(place::DERIVED).components().count();
    let agents = path.ancestors().skip(1).find(|above| above.ends_with(place::DERIVED))?;
    agents.ancestors().nth(depth)
}

/// What is wrong with a derived file: not its creation rule counts, but what the
/// manifest lists.
fn unlisted(path: &Path, folder: &Path, bytes: &[u8], configs: &Configs) -> Option<Finding> {
    let name: Vec<_> = path.strip_prefix(folder).ok()?.iter().map(|part| part.to_string_lossy()).collect();
    let message = match configs.manifests.get(folder).and_then(Option::as_ref) {
        None => "there is no manifest that could list this file",
        Some(manifest) => match manifest.verdict(&name.join("/"), bytes) {
            Verdict::Held => return None,
            Verdict::Changed => "this is another state of the file than the manifest lists",
            Verdict::Planted | Verdict::Unknown => "the manifest does not list this file",
        },
    };
    Some(Finding::of_file(Kind::UnlistedDerivedFile, message))
}

/// A config that cannot be read, unless it is looked at as a file anyway.
fn broken(view: &View<'_>, path: &Path, error: &ConfigError) -> Option<Found> {
    let found = Found { path: path.to_owned(), finding: check::broken_config(error) };
    (!view.chosen.contains(path)).then_some(found)
}

fn read_names(view: &View<'_>) -> Result<Names, Error> {
    let mut known = Names::default();
    if let Some(bytes) = view.read(&view.root.join(names::PLACE))? {
        known.add_lines(&String::from_utf8_lossy(&bytes));
    }
    Ok(known)
}

/// Everything that is wrong with one file.
fn look_at(
    deps: &Deps<'_>,
    path: &Path,
    (bytes, former): (&[u8], Option<&[u8]>),
    configs: &Configs,
    request: &Request,
    is_related: bool,
) -> Seen {
    let folder = path.parent().unwrap_or(path);
    let settings = configs.by_folder.get(folder).and_then(Option::as_deref);
    let format = request.file.input_format.unwrap_or_else(|| Format::of_path(&path.to_string_lossy()));
    let policy = derived(path);
    let (below, rule) = match settings {
        Some(settings) if policy.is_none() => settings.rule_for(path),
        _ => (String::new(), None),
    };
    let mut seen = Seen { findings: Vec::new(), is_encrypted: false, shape: None, sealed: Vec::new() };
    if path.file_name().is_some_and(|name| name == config::NAME) {
        seen.findings.extend(match Config::parse(bytes) {
            Ok(config) => check::config(&config),
            Err(error) => vec![check::broken_config(&error)],
        });
        seen.findings.extend(check::secrets(bytes, None, false));
        return seen;
    }
    match check::look(bytes, format) {
        Look::Encrypted(mut file) => {
            seen.is_encrypted = true;
            seen.findings = check::inspect(&mut file, rule);
            seen.findings.extend(policy.and_then(|folder| unlisted(path, folder, bytes, configs)));
            if let (Some(settings), Some(rule)) = (settings, rule) {
                seen.findings.extend(check::recipients(&file, rule, &|key| settings.names.shown(key)));
            }
            let mut must_have_seal = configs.sealed.contains(folder);
            if let Some(Look::Encrypted(former)) = former.map(|former| check::look(former, format)) {
                seen.findings.extend(check::history(&former, &file));
                must_have_seal |= former.metadata.seal.is_some();
            }
            seen.findings.extend(untrusted(deps, path, &file, request, must_have_seal));
            seen.findings.extend(check::secrets(bytes, Some(&file), true));
            seen.shape = is_related.then(|| Shape::of_encrypted(&file.tree, file.format));
            if request.decrypt {
                seen.sealed = sealed(&file);
            }
        }
        Look::Broken(finding) => {
            seen.findings.push(finding);
            seen.findings.extend(check::secrets(bytes, None, true));
        }
        Look::Plain => {
            let unencrypted = match policy {
                Some(_) => Some(Finding::of_file(Kind::NotEncrypted, "an agent's file is not encrypted")),
                None => rule.and_then(|rule| check::plain(bytes, format, &below, rule)),
            };
            let is_managed = unencrypted.is_some();
            seen.findings.extend(unencrypted);
            seen.findings.extend(check::secrets(bytes, None, is_managed));
            seen.shape = if is_related { Shape::of_plain(bytes, format) } else { None };
        }
    }
    seen
}

/// What is wrong with seal and signature, as far as that takes no key.
fn untrusted(
    deps: &Deps<'_>,
    path: &Path,
    file: &Encrypted<'_>,
    request: &Request,
    must_have_seal: bool,
) -> Vec<Finding> {
    let place = &super::error::Place::file(path);
    let subject = Subject { place, store: file.store, tree: &file.tree, metadata: &file.metadata };
    // Settings that cannot be read are a finding of their own.
    let standing = subject.standing(deps, request.open.strictness).unwrap_or_default();
    let is_missed = must_have_seal && file.metadata.seal.is_none();
    let seal = standing.seal_fault.or_else(|| is_missed.then(|| "the file has no seal".to_owned()));
    let of = |kind, fault: Option<String>| fault.map(|fault| Finding::of_file(kind, fault));
    of(Kind::MissingSeal, seal).into_iter().chain(of(Kind::BadSignature, standing.signature_fault)).collect()
}

fn sealed(file: &Encrypted<'_>) -> Vec<Vec<SealedKey>> {
    open::sealed_groups(&file.metadata)
}

/// The files that share their folder and the stem of their name with another one.
/// Only where one of them is chosen, there is something to tell.
fn related(view: &View<'_>) -> HashMap<PathBuf, Related> {
    let mut groups: HashMap<(&Path, String), Vec<(&Path, Related)>> = HashMap::new();
    for path in view.all() {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let related = related_name(&name.to_string_lossy());
        groups.entry((folder, related.stem.clone())).or_default().push((path, related));
    }
    let is_group = |group: &Vec<(&Path, Related)>| {
        group.len() > 1 && group.iter().any(|(path, _)| view.chosen.contains(*path))
    };
    let members = groups.into_values().filter(is_group).flatten();
    members.map(|(path, related)| (path.to_owned(), related)).collect()
}

/// An encrypted file that may have plain copies.
type Original<'o> = (&'o Path, &'o Related, &'o Shape);

/// The plain copies of encrypted files.
fn leftovers(
    view: &View<'_>,
    related: &HashMap<PathBuf, Related>,
    shapes: &BTreeMap<PathBuf, (bool, Shape)>,
) -> Vec<Found> {
    let mut originals: HashMap<(Option<&Path>, &str), Vec<Original<'_>>> = HashMap::new();
    for (path, (_, shape)) in shapes.iter().filter(|(_, (is_encrypted, _))| *is_encrypted) {
        if let Some(name) = related.get(path) {
            originals.entry((path.parent(), &name.stem)).or_default().push((path, name, shape));
        }
    }
    let mut found = Vec::new();
    for (plain, (is_encrypted, plain_shape)) in shapes {
        let Some(plain_name) = related.get(plain).filter(|_| !is_encrypted) else { continue };
        let originals = originals.get(&(plain.parent(), plain_name.stem.as_str()));
        let is_original = |(path, name, shape): &&Original<'_>| {
            (view.chosen.contains(*path) || view.chosen.contains(plain))
                && check::leftover((name, shape), (plain_name, plain_shape))
        };
        if let Some((original, ..)) = originals.into_iter().flatten().find(is_original) {
            let name = original.file_name().unwrap_or_default().to_string_lossy();
            let message = format!("this is a plain copy of {name}, which is encrypted");
            let finding = Finding::of_file(Kind::DecryptedLeftover, message);
            found.push(Found { path: plain.clone(), finding });
        }
    }
    found
}

/// Decrypts every encrypted file, and compares its MAC. One that nobody here can
/// open could not be looked at.
fn verify(
    deps: &Deps<'_>,
    view: &View<'_>,
    request: &Request,
    encrypted: Vec<(PathBuf, Vec<Vec<SealedKey>>)>,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let (paths, groups): (Vec<PathBuf>, Vec<_>) = encrypted.into_iter().unzip();
    let together = Together { groups: groups.into_iter().flatten().collect(), ..Together::default() };
    let options = OpenOptions { together, ..request.open.to(Action::Check) };
    let open = |path: &Path, bytes: &[u8], _: Option<&[u8]>| opened(deps, path, bytes, request, &options);
    for (path, result) in view.each(&paths, &open)? {
        match result.and_then(|result| result) {
            Ok(findings) => {
                let found = findings.into_iter();
                outcome.findings.extend(found.map(|finding| Found { path: path.clone(), finding }));
            }
            Err(error) => outcome.failed.push((path, error)),
        }
    }
    Ok(())
}

/// What decrypting a file finds.
fn opened(
    deps: &Deps<'_>,
    path: &Path,
    bytes: &[u8],
    request: &Request,
    options: &OpenOptions,
) -> Result<Vec<Finding>, Error> {
    let format = request.file.input_format.unwrap_or_else(|| Format::of_path(&path.to_string_lossy()));
    let format = match check::look(bytes, format) {
        Look::Encrypted(file) => file.format,
        Look::Plain | Look::Broken(_) => format,
    };
    let place = super::error::Place::file(path);
    let options = OpenOptions { ignore_seal: true, only_looks: true, ..options.clone() };
    let unlocked = Locked::parse(bytes, format, &place)?.unlock(deps, &options)?;
    let mut findings = Vec::new();
    if let Some(Err(error)) = unlocked.locked.subject().seal(&unlocked.data_key)? {
        findings.push(Finding::of_file(Kind::BrokenSeal, error.to_string()));
    }
    let computed = match unlocked.file().write_plain(Extras::default(), Vec::new(), &mut Discard) {
        Ok(found) => {
            findings.extend(found.notices.iter().filter_map(unreadable_comment));
            found.mac
        }
        Err(error) => {
            let found = Finding::of_file(Kind::UndecryptableValue, error.cause.to_string());
            let found = found.at_line(Some(error.line)).at_key(error.path.clone());
            record::file_failed(deps, &unlocked.tree_error(error));
            return Ok(vec![found]);
        }
    };
    match unlocked.locked.check_mac(&unlocked.cipher, &computed) {
        Err(error @ Error::Mac { .. }) => {
            record::file_failed(deps, &error);
            findings.push(Finding::of_file(Kind::MacMismatch, error.to_string()));
            Ok(findings)
        }
        checked => checked.map(|()| findings),
    }
}

fn unreadable_comment(notice: &document::Notice) -> Option<Finding> {
    match notice {
        document::Notice::UnreadableComment { line } => {
            let found = Finding::of_file(Kind::UndecryptableValue, "this comment does not decrypt");
            Some(found.at_line(Some(*line)))
        }
        _ => None,
    }
}

/// Takes out what was reviewed, and adds what is wrong with the list of that.
fn silence(view: &View<'_>, outcome: &mut Outcome) -> Result<(), Error> {
    let path = view.root.join(IGNORES);
    let Some(bytes) = view.read(&path)? else { return Ok(()) };
    let (mut ignores, bad) = Ignores::parse(&String::from_utf8_lossy(&bytes));
    let below = |path: &Path| shown_below(&view.root, path);
    let before = outcome.findings.len();
    outcome.findings.retain(|found| !ignores.silence(&below(&found.path), &found.finding));
    outcome.silenced = before - outcome.findings.len();
    let failed: HashSet<String> = outcome.failed.iter().map(|(path, _)| below(path)).collect();
    let is_checked = |file: &str| {
        let path = view.root.join(file);
        !failed.contains(file) && (view.is_whole || view.chosen.contains(&path))
    };
    let found = bad.into_iter().chain(ignores.stale(&is_checked));
    outcome.findings.extend(found.map(|finding| Found { path: path.clone(), finding }));
    Ok(())
}

/// A path below `root`, with slashes.
pub fn shown_below(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    if std::path::MAIN_SEPARATOR == '/' { below } else { below.replace(std::path::MAIN_SEPARATOR, "/") }
}
