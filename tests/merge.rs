//! Merging: random histories of two branches, merged as plain texts and by real git in
//! real repositories, with the real `sops` as a reader of what comes out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use leaflock::domain::document::values::plain_values;
use leaflock::domain::merge::{Before, Wishes, merge};
use leaflock::domain::store::splice::apply;
use leaflock::domain::store::{Format, Purpose};
use leaflock::domain::tree::{Flags, Kind, NodeId};
use leaflock::domain::value::Value;

use super::testkit::generate::Document;
use super::testkit::history::{History, values};
use super::testkit::rng::Rng;
use super::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};

/// How many histories are made where a process each is not too slow.
fn count(usual: u64) -> u64 {
    std::env::var("LEAFLOCK_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn branches_that_touch_different_keys_always_merge() {
    for seed in 0..count(3000) {
        let history = History::new(seed, false);
        let told = || {
            let History { base, ours, theirs, .. } = &history;
            format!("seed {seed}\n--- base\n{base}\n--- ours\n{ours}\n--- theirs\n{theirs}")
        };
        let before = Before::Text(history.base.as_bytes());
        let wishes = Wishes::default();
        let merged =
            merge(history.format, before, history.ours.as_bytes(), history.theirs.as_bytes(), wishes);
        let merged = merged.unwrap_or_else(|error| panic!("{error}\n{}", told()));
        assert!(merged.conflicts.is_empty(), "{:?}\n{}", merged.conflicts, told());
        let text = String::from_utf8(merged.ours.to_vec()).unwrap();
        assert!(values(history.format, &text) == history.merged, "{}\n--- merged\n{text}", told());
        for line in text.lines().filter(|line| line.trim_start().starts_with(['#', ';'])) {
            assert!(history.ours.contains(line) || history.theirs.contains(line), "{line}\n{}", told());
        }
    }
}

#[test]
fn exactly_the_clashing_keys_are_conflicts() {
    let mut clashing = 0;
    for seed in 0..count(2000) {
        let history = History::new(seed, true);
        let before = Before::Text(history.base.as_bytes());
        let wishes = Wishes::default();
        let (ours, theirs) = (history.ours.as_bytes(), history.theirs.as_bytes());
        let merged = merge(history.format, before, ours, theirs, wishes).unwrap();
        let found: BTreeSet<String> = merged.conflicts.iter().map(|it| it.path.clone()).collect();
        let History { base, ours, theirs, clashes, .. } = &history;
        assert!(
            found == *clashes,
            "seed {seed}: {found:?}\n{clashes:?}\n{base}\n--- ours\n{ours}\n--- theirs\n{theirs}"
        );
        clashing += clashes.len();
    }
    assert!(clashing > 500, "only {clashing} clashes");
}

/// Documents as strange as the generators make them: two values change, one on each side.
/// What merges is right; what is too strange to be merged by its keys is a conflict.
#[test]
fn strange_documents_are_never_merged_wrong() {
    for extension in ["yaml", "json", "env", "ini"] {
        let format = Format::of_path(&format!("x.{extension}"));
        let store = format.store();
        let (mut made, mut merged_by_keys) = (0, 0);
        for seed in 0..count(1000) {
            let mut rng = Rng::new(seed);
            let source = Document::generate(extension, 5_000_000 + seed).bytes;
            let Ok(tree) = store.read(&source, Purpose::Encrypt) else { continue };
            let is_value = |id: &NodeId| {
                let node = tree.node(*id);
                node.kind == Kind::Scalar
                    && !node.flags.has(Flags::SHADOWED)
                    && !node.flags.has(Flags::METADATA)
            };
            let ids: Vec<NodeId> = (0..tree.nodes.len() as NodeId).filter(is_value).collect();
            if ids.len() < 2 {
                continue;
            }
            let (one, two) = (*rng.pick(&ids), *rng.pick(&ids));
            let edits = |id, text: &str| store.replace(&tree, id, &Value::text(text)).unwrap_or_default();
            let (first, second) = (edits(one, "one side"), edits(two, "the other"));
            if one == two || first.is_empty() || second.is_empty() {
                continue;
            }
            let [ours, theirs] = [&first, &second].map(|edits| apply(&source, edits.clone()));
            let both = apply(&source, [first, second].concat());
            let Ok(expected) = store.read(&both, Purpose::Encrypt) else { continue };
            let result = merge(format, Before::Text(&source), &ours, &theirs, Wishes::default());
            let Ok(result) = result else { continue };
            made += 1;
            if result.conflicts.is_empty() {
                merged_by_keys += 1;
                let text = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\n", "\n");
                let found = store.read(&result.ours, Purpose::Encrypt).unwrap();
                let (found, expected) = (plain_values(store, &found), plain_values(store, &expected));
                let same =
                    found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| a.same_data(b));
                assert!(same, "seed {seed}\n{}\n---\n{}", text(&source), text(&result.ours));
            }
        }
        assert!(
            made > 100 && merged_by_keys * 10 >= made * 8,
            "{extension}: {merged_by_keys} of {made} merged"
        );
    }
}

