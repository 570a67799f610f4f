//! What a signature of a file is made over, and how it is kept in the metadata:
//! an SSHSIG (OpenSSH's `PROTOCOL.sshsig`), which any `ssh-keygen -Y verify`
//! checks, without a key of the file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Sealable, encoding};
use crate::domain::digest;
use crate::domain::metadata::SIGNATURE;

/// The namespace of signatures: one made for anything else never passes for one
/// of a file.
pub const NAMESPACE: &str = "leaflock-file@v1";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";

/// Characters of a line of armour, as OpenSSH writes it.
const WIDTH: usize = 70;

impl Sealable<'_, '_> {
    /// What is signed: one line with the SHA-256 of the encoding, the seal included.
    pub fn message(&self) -> String {
        let mut sha256 = Sha256::new();
        encoding::write(self, &[SIGNATURE], &mut |bytes| sha256.update(bytes));
        format!("{NAMESPACE} {}{}\n", digest::PREFIX, digest::to_hex(&sha256.finalize()))
    }
}

/// The value of [`SIGNATURE`] for an armoured signature; `None` if it is none.
pub fn to_field(armoured: &str) -> Option<String> {
    let body = armoured.trim_start().strip_prefix(BEGIN.trim_end())?;
    let (body, _) = body.split_once(END.trim_end())?;
    let text: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(&text).ok().map(|_| text)
}

/// The armoured signature of a value of [`SIGNATURE`]; `None` if it holds none.
pub fn to_armour(field: &str) -> Option<String> {
    STANDARD.decode(field).ok().filter(|blob| blob.starts_with(b"SSHSIG"))?;
    let mut armoured = String::from(BEGIN);
    for line in field.as_bytes().chunks(WIDTH) {
        armoured.push_str(&String::from_utf8_lossy(line));
        armoured.push('\n');
    }
    armoured.push_str(END);
    Some(armoured)
}
