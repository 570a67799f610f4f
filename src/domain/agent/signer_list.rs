//! How a list of allowed signers follows another one. The signature of a list alone
//! would let an older one come back; so a list that was changed names, in a comment
//! that OpenSSH passes over, the digest of the one before:
//!
//! ```text
//! # previous: sha256:9f86d0…
//! ana@example.org namespaces="leaflock-*" ssh-ed25519 AAAA…
//! ```

use crate::domain::digest;

/// Where the list lies, from the folder that the policy governs.
pub const PLACE: &str = ".leaflock/allowed_signers";

/// Its signature.
pub const SIGNATURE: &str = ".leaflock/allowed_signers.sig";

/// The namespace of its signature.
pub const NAMESPACE: &str = "leaflock-signers@v1";

/// What stands before the digest.
const COMMENT: &str = "# previous: ";

/// The digest of the list before this one; `None` if it names none, or several.
pub fn previous(list: &[u8]) -> Option<String> {
    let mut named = list
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(COMMENT.as_bytes()))
        .map(|rest| String::from_utf8_lossy(rest).trim_end().to_owned());
    let first = named.next().filter(|text| digest::is_one(text))?;
    named.next().is_none().then_some(first)
}

/// The list with `digest` as that of the one before; all other lines stay.
pub fn follow(list: &[u8], digest: &str) -> Vec<u8> {
    let mut changed = format!("{COMMENT}{digest}\n").into_bytes();
    for line in list.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(COMMENT.as_bytes()) {
            changed.extend_from_slice(line);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::{follow, previous};
    use crate::domain::digest;

    #[test]
    fn a_list_names_the_one_before_once() {
        let first = b"ana ssh-ed25519 AAAA\n";
        assert_eq!(previous(first), None);
        let second = follow(first, &digest::of(first));
        assert_eq!(previous(&second), Some(digest::of(first)));
        let third = follow(&second, &digest::of(&second));
        assert_eq!(previous(&third), Some(digest::of(&second)));
        assert!(third.ends_with(first) && third.len() == second.len());
        assert_eq!(previous(&[&third[..], &second[..]].concat()), None);
        assert_eq!(previous(b"# previous: sha256:00\n"), None);
        assert_eq!(follow(b"ana", "x"), b"# previous: x\nana");
    }
}
