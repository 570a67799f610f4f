//! Data keys wrapped and unwrapped with OpenPGP, by running GnuPG exactly as
//! sops does (sops-compat 7.1): its keyring, its agent and its pinentry stay
//! the ones that know keys and passphrases. Nothing is run, nor looked for,
//! unless a file or a rule names a PGP key.
//!
//! gpg-agent asks for a passphrase and keeps it for a while. So that it asks once
//! for many files, a key is used by one thread at a time until it is known
//! whether it asks, and by none after the person refused.

#![expect(clippy::disallowed_methods, reason = "the home of gpg")]

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::app::ports::Asking;
use crate::domain::keys::names::same_key;
use crate::domain::keys::sources::PgpEnvironment;
use crate::domain::keys::{KeyError, Refusal, WrappedKey, go_quoted};
use crate::domain::secret::SecretBytes;

/// The longest wrapped key that is read; an RSA message takes 700 bytes.
const LONGEST_MESSAGE: usize = 64 << 10;
/// The most that gpg may print: a message, or a data key.
const LONGEST_OUTPUT: usize = 64 << 10;
/// The most of gpg's own words that an error keeps.
const LONGEST_WORDS: usize = 4 << 10;

/// Wraps `secret` for every fingerprint: one armored message each, in the same
/// order, without a newline at its end.
///
/// # Errors
/// The first fingerprint that gpg refuses, with what gpg said.
pub fn wrap(
    fingerprints: &[String],
    secret: &[u8],
    environment: &PgpEnvironment,
) -> Result<Vec<String>, KeyError> {
    let wrap = |fingerprint: &String| {
        seal(fingerprint, secret, environment).map_err(|reason| KeyError::Refused {
            key: fingerprint.clone(),
            reason: format!("could not encrypt data key with PGP key: GnuPG binary error: {reason}"),
        })
    };
    fingerprints.iter().map(wrap).collect()
}

fn seal(fingerprint: &str, secret: &[u8], environment: &PgpEnvironment) -> Result<String, String> {
    const FAILED: &str = "failed to encrypt sops data key with pgp";
    let trusted = shortened(fingerprint);
    let arguments = [
        "--no-default-recipient",
        "--yes",
        "--encrypt",
        "-a",
        "-r",
        fingerprint,
        "--trusted-key",
        &trusted,
        "--no-encrypt-to",
    ];
    let output = run(environment, &arguments, secret).map_err(|reason| format!("{FAILED}: {reason}"))?;
    let message = std::str::from_utf8(&output).map_err(|_| format!("{FAILED}: gpg printed no message"))?;
    match message.trim() {
        "" => Err(format!("{FAILED}: gpg printed nothing")),
        message => Ok(message.to_owned()),
    }
}

/// The key ID of a fingerprint: its last 16 digits; the `!` that pins a subkey
/// stays behind them.
fn shortened(fingerprint: &str) -> String {
    let (digits, pin) = match fingerprint.strip_suffix('!') {
        Some(digits) => (digits, "!"),
        None => (fingerprint, ""),
    };
    let skipped = digits.chars().count().saturating_sub(16);
    digits.chars().skip(skipped).chain(pin.chars()).collect()
}

/// What a call knows of PGP keys, by their fingerprints.
#[derive(Debug, Default)]
pub(super) struct Agent {
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// Keys that were tried, so that nothing is asked for them any more.
    settled: HashSet<String>,
    /// Keys for which the person was asked in vain, with gpg's words.
    refused: HashMap<String, String>,
}

