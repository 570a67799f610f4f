//! Wrapping and unwrapping: what sops made opens, what we make opens, places
//! and passphrases are used in the right order and no oftener than needed.
//! `fixtures/age` was made with sops 3.11.0, age 1.1.1 and ssh-keygen.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use age::secrecy::SecretString;
use bech32::{ToBase32, Variant};
use proptest::prelude::*;

use super::super::age_identity::Identities;
use super::super::age_plugin::Plugins;
use super::{generate, recipients_of};
use crate::app::ports::{
    Asking, Contents, Durability, FileError, FileErrorKind, FileKind, Files, Fingerprint, Prompt, PromptError,
};
use crate::domain::keys::report::Tried;
use crate::domain::keys::sources::AgeEnvironment;
use crate::domain::keys::{KeyError, Refusal, WrappedKey};
use crate::domain::secret::SecretBytes;

const NATIVE: &str = include_str!("../../../../fixtures/age/native.txt");
const ED25519: &str = include_str!("../../../../fixtures/age/id_ed25519");
const ED25519_LOCKED: &str = include_str!("../../../../fixtures/age/id_ed25519_locked");
const RSA: &str = include_str!("../../../../fixtures/age/id_rsa.pem");
const ENCRYPTED: &str = include_str!("../../../../fixtures/age/encrypted.yaml");
const DATA_KEY: &str = "5867b491e7b309b066d39c8570a0a2a27a8a24e932f0c78d507153e051906586";
const PLUGIN: &str = "AGE-PLUGIN-TEST-1V9KXJCM9YAEJQ6RPWFJ8WCTJV5W9Z8XN";
const OURS: &str = "age1h5ftrrgnel9fyhv7eazlxs8mfg4jhu5evnqrqpx5fw0k7psdqukqz0axal";

/// Files in memory, and how often each was read.
#[derive(Default)]
struct Disk {
    files: HashMap<PathBuf, Vec<u8>>,
    reads: Mutex<Vec<PathBuf>>,
}

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<Contents, FileError> {
        self.reads.lock().unwrap().push(path.to_owned());
        let bytes = self.files.get(path).ok_or_else(|| FileError {
            action: "open",
            path: path.to_owned(),
            kind: FileErrorKind::NotFound,
            reason: "no such file or directory".to_owned(),
        })?;
        Ok(Contents { bytes: SecretBytes::new(bytes.clone()), fingerprint: None })
    }
    fn kind(&self, _: &Path) -> Result<Option<FileKind>, FileError> {
        unreachable!()
    }
    fn replace(&self, _: &Path, _: &[u8], _: Option<Fingerprint>, _: Durability) -> Result<(), FileError> {
        unreachable!()
    }
    fn write(&self, _: &Path, _: &[u8], _: Durability) -> Result<(), FileError> {
        unreachable!()
    }
    fn create_private(&self, _: &Path, _: &[u8]) -> Result<(), FileError> {
        unreachable!()
    }
    fn create(&self, _: &Path, _: &[u8], _: bool) -> Result<(), FileError> {
        unreachable!()
    }
    fn remove(&self, _: &Path) -> Result<(), FileError> {
        unreachable!()
    }
    fn real(&self, _: &Path) -> Result<PathBuf, FileError> {
        unreachable!()
    }
    fn absolute(&self, _: &Path) -> Result<PathBuf, FileError> {
        unreachable!()
    }
    fn expand(&self, _: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
        unreachable!()
    }
}

/// A person who knows one passphrase, or none, and what they were asked.
#[derive(Default)]
struct Person {
    knows: Option<&'static str>,
    asked: Mutex<Vec<String>>,
}

impl Prompt for Person {
    fn secret(&self, wanted: &str) -> Result<SecretBytes, PromptError> {
        self.asked.lock().unwrap().push(wanted.to_owned());
        let known = self.knows.ok_or_else(|| PromptError::NoTerminal { wanted: wanted.to_owned() })?;
        Ok(SecretBytes::new(known.as_bytes().to_vec()))
    }
    fn visible(&self, _: &str) -> Result<SecretBytes, PromptError> {
        unreachable!()
    }
    fn choose(&self, _: &str, _: &str, _: Option<&str>) -> Result<bool, PromptError> {
        unreachable!()
    }
    fn tell(&self, _: &str) {
        unreachable!()
    }
    fn confirm(&self, _: &str) -> Result<bool, PromptError> {
        unreachable!()
    }
    fn pause(&self, _: &str) -> Result<(), PromptError> {
        unreachable!()
    }
}