/// A repository in a sandbox, with the driver.
struct Repository {
    sandbox: Sandbox,
}

impl Repository {
    fn new() -> Self {
        let mut sandbox = Sandbox::with_key();
        for (name, value) in [
            ("GIT_AUTHOR_NAME", "t"),
            ("GIT_AUTHOR_EMAIL", "t@example.org"),
            ("GIT_COMMITTER_NAME", "t"),
            ("GIT_COMMITTER_EMAIL", "t@example.org"),
        ] {
            sandbox.set_env(name, value);
        }
        let repository = Self { sandbox };
        repository.git(&["init", "-q", "-b", "main"]);
        let driver = format!("{} merge --marker-size=%L --path=%P %O %A %B", env!("CARGO_BIN_EXE_leaflock"));
        repository.git(&["config", "merge.leaflock.driver", &driver]);
        repository.sandbox.write(".gitattributes", "*.yaml merge=leaflock\n*.json merge=leaflock\n*.env merge=leaflock\n*.ini merge=leaflock\n*.bin merge=leaflock\n");
        repository
    }

    fn try_git(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(Path::new("git"), arguments, b"")
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments).text()
    }

    #[track_caller]
    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Encrypts a new file for some recipients.
    #[track_caller]
    fn encrypt(&self, name: &str, text: &str, recipients: &str) {
        self.sandbox.write(name, text);
        let _ = self.sandbox.ours(&["encrypt", "-i", "--age", recipients, name]).ok();
    }

    /// Makes `text` of an encrypted file, as an editor does.
    #[track_caller]
    fn edit(&mut self, name: &str, text: &str) {
        if self.plain(name) == text {
            return;
        }
        let plain = self.sandbox.folder().join("tmp/plain");
        fs::write(&plain, text).unwrap();
        self.sandbox.set_env("SOPS_EDITOR", &format!("cp {}", plain.display()));
        let _ = self.sandbox.ours(&["edit", name]).ok();
    }

    #[track_caller]
    fn set(&self, name: &str, index: &str, value: &str) {
        let _ = self.sandbox.ours(&["set", name, index, value]).ok();
    }

    #[track_caller]
    fn plain(&self, name: &str) -> String {
        self.sandbox.ours(&["decrypt", name]).text()
    }

    /// Commits a base, and a change on each of two branches; leaves `main` checked out.
    fn part(
        &mut self,
        base: impl FnOnce(&mut Self),
        ours: impl FnOnce(&mut Self),
        theirs: impl FnOnce(&mut Self),
    ) {
        base(self);
        self.commit("base");
        self.git(&["checkout", "-q", "-b", "other"]);
        theirs(self);
        self.commit("theirs");
        self.git(&["checkout", "-q", "main"]);
        ours(self);
        self.commit("ours");
    }

    /// Every object of the repository, as it is.
    fn objects(&self) -> Vec<u8> {
        let listed = self.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
        let output = self.sandbox.run(Path::new("git"), &["cat-file", "--batch"], listed.as_bytes());
        output.ok()
    }
}

const TEXT: &str =
    "# Shop\nhost: db.internal # by hand\nport: 5432\npassword: s3cr3t\nusers:\n  - ann\n  - bob\nlast: 1\n";

#[test]
fn git_merges_random_histories_and_sops_reads_the_results() {
    /// How many are in one repository.
    const TOGETHER: usize = 40;
    for first in (0..count(TOGETHER as u64)).step_by(TOGETHER) {
        git_merges(first..first + TOGETHER as u64);
    }
}

/// Merges the histories of these seeds in one repository.
fn git_merges(seeds: std::ops::Range<u64>) {
    let mut repository = Repository::new();
    let histories: Vec<History> = seeds.map(|seed| History::new(seed, false)).collect();
    let name = |at: usize| format!("h{at}/{}", histories[at].name());
    let all = |repository: &mut Repository, text: &dyn Fn(&History) -> String| {
        for (at, history) in histories.iter().enumerate() {
            repository.edit(&name(at), &text(history));
        }
    };
    repository.part(
        |repository| {
            for (at, history) in histories.iter().enumerate() {
                repository.sandbox.write(&name(at), &history.base);
            }
            let encrypt = ["encrypt", "-i", "--age", ALICE.recipient, "."];
            let _ = repository.sandbox.ours(&encrypt).ok();
        },
        |repository| all(repository, &|history| history.ours.clone()),
        |repository| all(repository, &|history| history.theirs.clone()),
    );
    repository.git(&["merge", "-q", "-m", "merge", "other"]);
    for (at, history) in histories.iter().enumerate() {
        let name = name(at);
        let ours = repository.plain(&name);
        assert!(values(history.format, &ours) == history.merged, "{name}: {ours}");
        let sops = repository.sandbox.sops(&["decrypt", &name]).text();
        assert!(values(history.format, &sops) == history.merged, "{name}: {sops}");
        // What did not change keeps its ciphertext.
        let text = String::from_utf8(repository.sandbox.read(&name)).unwrap();
        let [one, other] =
            ["HEAD^1", "HEAD^2"].map(|side| repository.git(&["show", &format!("{side}:{name}")]));
        let tokens = |text: &str| -> BTreeSet<String> {
            text.split("ENC[").skip(1).filter_map(|rest| Some(rest.split_once(']')?.0.to_owned())).collect()
        };
        let (one, other) = (tokens(&one), tokens(&other));
        let new =
            tokens(&text).iter().filter(|token| !one.contains(*token) && !other.contains(*token)).count();
        assert!(new <= 2, "{name}: {new} new tokens beside the MAC");
    }
}

