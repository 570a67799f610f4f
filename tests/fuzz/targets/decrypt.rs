//! Encrypted files of every format, damaged or made up: opening never panics.
//! The first byte picks the format, the next six damage our own encryption of
//! the rest; the rest is also opened as it is.
#![no_main]

#[path = "../../testkit/lossless.rs"]
mod lossless;

use leaflock::domain::document::spelling::Spellings;
use leaflock::domain::store::Format;

const FORMATS: [Format; 5] = [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini, Format::Binary];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_at_checked(7) else { return };
    let format = FORMATS[usize::from(head[0]) % FORMATS.len()];
    let _ = lossless::unlock(format, rest, Spellings::default(), None);
    let Some(mut locked) = lossless::lock(format, rest) else { return };
    for damage in head[1..].chunks(3) {
        let at = usize::from(u16::from_le_bytes([damage[0], damage[1]])) % locked.bytes.len().max(1);
        if let Some(byte) = locked.bytes.get_mut(at) {
            *byte = damage[2];
        }
    }
    let _ = lossless::unlock(format, &locked.bytes, Spellings::default(), None);
});
