//! Unlinked files, which have no name any more, still open. Whoever closes such a file last may have to
//! wait until a disk has freed its blocks; many of them are closed side by side.

#[cfg(target_os = "linux")]
pub(super) use linux::{keep, let_go};

/// Keeps the file at `path` open, as one that is about to lose its name. What cannot be
/// kept is freed when it loses its name.
#[cfg(not(target_os = "linux"))]
pub(super) fn keep(_path: &std::path::Path) {}

/// Closes all that was kept.
#[cfg(not(target_os = "linux"))]
pub(super) fn let_go() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    use rustix::fs::{Mode, OFlags, open};

    static KEPT: Kept = Kept(Mutex::new(Vec::new()));

    /// How many are kept: fewer than the open files that [`super::super::staging`] leaves to
    /// everything else.
    const MOST: usize = 64;

    /// Threads that wait for the disk and do nothing else.
    const THREADS: usize = 8;

    pub(in super::super) fn keep(path: &Path) {
        KEPT.keep(path);
    }

    pub(in super::super) fn let_go() {
        KEPT.let_go();
    }

    /// Open files that are closed together.
    #[derive(Default)]
    pub(super) struct Kept(Mutex<Vec<OwnedFd>>);

    impl Kept {
        pub(super) fn keep(&self, path: &Path) {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(file) = open(path, flags, Mode::empty()) else { return };
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(file);
            if kept.len() >= MOST {
                let all = std::mem::take(&mut *kept);
                drop(kept);
                close(all);
            }
        }

        pub(super) fn let_go(&self) {
            close(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }

    /// What a thread does not get is closed here.
    fn close(mut files: Vec<OwnedFd>) {
        let part = files.len().div_ceil(THREADS);
        thread::scope(|scope| {
            while files.len() > part {
                let share = files.split_off(files.len() - part);
                let _ = thread::Builder::new().spawn_scoped(scope, || drop(share));
            }
            drop(files);
        });
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    #[test]
    fn what_was_kept_is_open_until_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let all = fs::read_dir("/proc/self/fd")
                .unwrap()
                .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
            all.filter(|path| path.starts_with(folder.path())).count()
        };
        let kept = super::linux::Kept::default();
        for number in 0..200 {
            let path = folder.path().join(number.to_string());
            fs::write(&path, "old").unwrap();
            kept.keep(&path);
            fs::remove_file(&path).unwrap();
            assert!(open() < 64, "{number}");
        }
        kept.let_go();
        assert_eq!(open(), 0);
        kept.keep(&folder.path().join("missing"));
    }
}
