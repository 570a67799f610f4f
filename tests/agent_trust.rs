//! Nobody grants himself anything through git: attacks on the policy, its signers and
//! what belongs to it, each by somebody who can write everything in the repository.
//! They end with exit code 5, open and change nothing, and leave a denial in the audit
//! trail; what is good is good for `ssh-keygen -Y verify` as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use leaflock::domain::digest;
use serde_json::Value;

use crate::testkit::sandbox::{ALICE, BOB, Sandbox};

/// A repository with a policy, its administrator and an agent.
struct World {
    sandbox: Sandbox,
    ana: String,
    agent: String,
}

/// Commands that rest on the policy, and what the audit trail calls them.
const COMMANDS: &[(&str, &[&str])] = &[
    ("inspect", &["policy", "verify"]),
    ("revoke", &["agent", "revoke", "--reason", "x", "ops/deploy"]),
    ("decrypt", &["decrypt", "prod.yaml"]),
    ("get", &["get", "db.password"]),
    ("set", &["set", "prod.yaml", "[\"db\"][\"password\"]", "\"new\""]),
    ("exec.start", &["exec-env", "prod.yaml", "touch ../home/started"]),
    ("exec.start", &["run", "prod.yaml", "--", "touch", "../home/started"]),
    ("sync", &["agent", "sync"]),
];

const POLICY: &str = ".leaflock/policy.yaml";
const LIST: &str = ".leaflock/allowed_signers";

impl World {
    fn new() -> Self {
        let mut sandbox = Sandbox::with_key();
        git(&sandbox, &["init", "-q", "-b", "main"]);
        git(&sandbox, &["config", "user.name", "t"]);
        git(&sandbox, &["config", "user.email", "t@t.test"]);
        let (ana, agent) = (key(&sandbox, "ana"), key(&sandbox, "agent"));
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
        sandbox.ours(&["policy", "init", "--name", "humans/ana"]).ok();
        let world = Self { sandbox, ana, agent };
        world.change(POLICY, |text| {
            let agent = format!("  ops/deploy:\n    sign: {}\n", public(&world.agent));
            text.replace("recovery:", &format!("{agent}recovery:"))
        });
        world.sandbox.ours(&["policy", "sign", "--bump"]).ok();
        world.sandbox.write("prod.yaml", "db:\n  password: c4n4ry\n");
        world.sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "prod.yaml"]).ok();
        world.commit();
        world
    }

    fn commit(&self) {
        git(&self.sandbox, &["add", "-A"]);
        git(&self.sandbox, &["commit", "-q", "-m", "state"]);
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8(self.sandbox.read(name)).unwrap()
    }

    fn change(&self, name: &str, change: impl FnOnce(String) -> String) {
        let before = self.read(name);
        let after = change(before.clone());
        assert_ne!(before, after);
        self.sandbox.write(name, after);
    }

    /// Signs a file with any key in any namespace, as anybody can.
    fn forge(&self, name: &str, key: &str, namespace: &str) {
        let arguments = ["-Y", "sign", "-q", "-n", namespace, "-f", key];
        let bytes = self.sandbox.read(name);
        let signature = self.sandbox.run(Path::new("ssh-keygen"), &arguments, &bytes).ok();
        self.sandbox.write(&format!("{name}.sig"), signature);
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.sandbox.path(""), &mut files);
        files
    }

    /// Every command that rests on the policy refuses, for this reason: it opens nothing,
    /// starts nothing, changes no file, and leaves the refusal in the audit trail.
    #[track_caller]
    fn refuses(&self, code: &str, reason: &str) {
        self.refuse(code, reason, &|_| true);
    }

    /// The same of some of the commands.
    #[track_caller]
    fn refuse(&self, code: &str, reason: &str, is_tried: &dyn Fn(&&[&str]) -> bool) {
        let before = self.files();
        for (action, command) in COMMANDS.iter().filter(|(_, command)| is_tried(command)) {
            let written = self.entries().len();
            let answer = self.sandbox.ours(command);
            assert!(!String::from_utf8_lossy(&answer.stdout).contains("c4n4ry"), "{command:?}");
            let told = answer.fails(5);
            assert!(told.contains(reason) && told.contains("hint: "), "{command:?}: {told}");
            assert!(
                !told.contains("c4n4ry") && !told.contains("not in the audit trail"),
                "{command:?}: {told}"
            );
            let entries = self.entries().split_off(written);
            let denial = |entry: &Value| {
                entry["outcome"] == "denied" && entry["deny_code"] == code && entry["action"] == *action
            };
            assert!(entries.iter().any(denial), "{command:?}: {entries:?}");
            assert!(entries.iter().all(|entry| entry["outcome"] != "granted"), "{command:?}: {entries:?}");
        }
        let answer = self.sandbox.ours(&["policy", "verify", "--json"]);
        let object: Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!((object["error"]["code"].as_str(), answer.code), (Some(code), Some(5)), "{object}");
        assert!(!self.home("started").exists());
        assert_eq!(self.files(), before);
    }

    /// All entries of the clone's chains, in the order of their times.
    fn entries(&self) -> Vec<Value> {
        let chains = fs::read_dir(self.sandbox.path(".git/leaflock/audit")).into_iter().flatten();
        let chains = chains.map(|entry| entry.unwrap().path());
        let mut chains: Vec<PathBuf> =
            chains.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect();
        chains.sort();
        let texts = chains.iter().map(|path| fs::read_to_string(path).unwrap());
        let lines: Vec<String> =
            texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let mut entries: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        entries.sort_by_key(|entry| (entry["timestamp"].to_string(), entry["seq"].as_u64()));
        entries
    }

    #[track_caller]
    fn holds(&self) {
        self.sandbox.ours(&["policy", "verify"]).ok();
        assert!(self.keygen_verifies(POLICY, "leaflock-policy@v1"));
    }

    fn keygen_verifies(&self, name: &str, namespace: &str) -> bool {
        let (list, signature) = (self.sandbox.path(LIST), self.sandbox.path(&format!("{name}.sig")));
        let arguments =
            ["-Y", "verify", "-f", list.to_str().unwrap(), "-I", "humans/ana", "-n", namespace, "-s"];
        let arguments = [&arguments[..], &[signature.to_str().unwrap()]].concat();
        let message = self.sandbox.read(name);
        self.sandbox.run(Path::new("ssh-keygen"), &arguments, &message).code == Some(0)
    }

    fn home(&self, name: &str) -> PathBuf {
        self.sandbox.folder().join("home").join(name)
    }
}

