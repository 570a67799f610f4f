//! Any bytes as what belongs to a policy: reading it, its patterns and the list of signers
//! never panics.
#![no_main]

use leaflock::domain::agent::allowed_signers::AllowedSigners;
use leaflock::domain::agent::pattern::{FilePattern, NamePattern, PathPattern};
use leaflock::domain::agent::policy::Policy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Policy::parse(data);
    let _ = AllowedSigners::parse(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(pattern) = FilePattern::parse(text) {
        pattern.matches("secrets/prod.yaml");
    }
    let _ = NamePattern::parse(text);
    let _ = PathPattern::parse(text);
});
