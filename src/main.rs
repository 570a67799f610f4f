//! The `leaflock` binary.

fn main() -> std::process::ExitCode {
    leaflock::cli::main()
}