fn collect(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with(".git") || path.ends_with(".leaflock/audit") => {}
            true => collect(&path, into),
            false => drop(into.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    sandbox.run(Path::new("git"), arguments, b"").ok();
}

fn key(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.folder().join("home").join(name).to_str().unwrap().to_owned();
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path];
    sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
    path
}

fn public(key: &str) -> String {
    let text = fs::read_to_string(format!("{key}.pub")).unwrap();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_good_holds_and_ssh_keygen_agrees() {
    let world = World::new();
    world.holds();
    let answer = world.sandbox.ours(&["policy", "verify", "--json"]).ok();
    let object: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(object["result"]["serial"], 2);
    assert_eq!(object["result"]["signer"], "humans/ana");
    assert_eq!(object["result"]["digest"], digest::of(&world.sandbox.read(POLICY)));
    assert_eq!(object["result"]["signers"], digest::of(&world.sandbox.read(LIST)));
}

#[test]
fn an_edited_policy_counts_for_nothing() {
    let world = World::new();
    let grant = "  secrets:\n    \"**\": {allowed_agents: [ops/deploy]}\n";
    world.change(POLICY, |text| text.replace("  secrets: {}\n", grant));
    world.refuses("policy_invalid", "the signature does not fit");
    world.change(POLICY, |text| text.replace("serial: 2", "serial: 3"));
    world.refuses("policy_invalid", "the signature does not fit");
    // By the agent's key, in the right namespace and in others.
    for namespace in ["leaflock-policy@v1", "leaflock-revoke@v1"] {
        world.forge(POLICY, &world.agent, namespace);
        let reason = if namespace == "leaflock-policy@v1" { "does not allow" } else { "another namespace" };
        world.refuses("policy_invalid", reason);
    }
    // By the administrator's key, but for git, or for a file.
    for namespace in ["git", "file", "leaflock-file@v1", "leaflock-manifest@v1"] {
        world.forge(POLICY, &world.ana, namespace);
        world.refuses("policy_invalid", "another namespace");
    }
    fs::remove_file(world.sandbox.path(".leaflock/policy.yaml.sig")).unwrap();
    world.refuses("policy_invalid", "the file is missing");
    world.sandbox.write(".leaflock/policy.yaml.sig", "nothing\n");
    world.refuses("policy_invalid", "no signature");
    world.sandbox.write(POLICY, "access_control: [\n");
    let told = world.sandbox.ours(&["policy", "verify"]).fails(5);
    assert!(told.contains("policy.yaml"), "{told}");
}

#[test]
fn an_older_policy_does_not_come_back() {
    let world = World::new();
    let old: Vec<_> =
        [POLICY, ".leaflock/policy.yaml.sig"].map(|name| (name, world.sandbox.read(name))).into();
    world.change(POLICY, |text| text.replace("# What no rule", "# Whatever no rule"));
    let told = world.sandbox.ours(&["policy", "sign"]).fails(5);
    assert!(told.contains("--bump"), "{told}");
    let told = world.sandbox.ours(&["policy", "sign", "--bump"]).text();
    assert!(told.contains("serial 2 → 3"), "{told}");
    world.holds();
    for (name, bytes) in &old {
        world.sandbox.write(name, bytes);
    }
    assert!(world.keygen_verifies(POLICY, "leaflock-policy@v1"));
    world.refuses("policy_stale", "has serial 2, and this machine has seen 3");
    // The same serial twice.
    world.change(POLICY, |text| text.replace("serial: 2", "serial: 3"));
    world.forge(POLICY, &world.ana, "leaflock-policy@v1");
    world.refuses("policy_stale", "another policy with serial 3");
    world.change(POLICY, |text| {
        let lines = text.lines().map(|line| match line {
            "serial: 3" => "serial: 4",
            line if line.starts_with("valid_until:") => "valid_until: 2020-01-01T00:00:00Z",
            line => line,
        });
        lines.map(|line| format!("{line}\n")).collect()
    });
    world.forge(POLICY, &world.ana, "leaflock-policy@v1");
    // It takes away, and tells nothing but what was: see `agent_daily`.
    let is_granting = |command: &&[&str]| !command.contains(&"revoke");
    world.refuse("policy_stale", "valid until 2020-01-01T00:00:00Z", &is_granting);
    let told = world.sandbox.ours(&["policy", "sign", "--bump"]).fails(5);
    assert!(told.contains("valid until 2020-01-01T00:00:00Z"), "{told}");
}

#[test]
fn signers_are_not_slipped_in() {
    let world = World::new();
    world.change(LIST, |text| format!("{text}ops/deploy {}\n", public(&world.agent)));
    world.refuses("untrusted_signers", "not the one that is trusted here");
    let pinned = {
        let trusted = world.sandbox.ours(&["trust", "list", "--json"]).ok();
        let object: Value = serde_json::from_slice(&trusted).unwrap();
        object["result"]["trusted"][0]["digest"].as_str().unwrap().to_owned()
    };
    // In the form of a change that was signed, by the agent itself.
    world.change(LIST, |text| format!("# previous: {pinned}\n{text}"));
    world.refuses("untrusted_signers", "nobody on the one before has signed that");
    world.forge(LIST, &world.agent, "leaflock-signers@v1");
    world.refuses("untrusted_signers", "nobody on the one before has signed that");
    world.forge(LIST, &world.ana, "git");
    world.refuses("untrusted_signers", "nobody on the one before has signed that");
    // The agent's own world: its list, its policy, its signature.
    world.change(POLICY, |text| text.replace("serial: 2", "serial: 9"));
    world.sandbox.write(LIST, format!("ops/deploy {}\n", public(&world.agent)));
    world.forge(POLICY, &world.agent, "leaflock-policy@v1");
    world.refuses("untrusted_signers", "not the one that is trusted here");
    fs::remove_file(world.sandbox.path(LIST)).unwrap();
    world.refuses("untrusted_signers", "the file is missing");
}

#[test]
fn an_agent_on_the_list_signs_no_policy_all_the_same() {
    let world = World::new();
    world.change(LIST, |text| format!("{text}ops/deploy {}\n", public(&world.agent)));
    world.sandbox.ours(&["trust", "sign"]).ok();
    world.holds();
    world.change(POLICY, |text| text.replace("serial: 2", "serial: 3"));
    world.forge(POLICY, &world.agent, "leaflock-policy@v1");
    world.refuses("policy_invalid", "which is an agent");
    let mut world = world;
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &world.agent.clone());
    let told = world.sandbox.ours(&["policy", "sign"]).fails(3);
    assert!(told.contains("which is an agent"), "{told}");
}