/// Nobody to ask and no program to run.
static NO_PATH: std::ffi::OsString = std::ffi::OsString::new();

fn wrap<R: AsRef<str>>(recipients: &[R], data_key: &[u8]) -> Result<Vec<String>, KeyError> {
    super::wrap(recipients, data_key, Plugins { search_path: &NO_PATH, prompt: &Person::default() })
}

fn unwrap(keys: &[WrappedKey<'_>], identities: &Identities<'_>) -> Result<SecretBytes, Vec<Refusal>> {
    super::unwrap(keys, identities, &Vec::new, Asking::Person)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The recipients and wrapped keys of a YAML file that sops wrote.
fn keys_of(yaml: &str) -> Vec<(String, String)> {
    let mut keys: Vec<(String, String)> = Vec::new();
    for line in yaml.lines().map(str::trim) {
        if let Some(recipient) = line.strip_prefix("- recipient: ") {
            keys.push((recipient.to_owned(), String::new()));
        } else if line.starts_with("lastmodified") {
            break;
        } else if let Some((_, enc)) = keys.last_mut().filter(|_| line != "enc: |") {
            enc.push_str(line);
            enc.push('\n');
        }
    }
    keys
}

fn refs(keys: &[(String, String)]) -> Vec<WrappedKey<'_>> {
    keys.iter().map(|(recipient, enc)| WrappedKey { recipient, enc }).collect()
}

struct World {
    env: AgeEnvironment,
    disk: Disk,
    person: Person,
}

impl World {
    fn new() -> Self {
        let env = AgeEnvironment {
            home: Some("/h".into()),
            default_key_file: Some("/c/sops/age/keys.txt".into()),
            ..AgeEnvironment::default()
        };
        Self { env, disk: Disk::default(), person: Person::default() }
    }
    fn file(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.disk.files.insert(path.into(), contents.as_ref().to_vec());
        self
    }
    fn key(mut self, text: &str) -> Self {
        self.env.key = Some(SecretBytes::new(text.as_bytes().to_vec()));
        self
    }
    fn knows(mut self, passphrase: &'static str) -> Self {
        self.person.knows = Some(passphrase);
        self
    }
    fn identities(&self) -> Identities<'_> {
        Identities::new(self.env.clone(), &self.disk, &self.person)
    }
    fn open(&self, keys: &[(String, String)]) -> Result<String, Vec<Refusal>> {
        unwrap(&refs(keys), &self.identities()).map(|key| hex(&key))
    }
    fn reason(&self, keys: &[(String, String)]) -> String {
        self.open(keys).unwrap_err()[0].reasons[0].clone()
    }
    fn asked(&self) -> Vec<String> {
        self.person.asked.lock().unwrap().clone()
    }
    fn reads(&self) -> Vec<PathBuf> {
        self.disk.reads.lock().unwrap().clone()
    }
}

fn secret_line(identity: &str) -> &str {
    identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap()
}

/// An identity file encrypted to a passphrase, with as little work as scrypt allows.
fn locked(text: &str, passphrase: &str, armored: bool) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(1);
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
    let format = if armored { age::armor::Format::AsciiArmor } else { age::armor::Format::Binary };
    let armor = age::armor::ArmoredWriter::wrap_output(Vec::new(), format).unwrap();
    let mut writer = encryptor.wrap_output(armor).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap().finish().unwrap()
}

#[test]
fn identities_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Identities<'static>>();
}

