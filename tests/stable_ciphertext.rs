//! Encrypting a changed copy of a file that git holds encrypted: what did not change
//! keeps its ciphertext, byte for byte, and no nonce ever serves two plaintexts. Real
//! git holds the former versions, and the real sops reads every result.
//!
//! `LEAFLOCK_CASES` sets how many random edits are made (40), `LEAFLOCK_SEED` where
//! they begin (1).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::testkit::askpass;
use super::testkit::gpg::GpgHome;
use super::testkit::plugin::{self, Plugin};
use super::testkit::rng::Rng;
use super::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};

/// Random edits of a run that nobody asked to be long.
const SHORT: u64 = 40;
/// Edits that a file gets, one after the other.
const EDITS: u64 = 10;

/// A repository whose rule is for Alice.
fn repository() -> Sandbox {
    let sandbox = Sandbox::with_key();
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
    git(&sandbox, &["init", "-q", "-b", "main"]).ok();
    git(&sandbox, &["config", "user.name", "t"]).ok();
    git(&sandbox, &["config", "user.email", "t@t.test"]).ok();
    sandbox
}

fn git(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.run(Path::new("git"), arguments, b"")
}

fn commit(sandbox: &Sandbox) {
    git(sandbox, &["add", "-A"]).ok();
    git(sandbox, &["commit", "-q", "--allow-empty", "-m", "state"]).ok();
}

/// Encrypts in place; what was said.
fn encrypt(sandbox: &Sandbox, name: &str) -> String {
    let done = sandbox.ours(&["encrypt", "-i", name]);
    assert_eq!(done.code, Some(0), "{}", done.describe());
    done.stderr
}

/// The lines that git sees changed in the working copy: added, and taken away.
fn changed(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let diff = git(sandbox, &["diff", "-U0", "--no-ext-diff", "--", name]).text();
    let is_change =
        |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++ ") && !line.starts_with("--- ");
    diff.lines().filter(is_change).map(str::to_owned).collect()
}

/// The tokens of a file, by their nonces: ciphertext, tag and type. One nonce in two
/// places of a file is a fault by itself.
fn tokens(file: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let text = String::from_utf8_lossy(file);
    for token in text.split("ENC[AES256_GCM,").skip(1) {
        let token = &token[..token.find(']').unwrap()];
        let (data, rest) = token.split_once(",iv:").unwrap();
        let (nonce, rest) = rest.split_once(",tag:").unwrap();
        let former = found.insert(nonce.to_owned(), format!("{data} {rest}"));
        assert!(former.is_none(), "a nonce stands in two places of\n{text}");
    }
    found
}

/// A file in the making: what it holds, in order.
#[derive(Clone)]
struct Model {
    extension: &'static str,
    entries: Vec<Entry>,
    /// Keys that were taken out, with their values, to come back.
    gone: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    key: String,
    comment: Option<String>,
    content: Content,
}

#[derive(Clone)]
enum Content {
    One(Leaf),
    Many(Vec<Leaf>),
    Map(Vec<(String, Leaf)>),
}

fn choice<'a, T>(all: &'a mut [T], rng: &mut Rng) -> &'a mut T {
    let at = rng.below(all.len());
    &mut all[at]
}