#[test]
fn principals_change_no_policy_that_somebody_edited() {
    let mut world = World::new();
    world.change(POLICY, |text| text.replace("  ops/deploy:\n", "  ops/deploy:\n    roles: [human]\n"));
    let keys = world.home("keys").to_str().unwrap().to_owned();
    for is_signed in [true, false] {
        let before = world.files();
        for command in [
            &["agent", "add", "ops/new", "--out", &keys][..],
            &["agent", "rekey", "ops/deploy", "--out", &keys],
            &["agent", "remove", "ops/deploy"],
        ] {
            let written = world.entries().len();
            let told = world.sandbox.ours(command).fails(5);
            let is_told = told.contains("policy.yaml") && told.contains("leaflock policy sign");
            assert!(is_told, "{is_signed} {command:?}: {told}");
            let entries = world.entries().split_off(written);
            assert!(
                entries.iter().any(|entry| entry["deny_code"] == "policy_invalid"),
                "{command:?}: {entries:?}"
            );
            assert_eq!(world.files(), before, "{is_signed} {command:?}");
        }
        // Nor does it help to take the signature away.
        let _ = fs::remove_file(world.sandbox.path(".leaflock/policy.yaml.sig"));
    }
    assert!(!Path::new(&keys).join("ops-new.age").exists());
    // Who may not sign writes a proposal, which counts for nothing.
    let stranger = key(&world.sandbox, "stranger");
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &stranger);
    world.sandbox.ours(&["agent", "add", "ops/new", "--out", &keys]).ok();
    world.sandbox.ours(&["policy", "verify"]).fails(5);
    // Who may, has looked.
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &world.ana.clone());
    world.sandbox.ours(&["policy", "sign", "--bump"]).ok();
    world.sandbox.ours(&["agent", "add", "ops/other", "--out", &keys]).ok();
    world.holds();
}

#[test]
fn an_agent_does_not_make_itself_a_person() {
    let world = World::new();
    world.change(LIST, |text| {
        format!("{text}ops/deploy namespaces=\"leaflock-*\" {}\n", public(&world.agent))
    });
    world.sandbox.ours(&["trust", "sign"]).ok();
    world.holds();
    world.change(POLICY, |text| {
        text.replace("serial: 2", "serial: 3")
            .replace("  ops/deploy:\n", "  ops/deploy:\n    roles: [human]\n")
    });
    world.forge(POLICY, &world.agent, "leaflock-policy@v1");
    world.refuses("policy_invalid", "was an agent");
    // An administrator may make it one; from then on it signs.
    world.forge(POLICY, &world.ana, "leaflock-policy@v1");
    world.holds();
    world.change(POLICY, |text| text.replace("serial: 3", "serial: 4"));
    world.forge(POLICY, &world.agent, "leaflock-policy@v1");
    world.sandbox.ours(&["policy", "verify"]).ok();
}

#[test]
fn a_signer_who_was_removed_does_not_come_back_by_an_old_digest() {
    const SIGNATURE: &str = ".leaflock/allowed_signers.sig";
    let mut world = World::new();
    let bo = key(&world.sandbox, "bo");
    let line = format!("humans/bo namespaces=\"leaflock-*\" {}\n", public(&bo));
    world.change(LIST, |text| format!("{text}{line}"));
    world.sandbox.ours(&["trust", "sign"]).ok();
    world.commit();
    let (list, signature) = (world.read(LIST), world.read(SIGNATURE));
    let told = digest::of(list.as_bytes());
    world.change(LIST, |text| text.replace(&line, ""));
    world.sandbox.ours(&["trust", "sign"]).ok();
    world.commit();
    let newer = digest::of(&world.sandbox.read(LIST));
    fs::remove_dir_all(world.home(".config/leaflock")).unwrap();
    fs::remove_dir_all(world.home(".local")).unwrap();
    world.sandbox.set_env("LEAFLOCK_TRUST", &told);
    world.holds();
    // The list that he was on, as it was signed then.
    world.sandbox.write(LIST, &list);
    world.sandbox.write(SIGNATURE, &signature);
    world.change(POLICY, |text| text.replace("serial: 2", "serial: 900"));
    world.forge(POLICY, &bo, "leaflock-policy@v1");
    world.refuses("untrusted_signers", "another list");
    // One of his own that follows from it.
    let (_, rest) = list.split_once('\n').unwrap();
    world.sandbox.write(LIST, format!("# previous: {told}\n{rest}# mine\n"));
    world.forge(LIST, &bo, "leaflock-signers@v1");
    world.commit();
    world.refuses("untrusted_signers", "another list");
    // The digest of the newer list says which of both was meant.
    world.sandbox.set_env("LEAFLOCK_TRUST", &newer);
    world.refuses("untrusted_signers", "list of allowed signers");
}

