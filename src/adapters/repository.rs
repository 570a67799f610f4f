//! What git knows of the files, asked of the `git` program: it opens every kind of
//! repository, and wherever files are in one, it is there.
#![expect(clippy::disallowed_methods, reason = "the home of git")]

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use crate::app::ports::{FileError, FileErrorKind};
use crate::app::repository::{
    BranchMerge, Change, Commit, Compared, Entry, MergeBranch, MergeFile, Objects, Place, Repository,
    Snapshot, State, Version,
};
use crate::domain::secret::SecretBytes;

use super::system_error::file_error;

/// The `git` on the PATH.
#[derive(Debug, Default)]
pub struct Git {
    hook: Option<Hook>,
}

/// The repository that the environment names: git does so when it runs hooks.
#[derive(Debug)]
struct Hook {
    /// `GIT_DIR`, absolute.
    git_dir: PathBuf,
    /// `GIT_WORK_TREE`, absolute.
    work_tree: Option<PathBuf>,
    /// The working folder of this process.
    folder: PathBuf,
    /// The work tree, where `GIT_WORK_TREE` does not say.
    found: OnceLock<Option<PathBuf>>,
}

impl Git {
    /// The git of a process in `folder` with these variables. Both may be relative
    /// to it, while git is called for other folders; and where only `GIT_DIR` is set,
    /// git would take each of those for the top of the work tree.
    pub fn new(git_dir: Option<PathBuf>, work_tree: Option<PathBuf>, folder: PathBuf) -> Self {
        let hook = git_dir.map(|git_dir| Hook {
            git_dir: folder.join(git_dir),
            work_tree: work_tree.map(|work_tree| folder.join(work_tree)),
            found: OnceLock::new(),
            folder,
        });
        Self { hook }
    }

    /// `git`, in `folder`.
    fn command(&self, folder: &Path) -> Command {
        let mut command = git(folder);
        if let Some(hook) = &self.hook {
            command.env("GIT_DIR", &hook.git_dir);
            if let Some(work_tree) = hook.work_tree.as_ref().or_else(|| hook.found().as_ref()) {
                command.env("GIT_WORK_TREE", work_tree);
            }
        }
        command
    }

