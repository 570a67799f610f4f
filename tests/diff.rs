//! What changed in encrypted files: git's own commands through `leaflock textconv`,
//! and `leaflock diff`, in real repositories. Nothing decrypted gets into git's
//! objects, and no file makes git fail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::testkit::askpass;
use super::testkit::generate::{Document, EXTENSIONS};
use super::testkit::sandbox::{ALICE, BOB, Output, Sandbox};

/// In no output that needs no key.
const CANARY: &str = "Zq7kW9xV2mT4bN8";

/// A repository whose rule is for Alice, with the driver.
fn repository() -> Sandbox {
    let sandbox = Sandbox::with_key();
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
    sandbox.write(".gitattributes", "*.yaml diff=leaflock\n*.env diff=leaflock\n");
    let driver = format!("{} textconv", env!("CARGO_BIN_EXE_leaflock"));
    git(&sandbox, &["init", "-q", "-b", "main"]).ok();
    for (name, value) in [("user.name", "t"), ("user.email", "t@t.test"), ("diff.leaflock.textconv", &driver)]
    {
        git(&sandbox, &["config", name, value]).ok();
    }
    commit(&sandbox, "start");
    sandbox
}

fn git(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.run(Path::new("git"), arguments, b"")
}

fn commit(sandbox: &Sandbox, message: &str) {
    git(sandbox, &["add", "-A"]).ok();
    git(sandbox, &["commit", "-q", "--allow-empty", "-m", message]).ok();
}

/// Writes a plain file and encrypts it in place.
fn locked(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.write(name, text);
    sandbox.ours(&["encrypt", "-i", name]).ok();
}

fn without_key(sandbox: &Sandbox) {
    fs::remove_dir_all(sandbox.folder().join("home/.config")).unwrap();
}

/// No value is in any object of git.
fn assert_no_leak(sandbox: &Sandbox, values: &[&str]) {
    let objects = git(sandbox, &["cat-file", "--batch-all-objects", "--batch"]).ok();
    let objects = String::from_utf8_lossy(&objects);
    for value in values {
        assert!(!objects.contains(value), "{value} is in an object of git");
    }
}

#[test]
fn git_reads_encrypted_files() {
    let sandbox = repository();
    locked(&sandbox, "s.yaml", "a: alpha\nb: beta\n");
    commit(&sandbox, "one");
    locked(&sandbox, "s.yaml", "a: alpha\nb: gamma\n");
    commit(&sandbox, "two");
    let show = git(&sandbox, &["show", "-U0", "HEAD"]).text();
    assert!(show.contains("\n-b: beta\n+b: gamma\n") && !show.contains("mac"), "{show}");
    let log = git(&sandbox, &["log", "-p", "s.yaml"]).text();
    assert!(log.contains("+a: alpha\n+b: beta\n+# leaflock: encrypted for age age1"), "{log}");
    let blame = git(&sandbox, &["blame", "s.yaml"]).text();
    let authors: Vec<&str> = blame.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(blame.contains("b: gamma") && authors[0] != authors[1] && authors[0] == authors[2], "{blame}");
    // Recipients are part of what is reviewed.
    let both = format!("{},{}", ALICE.recipient, BOB.recipient);
    sandbox.ours(&["rotate", "-i", "--accept-recipients", "--add-age", BOB.recipient, "s.yaml"]).ok();
    let diff = git(&sandbox, &["diff", "-U0"]).text();
    let lines: Vec<&str> = diff.lines().filter(|line| line.starts_with(['+', '-'])).skip(2).collect();
    assert_eq!(lines, [format!("+# leaflock: encrypted for age {}", BOB.recipient)], "{both}");
    // What is in clear where it was encrypted shows.
    sandbox.ours(&["decrypt", "-i", "s.yaml"]).ok();
    let diff = git(&sandbox, &["diff", "-U0"]).text();
    assert!(diff.contains(&format!("-# leaflock: encrypted for age {}", ALICE.recipient)), "{diff}");
    git(&sandbox, &["checkout", "-q", "s.yaml"]).ok();
    without_key(&sandbox);
    let log = git(&sandbox, &["log", "-p", "-U0", "-1", "s.yaml"]).text();
    let changed: Vec<&str> = log.lines().filter(|line| line.starts_with(['+', '-'])).skip(2).collect();
    assert!(
        matches!(changed[..], [one, other] if one.starts_with("-b: ENC[str, 4 bytes, ") && other.starts_with("+b: ENC[str, 5 bytes, ")),
        "{log}"
    );
    assert_no_leak(&sandbox, &["alpha", "beta", "gamma"]);
}