#[test]
fn sops_yaml_and_the_repository_of_another_change_nothing() {
    let world = World::new();
    world.sandbox.write(".sops.yaml", "creation_rules:\n  - age: age1whoever\n");
    world.holds();
    assert!(world.sandbox.ours(&["decrypt", "prod.yaml"]).text().contains("c4n4ry"));
    world.sandbox.ours(&["agent", "sync", "--accept", "."]).ok();
    let made = world.files();
    assert!(made.keys().any(|path| path.ends_with(".leaflock/manifest.json")));
    // A rule for one more recipient gives him nothing, and no derived file follows it.
    let rule = format!("creation_rules:\n  - age: {},{}\n", ALICE.recipient, BOB.recipient);
    world.sandbox.write(".sops.yaml", rule);
    world.sandbox.ours(&["set", "prod.yaml", "[\"db\"][\"password\"]", "\"new\""]).ok();
    let holds_bob = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(BOB.recipient);
    let after = world.files();
    assert_eq!(
        after.iter().filter(|(path, bytes)| !path.ends_with(".sops.yaml") && holds_bob(bytes)).count(),
        0
    );
    assert!(after.keys().eq(made.keys()));
    let world = World::new();
    let other = World::new();
    for name in [POLICY, ".leaflock/policy.yaml.sig", LIST] {
        world.sandbox.write(name, other.sandbox.read(name));
    }
    world.refuses("foreign_repo", "the policy of another repository");
    // Trusting the other one's signers does not make this clone the other repository.
    let told = world.sandbox.ours(&["trust", "add", "--yes"]).fails(5);
    assert!(told.contains("the policy of another repository"), "{told}");
    world.sandbox.ours(&["trust", "remove"]).ok();
    world.sandbox.ours(&["trust", "add", "--yes"]).ok();
    world.holds();
}

