//! What keeps the process's memory from others: no core dump, and no debugger of
//! the same user. Two system calls at the start; a system that refuses them is
//! no reason to stop.

/// Forbids core dumps and being traced. Children get back what they need: the
/// dumpable mark ends with `exec`, and only the soft core limit is lowered.
pub fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Core);
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: limit.maximum });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