#[test]
fn every_place_opens_what_sops_wrapped() {
    let keys = keys_of(ENCRYPTED);
    assert_eq!(keys.len(), 3);
    let place = |set: fn(&mut AgeEnvironment), path: &str, text: &str| {
        let mut world = World::new().file(path, text);
        set(&mut world.env);
        world
    };
    let two_a_line = format!("# mine\r\n\r\n{} {}\r\n", secret_line(&other_identity()), secret_line(NATIVE));
    for (name, world) in [
        ("SOPS_AGE_KEY", World::new().key(NATIVE)),
        ("SOPS_AGE_KEY, two a line", World::new().key(&two_a_line)),
        ("SOPS_AGE_KEY_FILE", place(|env| env.key_file = Some("/k".into()), "/k", NATIVE)),
        ("default file", World::new().file("/c/sops/age/keys.txt", NATIVE)),
        ("id_ed25519", World::new().file("/h/.ssh/id_ed25519", ED25519)),
        ("id_rsa", World::new().file("/h/.ssh/id_rsa", RSA)),
        ("SSH key file", place(|env| env.ssh_key_file = Some("/s".into()), "/s", ED25519)),
        ("RSA key file", place(|env| env.ssh_key_file = Some("/s".into()), "/s", RSA)),
    ] {
        assert_eq!(world.open(&keys).unwrap(), DATA_KEY, "{name}");
        assert_eq!(world.asked(), Vec::<String>::new(), "{name}");
    }
}

fn other_identity() -> String {
    String::from_utf8(generate("2026-11-22T01:02:03Z").file.to_vec()).unwrap()
}

#[test]
fn ssh_keys_are_read_only_when_a_native_identity_did_not_do() {
    let world = World::new().key(NATIVE).file("/h/.ssh/id_ed25519", ED25519);
    world.open(&keys_of(ENCRYPTED)).unwrap();
    assert_eq!(world.reads(), [PathBuf::from("/c/sops/age/keys.txt")]);
}

#[test]
fn places_are_read_once() {
    let world = World::new().file("/c/sops/age/keys.txt", other_identity());
    let keys = keys_of(ENCRYPTED);
    let identities = world.identities();
    for _ in 0..3 {
        assert_eq!(unwrap(&refs(&keys), &identities).unwrap_err().len(), 3);
    }
    let expected: [PathBuf; 3] =
        ["/c/sops/age/keys.txt".into(), "/h/.ssh/id_ed25519".into(), "/h/.ssh/id_rsa".into()];
    assert_eq!(world.reads(), expected);
}

#[test]
fn passphrases_are_asked_last_once_and_only_where_they_help() {
    let keys = keys_of(ENCRYPTED);
    let ssh_and_native =
        World::new().key(NATIVE).file("/h/.ssh/id_ed25519", ED25519_LOCKED).knows("pass word");
    assert_eq!(ssh_and_native.open(&keys).unwrap(), DATA_KEY);
    assert_eq!(ssh_and_native.asked(), Vec::<String>::new());

    let ssh = World::new().file("/h/.ssh/id_ed25519", ED25519_LOCKED).knows("pass word");
    let identities = ssh.identities();
    for _ in 0..3 {
        assert_eq!(hex(&unwrap(&refs(&keys), &identities).unwrap()), DATA_KEY);
    }
    assert_eq!(ssh.asked(), ["Enter passphrase for \"/h/.ssh/id_ed25519\""]);

    let foreign = World::new().file("/h/.ssh/id_ed25519", ED25519_LOCKED).knows("pass word");
    foreign.open(&keys[2..]).unwrap_err();
    assert_eq!(foreign.asked(), Vec::<String>::new());

    let wrong = World::new().file("/h/.ssh/id_ed25519", ED25519_LOCKED).knows("pass");
    assert!(wrong.reason(&keys).contains(": failed to decrypt SSH key file: "));
    let nobody = World::new().file("/h/.ssh/id_ed25519", ED25519_LOCKED);
    assert!(nobody.reason(&keys).contains(": could not read passphrase: there is no terminal to ask on. "));
    assert_eq!(nobody.asked().len(), 1);
}