/// A type and the text of a value.
type Leaf = (&'static str, String);

impl Model {
    fn new(extension: &'static str, rng: &mut Rng) -> Self {
        let mut model = Self { extension, entries: Vec::new(), gone: Vec::new() };
        for number in 0..rng.within(3, 9) {
            let entry = model.entry(format!("k{number}"), rng);
            model.entries.push(entry);
        }
        model
    }

    fn nests(&self) -> bool {
        matches!(self.extension, "yaml" | "json")
    }

    /// Few texts, so that values meet each other again.
    fn leaf(&self, rng: &mut Rng) -> Leaf {
        let number = rng.below(4).to_string();
        if !self.nests() {
            return ("str", number);
        }
        match rng.below(6) {
            0 => ("int", number),
            1 => ("float", format!("{number}.5")),
            2 => ("bool", (if rng.chance(50) { "true" } else { "false" }).to_owned()),
            _ => ("str", number),
        }
    }

    fn entry(&self, key: String, rng: &mut Rng) -> Entry {
        let content = match rng.below(if self.nests() { 3 } else { 1 }) {
            0 => Content::One(self.leaf(rng)),
            1 => Content::Many((0..rng.within(1, 4)).map(|_| self.leaf(rng)).collect()),
            _ => Content::Map((0..rng.within(1, 3)).map(|it| (format!("n{it}"), self.leaf(rng))).collect()),
        };
        let comment = (self.extension != "json" && rng.chance(40)).then(|| format!("c{}", rng.below(3)));
        Entry { key, comment, content }
    }

    /// One random edit, and its name.
    fn edit(&mut self, rng: &mut Rng) -> &'static str {
        let at = rng.below(self.entries.len());
        let leaf = self.leaf(rng);
        match rng.below(10) {
            0 => "nothing",
            1 => {
                let content = &mut self.entries[at].content;
                match content {
                    Content::One(old) => *old = leaf,
                    Content::Many(leaves) => *choice(leaves, rng) = leaf,
                    Content::Map(pairs) => choice(pairs, rng).1 = leaf,
                }
                "another value, perhaps of another type"
            }
            2 => {
                let key = format!("k{}", 20 + rng.below(1000));
                if self.entries.iter().all(|entry| entry.key != key) {
                    let entry = self.entry(key, rng);
                    self.entries.insert(at, entry);
                }
                "a key more"
            }
            3 if self.entries.len() > 1 => {
                self.gone.push(self.entries.remove(at));
                "a key less"
            }
            4 => {
                if let Some(entry) =
                    self.gone.pop().filter(|gone| self.entries.iter().all(|it| it.key != gone.key))
                {
                    self.entries.insert(at, entry);
                }
                "a removed key comes back"
            }
            5 => {
                let other = rng.below(self.entries.len());
                let content = self.entries[at].content.clone();
                self.entries[at].content = std::mem::replace(&mut self.entries[other].content, content);
                "two keys swap their values"
            }
            6 => {
                let other = rng.below(self.entries.len());
                self.entries.swap(at, other);
                "two keys swap places"
            }
            7 => {
                if let Content::Many(leaves) = &mut self.entries[at].content {
                    if rng.chance(60) || leaves.len() == 1 {
                        leaves.insert(0, leaf)
                    } else {
                        drop(leaves.remove(0))
                    }
                }
                "the elements of a list shift"
            }
            8 if self.extension != "json" => {
                self.entries[at].comment = rng.chance(70).then(|| format!("c{}", rng.below(3)));
                "another comment"
            }
            _ => {
                let copy = self.entries[rng.below(self.entries.len())].content.clone();
                self.entries[at].content = copy;
                "a value is copied to another key"
            }
        }
    }

    /// The plain file.
    fn text(&self) -> String {
        let quoted = |(kind, text): &Leaf| if *kind == "str" { format!("\"{text}\"") } else { text.clone() };
        let mut out = String::new();
        if self.extension == "json" {
            let object = |pairs: Vec<String>| format!("{{{}}}", pairs.join(", "));
            let value = |content: &Content| match content {
                Content::One(leaf) => quoted(leaf),
                Content::Many(leaves) => {
                    format!("[{}]", leaves.iter().map(quoted).collect::<Vec<_>>().join(", "))
                }
                Content::Map(pairs) => {
                    object(pairs.iter().map(|(key, leaf)| format!("\"{key}\": {}", quoted(leaf))).collect())
                }
            };
            let lines: Vec<String> =
                self.entries.iter().map(|it| format!("\t\"{}\": {}", it.key, value(&it.content))).collect();
            return format!("{{\n{}\n}}\n", lines.join(",\n"));
        }
        if self.extension == "ini" {
            out.push_str("[section]\n");
        }
        for Entry { key, comment, content } in &self.entries {
            if let Some(comment) = comment {
                let _ = writeln!(out, "{}{comment}", if self.extension == "ini" { "; " } else { "#" });
            }
            let _ = match content {
                Content::One(leaf) if self.extension == "yaml" => writeln!(out, "{key}:   {}", quoted(leaf)),
                Content::One((_, text)) if self.extension == "ini" => writeln!(out, "{key} = {text}"),
                Content::One((_, text)) => writeln!(out, "{key}={text}"),
                Content::Many(leaves) => {
                    let lines: String = leaves.iter().map(|leaf| format!("- {}\n", quoted(leaf))).collect();
                    write!(out, "{key}:\n{lines}")
                }
                Content::Map(pairs) => {
                    let lines: String =
                        pairs.iter().map(|(key, leaf)| format!("    {key}: {}\n", quoted(leaf))).collect();
                    write!(out, "{key}:\n{lines}")
                }
            };
        }
        out
    }

    /// How often each path holds each value; comments belong to the whole file.
    fn leaves(&self) -> BTreeMap<(String, &'static str, String), usize> {
        let mut found = BTreeMap::new();
        let mut add =
            |path: String, (kind, text): &Leaf| *found.entry((path, *kind, text.clone())).or_default() += 1;
        for Entry { key, comment, content } in &self.entries {
            if let Some(comment) = comment {
                add(String::new(), &("comment", comment.clone()));
            }
            match content {
                Content::One(leaf) => add(key.clone(), leaf),
                Content::Many(leaves) => leaves.iter().for_each(|leaf| add(key.clone(), leaf)),
                Content::Map(pairs) => {
                    pairs.iter().for_each(|(below, leaf)| add(format!("{key}:{below}"), leaf))
                }
            }
        }
        found
    }
}

