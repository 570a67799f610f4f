//! Vectors made by OpenSSH 9.2 with throwaway keys, and what must not pass.

use super::*;

/// Throwaway keys; the passphrase of the second is `pass phrase`.
const PLAIN: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCoRY1hRsIJzGC5xjT9yVA9aZ5gyDP5r6LUFtoj7fYsAQAAAIjxvKNt8byj
bQAAAAtzc2gtZWQyNTUxOQAAACCoRY1hRsIJzGC5xjT9yVA9aZ5gyDP5r6LUFtoj7fYsAQ
AAAEB6zBypmomucfccsKZc4UkveyJZgGTCuQ3nLtDv+8Jty6hFjWFGwgnMYLnGNP3JUD1p
nmDIM/mvotQW2iPt9iwBAAAAAWMBAgME
-----END OPENSSH PRIVATE KEY-----
";
const ENCRYPTED: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCyCVnWgu
GiPjIvBEw5T2CNAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIMV2QHDGNcV+DBwJ
VUZp6N1tEBsWMi4TnBHB0ldDSSwLAAAAkB5FuNYS14a8x0/ZqIl8jLOrz/9Am31J2wcglh
QUJIwjBMRpU0ABmCvyKv7AiTRQjdbqyZaY/sQlGWJhnEhbgcqrvxmpInaqgAl2WXtgM9R3
eGFZxzt6TpBFHKzWNs23DZFMMkc7xACX4EHOeSxNkZYdBO3JFFTsdM85NNQhLs/tD0dQfN
vI0K+X53z3AncWdQ==
-----END OPENSSH PRIVATE KEY-----
";
const RSA: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABlwAAAAdzc2gtcn
NhAAAAAwEAAQAAAYEAuhRvRT2EcJ9P538YVJuGAXP5h1iSjC8np7yxnXskprdVJmu6u8i5
dPRJpgndXRR9FNb5qlYcWvF5BFkoJO7l0R4vei0f63Wct6ao93PY33FqUZR3nhRB/t/DM2
9sl7u8j5ZoHjXkXEb626XWxkVFryN+B4c8SsXVNyI2qQXCbjsV4hctjwcNm4akNOdWlhGy
sTFXlLbGc+auD+hlMyoal33621z0SLWzvy75GjcnQSd51Ui2+dBj+BmsG7HOHKIQKPOe8e
5IVaW2xylAfhHNFrYiO25PTrRJQ6KG2pAus6mK4D1qstQ3iO7GPLbrfoUc2lptcpBv/m4v
b2gbx2IasvqM3lPvGvXQPpK/OlIfkLz/gupFHXU9PQ/IY7ENOWhyrEHMZ20bUeG6v6NLzz
j/rjU7TvXP9YbFaGVcWmai3o18uB1a72X1wSrP2RHFiaGXsIfLyUbVYe/DOrm2BrLaQ9jq
ziDIW/3fYSME19TfjYFExv0pYkvfZ5BWgQmCXvhtAAAFeKvKw3OrysNzAAAAB3NzaC1yc2
EAAAGBALoUb0U9hHCfT+d/GFSbhgFz+YdYkowvJ6e8sZ17JKa3VSZrurvIuXT0SaYJ3V0U
fRTW+apWHFrxeQRZKCTu5dEeL3otH+t1nLemqPdz2N9xalGUd54UQf7fwzNvbJe7vI+WaB
415FxG+tul1sZFRa8jfgeHPErF1TciNqkFwm47FeIXLY8HDZuGpDTnVpYRsrExV5S2xnPm
rg/oZTMqGpd9+ttc9Ei1s78u+Ro3J0EnedVItvnQY/gZrBuxzhyiECjznvHuSFWltscpQH
4RzRa2IjtuT060SUOihtqQLrOpiuA9arLUN4juxjy2636FHNpabXKQb/5uL29oG8diGrL6
jN5T7xr10D6SvzpSH5C8/4LqRR11PT0PyGOxDTlocqxBzGdtG1Hhur+jS884/641O071z/
WGxWhlXFpmot6NfLgdWu9l9cEqz9kRxYmhl7CHy8lG1WHvwzq5tgay2kPY6s4gyFv932Ej
BNfU342BRMb9KWJL32eQVoEJgl74bQAAAAMBAAEAAAGAIcFQOAbDTizQMWXgU4TM59mSc+
dw2iY5stdrfu5WRTnvo+MaAjOU1O71pz2V3us3D3851hj91s+EDPJhcmW14dvwb+Dcr/lr
XvNIJm9o8Yug5kCg/Fefay1LOzrkv5eqSn/VzlknXkfv/MVWMyxgyjcNhy8UlFnT5kb6FG
o7jYSBYTykIpR8dvCTPBeVIO7/893IDe2kDWVUwQT+yqvCHCYZyg5QMBpqC23peUR1BgAz
vSmOK74OTHTXwEReZ9pL9Wi3/MPiUWuL0+oJVvTvq31sF6IoiG0/8JS2eSYzwBEuTlG1w4
mfaXwFtY+o17UNzQNqitj0cFWgfaNg27lRRhO6BbneMOqe8Ay3Iggo3bNF4KL0maec36I+
VM+xV/sX+cVg2tICmTrM3NHSxfItpMkQsTkNilvI3bsuR9veuPK2sz55rwmBY7/mZuQetJ
HfGbu0NtxjukWE3QKy7muNWLMjgySoJEXWGCvRDuBCnc9WqOTf02DYQJbZ04cKpyu/AAAA
wH2Icis+DBSXFWlSHap6cs+H3GmLKTl0FVc9T9S3uSB79hdDJeFu3ggcfSVIH29egJVZHO
WCe7qMOUuDJ/9ycPq71uSdH236RkBuiD+1uZCqyzSlx0GHhRbHxVwtsPGwAEwTLQWOQHst
CzA65WlKFzWVQlFleOE3PJgOkQmIkYsPtiFnRmjI0IMeVLA4bml7LUW6IvbSoHISFbru7u
SbQ2R7QAo+PJ0pJvuguaeXcXblv2IN90SYY+HWG8BX9fKRUAAAAMEA9gbg+VSn/97I2QE+
mOhl7X5xXEO+DfW9TUcJlsxI7Ig+qc5JPHTbJd3Uvo8aXmKf9To2BzVxw4r1ECvUudBlDL
bsBDcwN7Z0fbbHXQdY9ErB3SU2K8YmG0fdOUFlVJLv72zPBCGFVGyKxyJn03VnZxRvE4vu
fg7QCM9uLw1PB+/F7iM7mnRAo43NaAwY6JGX23JgYxaLBNJhll4DSCkh1pKmNv38cP9RSX
OzVE3Z0j+pB99nDEFDStlOq99oxrTLAAAAwQDBn3X8OHG4LUs/BycYItqlc91AO8efeXhs
pd1UB6pW/w0x8azdSHuTaP1CTmVlj4hsulR2Vmk77jl+g/vgrdJNTII7hWOZ9mrHrpqpmE
bbPBUlJ35HvNa94ojgFKx/kFBieFxxXsjhDq+0UFzuS8JrZYsvJ+LK+puOopo981fvAQig
rBN6NuVbFcFA6oICq/vV7XyoJKvaUMSb5OvQ6AUwJDVRLlUTmJjhbu22iIIjprgcn9Z24x
JXweKgJCnkGKcAAAABYwEC
-----END OPENSSH PRIVATE KEY-----
";