#[test]
fn identity_files_with_a_passphrase_open() {
    let keys = keys_of(ENCRYPTED);
    for armored in [false, true] {
        let mut world = World::new().file("/k", locked(NATIVE, "secret", armored)).knows("secret");
        world.env.key_file = Some("/k".into());
        let identities = world.identities();
        for _ in 0..2 {
            assert_eq!(hex(&unwrap(&refs(&keys), &identities).unwrap()), DATA_KEY);
        }
        assert_eq!(world.asked(), ["Enter passphrase for identity 'SOPS_AGE_KEY_FILE'"]);
    }
    for (text, knows, expected) in [
        (locked(NATIVE, "secret", true), "wrong", ": incorrect passphrase. "),
        (locked("foo", "secret", true), "secret", "unknown identity type at line 1. "),
        (locked(&other_identity(), "secret", true), "secret", "identity did not match any of the recipients"),
        (b"age-encryption.org/v1\n-> X".to_vec(), "secret", ": failed to decrypt identity file: "),
        (b"age-encryption.org/v1".to_vec(), "secret", ": failed to decrypt identity file: "),
        (b"-----BEGIN AGE".to_vec(), "secret", ": failed to decrypt identity file: "),
    ] {
        let world = World::new().file("/c/sops/age/keys.txt", text).knows(knows);
        let reason = world.reason(&keys);
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(world.asked(), ["Enter passphrase for identity '/c/sops/age/keys.txt'"]);
    }
}

#[test]
fn commands_run_without_a_shell_and_know_the_recipient() {
    let keys = keys_of(ENCRYPTED);
    let script = format!("[ \"$SOPS_AGE_RECIPIENT\" = {OURS} ] && echo {} || true", secret_line(NATIVE));
    let mut world = World::new();
    world.env.key_cmd = Some(format!("sh -c '{script}'"));
    assert_eq!(world.open(&keys).unwrap(), DATA_KEY);

    let mut ssh = World::new();
    ssh.env.ssh_key_cmd = Some(format!("printf '%s' '{ED25519}'"));
    assert_eq!(ssh.open(&keys).unwrap(), DATA_KEY);
    ssh.env.ssh_key_cmd = Some(format!("printf '%s' '{ED25519_LOCKED}'"));
    assert!(
        ssh.reason(&keys)
            .contains("malformed SSH identity from SOPS_AGE_SSH_PRIVATE_KEY_CMD: the key is encrypted")
    );

    for (command, expected) in [
        ("", "failed to parse command from SOPS_AGE_KEY_CMD: it is empty"),
        ("   ", "failed to parse command from SOPS_AGE_KEY_CMD: it is empty"),
        (
            "echo 'canary",
            "failed to parse command from SOPS_AGE_KEY_CMD: EOF found when expecting closing quote",
        ),
        ("sh -c 'exit 3 # canary'", "failed to execute command sh from SOPS_AGE_KEY_CMD: exit status 3"),
        ("sh -c 'kill -9 $$'", "failed to execute command sh from SOPS_AGE_KEY_CMD: killed by a signal"),
        (
            "/no/such canary",
            "failed to execute command /no/such from SOPS_AGE_KEY_CMD: fork/exec /no/such: no such file or directory",
        ),
        ("no-such-program canary", "exec: \"no-such-program\": executable file not found in $PATH"),
        ("echo canary", "failed to parse 'SOPS_AGE_KEY_CMD' age identities: unknown identity type at line 1"),
    ] {
        let mut world = World::new();
        world.env.key_cmd = Some(command.to_owned());
        let reason = world.reason(&keys);
        assert!(reason.contains(expected), "{reason}");
        assert!(!reason.contains("canary"), "{reason}");
    }
}