/// How many values and comments two states share.
fn shared(one: &Model, other: &Model) -> usize {
    let other = other.leaves();
    one.leaves().iter().map(|(leaf, count)| *count.min(other.get(leaf).unwrap_or(&0))).sum()
}

#[test]
fn unchanged_values_keep_their_ciphertext_and_no_nonce_is_used_twice() {
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(default);
    let (first, cases): (u64, u64) = (number("LEAFLOCK_SEED", 1), number("LEAFLOCK_CASES", SHORT));
    let formats = ["yaml", "json", "env", "ini"];
    for file in 0..cases.div_ceil(EDITS) {
        let seed = first + file;
        let mut rng = Rng::new(seed);
        edits_of_one_file(formats[(seed % 4) as usize], EDITS.min(cases - file * EDITS), &mut rng, seed);
    }
}

fn edits_of_one_file(extension: &'static str, edits: u64, rng: &mut Rng, seed: u64) {
    let sandbox = repository();
    let name = format!("secrets.{extension}");
    let mut model = Model::new(extension, rng);
    sandbox.write(&name, model.text());
    encrypt(&sandbox, &name);
    commit(&sandbox);
    // Every token that was ever written.
    let mut ever = tokens(&sandbox.read(&name));
    for step in 0..edits {
        let former = (model.clone(), sandbox.read(&name));
        let mut done = vec![model.edit(rng)];
        (0..rng.below(3)).for_each(|_| done.push(model.edit(rng)));
        let told = format!("seed {seed}, step {step}: {done:?}\n{}", model.text());
        sandbox.write(&name, model.text());
        assert_eq!(encrypt(&sandbox, &name), "", "{told}");
        let now = sandbox.read(&name);
        let plain = sandbox.ours(&["decrypt", &name]).text();
        assert_eq!(plain, model.text(), "{told}");
        sandbox.sops(&["decrypt", &name]).ok();
        let (old, new) = (tokens(&former.1), tokens(&now));
        // The MAC has a token too, which is kept where nothing changed.
        let kept = new.keys().filter(|nonce| old.contains_key(*nonce)).count();
        let shared = shared(&former.0, &model);
        assert!(kept >= shared, "{told}{kept} tokens are kept of {shared}");
        assert!(kept <= shared + 1, "{told}{kept} tokens are kept of {shared}");
        if former.0.text() == model.text() {
            assert!(now == former.1, "{told}nothing changed but the file");
        }
        if former.0.leaves() != model.leaves() {
            assert_eq!(kept, shared, "{told}a MAC is kept");
        }
        for (nonce, token) in new {
            let known = ever.entry(nonce).or_insert_with(|| token.clone());
            assert_eq!(*known, token, "{told}one nonce, two ciphertexts");
        }
        // What is next is built on the index or on HEAD.
        match rng.below(3) {
            0 => git(&sandbox, &["add", &name]).ok(),
            1 => {
                commit(&sandbox);
                Vec::new()
            }
            _ => {
                git(&sandbox, &["add", &name]).ok();
                git(&sandbox, &["commit", "-q", "--allow-empty", "-m", "state"]).ok();
                git(&sandbox, &["rm", "-q", "--cached", &name]).ok()
            }
        };
    }
}