#[test]
fn a_first_use_without_a_terminal_trusts_nobody() {
    let world = World::new();
    let list = digest::of(&world.sandbox.read(LIST));
    fs::remove_file(world.home(".config/leaflock/trust.json")).unwrap();
    world.refuses("untrusted_signers", &format!("leaflock trust add {list}"));
    let told = world.sandbox.ours(&["trust", "add"]).fails(5);
    assert!(told.contains("nobody has said on this machine"), "{told}");
    // Standard input is no terminal, whatever it says.
    world.sandbox.write("input", "y\ny\n");
    for command in [
        "trust add",
        "decrypt prod.yaml",
        "redact --agent ops/deploy",
        "run --agent ops/deploy -- cat",
        "policy verify",
    ] {
        let script = format!("exec setsid -w \"$0\" {command} < input");
        let arguments = ["-c", &script, env!("CARGO_BIN_EXE_leaflock")];
        let told = world.sandbox.run(Path::new("/bin/sh"), &arguments, b"").fails(5);
        assert!(told.contains("nobody has said on this machine"), "{command}: {told}");
        assert!(!world.home(".config/leaflock/trust.json").exists(), "{command}");
    }
    let told = world.sandbox.ours(&["trust", "add", &digest::of(b"")]).fails(5);
    assert!(told.contains(&list), "{told}");
    let told = world.sandbox.ours(&["trust", "add", "sha256:12"]).fails(2);
    assert!(told.contains("64 hexadecimal digits"), "{told}");
    world.sandbox.ours(&["trust", "add", &list]).ok();
    world.holds();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(world.home(".config/leaflock/trust.json")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_machine_of_ci_trusts_by_its_environment_alone() {
    let mut world = World::new();
    let list = digest::of(&world.sandbox.read(LIST));
    fs::remove_dir_all(world.home(".config/leaflock")).unwrap();
    fs::remove_dir_all(world.home(".local")).unwrap();
    world.sandbox.set_env("LEAFLOCK_TRUST", &format!("{}, {list}", digest::of(b"other")));
    world.holds();
    assert!(!world.home(".config/leaflock/trust.json").exists());
    world.sandbox.set_env("LEAFLOCK_TRUST", &digest::of(b"other"));
    world.refuses("untrusted_signers", "not the one that is trusted here");
    world.sandbox.set_env("LEAFLOCK_TRUST", "sha256:nothing");
    world.refuses("untrusted_signers", "LEAFLOCK_TRUST is no list of digests");
    // Without a home there is no place for marks; the environment's word is enough.
    world.sandbox.set_env("LEAFLOCK_TRUST", &list).set_env("HOME", "");
    world.holds();
}

#[test]
fn trust_moves_over_signed_lists_and_not_back() {
    let world = World::new();
    let first = world.sandbox.read(LIST);
    let bo = key(&world.sandbox, "bo");
    world.change(LIST, |text| format!("{text}humans/bo namespaces=\"leaflock-*\" {}\n", public(&bo)));
    world.sandbox.ours(&["trust", "sign"]).ok();
    assert!(world.keygen_verifies(LIST, "leaflock-signers@v1"));
    let second: Vec<_> =
        [LIST, ".leaflock/allowed_signers.sig"].map(|name| (name, world.sandbox.read(name))).into();
    world.commit();
    world.change(LIST, |text| format!("{text}# third\n"));
    world.sandbox.ours(&["trust", "sign", "--signing-key", &bo]).ok();
    world.commit();
    world.holds();
    // A machine that saw only the first list follows over both.
    let pins = world.home(".config/leaflock/trust.json");
    let newest = fs::read(&pins).unwrap();
    let mut object: Value = serde_json::from_slice(&newest).unwrap();
    for pin in object["pins"].as_object_mut().unwrap().values_mut() {
        pin["list"] = String::from_utf8(first.clone()).unwrap().into();
        pin["signers"] = digest::of(&first).into();
    }
    fs::write(&pins, object.to_string()).unwrap();
    world.holds();
    let moved: Value = serde_json::from_slice(&fs::read(&pins).unwrap()).unwrap();
    let newest: Value = serde_json::from_slice(&newest).unwrap();
    for (repo, pin) in moved["pins"].as_object().unwrap() {
        assert_eq!(pin["signers"], newest["pins"][repo]["signers"]);
    }
    // One that is told the first list's digest does so too, and by the environment.
    fs::remove_file(&pins).unwrap();
    world.sandbox.ours(&["trust", "add", &digest::of(&first)]).ok();
    world.holds();
    fs::remove_file(&pins).unwrap();
    let mut world = world;
    world.sandbox.set_env("LEAFLOCK_TRUST", &digest::of(&first));
    world.holds();
    world.sandbox.set_env("LEAFLOCK_TRUST", "");
    world.sandbox.ours(&["trust", "add", "--yes"]).ok();
    // The second list was signed by somebody who is still on the third: it stays away.
    for (name, bytes) in &second {
        world.sandbox.write(name, bytes);
    }
    assert!(world.keygen_verifies(LIST, "leaflock-signers@v1"));
    world.refuses("untrusted_signers", "the list of allowed signers");
    world.sandbox.write(LIST, &first);
    world.refuses("untrusted_signers", "the list of allowed signers");
}

#[test]
fn a_signer_who_is_gone_signs_nothing_any_more() {
    let world = World::new();
    let bo = key(&world.sandbox, "bo");
    world.change(LIST, |text| {
        text.replace("humans/ana namespaces", &format!("humans/bo {}\n# ana namespaces", public(&bo)))
    });
    let told = world.sandbox.ours(&["trust", "sign"]).text();
    assert!(told.contains("leaflock policy sign"), "{told}");
    world.refuses("policy_invalid", "does not allow");
    let told = world.sandbox.ours(&["policy", "sign"]).fails(3);
    assert!(told.contains("the list of allowed signers does not allow it"), "{told}");
    world.sandbox.ours(&["policy", "sign", "--signing-key", &bo]).ok();
    world.sandbox.ours(&["policy", "verify"]).ok();
    let told = world.sandbox.ours(&["trust", "sign", "--signing-key", &bo]).text();
    assert!(told.contains("nothing to sign"), "{told}");
    world.change(LIST, |text| format!("{text}\n"));
    let told = world.sandbox.ours(&["trust", "sign"]).fails(3);
    assert!(told.contains("not on the list that is trusted so far"), "{told}");
}

#[test]
fn questions_are_answered_by_what_is_in_force() {
    let world = World::new();
    let grant = "\naccess_control:\n  secrets:\n    a: { allowed_agents: ops/deploy }\n";
    world.change(POLICY, |text| format!("{}{grant}", text.split("\naccess_control:").next().unwrap()));
    let ask = || {
        let answer = world.sandbox.ours(&["can", "ops/deploy", "a.b", "--file", "prod.yaml", "--json"]);
        (answer.code, String::from_utf8(answer.stdout).unwrap())
    };
    let (code, told) = ask();
    assert_eq!(code, Some(0));
    assert!(told.contains("\"is_in_force\": false") && told.contains("the policy is not in force"), "{told}");
    world.sandbox.ours(&["policy", "sign", "--bump"]).ok();
    let (code, told) = ask();
    assert!(code == Some(0) && told.contains("\"is_in_force\": true"), "{told}");
    world.sandbox.ours(&["agent", "revoke", "ops/deploy", "--reason", "lost"]).ok();
    let (code, told) = ask();
    assert!(code == Some(3) && told.contains("\"file\": \".leaflock/revocations.jsonl\""), "{told}");
}

#[test]
fn a_revocation_that_was_seen_does_not_go() {
    let world = World::new();
    let told = world.sandbox.ours(&["agent", "revoke", "ops/deploy", "--reason", "lost"]).text();
    assert!(told.contains("revocations.jsonl:1 denies read, exec, use, write of **"), "{told}");
    let verified = world.sandbox.ours(&["policy", "verify"]).text();
    assert!(verified.contains("1 revocation in force"), "{verified}");
    let line = world.read(".leaflock/revocations.jsonl");
    let (message, signature) = line.trim_end().rsplit_once(",\"sig\":\"").unwrap();
    let signature = leaflock::domain::agent::sshsig::to_armour(signature.trim_end_matches("\"}"));
    world.sandbox.write("line", format!("{message}}}"));
    world.sandbox.write("line.sig", signature);
    assert!(world.keygen_verifies("line", "leaflock-revoke@v1"));
    fs::remove_file(world.sandbox.path(".leaflock/revocations.jsonl")).unwrap();
    world.refuses("policy_stale", "a revocation that this machine has seen is gone");
    for (changed, reason) in [
        (line.replace("\"read\",", ""), "the signature does not fit"),
        (line.replace("lost", "list"), "the signature does not fit"),
        (format!("{line}nonsense\n"), "no revocation in the form"),
    ] {
        world.sandbox.write(".leaflock/revocations.jsonl", changed);
        world.refuses("policy_invalid", reason);
    }
    world.sandbox.write(".leaflock/revocations.jsonl", &line);
    world.holds();
}

/// Commands that ask and the sync agree on what a source is, and what it is called.
#[test]
fn sources_are_the_same_for_all_commands() {
    let world = World::new();
    fs::write(world.sandbox.path("c\\d.yaml"), world.sandbox.read("prod.yaml")).unwrap();
    std::os::unix::fs::symlink("prod.yaml", world.sandbox.path("link.yaml")).unwrap();
    world.sandbox.write("notes.md", "sops is spoken of here\n");
    world.sandbox.ours(&["agent", "sync", "--accept", "."]).ok();
    let manifest: Value = serde_json::from_slice(&world.sandbox.read(".leaflock/manifest.json")).unwrap();
    let synced: Vec<String> = manifest["sources"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(synced, ["c\\d.yaml", "prod.yaml"]);
    let listed: Value = serde_json::from_slice(&world.sandbox.ours(&["list", "--json"]).ok()).unwrap();
    let listed = listed["result"]["secrets"].as_array().unwrap();
    let listed: Vec<&str> = listed.iter().map(|it| it["source"].as_str().unwrap()).collect();
    assert_eq!(listed, synced);
}

/// In an emergency several people, or scripts, revoke at the same time.
#[test]
fn revocations_at_the_same_time_all_count() {
    const CALLS: usize = 12;
    let world = World::new();
    world.sandbox.ours(&["agent", "sync", "--accept", "."]).ok();
    std::thread::scope(|scope| {
        for number in 0..CALLS {
            let sandbox = &world.sandbox;
            scope.spawn(move || {
                let secret = format!("db.x{number}");
                let call = ["agent", "revoke", "ops/deploy", "--secret", &secret, "--reason", "lost"];
                sandbox.ours(&call).ok();
            });
        }
    });
    let lines = world.read(".leaflock/revocations.jsonl");
    assert_eq!(lines.lines().count(), CALLS);
    for number in 0..CALLS {
        assert_eq!(lines.matches(&format!("\"db.x{number}\"")).count(), 1, "{lines}");
    }
    let verified = world.sandbox.ours(&["policy", "verify"]).text();
    assert!(verified.contains(&format!("{CALLS} revocations in force")), "{verified}");
    world.sandbox.ours(&["agent", "sync", "--check"]).ok();
}

/// What an editor saves while the passphrase is asked for stays.
#[test]
fn a_policy_that_changes_while_it_is_signed_is_not_overwritten() {
    let mut world = World::new();
    let path = world.ana.clone();
    let change = ["-p", "-q", "-P", "", "-N", "two words", "-f", &path];
    world.sandbox.run(Path::new("ssh-keygen"), &change, b"").ok();
    let script = "#!/bin/sh\necho '# saved meanwhile' >> .leaflock/policy.yaml\necho two words\n";
    let askpass = world.home("askpass");
    fs::write(&askpass, script).unwrap();
    fs::set_permissions(&askpass, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.sandbox.set_env("LEAFLOCK_ASKPASS", askpass.to_str().unwrap());
    world.change(POLICY, |text| format!("{text}# first\n"));
    let (before, signature) = (world.read(POLICY), world.read(".leaflock/policy.yaml.sig"));
    let told = world.sandbox.ours(&["policy", "sign", "--bump"]).fails(1);
    assert!(told.contains("changed"), "{told}");
    assert_eq!(world.read(POLICY), format!("{before}# saved meanwhile\n"));
    assert_eq!(world.read(".leaflock/policy.yaml.sig"), signature);
}

#[test]
fn a_revocation_takes_the_secrets_out_of_the_files_of_agents() {
    let mut world = World::new();
    let grants = "\naccess_control:\n  secrets:\n    db: { allowed_agents: [ops/deploy] }\n";
    let bot = BOB.recipient;
    world.change(POLICY, |text| {
        let text = text.replace("  ops/deploy:\n", &format!("  ops/deploy:\n    age: {bot}\n"));
        format!("{}{grants}", text.split("\naccess_control:").next().unwrap())
    });
    world.sandbox.ours(&["policy", "sign", "--bump"]).ok();
    world.sandbox.ours(&["agent", "sync", "--accept", "."]).ok();
    let file = ".leaflock/agents/ops/deploy/prod.yaml";
    assert!(world.sandbox.path(file).exists());
    // Its own key signs the line, and no manifest.
    let (ana, agent) = (world.ana.clone(), world.agent.clone());
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &agent);
    let own = ["agent", "revoke", "ops/deploy", "--secret", "x", "--reason", "mine"];
    let said = world.sandbox.ours(&own);
    assert_eq!(said.code, Some(0), "{}", said.describe());
    assert!(
        said.stderr.contains("still hold") && said.stderr.contains("leaflock agent sync"),
        "{}",
        said.stderr
    );
    assert!(world.sandbox.path(file).exists());
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
    world.sandbox.ours(&["agent", "sync", "--check"]).fails(1);
    // An administrator's takes them out in the same step.
    let call = ["agent", "revoke", "ops/deploy", "--reason", "lost", "--json"];
    let answer: Value = serde_json::from_slice(&world.sandbox.ours(&call).ok()).unwrap();
    assert_eq!(answer["result"]["agent_files"], "synced", "{answer}");
    assert_eq!(answer["result"]["removed"], serde_json::json!([file]), "{answer}");
    assert!(!world.sandbox.path(file).exists());
    world.sandbox.ours(&["agent", "sync", "--check"]).ok();
    // Where the sources do not open, the line counts all the same.
    fs::remove_file(world.home(".config/sops/age/keys.txt")).unwrap();
    world.sandbox.write("prod.yaml", world.read("prod.yaml") + "# somebody else\n");
    let said = world.sandbox.ours(&["agent", "revoke", "humans/ana", "--secret", "x", "--reason", "y"]);
    assert_eq!(said.code, Some(0), "{}", said.describe());
    assert!(said.stderr.contains("still hold"), "{}", said.stderr);
    assert_eq!(world.read(".leaflock/revocations.jsonl").lines().count(), 3);
}

/// The answers of a person at a terminal, and how often there was a question.
fn at_a_terminal(world: &World, call: &[&str], answer: &str) -> (usize, String) {
    use expectrl::{Expect, Session};
    let mut command = world.sandbox.command(Path::new(env!("CARGO_BIN_EXE_leaflock")));
    command.args(call);
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(std::time::Duration::from_secs(60)));
    let (mut asked, mut said) = (0, String::new());
    loop {
        let found = session
            .expect(expectrl::Any::boxed(vec![Box::new("n: do not): "), Box::new(expectrl::Eof)]))
            .unwrap();
        said.push_str(&String::from_utf8_lossy(found.as_bytes()));
        if !said.ends_with("n: do not): ") {
            return (asked, said);
        }
        asked += 1;
        // Also the end of the input, twice: standard input and the terminal are both read.
        session.send(answer).unwrap();
    }
}

#[test]
fn signers_are_asked_about_once_and_never_for_a_program() {
    let mut world = World::new();
    let list = digest::of(&world.sandbox.read(LIST));
    fs::remove_file(world.home(".config/leaflock/trust.json")).unwrap();
    for answer in ["n\n", "\u{4}\u{4}"] {
        let (asked, said) = at_a_terminal(&world, &["get", "db.password"], answer);
        assert_eq!(asked, 1, "{said}");
        assert!(said.contains("leaflock trust add"), "{said}");
    }
    let (asked, said) = at_a_terminal(&world, &["get", "--json", "db.password"], "n\n");
    assert_eq!(asked, 0, "{said}");
    assert!(
        said.contains(&format!("leaflock trust add {list}")) && said.contains("untrusted_signers"),
        "{said}"
    );
    world.sandbox.set_env("LEAFLOCK_OUTPUT", "json");
    let (asked, said) = at_a_terminal(&world, &["get", "db.password"], "n\n");
    assert_eq!(asked, 0, "{said}");
    world.sandbox.set_env("LEAFLOCK_OUTPUT", "");
    let (asked, said) = at_a_terminal(&world, &["get", "db.password"], "y\n");
    assert!(asked == 1 && said.contains("c4n4ry"), "{said}");
}

#[test]
fn a_policy_that_was_seen_does_not_go_unnoticed() {
    let world = World::new();
    world.holds();
    let policy = world.sandbox.read(POLICY);
    fs::remove_file(world.sandbox.path(POLICY)).unwrap();
    let mut way_on = String::new();
    for command in [
        &["get", "db.password"][..],
        &["list"],
        &["can", "ops/deploy", "db.password"],
        &["run", "prod.yaml", "--", "touch", "../home/started"],
        &["run", "--agent", "ops/deploy", "--", "touch", "../home/started"],
        &["redact", "--with", "prod.yaml", "prod.yaml"],
        &["redact", "prod.yaml"],
        &["policy", "verify"],
        &["agent", "sync"],
    ] {
        let said = world.sandbox.ours(command);
        assert!(!said.describe().contains("c4n4ry"), "{}", said.describe());
        let told = said.fails(5);
        assert!(told.contains("this machine has seen a policy here, and it is gone"), "{command:?}: {told}");
        way_on = told.split('`').nth(1).unwrap().to_owned();
    }
    assert!(!world.home("started").exists());
    for command in [&["decrypt", "prod.yaml"][..], &["exec-file", "prod.yaml", "cat {}"]] {
        let said = world.sandbox.ours(command);
        assert_eq!(said.stderr.matches("the policy ").count(), 1, "{}", said.stderr);
        assert!(said.text().contains("c4n4ry"));
    }
    // Not so where there never was one.
    world.sandbox.write("../work2/plain.yaml", "a: 1\n");
    world.sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "../work2/plain.yaml"]).ok();
    assert_eq!(world.sandbox.ours(&["decrypt", "../work2/plain.yaml"]).stderr, "");
    world.sandbox.write(POLICY, policy);
    world.holds();
    fs::remove_file(world.sandbox.path(POLICY)).unwrap();
    let words: Vec<&str> = way_on.split(' ').skip(1).collect();
    world.sandbox.ours(&words).ok();
    assert!(world.sandbox.ours(&["get", "db.password"]).text().contains("c4n4ry"));
    assert_eq!(world.sandbox.ours(&["decrypt", "prod.yaml"]).stderr, "");
}

