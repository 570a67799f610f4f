//! `revoke` takes somebody's key out of everything at once, and tells what he
//! could ever read, by the history of a real git: what he must not know any more
//! is listed until it is changed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::testkit::askpass;
use super::testkit::plugin::{Plugin, RECIPIENT};
use super::testkit::sandbox::{ALICE, BOB, Sandbox};

/// A repository in which Alice and Bob share secrets for a while.
struct Story {
    sandbox: Sandbox,
}

impl Story {
    fn new() -> Self {
        let story = Self { sandbox: Sandbox::with_key() };
        story.git(&["init", "-q", "-b", "main"]);
        story.git(&["config", "user.name", "t"]);
        story.git(&["config", "user.email", "t@t.test"]);
        let config = format!(
            "# who reads what\ncreation_rules:\n  - age:\n      - {} # Alice\n      - {} # Bob Example\n",
            ALICE.recipient, BOB.recipient
        );
        story.sandbox.write(".sops.yaml", config);
        story
    }

    fn git(&self, arguments: &[&str]) {
        self.sandbox.run(Path::new("git"), arguments, b"").ok();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        // Commits of one second have no order in time.
        std::thread::sleep(Duration::from_millis(1100));
    }

    fn encrypt(&self, name: &str, text: &str) {
        self.sandbox.write(name, text);
        self.sandbox.ours(&["encrypt", "-i", name]).ok();
    }

    fn as_bob(&mut self) -> &mut Sandbox {
        self.sandbox.set_env("XDG_CONFIG_HOME", "/nowhere");
        self.sandbox.set_env("SOPS_AGE_KEY", BOB.identity.lines().last().unwrap())
    }
}

/// `key state` of every secret.
fn states(json: &Value) -> Vec<String> {
    let secrets = json["secrets"].as_array().unwrap();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    secrets
        .iter()
        .map(|it| format!("{}{} {}", text(&it["path"]), text(&it["key"]), text(&it["state"])))
        .collect()
}

#[test]
fn a_key_leaves_every_file_and_what_it_read_is_listed_until_it_is_changed() {
    let mut story = Story::new();
    story.encrypt("a.yaml", "db:\n  password: old\n  user: anna\nhosts: [one, two]\n");
    story.encrypt("gone.yaml", "x: 1\n");
    story.encrypt("d/b.env", "TOKEN=t\n");
    story.commit("first");
    story.sandbox.ours(&["set", "a.yaml", "[\"db\"][\"password\"]", "\"new\""]).ok();
    fs::remove_file(story.sandbox.path("gone.yaml")).unwrap();
    story.commit("second");
    let before = story.sandbox.read("a.yaml");
    let dry = story.sandbox.ours(&["revoke", "--dry-run", "bob example"]).text();
    assert!(
        dry.contains("    a.yaml\n    d/b.env\n") && dry.contains("The key goes from:\n    .sops.yaml\n"),
        "{dry}"
    );
    assert_eq!(story.sandbox.read("a.yaml"), before);

    let done = story.sandbox.ours(&["revoke", "--yes", "--json", "bob example"]).ok();
    let json: Value = serde_json::from_slice(&done).unwrap();
    assert_eq!(json["files"], serde_json::json!(["a.yaml", "d/b.env"]));
    assert_eq!(json["configs"], serde_json::json!([".sops.yaml"]));
    assert_eq!(json["recipient"][0]["name"], "Bob Example");
    // He read the old password and the new one: the new one is in use.
    let expected = [
        "a.yaml[\"db\"][\"password\"] unchanged",
        "a.yaml[\"db\"][\"user\"] unchanged",
        "a.yaml[\"hosts\"][0] unchanged",
        "a.yaml[\"hosts\"][1] unchanged",
        "d/b.env[\"TOKEN\"] unchanged",
        "gone.yaml[\"x\"] removed",
    ];
    assert_eq!(states(&json), expected);
    let password = &json["secrets"][0];
    assert!(password["first"]["commit"] != password["last"]["commit"], "{password}");

    let config = String::from_utf8(story.sandbox.read(".sops.yaml")).unwrap();
    let kept = format!("# who reads what\ncreation_rules:\n  - age:\n      - {} # Alice\n", ALICE.recipient);
    assert_eq!(config, kept);
    assert_eq!(
        story.sandbox.sops(&["decrypt", "--extract", "[\"db\"][\"password\"]", "a.yaml"]).ok(),
        b"new"
    );
    story.commit("third");

    // The name is known by history alone now.
    let said = story.sandbox.ours(&["revoke", "--check", "Bob Example"]);
    assert_eq!(said.code, Some(1));
    assert!(String::from_utf8_lossy(&said.stdout).contains("5 of 6 are unchanged"), "{}", said.describe());
    for (file, key) in
        [("a.yaml", "[\"db\"][\"password\"]"), ("a.yaml", "[\"db\"][\"user\"]"), ("d/b.env", "[\"TOKEN\"]")]
    {
        story.sandbox.ours(&["set", file, key, "\"changed\""]).ok();
    }
    story.sandbox.ours(&["unset", "a.yaml", "[\"hosts\"]"]).ok();
    let json: Value =
        serde_json::from_slice(&story.sandbox.ours(&["revoke", "--check", "--json", BOB.recipient]).ok())
            .unwrap();
    assert!(states(&json).iter().all(|it| it.ends_with(" changed") || it.ends_with(" removed")), "{json}");

    // The stanza that Bob kept opens nothing that is written from now on.
    let old = String::from_utf8(before).unwrap();
    let stanza = |text: &str, recipient: &str| {
        let at = text.find(recipient).unwrap();
        let end = text[..at].rfind("-----END AGE").unwrap();
        let start = text[..end].rfind("-----BEGIN AGE").unwrap();
        text[start..end].to_owned()
    };
    let now = String::from_utf8(story.sandbox.read("a.yaml")).unwrap();
    let grafted = now.replace(&stanza(&now, ALICE.recipient), &stanza(&old, BOB.recipient));
    story.sandbox.write("grafted.yaml", grafted.replace(ALICE.recipient, BOB.recipient));
    story.as_bob();
    story.sandbox.ours(&["decrypt", "grafted.yaml"]).fails(25);
    story.sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
}