/// A file of many values in two forms: plain and encrypted, which is committed.
fn thousand(sandbox: &Sandbox) -> String {
    let plain: String = (0..1000).map(|it| format!("key{it}: \"value {it}\"  # about {it}\n")).collect();
    sandbox.write("secrets.yaml", &plain);
    encrypt(sandbox, "secrets.yaml");
    commit(sandbox);
    plain
}

#[test]
fn one_changed_value_of_a_thousand_changes_one_value_line() {
    let sandbox = repository();
    let plain = thousand(&sandbox);
    sandbox.ours(&["decrypt", "-i", "secrets.yaml"]).ok();
    assert_eq!(encrypt(&sandbox, "secrets.yaml"), "");
    assert_eq!(git(&sandbox, &["diff", "--stat"]).text(), "");
    // To standard output as well, whose former version is the file's own.
    let printed = {
        sandbox.write("secrets.yaml", &plain);
        sandbox.ours(&["encrypt", "secrets.yaml"]).ok()
    };
    sandbox.write("secrets.yaml", &printed);
    assert_eq!(git(&sandbox, &["diff", "--stat"]).text(), "");
    sandbox.write("secrets.yaml", plain.replace("\"value 500\"", "\"another\""));
    assert_eq!(encrypt(&sandbox, "secrets.yaml"), "");
    let lines = changed(&sandbox, "secrets.yaml");
    let of = |key: &str| lines.iter().filter(|line| line[1..].trim_start().starts_with(key)).count();
    assert_eq!((of("key500:"), of("mac:")), (2, 2), "{lines:?}");
    assert_eq!(of("lastmodified:") + 4, lines.len(), "{lines:?}");
    // A change of the layout is no change of a value: the MAC stays too.
    git(&sandbox, &["checkout", "-q", "secrets.yaml"]).ok();
    sandbox.write("secrets.yaml", plain.replace("key7: ", "\nkey7:    "));
    encrypt(&sandbox, "secrets.yaml");
    assert_eq!(changed(&sandbox, "secrets.yaml").len(), 3);
    sandbox.sops(&["decrypt", "secrets.yaml"]).ok();
}

#[test]
fn what_sops_wrote_is_built_on_too() {
    let sandbox = repository();
    sandbox.write("a.yaml", "# about\na: 1\nb:\n    - x\n    - x # second\n");
    sandbox.sops(&["encrypt", "-i", "a.yaml"]).ok();
    commit(&sandbox);
    sandbox.ours(&["decrypt", "-i", "a.yaml"]).ok();
    assert_eq!(encrypt(&sandbox, "a.yaml"), "");
    assert_eq!(git(&sandbox, &["diff", "--stat"]).text(), "");
    let plain = sandbox.sops(&["decrypt", "a.yaml"]).text();
    sandbox.write("a.yaml", plain.replace("a: 1", "a: 2"));
    assert_eq!(encrypt(&sandbox, "a.yaml"), "");
    let lines = changed(&sandbox, "a.yaml");
    assert!(
        lines.iter().all(|line| ["a:", "mac:", "lastmodified:"]
            .iter()
            .any(|key| line[1..].trim_start().starts_with(key))),
        "{lines:?}"
    );
}