#[test]
fn every_file_has_a_text() {
    let sandbox = repository();
    let text = |name: &str| {
        let output = sandbox.ours(&["textconv", name]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{name}: {}", output.describe());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for plain in ["", "a: 1\n", "sops: 1\n", "a: [\n", "# sops and lastmodified", "\u{0}\u{1}"] {
        sandbox.write("plain.yaml", plain);
        assert_eq!(text("plain.yaml"), plain);
    }
    locked(&sandbox, "s.yaml", &format!("a: {CANARY}\nb: 2"));
    let whole = String::from_utf8(sandbox.read("s.yaml")).unwrap();
    let trailer = format!("# leaflock: encrypted for age {}\n", ALICE.recipient);
    assert_eq!(text("s.yaml"), format!("a: {CANARY}\nb: 2\n# leaflock: no line break at the end\n{trailer}"));
    // Whatever the name, as far as the bytes tell.
    for (format, plain) in [
        ("yaml", "a: 1\n"),
        ("json", "{\n\t\"a\": 1\n}\n"),
        ("dotenv", "A=1\n"),
        ("ini", "[s]\na = 1\n"),
        ("binary", "any\n"),
    ] {
        sandbox.write("named.conf", plain);
        let typed = ["--input-type", format, "--output-type", format];
        sandbox.ours(&[&["encrypt", "-i"][..], &typed, &["named.conf"]].concat()).ok();
        assert_eq!(text("named.conf"), format!("{plain}{trailer}"), "{format}");
    }
    sandbox.write("blob.bin", b"\x00\x01\x02");
    sandbox.ours(&["encrypt", "-i", "blob.bin"]).ok();
    assert!(text("blob.bin").starts_with("ENC[str, 3 bytes, "));
    // Damaged ones.
    let edited = whole.replacen("b: ENC[AES256_GCM,data:", "b: ENC[AES256_GCM,data:AAAA", 1);
    sandbox.write("edited.yaml", &edited);
    let edited = text("edited.yaml");
    assert!(edited.contains("# leaflock: the value at [\"b\"], line 2, does not decrypt\n"), "{edited}");
    let lines: Vec<&str> = whole.lines().collect();
    sandbox.write("cut.yaml", [&lines[..1], &lines[2..]].concat().join("\n"));
    let cut = text("cut.yaml");
    assert!(
        cut.starts_with(&format!("a: {CANARY}\n")) && cut.contains("# leaflock: its MAC does not fit"),
        "{cut}"
    );
    sandbox.write("broken.yaml", whole.replacen("a: ", "a: [", 1));
    let broken = text("broken.yaml");
    assert!(broken.starts_with("a: [ENC[str, 15 bytes, "), "{broken}");
    assert!(broken.ends_with("# leaflock: it does not read as an encrypted file\n"), "{broken}");
    let both = format!(
        "<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n{}\n",
        lines[0],
        lines[0],
        lines[1..].join("\n")
    );
    sandbox.write("conflict.yaml", both);
    assert!(text("conflict.yaml").ends_with("# leaflock: it holds the markers of a conflict\n"));
    without_key(&sandbox);
    let unknown = text("s.yaml");
    assert!(
        unknown.starts_with("a: ENC[str, 15 bytes, ")
            && unknown.ends_with("# leaflock: no identity here opens it\n"),
        "{unknown}"
    );
    assert!(sandbox.ours(&["textconv", "nowhere"]).fails(100).contains("nowhere"));
}

#[test]
fn a_text_is_what_was_encrypted() {
    let sandbox = repository();
    for extension in EXTENSIONS {
        for seed in 40..52 {
            let document = Document::generate(extension, seed);
            let name = format!("d.{extension}");
            sandbox.write(".sops.yaml", document.config());
            sandbox.write(&name, &document.bytes);
            if sandbox.ours(&["encrypt", "-i", "--allow-unencrypted", &name]).code != Some(0) {
                continue;
            }
            let plain = sandbox.ours(&["decrypt", &name]).ok();
            let text = sandbox.ours(&["textconv", &name]).ok();
            let is_text = !plain[..plain.len().min(8000)].contains(&0);
            assert!(!is_text || text.starts_with(&plain), "{extension} {seed}");
        }
    }
}

#[test]
fn differences_apply_as_patches() {
    let sandbox = repository();
    let long: String = (0..200).map(|it| format!("key{it}: value {it}\n")).collect();
    let states = [
        "a: 1\n".to_owned(),
        long.clone(),
        long.replace("value 7\n", "other\n").replace("key150", "renamed"),
        long.replace("key0: value 0\n", "").trim_end().to_owned(),
        format!("# first\n{long}last: [1, 2]\n"),
    ];
    for pair in states.windows(2) {
        locked(&sandbox, "s.yaml", &pair[0]);
        commit(&sandbox, "old");
        locked(&sandbox, "s.yaml", &pair[1]);
        for context in ["0", "3", "10"] {
            let patch = sandbox.ours(&["diff", "-U", context]).text();
            sandbox.write("elsewhere/s.yaml", &pair[0]);
            sandbox.write("patch", &patch);
            let apply = ["apply", "--unidiff-zero", "--whitespace=nowarn", "--directory=elsewhere", "patch"];
            git(&sandbox, &apply).ok();
            assert_eq!(sandbox.read("elsewhere/s.yaml"), pair[1].as_bytes(), "{patch}");
        }
        fs::remove_dir_all(sandbox.path("elsewhere")).unwrap();
        fs::remove_file(sandbox.path("patch")).unwrap();
        commit(&sandbox, "new");
    }
}

#[test]
fn states_are_picked_as_git_does() {
    let sandbox = repository();
    locked(&sandbox, "d/s.yaml", "a: one\n");
    sandbox.write("plain.yaml", "x: 1\n");
    commit(&sandbox, "one");
    git(&sandbox, &["tag", "first"]).ok();
    locked(&sandbox, "d/s.yaml", "a: two\n");
    sandbox.write("plain.yaml", "x: 2\n");
    commit(&sandbox, "two");
    locked(&sandbox, "d/s.yaml", "a: three\n");
    git(&sandbox, &["add", "-A"]).ok();
    locked(&sandbox, "d/s.yaml", "a: four\n");
    let pair = |arguments: &[&str]| {
        let diff = sandbox.ours(&[&["diff"], arguments].concat()).text();
        let lines = diff
            .lines()
            .filter(|line| line.starts_with(['+', '-']) && !line.contains(" a/") && !line.contains(" b/"));
        lines.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(pair(&[]), "-a: three +a: four");
    assert_eq!(pair(&["--staged"]), "-a: two +a: three");
    assert_eq!(pair(&["--cached", "first"]), "-a: one +a: three");
    assert_eq!(pair(&["HEAD"]), "-a: two +a: four");
    assert_eq!(pair(&["first..HEAD"]), "-a: one +a: two");
    assert_eq!(pair(&["first", "HEAD", "d"]), "-a: one +a: two");
    assert_eq!(pair(&["first...main", "--", "d/s.yaml"]), "-a: one +a: two");
    assert_eq!(pair(&["--", "d"]), "-a: three +a: four");
    assert_eq!(pair(&["plain.yaml"]), "");
    let from_below = sandbox.run(
        Path::new("sh"),
        &["-c", &format!("cd d && {} diff s.yaml", env!("CARGO_BIN_EXE_leaflock"))],
        b"",
    );
    assert!(from_below.text().contains("--- a/d/s.yaml\n+++ b/d/s.yaml\n"));
    let code = |arguments: &[&str]| sandbox.ours(&[&["diff"], arguments].concat()).code;
    assert_eq!(code(&["--exit-code"]), Some(1));
    assert_eq!(code(&["--exit-code", "--", "plain.yaml"]), Some(0));
    assert_eq!(code(&["--quiet", "HEAD", "HEAD"]), Some(0));
    let quiet = sandbox.ours(&["diff", "--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.len(), quiet.stderr.as_str()), (Some(1), 0, ""));
    for wrong in [
        &["nowhere"][..],
        &["first", "HEAD", "third"],
        &["--unified", "x"],
        &["--color", "blue"],
        &["--staged", "first", "HEAD"],
    ] {
        let said = sandbox.ours(&[&["diff"], wrong].concat()).fails(128);
        assert!(!said.is_empty(), "{wrong:?}");
    }
    assert!(Sandbox::new().ours(&["diff"]).fails(128).contains("no git repository is here"));
}

#[test]
fn files_that_come_go_and_move_are_told() {
    let sandbox = repository();
    let plain: String = (0..30).map(|it| format!("key{it}: value {it}\n")).collect();
    locked(&sandbox, "old.yaml", &plain);
    locked(&sandbox, "gone.yaml", "a: 1\n");
    sandbox.write("late.yaml", "a: 1\n");
    locked(&sandbox, "bare.yaml", "a: 1\n");
    commit(&sandbox, "one");
    fs::rename(sandbox.path("old.yaml"), sandbox.path("moved.yaml")).unwrap();
    fs::remove_file(sandbox.path("gone.yaml")).unwrap();
    locked(&sandbox, "late.yaml", "a: 1\nb: 2\n");
    sandbox.ours(&["decrypt", "-i", "bare.yaml"]).ok();
    locked(&sandbox, "new.yaml", "n: 1\n");
    git(&sandbox, &["add", "-A"]).ok();
    let names = sandbox.ours(&["diff", "--staged", "--names"]).text();
    let expected = format!(
        "bare.yaml\n  now in clear: it was encrypted\ngone.yaml\n  deleted file\n  removed       [\"a\"]\nlate.yaml\n  now \
         encrypted: it was in clear\n  recipient added: age {0}\n  added         [\"b\"]\nmoved.yaml\n  rename from \
         old.yaml\n  rename to moved.yaml\nnew.yaml\n  new file\n  recipient added: age {0}\n  added         [\"n\"]\n",
        ALICE.recipient
    );
    assert_eq!(names, expected);
    let text = sandbox.ours(&["diff", "--staged"]).text();
    for part in [
        "--- a/gone.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-a: 1\n",
        "--- /dev/null\n+++ b/new.yaml\n@@ -0,0 +1 @@\n+n: 1\n",
        "+b: 2\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn ciphertext_alone_tells_what_changed_and_no_value() {
    let sandbox = repository();
    sandbox.write(".leaflock/names", format!("{} Bob\n", BOB.recipient));
    locked(
        &sandbox,
        "s.yaml",
        &format!("# c{CANARY}\na: {CANARY}\nb: x{CANARY}\nlist: [a, b, c]\nkeep: 1\n"),
    );
    commit(&sandbox, "one");
    locked(
        &sandbox,
        "s.yaml",
        &format!("# d{CANARY}\nb: y{CANARY}\nlist: [c, a, b, d]\nkeep: 1\na: {CANARY}\nmore: {CANARY}\n"),
    );
    commit(&sandbox, "two");
    sandbox.ours(&["rotate", "-i", "--accept-recipients", "--add-age", BOB.recipient, "s.yaml"]).ok();
    commit(&sandbox, "three");
    // Rules are not looked at, and no key is needed.
    sandbox.write(".sops.yaml", "creation_rules: [\n");
    let with_key = sandbox.ours(&["diff", "--names", "HEAD~2", "HEAD~1"]).text();
    without_key(&sandbox);
    let names = sandbox.ours(&["diff", "--names", "HEAD~2", "HEAD~1"]).text();
    assert_eq!(names, with_key);
    let expected = "s.yaml\n  changed       a comment, line 1\n  changed       [\"b\"]\n  moved         [\"list\"][2] to \
                    [\"list\"][0]\n  added         [\"list\"][3]\n  moved         [\"a\"]\n  added         [\"more\"]\n";
    assert_eq!(names, expected);
    let rotated = sandbox.ours(&["diff", "--names", "HEAD~1", "HEAD"]).text();
    let expected = format!(
        "s.yaml\n  recipient added: age {} (Bob)\n  new data key\n  all 9 values and comments have new ciphertext\n",
        BOB.recipient
    );
    assert_eq!(rotated, expected);
    // Without a key the other form shows the same.
    let fallback = sandbox.ours(&["diff", "HEAD~2", "HEAD~1"]);
    assert!(fallback.stderr.contains("s.yaml: no identity here opens it"), "{}", fallback.describe());
    assert!(fallback.text().contains("\nchanged       [\"b\"]\n"));
    let json = sandbox.ours(&["diff", "--json", "HEAD~2", "HEAD"]).text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let file = &json["files"][0];
    assert_eq!((&json["version"], &file["path"]), (&1.into(), &"s.yaml".into()));
    assert_eq!((&file["recipients_added"][0]["name"], &file["all_anew"]), (&"Bob".into(), &7.into()));
    for text in [names, rotated, json.to_string()] {
        assert!(!text.contains(&CANARY[..6]), "{text}");
    }
}

#[test]
fn rules_and_groups_that_changed_are_told() {
    let sandbox = repository();
    locked(&sandbox, "s.yaml", "a: 1\nb: 2\n");
    commit(&sandbox, "one");
    sandbox.write("s.yaml", "a: 1\nb: 2\n");
    sandbox.ours(&["encrypt", "-i", "--encrypted-regex", "^a$", "--mac-only-encrypted", "s.yaml"]).ok();
    let names = sandbox.ours(&["diff", "--names"]).text();
    let expected = "s.yaml\n  rule: encrypted_regex '^a$', mac_only_encrypted, was the default\n  new data key\n  now in \
                    clear  [\"b\"]\n  all 1 values and comments have new ciphertext\n";
    assert_eq!(names, expected);
    let text = git(&sandbox, &["diff", "-U0"]).text();
    assert!(text.contains("+# leaflock: encrypted_regex '^a$'\n+# leaflock: mac_only_encrypted\n"), "{text}");
}

#[test]
fn conflicts_and_damage_end_nothing() {
    let sandbox = repository();
    locked(&sandbox, "s.yaml", "a: 1\n");
    commit(&sandbox, "one");
    git(&sandbox, &["checkout", "-q", "-b", "other"]).ok();
    locked(&sandbox, "s.yaml", "a: 2\n");
    commit(&sandbox, "two");
    git(&sandbox, &["checkout", "-q", "main"]).ok();
    locked(&sandbox, "s.yaml", "a: 3\n");
    commit(&sandbox, "three");
    assert_eq!(git(&sandbox, &["merge", "other"]).code, Some(1));
    let during = sandbox.ours(&["diff", "s.yaml"]);
    assert!(during.stderr.contains("it holds the markers of a conflict"), "{}", during.describe());
    assert!(during.text().contains("unmerged"));
    git(&sandbox, &["diff"]).ok();
    git(&sandbox, &["reset", "-q", "--hard"]).ok();
    sandbox.write("s.yaml", String::from_utf8(sandbox.read("s.yaml")).unwrap().replace("a: ENC", "a: [ENC"));
    let broken = sandbox.ours(&["diff"]);
    assert!(broken.stderr.contains("does not read as an encrypted file"), "{}", broken.describe());
    assert!(broken.text().contains("it does not read as an encrypted file any more"));
    commit(&sandbox, "four");
    assert!(
        git(&sandbox, &["log", "-p"]).text().contains("# leaflock: it does not read as an encrypted file")
    );
    assert!(sandbox.ours(&["diff", "HEAD~1", "HEAD"]).text().contains("s.yaml"));
}

#[test]
fn textconv_asks_nobody_and_diff_asks_once() {
    let mut sandbox = repository();
    let ssh = sandbox.folder().join("home/.ssh/id_ed25519");
    fs::create_dir_all(ssh.parent().unwrap()).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/age/id_ed25519_locked"), &ssh).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o600)).unwrap();
    let public = ["-y", "-P", "pass word", "-f", ssh.to_str().unwrap()];
    let recipient = sandbox.run(Path::new("ssh-keygen"), &public, b"").text();
    let program = askpass::program(&sandbox, "echo 'pass word'");
    sandbox.set_env("LEAFLOCK_ASKPASS", &program);
    let encrypt = |sandbox: &Sandbox, value: &str| {
        for name in ["a.yaml", "b.yaml", "c.yaml"] {
            sandbox.write(name, format!("a: {value}\n"));
            sandbox.ours(&["encrypt", "-i", "--age", recipient.trim(), name]).ok();
        }
    };
    encrypt(&sandbox, "one");
    commit(&sandbox, "one");
    encrypt(&sandbox, "two");
    assert!(git(&sandbox, &["diff"]).text().contains("+a: ENC[str, 3 bytes, "));
    assert_eq!(askpass::asked(&sandbox), [""; 0]);
    let diff = sandbox.ours(&["diff"]).text();
    assert_eq!(diff.matches("-a: one\n+a: two\n").count(), 3, "{diff}");
    assert_eq!(askpass::asked(&sandbox).len(), 1);
}
