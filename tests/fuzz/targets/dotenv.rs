//! Any bytes as a plain dotenv file: reading never panics, neither as SOPS reads it
//! nor as a shell does, and what can be read comes back byte for byte.
#![no_main]

#[path = "../../testkit/lossless.rs"]
mod lossless;

use leaflock::domain::environment;
use leaflock::domain::store::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = environment::dotenv::read(data, &|_| None);
    if let Err(problem) = lossless::round_trip(Format::Dotenv, data) {
        panic!("{problem}");
    }
});
