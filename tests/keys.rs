//! Master keys that are more than an age text: OpenPGP through the real `gpg`
//! and age's post-quantum keys, each way between us and the real `sops`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use expectrl::{Eof, Expect, Session};

use super::testkit::askpass;
use super::testkit::generate::{Document, EXTENSIONS};
use super::testkit::gpg::GpgHome;
use super::testkit::sandbox::{ALICE, Sandbox};

/// One small file of every format.
const FILES: [(&str, &str); 5] = [
    ("a.yaml", "# who\nuser: anna # inline\npassword: \"s3cret\"\nlist: [1, 2.50, true]\n"),
    ("a.json", "{\n  \"user\": \"anna\",\n  \"n\": 1.5\n}\n"),
    ("a.env", "# who\nUSER=anna\nPASSWORD=s3cret\n"),
    ("a.ini", "; who\n[db]\nuser = anna\n"),
    ("a.bin", "\u{1}any bytes\n"),
];

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(name)
}

/// A sandbox with a GnuPG home of its own, and a fingerprint in it.
fn with_gpg() -> (Sandbox, GpgHome, String) {
    let home = GpgHome::new();
    let fingerprint = home.generate("Throw Away <throw@away.test>");
    let mut sandbox = Sandbox::new();
    sandbox.set_env("GNUPGHOME", home.path());
    (sandbox, home, fingerprint)
}

/// Puts a program in front of gpg that writes down its arguments.
fn spied(sandbox: &mut Sandbox) -> PathBuf {
    let log = sandbox.path("gpg.log");
    let script = format!(
        "#!/bin/sh\nfor it; do printf '%s|' \"$it\"; done >>{0}\necho >>{0}\nexec gpg \"$@\"\n",
        log.display()
    );
    let spy = sandbox.write("spy", script);
    fs::set_permissions(&spy, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set_env("SOPS_GPG_EXEC", spy.to_str().unwrap());
    log
}

/// `option` names a key: what one program encrypts for it, the other decrypts.
pub(super) fn crosses_both_ways(sandbox: &Sandbox, option: &[&str]) {
    for (name, plain) in FILES {
        sandbox.write(name, plain);
        let encrypt = [&["encrypt"], option, &[name]].concat();
        let theirs = format!("theirs-{name}");
        sandbox.write(&theirs, sandbox.sops(&encrypt).ok());
        let opened = sandbox.sops(&["decrypt", &theirs]).ok();
        assert_eq!(sandbox.ours(&["decrypt", &theirs]).ok(), opened, "{name} of sops");
        sandbox.ours(&[&["encrypt", "--in-place"], option, &[name]].concat()).ok();
        assert_eq!(sandbox.ours(&["decrypt", name]).ok(), plain.as_bytes(), "{name} of ours");
        let read = sandbox.sops(&["decrypt", name]).text();
        assert_eq!(read.trim(), String::from_utf8(opened).unwrap().trim(), "{name} of ours in sops");
    }
}

#[test]
fn pgp_files_cross_both_ways() {
    let (sandbox, _home, fingerprint) = with_gpg();
    crosses_both_ways(&sandbox, &["--pgp", &fingerprint]);
    let locked = String::from_utf8(sandbox.read("a.yaml")).unwrap();
    let entry = locked.split("    pgp:\n").nth(1).unwrap();
    assert!(entry.starts_with("        - created_at: \"20"), "{entry}");
    assert!(entry.contains("Z\"\n          enc: |-\n            -----BEGIN PGP MESSAGE-----\n"), "{entry}");
    assert!(entry.contains(&format!("-----END PGP MESSAGE-----\n          fp: {fingerprint}\n")), "{entry}");
}

#[test]
fn gpg_gets_the_arguments_that_sops_gives_it() {
    // An RSA key whose first key encrypts, so that `!` can name it.
    let home = GpgHome::new();
    home.import(&vector("35-pgp/key.txt"));
    let fingerprint = home.fingerprint("");
    let mut sandbox = Sandbox::new();
    sandbox.adopt(home);
    let log = spied(&mut sandbox);
    let spaced = format!("{} {}", &fingerprint[..20], &fingerprint[20..]);
    sandbox.write("a.yaml", "a: 1\n");
    let mut seen = Vec::new();
    for ours in [true, false] {
        let run = |arguments: &[&str]| if ours { sandbox.ours(arguments) } else { sandbox.sops(arguments) };
        for key in
            [fingerprint.clone(), spaced.clone(), format!("{fingerprint}!"), fingerprint[24..].to_owned()]
        {
            sandbox.write("locked.yaml", run(&["encrypt", "--pgp", &key, "a.yaml"]).ok());
            run(&["decrypt", "locked.yaml"]).ok();
        }
        seen.push(fs::read_to_string(&log).unwrap());
        fs::remove_file(&log).unwrap();
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].lines().count(), 8);
}