#[test]
fn a_note_says_why_a_file_is_encrypted_anew() {
    let sandbox = repository();
    let plain = "a: one\nb: two\n";
    sandbox.write("a.yaml", plain);
    encrypt(&sandbox, "a.yaml");
    commit(&sandbox);
    let old = tokens(&sandbox.read("a.yaml"));
    let fresh = |sandbox: &Sandbox, arguments: &[&str], why: &str| {
        sandbox.write("a.yaml", plain);
        let done = sandbox.ours(&[&["encrypt", "-i", "a.yaml"], arguments].concat());
        assert_eq!((done.code, done.stderr.trim()), (Some(0), why), "{}", done.describe());
        let new = tokens(&sandbox.read("a.yaml"));
        assert!(new.keys().all(|nonce| !old.contains_key(nonce)), "something is kept: {arguments:?}");
    };
    fresh(&sandbox, &["--fresh"], "");
    let for_bob = "note: everything is encrypted anew: it is for other recipients than its former version";
    fresh(&sandbox, &["--age", BOB.recipient], for_bob);
    let both = format!("{},{}", ALICE.recipient, BOB.recipient);
    fresh(&sandbox, &["--age", &both], for_bob);
    let rule =
        "note: everything is encrypted anew: its rule selects other values than that of its former version";
    fresh(&sandbox, &["--unencrypted-regex", "^z"], rule);
    // Under the name sops everything is, as sops does it.
    sandbox.write("a.yaml", plain);
    let sops = sandbox.path("sops");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leaflock"), &sops).unwrap();
    assert_eq!(sandbox.run(&sops, &["encrypt", "-i", "a.yaml"], b"").ok(), b"");
    assert!(tokens(&sandbox.read("a.yaml")).keys().all(|nonce| !old.contains_key(nonce)));
    // A version that somebody tampered with is none to build on.
    let held = git(&sandbox, &["show", "HEAD:a.yaml"]).text();
    let lines: Vec<&str> = held.lines().collect();
    sandbox.write("a.yaml", [&[lines[0]], &lines[2..]].concat().join("\n") + "\n");
    git(&sandbox, &["add", "a.yaml"]).ok();
    let mac = "note: everything is encrypted anew: its former version does not decrypt, or has a MAC of other values";
    fresh(&sandbox, &[], mac);
    // Without a key.
    git(&sandbox, &["reset", "-q", "--hard"]).ok();
    fs::remove_dir_all(sandbox.folder().join("home/.config")).unwrap();
    let key =
        "note: everything is encrypted anew: no identity opens its former version without asking somebody";
    fresh(&sandbox, &[], key);
}

#[test]
fn what_git_holds_in_clear_or_not_at_all_is_passed_over_in_silence() {
    let sandbox = repository();
    sandbox.write("a.yaml", "a: one\n");
    commit(&sandbox);
    assert_eq!(encrypt(&sandbox, "a.yaml"), "");
    sandbox.write("new.yaml", "a: one\n");
    assert_eq!(encrypt(&sandbox, "new.yaml"), "");
    // Encrypted in HEAD and, by mistake, in clear in the index: HEAD counts.
    commit(&sandbox);
    let held = sandbox.read("a.yaml");
    sandbox.write("a.yaml", "a: one\n");
    git(&sandbox, &["add", "a.yaml"]).ok();
    assert_eq!(encrypt(&sandbox, "a.yaml"), "");
    assert_eq!(sandbox.read("a.yaml"), held);
}

