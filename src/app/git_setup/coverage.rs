//! Which files git is to treat as encrypted ones, as lines of `.gitattributes`:
//! globs for the creation rules that globs can say, and else the files one by
//! one. A rule for everything is not for every file that git tracks: of those
//! the encrypted ones are named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::app::Deps;
use crate::app::config::{self, NAME};
use crate::app::error::{Error, Place as ErrorPlace};
use crate::app::git_filter::{NEVER, has_ciphertext, is_encrypted};
use crate::app::parallel;
use crate::app::repository::{Entry, Place, Snapshot};
use crate::app::request::{FileOptions, Notice};
use crate::domain::config::Config;
use crate::domain::go_regex::{Globs, GoRegex, globs};
use crate::domain::secret::SecretBytes;

/// What the attributes are to say.
#[derive(Debug)]
pub struct Coverage {
    /// Patterns in the syntax of `.gitattributes`, in order.
    pub patterns: Vec<String>,
    /// Patterns of our own files that one of those would match.
    pub exceptions: Vec<String>,
    /// The tracked files that the patterns are for.
    pub files: Vec<PathBuf>,
    /// Which rules the patterns do not say.
    pub notices: Vec<Notice>,
}

/// The rules of one config file.
struct Rules {
    /// The folder that it is for.
    folder: PathBuf,
    /// It was named on the command line, and is for all files.
    everywhere: bool,
    /// Rules that globs say.
    said: Vec<GoRegex>,
    /// Rules whose files are named.
    unsaid: Vec<GoRegex>,
}

/// A tracked file.
struct Tracked {
    path: PathBuf,
    blob: String,
    unmerged: bool,
}

/// Looks at rules and files. With the `filter`, a file may be encrypted in git alone.
pub fn of(deps: &Deps<'_>, place: &Place, options: &FileOptions, filter: bool) -> Result<Coverage, Error> {
    let root = place.top.as_deref().unwrap_or(&place.git_dir);
    let snapshot = match place.top {
        Some(_) => Snapshot::Index,
        None => Snapshot::Revision("HEAD".to_owned()),
    };
    let entries = deps.repository.listing(root, &snapshot, &[]).map_err(Error::Read)?.unwrap_or_default();
    let tracked = tracked(entries);
    let mut coverage =
        Coverage { patterns: Vec::new(), exceptions: Vec::new(), files: Vec::new(), notices: Vec::new() };
    let mut rules = Vec::new();
    for (path, config) in configs(deps, place, &tracked, options, &mut coverage.notices)? {
        rules.push(read_rules(root, &path, &config, options.config.is_some(), &mut coverage)?);
    }
    let said =
        |name: &str| rules.iter().flat_map(|rules| &rules.said).any(|rule| rule.is_match(name.as_bytes()));
    for name in NEVER.into_iter().filter(|name| said(name)) {
        coverage.exceptions.push(if name.contains('/') { format!("**/{name}") } else { name.to_owned() });
    }
    let named = named(deps, place, &tracked, &rules, filter, &mut coverage.files);
    coverage.patterns.extend(named.iter().map(|path| exactly(path.strip_prefix(root).unwrap_or(path))));
    Ok(coverage)
}

fn tracked(entries: Vec<Entry>) -> Vec<Tracked> {
    let mut files: BTreeMap<PathBuf, Tracked> = BTreeMap::new();
    for Entry { path, blob, stage } in entries {
        let file = Tracked { path: path.clone(), blob, unmerged: stage > 0 };
        files.entry(path).or_insert(file);
    }
    files.into_values().collect()
}

