//! `doctor` finds what is wrong with keys, names the command that mends it, and
//! shows no secret; `who` and the errors call keys by their names.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::testkit::gpg::GpgHome;
use super::testkit::plugin::{IDENTITY, Plugin, RECIPIENT};
use super::testkit::sandbox::{ALICE, BOB, Sandbox};

/// What is wrong, and how it is mended: one line a problem.
fn problems(sandbox: &Sandbox) -> String {
    let done = sandbox.ours(&["doctor"]);
    let text = String::from_utf8(done.stdout).unwrap();
    let wrong = text.split("\nWrong\n").nth(1).unwrap_or_default();
    assert_eq!(done.code, Some(i32::from(!wrong.is_empty())), "{text}");
    for identity in [ALICE.identity, BOB.identity, IDENTITY] {
        let secret = identity.lines().last().unwrap();
        assert!(!text.contains(secret), "{text}");
    }
    wrong.replace("\n    mend: ", " → ")
}

#[test]
fn each_fault_comes_with_the_command_that_mends_it() {
    let mut sandbox = Sandbox::new();
    assert!(problems(&sandbox).contains("there is no age identity in any place → leaflock init"));
    let keys = sandbox.folder().join("home/.config/sops/age/keys.txt");
    fs::create_dir_all(keys.parent().unwrap()).unwrap();
    let set = |text: &str, mode| {
        fs::write(&keys, text).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(ALICE.identity, 0o600);
    assert_eq!(problems(&sandbox), "");
    set(ALICE.identity, 0o644);
    let expected = format!("others than its owner can read it (mode 0644) → chmod 600 {}", keys.display());
    assert!(problems(&sandbox).contains(&expected), "{}", problems(&sandbox));
    set("nonsense\n", 0o600);
    assert!(problems(&sandbox).contains("unknown identity type at line 1 → correct that line"));
    set("# nothing\n", 0o600);
    assert!(problems(&sandbox).contains("holds no identity → age-keygen >>"));
    set(&format!("{IDENTITY}\n"), 0o600);
    assert!(problems(&sandbox).contains("age-plugin-test is not on the search path"));
    set(ALICE.identity, 0o600);
    sandbox.set_env("SOPS_AGE_KEY_FILE", "/nowhere/keys.txt");
    assert!(problems(&sandbox).contains("→ unset SOPS_AGE_KEY_FILE, or let it name"));
    sandbox.set_env("SOPS_AGE_KEY_FILE", keys.to_str().unwrap());
    sandbox.write(".leaflock/names", format!("{}\n", ALICE.recipient));
    assert!(problems(&sandbox).contains("line 1: this names nobody"));
    sandbox.write(".leaflock/names", format!("{} Alice\n", ALICE.recipient));
    sandbox.write(".sops.yaml", "creation_rules: 5\n");
    assert!(problems(&sandbox).contains(".sops.yaml, line 1: error loading config"));
}

#[test]
fn files_are_listed_with_what_opens_them() {
    let mut sandbox = Sandbox::new();
    let plugin = Plugin::install(&mut sandbox);
    let home = GpgHome::new();
    let fingerprint = home.generate("Throw Away <throw@away.test>");
    sandbox.adopt(home);
    let encrypt = |name: &str, keys: &[&str]| {
        sandbox.write(name, "a: 1\n");
        sandbox.ours(&[&["encrypt", "-i"], keys, &[name]].concat()).ok();
    };
    encrypt("a.yaml", &["--age", ALICE.recipient]);
    encrypt("b.yaml", &["--age", BOB.recipient]);
    encrypt("p.yaml", &["--age", RECIPIENT]);
    encrypt("g.yaml", &["--pgp", &fingerprint]);
    plugin.log();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity.lines().last().unwrap());
    sandbox.write(".leaflock/names", format!("{} Bob Example\n{fingerprint} Gpg Person\n", BOB.recipient));
    let text = sandbox.ours(&["doctor"]).text();
    for line in [
        "  2 of 4 encrypted files here can be opened",
        "  a.yaml: opens with SOPS_AGE_KEY",
        "  b.yaml: closed; ask Bob Example",
        "  p.yaml: perhaps, with ",
        "  g.yaml: opens with gpg",
        "  age-plugin-test: /",
        "Nothing is wrong",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(plugin.log(), Vec::<String>::new());
    let json: serde_json::Value = serde_json::from_slice(&sandbox.ours(&["doctor", "--json"]).ok()).unwrap();
    assert_eq!(json["files"][0]["opens"], "yes");
    assert_eq!(json["gpg"]["keys"][0], fingerprint.as_str());
    let said = sandbox.ours(&["decrypt", "b.yaml"]).fails(128);
    assert!(said.contains(&format!("\n  {} (Bob Example)\n", BOB.recipient)), "{said}");
    let who = sandbox.ours(&["who", "g.yaml"]).text();
    assert_eq!(who, format!("g.yaml\n  pgp   {fingerprint} (Gpg Person)\n"));
    assert_eq!(sandbox.ours(&["who", "--recipient", "gpg person"]).text(), "g.yaml\n");
}