#[test]
fn a_named_file_is_built_on_without_git() {
    let sandbox = Sandbox::with_key();
    sandbox.write("plain.yaml", "a: one\nb: two\n");
    let make =
        |arguments: &[&str]| sandbox.ours(&[&["encrypt", "--age", ALICE.recipient], arguments].concat());
    make(&["--output", "old.yaml", "plain.yaml"]).ok();
    let old = sandbox.read("old.yaml");
    assert_eq!(make(&["--onto", "old.yaml", "plain.yaml"]).ok(), old);
    sandbox.write("plain.yaml", "a: one\nb: three\n");
    make(&["--onto", "old.yaml", "--output", "old.yaml", "plain.yaml"]).ok();
    let (before, after) = (tokens(&old), tokens(&sandbox.read("old.yaml")));
    assert_eq!(after.keys().filter(|nonce| before.contains_key(*nonce)).count(), 1);
    assert!(make(&["--onto", "nowhere.yaml", "plain.yaml"]).fails(100).contains("nowhere.yaml"));
    let said = make(&["-i", "--onto", "plain.yaml", "plain.yaml"]);
    assert!(said.stderr.contains("the file of --onto is not encrypted"), "{}", said.describe());
    assert!(make(&["--onto", "old.yaml", "--fresh", "plain.yaml"]).fails(8).contains("--fresh"));
    assert!(make(&["-i", "--onto", "old.yaml", "."]).fails(1).contains("one file"));
}

#[test]
fn an_output_file_is_built_on_its_own_former_version() {
    let sandbox = repository();
    sandbox.write("locked.yaml", "a: one\nb: two\n");
    encrypt(&sandbox, "locked.yaml");
    sandbox.write(".gitignore", "plain.yaml\n");
    commit(&sandbox);
    sandbox.write("plain.yaml", "a: one\nb: two\n");
    sandbox.ours(&["encrypt", "--output", "locked.yaml", "plain.yaml"]).ok();
    assert_eq!(git(&sandbox, &["status", "--porcelain"]).text(), "");
    let stdin =
        sandbox.ours_with_stdin(&["encrypt", "--filename-override", "locked.yaml"], b"a: one\nb: two\n");
    assert_eq!(stdin.ok(), sandbox.read("locked.yaml"));
}

#[test]
fn a_batch_in_worktrees_and_odd_places_is_stable() {
    let sandbox = repository();
    let names = ["a b.yaml", "d/ключ.json", "d/c\tt.env", "d/-x.ini", "d/blob.bin", "d/:0:y.yaml"];
    let texts = [
        "a: 1\nb: [x, x]\n",
        "{\"a\": null, \"b\": 1.50}",
        "A=1\n",
        "[s]\na = 1\n",
        "\u{0}\u{1}bytes",
        "a: b\n",
    ];
    names.iter().zip(texts).for_each(|(name, text)| drop(sandbox.write(name, text)));
    sandbox.ours(&["encrypt", "-i", "a b.yaml", "d/*"]).ok();
    for name in names {
        assert!(!tokens(&sandbox.read(name)).is_empty(), "{name}");
    }
    commit(&sandbox);
    git(&sandbox, &["worktree", "add", "-q", "../tree"]).ok();
    let linked = sandbox.folder().join("tree");
    for folder in [sandbox.path(""), linked] {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        sandbox.ours(&["decrypt", "-i", &path("a b.yaml"), &path("d/*")]).ok();
        let all = sandbox.ours(&["encrypt", "-i", &path("a b.yaml"), &path("d/*")]);
        assert_eq!((all.code, all.stderr.trim()), (Some(0), "6 files encrypted"), "{}", all.describe());
        assert_eq!(git(&sandbox, &["-C", &path(""), "status", "--porcelain"]).text(), "");
    }
    let all: BTreeSet<String> =
        names.iter().flat_map(|name| tokens(&sandbox.read(name)).into_keys()).collect();
    assert!(all.len() > names.len());
}