#[test]
fn a_conflict_names_its_keys_and_is_solved() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, ALICE.recipient),
        |it| {
            it.edit(
                "s.yaml",
                &TEXT.replace("5432", "canary-ours").replace("s3cr3t", "canary-one").replace("ann", "amy"),
            )
        },
        |it| {
            it.edit(
                "s.yaml",
                &TEXT
                    .replace("5432", "canary-theirs")
                    .replace("s3cr3t", "canary-two")
                    .replace("last: 1", "last: 2"),
            )
        },
    );
    let output = repository.try_git(&["merge", "other"]);
    let said = output.stderr.clone() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.code, Some(1), "{said}");
    assert!(said.contains("s.yaml: 2 conflicts\n  [\"port\"]: changed on both sides\n  [\"password\"]: changed on both sides\n"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    assert!(repository.git(&["status", "--porcelain"]).contains("UU s.yaml"));
    // Each side of the markers alone is a whole file, for sops too.
    let marked = String::from_utf8(repository.sandbox.read("s.yaml")).unwrap();
    let split = leaflock::domain::merge::split(marked.as_bytes()).unwrap();
    for (side, port) in [(&split.ours, "canary-ours"), (&split.theirs, "canary-theirs")] {
        repository.sandbox.write("side.yaml", &side[..]);
        let text = repository.sandbox.sops(&["decrypt", "side.yaml"]).text();
        assert!(text.contains(port) && text.contains("amy") && text.contains("last: 2"), "{text}");
    }
    fs::remove_file(repository.sandbox.path("side.yaml")).unwrap();
    let left = repository.sandbox.ours(&["resolve", "--theirs", "port", "s.yaml"]).fails(1);
    assert!(
        left.contains("1 conflict left") && left.contains("[\"password\"]") && !left.contains("port"),
        "{left}"
    );
    let solved = repository.sandbox.ours(&["resolve", "--ours", "[\"password\"]", "s.yaml"]);
    assert!(solved.stderr.contains("git add s.yaml"), "{}", solved.describe());
    repository.git(&["add", "s.yaml"]);
    repository.git(&["commit", "-q", "-m", "merge"]);
    let expected = TEXT
        .replace("5432", "canary-theirs")
        .replace("s3cr3t", "canary-one")
        .replace("ann", "amy")
        .replace("last: 1", "last: 2");
    assert_eq!(repository.plain("s.yaml"), expected);
    let objects = repository.objects();
    let canary = b"canary";
    assert!(!objects.windows(canary.len()).any(|window| window == canary));
}

#[test]
fn every_command_of_git_that_merges_calls_the_driver() {
    for command in [
        &["merge", "-q", "-m", "m", "other"][..],
        &["rebase", "-q", "other"],
        &["cherry-pick", "other"],
        &["pull", "-q", "--no-rebase", "--no-edit", ".", "other"],
        &["checkout", "-q", "--merge", "other"],
        &["stash", "apply", "-q"],
    ] {
        let mut repository = Repository::new();
        repository.part(
            |it| it.encrypt("deep/s.yaml", TEXT, ALICE.recipient),
            |it| it.edit("deep/s.yaml", &TEXT.replace("5432", "1")),
            |it| it.edit("deep/s.yaml", &TEXT.replace("s3cr3t", "2")),
        );
        if command[0] == "checkout" {
            // Uncommitted changes are merged into the branch.
            repository.git(&["reset", "-q", "--soft", "HEAD^"]);
            repository.git(&["reset", "-q"]);
        }
        if command[0] == "stash" {
            repository.git(&["reset", "-q", "--soft", "HEAD^"]);
            repository.git(&["stash", "-q"]);
            repository.git(&["merge", "-q", "other"]);
        }
        let output = repository.try_git(command);
        assert_eq!(output.code, Some(0), "{}", output.describe());
        let plain = repository.plain("deep/s.yaml");
        assert_eq!(plain, TEXT.replace("5432", "1").replace("s3cr3t", "2"), "{command:?}");
        let _ = repository.sandbox.sops(&["decrypt", "deep/s.yaml"]).ok();
    }
}

#[test]
fn a_linked_work_tree_merges_too() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("deep/s.yaml", TEXT, ALICE.recipient),
        |it| it.edit("deep/s.yaml", &TEXT.replace("5432", "1")),
        |it| it.edit("deep/s.yaml", &TEXT.replace("s3cr3t", "2")),
    );
    repository.git(&["worktree", "add", "-q", "-b", "linked", "linked", "main"]);
    repository.git(&["-C", "linked", "merge", "-q", "-m", "m", "other"]);
    assert_eq!(repository.plain("linked/deep/s.yaml"), TEXT.replace("5432", "1").replace("s3cr3t", "2"));
    repository.set("linked/deep/s.yaml", "[\"port\"]", "7");
    repository.git(&["-C", "linked", "commit", "-q", "-a", "-m", "seven"]);
    repository.set("deep/s.yaml", "[\"port\"]", "8");
    repository.commit("eight");
    let said = repository.try_git(&["-C", "linked", "merge", "-q", "-m", "m", "main"]).fails(1);
    assert!(said.contains("[\"port\"]"), "{said}");
    let _ = repository.sandbox.ours(&["resolve", "--all-theirs", "linked/deep/s.yaml"]).ok();
    assert_eq!(repository.plain("linked/deep/s.yaml"), TEXT.replace("5432", "8").replace("s3cr3t", "2"));
}

