//! Writing files whole. The protocol for a file that exists:
//!
//! 1. make a temporary file in the same folder, readable by its owner only; on
//!    Linux without a name, so that nothing is left if the program is killed;
//! 2. write it; 3. give it the old file's owner, mode, ACL and other attributes;
//! 4. sync it, where asked; 5. look whether the old file is still the one that
//!    was read; 6. rename it over the old file; 7. sync the folder, where asked.
//!
//! The last proof of the new bytes is made beside 1 to 4 if there are many, else before
//! them. Until 6 the old file is untouched, after 6 the new one is complete: there is
//! no moment, and no failure, that shows less than one of them. A symbolic link
//! stays and its target is replaced. Of a file with several hard links, the
//! other names keep the old contents: keeping the link would mean writing in
//! place, which a crash can cut in half. For the same reason a folder without
//! write permission is an error, where SOPS truncates the file in it.
#![expect(clippy::disallowed_methods, reason = "the home of writing files")]

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::app::parallel::{self, LARGE};
use crate::app::ports::{Durability, FileError, FileErrorKind, Fingerprint, Proof};

use super::paths::{fingerprint, is_descriptor};
use super::signals::Listed;
use super::system_error::file_error;

/// How the names of temporary files begin.
pub(super) const TEMPORARY_PREFIX: &str = ".leaflock-";

/// Bytes per write call: between two of them a test can stop the program.
const CHUNK: usize = 1024 * 1024;

/// Links followed before a path counts as a loop, as on Linux.
const MAX_LINKS: usize = 40;

/// A step of the protocol, told to an observer before it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making a temporary file without a name; where that fails, one with a name.
    CreateUnnamed,
    /// Making a temporary file with a name.
    Create,
    /// Writing the next mebibyte.
    Write,
    /// Copying owner, mode and attributes.
    Attributes,
    /// Syncing the file.
    Sync,
    /// Comparing the old file with what was read.
    Compare,
    /// Giving an unnamed temporary file its name.
    Name,
    /// The rename.
    Rename,
    /// Syncing the folder.
    SyncFolder,
    /// Nothing left to do.
    Done,
}

/// Sees every step before it happens; an error takes the place of the step.
/// Tests use it to kill the program or to break the disk at that point.
pub type Observer<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

/// Replaces an existing file. See [`crate::app::ports::Files::replace_proven`].
pub fn replace(
    path: &Path,
    bytes: &[u8],
    seen: Option<Fingerprint>,
    durability: Durability,
    proof: Proof<'_>,
) -> Result<(), FileError> {
    replace_with(path, bytes, seen, durability, proof, &mut |_| Ok(()))
}

/// [`replace`] under an observer.
pub fn replace_with(
    path: &Path,
    bytes: &[u8],
    seen: Option<Fingerprint>,
    durability: Durability,
    proof: Proof<'_>,
    observer: Observer<'_>,
) -> Result<(), FileError> {
    let (target, old) = existing(path, seen)?;
    let mut waiting = None;
    let mut bring = || {
        let filled = Waiting::fill(path, target.clone(), Some(&old), bytes, seen, observer);
        waiting = Some(filled.and_then(|filled| filled.synced(durability, observer)));
    };
    let proven = parallel::both(bytes.len() >= LARGE, proof, &mut bring);
    match waiting.transpose()? {
        Some(waiting) if proven => waiting.finish(durability, observer),
        _ => Ok(()),
    }
}

/// The first half of [`replace`]. See [`crate::app::ports::Staging::stage`].
pub(super) fn stage(path: &Path, bytes: &[u8], seen: Option<Fingerprint>) -> Result<Waiting, FileError> {
    let (target, old) = existing(path, seen)?;
    Waiting::fill(path, target, Some(&old), bytes, seen, &mut |_| Ok(()))
}

/// The regular file behind all links of `path`, which must be there.
fn existing(path: &Path, seen: Option<Fingerprint>) -> Result<(PathBuf, Metadata), FileError> {
    let found = |path: &Path| fs::symlink_metadata(path);
    let (target, old) = match found(path) {
        Ok(link) if link.is_symlink() => {
            let target = target_of(path)?;
            let old = found(&target);
            (target, old)
        }
        old => (path.to_owned(), old),
    };
    let old = match old {
        Ok(old) => old,
        Err(error) if seen.is_some() && error.kind() == io::ErrorKind::NotFound => {
            return Err(changed(path, "was removed"));
        }
        Err(error) => return Err(file_error("open", path, &error)),
    };
    if old.is_dir() {
        return Err(file_error("open", path, &io::ErrorKind::IsADirectory.into()));
    }
    if !old.is_file() {
        return Err(file_error("open", path, &io::Error::other("not a regular file")));
    }
    Ok((target, old))
}