#[test]
fn gpg_is_not_run_for_other_keys() {
    let mut sandbox = Sandbox::with_key();
    let log = spied(&mut sandbox);
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "--in-place", "--age", ALICE.recipient, "a.yaml"]).ok();
    sandbox.ours(&["decrypt", "a.yaml"]).ok();
    assert!(!log.exists());
}

#[test]
fn rules_mix_pgp_with_age_in_one_group_and_in_several() {
    let (mut sandbox, _home, fingerprint) = with_gpg();
    let age = ALICE.recipient;
    let rules = format!(
        "creation_rules:\n  - path_regex: flat\n    age: {age}\n    pgp: {fingerprint}\n  - path_regex: groups\n    \
         shamir_threshold: 2\n    key_groups:\n      - pgp: [{fingerprint}]\n      - age: [{age}]\n"
    );
    sandbox.write(".sops.yaml", rules);
    for name in ["flat.yaml", "groups.yaml"] {
        sandbox.write(name, "a: secret\n");
        sandbox.ours(&["encrypt", "--in-place", name]).ok();
    }
    assert_eq!(sandbox.ours(&["decrypt", "flat.yaml"]).ok(), b"a: secret\n", "by gpg alone");
    let said = sandbox.ours(&["decrypt", "groups.yaml"]).fails(128);
    assert!(said.contains("Group 0: SUCCESS") && said.contains("Group 1: FAILED"), "{said}");
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity.lines().last().unwrap());
    for name in ["flat.yaml", "groups.yaml"] {
        assert_eq!(sandbox.ours(&["decrypt", name]).ok(), b"a: secret\n", "{name}");
        assert_eq!(sandbox.sops(&["decrypt", name]).ok(), b"a: secret\n", "{name} in sops");
    }
    let nobody = GpgHome::new();
    sandbox.set_env("GNUPGHOME", nobody.path());
    assert_eq!(sandbox.ours(&["decrypt", "flat.yaml"]).ok(), b"a: secret\n", "by age alone");
}

#[test]
fn what_gpg_cannot_do_is_said_in_its_words() {
    let (mut sandbox, _home, fingerprint) = with_gpg();
    sandbox.write("a.yaml", "a: 1\n");
    let said = sandbox.ours(&["encrypt", "--pgp", "AAAA", "a.yaml"]).fails(1);
    let start = "Could not generate data key: [failed to encrypt new data key with master key \"AAAA\": could not \
                 encrypt data key with PGP key: ";
    assert!(said.starts_with(start), "{said}");
    assert!(said.contains("gpg: 'AAAA' is not a valid long keyID]"), "{said}");
    sandbox.ours(&["encrypt", "--in-place", "--pgp", &fingerprint, "a.yaml"]).ok();
    let nobody = GpgHome::new();
    sandbox.set_env("GNUPGHOME", nobody.path());
    let said = sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
    let start = format!(
        "Failed to get the data key required to decrypt the SOPS file.\n\nGroup 0: FAILED\n  {fingerprint}: FAILED\n    \
         - | could not decrypt data key with PGP key:"
    );
    assert!(said.starts_with(&start) && said.contains("No secret key"), "{said}");
    assert!(!said.contains("age identity"), "{said}");
    sandbox.set_env("SOPS_GPG_EXEC", "/nowhere/gpg");
    let said = sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
    assert!(said.contains("install GnuPG"), "{said}");
    let said = sandbox.ours(&["encrypt", "--pgp", &fingerprint, "--output", "b.yaml", "a.yaml"]);
    assert_ne!(said.code, Some(0));
    assert!(!sandbox.path("b.yaml").exists());
}