/// Encrypts a file for `keys`, commits it, and encrypts it once more; what was said.
fn twice(sandbox: &Sandbox, name: &str, keys: &[&str]) -> String {
    sandbox.write(name, "a: one\n");
    let arguments = [&["encrypt", "-i", name], keys].concat();
    sandbox.ours(&arguments).ok();
    commit(sandbox);
    sandbox.write(name, "a: one\n");
    let done = sandbox.ours(&arguments);
    assert_eq!(done.code, Some(0), "{}", done.describe());
    done.stderr
}

#[test]
fn nobody_is_asked_and_no_command_is_run_for_it() {
    const WHY: &str = "note: everything is encrypted anew: no identity opens its former version without asking \
                       somebody\n";
    let mut sandbox = repository();
    let program = askpass::program(&sandbox, "echo 'pass word'");
    sandbox.set_env("LEAFLOCK_ASKPASS", &program);
    sandbox.set_env("SOPS_AGE_KEY_CMD", "touch ran");
    assert_eq!(twice(&sandbox, "bob.yaml", &["--age", BOB.recipient]), WHY);
    let plugin = Plugin::install(&mut sandbox);
    assert_eq!(twice(&sandbox, "plugin.yaml", &["--age", plugin::RECIPIENT]), WHY);
    assert!(!plugin.log().iter().any(|line| line == "unwrap"));
    // An SSH key with a passphrase.
    let ssh = sandbox.folder().join("home/.ssh/id_ed25519");
    fs::create_dir_all(ssh.parent().unwrap()).unwrap();
    let locked = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/age/id_ed25519_locked");
    fs::copy(locked, &ssh).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o600)).unwrap();
    let public = ["-y", "-P", "pass word", "-f", ssh.to_str().unwrap()];
    let recipient = sandbox.run(Path::new("ssh-keygen"), &public, b"").text();
    assert_eq!(twice(&sandbox, "ssh.yaml", &["--age", recipient.trim()]), WHY);
    // PGP keys: one with a passphrase, which its agent does not know, and one without.
    let home = GpgHome::new();
    let fingerprint = home.generate_locked("locked", "pass word");
    let log = sandbox.path("pinentry.log");
    home.pinentry(&log, "D pass word");
    sandbox.set_env("GNUPGHOME", home.path());
    assert_eq!(twice(&sandbox, "pgp.yaml", &["--pgp", &fingerprint]), WHY);
    let open = home.generate("open");
    assert_eq!(twice(&sandbox, "open.yaml", &["--pgp", &open]), "");
    assert_eq!(git(&sandbox, &["diff", "--name-only", "open.yaml"]).text(), "");
    assert!(!log.exists() && !sandbox.path("ran").exists());
    assert_eq!(askpass::asked(&sandbox), [""; 0]);
}

#[test]
fn key_groups_are_built_on_while_they_are_the_same() {
    let sandbox = repository();
    let rule = |threshold: u8, third: &str| {
        format!(
            "creation_rules:\n  - shamir_threshold: {threshold}\n    key_groups:\n      - age: [{0}]\n      - age: \
             [{1}, {0}]\n      - age: [{third}]\n",
            ALICE.recipient, BOB.recipient
        )
    };
    sandbox.write(".sops.yaml", rule(2, BOB.recipient));
    assert_eq!(twice(&sandbox, "a.yaml", &[]), "");
    assert_eq!(git(&sandbox, &["diff", "--name-only"]).text(), "");
    for other in [rule(3, BOB.recipient), rule(2, CAROL.recipient)] {
        sandbox.write(".sops.yaml", other);
        sandbox.write("a.yaml", "a: one\n");
        assert!(encrypt(&sandbox, "a.yaml").contains("other recipients"));
        git(&sandbox, &["checkout", "-q", "a.yaml"]).ok();
    }
}
