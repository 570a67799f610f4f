//! Reading, replacing and creating files: bytes, modes, links and the words of errors.
#![cfg(unix)]

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn reads_every_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    for size in [0, 1, 4095, 4096, 300_000] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| n as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let read = SystemFiles::default().read(&path).unwrap();
        assert_eq!(*read.bytes, *bytes);
        assert_eq!(read.fingerprint.unwrap().size, u64::from(size));
    }
}

#[test]
fn reads_what_has_no_size() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let bytes = vec![b'x'; 3 * STREAM_START + 5];
    let expected = bytes.clone();
    let writer = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::write(fifo, bytes).unwrap())
    };
    let read = SystemFiles::default().read(&fifo).unwrap();
    writer.join().unwrap();
    assert_eq!(*read.bytes, *expected);
    assert_eq!(read.fingerprint, None);
    // Files of /proc say that they are empty.
    assert!(!SystemFiles::default().read(Path::new("/proc/self/status")).unwrap().bytes.is_empty());
}

/// A reader that is interrupted, gives little, and then fails or ends.
struct Fitful(Vec<io::Result<Vec<u8>>>);

impl Read for Fitful {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.pop() {
            None => Ok(0),
            Some(Err(error)) => Err(error),
            Some(Ok(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
    }
}

#[test]
fn reading_goes_on_after_an_interruption() {
    let interrupted = || Err(io::ErrorKind::Interrupted.into());
    let mut input = Fitful(vec![Ok(b"c".to_vec()), interrupted(), Ok(b"ab".to_vec()), interrupted()]);
    assert_eq!(*read_all(&mut input, 1).unwrap(), *b"abc");
    let mut broken = Fitful(vec![Err(io::ErrorKind::ConnectionReset.into()), Ok(b"a".to_vec())]);
    assert!(read_all(&mut broken, 1).is_err());
}

#[test]
fn errors_carry_the_path_in_the_words_of_go() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let looped = folder.path().join("looped");
    symlink("looped", &looped).unwrap();
    let files = SystemFiles::default();
    for (name, kind, text) in [
        ("nothing", FileErrorKind::NotFound, "open {}/nothing: no such file or directory"),
        ("", FileErrorKind::Directory, "read {}/: is a directory"),
        ("socket", FileErrorKind::Other, "open {}/socket: no such device or address"),
        ("looped", FileErrorKind::Other, "open {}/looped: too many levels of symbolic links"),
    ] {
        let error = files.read(&folder.path().join(name)).unwrap_err();
        assert_eq!(error.to_string(), text.replace("{}", root));
        assert_eq!(error.kind, kind);
    }
    assert!(files.read_if_there(&folder.path().join("nothing")).unwrap().is_none());
    assert!(files.read_if_there(&looped).is_err());
    assert_eq!(files.kind(&folder.path().join("nothing")).unwrap(), None);
    assert_eq!(files.kind(folder.path()).unwrap(), Some(FileKind::Directory));
    assert_eq!(files.kind(&socket).unwrap(), Some(FileKind::Other));
}

#[test]
fn paths_are_cleaned_as_by_go() {
    for (path, expected) in [
        ("", "."),
        (".", "."),
        ("a//b/./c/..", "a/b"),
        ("./a", "a"),
        ("../a", "../a"),
        ("a/../../b", "../b"),
        ("../../a/..", "../.."),
        ("/..", "/"),
        ("/../a", "/a"),
        ("/a/b/../../..", "/"),
        ("a/", "a"),
    ] {
        assert_eq!(clean(Path::new(path)), Path::new(expected), "{path}");
    }
}

#[test]
fn absolute_paths_follow_the_logical_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = std::env::current_dir().unwrap();
    let link = folder.path().join("link");
    symlink(&here, &link).unwrap();
    let absolute =
        |logical: Option<PathBuf>, path: &str| SystemFiles::new(logical).absolute(Path::new(path)).unwrap();
    assert_eq!(absolute(None, "x/../y"), here.join("y"));
    assert_eq!(absolute(Some(link.clone()), "y"), link.join("y"));
    assert_eq!(absolute(Some(folder.path().to_owned()), "y"), here.join("y"));
    assert_eq!(absolute(Some(PathBuf::from(".")), "y"), here.join("y"));
    assert_eq!(absolute(None, "/a/./b"), Path::new("/a/b"));
}

#[test]
fn replacing_keeps_mode_link_and_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("f"), folder.path().join("link"));
    fs::create_dir(folder.path().join("sub")).unwrap();
    let chain = folder.path().join("sub/chain");
    symlink("f", &link).unwrap();
    symlink("../link", &chain).unwrap();
    let files = SystemFiles::default();
    for (through, mode_bits) in [(&file, 0o600), (&link, 0o644), (&chain, 0o640), (&file, 0o444)] {
        fs::remove_file(&file).ok();
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode_bits)).unwrap();
        let set = rustix::fs::setxattr(&file, "user.note", b"kept", rustix::fs::XattrFlags::empty());
        for durability in [Durability::Process, Durability::Power] {
            let seen = files.read(through).unwrap().fingerprint;
            files.replace(through, b"new", seen, durability).unwrap();
        }
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(mode(&file), mode_bits);
        let mut note = [0; 10];
        if set.is_ok() {
            assert_eq!(rustix::fs::getxattr(&file, "user.note", &mut note[..]), Ok(4));
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&chain).unwrap().is_symlink());
    }
    assert_eq!(names(folder.path()), ["f", "link", "sub"]);
}

