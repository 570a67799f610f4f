//! Any bytes as a plain file of a format, and one change in it: what comes out
//! reads as the same data with that change. The first byte picks the format, the
//! next four the change.
#![no_main]

#[path = "../../testkit/changes.rs"]
mod changes;

use leaflock::domain::store::Format;

const FORMATS: [Format; 4] = [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<5>() else { return };
    let [first, change @ ..] = *head;
    let format = FORMATS[usize::from(first) % FORMATS.len()];
    if let Err(problem) = changes::check(format, rest, &changes::Change::new(change)) {
        panic!("{problem}");
    }
});