/// The config files: `--config`, else all that the repository has, else the one above it.
fn configs(
    deps: &Deps<'_>,
    place: &Place,
    tracked: &[Tracked],
    options: &FileOptions,
    notices: &mut Vec<Notice>,
) -> Result<Vec<(PathBuf, Config)>, Error> {
    let root = place.top.as_deref().unwrap_or(&place.git_dir);
    let above = root.join(NAME);
    let mut found = Vec::new();
    if options.config.is_none() {
        let mut paths: Vec<(&Path, Option<&str>)> = tracked
            .iter()
            .filter(|file| file.path.ends_with(NAME))
            .map(|file| (file.path.as_path(), Some(file.blob.as_str())))
            .collect();
        if place.top.is_some() && !paths.iter().any(|(path, _)| *path == above) {
            paths.insert(0, (&above, None));
        }
        for (path, blob) in paths {
            let bytes = match (&place.top, blob) {
                (None, Some(blob)) => blob_of(deps, root, blob)?,
                _ => deps.files.read_if_there(path).map_err(Error::Read)?.map(|contents| contents.bytes),
            };
            let Some(bytes) = bytes else { continue };
            match Config::parse(&bytes) {
                Ok(config) => found.push((path.to_owned(), config)),
                Err(error) if path == above => return Err(config::config_error(error, path)),
                Err(error) => {
                    notices.push(Notice::warning(format!("{} is passed over: {error}", path.display())));
                }
            }
        }
    }
    if found.is_empty() && place.top.is_some() {
        let search = config::find(deps, &root.join("x"), options, notices)?;
        found.extend(search.map(|it| (it.path.clone(), it.config.clone())));
    }
    Ok(found)
}

fn blob_of(deps: &Deps<'_>, root: &Path, blob: &str) -> Result<Option<SecretBytes>, Error> {
    let mut found = None;
    deps.repository
        .contents(root, &[blob.to_owned()], &mut |_, bytes| found = Some(bytes))
        .map_err(Error::Read)?;
    Ok(found)
}

/// Adds the globs of a config's rules to the coverage.
fn read_rules(
    root: &Path,
    path: &Path,
    config: &Config,
    everywhere: bool,
    coverage: &mut Coverage,
) -> Result<Rules, Error> {
    let folder = path.parent().unwrap_or(root).to_owned();
    let mut rules = Rules { folder, everywhere, said: Vec::new(), unsaid: Vec::new() };
    let below =
        rules.folder.strip_prefix(root).ok().filter(|below| !everywhere || below.as_os_str().is_empty());
    let below = below.map(|folder| escaped(folder.as_os_str().as_encoded_bytes()));
    let shown = path.strip_prefix(root).unwrap_or(path).display();
    let mut everything = false;
    for rule in config.rules.iter().flatten() {
        let failed = |error: crate::domain::go_regex::PatternError| Error::Config {
            place: ErrorPlace::file(path).at_key(format!("{}.path_regex", rule.path())),
            cause: format!("can not compile regexp: {error}").into(),
            hints: Vec::new(),
        };
        let regex = GoRegex::new(&rule.path_regex).map_err(failed)?;
        let said = match globs(&rule.path_regex).map_err(failed)? {
            Globs::Everything => {
                everything = true;
                continue;
            }
            Globs::Some(globs) => {
                globs.iter().map(|glob| in_folder(below.as_deref(), glob)).collect::<Option<Vec<_>>>()
            }
            Globs::None => None,
        };
        match said {
            Some(patterns) => {
                for pattern in patterns.into_iter().map(|pattern| quoted(&pattern)) {
                    if !coverage.patterns.contains(&pattern) {
                        coverage.patterns.push(pattern);
                    }
                }
                rules.said.push(regex);
            }
            None => {
                coverage.notices.push(Notice::note(format!(
                    "{shown}, line {}: no glob says `{}`, so the files that it matches are named one by one",
                    rule.line, rule.path_regex
                )));
                rules.unsaid.push(regex);
            }
        }
    }
    if everything {
        coverage.notices.push(Notice::note(format!(
            "{shown} has a rule for all paths: of those, the files that are encrypted now are named one by one"
        )));
    }
    Ok(rules)
}