#[test]
fn a_bad_line_spoils_its_place_and_no_other() {
    let keys = keys_of(ENCRYPTED);
    let mut world = World::new().key("canary").file("/k", NATIVE);
    world.env.key_file = Some("/k".into());
    assert_eq!(world.open(&keys).unwrap(), DATA_KEY);

    let checksum = secret_line(NATIVE).replace("6ZWQ8K", "6ZWQ8Q");
    for (text, expected) in [
        ("canary".to_owned(), "unknown identity type at line 1"),
        (format!("# x\n\n {}", secret_line(NATIVE)), "unknown identity type at line 3"),
        (secret_line(NATIVE).to_lowercase(), "unknown identity type at line 1"),
        (format!("{}\n{checksum}", secret_line(NATIVE)), "malformed secret key at line 2"),
        ("AGE-SECRET-KEY-1".to_owned(), "malformed secret key at line 1"),
        ("\u{0}\u{ff}".to_owned(), "unknown identity type at line 1"),
    ] {
        let world = World::new().file("/c/sops/age/keys.txt", &text);
        let reason = world.reason(&keys);
        let expected = format!(
            "failed to load age identities. Errors while loading age identities: failed to parse \
             '/c/sops/age/keys.txt' age identities: {expected}. Did not find"
        );
        assert!(reason.starts_with(&expected), "{reason}");
        assert!(!reason.contains("canary") && !reason.contains(&text), "{reason}");
    }
}

/// The places that gave an identity.
fn found(identities: &Identities<'_>) -> Vec<Tried> {
    identities.tried().into_iter().filter(|place| !place.identities.is_empty()).collect()
}

#[test]
fn identities_of_missing_plugins_do_not_hide_the_others() {
    let keys = keys_of(ENCRYPTED);
    let text = format!("{PLUGIN}\n{NATIVE}");
    assert_eq!(World::new().key(&text).open(&keys).unwrap(), DATA_KEY);
    let world = World::new().key(PLUGIN);
    let identities = world.identities();
    unwrap(&refs(&keys), &identities).unwrap_err();
    let tried = found(&identities);
    assert_eq!(tried.len(), 1);
    assert_eq!(tried[0].identities, ["an identity of age-plugin-test"]);
}

#[test]
fn refusals_name_every_key_and_tell_what_was_tried() {
    let keys = keys_of(ENCRYPTED);
    let other = generate("2026-11-22T01:02:03Z");
    let world = World::new().key(std::str::from_utf8(&other.file).unwrap());
    let identities = world.identities();
    let refusals = unwrap(&refs(&keys), &identities).unwrap_err();
    for (refusal, (recipient, _)) in refusals.iter().zip(&keys) {
        assert_eq!(&refusal.key, recipient);
        assert_eq!(
            refusal.reasons,
            ["failed to create reader for decrypting sops data key with age: identity did not match any of \
              the recipients: incorrect identity for recipient block. Did not find keys in locations \
              'SOPS_AGE_SSH_PRIVATE_KEY_FILE', '/h/.ssh/id_ed25519', '/h/.ssh/id_rsa', 'SOPS_AGE_KEY_FILE', \
              and 'SOPS_AGE_KEY_CMD'."]
        );
    }
    let tried = found(&identities);
    assert_eq!(tried.len(), 1);
    assert_eq!(
        (tried[0].location.as_str(), &tried[0].identities[..]),
        ("SOPS_AGE_KEY", &[other.recipient][..])
    );
}

#[test]
fn damaged_keys_are_told_from_foreign_ones() {
    let good = keys_of(ENCRYPTED)[2].clone();
    let changed = |from: &str, to: &str| vec![(good.0.clone(), good.1.replacen(from, to, 1))];
    let world = World::new().key(NATIVE);
    for (keys, expected) in [
        (changed("BEGIN AGE", "BEGIN AGF"), "failed to read header"),
        (changed("YWdl", "YW!l"), "failed to read header"),
        (changed("YWdl", "YWdm"), "failed to read header"),
        (changed("LS0tIEZN", "LS0tIEZO"), "bad header MAC"),
        (changed("ARqadvkA==", "ARqadvkB=="), "failed to"),
        (
            changed("EVTA", "EVTB"),
            "failed to copy age decrypted data into bytes.Buffer: failed to decrypt and authenticate",
        ),
        (vec![(good.0.clone(), String::new())], "failed to read header"),
        (vec![(good.0.clone(), "x".repeat(70_000))], "the wrapped key is too long"),
    ] {
        let reason = world.reason(&keys);
        assert!(reason.contains(expected), "{reason}");
    }
    let trimmed = vec![(good.0.clone(), format!("\n{}", good.1.trim_end()))];
    assert_eq!(world.open(&trimmed).unwrap(), DATA_KEY);
    let mut with_damaged = changed("YWdl", "YW!l");
    with_damaged.push(("age1someoneelse".to_owned(), good.1.clone()));
    assert_eq!(world.open(&with_damaged).unwrap(), DATA_KEY);
}