const NAMESPACE: &str = "leaflock-policy@v1";

fn key(text: &str, passphrase: &str) -> SigningKey {
    KeptKey::parse(text.as_bytes()).unwrap().unlock(&SecretBytes::new(passphrase.into())).unwrap()
}

#[test]
fn what_is_signed_verifies_in_both_forms_and_tells_its_key() {
    for (text, passphrase) in [(PLAIN, ""), (ENCRYPTED, "pass phrase"), (RSA, "")] {
        let key = key(text, passphrase);
        let armour = key.sign(b"message", NAMESPACE).unwrap();
        assert_eq!(&verify(&armour, b"message", NAMESPACE).unwrap(), key.public());
        let line = to_line(&armour).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(to_armour(&line), armour);
        assert_eq!(&verify(&line, b"message", NAMESPACE).unwrap(), key.public());
        assert_eq!(verify(&line, b"messagE", NAMESPACE), Err(SignatureError::Mismatch));
        assert_eq!(verify(&line, b"message", "git"), Err(SignatureError::Namespace));
        assert_eq!(verify(&line, b"message", "leaflock-policy@v1*"), Err(SignatureError::Namespace));
    }
}

#[test]
fn an_encrypted_key_shows_its_public_half_and_takes_its_passphrase_alone() {
    let kept = KeptKey::parse(ENCRYPTED.as_bytes()).unwrap();
    assert!(kept.is_encrypted());
    let unlock = |passphrase: &str| kept.unlock(&SecretBytes::new(passphrase.into()));
    assert_eq!(unlock("pass phrasE").map(drop), Err(PrivateKeyError::Passphrase));
    assert_eq!(unlock("").map(drop), Err(PrivateKeyError::Passphrase));
    assert_eq!(unlock("pass phrase").unwrap().public(), kept.public());
    assert_eq!(format!("{kept:?}"), format!("KeptKey({})", kept.public().fingerprint()));
}

