//! The message authentication code over all values of a file (sops-compat 3):
//! SHA-512 over the canonical texts of the leaves in document order.
//!
//! Two dialects exist in the wild beside the usual one. Files from one SOPS
//! release may count an encrypted comment inside a list, and SOPS up to 3.13.1
//! hashed large JSON integers that stand in clear as doubles. A digest is
//! therefore forked where a dialect first makes a difference; verification
//! accepts either, and new files get the usual one.

use sha2::{Digest, Sha512};

use crate::domain::scalar::Scalar;
use crate::domain::secret::wipe;

/// SHA-256 of `sops`: what the hash of a file with `mac_only_encrypted` is fed
/// first, so that its MAC never equals that of a file without.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b,
    0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A digest in the making.
#[derive(Clone)]
pub struct Mac {
    usual: Sha512,
    list_comments: Option<Sha512>,
    json_doubles: Option<Sha512>,
    changed: Option<Sha512>,
    /// The next leaf is the one that `changed` counts differently.
    at_change: bool,
    only_encrypted: bool,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac(***)")
    }
}

impl Mac {
    /// An empty digest; `only_encrypted` is the file's `mac_only_encrypted`.
    pub fn new(only_encrypted: bool) -> Self {
        let mut usual = Sha512::new();
        if only_encrypted {
            usual.update(ONLY_ENCRYPTED);
        }
        Self {
            usual,
            list_comments: None,
            json_doubles: None,
            changed: None,
            at_change: false,
            only_encrypted,
            scratch: Vec::new(),
        }
    }

    /// Counts a leaf by its canonical text. `selected` tells whether the rules
    /// choose it for encryption.
    pub fn add(&mut self, value: &Scalar<'_>, selected: bool) {
        if let Scalar::Str(text) = value {
            return self.add_canonical(text, selected);
        }
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        value.write_canonical(&mut text);
        self.add_canonical(&text, selected);
        self.scratch = text;
    }

    /// Counts a leaf whose canonical text is at hand.
    pub fn add_canonical(&mut self, text: &[u8], selected: bool) {
        if self.only_encrypted && !selected {
            return;
        }
        self.usual.update(text);
        if let Some(changed) = &mut self.changed
            && !std::mem::take(&mut self.at_change)
        {
            changed.update(text);
        }
        for fork in [&mut self.list_comments, &mut self.json_doubles].into_iter().flatten() {
            fork.update(text);
        }
    }

    /// From here on also counts for the file in which the next leaf is `value`.
    pub fn change_next(&mut self, value: &Scalar<'_>, selected: bool) {
        let mut changed = self.usual.clone();
        if self.only_encrypted && !selected {
            self.changed = Some(changed);
            return;
        }
        let mut text = Vec::new();
        value.write_canonical(&mut text);
        changed.update(&text);
        wipe(&mut text);
        self.changed = Some(changed);
        self.at_change = true;
    }

    /// The digest of the changed file, after [`Mac::change_next`].
    pub fn changed_hex(&self) -> Option<String> {
        self.changed.clone().map(hex)
    }

    /// Counts an encrypted comment that stands as a list element: nothing, but
    /// its text in the dialect of SOPS 3.13.2.
    pub fn add_list_comment(&mut self, text: &[u8]) {
        self.list_comments.get_or_insert_with(|| self.usual.clone()).update(text);
    }

    /// Counts an integer that stands in clear in a JSON file: as a double in the
    /// dialect of SOPS before 3.13.2.
    pub fn add_json_integer(&mut self, value: i64, selected: bool) {
        let double = value as f64;
        if double as i64 == value && double.abs() < 9.3e18 {
            return self.add(&Scalar::Int(value), selected);
        }
        if self.only_encrypted && !selected {
            return;
        }
        let mut fork = self.json_doubles.take().unwrap_or_else(|| self.usual.clone());
        self.add(&Scalar::Int(value), selected);
        let mut text = Vec::new();
        Scalar::Float(double).write_canonical(&mut text);
        fork.update(&text);
        self.json_doubles = Some(fork);
    }

    /// The digest as SOPS stores it: 128 upper-case hex digits.
    pub fn hex(&self) -> String {
        hex(self.usual.clone())
    }

    /// True when `stored` is the digest in any dialect.
    pub fn matches(&self, stored: &[u8]) -> bool {
        [Some(&self.usual), self.list_comments.as_ref(), self.json_doubles.as_ref()]
            .into_iter()
            .flatten()
            .any(|digest| hex(digest.clone()).as_bytes() == stored)
    }
}

impl Drop for Mac {
    fn drop(&mut self) {
        wipe(&mut self.scratch);
    }
}

fn hex(digest: Sha512) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digest = digest.finalize();
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::Mac;

    #[test]
    fn the_marker_of_mac_only_encrypted_is_the_digest_of_the_name() {
        assert_eq!(sha2::Sha256::digest(b"sops").as_slice(), super::ONLY_ENCRYPTED);
    }

    #[test]
    fn a_list_comment_matches_in_both_dialects() {
        let mut with = Mac::new(false);
        with.add_canonical(b"a", true);
        let mut counted = with.clone();
        counted.add_canonical(b" note", true);
        counted.add_canonical(b"b", true);
        with.add_list_comment(b" note");
        with.add_canonical(b"b", true);
        assert!(with.matches(with.hex().as_bytes()));
        assert!(with.matches(counted.hex().as_bytes()));
        assert!(!with.matches(Mac::new(false).hex().as_bytes()));
    }

    #[test]
    fn a_large_json_integer_matches_as_double_too() {
        let mut mac = Mac::new(false);
        mac.add_json_integer(9_007_199_254_740_993, false);
        let mut double = Mac::new(false);
        double.add_canonical(b"9007199254740992", false);
        let mut integer = Mac::new(false);
        integer.add_canonical(b"9007199254740993", false);
        assert!(mac.matches(double.hex().as_bytes()) && mac.matches(integer.hex().as_bytes()));
        assert_eq!(mac.hex(), integer.hex());
    }
}