#[test]
fn a_recipient_that_does_not_decode_is_found_when_the_policy_is_read() {
    let world = World::new();
    let good = world.read(POLICY);
    for bad in
        ["age1xx", "age1tvc8srlpa09ty697ew27uwzmx4afzc4hptg6frh69yp9ydya6cqqg647un", "ssh-ed25519 AAAA!"]
    {
        let field = format!("  ops/deploy:\n    age: \"{bad}\"\n");
        world.sandbox.write(POLICY, good.replace("  ops/deploy:\n", &field));
        let line = good.lines().position(|line| line == "  ops/deploy:").unwrap() + 1;
        for (command, code) in [(&["policy", "lint"][..], 1), (&["policy", "sign", "--bump"], 5)] {
            let said = world.sandbox.ours(command);
            let told = said.describe();
            assert!(told.contains("ops/deploy") && told.contains(&format!("policy.yaml:{line}")), "{told}");
            assert!(told.contains("does not decode"), "{told}");
            assert_eq!(said.code, Some(code), "{told}");
        }
    }
    world.sandbox.write(POLICY, good);
    world.holds();
}

#[test]
fn private_keys_get_into_no_work_tree_of_the_repository() {
    let world = World::new();
    git(&world.sandbox, &["worktree", "add", "-q", "../other"]);
    for place in ["keys", "../other", "../other/keys/new", ".git/keys"] {
        let told = world.sandbox.ours(&["agent", "add", "ops/new", "--out", place]);
        assert!(told.stderr.contains("do not belong into the repository"), "{place}: {}", told.describe());
        assert_ne!(told.code, Some(0));
    }
    world.sandbox.ours(&["agent", "add", "ops/new", "--out", "../home/keys"]).ok();
}

