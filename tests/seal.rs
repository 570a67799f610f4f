//! Seals and signatures: kept by every command of ours, read past by the real sops,
//! missed when it rewrote a file, checked by the real `ssh-keygen`.

use std::fs;
use std::path::Path;

use crate::testkit::sandbox::{ALICE, BOB, CAROL, Sandbox};

/// A file a format, and an index of one of its values.
const FORMATS: [(&str, &str, &str); 5] = [
    (
        "f.yaml",
        "# top\nname: a # in\nlist:\n    - one\n    # c\n    - two\nday: 2024-01-02\nclear_unencrypted: x\n",
        "[\"name\"]",
    ),
    (
        "f.json",
        "{\n\t\"a\": \"x\",\n\t\"b\": {\n\t\t\"c\": 12,\n\t\t\"d_unencrypted\": true\n\t}\n}\n",
        "[\"a\"]",
    ),
    ("f.env", "A=1\n# comment\nB=two words\nC_unencrypted=c\n", "[\"A\"]"),
    ("f.ini", "[section]\na = 1\n; comment\nb = two\n", "[\"section\"][\"a\"]"),
    ("f.bin", "anything \u{0} at all", "[\"data\"]"),
];

/// Encrypts and seals a file.
fn seal(sandbox: &Sandbox, name: &str, plain: &str) {
    sandbox.write(name, plain);
    sandbox.ours(&["encrypt", "-i", "--seal", "--age", ALICE.recipient, name]).ok();
}

fn is_sealed(sandbox: &Sandbox, name: &str) -> bool {
    String::from_utf8(sandbox.read(name)).unwrap().contains("leaflock_seal")
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    sandbox.run(Path::new("git"), arguments, b"").ok();
}

/// A repository in the working folder.
fn repository(sandbox: &Sandbox) {
    git(sandbox, &["init", "-q", "-b", "main"]);
    git(sandbox, &["config", "user.name", "t"]);
    git(sandbox, &["config", "user.email", "t@t.test"]);
}

fn commit(sandbox: &Sandbox) {
    git(sandbox, &["add", "-A"]);
    git(sandbox, &["commit", "-q", "-m", "state"]);
}