#[test]
fn recipients_that_cannot_be_used_are_named() {
    let zeros = |kind: &str, tail: &[u8]| {
        use base64::Engine;
        let mut blob = (kind.len() as u32).to_be_bytes().to_vec();
        blob.extend_from_slice(kind.as_bytes());
        blob.extend_from_slice(tail);
        format!("{kind} {}", base64::prelude::BASE64_STANDARD.encode(blob))
    };
    for recipient in [
        "age1x".to_owned(),
        "age1yubikey1abc".to_owned(),
        "age1tag1abc".to_owned(),
        "age1tagpq1abc".to_owned(),
        "age1../../x1abc".to_owned(),
        OURS.replace("axal", "axaq"),
        zeros("ssh-rsa", &[0, 0, 0, 1, 0, 0, 0, 0, 1, 0]),
        zeros("ssh-rsa", &[0xff; 4]),
        zeros("ssh-ed25519", &[0, 0, 0, 32]),
        zeros("ssh-dss", &[0, 0, 0, 1, 5]),
        "ssh-rsa".to_owned(),
        "ssh-ed25519 !!!".to_owned(),
    ] {
        let error = wrap(&[OURS, &recipient], b"key").unwrap_err();
        assert!(
            matches!(&error, KeyError::MalformedRecipient { recipient: r, .. } | KeyError::MalformedSshRecipient { recipient: r, .. } if *r == recipient),
            "{recipient}: {error}"
        );
    }
    let unknown = wrap(&["foo"], b"key").unwrap_err();
    assert_eq!(unknown, KeyError::UnknownRecipient("foo".to_owned()));
}

#[test]
fn tagged_recipients_are_wrapped_without_a_plugin() {
    use base64::Engine;
    // The recipient of the specification's example.
    let recipient = "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e";
    let wrapped = wrap(&[recipient], &[7; 32]).unwrap();
    let body: String = wrapped[0].lines().filter(|line| !line.starts_with("-----")).collect();
    let file = base64::prelude::BASE64_STANDARD.decode(body).unwrap();
    assert!(String::from_utf8_lossy(&file).contains("\n-> p256tag "));
}

