//! The `leaflock` binary.

fn main() {}