#[test]
fn a_change_is_reverted_below_another() {
    let repository = Repository::new();
    repository.encrypt("s.yaml", TEXT, ALICE.recipient);
    repository.commit("base");
    repository.set("s.yaml", "[\"port\"]", "1");
    repository.commit("one");
    repository.set("s.yaml", "[\"password\"]", "\"two\"");
    repository.commit("two");
    repository.git(&["revert", "--no-edit", "HEAD^"]);
    assert_eq!(repository.plain("s.yaml"), TEXT.replace("s3cr3t", "two"));
}

#[test]
fn merge_tree_and_octopus_merges_and_renames() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, ALICE.recipient),
        |it| it.edit("s.yaml", &TEXT.replace("5432", "1")),
        |it| {
            it.git(&["mv", "s.yaml", "moved.yaml"]);
            it.edit("moved.yaml", &TEXT.replace("s3cr3t", "2"));
        },
    );
    let tree = repository.git(&["merge-tree", "--write-tree", "main", "other"]);
    let text = repository.git(&["cat-file", "blob", &format!("{}:moved.yaml", tree.trim())]);
    repository.sandbox.write("tree.yaml", text);
    let expected = TEXT.replace("5432", "1").replace("s3cr3t", "2");
    assert_eq!(repository.plain("tree.yaml"), expected);
    fs::remove_file(repository.sandbox.path("tree.yaml")).unwrap();
    repository.git(&["merge", "-q", "-m", "m", "other"]);
    assert_eq!(repository.plain("moved.yaml"), expected);
    for (branch, index) in [("x", "[\"last\"]"), ("y", "[\"host\"]"), ("z", "[\"new\"]")] {
        repository.git(&["checkout", "-q", "-b", branch, "main"]);
        repository.set("moved.yaml", index, "\"new\"");
        repository.commit(branch);
    }
    repository.git(&["checkout", "-q", "main"]);
    // Octopus merges know no drivers: git refuses them, and merges one branch at a time.
    let before = repository.git(&["rev-parse", "HEAD"]);
    assert_ne!(repository.try_git(&["merge", "-q", "-m", "octopus", "x", "y", "z"]).code, Some(0));
    repository.git(&["reset", "-q", "--merge", "HEAD"]);
    assert_eq!(repository.git(&["rev-parse", "HEAD"]), before);
    for branch in ["x", "y", "z"] {
        repository.git(&["merge", "-q", "-m", "m", branch]);
    }
    let expected = expected.replace("last: 1", "last: new\nnew: new").replace("db.internal", "new");
    assert_eq!(repository.plain("moved.yaml"), expected);
}

/// Two branches that merged each other crosswise, with a conflict each solved its own way:
/// the base that git makes of their two bases has that conflict in it.
#[test]
fn a_base_with_conflicts_is_no_reason_to_guess() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, ALICE.recipient),
        |it| it.set("s.yaml", "[\"port\"]", "1"),
        |it| it.set("s.yaml", "[\"port\"]", "2"),
    );
    repository.git(&["branch", "first", "main"]);
    repository.git(&["branch", "second", "other"]);
    let _ = repository.try_git(&["merge", "-q", "-m", "m", "second"]).fails(1);
    let _ = repository.sandbox.ours(&["resolve", "--all-ours", "s.yaml"]).ok();
    repository.commit("ours wins");
    repository.set("s.yaml", "[\"host\"]", "\"h\"");
    repository.commit("more");
    repository.git(&["checkout", "-q", "other"]);
    let _ = repository.try_git(&["merge", "-q", "-m", "m", "first"]).fails(1);
    let _ = repository.sandbox.ours(&["resolve", "--all-ours", "s.yaml"]).ok();
    repository.commit("theirs wins");
    repository.set("s.yaml", "[\"last\"]", "9");
    repository.commit("more");
    let said = repository.try_git(&["merge", "-q", "-m", "m", "main"]).fails(1);
    assert!(said.contains("s.yaml: 1 conflict\n  [\"port\"]"), "{said}");
    let _ = repository.sandbox.ours(&["resolve", "--theirs", "port", "s.yaml"]).ok();
    let expected = TEXT.replace("5432", "1").replace("last: 1", "last: 9").replace("db.internal", "h");
    assert_eq!(repository.plain("s.yaml"), expected);
}