#[test]
fn sops_opens_what_is_sealed_and_every_command_keeps_the_seal() {
    for (name, plain, index) in FORMATS {
        let mut sandbox = Sandbox::with_key();
        seal(&sandbox, name, plain);
        let holds = |step: &str| {
            let strict = sandbox.ours(&["decrypt", "--strict", name]);
            assert!(strict.code == Some(0), "{name} after {step}: {}", strict.describe());
            let theirs = sandbox.sops(&["decrypt", name]);
            assert!(theirs.code == Some(0), "{name} after {step}: {}", theirs.describe());
            strict.stdout
        };
        assert_eq!(holds("encrypt"), plain.as_bytes(), "{name}");
        sandbox.ours(&["set", name, index, "\"changed\""]).ok();
        holds("set");
        sandbox.ours(&["rotate", "-i", "--yes", name]).ok();
        holds("rotate");
        sandbox.ours(&["rotate", "-i", "--add-age", BOB.recipient, name]).ok();
        holds("rotate --add-age");
        sandbox.ours(&["groups", "add", "-i", "--file", name, "--age", ALICE.recipient]).ok();
        holds("groups add");
        sandbox
            .ours(&["groups", "delete", "-i", "--shamir-secret-sharing-threshold", "1", "--file", name, "1"])
            .ok();
        holds("groups delete");
        let rule = format!("creation_rules:\n  - age: {},{}\n", ALICE.recipient, CAROL.recipient);
        sandbox.write(".sops.yaml", rule);
        sandbox.ours(&["updatekeys", "--yes", name]).ok();
        holds("updatekeys");
        if name != "f.bin" {
            sandbox.ours(&["unset", name, index]).ok();
            holds("unset");
        }
        sandbox.write("editor", "#!/bin/sh\nsed -i 's/two/three/; s/12/13/; s/changed/again/' \"$1\"\n");
        fs::set_permissions(sandbox.path("editor"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let editor = sandbox.path("editor");
        sandbox.set_env("EDITOR", editor.to_str().unwrap());
        sandbox.ours(&["edit", name]).ok();
        let verified = sandbox.ours(&["seal", "--verify", name]).text();
        assert_eq!(verified, format!("{name}: sealed\n"));
        sandbox.sops(&["decrypt", name]).ok();
    }
}

#[test]
fn a_file_without_a_seal_gets_none_on_the_side() {
    let sandbox = Sandbox::with_key();
    sandbox.write("f.yaml", "a: 1\nb: 2\n");
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    sandbox.ours(&["set", "f.yaml", "[\"a\"]", "3"]).ok();
    sandbox.write(".leaflock/config.yaml", "seal: true\n");
    let set = sandbox.ours(&["set", "f.yaml", "[\"a\"]", "4"]);
    assert!(set.stderr.contains("warning: the file has no seal"), "{}", set.describe());
    set.ok();
    assert!(!is_sealed(&sandbox, "f.yaml"));
    sandbox.ours(&["decrypt", "f.yaml"]).ok();
}

#[test]
fn new_files_are_sealed_where_the_settings_say_so() {
    let mut sandbox = Sandbox::with_key();
    sandbox.write(".leaflock/config.yaml", "# for everybody\nseal: strict\n");
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
    sandbox.write("sub/a.yaml", "a: 1\n");
    sandbox.write("sub/b.env", "B=1\n");
    sandbox.ours(&["encrypt", "-i", "sub"]).ok();
    assert!(is_sealed(&sandbox, "sub/a.yaml") && is_sealed(&sandbox, "sub/b.env"));
    let printed =
        sandbox.ours_with_stdin(&["encrypt", "--filename-override", "x.json"], b"{\"a\": 1}").text();
    assert!(printed.contains("leaflock_seal"));
    sandbox.write("c.bin", "c");
    assert!(sandbox.ours(&["encrypt", "c.bin"]).text().contains("leaflock_seal"));
    sandbox.set_env("EDITOR", "sed -i s/example/changed/g");
    sandbox.ours(&["edit", "new.yaml"]).ok();
    assert!(is_sealed(&sandbox, "new.yaml"));
    sandbox.sops(&["decrypt", "new.yaml"]).ok();
}

#[test]
fn strict_settings_flag_and_variable_refuse_a_file_without_a_seal() {
    let mut sandbox = Sandbox::with_key();
    sandbox.write("f.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    let refused = sandbox.ours(&["decrypt", "--strict", "f.yaml"]).fails(51);
    assert!(refused.starts_with("the file has no seal, and it must have one\n"), "{refused}");
    assert!(refused.contains("leaflock seal FILE"), "{refused}");
    sandbox.write(".leaflock/config.yaml", "seal: strict\n");
    let run: [&[&str]; 7] = [
        &["decrypt", "f.yaml"],
        &["decrypt", "--ignore-mac", "f.yaml"],
        &["set", "f.yaml", "[\"a\"]", "2"],
        &["unset", "f.yaml", "[\"a\"]"],
        &["run", "f.yaml", "--", "true"],
        &["exec-env", "f.yaml", "true"],
        &["exec-file", "f.yaml", "true"],
    ];
    for arguments in run {
        let refused = sandbox.ours(arguments).fails(51);
        assert!(refused.contains("no seal"), "{refused}");
    }
    let before = sandbox.read("f.yaml");
    sandbox.ours(&["rotate", "-i", "f.yaml"]).fails(51);
    assert_eq!(sandbox.read("f.yaml"), before);
    fs::remove_dir_all(sandbox.path(".leaflock")).unwrap();
    for value in ["1", "true", "seal", "signature"] {
        sandbox.set_env("LEAFLOCK_STRICT", value);
        sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    }
    sandbox.set_env("LEAFLOCK_STRICT", "0");
    sandbox.ours(&["decrypt", "f.yaml"]).ok();
    sandbox.set_env("LEAFLOCK_STRICT", "yes");
    let told = sandbox.ours(&["decrypt", "f.yaml"]).fails(1);
    assert!(told.contains("LEAFLOCK_STRICT has no such value"), "{told}");
}

#[test]
fn settings_that_are_not_known_stop_everything() {
    let sandbox = Sandbox::with_key();
    seal(&sandbox, "f.yaml", "a: 1\n");
    sandbox.write(".leaflock/config.yaml", "seal: true\nseals: strict\n");
    let told = sandbox.ours(&["decrypt", "f.yaml"]).fails(1);
    assert!(told.contains("seals is no setting") && told.contains(".leaflock/config.yaml:2"), "{told}");
    assert!(told.contains("hint: the keys are seal and sign"), "{told}");
}

#[test]
fn a_repository_ends_where_git_says_so() {
    let sandbox = Sandbox::with_key();
    sandbox.write(".leaflock/config.yaml", "seal: strict\n");
    sandbox.write("inner/f.yaml", "a: 1\n");
    sandbox.ours(&["decrypt", "inner/f.yaml"]).fails(1);
    fs::create_dir_all(sandbox.path("inner/.git")).unwrap();
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "inner/f.yaml"]).ok();
    assert!(!is_sealed(&sandbox, "inner/f.yaml"));
    sandbox.ours(&["decrypt", "inner/f.yaml"]).ok();
}

#[test]
fn what_sops_rewrote_is_told_shown_by_key_and_sealed_again() {
    for (name, plain, index) in FORMATS {
        let sandbox = Sandbox::with_key();
        repository(&sandbox);
        seal(&sandbox, name, plain);
        commit(&sandbox);
        sandbox.sops(&["set", name, index, "\"CANARY-1\""]).ok();
        assert!(!is_sealed(&sandbox, name), "{name}");
        let refused = sandbox.ours(&["decrypt", "--strict", name]).fails(51);
        assert!(refused.contains("has no seal any more: sops, or another program"), "{refused}");
        let dry = sandbox.ours(&["seal", "--dry-run", name]).text();
        assert!(dry.contains("changed since the last commit, which was sealed:\n"), "{dry}");
        assert!(dry.contains(&format!("        {index} changed\n")) && !dry.contains("CANARY"), "{dry}");
        assert!(!is_sealed(&sandbox, name));
        let asked = sandbox.ours_with_stdin(&["seal", name], b"n\n");
        assert!(asked.stderr.contains("nothing was changed"), "{}", asked.describe());
        let sealed = sandbox.ours_with_stdin(&["seal", name], b"y\n");
        assert!(sealed.stderr.contains("1 file sealed"), "{}", sealed.describe());
        sealed.ok();
        sandbox.ours(&["decrypt", "--strict", name]).ok();
        sandbox.sops(&["decrypt", name]).ok();
        let again = sandbox.ours(&["seal", "--yes", name]);
        assert!(again.stderr.contains("nothing to seal"), "{}", again.describe());
        again.ok();
    }
}

#[test]
fn a_broken_seal_is_refused_and_everything_that_changed_is_shown() {
    let sandbox = Sandbox::with_key();
    repository(&sandbox);
    seal(&sandbox, "f.yaml", "# note\nname_unencrypted: a\nport_unencrypted: 1\npassword: x\n");
    commit(&sandbox);
    let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    let changed = text
        .replace("port_unencrypted: 1", "port_unencrypted: \"1\"")
        .replace("name_unencrypted", "nom_unencrypted")
        .replace("    mac: ", "    more: 1\n    mac: ");
    sandbox.write("f.yaml", changed);
    sandbox.sops(&["decrypt", "f.yaml"]).ok();
    let refused = sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    assert!(
        refused.starts_with("the seal does not fit: the file was changed after it was sealed\n"),
        "{refused}"
    );
    sandbox.ours(&["set", "f.yaml", "[\"password\"]", "\"y\""]).fails(51);
    sandbox.ours(&["updatekeys", "--yes", "f.yaml"]).fails(1);
    let ignored = sandbox.ours(&["decrypt", "--ignore-mac", "f.yaml"]);
    assert!(ignored.stderr.contains("warning: the seal does not fit"), "{}", ignored.describe());
    ignored.ok();
    sandbox.ours(&["decrypt", "--ignore-mac", "--strict", "f.yaml"]).fails(51);
    let verified = sandbox.ours(&["seal", "--verify", "f.yaml"]);
    assert_eq!(verified.code, Some(51));
    let shown = sandbox.ours(&["seal", "--dry-run", "f.yaml"]).text();
    for line in [
        "f.yaml: the seal does not fit",
        "[\"name_unencrypted\"] removed",
        "[\"nom_unencrypted\"] added",
        "[\"port_unencrypted\"] has another type",
        "sops.more added",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn the_last_sealed_state_is_found_further_back() {
    let sandbox = Sandbox::with_key();
    repository(&sandbox);
    seal(&sandbox, "f.yaml", "a: 1\nb: 2\n");
    commit(&sandbox);
    sandbox.sops(&["set", "f.yaml", "[\"a\"]", "3"]).ok();
    commit(&sandbox);
    let shown = sandbox.ours(&["seal", "--dry-run", "f.yaml"]).text();
    assert!(shown.contains("changed since commit ") && shown.contains("[\"a\"]"), "{shown}");
    assert!(!shown.contains("[\"b\"]"), "{shown}");
    fs::remove_dir_all(sandbox.path(".git")).unwrap();
    let shown = sandbox.ours(&["seal", "--dry-run", "f.yaml"]).text();
    assert!(shown.contains("git knows no sealed state of it"), "{shown}");
}

#[test]
fn many_files_are_sealed_at_once() {
    let sandbox = Sandbox::with_key();
    repository(&sandbox);
    for (name, plain, _) in FORMATS {
        sandbox.write(name, plain);
        sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
    }
    sandbox.write("README.md", "no secret");
    commit(&sandbox);
    let sealed = sandbox.ours(&["seal", "--yes", "--all"]);
    assert!(sealed.stderr.contains("5 files sealed"), "{}", sealed.describe());
    sealed.ok();
    let verified = sandbox.ours(&["seal", "--verify", "--all"]).text();
    assert_eq!(verified.lines().count(), 5, "{verified}");
    assert!(verified.lines().all(|line| line.ends_with(": sealed")), "{verified}");
}

#[test]
fn values_that_do_not_fit_their_mac_are_never_sealed() {
    let sandbox = Sandbox::with_key();
    sandbox.write("f.yaml", "a_unencrypted: 1\nb: 2\n");
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    let text =
        String::from_utf8(sandbox.read("f.yaml")).unwrap().replace("a_unencrypted: 1", "a_unencrypted: 2");
    sandbox.write("f.yaml", &text);
    let refused = sandbox.ours(&["seal", "--yes", "f.yaml"]).fails(51);
    assert!(refused.contains("MAC mismatch"), "{refused}");
    assert_eq!(sandbox.read("f.yaml"), text.as_bytes());
}

#[test]
fn the_filter_of_git_keeps_the_seal_of_a_file_that_no_rule_is_for() {
    let sandbox = Sandbox::with_key();
    repository(&sandbox);
    seal(&sandbox, "f.yaml", "# note\na: 1\nb: 2\n");
    commit(&sandbox);
    let clean = sandbox.ours_with_stdin(&["git", "clean", "f.yaml"], b"# note\na: 1\nb: 3\n");
    sandbox.write("g.yaml", clean.ok());
    sandbox.ours(&["decrypt", "--strict", "g.yaml"]).ok();
    sandbox.sops(&["decrypt", "g.yaml"]).ok();
}

#[test]
fn check_finds_what_is_wrong_with_seals_and_signatures() {
    let mut sandbox = Sandbox::with_key();
    repository(&sandbox);
    let (ana, eve) = (signing_key(&sandbox, "ana"), signing_key(&sandbox, "eve"));
    let list = allowed_signers(&sandbox, &[("ana@example.org", &ana)]);
    sandbox.set_env("LEAFLOCK_ALLOWED_SIGNERS", &list);
    sandbox.write("bare.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "bare.yaml"]).ok();
    for (name, key) in [("good.yaml", &ana), ("eve.yaml", &eve), ("broken.yaml", &ana)] {
        seal(&sandbox, name, "# note\na: 1\n");
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", key);
        sandbox.ours(&["seal", "--yes", "--sign", name]).ok();
    }
    let text = String::from_utf8(sandbox.read("broken.yaml")).unwrap();
    sandbox.write("broken.yaml", text.replace("version: ", "more: 1\n    version: "));
    let found = |arguments: &[&str], sandbox: &Sandbox| crate::check::check(sandbox, arguments);
    assert_eq!(found(&[], &sandbox), ["bad-signature broken.yaml", "bad-signature eve.yaml"]);
    let with_key = found(&["--decrypt"], &sandbox);
    let expected = ["bad-signature broken.yaml", "broken-seal broken.yaml", "bad-signature eve.yaml"];
    let sorted =
        |list: &[&str]| std::collections::BTreeSet::from_iter(list.iter().map(|it| (*it).to_owned()));
    assert_eq!(std::collections::BTreeSet::from_iter(with_key), sorted(&expected));
    sandbox.write(".leaflock/config.yaml", "seal: strict\n");
    let strict = found(&["bare.yaml"], &sandbox);
    assert_eq!(strict, ["missing-seal bare.yaml"]);
    sandbox.write(".leaflock/config.yaml", "sign: strict\n");
    assert_eq!(found(&["bare.yaml", "good.yaml"], &sandbox), ["bad-signature bare.yaml"]);
}

/// A signing key of `name` in the sandbox's home.
fn signing_key(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.folder().join("home").join(name).to_str().unwrap().to_owned();
    sandbox
        .run(Path::new("ssh-keygen"), &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path], b"")
        .ok();
    path
}

/// A list of allowed signers in the sandbox's home.
fn allowed_signers(sandbox: &Sandbox, keys: &[(&str, &str)]) -> String {
    let line =
        |(name, key): &(&str, &str)| format!("{name} {}", fs::read_to_string(format!("{key}.pub")).unwrap());
    let path = sandbox.folder().join("home/allowed_signers");
    fs::write(&path, keys.iter().map(line).collect::<String>()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn ssh_keygen_verifies_the_signature_of_every_format_without_a_key_of_the_file() {
    for (name, plain, index) in FORMATS {
        let mut sandbox = Sandbox::with_key();
        let ana = signing_key(&sandbox, "ana");
        let list = allowed_signers(&sandbox, &[("ana@example.org", &ana)]);
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana).set_env("LEAFLOCK_ALLOWED_SIGNERS", &list);
        seal(&sandbox, name, plain);
        sandbox.ours(&["seal", "--yes", "--sign", name]).ok();
        for step in ["seal", "set", "rotate"] {
            match step {
                "set" => drop(sandbox.ours(&["set", name, index, "\"changed\""]).ok()),
                "rotate" => drop(sandbox.ours(&["rotate", "-i", name]).ok()),
                _ => {}
            }
            sandbox.sops(&["decrypt", name]).ok();
            let signature = sandbox.ours(&["seal", "--print", "signature", name]).ok();
            let signature = sandbox.write("sig", signature);
            let message = sandbox.ours(&["seal", "--print", "message", name]).ok();
            let arguments =
                ["-Y", "verify", "-f", &list, "-I", "ana@example.org", "-n", "leaflock-file@v1", "-s"];
            let arguments = [&arguments[..], &[signature.to_str().unwrap()]].concat();
            sandbox.run(Path::new("ssh-keygen"), &arguments, &message).ok();
            let without_key = {
                let mut other = Sandbox::new();
                other.set_env("LEAFLOCK_ALLOWED_SIGNERS", &list);
                other.ours(&["seal", "--verify", "--sign", sandbox.path(name).to_str().unwrap()]).text()
            };
            assert!(without_key.contains("signed by ana@example.org"), "{name} after {step}: {without_key}");
            assert!(without_key.contains("the seal was not checked"), "{without_key}");
        }
        let text = String::from_utf8(sandbox.read(name)).unwrap();
        let seal = text.find("leaflock_seal").unwrap();
        let at = seal + text[seal..].find("v1:").unwrap() + 3;
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        sandbox.write(name, format!("{}{other}{}", &text[..at], &text[at + 1..]));
        let refused = sandbox.ours(&["seal", "--verify", name]);
        let told = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert!(refused.code == Some(51) && told.contains("the signature does not fit"), "{told}");
    }
}

#[test]
fn a_file_that_somebody_forged_whole_is_refused_where_signatures_are_demanded() {
    let mut sandbox = Sandbox::with_key();
    let (ana, eve) = (signing_key(&sandbox, "ana"), signing_key(&sandbox, "eve"));
    let list = allowed_signers(&sandbox, &[("ana@example.org", &ana)]);
    sandbox.write(".leaflock/config.yaml", "seal: strict\nsign: strict\n");
    sandbox.set_env("LEAFLOCK_ALLOWED_SIGNERS", &list);
    let encrypt = ["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"];
    sandbox.write("f.yaml", "a: 1\n");
    let told = sandbox.ours(&encrypt).fails(1);
    assert!(
        told.contains("no key to sign with is chosen") && told.contains("LEAFLOCK_SIGNING_KEY"),
        "{told}"
    );
    assert_eq!(sandbox.read("f.yaml"), b"a: 1\n");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
    sandbox.ours(&encrypt).ok();
    sandbox.ours(&["decrypt", "f.yaml"]).ok();
    // Eve has the public key of Alice, and ours is her program too.
    sandbox.write("f.yaml", "a: 2\n");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &eve);
    sandbox.ours(&encrypt).ok();
    let refused = sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    assert!(
        refused.contains("signed by nobody on the list of allowed signers (ED25519 key SHA256:"),
        "{refused}"
    );
    let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    let line = text.lines().find(|line| line.contains("leaflock_signature")).unwrap();
    sandbox.write("f.yaml", text.replace(&format!("{line}\n"), ""));
    let refused = sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    assert!(refused.starts_with("the file has no signature, and it must have one that counts"), "{refused}");
    // The settings are Eve's to change; what the user asks for is not.
    sandbox.write(".leaflock/config.yaml", "seal: false\n");
    sandbox.ours(&["decrypt", "f.yaml"]).ok();
    sandbox.set_env("LEAFLOCK_STRICT", "signature");
    sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
}

#[test]
fn a_list_of_signers_from_the_repository_counts_for_nothing() {
    let mut sandbox = Sandbox::with_key();
    repository(&sandbox);
    let ana = signing_key(&sandbox, "ana");
    let list = allowed_signers(&sandbox, &[("ana@example.org", &ana)]);
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
    seal(&sandbox, "f.yaml", "a: 1\n");
    sandbox.ours(&["seal", "--yes", "--sign", "f.yaml"]).ok();
    sandbox.set_env("LEAFLOCK_STRICT", "signature");
    let refused = sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    assert!(refused.contains("no list of allowed signers is set"), "{refused}");
    let inside = sandbox.write("allowed_signers", fs::read(&list).unwrap());
    sandbox.set_env("LEAFLOCK_ALLOWED_SIGNERS", inside.to_str().unwrap());
    let refused = sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    assert!(refused.contains("the list of allowed signers is in the repository"), "{refused}");
    sandbox.set_env("LEAFLOCK_ALLOWED_SIGNERS", "/nowhere");
    sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    // git's own setting counts where it is the user's, not where it came with a clone.
    sandbox.set_env("LEAFLOCK_ALLOWED_SIGNERS", "");
    git(&sandbox, &["config", "gpg.ssh.allowedSignersFile", &list]);
    sandbox.ours(&["decrypt", "f.yaml"]).fails(51);
    git(&sandbox, &["config", "--unset", "gpg.ssh.allowedSignersFile"]);
    let global = sandbox.folder().join("home/gitconfig");
    fs::write(&global, format!("[gpg \"ssh\"]\n\tallowedSignersFile = {list}\n")).unwrap();
    sandbox.set_env("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    sandbox.ours(&["decrypt", "f.yaml"]).ok();
}

#[test]
fn git_chooses_the_key_to_sign_with() {
    let mut sandbox = Sandbox::with_key();
    let ana = signing_key(&sandbox, "ana");
    let list = allowed_signers(&sandbox, &[("ana@example.org", &ana)]);
    let global = sandbox.folder().join("home/gitconfig");
    fs::write(&global, format!("[user]\n\tsigningKey = {ana}.pub\n[gpg]\n\tformat = ssh\n")).unwrap();
    sandbox.set_env("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    sandbox.set_env("LEAFLOCK_ALLOWED_SIGNERS", &list);
    sandbox.write(".leaflock/config.yaml", "sign: true\n");
    sandbox.write("f.env", "A=1\n");
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.env"]).ok();
    let verified = sandbox.ours(&["seal", "--verify", "f.env"]).text();
    assert_eq!(verified, "f.env: sealed; signed by ana@example.org\n");
    // Without a key, a signature that nobody demands is dropped, and that is said.
    fs::write(&global, "").unwrap();
    fs::remove_dir_all(sandbox.path(".leaflock")).unwrap();
    let set = sandbox.ours(&["set", "f.env", "[\"A\"]", "\"2\""]);
    assert!(set.stderr.contains("warning: the file was signed and is not any more"), "{}", set.describe());
    let verified = sandbox.ours(&["seal", "--verify", "f.env"]).text();
    assert_eq!(verified, "f.env: sealed\n");
}

#[test]
fn a_file_that_changes_its_format_is_sealed_as_what_it_became() {
    let sandbox = Sandbox::with_key();
    seal(&sandbox, "f.json", "{\"a\": 1}");
    sandbox.ours(&["rotate", "-i", "--output-type", "yaml", "f.json"]).ok();
    sandbox.ours(&["decrypt", "--strict", "--input-type", "yaml", "f.json"]).ok();
}