/// Writes an output file. See [`crate::app::ports::Files::write`].
pub fn write(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FileError> {
    if let Some(mut output) = standard_output(path) {
        return output
            .as_mut()
            .map_err(|error| file_error("open", path, error))?
            .write_all(bytes)
            .map_err(|error| file_error("write", path, &error));
    }
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(file_error("open", path, &error)),
    };
    if old.as_ref().is_some_and(Metadata::is_dir) {
        return Err(file_error("open", path, &io::ErrorKind::IsADirectory.into()));
    }
    if is_descriptor(path) || old.as_ref().is_some_and(|old| !old.is_file()) {
        let mut output =
            OpenOptions::new().append(true).open(path).map_err(|error| file_error("open", path, &error))?;
        return output.write_all(bytes).map_err(|error| file_error("write", path, &error));
    }
    let target = target_of(path)?;
    let observer: Observer<'_> = &mut |_| Ok(());
    let waiting = Waiting::fill(path, target, old.as_ref(), bytes, None, observer)?;
    waiting.synced(durability, observer)?.finish(durability, observer)
}

/// Makes a new file and its folders. See [`crate::app::ports::Files::create`].
pub fn create(path: &Path, bytes: &[u8], program: bool) -> Result<(), FileError> {
    let folder = folder_of(path);
    fs::DirBuilder::new()
        .recursive(true)
        .create(folder)
        .map_err(|error| file_error("mkdir", folder, &error))?;
    let mut temporary = Temporary::create_named(folder, if program { 0o777 } else { 0o666 })
        .map_err(|error| file_error("open", path, &error))?;
    temporary.file().write_all(bytes).map_err(|error| file_error("write", path, &error))?;
    temporary.file().sync_all().map_err(|error| file_error("sync", path, &error))?;
    let named = temporary.name(folder).map_err(|error| file_error("link", path, &error))?;
    named.persist_noclobber(path).map_err(|failed| file_error("open", path, &failed.error))
}

/// Makes a private file. See [`crate::app::ports::Files::create_private`].
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = folder_of(path);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(|error| file_error("mkdir", folder, &error))?;
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempfile_in(folder)
        .map_err(|error| file_error("open", path, &error))?;
    file.write_all(bytes).map_err(|error| file_error("write", path, &error))?;
    file.as_file().sync_all().map_err(|error| file_error("sync", path, &error))?;
    file.persist_noclobber(path).map_err(|failed| file_error("open", path, &failed.error))?;
    Ok(())
}

/// The new state of a file, complete and in no place yet. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Waiting {
    /// As the caller named it; errors say this.
    path: PathBuf,
    /// Behind all links.
    target: PathBuf,
    seen: Option<Fingerprint>,
    temporary: Temporary,
}

impl Waiting {
    /// Steps 1 to 3. `old` is what stands at `target`.
    fn fill(
        path: &Path,
        target: PathBuf,
        old: Option<&Metadata>,
        bytes: &[u8],
        seen: Option<Fingerprint>,
        observer: Observer<'_>,
    ) -> Result<Self, FileError> {
        compare(path, old, seen)?;
        let failed = |action, error: io::Error| file_error(action, path, &error);
        let folder = folder_of(&target);
        let mut temporary = Temporary::create(folder, old.is_some(), observer)
            .map_err(|error| no_temporary(path, folder, &error))?;
        for chunk in bytes.chunks(CHUNK) {
            observer(Step::Write)
                .and_then(|()| temporary.file().write_all(chunk))
                .map_err(|error| failed("write", error))?;
        }
        if let Some(old) = old {
            observer(Step::Attributes)
                .and_then(|()| copy_attributes(&target, old, temporary.file()))
                .map_err(|error| failed("chmod", error))?;
        }
        Ok(Self { path: path.to_owned(), target, seen, temporary })
    }

    /// Step 4.
    fn synced(mut self, durability: Durability, observer: Observer<'_>) -> Result<Self, FileError> {
        if durability == Durability::Power {
            observer(Step::Sync)
                .and_then(|()| self.temporary.file().sync_all())
                .map_err(|error| file_error("sync", &self.path, &error))?;
        }
        Ok(self)
    }