#[test]
fn recipients_merge_on_the_safe_side() {
    let mut repository = Repository::new();
    let two = format!("{},{}", ALICE.recipient, BOB.recipient);
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, &two),
        |it| {
            let _ = it.sandbox.ours(&["rotate", "-i", "--add-age", CAROL.recipient, "s.yaml"]).ok();
        },
        |it| {
            let _ = it.sandbox.ours(&["rotate", "-i", "--rm-age", BOB.recipient, "s.yaml"]).ok();
            it.set("s.yaml", "[\"port\"]", "1");
        },
    );
    repository.git(&["merge", "-q", "-m", "m", "other"]);
    assert_eq!(repository.plain("s.yaml"), TEXT.replace("5432", "1"));
    let text = String::from_utf8(repository.sandbox.read("s.yaml")).unwrap();
    assert!(
        text.contains(ALICE.recipient) && text.contains(CAROL.recipient) && !text.contains(BOB.recipient)
    );
    // Theirs' key is one that Bob never had, and Carol got it now.
    let theirs = repository.git(&["show", "HEAD^2:s.yaml"]);
    let password = |text: &str| text.lines().find(|line| line.starts_with("password")).unwrap().to_owned();
    assert_eq!(password(&text), password(&theirs));
    let mut carol = Sandbox::new();
    carol.set_env("SOPS_AGE_KEY", CAROL.identity);
    carol.write("s.yaml", &text);
    assert_eq!(carol.ours(&["decrypt", "s.yaml"]).text(), TEXT.replace("5432", "1"));
    // What Bob can still open of the past opens nothing of the merged file.
    let mut bob = Sandbox::new();
    bob.set_env("SOPS_AGE_KEY", BOB.identity);
    let ours = repository.git(&["show", "HEAD^1:s.yaml"]);
    let stanza =
        |text: &str| text.split("sops:").nth(1).unwrap().split("lastmodified").next().unwrap().to_owned();
    bob.write("grafted.yaml", text.replace(&stanza(&text), &stanza(&ours)));
    assert_ne!(bob.ours(&["decrypt", "grafted.yaml"]).code, Some(0));
}

#[test]
fn nobody_smuggles_himself_in() {
    let mut repository = Repository::new();
    let rules = format!("creation_rules:\n  - age: {},{}\n", ALICE.recipient, BOB.recipient);
    repository.sandbox.write(".sops.yaml", rules);
    let two = format!("{},{}", ALICE.recipient, BOB.recipient);
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, &two),
        |it| {
            let _ = it.sandbox.ours(&["rotate", "-i", "s.yaml"]).ok();
        },
        |it| {
            // Somebody without a key writes his own into the file.
            let text = String::from_utf8(it.sandbox.read("s.yaml")).unwrap();
            let (head, entry) = text.split_once("    age:\n").unwrap();
            let mut entries = entry.split("        - ");
            let own = entries
                .nth(1)
                .unwrap()
                .replace(ALICE.recipient, CAROL.recipient)
                .replace(BOB.recipient, CAROL.recipient);
            it.sandbox.write("s.yaml", format!("{head}    age:\n        - {own}{entry}"));
        },
    );
    let said = repository.try_git(&["merge", "-q", "-m", "m", "other"]).fails(1);
    assert!(said.contains("[\"sops\"][\"age\"]: changed on both sides"), "{said}");
    let carol = |text: Vec<u8>| {
        let mut carol = Sandbox::new();
        carol.set_env("SOPS_AGE_KEY", CAROL.identity);
        carol.write("s.yaml", text);
        carol.ours(&["decrypt", "s.yaml"]).code
    };
    let marked = repository.sandbox.read("s.yaml");
    let split = leaflock::domain::merge::split(&marked).unwrap();
    assert!(carol(split.ours.to_vec()) != Some(0) && carol(split.theirs.to_vec()) != Some(0));
    let _ = repository.sandbox.ours(&["resolve", "--ours", "sops", "s.yaml"]).ok();
    assert_ne!(carol(repository.sandbox.read("s.yaml")), Some(0));
    assert_eq!(repository.plain("s.yaml"), TEXT);
}

#[test]
fn whoever_held_every_key_makes_it_a_fresh_one() {
    let mut repository = Repository::new();
    let three = format!("{},{},{}", ALICE.recipient, BOB.recipient, CAROL.recipient);
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, &three),
        |it| {
            let _ = it.sandbox.ours(&["rotate", "-i", "--rm-age", CAROL.recipient, "s.yaml"]).ok();
        },
        |it| {
            let _ = it.sandbox.ours(&["rotate", "-i", "--rm-age", BOB.recipient, "s.yaml"]).ok();
        },
    );
    let said = repository.try_git(&["merge", "-m", "m", "other"]);
    assert!(said.code == Some(0) && said.stderr.contains("encrypted anew"), "{}", said.describe());
    let text = String::from_utf8(repository.sandbox.read("s.yaml")).unwrap();
    assert!(
        text.contains(ALICE.recipient) && !text.contains(CAROL.recipient) && !text.contains(BOB.recipient)
    );
    assert_eq!(repository.plain("s.yaml"), TEXT);
    let sides = ["HEAD^1", "HEAD^2"].map(|side| repository.git(&["show", &format!("{side}:s.yaml")]));
    for token in text.split("ENC[").skip(1).map(|rest| rest.split_once(']').unwrap().0) {
        assert!(sides.iter().all(|side| !side.contains(token)));
    }
}

