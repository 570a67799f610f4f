//! The last resort for a layout: one piece of the plain file that decryption, with
//! all spellings in place, would write differently.
//!
//! A patch is used on exactly the text that it was made for and on no other, so that
//! a file which was merged, changed or rolled back since never gets bytes of another
//! state.

use crate::domain::digest;
use crate::domain::secret::SecretBytes;

/// What the path of a patch in the list of spellings begins with; key paths begin
/// with `[`, `#` or `-`.
const PREFIX: &str = "patch:";

/// A piece of a text, what stands in its place, and which text that is.
#[derive(Debug)]
pub struct Patch {
    start: usize,
    end: usize,
    piece: SecretBytes,
    /// SHA-256 of the text, in hex.
    digest: String,
}

impl Patch {
    /// The patch that makes `source` of `printed`.
    pub fn between(printed: &[u8], source: &[u8]) -> Self {
        // Cut in front of characters, so that the piece of a UTF-8 text is one too.
        let is_inside = |at: usize| source.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        let mut start = printed.iter().zip(source).take_while(|(one, other)| one == other).count();
        while start > 0 && is_inside(start) {
            start -= 1;
        }
        let tails = printed[start..].iter().rev().zip(source[start..].iter().rev());
        let mut same = tails.take_while(|(one, other)| one == other).count();
        while same > 0 && is_inside(source.len() - same) {
            same -= 1;
        }
        let piece = SecretBytes::new(source[start..source.len() - same].to_vec());
        Self { start, end: printed.len() - same, piece, digest: digest::hex_of(printed) }
    }

    /// The source, if `printed` is the text that the patch was made for.
    pub fn apply(&self, printed: &[u8]) -> Option<SecretBytes> {
        let (before, behind) = (printed.get(..self.start)?, printed.get(self.end..)?);
        if digest::hex_of(printed) != self.digest {
            return None;
        }
        let mut whole = Vec::with_capacity(before.len() + self.piece.len() + behind.len());
        whole.extend_from_slice(before);
        whole.extend_from_slice(&self.piece);
        whole.extend_from_slice(behind);
        Some(SecretBytes::new(whole))
    }

    /// What stands for a path in the list of spellings.
    pub fn path(&self) -> String {
        format!("{PREFIX}{}-{}:{}", self.start, self.end, self.digest)
    }

    /// What stands for a spelling there.
    pub fn piece(&self) -> &[u8] {
        &self.piece
    }

    /// The patch that such an entry is; `None` for all others.
    pub fn from_entry(path: &str, piece: &[u8]) -> Option<Self> {
        let (range, digest) = path.strip_prefix(PREFIX)?.split_once(':')?;
        let (start, end) = range.split_once('-')?;
        Some(Self {
            start: start.parse().ok()?,
            end: end.parse().ok()?,
            piece: SecretBytes::new(piece.to_vec()),
            digest: digest.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Patch;

    #[test]
    fn a_patch_brings_back_its_own_text_and_touches_no_other() {
        for (printed, source) in
            [("abc", "abc"), ("", "x"), ("x", ""), ("aXa", "aa"), ("a\u{e9}b", "a\u{ea}b"), ("aaa", "aaaa")]
        {
            let made = Patch::between(printed.as_bytes(), source.as_bytes());
            let read = Patch::from_entry(&made.path(), made.piece()).unwrap();
            assert_eq!(&read.apply(printed.as_bytes()).unwrap()[..], source.as_bytes());
            assert!(std::str::from_utf8(made.piece()).is_ok());
            assert!(read.apply(b"another text").is_none());
        }
        assert!(Patch::from_entry("[\"patch:1-2:0\"]", b"x").is_none());
    }
}
