//! White space and quotes as the INI library that SOPS uses sees them.

use crate::domain::search;

/// The bytes of the white space character at the start of `bytes`; 0 if there
/// is none. White space is Unicode's, as in Go.
fn space_at_start(bytes: &[u8]) -> usize {
    match bytes {
        [b'\t'..=b'\r' | b' ', ..] => 1,
        [0xc2, 0x85 | 0xa0, ..] => 2,
        [0xe1, 0x9a, 0x80, ..]
        | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
        | [0xe2, 0x81, 0x9f, ..]
        | [0xe3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

fn space_at_end(bytes: &[u8]) -> usize {
    match bytes {
        [.., b'\t'..=b'\r' | b' '] => 1,
        [.., 0xc2, 0x85 | 0xa0] => 2,
        [.., 0xe1, 0x9a, 0x80]
        | [.., 0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf]
        | [.., 0xe2, 0x81, 0x9f]
        | [.., 0xe3, 0x80, 0x80] => 3,
        _ => 0,
    }
}

/// How many bytes of white space `bytes` starts with.
pub(super) fn leading(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match space_at_start(&bytes[at..]) {
            0 => return at,
            length => at += length,
        }
    }
}

/// How long `bytes` is without the white space at its end.
pub(super) fn trimmed(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    loop {
        match space_at_end(&bytes[..end]) {
            0 => return end,
            length => end -= length,
        }
    }
}

/// `bytes` without white space around it.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = &bytes[..trimmed(bytes)];
    &bytes[leading(bytes)..]
}

/// True when `quote` opens and closes `bytes` and occurs nowhere else in it.
pub(super) fn surrounded(bytes: &[u8], quote: u8) -> bool {
    bytes.len() >= 2
        && bytes[0] == quote
        && search::memchr(quote, &bytes[1..]).is_some_and(|at| at == bytes.len() - 2)
}

/// How many bytes of marker a comment starts with: all the `;` and spaces, or
/// all the `#` and spaces, as SOPS strips them.
pub(super) fn marker(comment: &[u8]) -> usize {
    let Some(&first @ (b';' | b'#')) = comment.first() else { return 0 };
    comment.iter().take_while(|&&byte| byte == first || byte == b' ').count()
}

/// True for what begins a comment.
pub(super) fn is_marker(byte: u8) -> bool {
    byte == b';' || byte == b'#'
}

/// True when the first line of `text` is a comment's token, by its looks.
pub(super) fn is_locked(text: &[u8]) -> bool {
    let line = &text[..search::memchr(b'\n', text).unwrap_or(text.len())];
    let line = &line[..trimmed(line)];
    let parts = [&b"ENC[AES256_GCM,data:"[..], b",iv:", b",tag:", b",type:comment]"];
    let mut rest = line;
    line.starts_with(parts[0])
        && parts.iter().all(|part| match memchr::memmem::find(rest, part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
        && rest.is_empty()
}