#[test]
fn no_rule_brings_a_secret_of_the_other_side_into_the_clear() {
    let mut repository = Repository::new();
    let text = "public: x\npassword: canary-one\n";
    repository.part(
        |it| it.encrypt("s.yaml", text, ALICE.recipient),
        |it| {
            it.sandbox.write("s.yaml", text);
            let regex =
                ["encrypt", "-i", "--encrypted-regex", "^password$", "--age", ALICE.recipient, "s.yaml"];
            let _ = it.sandbox.ours(&regex).ok();
        },
        |it| it.set("s.yaml", "[\"token\"]", "\"canary-two\""),
    );
    let output = repository.try_git(&["merge", "-q", "-m", "m", "other"]);
    let said = output.fails(1);
    assert!(said.contains("[\"token\"]: the rules of one side would store it in clear"), "{said}");
    assert!(said.contains("[\"sops\"][\"encrypted_regex\"]: changed on both sides"), "{said}");
    repository.git(&["add", "-A"]);
    let objects = repository.objects();
    assert!(!objects.windows(6).any(|window| window == b"canary"));
    let _ = repository.sandbox.ours(&["resolve", "--theirs", "token", "--theirs", "sops", "s.yaml"]).ok();
    let merged = String::from_utf8(repository.sandbox.read("s.yaml")).unwrap();
    assert!(!merged.contains("canary"), "{merged}");
    assert_eq!(repository.plain("s.yaml"), format!("{text}token: canary-two\n"));
}

#[test]
fn a_side_that_was_never_encrypted_is_merged_in_and_encrypted() {
    let mut repository = Repository::new();
    repository.part(
        |it| {
            it.sandbox.write("s.yaml", TEXT);
        },
        |it| it.encrypt("s.yaml", &TEXT.replace("5432", "1"), ALICE.recipient),
        |it| {
            it.sandbox.write("s.yaml", TEXT.replace("s3cr3t", "2"));
        },
    );
    let output = repository.try_git(&["merge", "-m", "m", "other"]);
    assert!(
        output.code == Some(0) && output.stderr.contains("theirs is not encrypted"),
        "{}",
        output.describe()
    );
    assert_eq!(repository.plain("s.yaml"), TEXT.replace("5432", "1").replace("s3cr3t", "2"));
}

#[test]
fn files_that_are_not_encrypted_are_merged_as_git_does_it() {
    for (ours, theirs) in [("last: 1", "# Shop"), ("port", "port: 5432")] {
        let states = |driver: bool| {
            let mut repository = Repository::new();
            if !driver {
                repository.git(&["config", "--unset", "merge.leaflock.driver"]);
            }
            repository.part(
                |it| drop(it.sandbox.write("s.yaml", TEXT)),
                |it| drop(it.sandbox.write("s.yaml", TEXT.replace(ours, "x: y"))),
                |it| drop(it.sandbox.write("s.yaml", TEXT.replace(theirs, "z: y"))),
            );
            let code = repository.try_git(&["merge", "-q", "-m", "m", "other"]).code;
            let text = String::from_utf8(repository.sandbox.read("s.yaml")).unwrap();
            (code, text.replace(" HEAD", " ours").replace(" other", " theirs"))
        };
        assert_eq!(states(true), states(false));
    }
}

#[test]
fn without_a_key_the_ordinary_conflict_is_left_and_solved_where_the_key_is() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, ALICE.recipient),
        |it| it.edit("s.yaml", &TEXT.replace("5432", "1")),
        |it| it.edit("s.yaml", &TEXT.replace("s3cr3t", "2").replace("last: 1", "last: 2")),
    );
    let keys = repository.sandbox.folder().join("home/.config/sops/age/keys.txt");
    let identity = fs::read(&keys).unwrap();
    fs::remove_file(&keys).unwrap();
    let said = repository.try_git(&["merge", "-q", "-m", "m", "other"]).fails(1);
    assert!(said.contains("cannot be opened") && said.contains("leaflock resolve s.yaml"), "{said}");
    let text = String::from_utf8(repository.sandbox.read("s.yaml")).unwrap();
    let [base, ours, theirs] =
        ["HEAD^", "HEAD", "other"].map(|it| repository.git(&["show", &format!("{it}:s.yaml")]));
    for (name, content) in [("b", base), ("o", ours), ("t", theirs)] {
        repository.sandbox.write(name, content);
    }
    let ordinary =
        repository.try_git(&["merge-file", "-p", "-L", "ours", "-L", "base", "-L", "theirs", "o", "b", "t"]);
    assert_eq!(text, String::from_utf8(ordinary.stdout.clone()).unwrap(), "{}", ordinary.describe());
    fs::write(&keys, identity).unwrap();
    // From the index, this is no conflict at all.
    let _ = repository.sandbox.ours(&["resolve", "--list", "s.yaml"]).ok();
    let _ = repository.sandbox.ours(&["resolve", "s.yaml"]).ok();
    let expected = TEXT.replace("5432", "1").replace("s3cr3t", "2").replace("last: 1", "last: 2");
    assert_eq!(repository.plain("s.yaml"), expected);
    // Without the index, only what is between the markers is known.
    repository.sandbox.write("alone/s.yaml", text);
    let listed = repository.sandbox.ours(&["resolve", "--list", "alone/s.yaml"]);
    assert!(listed.stderr.contains("no MAC fits"), "{}", listed.describe());
}

