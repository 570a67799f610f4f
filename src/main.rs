//! The `leaflock` binary.

/// musl's own allocator takes a quarter of a small call.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::process::ExitCode {
    leaflock::cli::main()
}