/// How often a pinentry was asked for a passphrase.
fn times_asked(log: &Path) -> usize {
    fs::read_to_string(log).unwrap_or_default().lines().filter(|line| line.starts_with("GETPIN")).count()
}

#[test]
fn gpg_agent_asks_once_for_all_files_of_a_call() {
    let home = GpgHome::new();
    let fingerprint = home.generate_locked("Locked <locked@away.test>", "open it");
    let mut sandbox = Sandbox::new();
    sandbox.set_env("GNUPGHOME", home.path());
    for number in 0..12 {
        sandbox.write(&format!("d/{number}.yaml"), format!("number: {number}\n"));
    }
    sandbox.ours(&["encrypt", "-i", "--pgp", &fingerprint, "d"]).ok();
    let log = sandbox.path("pinentry.log");
    home.pinentry(&log, "ERR 83886179 Operation cancelled <Pinentry>");
    let said = sandbox.ours(&["decrypt", "-i", "d"]).fails(128);
    assert!(said.contains("12 failed") && said.contains("Operation cancelled"), "{said}");
    assert_eq!(times_asked(&log), 1, "{said}");
    fs::remove_file(&log).unwrap();
    home.pinentry(&log, "D open it");
    sandbox.set_env("GPG_TTY", "/dev/pts/nowhere");
    sandbox.ours(&["decrypt", "-i", "d"]).ok();
    assert_eq!(times_asked(&log), 1);
    assert!(fs::read_to_string(&log).unwrap().contains("OPTION ttyname=/dev/pts/nowhere\n"));
    assert_eq!(sandbox.read("d/11.yaml"), b"number: 11\n");
}

#[test]
fn gpg_is_told_which_terminal_to_ask_on() {
    let home = GpgHome::new();
    let fingerprint = home.generate_locked("Locked <locked@away.test>", "open it");
    let mut sandbox = Sandbox::new();
    sandbox.set_env("GNUPGHOME", home.path());
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--pgp", &fingerprint, "a.yaml"]).ok();
    let log = sandbox.path("pinentry.log");
    home.pinentry(&log, "D open it");
    let mut command = Command::new("sh");
    command.args(["-c", "tty; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_leaflock"), "decrypt", "a.yaml"]);
    command.env_clear().envs(sandbox.environment()).current_dir(sandbox.path(""));
    let mut session = Session::spawn(command).unwrap();
    let found = session.expect("a: 1").unwrap();
    let shown = String::from_utf8_lossy(found.before()).into_owned();
    let terminal = shown.split_whitespace().next().unwrap();
    assert!(terminal.starts_with("/dev/"), "{shown}");
    assert!(fs::read_to_string(&log).unwrap().contains(&format!("OPTION ttyname={terminal}\n")), "{shown}");
    session.expect(Eof).unwrap();
}

#[test]
fn the_words_of_gpg_are_the_same_in_every_locale() {
    let (mut sandbox, _home, fingerprint) = with_gpg();
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--pgp", &fingerprint, "a.yaml"]).ok();
    let nobody = GpgHome::new();
    sandbox.set_env("GNUPGHOME", nobody.path());
    sandbox.set_env("LC_ALL", "de_DE.UTF-8").set_env("LANGUAGE", "de:fr");
    let said = sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
    assert!(said.contains("No secret key"), "{said}");
}

