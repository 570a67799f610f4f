//! All that this machine knows of a log: the segments of the work tree, those of git's
//! history, the chains of the clone, the checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::chains;
use crate::app::Deps;
use crate::app::error::Error;
use crate::app::repository::Version;
use crate::domain::agent::audit::chain::Piece;
use crate::domain::agent::audit::segments::{self, SegmentName};
use crate::domain::agent::audit::verify::Pieces;

/// A file, or a version of one.
#[derive(Debug)]
pub struct Held {
    /// The writer.
    pub writer: String,
    /// As it is shown: below the folder of the policy, or absolute.
    pub file: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The log, read.
#[derive(Debug, Default)]
pub struct Log {
    /// The folder of the policy, absolute.
    pub root: PathBuf,
    /// The segments of the work tree.
    pub tree: Vec<Held>,
    /// The chains of this clone.
    pub chains: Vec<Held>,
    /// Checkpoints: file and bytes.
    pub checkpoints: Vec<(String, Vec<u8>)>,
    /// What this clone wrote into this work tree: file and last entry.
    pub published: BTreeMap<String, u64>,
}

/// What git's history holds of a log.
#[derive(Debug, Default)]
pub struct History {
    /// In the commits that the present one comes from.
    pub past: Vec<Held>,
    /// In all others.
    pub elsewhere: Vec<Held>,
}

/// Reads the log of the policy at `root`.
pub fn read(deps: &Deps<'_>, root: &Path) -> Result<Log, Error> {
    let mut log = Log { root: root.to_owned(), ..Log::default() };
    let folder = root.join(segments::FOLDER);
    for (name, _) in deps.audit_log.list(&folder).map_err(Error::Read)? {
        if !segments::is_writer_id(&name) && name != segments::CHECKPOINTS {
            continue;
        }
        let inner = folder.join(&name);
        for (file, _) in deps.audit_log.list(&inner).map_err(Error::Read)? {
            let shown = format!("{}/{name}/{file}", segments::FOLDER);
            let bytes = || Ok(deps.files.read(&inner.join(&file)).map_err(Error::Read)?.bytes.to_vec());
            if segments::is_writer_id(&name) && SegmentName::parse(&file).is_some() {
                log.tree.push(Held { writer: name.clone(), file: shown, bytes: bytes()? });
            } else if name == segments::CHECKPOINTS && file.ends_with(".json") {
                log.checkpoints.push((shown, bytes()?));
            }
        }
    }
    let Some(place) = deps.repository.place(root).map_err(Error::Read)? else { return Ok(log) };
    let folder = place.common_dir.join(chains::FOLDER);
    for (name, _) in deps.audit_log.list(&folder).map_err(Error::Read)? {
        let Some(writer) = name.strip_suffix(".jsonl").filter(|id| segments::is_writer_id(id)) else {
            continue;
        };
        let path = folder.join(&name);
        let bytes = deps.files.read(&path).map_err(Error::Read)?.bytes.to_vec();
        let mut trees = chains::read_state(deps, &folder, writer).trees;
        for (file, span) in trees.remove(root.to_string_lossy().as_ref()).unwrap_or_default() {
            log.published.insert(format!("{}/{writer}/{file}", segments::FOLDER), span.last);
        }
        log.chains.push(Held { writer: writer.to_owned(), file: path.display().to_string(), bytes });
    }
    Ok(log)
}

/// Reads what git's history holds of the log of the policy at `root`; `None` where no
/// repository is, or no git.
pub fn history(deps: &Deps<'_>, root: &Path) -> Result<Option<History>, Error> {
    let versions =
        |revision| deps.repository.history_of(root, segments::FOLDER, revision).map_err(Error::Read);
    let Some((past, mut elsewhere)) = versions(Some("HEAD"))?.zip(versions(None)?) else { return Ok(None) };
    let known: BTreeSet<(&Path, &str)> = past.iter().map(|it| (&*it.path, &*it.blob)).collect();
    elsewhere.retain(|it| !known.contains(&(&*it.path, &*it.blob)));
    let (past, elsewhere) = (contents(deps, root, &past)?, contents(deps, root, &elsewhere)?);
    Ok(Some(History { past, elsewhere }))
}

fn contents(deps: &Deps<'_>, root: &Path, versions: &[Version]) -> Result<Vec<Held>, Error> {
    let mut wanted: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for version in versions {
        let Some(file) = version.path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        let parts: Vec<&str> = file.split('/').collect();
        if let [_, _, writer, name] = parts[..]
            && segments::is_writer_id(writer)
            && SegmentName::parse(name).is_some()
        {
            wanted.entry(&version.blob).or_default().push((writer.to_owned(), file.to_owned()));
        }
    }
    let blobs: Vec<String> = wanted.keys().map(|blob| (*blob).to_owned()).collect();
    let mut held = Vec::new();
    if blobs.is_empty() {
        return Ok(held);
    }
    let mut take = |blob: &str, bytes: crate::domain::secret::SecretBytes| {
        for (writer, file) in wanted.get(blob).into_iter().flatten() {
            held.push(Held { writer: writer.clone(), file: file.clone(), bytes: bytes.to_vec() });
        }
    };
    deps.repository.contents(root, &blobs, &mut take).map_err(Error::Read)?;
    Ok(held)
}

/// As the checks take them.
pub fn pieces(held: &[Held], is_chain: bool) -> Pieces<'_> {
    let mut pieces = Pieces::new();
    for one in held {
        let name = one.file.rsplit('/').next().and_then(SegmentName::parse);
        let first = if is_chain { Some(1) } else { name.map(|name| name.first) };
        let piece = Piece { file: one.file.clone(), first, bytes: &one.bytes, may_be_torn: is_chain };
        pieces.entry(one.writer.clone()).or_default().push(piece);
    }
    pieces
}