    /// Steps 5 to 7.
    fn finish(self, durability: Durability, observer: Observer<'_>) -> Result<(), FileError> {
        let path = self.path.clone();
        let folder = self.folder().to_owned();
        let failed = |action, error: io::Error| file_error(action, &path, &error);
        self.put_with(observer)?;
        if durability == Durability::Power {
            observer(Step::SyncFolder)
                .and_then(|()| sync_folder(&folder))
                .map_err(|error| failed("sync", error))?;
        }
        observer(Step::Done).map_err(|error| failed("close", error))
    }

    /// Steps 5 and 6.
    pub(super) fn put(self) -> Result<(), FileError> {
        self.put_with(&mut |_| Ok(()))
    }

    fn put_with(self, observer: Observer<'_>) -> Result<(), FileError> {
        let Self { path, target, seen, temporary } = self;
        let failed = |action, error: io::Error| file_error(action, &path, &error);
        if seen.is_some() {
            observer(Step::Compare).map_err(|error| failed("stat", error))?;
            compare(&path, fs::symlink_metadata(&target).ok().as_ref(), seen)?;
        }
        observer(Step::Name).map_err(|error| failed("link", error))?;
        let named = temporary.name(folder_of(&target)).map_err(|error| failed("link", error))?;
        observer(Step::Rename)
            .and_then(|()| named.persist(&target).map_err(|refused| refused.error))
            .map_err(|error| failed("rename", error))
    }

    /// The folder that it will be in.
    pub(super) fn folder(&self) -> &Path {
        folder_of(&self.target)
    }

    /// The file that it will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The file as the caller named it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the new state alone, where the system cannot sync all of them at once.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        self.temporary.file().sync_all().map_err(|error| file_error("sync", &self.path, &error))
    }
}

/// Refuses a file that is not the one that was read.
pub(super) fn compare(
    path: &Path,
    now: Option<&Metadata>,
    seen: Option<Fingerprint>,
) -> Result<(), FileError> {
    match (now, seen) {
        (_, None) => Ok(()),
        (Some(now), Some(seen)) if now.is_file() && fingerprint(now) == seen => Ok(()),
        (Some(_), Some(_)) => Err(changed(path, "changed")),
        (None, Some(_)) => Err(changed(path, "was removed")),
    }
}

fn no_temporary(path: &Path, folder: &Path, error: &io::Error) -> FileError {
    let mut failed = file_error("open", path, error);
    if failed.kind == FileErrorKind::Denied {
        failed.reason.push_str(" (a file is replaced whole, which needs a new one in ");
        failed.reason.push_str(&folder.display().to_string());
        failed.reason.push(')');
    }
    failed
}

pub(super) fn changed(path: &Path, how: &str) -> FileError {
    FileError {
        action: "replace",
        path: path.to_owned(),
        kind: FileErrorKind::Changed,
        reason: format!("the file {how} since it was read"),
    }
}

/// The new contents before they have their place.
#[derive(Debug)]
enum Temporary {
    /// Linux: no name yet, so it vanishes with the process.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// Removed when dropped, and by a signal.
    Named { file: NamedTempFile, _listed: Listed },
}

impl Temporary {
    /// A file that is to replace one is private until it has that one's mode; a
    /// new file has the mode that the umask leaves of 0666.
    fn create(folder: &Path, replaces: bool, observer: Observer<'_>) -> io::Result<Self> {
        let mode = if replaces { 0o600 } else { 0o666 };
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, Mode, OFlags, openat};
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            let unnamed = observer(Step::CreateUnnamed)
                .and_then(|()| Ok(openat(CWD, folder, flags, Mode::from_raw_mode(mode))?));
            if let Ok(file) = unnamed {
                return Ok(Self::Unnamed(file.into()));
            }
        }
        observer(Step::Create)?;
        Self::create_named(folder, mode)
    }

    fn create_named(folder: &Path, mode: u32) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY_PREFIX);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        #[cfg(not(unix))]
        let _ = mode;
        let file = builder.tempfile_in(folder)?;
        let _listed = Listed::new(file.path().to_owned());
        Ok(Self::Named { file, _listed })
    }

    fn file(&mut self) -> &mut File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => file,
            Self::Named { file, .. } => file.as_file_mut(),
        }
    }

    /// Gives the file a name of its own in `folder`. Where the system refuses to
    /// name it (no `/proc`), it is copied to a named file.
    fn name(self, folder: &Path) -> io::Result<TempPath> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => link(&file, folder).or_else(|_| copy_to_named(file, folder)),
            Self::Named { file, .. } => Ok(file.into_temp_path()),
        }
    }
}