#[test]
fn the_order_of_decryption_is_the_one_asked_for() {
    let (mut sandbox, _home, fingerprint) = with_gpg();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity.lines().last().unwrap());
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--pgp", &fingerprint, "--age", ALICE.recipient, "a.yaml"]).ok();
    let log = spied(&mut sandbox);
    for (flag, variable, runs_gpg) in [
        ("", "", false),
        ("age,pgp", "pgp,age", false),
        ("pgp,age", "", true),
        ("pgp", "", true),
        ("kms,age", "", false),
        ("", "pgp,age", true),
    ] {
        sandbox.set_env("SOPS_DECRYPTION_ORDER", variable);
        for ours in [true, false] {
            let arguments = if flag.is_empty() {
                vec!["decrypt", "a.yaml"]
            } else {
                vec!["decrypt", "--decryption-order", flag, "a.yaml"]
            };
            if ours { sandbox.ours(&arguments) } else { sandbox.sops(&arguments) }.ok();
            assert_eq!(log.exists(), runs_gpg, "{flag} {variable} {ours}");
            let _ = fs::remove_file(&log);
        }
    }
    let said = sandbox.ours(&["decrypt", "--decryption-order", "age,pgp,age", "a.yaml"]).fails(112);
    assert!(said.contains("Duplicate decryption key type: age"), "{said}");
}