#[test]
fn an_agent_takes_rights_from_nobody_but_itself() {
    let mut world = World::new();
    let agent = world.agent.clone();
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &agent);
    for whom in ["humans/ana", "**", "ops/*"] {
        let before = world.files();
        let told = world.sandbox.ours(&["agent", "revoke", whom, "--reason", "x"]).fails(3);
        assert!(told.contains("may not take rights away"), "{told}");
        assert_eq!(world.files(), before);
        let entries = world.entries();
        let last = entries.iter().rfind(|entry| entry["agent_id"] == "ops/deploy").unwrap();
        assert_eq!(
            (&last["action"], &last["outcome"], &last["deny_code"]),
            (&"revoke".into(), &"denied".into(), &"not_allowed".into())
        );
    }
    let told = world.sandbox.ours(&["agent", "revoke", "ops/nobody", "--reason", "x"]).fails(4);
    assert!(told.contains("no principal of that name"), "{told}");
    let own = ["agent", "revoke", "ops/deploy", "--secret", "a.b", "--level", "readonly", "--reason", "x"];
    world.sandbox.ours(&own).ok();
    world.holds();
    // Of another repository: a line of the same agent, with the same key.
    let line = world.read(".leaflock/revocations.jsonl");
    let other = World::new();
    other.sandbox.write(".leaflock/revocations.jsonl", line);
    other.refuses("foreign_repo", "the revocation is of another repository");
}