#[test]
fn a_file_whose_mac_does_not_fit_is_not_merged() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, ALICE.recipient),
        |it| it.edit("s.yaml", &TEXT.replace("5432", "1")),
        |it| {
            let text = String::from_utf8(it.sandbox.read("s.yaml")).unwrap();
            let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("last")).collect();
            it.sandbox.write("s.yaml", without.join("\n") + "\n");
        },
    );
    let said = repository.try_git(&["merge", "-q", "-m", "m", "other"]).fails(1);
    assert!(said.contains("theirs cannot be opened") && said.contains("MAC mismatch"), "{said}");
}

#[test]
fn binary_files_are_equal_or_a_conflict() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("k.bin", "one\n", ALICE.recipient),
        |it| it.encrypt("k.bin", "two\n", ALICE.recipient),
        |it| it.encrypt("k.bin", "three\n", ALICE.recipient),
    );
    let said = repository.try_git(&["merge", "-q", "-m", "m", "other"]).fails(1);
    assert!(said.contains("the whole file: changed on both sides"), "{said}");
    let _ = repository.sandbox.ours(&["resolve", "--all-theirs", "k.bin"]).ok();
    assert_eq!(repository.plain("k.bin"), "three\n");
}

#[test]
fn what_comes_back_from_the_editor_is_checked() {
    let mut repository = Repository::new();
    repository.part(
        |it| it.encrypt("s.yaml", TEXT, ALICE.recipient),
        |it| it.set("s.yaml", "[\"port\"]", "1"),
        |it| it.set("s.yaml", "[\"port\"]", "2"),
    );
    let _ = repository.try_git(&["merge", "-q", "-m", "m", "other"]).fails(1);
    let before = repository.sandbox.read("s.yaml");
    let editor = |repository: &mut Repository, body: &str| {
        let script = repository.sandbox.write("editor", format!("#!/bin/sh\n{body}\n"));
        let _ = repository.sandbox.run(Path::new("/bin/chmod"), &["+x", script.to_str().unwrap()], b"").ok();
        repository.sandbox.set_env("SOPS_EDITOR", script.to_str().unwrap());
    };
    // A marker that is left, without anybody to ask, ends the call.
    editor(&mut repository, "sed -i /^=====/d \"$1\"");
    let output = repository.sandbox.ours(&["resolve", "s.yaml"]);
    assert_ne!(output.code, Some(0), "{}", output.describe());
    assert_eq!(repository.sandbox.read("s.yaml"), before);
    editor(
        &mut repository,
        "sed -i '/^<<<<<<<\\|^=======\\|^>>>>>>>\\|^port: 1/d; s/^port: 2/port: 3/' \"$1\"",
    );
    let _ = repository.sandbox.ours(&["resolve", "s.yaml"]).ok();
    assert_eq!(repository.plain("s.yaml"), TEXT.replace("5432", "3"));
}

#[test]
fn a_base_of_no_use_makes_every_difference_a_conflict() {
    let sandbox = Sandbox::with_key();
    for (name, text) in [
        ("base.yaml", TEXT.to_owned()),
        ("ours.yaml", TEXT.replace("5432", "1")),
        ("theirs.yaml", TEXT.to_owned()),
    ] {
        sandbox.write(name, text);
        let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
    }
    let broken = String::from_utf8(sandbox.read("base.yaml"))
        .unwrap()
        .replace("port: ENC[AES256_GCM,data:", "port: ENC[AES256_GCM,data:AAAA");
    sandbox.write("base.yaml", broken);
    let said = sandbox.ours(&["merge", "base.yaml", "ours.yaml", "theirs.yaml"]).fails(1);
    assert!(said.contains("[\"port\"]: the sides differ"), "{said}");
}