#[test]
fn a_changed_byte_anywhere_never_passes() {
    for text in [PLAIN, RSA] {
        let key = key(text, "");
        let blob = STANDARD.decode(to_line(&key.sign(b"message", NAMESPACE).unwrap()).unwrap()).unwrap();
        for at in 0..blob.len() {
            for bit in [0x01, 0x80] {
                let mut changed = blob.clone();
                changed[at] ^= bit;
                let verdict = verify(&STANDARD.encode(&changed), b"message", NAMESPACE);
                assert!(verdict.is_err(), "byte {at}");
            }
        }
        for end in 0..blob.len() {
            assert!(verify(&STANDARD.encode(&blob[..end]), b"message", NAMESPACE).is_err(), "cut at {end}");
        }
        let longer = [&blob[..], b"\0"].concat();
        assert!(verify(&STANDARD.encode(longer), b"message", NAMESPACE).is_err());
    }
}

#[test]
fn other_versions_hashes_and_reserved_bytes_are_refused() {
    let key = key(PLAIN, "");
    let line = to_line(&key.sign(b"message", NAMESPACE).unwrap()).unwrap();
    let blob = STANDARD.decode(line).unwrap();
    for version in [0_u8, 2] {
        let mut changed = blob.clone();
        changed[9] = version;
        assert_eq!(
            verify(&STANDARD.encode(changed), b"message", NAMESPACE),
            Err(SignatureError::NoSignature)
        );
    }
    // The reserved field is empty, behind the namespace; with a byte in it, OpenSSH
    // would still verify.
    let at = blob.windows(NAMESPACE.len()).position(|part| part == NAMESPACE.as_bytes()).unwrap();
    let reserved = at + NAMESPACE.len();
    let with = [&blob[..reserved], &[0, 0, 0, 1, 7], &blob[reserved + 4..]].concat();
    assert_eq!(verify(&STANDARD.encode(with), b"message", NAMESPACE), Err(SignatureError::NoSignature));
    for hash in [&b"sha1\0\0"[..], b"sha384", b"SHA512"] {
        let at = blob.windows(6).position(|part| part == b"sha512").unwrap();
        let mut changed = blob.clone();
        changed[at..at + 6].copy_from_slice(hash);
        assert!(verify(&STANDARD.encode(changed), b"message", NAMESPACE).is_err());
    }
}

#[test]
fn what_is_no_signature_or_key_is_said_to_be_none() {
    for text in
        ["", "U1NIU0lH", BEGIN, "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", "????"]
    {
        assert_eq!(verify(text, b"", NAMESPACE), Err(SignatureError::NoSignature), "{text}");
    }
    let armour = key(PLAIN, "").sign(b"m", NAMESPACE).unwrap();
    assert!(verify(&format!("{armour}more"), b"m", NAMESPACE).is_err());
    assert!(verify(&armour.replace('\n', "\r\n"), b"m", NAMESPACE).is_ok());
    for text in
        ["", "ssh-ed25519 AAAA", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"]
    {
        assert_eq!(KeptKey::parse(text.as_bytes()).map(drop), Err(PrivateKeyError::NoKey));
    }
    assert!(KeptKey::parse(&PLAIN.as_bytes()[..PLAIN.len() / 2]).is_err());
    assert!(KeptKey::parse(PLAIN.replace('\n', "\r\n").as_bytes()).is_ok());
}