    fn output(&self, folder: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>, FileError> {
        let mut command = self.command(folder);
        command.args(arguments);
        finish(command)
    }

    /// The versions of files at or below `below` in the history of `revisions`; `None`
    /// where no repository is, or no git.
    fn log(&self, folder: &Path, revisions: &str, below: &str) -> Result<Option<Vec<Version>>, FileError> {
        let mut command = self.command(folder);
        // Without --full-history, git leaves out branches of which a merge took nothing.
        command.args(["-c", "core.quotePath=false", "log", revisions, "--reverse", "--full-history"]);
        command.args(["--date-order", "--raw", "--no-abbrev", "--no-renames", "-m", "--relative"]);
        command.args(["--no-color", "--no-show-signature", "--format=commit %H %cI", "--", below]);
        let done = match command.stderr(Stdio::piped()).output() {
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match done.status.success() {
            true => Ok(Some(versions(folder, &done.stdout))),
            false if self.place(folder)?.is_none() => Ok(None),
            false if revisions == "HEAD" && self.is_unborn(folder)? => Ok(Some(Vec::new())),
            false => Err(FileError {
                action: "git log",
                path: folder.to_owned(),
                kind: FileErrorKind::Other,
                reason: reason(&done.stderr),
            }),
        }
    }

    /// True for a branch without commits: a name without an object.
    fn is_unborn(&self, folder: &Path) -> Result<bool, FileError> {
        let is_branch = self.output(folder, &["symbolic-ref", "--quiet", "HEAD"])?.is_some();
        Ok(is_branch && self.output(folder, &["rev-parse", "--verify", "--quiet", "HEAD"])?.is_none())
    }

    fn cat_file(&self, folder: &Path) -> io::Result<Child> {
        let mut command = self.command(folder);
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }

    /// The name of a revision's tree; `None` for a branch without commits.
    fn tree(&self, folder: &Path, revision: &str) -> Result<Option<String>, FileError> {
        let resolve = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
        let resolve = |wanted: &str| self.output(folder, &[&resolve[..], &[wanted]].concat());
        if let Some(name) = resolve(&format!("{revision}^{{tree}}"))? {
            return Ok(Some(String::from_utf8_lossy(&name).trim().to_owned()));
        }
        if revision == "HEAD" && self.is_unborn(folder)? {
            return Ok(None);
        }
        Err(FileError {
            action: "rev-parse",
            path: revision.into(),
            kind: FileErrorKind::NotFound,
            reason: "no such revision".to_owned(),
        })
    }
}

impl Hook {
    /// The work tree of the repository: the one that the working folder is in, if it is
    /// of this repository; else, as git has it, the working folder.
    fn found(&self) -> &Option<PathBuf> {
        self.found.get_or_init(|| {
            let asked = ["rev-parse", "--path-format=absolute", "--git-dir", "--show-toplevel"];
            let mut command = git(&self.folder);
            command.args(asked).env_remove("GIT_DIR");
            let around = finish(command).ok().flatten().unwrap_or_default();
            let mut around = lines(&around);
            let mut command = git(&self.folder);
            command.args(&asked[..3]).env("GIT_DIR", &self.git_dir);
            let named = finish(command).ok().flatten().unwrap_or_default();
            let is_same = around.next().is_some_and(|dir| lines(&named).next() == Some(dir));
            match around.next() {
                Some(top) if is_same => Some(top),
                _ => (self.folder != self.git_dir).then(|| self.folder.clone()),
            }
        })
    }
}

impl Repository for Git {
    fn place(&self, folder: &Path) -> Result<Option<Place>, FileError> {
        let dirs = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
        let dirs: Vec<&str> = dirs.into_iter().chain(["--git-path", "hooks"]).collect();
        // The last two fail in a bare repository.
        let all = [&dirs[..], &["--show-toplevel", "--show-prefix"]].concat();
        let answer = match self.output(folder, &all)? {
            Some(answer) => answer,
            None => match self.output(folder, &dirs)? {
                Some(answer) => answer,
                None => return Ok(None),
            },
        };
        let mut lines = lines(&answer);
        let (Some(git_dir), Some(common_dir), Some(hooks)) = (lines.next(), lines.next(), lines.next())
        else {
            return Ok(None);
        };
        let (top, prefix) = (lines.next(), lines.next().unwrap_or_default());
        Ok(Some(Place { top, prefix, git_dir, common_dir, hooks }))
    }

    fn present(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, FileError> {
        let asked = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        Ok(self.output(folder, &asked)?.map(|listed| paths(folder, &listed)))
    }

    fn changed(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError> {
        let asked = ["diff-index", "-z", "--name-only", "--relative", "--no-renames", "HEAD", "--", "."];
        Ok(self.output(folder, &asked)?.map(|listed| paths(folder, &listed)).unwrap_or_default())
    }

    fn tracked(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, FileError> {
        Ok(self.output(folder, &["ls-files", "-z"])?.map(|listed| paths(folder, &listed)))
    }

    fn listing(
        &self,
        folder: &Path,
        snapshot: &Snapshot,
        paths: &[PathBuf],
    ) -> Result<Option<Vec<Entry>>, FileError> {
        let Some(place) = self.place(folder)? else { return Ok(None) };
        let root = place.top.as_ref().unwrap_or(&place.git_dir);
        let mut command = self.command(root);
        command.arg("--literal-pathspecs");
        match snapshot {
            Snapshot::Index => command.args(["ls-files", "-z", "--stage", "--full-name"]),
            Snapshot::Revision(revision) => match self.tree(root, revision)? {
                Some(tree) => command.args(["ls-tree", "-r", "-z", "--full-tree", &tree]),
                None => return Ok(Some(Vec::new())),
            },
        };
        command.arg("--").args(paths.iter().map(|path| path.strip_prefix(root).unwrap_or(path)).map(named));
        Ok(finish(command)?.map(|listed| entries(root, &listed)))
    }

    fn history(&self, folder: &Path) -> Result<Option<Vec<Version>>, FileError> {
        self.log(folder, "--all", ".")
    }

    fn history_of(
        &self,
        folder: &Path,
        below: &str,
        revision: Option<&str>,
    ) -> Result<Option<Vec<Version>>, FileError> {
        self.log(folder, revision.unwrap_or("--all"), below)
    }

    fn contents(
        &self,
        folder: &Path,
        blobs: &[String],
        take: &mut dyn FnMut(&str, SecretBytes),
    ) -> Result<(), FileError> {
        let mut child = self.cat_file(folder).map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let read = thread::scope(|scope| {
            scope.spawn(move || {
                // A git that ends early is seen where its answers are read.
                let _ = stdin.map(|mut stdin| blobs.iter().try_for_each(|blob| writeln!(stdin, "{blob}")));
            });
            match stdout {
                Some(stdout) => answers(BufReader::new(stdout), take),
                None => Ok(()),
            }
        });
        let ended = child.wait();
        read.and(ended.map(drop)).map_err(failed)
    }

    fn changes(&self, folder: &Path, compared: &Compared) -> Result<Option<Vec<Change>>, FileError> {
        let Some(Place { top: Some(top), .. }) = self.place(folder)? else { return Ok(None) };
        let mut command = self.command(folder);
        command.args(["diff", "--raw", "-z", "--no-abbrev", "--find-renames", "--no-relative", "--no-color"]);
        command.args(["--no-ext-diff", "--no-textconv", "--ignore-submodules"]);
        command.args(compared.staged.then_some("--cached")).arg("--end-of-options");
        command.args(&compared.revisions).arg("--").args(&compared.paths).stderr(Stdio::piped());
        let done = command.output().map_err(failed)?;
        if !done.status.success() {
            let reason = reason(&done.stderr);
            return Err(FileError { action: "diff", path: top, kind: FileErrorKind::Other, reason });
        }
        Ok(Some(changes(&top, &done.stdout)))
    }

    fn merge_file(&self, files: &MergeFile<'_>) -> Result<Option<(SecretBytes, bool)>, FileError> {
        /// Exit codes of conflicts end here: beyond are errors.
        const MOST_CONFLICTS: i32 = 127;
        let folder = files.ours.parent().unwrap_or(Path::new("/"));
        let mut command = self.command(folder);
        command.args(["merge-file", "--stdout", "--quiet"]);
        if files.labels.size > 0 {
            command.arg(format!("--marker-size={}", files.labels.size));
        }
        for label in [&files.labels.ours, "base", &files.labels.theirs] {
            command.args(["-L", label]);
        }
        match command.arg("--").args([files.ours, files.base, files.theirs]).output() {
            Ok(done) => Ok(match done.status.code() {
                Some(code @ 0..=MOST_CONFLICTS) => Some((SecretBytes::new(done.stdout), code > 0)),
                _ => None,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error("exec", Path::new("git"), &error)),
        }
    }

    fn merge_branch(&self, folder: &Path, question: &MergeBranch<'_>) -> Result<BranchMerge, FileError> {
        let mut command = self.command(folder);
        for (name, value) in question.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let mut attributes = std::ffi::OsString::from("core.attributesFile=");
        attributes.push(question.attributes);
        command.arg("-c").arg(attributes).args(["merge", "--no-edit", "--end-of-options", question.revision]);
        let ended = command.stdout(Stdio::inherit()).stderr(Stdio::inherit()).status().map_err(failed)?;
        if ended.success() {
            return Ok(BranchMerge::Merged);
        }
        let unmerged =
            self.output(folder, &["diff", "--name-only", "--diff-filter=U", "-z"])?.unwrap_or_default();
        let files: Vec<PathBuf> =
            unmerged.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(path_of).collect();
        let undone = self.output(folder, &["merge", "--abort"])?.is_some();
        Ok(if files.is_empty() || !undone { BranchMerge::Failed } else { BranchMerge::Conflicts(files) })
    }

    fn settings(&self, folder: &Path, own: bool) -> Result<Vec<(String, String)>, FileError> {
        let scope: &[&str] = if own { &["--local"] } else { &[] };
        let asked = [&["config"], scope, &["--list", "-z"]].concat();
        let Some(listed) = self.output(folder, &asked)? else { return Ok(Vec::new()) };
        let mut settings: Vec<(String, String)> = Vec::new();
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let entry = String::from_utf8_lossy(entry);
            // A name alone is a boolean that is true.
            let (name, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            settings.push((name.to_owned(), value.to_owned()));
        }
        settings.reverse();
        Ok(settings)
    }

    fn work_trees(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError> {
        let listed = self.output(folder, &["worktree", "list", "--porcelain"])?.unwrap_or_default();
        let blocks = listed.split(|byte| *byte == b'\n');
        Ok(blocks.filter_map(|line| line.strip_prefix(b"worktree ")).map(path_of).collect())
    }

    fn refresh(&self, folder: &Path, paths: &[PathBuf]) -> Result<(), FileError> {
        let mut command = self.command(folder);
        command.args(["update-index", "-z", "--stdin"]);
        answered(command, listed(folder, paths)).map(drop)
    }

    fn set(&self, folder: &Path, name: &str, value: Option<&str>) -> Result<(), FileError> {
        let failed = |error: io::Error| file_error("exec", Path::new("git"), &error);
        let mut command = self.command(folder);
        command.args(["config", "--local"]).stderr(Stdio::piped());
        match value {
            Some(value) => command.args(["--replace-all", name, value]),
            None => command.args(["--unset-all", name]),
        };
        let done = command.output().map_err(failed)?;
        /// How git ends when there is nothing to take away.
        const NOT_SET: i32 = 5;
        if done.status.success() || (value.is_none() && done.status.code() == Some(NOT_SET)) {
            return Ok(());
        }
        let reason = reason(&done.stderr);
        Err(FileError { action: "git config", path: name.into(), kind: FileErrorKind::Other, reason })
    }

    fn attributes(
        &self,
        folder: &Path,
        names: &[&str],
        paths: &[PathBuf],
    ) -> Result<Vec<Vec<Option<String>>>, FileError> {
        let Some(place) = self.place(folder)? else { return Ok(Vec::new()) };
        let root = place.top.as_ref().unwrap_or(&place.git_dir);
        let mut command = self.command(root);
        command.args(["check-attr", "-z", "--stdin"]).args(names);
        let told = answered(command, listed(root, paths))?;
        let values: Vec<Option<String>> = told
            .split(|byte| *byte == 0)
            .skip(2)
            .step_by(3)
            .map(|value| Some(String::from_utf8_lossy(value).into_owned()).filter(|it| it != "unspecified"))
            .collect();
        Ok(values.chunks(names.len().max(1)).map(<[_]>::to_vec).collect())
    }

    fn objects(&self, folder: &Path) -> Result<Option<Box<dyn Objects>>, FileError> {
        let mut child = match self.cat_file(folder) {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { return Ok(None) };
        Ok(Some(Box::new(CatFile { child, stdin: Some(stdin), stdout: BufReader::new(stdout) })))
    }
}

/// `git cat-file --batch`, which answers as long as it is asked.
struct CatFile {
    child: Child,
    /// Taken when nothing more is asked.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Objects for CatFile {
    fn read(&mut self, name: &OsStr) -> Result<Option<SecretBytes>, FileError> {
        let Some(stdin) = &mut self.stdin else { return Ok(None) };
        let name = name.as_encoded_bytes();
        // A question ends with its line.
        if name.contains(&b'\n') {
            return Ok(None);
        }
        stdin.write_all(&[name, b"\n"].concat()).map_err(failed)?;
        match answer(&mut self.stdout).map_err(failed)? {
            Some(Answer::Blob(_, contents)) => Ok(Some(contents)),
            _ => Ok(None),
        }
    }
}

impl Drop for CatFile {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

fn failed(error: io::Error) -> FileError {
    file_error("exec", Path::new("git"), &error)
}

/// Git's own words for what went wrong.
fn reason(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let first = said.lines().next().unwrap_or("git failed");
    let prefixes = ["fatal: ", "error: "];
    prefixes.iter().find_map(|prefix| first.strip_prefix(prefix)).unwrap_or(first).to_owned()
}

/// `git`, in `folder`.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // Whoever reads must not be in the way of who writes.
    command.arg("--no-optional-locks").arg("-C").arg(folder).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// What `git` prints; `None` if it fails, or there is none.
fn finish(mut command: Command) -> Result<Option<Vec<u8>>, FileError> {
    match command.output() {
        Ok(done) => Ok(done.status.success().then_some(done.stdout)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error("exec", Path::new("git"), &error)),
    }
}

/// Paths below `root` as git reads them, each with a zero byte behind it.
fn listed(root: &Path, paths: &[PathBuf]) -> Vec<u8> {
    let name =
        |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes().to_vec();
    paths.iter().flat_map(|path| [name(path), vec![0]].concat()).collect()
}

/// Paths that end with a zero byte each, relative to `folder`, sorted, once each.
fn paths(folder: &Path, listed: &[u8]) -> Vec<PathBuf> {
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut files: Vec<PathBuf> = names.map(|name| folder.join(path_of(name))).collect();
    files.sort();
    files.dedup();
    files
}

/// What `git` prints when it reads `input`; nothing, if it fails.
fn answered(mut command: Command, input: Vec<u8>) -> Result<Vec<u8>, FileError> {
    let failed = |error: io::Error| file_error("exec", Path::new("git"), &error);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let stdin = child.stdin.take();
    let done = thread::scope(|scope| {
        // A git that ends early is seen where its answer is read.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        child.wait_with_output()
    });
    done.map(|done| done.stdout).map_err(failed)
}

fn lines(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(path_of)
}

/// Reads `MODE BLOB STAGE<TAB>PATH` of the index, `MODE blob BLOB<TAB>PATH` of a tree.
fn entries(root: &Path, listed: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in listed.split(|byte| *byte == 0) {
        let Some(tab) = line.iter().position(|byte| *byte == b'\t') else { continue };
        let fields = String::from_utf8_lossy(&line[..tab]).into_owned();
        let fields: Vec<&str> = fields.split(' ').collect();
        let (blob, stage) = match fields[..] {
            [mode, "blob", blob] if mode.starts_with("100") => (blob, 0),
            [mode, blob, stage] if mode.starts_with("100") => (blob, stage.parse().unwrap_or(0)),
            _ => continue,
        };
        entries.push(Entry { path: root.join(path_of(&line[tab + 1..])), blob: blob.to_owned(), stage });
    }
    entries
}

/// Reads `:MODE MODE OLD NEW STATUS`, a path, and of a rename the new path.
fn changes(top: &Path, listed: &[u8]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut words = listed.split(|byte| *byte == 0);
    while let (Some(head), Some(path)) = (words.next(), words.next()) {
        let head = String::from_utf8_lossy(head).into_owned();
        let fields: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, old, new, status] = fields[..] else { continue };
        let is_pair = status.starts_with(['R', 'C']);
        let new_path = if is_pair { words.next().unwrap_or(path) } else { path };
        let state = |mode: &str, blob: &str, path: &[u8]| {
            let name = path_of(path);
            let blob = blob.bytes().any(|byte| byte != b'0').then(|| blob.to_owned());
            mode.starts_with("100").then(|| State { path: top.join(&name), name, blob })
        };
        // Git names a conflict twice: as one, and with the difference to our side.
        let is_this =
            |known: &Change| known.unmerged && known.new.as_ref().is_some_and(|it| it.name == path_of(path));
        let known = changes.iter().position(is_this).map(|known| changes.remove(known));
        let unmerged = known.is_some() || status.starts_with('U');
        let change = match unmerged && known.is_none() {
            true => Change { old: None, new: state("100644", "0", path), unmerged },
            false => {
                Change { old: state(old_mode, old, path), new: state(new_mode, new, new_path), unmerged }
            }
        };
        if change.old.is_some() || change.new.is_some() {
            changes.push(change);
        }
    }
    changes
}

/// A path for git, which takes an empty one for a mistake.
fn named(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Reads git's answers until there are no more.
fn answers(mut from: impl BufRead, take: &mut dyn FnMut(&str, SecretBytes)) -> io::Result<()> {
    while let Some(answer) = answer(&mut from)? {
        if let Answer::Blob(id, contents) = answer {
            take(&id, contents);
        }
    }
    Ok(())
}

/// What git says of an object that it was asked for.
enum Answer {
    /// A blob's full name and contents.
    Blob(String, SecretBytes),
    /// There is no such blob.
    Missing,
}

/// Reads one answer: `ID TYPE SIZE`, the contents, a line break; of what is not there
/// one line that ends in a word (`missing`). `None` at the end.
fn answer(from: &mut impl BufRead) -> io::Result<Option<Answer>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line);
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [id, kind @ ("blob" | "tree" | "commit" | "tag"), size] = words[..] else {
        return Ok(Some(Answer::Missing));
    };
    // A file's name may look like half an answer.
    let Ok(size) = size.parse::<usize>() else { return Ok(Some(Answer::Missing)) };
    let mut contents = vec![0; size + 1];
    from.read_exact(&mut contents)?;
    contents.truncate(size);
    let contents = SecretBytes::new(contents);
    Ok(Some(if kind == "blob" { Answer::Blob(id.to_owned(), contents) } else { Answer::Missing }))
}

/// Reads `commit ID DATE` lines, each with its `:MODE MODE OLD NEW STATUS<TAB>PATH` lines.
fn versions(folder: &Path, log: &[u8]) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    let mut commit = Commit { id: String::new(), date: String::new() };
    for line in log.split(|byte| *byte == b'\n') {
        if let Some(header) = line.strip_prefix(b"commit ") {
            let header = String::from_utf8_lossy(header).into_owned();
            let (id, date) = header.split_once(' ').unwrap_or((&header, ""));
            commit = Commit { id: id.to_owned(), date: date.to_owned() };
        } else if let Some(change) = line.strip_prefix(b":") {
            let Some(tab) = change.iter().position(|byte| *byte == b'\t') else { continue };
            let fields = String::from_utf8_lossy(&change[..tab]).into_owned();
            let fields: Vec<&str> = fields.split(' ').collect();
            let [_, mode, _, blob, status] = fields[..] else { continue };
            // Regular files only; what was deleted has no contents.
            if !mode.starts_with("100") || status == "D" {
                continue;
            }
            let path = folder.join(path_of(&unquoted(&change[tab + 1..])));
            versions.push(Version { path, blob: blob.to_owned(), commit: commit.clone() });
        }
    }
    versions
}

/// A path as git prints it: in quotes, with C's escapes, if it has odd characters.
fn unquoted(path: &[u8]) -> Vec<u8> {
    let Some(inner) = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")) else {
        return path.to_vec();
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(digit @ b'0'..=b'3') => {
                let rest = [bytes.next(), bytes.next()].map(|digit| digit.unwrap_or(b'0').wrapping_sub(b'0'));
                out.push((digit - b'0') << 6 | rest[0] << 3 | rest[1]);
            }
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'a') => out.push(7),
            Some(b'b') => out.push(8),
            Some(b'v') => out.push(11),
            Some(b'f') => out.push(12),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

#[cfg(test)]
mod tests;
