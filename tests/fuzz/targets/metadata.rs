//! Any bytes as a file with `sops` metadata: reading the metadata never panics,
//! and what was read is written and read again as the same.
#![no_main]

use leaflock::domain::metadata::Metadata;
use leaflock::domain::store::{Format, Purpose};

const FORMATS: [Format; 4] = [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let store = FORMATS[usize::from(*first) % FORMATS.len()].store();
    let Ok(tree) = store.read(rest, Purpose::AsIs) else { return };
    let Ok(Some(block)) = store.metadata(&tree) else { return };
    let Ok(metadata) = Metadata::parse(block) else { return };
    // A lone group without keys has no written form.
    if metadata.keys().next().is_none() {
        return;
    }
    let written = metadata.to_value();
    let again = Metadata::parse(written.clone()).expect("our own metadata reads");
    assert!(again.to_value() == written, "metadata changed on the way");
});