#[test]
fn nothing_changes_where_one_file_cannot() {
    let story = Story::new();
    story.encrypt("a.yaml", "a: 1\n");
    story.commit("first");
    let config = story.sandbox.read(".sops.yaml");
    story.sandbox.write("only.yaml", "b: 1\n");
    story.sandbox.write("empty.yaml", "creation_rules:\n  - age: x\n");
    let only = ["--config", "empty.yaml", "encrypt", "-i", "--age", BOB.recipient, "only.yaml"];
    story.sandbox.ours(&only).ok();
    let before = story.sandbox.read("a.yaml");
    let said = story.sandbox.ours(&["revoke", "--yes", BOB.recipient, "."]).fails(1);
    assert!(said.contains("nobody would be left in group 0 of this file"), "{said}");
    assert_eq!((story.sandbox.read("a.yaml"), story.sandbox.read(".sops.yaml")), (before, config));
    let said = story.sandbox.ours(&["revoke", "--yes", "Carol"]).fails(1);
    assert!(said.contains("knows the recipient \"Carol\"") && said.contains("Alice, Bob Example"), "{said}");
    assert!(story.sandbox.ours(&["revoke"]).fails(100).contains("no recipient specified"));
    let said = story.sandbox.ours(&["revoke", "--json", "Bob Example"]).fails(1);
    assert!(said.contains("--yes, or --dry-run"), "{said}");
    let refused = story.sandbox.ours_with_stdin(&["revoke", "Bob Example", "a.yaml"], b"n\n");
    assert_eq!(refused.code, Some(0));
    assert!(refused.stderr.contains("nothing was changed"));
}

#[test]
fn without_git_the_files_as_they_are_count() {
    let sandbox = Sandbox::with_key();
    sandbox.write("a.yaml", "a: 1\n");
    let both = format!("{},{}", ALICE.recipient, BOB.recipient);
    sandbox.ours(&["encrypt", "-i", "--age", &both, "a.yaml"]).ok();
    let text = sandbox.ours(&["revoke", "--yes", BOB.recipient]).text();
    assert!(
        text.contains("No git repository is here")
            && text.contains("[\"a\"]  not committed to not committed  unchanged"),
        "{text}"
    );
    assert!(!String::from_utf8(sandbox.read("a.yaml")).unwrap().contains(BOB.recipient));
}

#[test]
fn a_hardware_key_is_asked_once_for_files_and_once_for_history() {
    let mut story = Story::new();
    let plugin = Plugin::install(&mut story.sandbox);
    let config = format!("creation_rules:\n  - age: {RECIPIENT},{}\n", BOB.recipient);
    story.sandbox.write(".sops.yaml", config);
    for number in 0..5 {
        story.encrypt(&format!("{number}.yaml"), &format!("n: {number}\n"));
    }
    story.commit("first");
    plugin.log();
    story.sandbox.set_env("AGE_PLUGIN_TEST", "pin");
    let program = askpass::program(&story.sandbox, "echo 123456");
    story.sandbox.ours(&["revoke", "--yes", "--askpass", &program, BOB.recipient]).ok();
    let asked = plugin.log().iter().filter(|line| *line == "pin").count();
    assert_eq!(asked, 1);
}