#[test]
fn points_of_low_order_are_refused() {
    let order_8 = |tail: &str| -> [u8; 32] {
        let bytes: Vec<u8> =
            (0..64).step_by(2).map(|i| u8::from_str_radix(&tail[i..i + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    };
    let mut near_p = [0xff; 32];
    near_p[31] = 0x7f;
    let with = |mut point: [u8; 32], first: u8| {
        point[0] = first;
        point
    };
    let points = [
        [0; 32],
        with([0; 32], 1),
        with(near_p, 0xec),
        with(near_p, 0xed),
        with(near_p, 0xee),
        order_8("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        order_8("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ];
    for point in points {
        for high in [0, 0x80] {
            let mut point = point;
            point[31] |= high;
            let recipient = bech32::encode("age", point.to_base32(), Variant::Bech32).unwrap();
            assert!(recipient.parse::<age::x25519::Recipient>().is_ok(), "{recipient}");
            let error = wrap(&[&recipient], b"key").unwrap_err().to_string();
            assert!(error.ends_with("low order point"), "{error}");
        }
    }
}

#[test]
fn a_new_identity_is_what_age_keygen_writes() {
    let new = generate("2026-11-22T01:02:03Z");
    let text = std::str::from_utf8(&new.file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(text.ends_with('\n'));
    assert_eq!(lines[0], "# created: 2026-11-22T01:02:03Z");
    assert_eq!(lines[1], format!("# public key: {}", new.recipient));
    assert!(lines[2].starts_with("AGE-SECRET-KEY-1"));
    let wrapped = wrap(&[&new.recipient], b"0123").unwrap();
    let keys = vec![(new.recipient.clone(), wrapped[0].clone())];
    assert_eq!(World::new().key(text).open(&keys).unwrap(), hex(b"0123"));
}

#[test]
fn many_recipients_keep_their_order() {
    let identities: Vec<_> = (0..70).map(|_| generate("")).collect();
    let recipients: Vec<&str> = identities.iter().map(|identity| identity.recipient.as_str()).collect();
    let wrapped = wrap(&recipients, &[9; 33]).unwrap();
    let keys: Vec<(String, String)> =
        recipients.iter().zip(&wrapped).map(|(r, enc)| ((*r).to_owned(), enc.clone())).collect();
    for (identity, key) in identities.iter().zip(&keys) {
        let world = World::new().key(std::str::from_utf8(&identity.file).unwrap());
        assert_eq!(world.open(std::slice::from_ref(key)).unwrap(), hex(&[9; 33]));
        assert_eq!(world.open(&keys).unwrap(), hex(&[9; 33]));
    }
    assert!(wrapped.iter().all(|enc| {
        enc.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n")
            && enc.ends_with("\n-----END AGE ENCRYPTED FILE-----\n")
    }));
}

#[test]
fn nobody_and_nothing() {
    assert_eq!(wrap::<&str>(&[], b"key").unwrap(), Vec::<String>::new());
    assert_eq!(World::new().key(NATIVE).open(&[]), Err(vec![]));
    let wrapped = wrap(&[OURS], b"").unwrap();
    assert_eq!(World::new().key(NATIVE).open(&[(OURS.to_owned(), wrapped[0].clone())]).unwrap(), "");
    let long = wrap(&[OURS], &[1; 300]).unwrap();
    let reason = World::new().key(NATIVE).reason(&[(OURS.to_owned(), long[0].clone())]);
    assert!(reason.contains("holds more than a data key"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_read_makes_it_panic(recipient in "(age1|ssh-rsa |ssh-|AGE|)[a-z0-9A-Z+/= ]{0,80}", text in "\\PC{0,60}", secret in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = wrap(&[&recipient], &secret);
        let world = World::new().key(&text).file("/h/.ssh/id_rsa", &secret).file("/c/sops/age/keys.txt", &secret);
        let keys = [(recipient, text.clone()), (OURS.to_owned(), format!("-----BEGIN AGE ENCRYPTED FILE-----\n{text}"))];
        prop_assert!(world.open(&keys).is_err());
    }

    #[test]
    fn a_changed_blob_never_opens_to_something_else(position in 0usize..420, byte in any::<u8>()) {
        let mut key = keys_of(ENCRYPTED)[2].clone();
        let mut enc = key.1.into_bytes();
        let position = position % enc.len();
        enc[position] = byte;
        key.1 = String::from_utf8_lossy(&enc).into_owned();
        if let Ok(found) = World::new().key(NATIVE).open(&[key]) {
            prop_assert_eq!(found, DATA_KEY);
        }
    }
}

#[test]
fn recipients_are_read_from_identity_files_of_both_kinds() {
    let hybrid = include_str!("../../../../fixtures/vectors/30-age-pq-hybrid/key.txt");
    let found = recipients_of(format!("{NATIVE}\n{hybrid}").as_bytes());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], OURS);
    assert!(hybrid.contains(&format!("# public key: {}\n", found[1])));
}

#[test]
fn a_post_quantum_identity_and_a_native_one_share_a_place() {
    let hybrid = include_str!("../../../../fixtures/vectors/30-age-pq-hybrid/key.txt");
    let world = World::new().key(hybrid);
    let recipient = recipients_of(hybrid.as_bytes()).remove(0);
    let wrapped = wrap(&[OURS, &recipient], b"0123456789abcdef").unwrap();
    let keys = vec![(OURS.to_owned(), wrapped[0].clone()), (recipient, wrapped[1].clone())];
    assert_eq!(world.open(&keys).unwrap(), hex(b"0123456789abcdef"));
    assert_eq!(World::new().key(NATIVE).open(&keys).unwrap(), hex(b"0123456789abcdef"));
    assert!(world.reason(&keys[..1]).contains("incorrect identity for recipient block"));
    assert!(World::new().key(NATIVE).open(&keys[1..]).is_err());
}