#[test]
fn a_job_merges_a_branch_without_settings_and_attributes() {
    let mut repository = Repository::new();
    repository.git(&["config", "--unset", "merge.leaflock.driver"]);
    fs::remove_file(repository.sandbox.path(".gitattributes")).unwrap();
    repository.part(
        |it| {
            it.encrypt("deep/s.yaml", TEXT, ALICE.recipient);
            it.sandbox.write("plain.txt", "a\nb\nc\nd\ne\n");
        },
        |it| {
            it.edit("deep/s.yaml", &TEXT.replace("5432", "1"));
            it.sandbox.write("plain.txt", "1\nb\nc\nd\ne\n");
        },
        |it| {
            it.edit("deep/s.yaml", &TEXT.replace("s3cr3t", "2"));
            it.sandbox.write("plain.txt", "a\nb\nc\nd\n2\n");
        },
    );
    let _ = repository.sandbox.ours(&["merge", "--ci", "other"]).ok();
    assert_eq!(repository.plain("deep/s.yaml"), TEXT.replace("5432", "1").replace("s3cr3t", "2"));
    assert_eq!(repository.sandbox.read("plain.txt"), b"1\nb\nc\nd\n2\n");
    assert_eq!(repository.git(&["rev-list", "--count", "--merges", "HEAD"]).trim(), "1");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    let _ = repository.sandbox.ours(&["merge", "--ci", "other"]).ok();
    repository.git(&["checkout", "-q", "-b", "third", "other"]);
    repository.set("deep/s.yaml", "[\"port\"]", "7");
    repository.commit("third");
    let before = repository.git(&["rev-parse", "HEAD"]);
    let said = repository.sandbox.ours(&["merge", "--ci", "main"]).fails(1);
    assert!(said.contains("[\"port\"]: changed on both sides") && said.contains("\n  deep/s.yaml"), "{said}");
    assert_eq!(repository.git(&["rev-parse", "HEAD"]), before);
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    let _ = repository.sandbox.ours(&["merge", "--ci", "no-such-branch"]).fails(254);
}

#[test]
fn a_sealed_file_stays_sealed() {
    let mut repository = Repository::new();
    repository.part(
        |it| {
            it.sandbox.write("s.yaml", TEXT);
            let _ = it.sandbox.ours(&["encrypt", "-i", "--seal", "--age", ALICE.recipient, "s.yaml"]).ok();
        },
        |it| it.set("s.yaml", "[\"port\"]", "1"),
        |it| it.set("s.yaml", "[\"last\"]", "2"),
    );
    repository.git(&["merge", "-q", "-m", "m", "other"]);
    let _ = repository.sandbox.ours(&["decrypt", "--strict", "s.yaml"]).ok();
    // Sides of a conflict have seals of their own.
    repository.git(&["checkout", "-q", "-b", "x"]);
    repository.set("s.yaml", "[\"port\"]", "5");
    repository.commit("x");
    repository.git(&["checkout", "-q", "main"]);
    repository.set("s.yaml", "[\"port\"]", "6");
    repository.commit("main");
    let _ = repository.try_git(&["merge", "-q", "-m", "m", "x"]).fails(1);
    let _ = repository.sandbox.ours(&["resolve", "--all-theirs", "s.yaml"]).ok();
    let plain = repository.sandbox.ours(&["decrypt", "--strict", "s.yaml"]).text();
    assert_eq!(plain, TEXT.replace("5432", "5").replace("last: 1", "last: 2"));
    // A side that another program has rewritten has no seal, and so has the merged file.
    repository.commit("merged");
    repository.git(&["checkout", "-q", "-b", "y"]);
    let _ = repository.sandbox.sops(&["set", "s.yaml", "[\"host\"]", "\"by sops\""]).ok();
    repository.commit("y");
    repository.git(&["checkout", "-q", "main"]);
    repository.set("s.yaml", "[\"port\"]", "7");
    repository.commit("main");
    repository.git(&["merge", "-q", "-m", "m", "y"]);
    assert!(!String::from_utf8(repository.sandbox.read("s.yaml")).unwrap().contains("leaflock_seal"));
    assert!(repository.plain("s.yaml").contains("by sops"));
}

#[test]
fn a_driver_that_is_killed_leaves_ours_or_the_result() {
    let sandbox = Sandbox::with_key();
    let mut text = TEXT.to_owned();
    (0..300).for_each(|at| text.push_str(&format!("k{at}: value {at}\n")));
    sandbox.write("base.yaml", &text);
    let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "base.yaml"]).ok();
    let ours = sandbox.read("base.yaml");
    for (name, index) in [("ours.yaml", "[\"port\"]"), ("theirs.yaml", "[\"last\"]")] {
        sandbox.write(name, &ours);
        let _ = sandbox.ours(&["set", name, index, "77"]).ok();
    }
    let ours = sandbox.read("ours.yaml");
    let expected = text.replace("5432", "77").replace("last: 1", "last: 77");
    let program = Path::new(env!("CARGO_BIN_EXE_leaflock"));
    let (mut old, mut new) = (0, 0);
    for delay in 0..60 {
        sandbox.write("ours.yaml", &ours);
        let mut command = sandbox.command(program);
        let mut child = command.args(["merge", "base.yaml", "ours.yaml", "theirs.yaml"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        if sandbox.read("ours.yaml") == ours {
            old += 1;
        } else {
            assert_eq!(sandbox.ours(&["decrypt", "ours.yaml"]).text(), expected);
            new += 1;
        }
    }
    assert!(old > 0 && old + new == 60);
    // Two at once: each sees whether somebody else wrote in between.
    sandbox.write("ours.yaml", &ours);
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = sandbox.command(program);
            command.args(["merge", "base.yaml", "ours.yaml", "theirs.yaml"]).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 254))) && codes.contains(&Some(0)), "{codes:?}");
    assert_eq!(sandbox.ours(&["decrypt", "ours.yaml"]).text(), expected);
}