#[test]
fn keys_of_other_kinds_are_kept_and_named_where_they_are_missed() {
    let layout = fs::read_to_string(vector("34-all-key-types-layout/encrypted.yaml")).unwrap();
    let mut sandbox = Sandbox::new();
    sandbox.set_env("SOPS_AGE_KEY_FILE", vector("34-all-key-types-layout/key.txt").to_str().unwrap());
    sandbox.write("a.yaml", &layout);
    let plain = sandbox.ours(&["decrypt", "a.yaml"]).text();
    sandbox.ours(&["set", "a.yaml", "[\"added\"]", "\"new\""]).ok();
    let changed = String::from_utf8(sandbox.read("a.yaml")).unwrap();
    let kept = |text: &str| -> Vec<String> {
        let block = text[text.find("\nsops:").unwrap()..].lines();
        let own = ["lastmodified", "mac", "leaflock_source"];
        block
            .filter(|line| !own.iter().any(|name| line.trim_start().starts_with(name)))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(kept(&changed), kept(&layout));
    assert_eq!(sandbox.ours(&["decrypt", "a.yaml"]).text(), format!("{plain}added: new\n"));
    sandbox.set_env("SOPS_AGE_KEY_FILE", "/nowhere");
    let said = sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
    for title in ["AWS KMS", "GCP KMS", "HuaweiCloud KMS", "Azure Key Vault", "HashiCorp Vault"] {
        assert!(said.contains(&format!("{title} keys are not in this build yet")), "{said}");
    }
    sandbox.write("b.yaml", "b: 1\n");
    let said = sandbox.ours(&["encrypt", "--kms", "arn:aws:kms:eu-west-1:1:key/2", "b.yaml"]).fails(1);
    assert!(said.contains("AWS KMS keys are not in this build yet"), "{said}");
}

#[test]
fn a_passphrase_is_asked_once_for_all_files_and_missed_by_name() {
    let mut sandbox = Sandbox::new();
    let fixture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/age").join(name);
    let ssh = sandbox.folder().join("home/.ssh");
    fs::create_dir_all(&ssh).unwrap();
    fs::copy(fixture("id_ed25519_locked"), ssh.join("id_ed25519")).unwrap();
    fs::set_permissions(ssh.join("id_ed25519"), fs::Permissions::from_mode(0o600)).unwrap();
    let identity = ssh.join("id_ed25519");
    let public = ["-y", "-P", "pass word", "-f", identity.to_str().unwrap()];
    let recipient = sandbox.run(Path::new("ssh-keygen"), &public, b"").text().trim().to_owned();
    for number in 0..8 {
        sandbox.write(&format!("d/{number}.yaml"), format!("number: {number}\n"));
    }
    sandbox.ours(&["encrypt", "-i", "--age", &recipient, "d"]).ok();
    let leaflock = env!("CARGO_BIN_EXE_leaflock");
    let said = sandbox.run(Path::new("setsid"), &["--wait", leaflock, "decrypt", "-i", "d"], b"").fails(128);
    assert!(said.contains("could not read passphrase: there is no terminal to ask on) from "), "{said}");
    assert!(
        said.contains("/.ssh/id_ed25519") && said.contains("hint: a passphrase or PIN is wanted"),
        "{said}"
    );
    let program = askpass::program(&sandbox, "echo 'pass word'");
    sandbox.set_env("LEAFLOCK_ASKPASS", &program);
    sandbox.ours(&["decrypt", "-i", "d"]).ok();
    let question = format!("Enter passphrase for \"{}\": |", ssh.join("id_ed25519").display());
    assert_eq!(askpass::asked(&sandbox), [question]);
    assert_eq!(sandbox.read("d/7.yaml"), b"number: 7\n");
}

#[test]
fn damaged_pgp_messages_open_nothing() {
    let (sandbox, _home, fingerprint) = with_gpg();
    sandbox.write("a.yaml", "a: 1\n");
    let locked = sandbox.ours(&["encrypt", "--pgp", &fingerprint, "a.yaml"]).text();
    let body =
        locked.split("BEGIN PGP MESSAGE-----\n\n").nth(1).unwrap().lines().nth(2).unwrap().trim().to_owned();
    for (name, changed) in [
        ("a changed line", locked.replace(&body, &body.chars().rev().collect::<String>())),
        ("no message", locked.replace("BEGIN PGP", "BEGIN")),
    ] {
        sandbox.write("locked.yaml", changed);
        let said = sandbox.ours(&["decrypt", "locked.yaml"]).fails(128);
        assert!(said.contains("failed to decrypt"), "{name}: {said}");
    }
}

#[test]
fn post_quantum_files_cross_both_ways() {
    let key = fs::read_to_string(vector("30-age-pq-hybrid/key.txt")).unwrap();
    let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let mut sandbox = Sandbox::new();
    sandbox.set_env("SOPS_AGE_KEY_FILE", vector("30-age-pq-hybrid/key.txt").to_str().unwrap());
    crosses_both_ways(&sandbox, &["--age", recipient]);
    crosses_both_ways(&sandbox, &["--age", &format!("{},{recipient}", ALICE.recipient)]);
}

#[test]
fn generated_documents_with_post_quantum_keys_cross_both_ways() {
    let key = fs::read_to_string(vector("30-age-pq-hybrid/key.txt")).unwrap();
    let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let mut crossed = 0;
    for (extension, seed) in EXTENSIONS.iter().flat_map(|it| (0..6).map(move |seed| (it, seed))) {
        let document = Document::generate(extension, 7000 + seed);
        let mut sandbox = Sandbox::new();
        sandbox.set_env("SOPS_AGE_KEY_FILE", vector("30-age-pq-hybrid/key.txt").to_str().unwrap());
        sandbox.write(".sops.yaml", document.config().replace(ALICE.recipient, recipient));
        let [plain, ours, theirs] = ["plain", "ours", "theirs"].map(|stem| format!("{stem}.{extension}"));
        sandbox.write(&plain, &document.bytes);
        sandbox.write(&ours, &document.bytes);
        let locked = sandbox.sops(&["encrypt", &plain]);
        let sealed = sandbox.ours(&["encrypt", "--allow-unencrypted", "--in-place", &ours]);
        // What either refuses, and what sops cannot read back, is no matter of keys.
        if locked.code != Some(0) || sealed.code != Some(0) {
            continue;
        }
        sandbox.write(&theirs, &locked.stdout);
        let read = sandbox.sops(&["decrypt", &theirs]);
        if read.code != Some(0) {
            continue;
        }
        assert_eq!(sandbox.ours(&["decrypt", &ours]).ok(), document.bytes, "{extension} {seed}");
        // Both MACs say that it is the same data; where comments go is tested elsewhere.
        sandbox.ours(&["decrypt", &theirs]).ok();
        sandbox.sops(&["decrypt", &ours]).ok();
        crossed += 1;
    }
    assert!(crossed >= 20, "only {crossed} of 30 documents crossed");
}