/// A glob of a config in the folder `below` the root, for the root's attributes;
/// `None` for one above the root, where only names at any depth mean the same.
fn in_folder(below: Option<&str>, glob: &str) -> Option<String> {
    let name = glob.strip_prefix("**/").filter(|name| !name.contains('/'));
    match (below, name) {
        (Some("") | None, Some(name)) => Some(name.to_owned()),
        (None, None) => None,
        (Some(""), None) if glob.starts_with("**/") => Some(glob.to_owned()),
        (Some(""), None) => Some(format!("/{glob}")),
        (Some(folder), _) => Some(format!("/{folder}/{glob}")),
    }
}

/// The files that must be named; all that are covered go to `files`.
fn named(
    deps: &Deps<'_>,
    place: &Place,
    tracked: &[Tracked],
    rules: &[Rules],
    filter: bool,
    files: &mut Vec<PathBuf>,
) -> Vec<PathBuf> {
    let is_ours = |file: &&Tracked| NEVER.iter().any(|never| file.path.ends_with(never));
    let matched = |file: &Tracked, which: fn(&Rules) -> &[GoRegex]| {
        rules.iter().any(|rules| {
            let (folder, path) = (rules.folder.to_string_lossy(), file.path.to_string_lossy());
            let relative = Config::relative(&folder, &path);
            let is_for = rules.everywhere || file.path.starts_with(&rules.folder);
            is_for && which(rules).iter().any(|rule| rule.is_match(relative.as_bytes()))
        })
    };
    let (said, rest): (Vec<&Tracked>, Vec<&Tracked>) =
        tracked.iter().filter(|file| !is_ours(file)).partition(|file| matched(file, |rules| &rules.said));
    let root = place.top.as_deref().unwrap_or(&place.git_dir);
    let on_disk = parallel::map(&rest, place.top.is_none(), |file| {
        matched(file, |rules| &rules.unsaid) || (place.top.is_some() && is_encrypted_on_disk(deps, file))
    });
    let (named, rest): (Vec<_>, Vec<_>) = rest.into_iter().zip(on_disk).partition(|(_, judged)| *judged);
    let mut named: Vec<PathBuf> = named.into_iter().map(|(file, _)| file.path.clone()).collect();
    if place.top.is_none() || filter {
        let rest: Vec<&Tracked> = rest.into_iter().map(|(file, _)| file).collect();
        named.extend(encrypted_in_git(deps, root, &rest));
        named.sort();
    }
    files.extend(said.into_iter().map(|file| file.path.clone()).chain(named.iter().cloned()));
    files.sort();
    named
}

fn is_encrypted_on_disk(deps: &Deps<'_>, file: &Tracked) -> bool {
    let Ok(contents) = deps.files.read(&file.path) else { return false };
    contents.fingerprint.is_some()
        && (is_encrypted(&contents.bytes, &file.path)
            // An unmerged file has two heads and does not read.
            || file.unmerged && has_ciphertext(&contents.bytes))
}

/// Those of `files` that git holds encrypted.
fn encrypted_in_git(deps: &Deps<'_>, root: &Path, files: &[&Tracked]) -> Vec<PathBuf> {
    let mut by_blob: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for file in files {
        by_blob.entry(&file.blob).or_default().push(&file.path);
    }
    let blobs: Vec<String> = by_blob.keys().map(|blob| (*blob).to_owned()).collect();
    let mut found = Vec::new();
    let mut take = |blob: &str, bytes: SecretBytes| {
        let paths = by_blob.get(blob).into_iter().flatten();
        found.extend(paths.filter(|path| is_encrypted(&bytes, path)).map(|path| path.to_path_buf()));
    };
    // What cannot be read is not known to be encrypted.
    let _ = deps.repository.contents(root, &blobs, &mut take);
    found
}

/// The pattern of one file.
fn exactly(path: &Path) -> String {
    quoted(&format!("/{}", escaped(path.as_os_str().as_encoded_bytes())))
}

/// A path as a glob that matches nothing else; bytes that are no text are `?` in it.
fn escaped(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
        out.extend(chunk.invalid().iter().map(|_| '?'));
    }
    out
}

/// A pattern as `.gitattributes` reads it: in quotes, as C has them, where a blank
/// would end it.
fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
    if text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if control.is_ascii_control() => out.push_str(&format!("\\{:03o}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