#[cfg(target_os = "linux")]
fn link(file: &File, folder: &Path) -> io::Result<TempPath> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    let named = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).make_in(folder, |name| {
        linkat(CWD, descriptor.as_str(), CWD, name, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
    })?;
    Ok(named.into_temp_path())
}

#[cfg(target_os = "linux")]
fn copy_to_named(mut unnamed: File, folder: &Path) -> io::Result<TempPath> {
    use std::io::Seek;
    let mut named = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder)?;
    unnamed.rewind()?;
    io::copy(&mut unnamed, named.as_file_mut())?;
    let found = unnamed.metadata()?;
    copy_owner(&found, named.as_file());
    named.as_file().set_permissions(found.permissions())?;
    named.as_file().sync_all()?;
    Ok(named.into_temp_path())
}

/// Gives `new` what `old` has besides its bytes. Only the mode must succeed; a
/// group or an ACL that cannot be kept takes the group's rights with it.
pub(super) fn copy_attributes(target: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let group_kept = copy_owner(old, new);
        let mode = if group_kept { old.mode() & 0o7777 } else { for_another_group(old.mode()) };
        new.set_permissions(fs::Permissions::from_mode(mode))?;
        if !copy_extended(target, new) {
            new.set_permissions(fs::Permissions::from_mode(for_another_group(mode)))?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    {
        let _ = target;
        new.set_permissions(old.permissions())
    }
}

/// The mode for a file whose group changes: the new group gets the rights that its
/// members had before, those of others.
#[cfg(unix)]
fn for_another_group(mode: u32) -> u32 {
    mode & 0o1707 | (mode & 0o007) << 3
}

/// Copies user and group as far as permitted; whether the group is the old one.
#[cfg(unix)]
fn copy_owner(old: &Metadata, new: &File) -> bool {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(made) = new.metadata() else { return false };
    let user = (made.uid() != old.uid()).then(|| old.uid());
    let group = (made.gid() != old.gid()).then(|| old.gid());
    if user.is_none() && group.is_none() {
        return true;
    }
    if fchown(new, user, group).is_ok() {
        return true;
    }
    group.is_none() || fchown(new, None, group).is_ok()
}

/// Copies extended attributes; `false` if an ACL could not be.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn copy_extended(target: &Path, new: &File) -> bool {
    use rustix::fs::{XattrFlags, fsetxattr, getxattr, listxattr};
    let mut names = vec![0; 4096];
    let Ok(length) = listxattr(target, names.as_mut_slice()) else { return true };
    let mut value = vec![0; if length == 0 { 0 } else { 64 * 1024 }];
    let mut complete = true;
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let copied = getxattr(target, name, value.as_mut_slice())
            .and_then(|size| fsetxattr(new, name, &value[..size], XattrFlags::empty()));
        complete &= copied.is_ok() || name != b"system.posix_acl_access";
    }
    complete
}

/// No extended attributes are known for this system.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "macos"))))]
fn copy_extended(_target: &Path, _new: &File) -> bool {
    true
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return File::open(folder)?.sync_all();
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(())
    }
}

/// The place that a path stands for, behind symbolic links, whether or not
/// something is there.
pub(super) fn target_of(path: &Path) -> Result<PathBuf, FileError> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => return Ok(target),
        }
    }
    Err(file_error("open", path, &io::Error::other("too many levels of symbolic links")))
}

/// The folder of a path, `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Standard output or error under one of their path names: opening those anew
/// fails for sockets and would overwrite what a redirected file already holds.
fn standard_output(path: &Path) -> Option<io::Result<File>> {
    let is = |names: [&str; 3]| names.iter().any(|name| path == Path::new(name));
    let output = is(["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]);
    if !output && !is(["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"]) {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let (out, err) = (io::stdout(), io::stderr());
        let descriptor = if output { out.as_fd() } else { err.as_fd() };
        Some(descriptor.try_clone_to_owned().map(File::from))
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        let (out, err) = (io::stdout(), io::stderr());
        let handle = if output { out.as_handle() } else { err.as_handle() };
        Some(handle.try_clone_to_owned().map(File::from))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::for_another_group;

    #[test]
    fn another_group_gets_the_rights_of_others() {
        for (mode, expected) in
            [(0o644, 0o644), (0o640, 0o600), (0o660, 0o600), (0o664, 0o644), (0o600, 0o600)]
        {
            assert_eq!(for_another_group(mode), expected);
        }
        assert_eq!(for_another_group(0o106_755), 0o755);
    }
}