#[test]
fn what_is_trusted_is_never_read_as_nothing() {
    let world = World::new();
    for name in [".config/leaflock/trust.json", ".local/state/leaflock/repositories.json"] {
        let path = world.home(name);
        let good = fs::read(&path).unwrap();
        for damage in [&good[..good.len() / 2], b"", b"{\"version\":1}"] {
            fs::write(&path, damage).unwrap();
            world.refuses("untrusted_signers", "it is damaged");
            let told = world.sandbox.ours(&["trust", "add", "--yes"]).fails(5);
            assert!(told.contains("it is damaged"), "{told}");
            assert_eq!(fs::read(&path).unwrap(), damage);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        world.refuses("untrusted_signers", "it is damaged");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, good).unwrap();
        world.holds();
    }
}

#[test]
fn a_policy_is_made_once_and_needs_a_key() {
    let mut sandbox = Sandbox::with_key();
    git(&sandbox, &["init", "-q", "-b", "main"]);
    let told = sandbox.ours(&["policy", "init", "--name", "humans/ana"]).fails(7);
    assert!(told.contains("no key to sign with is chosen"), "{told}");
    assert!(!sandbox.path(".leaflock").exists());
    let ana = key(&sandbox, "ana");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
    let told = sandbox.ours(&["policy", "verify"]).fails(4);
    assert!(told.contains("leaflock policy init"), "{told}");
    sandbox.ours(&["policy", "init", "--name", "../x"]).fails(2);
    sandbox.ours(&["policy", "init", "--name", "humans/ana"]).ok();
    sandbox.ours(&["policy", "verify"]).ok();
    let before = sandbox.read(POLICY);
    let told = sandbox.ours(&["policy", "init", "--name", "humans/ana"]).fails(1);
    assert!(told.contains("there already"), "{told}");
    assert_eq!(sandbox.read(POLICY), before);
    // From a folder below, and the person can read what was made.
    sandbox.write("sub/folder/x", "");
    sandbox.ours(&["trust", "list"]).ok();
}

#[test]
fn changes_of_what_is_in_force_are_written_down() {
    let world = World::new();
    let began = world.entries().len();
    world.change(POLICY, |text| format!("{text}# more\n"));
    world.sandbox.ours(&["policy", "sign", "--bump"]).ok();
    let bo = key(&world.sandbox, "bo");
    world.change(LIST, |text| format!("{text}humans/bo {}\n", public(&bo)));
    world.sandbox.ours(&["trust", "sign"]).ok();
    world.sandbox.ours(&["agent", "add", "ops/new", "--out", "../home/keys"]).ok();
    world.sandbox.ours(&["agent", "rekey", "ops/new", "--out", "../home/other"]).ok();
    world.sandbox.ours(&["agent", "remove", "ops/new"]).ok();
    world.sandbox.ours(&["agent", "revoke", "ops/deploy", "--reason", "lost"]).ok();
    let entries = world.entries().split_off(began);
    let told: Vec<(&str, &str, &str)> = entries
        .iter()
        .map(|entry| {
            assert_eq!(entry["agent_id"], "humans/ana");
            let word = |name: &str| entry[name].as_str().unwrap();
            (word("action"), word("outcome"), word("file"))
        })
        .filter(|(action, _, _)| matches!(*action, "policy.change" | "revoke"))
        .collect();
    let policy = ("policy.change", "ok", POLICY);
    let list = ("policy.change", "ok", LIST);
    let revoked = ("revoke", "ok", ".leaflock/revocations.jsonl");
    assert_eq!(told, [policy, list, policy, policy, policy, revoked]);
    // Each names the policy that it made.
    assert_eq!(entries.last().unwrap()["policy"], digest::of(&world.sandbox.read(POLICY)));
    world.commit();
    world.sandbox.ours(&["audit", "verify"]).ok();
    // A change counts even where it cannot be written down; that is told.
    let mut world = world;
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &bo);
    world.change(POLICY, |text| format!("{text}# and more\n"));
    let said = world.sandbox.ours(&["policy", "sign", "--bump"]);
    assert!(said.stderr.contains("the change is not in the audit trail"), "{}", said.describe());
    world.sandbox.ours(&["policy", "verify"]).ok();
}

#[test]
fn git_leaves_the_audit_trail_as_it_is() {
    let begun = |attributes: Option<&str>| {
        let mut sandbox = Sandbox::with_key();
        git(&sandbox, &["init", "-q", "-b", "main"]);
        let ana = key(&sandbox, "ana");
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
        if let Some(text) = attributes {
            sandbox.write(".gitattributes", text);
        }
        let said = sandbox.ours(&["policy", "init", "--name", "humans/ana"]).text();
        let text = String::from_utf8(sandbox.read(".gitattributes")).unwrap();
        let asked = ["check-attr", "text", "--", ".leaflock/audit/w-1/00000001-1.jsonl"];
        let answer = sandbox.run(Path::new("git"), &asked, b"").text();
        assert!(answer.ends_with("text: unset\n"), "{answer}");
        (said, text)
    };
    let (said, text) = begun(None);
    assert!(said.contains("created ") && said.contains("/.gitattributes"), "{said}");
    assert!(text.contains("\n.leaflock/** -text\n"), "{text}");
    for own in ["* text=auto", "* text=auto\n*.png binary\n"] {
        let (said, text) = begun(Some(own));
        assert!(said.contains("changed ") && said.contains("/.gitattributes"), "{said}");
        assert!(text.starts_with(own) && text.contains("\n.leaflock/** -text\n"), "{text}");
    }
    // With line breaks of Windows, as the rest of the file.
    let (_, text) = begun(Some("* text=auto\r\n"));
    assert!(text.starts_with("* text=auto\r\n") && text.contains("\r\n.leaflock/** -text\r\n"), "{text:?}");
    let both =
        ["* text=auto", ".leaflock/** -text", "# Ours.", ".leaflock/revocations.jsonl merge=union", ""];
    for own in [both.join("\n"), both.join("\r\n")] {
        let (said, text) = begun(Some(&own));
        assert!(!said.contains(".gitattributes\n") && text == own, "{said}{text}");
    }
}