/// Opens the first of `keys` that gpg has a secret key for: the bytes that were
/// wrapped, or one refusal per key in the words of sops.
pub(super) fn unwrap(
    keys: &[WrappedKey<'_>],
    environment: &PgpEnvironment,
    agent: &Agent,
    asking: Asking,
) -> Result<SecretBytes, Vec<Refusal>> {
    let mut refusals = Vec::with_capacity(keys.len());
    for key in keys {
        let opened = match asking {
            Asking::Person => agent.open(key, environment),
            _ => open_unasked(key, environment),
        };
        match opened {
            Ok(secret) => return Ok(secret),
            Err(reason) => refusals.push(Refusal {
                key: key.recipient.to_owned(),
                reasons: vec![format!(
                    "could not decrypt data key with PGP key: GnuPG binary error: failed to decrypt sops \
                     data key with pgp: {reason}"
                )],
                problem: Some(reason),
            }),
        }
    }
    Err(refusals)
}

impl Agent {
    /// Opens `key` when its turn has come.
    fn open(&self, key: &WrappedKey<'_>, environment: &PgpEnvironment) -> Result<SecretBytes, String> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = turns.refused.get(key.recipient) {
            return Err(reason.clone());
        }
        if turns.settled.contains(key.recipient) {
            drop(turns);
            return open(key.enc, environment, &["-d"]);
        }
        let opened = open(key.enc, environment, &["-d"]);
        match &opened {
            Err(reason) if was_refused(reason) => {
                turns.refused.insert(key.recipient.to_owned(), reason.clone());
            }
            _ => {
                turns.settled.insert(key.recipient.to_owned());
            }
        }
        opened
    }
}

/// Opens `key` if its secret key is on this disk and its passphrase is at hand.
fn open_unasked(key: &WrappedKey<'_>, environment: &PgpEnvironment) -> Result<SecretBytes, String> {
    let listed = run(environment, &["--batch", "--with-colons", "--list-secret-keys"], b"")?;
    if is_on_card(&String::from_utf8_lossy(&listed), key.recipient) {
        return Err("its secret key is on a card, which is not asked here".to_owned());
    }
    open(key.enc, environment, &["--batch", "--pinentry-mode", "error", "-d"])
}

/// True if a part of the secret key that `fingerprint` names is on a card: gpg lists
/// the card's serial number in the 15th field.
fn is_on_card(listed: &str, fingerprint: &str) -> bool {
    let mut keys: Vec<(bool, bool)> = Vec::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if fields[0] == "sec" {
            keys.push((false, false));
        }
        let Some((is_named, has_card)) = keys.last_mut() else { continue };
        match fields[0] {
            "sec" | "ssb" => *has_card |= fields.get(14).is_some_and(|serial| serial.len() > 1),
            "fpr" => *is_named |= fields.get(9).is_some_and(|own| same_key(own, fingerprint)),
            _ => {}
        }
    }
    keys.iter().any(|(is_named, has_card)| *is_named && *has_card)
}

/// What gpg says when its agent asked in vain, or could not ask.
const REFUSED: [&str; 6] =
    ["cancelled", "Bad passphrase", "Bad PIN", "Timeout", "No pinentry", "Inappropriate ioctl"];

fn was_refused(reason: &str) -> bool {
    REFUSED.iter().any(|words| reason.contains(words))
}

/// Advice where the agent found nobody to ask.
fn with_advice(words: String) -> String {
    if words.contains("No pinentry") || words.contains("Inappropriate ioctl") {
        return format!(
            "{words} (gpg-agent could not ask for the passphrase: run this on a terminal, or give gpg-agent a \
             pinentry that needs none)"
        );
    }
    words
}

fn open(message: &str, environment: &PgpEnvironment, arguments: &[&str]) -> Result<SecretBytes, String> {
    if message.len() > LONGEST_MESSAGE {
        return Err("the wrapped key is too long".to_owned());
    }
    let secret = run(environment, arguments, message.as_bytes()).map_err(with_advice)?;
    if secret.is_empty() { Err("the wrapped key is empty".to_owned()) } else { Ok(secret) }
}

/// The fingerprints of all secret keys and subkeys, or why gpg cannot tell.
pub(super) fn secret_keys(environment: &PgpEnvironment) -> Result<Vec<String>, String> {
    let listed = run(environment, &["--batch", "--with-colons", "--list-secret-keys"], b"")?;
    let listed = String::from_utf8_lossy(&listed);
    let fingerprint = |line: &str| line.strip_prefix("fpr:")?.split(':').nth(8).map(str::to_owned);
    Ok(listed.lines().filter_map(fingerprint).collect())
}