#[test]
fn other_names_of_a_file_keep_the_old_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    fs::write(&one, "old").unwrap();
    fs::hard_link(&one, &other).unwrap();
    SystemFiles::default().replace(&one, b"new", None, Durability::Process).unwrap();
    assert_eq!((fs::read(one).unwrap(), fs::read(other).unwrap()), (b"new".to_vec(), b"old".to_vec()));
}

#[test]
fn a_file_changed_underneath_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let files = SystemFiles::default();
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("longer", |path| fs::write(path, "longer").unwrap()),
        ("same size", |path| {
            let time = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
            fs::write(path, "OLD").unwrap();
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }),
        ("replaced", |path| {
            let other = path.with_file_name("other");
            fs::write(&other, "OLD").unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("made a link", |path| {
            fs::rename(path, path.with_file_name("moved")).unwrap();
            symlink("elsewhere", path).unwrap();
            fs::write(path, "OLD").unwrap();
        }),
    ];
    for (what, change) in changes {
        fs::remove_file(&path).ok();
        fs::write(&path, "old").unwrap();
        let seen = files.read(&path).unwrap().fingerprint;
        change(&path);
        let there = fs::read(&path).unwrap();
        let error = files.replace(&path, b"new", seen, Durability::Process).unwrap_err();
        assert_eq!(error.kind, FileErrorKind::Changed, "{what}");
        assert_eq!(fs::read(&path).unwrap(), there, "{what}");
    }
    fs::remove_file(&path).unwrap();
    let seen = Some(Fingerprint { device: 1, inode: 1, modified: 1, size: 1 });
    let error = files.replace(&path, b"new", seen, Durability::Process).unwrap_err();
    assert_eq!(error.kind, FileErrorKind::Changed);
    let error = files.replace(&path, b"new", None, Durability::Process).unwrap_err();
    assert_eq!(error.kind, FileErrorKind::NotFound);
    assert!(!path.exists());
}

#[test]
fn output_files_follow_the_umask_and_links() {
    let folder = tempfile::tempdir().unwrap();
    let files = SystemFiles::default();
    let (made_by_std, ours) = (folder.path().join("std"), folder.path().join("ours"));
    fs::write(&made_by_std, "").unwrap();
    files.write(&ours, b"1", Durability::Process).unwrap();
    assert_eq!(mode(&ours), mode(&made_by_std));
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o640)).unwrap();
    files.write(&ours, b"2", Durability::Power).unwrap();
    assert_eq!((fs::read(&ours).unwrap(), mode(&ours)), (b"2".to_vec(), 0o640));
    let dangling = folder.path().join("dangling");
    symlink("target", &dangling).unwrap();
    files.write(&dangling, b"3", Durability::Process).unwrap();
    assert_eq!(fs::read(folder.path().join("target")).unwrap(), b"3");
    files.write(Path::new("/dev/null"), b"4", Durability::Process).unwrap();
    let full = files.write(Path::new("/dev/full"), b"5", Durability::Process).unwrap_err();
    assert_eq!(full.to_string(), "write /dev/full: no space left on device");
    assert_eq!(full.kind, FileErrorKind::Full);
    let directory = files.write(folder.path(), b"6", Durability::Process).unwrap_err();
    assert_eq!(directory.kind, FileErrorKind::Directory);
    assert_eq!(names(folder.path()), ["dangling", "ours", "std", "target"]);
}

#[test]
fn output_to_a_fifo_is_written_straight() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::read(fifo).unwrap())
    };
    SystemFiles::default().write(&fifo, b"through", Durability::Power).unwrap();
    assert_eq!(reader.join().unwrap(), b"through");
    assert_eq!(names(folder.path()), ["fifo"]);
}

#[test]
fn private_files_never_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/keys.txt");
    let files = SystemFiles::default();
    files.create_private(&path, b"secret").unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let error = files.create_private(&path, b"other").unwrap_err();
    assert_eq!(error.kind, FileErrorKind::Exists);
    assert_eq!(error.to_string(), format!("open {}: file exists", path.display()));
    assert_eq!(fs::read(&path).unwrap(), b"secret");
    assert_eq!(names(path.parent().unwrap()), ["keys.txt"]);
}

#[test]
fn new_files_come_with_their_folders_and_never_overwrite() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a/b/program");
    let files = SystemFiles::default();
    files.create(&path, b"x", true).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o700);
    assert_eq!(files.create(&path, b"y", false).unwrap_err().kind, FileErrorKind::Exists);
    assert_eq!(fs::read(&path).unwrap(), b"x");
    let link = home.path().join("link");
    symlink("a/b", &link).unwrap();
    let real = home.path().canonicalize().unwrap().join("a/b/none/there");
    assert_eq!(files.real(&link.join("none/there")).unwrap(), real);
    files.remove(&path).unwrap();
    assert_eq!(files.remove(&path).unwrap_err().kind, FileErrorKind::NotFound);
    assert_eq!(fs::read_dir(home.path().join("a/b")).unwrap().count(), 0);
}
