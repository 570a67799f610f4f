//! What keeps the process's memory from others: no core dump, and no debugger of
//! the same user. Two system calls at the start; a system that refuses them is
//! no reason to stop.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft core limit that this process was started with.
#[cfg(unix)]
static INHERITED: OnceLock<Option<u64>> = OnceLock::new();

/// Forbids core dumps and being traced. The dumpable mark ends with `exec`; the
/// soft core limit is given back by `as_before`.
pub fn harden() {
    #[cfg(unix)]
    {
        let limit = getrlimit(Resource::Core);
        let _ = INHERITED.set(limit.current);
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: limit.maximum });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Does `start` with the core limit that this process inherited, so that a program
/// started by it has the limits that its user gave it.
pub(super) fn as_before<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        let Some(inherited) = INHERITED.get() else { return start() };
        let now = getrlimit(Resource::Core);
        let _ = setrlimit(Resource::Core, Rlimit { current: *inherited, maximum: now.maximum });
        let done = start();
        let _ = setrlimit(Resource::Core, now);
        done
    }
    #[cfg(not(unix))]
    start()
}