/// What gpg prints for `input`, or why it failed in its own words.
fn run(environment: &PgpEnvironment, arguments: &[&str], input: &[u8]) -> Result<SecretBytes, String> {
    let program = environment.program();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(home) = &environment.home {
        command.env("GNUPGHOME", home);
    }
    // gpg's standard streams are pipes, so it cannot find the terminal itself.
    if let Some(terminal) = environment.terminal.clone().or_else(terminal_name) {
        command.env("GPG_TTY", terminal);
    }
    // Its words are ours to understand and to show, whatever the locale; what
    // pinentry shows follows the locale still.
    command.env("LANGUAGE", "en");
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    let (output, words) = converse(&mut child, input);
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(if words.is_empty() { status.to_string() } else { words });
    }
    output.map_err(|error| format!("its output could not be read: {error}"))
}

/// The name of the terminal that one of our standard streams is.
fn terminal_name() -> Option<OsString> {
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, BorrowedFd};
        use std::os::unix::ffi::OsStringExt;
        let name = |stream: BorrowedFd<'_>| rustix::termios::ttyname(stream, Vec::new()).ok();
        let found = name(io::stdin().as_fd())
            .or_else(|| name(io::stdout().as_fd()))
            .or_else(|| name(io::stderr().as_fd()))?;
        Some(OsString::from_vec(found.into_bytes()))
    }
    #[cfg(not(unix))]
    None
}

/// Feeds `input` to the program and takes what it prints, and what it says.
fn converse(child: &mut Child, input: &[u8]) -> (io::Result<SecretBytes>, String) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let words = scope.spawn(move || {
            let mut words = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = (&mut stderr).take(LONGEST_WORDS as u64).read_to_end(&mut words);
                // The rest is read too, so that gpg does not wait to be heard.
                let _ = io::copy(&mut stderr, &mut io::sink());
            }
            String::from_utf8_lossy(&words).trim().to_owned()
        });
        scope.spawn(move || {
            // A program that gives up early says why itself.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let output = stdout.map_or_else(|| Ok(SecretBytes::default()), read_secret);
        (output, words.join().unwrap_or_default())
    })
}

/// All that `from` holds, in one buffer that never moves.
fn read_secret(mut from: impl Read) -> io::Result<SecretBytes> {
    let mut secret = SecretBytes::new(Vec::with_capacity(LONGEST_OUTPUT));
    (&mut from).take(LONGEST_OUTPUT as u64).read_to_end(secret.as_mut_vec())?;
    if secret.len() == LONGEST_OUTPUT {
        return Err(io::Error::other("it is too long"));
    }
    Ok(secret)
}

/// Why gpg did not start, with what to do.
fn not_started(program: &OsStr, error: &io::Error) -> String {
    let name = go_quoted(&program.to_string_lossy());
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("exec: {name}: executable file not found (install GnuPG, or name it in SOPS_GPG_EXEC)")
        }
        io::ErrorKind::PermissionDenied => format!("exec: {name}: permission denied"),
        _ => format!("exec: {name}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_on_card, shortened};

    #[test]
    fn keys_on_cards_are_told_from_others() {
        let card = "D2760001240103040006123456780000";
        let listed = format!(
            "sec:u:255:22:AA:1::::::scESC:::+::ed25519:::0:\nfpr:::::::::1111AAAA:\n\
             ssb:u:255:18:BB:1::::::e:::+::cv25519::\nfpr:::::::::2222BBBB:\n\
             sec:u:255:22:CC:1::::::scESC:::#::ed25519:::0:\nfpr:::::::::3333CCCC:\n\
             ssb:u:255:18:DD:1::::::e:::{card}::cv25519::\nfpr:::::::::4444DDDD:\n"
        );
        let on_card =
            ["1111AAAA", "2222BBBB", "3333CCCC", "4444DDDD", "5555"].map(|it| is_on_card(&listed, it));
        assert_eq!(on_card, [false, false, true, true, false]);
    }

    #[test]
    fn key_ids_are_the_last_sixteen_digits() {
        // The arguments that sops 3.11.0 gave to gpg.
        for (fingerprint, id) in [
            ("7A0922C2948B69382D11A4AAA06D71DEB8B78B30", "A06D71DEB8B78B30"),
            ("7A0922C2948B69382D11A4AAA06D71DEB8B78B30!", "A06D71DEB8B78B30!"),
            ("A06D71DEB8B78B30", "A06D71DEB8B78B30"),
            ("AAAA", "AAAA"),
            ("", ""),
        ] {
            assert_eq!(shortened(fingerprint), id);
        }
    }
}
