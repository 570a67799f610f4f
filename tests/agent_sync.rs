//! Derived files, with the real sops as the referee: what it opens with each principal's
//! key is what the policy grants, and nothing else. `LEAFLOCK_CASES` sets how many random
//! policies are tried, `LEAFLOCK_SEED` where they begin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::testkit::gen_policy::{self, TestAllow, TestPolicy, TestPrincipal};
use crate::testkit::policy_evaluator::is_held;
use crate::testkit::rng::Rng;
use crate::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};
use crate::testkit::sops;

const PROGRAM: &str = env!("CARGO_BIN_EXE_leaflock");

/// A repository with an administrator, who has [`ALICE`]'s identity.
struct World {
    sandbox: Sandbox,
    /// `ssh-ed25519 AAAA…` of the administrator.
    key: String,
    serial: u64,
}

impl World {
    fn new() -> Self {
        let mut sandbox = Sandbox::with_key();
        let home = sandbox.folder().join("home");
        let path = home.join("ana");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "ana", "-f", path.to_str().unwrap()];
        sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        let key = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let signers = format!("humans/ana namespaces=\"leaflock-*\" {key}\n");
        sandbox.write(".leaflock/allowed_signers", &signers);
        let digest: String = Sha256::digest(&signers).iter().map(|byte| format!("{byte:02x}")).collect();
        sandbox.set_env("LEAFLOCK_TRUST", &format!("sha256:{digest}"));
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", path.to_str().unwrap());
        let world = Self { sandbox, key, serial: 0 };
        world.git(&["init", "-q", "-b", "main"]);
        world.git(&["config", "user.name", "t"]);
        world.git(&["config", "user.email", "t@t.test"]);
        world
    }

    /// With a policy of these rules for `ops/bot` ([`BOB`]) and `ops/eve` ([`CAROL`]), and
    /// two sources.
    fn with_rules(rules: &str) -> Self {
        let mut world = Self::new();
        world.rules(rules);
        world.source("prod.yaml", "db:\n  password: hunter2\n  user: bob\napi:\n  token: canary-use\n");
        world.source("app.json", "{\"db\": {\"password\": \"sesame\"}, \"port\": 1}");
        world
    }

    fn rules(&mut self, rules: &str) {
        let principals = format!(
            "principals:\n  ops/bot: {{ age: {} }}\n  ops/eve: {{ age: [{}] }}\n  humans/ana: {{ age: {}, \
             sign: \"{}\", roles: [admin] }}\n",
            BOB.recipient, CAROL.recipient, ALICE.recipient, self.key
        );
        self.policy(|head| format!("{head}{principals}access_control:\n  secrets:\n{rules}"));
    }

    /// Writes the next policy and signs it, as `ssh-keygen` does.
    fn policy(&mut self, text: impl FnOnce(&str) -> String) {
        self.serial += 1;
        let head = format!("version: 1\nrepo: 6f0c6f0c6f0c6f0c\nserial: {}\n", self.serial);
        self.sandbox.write(".leaflock/policy.yaml", text(&head));
        let (key, policy) =
            (self.sandbox.folder().join("home/ana"), self.sandbox.path(".leaflock/policy.yaml"));
        let _ = fs::remove_file(policy.with_extension("yaml.sig"));
        let (key, policy) = (key.to_str().unwrap(), policy.to_str().unwrap());
        let sign = ["-Y", "sign", "-q", "-n", "leaflock-policy@v1", "-f", key, policy];
        self.sandbox.run(Path::new("ssh-keygen"), &sign, b"").ok();
    }

    /// An encrypted file that stock sops wrote for the administrator.
    fn source(&self, name: &str, plain: &str) {
        self.sandbox.write(name, plain);
        self.sandbox.sops(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.sandbox.run(Path::new("git"), arguments, b"").text()
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "state"]);
    }

    /// Reason and file of the last entry of the audit trail, which must be a denial.
    #[track_caller]
    fn denied(&self) -> (String, String) {
        let mut chains = files_below(&self.sandbox.path(".git/leaflock/audit"));
        chains.retain(|path| path.extension().is_some_and(|it| it == "jsonl"));
        let [chain] = &chains[..] else { panic!("{chains:?}") };
        let text = fs::read_to_string(chain).unwrap();
        let entry: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(entry["outcome"], "denied", "{entry}");
        let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        (word("deny_code"), word("file"))
    }

    fn ours(&self, arguments: &[&str]) -> Output {
        self.sandbox.ours(arguments)
    }

    #[track_caller]
    fn sync(&self) {
        let is_first = !self.sandbox.path(".leaflock/manifest.json").exists();
        let accept: &[&str] = if is_first { &["--accept", "."] } else { &[] };
        self.ours(&[&["agent", "sync"], accept].concat()).ok();
    }

    #[track_caller]
    fn is_current(&self) {
        // An empty home: no identity, no key.
        let home = tempfile::tempdir().unwrap();
        let home = format!("HOME={}", home.path().display());
        let arguments = ["-i", &home, "PATH=/usr/bin:/bin"];
        let trust = format!("LEAFLOCK_TRUST={}", self.sandbox.environment()["LEAFLOCK_TRUST"]);
        let rest = [trust.as_str(), PROGRAM, "agent", "sync", "--check"];
        let output = self.sandbox.run(Path::new("/usr/bin/env"), &[&arguments[..], &rest[..]].concat(), b"");
        assert_eq!(output.text(), "everything is up to date\n");
    }

    /// Files and reasons of what a check finds.
    fn stale(&self, code: i32) -> Vec<(String, String)> {
        let output = self.ours(&["agent", "sync", "--check", "--json"]);
        assert_eq!(output.code, Some(code), "{}", output.describe());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let stale = answer["result"]["stale"].as_array().unwrap();
        stale.iter().map(|it| (text(&it["file"]), text(&it["reason"]))).collect()
    }

    fn derived(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.sandbox.path("");
        files_below(&self.sandbox.path(".leaflock/agents"))
            .into_iter()
            .map(|path| {
                (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
            })
            .collect()
    }

    /// What stock sops opens with the identity in a file; `None` if it does not.
    fn opens(&self, identity: &Path, file: &str) -> Option<Value> {
        let format = match file.rsplit('.').next().unwrap() {
            "yaml" => "yaml",
            "json" => "json",
            "env" => "dotenv",
            "ini" => "ini",
            _ => "binary",
        };
        let key = format!("SOPS_AGE_KEY_FILE={}", identity.display());
        let sops = sops::program().to_str().unwrap();
        let call =
            ["-u", "HOME", &key, sops, "decrypt", "--input-type", format, "--output-type", "json", file];
        let output = self.sandbox.run(Path::new("/usr/bin/env"), &call, b"");
        (output.code == Some(0)).then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    fn identity(&self, name: &str, text: &str) -> PathBuf {
        let path = self.sandbox.folder().join("home").join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The leaves of a JSON document: paths, items of lists without a segment, and texts.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut BTreeSet<(Vec<String>, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                path.push(key.clone());
                leaves(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, found)),
        leaf => drop(found.insert((path.clone(), leaf.as_str().unwrap_or_default().to_owned()))),
    }
}

/// A random policy in a repository, with an identity for everybody.
struct Case {
    world: World,
    policy: TestPolicy,
    identities: BTreeMap<String, (PathBuf, String)>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut policy = gen_policy::policy(&mut Rng::new(seed));
        policy.principals.push(TestPrincipal {
            name: "humans/ana".into(),
            roles: vec!["admin"],
            broker: None,
        });
        let world = World::new();
        let mut identities = BTreeMap::new();
        for (at, principal) in policy.principals.iter().enumerate() {
            let (text, recipient) = match principal.name.as_str() {
                "humans/ana" => (ALICE.identity.to_owned(), ALICE.recipient.to_owned()),
                _ => {
                    let text = world.sandbox.run(Path::new("age-keygen"), &[] as &[&str], b"").text();
                    let line = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
                    (text.clone(), line.to_owned())
                }
            };
            let path = world.identity(&format!("identity-{at}"), &text);
            identities.insert(principal.name.clone(), (path, recipient));
        }
        for source in &policy.sources {
            world.source(&source.path, &source.text());
        }
        let mut case = Self { world, policy, identities };
        case.sign();
        case
    }

    fn sign(&mut self) {
        let Self { world, policy, identities } = self;
        let key = world.key.clone();
        let keys = |principal: &TestPrincipal| {
            let (_, recipient) = &identities[&principal.name];
            match principal.name.as_str() {
                "humans/ana" => format!("age: {recipient}, sign: \"{key}\""),
                _ => format!("age: {recipient}"),
            }
        };
        world.policy(|head| policy.text(head, keys));
    }

    /// What the documentation says that the files of a principal hold, by source.
    fn expected(&self, name: &str) -> BTreeMap<String, BTreeSet<(Vec<String>, String)>> {
        let mut expected = BTreeMap::new();
        for source in &self.policy.sources {
            let held: BTreeSet<_> = source
                .leaves()
                .into_iter()
                .filter(|(path, _)| is_held(&self.policy, name, &source.path, path))
                .collect();
            if !held.is_empty() {
                expected.insert(source.path.clone(), held);
            }
        }
        expected
    }

    /// Compares what stock sops opens with what is expected, for everybody.
    fn check(&self, seed: u64) {
        let files = self.world.derived();
        for (name, (identity, recipient)) in &self.identities {
            let own = format!(".leaflock/agents/{name}/");
            let mut opened = BTreeMap::new();
            for (file, bytes) in &files {
                let is_recipient = String::from_utf8_lossy(bytes).contains(recipient.as_str());
                assert_eq!(is_recipient, file.starts_with(&own), "seed {seed}: {file} and {name}");
                if !is_recipient {
                    continue;
                }
                let value = self.world.opens(identity, file).expect("its own file opens");
                let mut found = BTreeSet::new();
                leaves(&value, &mut Vec::new(), &mut found);
                opened.insert(file[own.len()..].to_owned(), found);
            }
            assert_eq!(opened, self.expected(name), "seed {seed}: {name}");
            // One that is not its own, and one source, to be sure of more than the names.
            let foreign = files.keys().find(|file| !file.starts_with(&own));
            let sources =
                self.policy.sources.iter().map(|source| &source.path).filter(|_| name != "humans/ana");
            for file in foreign.into_iter().chain(sources.take(1)) {
                assert!(self.world.opens(identity, file).is_none(), "seed {seed}: {name} opens {file}");
            }
        }
    }
}

#[test]
fn sops_opens_with_each_key_what_the_policy_grants_and_nothing_else() {
    let first = number("LEAFLOCK_SEED", 1);
    for seed in first..first + number("LEAFLOCK_CASES", 12) {
        let mut case = Case::new(seed);
        case.world.sync();
        case.check(seed);
        case.world.is_current();
        // One grant goes, or comes.
        let before = case.world.derived();
        let held = |case: &Case| -> BTreeMap<String, _> {
            case.identities.keys().map(|name| (name.clone(), case.expected(name))).collect()
        };
        let old = held(&case);
        let mut rng = Rng::new(seed);
        if !case.policy.allows.is_empty() && rng.chance(60) {
            case.policy.allows.remove(rng.below(case.policy.allows.len()));
        } else {
            let agent = case.policy.principals[0].name.clone();
            let rule = TestAllow {
                path: "**".into(),
                agents: vec![agent],
                levels: vec!["read"],
                files: Vec::new(),
                lease: false,
            };
            case.policy.allows.push(rule);
        }
        case.sign();
        case.world.sync();
        case.check(seed);
        let (after, new) = (case.world.derived(), held(&case));
        for (file, bytes) in &after {
            let name =
                case.identities.keys().find(|name| file.starts_with(&format!(".leaflock/agents/{name}/")));
            let name = name.unwrap();
            let source = &file[format!(".leaflock/agents/{name}/").len()..];
            let is_same = old[name].get(source) == new[name].get(source);
            assert_eq!(before.get(file) == Some(bytes), is_same, "seed {seed}: {file}");
        }
    }
}

#[test]
fn every_format_keeps_its_paths_and_types() {
    let world = World::with_rules("    \"**\": { allowed_agents: [ops/bot] }\n");
    let yaml =
        "a_unencrypted: 1.50\nb: [true, {c: null, d: 2001-01-01}, []]\nx: &x {y: 1}\nz: *x\n---\nq: 1\n";
    world.source("many.yaml", yaml);
    world.source("s.ini", "[one]\na=b ; c\n[two]\nc=1\n");
    world.source("e.env", "A=1\nB=x\\ny\n# no\n");
    world.sandbox.write("raw.bin", [0, 159, 146, 150]);
    world.sandbox.sops(&["encrypt", "-i", "--age", ALICE.recipient, "raw.bin"]).ok();
    world.sync();
    let bob = world.identity("bob", BOB.identity);
    let alice = world.identity("alice", ALICE.identity);
    for file in ["prod.yaml", "app.json", "s.ini", "e.env"] {
        let derived = format!(".leaflock/agents/ops/bot/{file}");
        assert_eq!(world.opens(&bob, &derived), world.opens(&alice, file), "{file}");
        let text = String::from_utf8(world.sandbox.read(&derived)).unwrap();
        assert!(!text.contains("# no"), "comments are left out");
    }
    let plain = |identity: &Path, file: &str| {
        let key = format!("SOPS_AGE_KEY_FILE={}", identity.display());
        let call = ["-u", "HOME", &key, sops::program().to_str().unwrap(), "decrypt", file];
        world.sandbox.run(Path::new("/usr/bin/env"), &call, b"").ok()
    };
    assert_eq!(plain(&bob, ".leaflock/agents/ops/bot/raw.bin"), [0, 159, 146, 150]);
    let derived = String::from_utf8(world.sandbox.read(".leaflock/agents/ops/bot/many.yaml")).unwrap();
    assert!(derived.contains("a_unencrypted: ENC["), "every value is encrypted: {derived}");
    let many = String::from_utf8(plain(&bob, ".leaflock/agents/ops/bot/many.yaml")).unwrap();
    assert_eq!(many, String::from_utf8(plain(&alice, "many.yaml")).unwrap());
}

#[test]
fn what_need_not_change_keeps_its_bytes_and_what_changed_reaches_its_readers() {
    let world = World::with_rules(
        "    db: { allowed_agents: [\"ops/*\"] }\n    api: { allowed_agents: [ops/bot], access_level: use }\n",
    );
    world.sync();
    let before = world.derived();
    assert_eq!(before.len(), 4);
    let manifest = world.sandbox.read(".leaflock/manifest.json");
    world.sync();
    assert_eq!((world.derived(), world.sandbox.read(".leaflock/manifest.json")), (before.clone(), manifest));
    let bob = world.identity("bob", BOB.identity);
    let password = |file: &str| world.opens(&bob, file).unwrap()["db"]["password"].clone();
    for (at, arguments) in [
        &["set", "prod.yaml", "[\"db\"][\"password\"]", "\"v0\""][..],
        &["rotate", "-i", "prod.yaml"],
        &["updatekeys", "-y", "prod.yaml"],
        &["unset", "prod.yaml", "[\"db\"][\"user\"]"],
    ]
    .iter()
    .enumerate()
    {
        world.sandbox.write(
            ".sops.yaml",
            format!("creation_rules:\n  - age: {},{}\n", ALICE.recipient, CAROL.recipient),
        );
        world.ours(arguments).ok();
        world.is_current();
        assert_eq!(password(".leaflock/agents/ops/bot/prod.yaml"), "v0", "{at}");
        let after = world.derived();
        assert_eq!(after[".leaflock/agents/ops/bot/app.json"], before[".leaflock/agents/ops/bot/app.json"]);
    }
    world.sandbox.write("prod.yaml", "db: {password: v9}\n");
    world.ours(&["encrypt", "-i", "prod.yaml"]).ok();
    world.is_current();
    assert_eq!(password(".leaflock/agents/ops/bot/prod.yaml"), "v9");
    world.ours(&["rotate", "-i", "-y", "prod.yaml", "app.json"]).ok();
    world.is_current();
    // A new source of ours is one at once.
    world.sandbox.write("new.yaml", "db: {password: fresh}\n");
    world.ours(&["encrypt", "-i", "new.yaml"]).ok();
    world.is_current();
    assert_eq!(password(".leaflock/agents/ops/bot/new.yaml"), "fresh");
}

#[test]
fn who_may_not_sign_changes_nothing() {
    let mut world = World::with_rules("    db: { allowed_agents: [ops/bot] }\n");
    world.sync();
    world.commit();
    let stranger = world.sandbox.folder().join("home/stranger");
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", stranger.to_str().unwrap()];
    world.sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
    world.sandbox.set_env("LEAFLOCK_SIGNING_KEY", stranger.to_str().unwrap());
    for arguments in [
        &["set", "prod.yaml", "[\"db\"][\"password\"]", "\"x\""][..],
        &["unset", "prod.yaml", "[\"db\"]"],
        &["rotate", "-i", "prod.yaml"],
        &["rotate", "-i", "-y", "prod.yaml", "app.json"],
        &["agent", "remove", "ops/bot"],
        &["agent", "rekey", "ops/bot", "--recipient", CAROL.recipient, "--out", "../home/new"],
    ] {
        let output = world.ours(arguments);
        assert!(!matches!(output.code, Some(0)), "{}", output.describe());
        let changed = world.git(&["status", "--porcelain", "--", ".", ":!.leaflock/audit"]);
        assert_eq!(changed, "", "{arguments:?}");
    }
    assert!(!world.sandbox.folder().join("home/new").exists());
}

#[test]
fn a_check_needs_no_key_and_names_what_is_stale() {
    let mut world = World::with_rules("    db: { allowed_agents: [ops/bot] }\n");
    assert_eq!(world.stale(1), [(".leaflock/manifest.json".into(), "no_manifest".into())]);
    world.sync();
    world.is_current();
    let stale = |file: &str, reason: &str| (file.to_owned(), reason.to_owned());
    let own = ".leaflock/agents/ops/bot/prod.yaml";
    let derived = world.sandbox.read(own);
    world.sandbox.sops(&["set", "prod.yaml", "[\"db\"][\"password\"]", "\"theirs\""]).ok();
    fs::remove_file(world.sandbox.path(own)).unwrap();
    world.sandbox.write(".leaflock/agents/ops/eve/prod.yaml", &derived);
    world.source("planted.yaml", "db: {password: x}\n");
    let expected = [
        stale(own, "derived_missing"),
        stale(".leaflock/agents/ops/eve/prod.yaml", "derived_unlisted"),
        stale("planted.yaml", "source_unlisted"),
        stale("prod.yaml", "source_changed"),
    ];
    assert_eq!(world.stale(5), expected);
    world.ours(&["agent", "sync"]).fails(5);
    world.ours(&["agent", "sync", "--accept", "prod.yaml"]).fails(5);
    let said = world.ours(&["agent", "sync", "--accept", "."]).text();
    assert!(said.contains("took over planted.yaml") && said.contains("took over prod.yaml"), "{said}");
    world.is_current();
    assert!(!world.sandbox.path(".leaflock/agents/ops/eve").exists());
    world.rules("    db: { allowed_agents: [ops/bot, ops/eve] }\n");
    let found = world.stale(1);
    assert!(found.contains(&stale(".leaflock/policy.yaml", "policy")), "{found:?}");
    assert!(found.contains(&stale(".leaflock/agents/ops/eve/prod.yaml", "secrets")), "{found:?}");
    let said = world.ours(&["agent", "sync", "--dry-run"]).text();
    assert!(said.contains("would make .leaflock/agents/ops/eve/prod.yaml"), "{said}");
    assert!(world.derived().keys().all(|file| !file.contains("eve")));
    world.sync();
    world.is_current();
}

/// The hook of `git setup` runs this check: it must let a sync be committed.
#[test]
fn check_goes_by_the_manifest_for_derived_files() {
    let world = World::with_rules("    db: { allowed_agents: [ops/bot] }\n");
    let rule = format!("creation_rules:\n  - path_regex: \\.yaml$\n    age: {}\n", ALICE.recipient);
    world.sandbox.write(".sops.yaml", rule);
    world.sync();
    world.ours(&["check"]).ok();
    let own = ".leaflock/agents/ops/bot/prod.yaml";
    let derived = world.sandbox.read(own);
    let found = |name: &str| {
        let output = world.ours(&["check"]);
        assert_eq!(output.code, Some(1), "{}", output.describe());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(name), "{said}");
    };
    world.sandbox.write(own, "db:\n  password: plain\n");
    found("error[not-encrypted]");
    world.sandbox.write(own, [&derived[..], b"\n"].concat());
    found("error[unlisted-derived-file]");
    world.sandbox.write(own, &derived);
    world.sandbox.write(".leaflock/agents/ops/eve/prod.yaml", &derived);
    found("error[unlisted-derived-file]");
}

#[test]
fn accepting_shows_which_keys_changed() {
    let world = World::with_rules("    db: { allowed_agents: [ops/bot] }\n");
    world.sync();
    world.commit();
    world.sandbox.sops(&["set", "prod.yaml", "[\"db\"][\"password\"]", "\"theirs\""]).ok();
    let said = world.ours(&["agent", "sync", "--accept", "prod.yaml", "--dry-run"]).text();
    assert!(said.contains("would take over prod.yaml\n    [\"db\"][\"password\"] changed\n"), "{said}");
    assert!(!said.contains("theirs"));
}

#[test]
fn a_revocation_that_the_manifest_heeds_does_not_go() {
    const FILE: &str = ".leaflock/revocations.jsonl";
    let rules = "    db: { allowed_agents: [ops/bot, humans/ana] }\n";
    let own = ".leaflock/agents/ops/bot/prod.yaml";
    let bob = |world: &World| world.identity("bob", BOB.identity);
    let mut world = World::with_rules(rules);
    world.sync();
    world.ours(&["agent", "revoke", "ops/bot", "--secret", "db", "--reason", "lost"]).ok();
    world.sync();
    world.commit();
    let line = world.sandbox.read(FILE);
    let old = [".leaflock/policy.yaml", ".leaflock/policy.yaml.sig"];
    let old = old.map(|name| (name, world.sandbox.read(name)));
    assert!(world.opens(&bob(&world), own).is_none());
    // Here, and on a machine that never saw it: a folder of its own for what was seen.
    let states =
        [".local/state", "elsewhere", "late"].map(|name| world.sandbox.folder().join("home").join(name));
    let at = |world: &mut World, state: &Path| {
        world.sandbox.set_env("XDG_STATE_HOME", state.to_str().unwrap());
    };
    let accept = ["agent", "sync", "--accept", FILE];
    let refused = |world: &World| {
        for command in [
            &["policy", "verify"][..],
            &["can", "ops/bot", "db.password"],
            &["get", "db.password", "--file", "prod.yaml"],
            &["run", "--agent", "ops/bot", "--", "true"],
            &["set", "prod.yaml", "[\"db\"][\"password\"]", "\"x\""],
            &["agent", "sync", "--check"],
            &["agent", "sync"],
        ] {
            let told = world.ours(command).fails(5);
            assert!(
                told.contains("is gone (sha256:") && told.contains("hint: restore"),
                "{command:?}: {told}"
            );
            assert_eq!(world.denied().0, "policy_stale", "{command:?}");
        }
    };
    for state in &states[..2] {
        at(&mut world, state);
        world.sandbox.write(FILE, "");
        refused(&world);
        fs::remove_file(world.sandbox.path(FILE)).unwrap();
        refused(&world);
        // To say so is not enough: the policy is the one that the line denies.
        world.ours(&accept).fails(5);
        world.sandbox.write(FILE, &line);
        world.is_current();
    }
    // A newer policy takes its place when whoever signs says so, and not before.
    world.rules(rules);
    world.sandbox.write(FILE, "");
    refused(&world);
    assert!(world.opens(&bob(&world), own).is_none());
    let told = world.ours(&accept).describe();
    assert!(told.contains("takes the place of 1 revocation"), "{told}");
    assert_eq!(world.opens(&bob(&world), own).unwrap()["db"]["password"], "hunter2");
    for state in &states {
        at(&mut world, state);
        world.ours(&["policy", "verify"]).ok();
        world.is_current();
    }
    // Not under the policy before, on a machine that never saw the newer one.
    let new = old.clone().map(|(name, _)| (name, world.sandbox.read(name)));
    let never = world.sandbox.folder().join("home/never");
    at(&mut world, &never);
    old.iter().for_each(|(name, bytes)| drop(world.sandbox.write(name, bytes)));
    refused(&world);
    // A line that is back denies again, and has to stay again.
    new.iter().for_each(|(name, bytes)| drop(world.sandbox.write(name, bytes)));
    world.sandbox.write(FILE, &line);
    world.sync();
    assert!(world.opens(&bob(&world), own).is_none());
    world.sandbox.write(FILE, "");
    refused(&world);
    world.ours(&accept).fails(5);
}

#[test]
fn what_is_used_without_being_read_is_in_no_file_of_the_agent() {
    let world = World::with_rules(
        "    db: { allowed_agents: [ops/bot] }\n    api.token: { allowed_agents: [ops/bot], access_level: use }\n\
         \x20   db.user: { allowed_agents: [ops/eve], access_level: write }\n",
    );
    world.sync();
    world.commit();
    let keys = [world.identity("bob", BOB.identity), world.identity("carol", CAROL.identity)];
    let mut files = files_below(&world.sandbox.path(""));
    files.retain(|file| !file.components().any(|it| it.as_os_str() == ".git"));
    let mut opened = 0;
    for file in files {
        let name = file.strip_prefix(world.sandbox.path("")).unwrap().to_str().unwrap().to_owned();
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        if !text.contains("ENC[") {
            assert!(!text.contains("canary-use"), "{name}");
            continue;
        }
        for key in &keys {
            if let Some(value) = world.opens(key, &name) {
                opened += 1;
                assert!(!value.to_string().contains("canary-use"), "{name}");
            }
        }
    }
    assert_eq!(opened, 2, "bot's files, and none of eve's");
}

/// Puts the recipients of one JSON file into another.
fn grafted(from: &[u8], into: &[u8]) -> Option<Vec<u8>> {
    let (from, mut into): (Value, Value) =
        (serde_json::from_slice(from).ok()?, serde_json::from_slice(into).ok()?);
    let stanzas = from.get("sops")?.get("age")?.clone();
    into.get_mut("sops")?["age"] = stanzas;
    Some(serde_json::to_vec_pretty(&into).unwrap())
}

/// Every version of every JSON file in history.
fn versions(world: &World) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for commit in world.git(&["rev-list", "--all"]).lines() {
        for file in world.git(&["ls-tree", "-r", "--name-only", commit]).lines() {
            if file.ends_with(".json") && !file.ends_with("manifest.json") {
                found.push(world.git(&["show", &format!("{commit}:{file}")]).into_bytes());
            }
        }
    }
    found
}

#[test]
fn old_stanzas_open_nothing_new() {
    let world = World::with_rules("    db: { allowed_agents: [ops/bot, ops/eve] }\n");
    world.sandbox.ours(&["rotate", "-i", "--add-age", BOB.recipient, "app.json"]).ok();
    world.sync();
    world.commit();
    let bob = world.identity("bob", BOB.identity);
    assert!(
        world.opens(&bob, "app.json").is_some()
            && world.opens(&bob, ".leaflock/agents/ops/bot/app.json").is_some()
    );
    let said = world.ours(&["agent", "remove", "ops/bot"]).text();
    assert!(said.contains("new data key for app.json") && said.contains("[\"db\"][\"password\"]"), "{said}");
    world.ours(&["set", "app.json", "[\"db\"][\"password\"]", "\"new\""]).ok();
    world.is_current();
    world.commit();
    let mut tries = 0;
    for target in ["app.json", ".leaflock/agents/ops/eve/app.json"] {
        assert!(world.opens(&bob, target).is_none());
        let new = world.sandbox.read(target);
        for old in versions(&world) {
            let Some(graft) = grafted(&old, &new) else { continue };
            world.sandbox.write("graft.json", graft);
            assert!(world.opens(&bob, "graft.json").is_none(), "{target}");
            tries += 1;
        }
        // In the place of the file it is refused before any key is tried.
        world.sandbox.write(target, world.sandbox.read("graft.json"));
        world.ours(&["run", target, "--", "true"]).fails(5);
        assert_eq!(world.denied(), ("manifest_mismatch".to_owned(), target.to_owned()));
        world.sandbox.write(target, &new);
    }
    assert!(tries > 6, "{tries}");
    // The same attack on what stock sops does when somebody leaves.
    world.sandbox.write("plain.json", "{\"password\": \"x\"}");
    let both = format!("{},{}", ALICE.recipient, BOB.recipient);
    world.sandbox.sops(&["encrypt", "-i", "--age", &both, "plain.json"]).ok();
    let old = world.sandbox.read("plain.json");
    world.sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
    world.sandbox.sops(&["updatekeys", "-y", "plain.json"]).ok();
    world.sandbox.sops(&["set", "plain.json", "[\"password\"]", "\"new\""]).ok();
    assert!(world.opens(&bob, "plain.json").is_none());
    world.sandbox.write("graft.json", grafted(&old, &world.sandbox.read("plain.json")).unwrap());
    assert_eq!(world.opens(&bob, "graft.json").unwrap()["password"], "new");
}

#[test]
fn planted_files_are_refused() {
    let world = World::with_rules("    db: { allowed_agents: [ops/bot, humans/ana] }\n");
    world.sync();
    world.commit();
    let refused = |file: &str| {
        let is_source = !file.starts_with('.');
        for arguments in [
            &["decrypt", file][..],
            &["exec-file", file, "cat {}"],
            &["set", file, "[\"db\"][\"password\"]", "\"x\""],
            &["unset", file, "[\"db\"]"],
            &["rotate", "-i", file],
            &["redact", "--with", file, "input"],
            &["run", file, "--", "true"],
            &["agent", "sync", "--check"],
        ] {
            let said = world.ours(arguments);
            assert_eq!(said.code, Some(5), "{}", said.describe());
            assert_eq!(world.denied(), ("manifest_mismatch".to_owned(), file.to_owned()), "{arguments:?}");
            let is_told = arguments[0] == "agent" || said.stderr.contains(&format!("--accept {file}`"));
            assert!(is_told || !is_source, "{}", said.describe());
            assert!(
                !said.stderr.contains("attack") && !String::from_utf8_lossy(&said.stdout).contains("attack")
            );
        }
        // The control: stock sops accepts it, and people may look at it.
        let text = world.sandbox.sops(&["decrypt", file]).text();
        assert!(text.contains("attack") || text.contains("sesame"), "{text}");
        world.ours(&["diff"]).ok();
    };
    world.sandbox.write("input", "");
    // A source with the right recipients, by somebody else.
    world.source("prod.yaml", "db: {password: attack}\n");
    refused("prod.yaml");
    world.ours(&["decrypt", "app.json"]).ok();
    world.ours(&["agent", "sync"]).fails(5);
    assert_eq!(world.denied(), ("manifest_mismatch".to_owned(), "prod.yaml".to_owned()));
    world.ours(&["get", "--file", "prod.yaml", "db.password"]).fails(5);
    assert_eq!(world.denied(), ("manifest_mismatch".to_owned(), "prod.yaml".to_owned()));
    world.git(&["checkout", "-q", "--", "."]);
    // One that the manifest does not hold, and one that was moved.
    world.source("new.yaml", "db: {password: attack}\n");
    refused("new.yaml");
    world.ours(&["get", "--file", "new.yaml", "db.password"]).fails(5);
    assert_eq!(world.denied(), ("manifest_mismatch".to_owned(), "new.yaml".to_owned()));
    world.ours(&["set", "prod.yaml", "[\"api\"][\"token\"]", "\"t\""]).ok();
    assert!(!String::from_utf8(world.sandbox.read(".leaflock/manifest.json")).unwrap().contains("new.yaml"));
    fs::remove_file(world.sandbox.path("new.yaml")).unwrap();
    world.git(&["mv", "app.json", "moved.json"]);
    world.ours(&["set", "moved.json", "[\"port\"]", "2"]).fails(5);
    world.ours(&["agent", "sync", "--accept", "moved.json"]).ok();
    world.ours(&["set", "moved.json", "[\"port\"]", "2"]).ok();
    world.git(&["mv", "moved.json", "app.json"]);
    world.ours(&["agent", "sync", "--accept", "app.json"]).ok();
    // What git ignores is nobody's source; what `encrypt` makes is signed for.
    world.sandbox.write(".gitignore", "local.yaml\n");
    world.source("local.yaml", "db: {password: own}\n");
    assert_eq!(world.ours(&["decrypt", "local.yaml"]).stderr, "");
    world.sandbox.write("made.yaml", "db: {password: made}\n");
    world.ours(&["encrypt", "-i", "--age", ALICE.recipient, "made.yaml"]).ok();
    world.ours(&["set", "made.yaml", "[\"db\"][\"password\"]", "\"x\""]).ok();
    world.is_current();
    world.commit();
    // A derived file, likewise; and one that the reader can open, in the place of another.
    let own = ".leaflock/agents/humans/ana/prod.yaml";
    world.source(own, "db: {password: attack}\n");
    refused(own);
    world.git(&["checkout", "-q", "--", "."]);
    let other = ".leaflock/agents/humans/ana/app.json";
    let planted = ".leaflock/agents/ops/eve/app.json";
    world.sandbox.write(planted, world.sandbox.read(other));
    refused(planted);
    world.sync();
    assert!(!world.sandbox.path(planted).exists(), "a sync takes away what does not belong there");
    world.ours(&["decrypt", "prod.yaml"]).ok();
    // Without the manifest, nothing that it held is believed.
    fs::remove_file(world.sandbox.path(".leaflock/manifest.json")).unwrap();
    world.ours(&["decrypt", "prod.yaml"]).fails(5);
    assert_eq!(world.denied(), ("manifest_mismatch".to_owned(), "prod.yaml".to_owned()));
    world.ours(&["agent", "sync"]).fails(5);
    assert_eq!(world.denied().0, "manifest_mismatch");
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.is_current();
}

#[test]
fn what_is_cut_off_is_told_from_what_is_not_there() {
    let world = World::with_rules("    db: { allowed_agents: [ops/bot, humans/ana] }\n");
    world.sync();
    world.commit();
    for name in ["prod.yaml", ".leaflock/agents/humans/ana/prod.yaml"] {
        let whole = world.sandbox.read(name);
        for part in [3, 9] {
            world.sandbox.write(name, &whole[..whole.len() * part / 10]);
            let commands: &[&[&str]] = match name {
                "prod.yaml" => {
                    &[&["get", "db.user"], &["run", name, "--", "true"], &["set", name, "[\"a\"]", "1"]]
                }
                _ => &[&["run", name, "--", "true"]],
            };
            for command in commands {
                let told = world.ours(command).fails(5);
                assert!(told.contains("signed for") && told.contains(name), "{part} {command:?}: {told}");
            }
            if name == "prod.yaml" {
                let told = world.ours(&["agent", "sync"]);
                assert_ne!(told.code, Some(0));
                assert!(
                    told.stderr.contains("prod.yaml") && told.stderr.contains("hint: "),
                    "{}",
                    told.stderr
                );
            }
        }
        world.sandbox.write(name, &whole);
    }
    world.is_current();
}

#[test]
fn a_sync_that_is_killed_leaves_all_of_it_or_nothing() {
    let mut world = World::with_rules("    db: { allowed_agents: [ops/bot] }\n");
    for number in 0..12 {
        world.source(&format!("more-{number}.yaml"), "db: {password: x}\n");
    }
    world.sync();
    let keys = [world.identity("bob", BOB.identity), world.identity("carol", CAROL.identity)];
    let mut cut_short = 0;
    for round in 0..10_u64 {
        let agent = ["ops/bot", "ops/eve"][(round % 2) as usize];
        world.rules(&format!("    db: {{ allowed_agents: [{agent}] }}\n"));
        let mut command = world.sandbox.command(Path::new(PROGRAM));
        command.args(["agent", "sync"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // The journal of the transaction lies in this folder as long as it is not settled.
        let is_writing = || {
            let files = fs::read_dir(world.sandbox.path("")).unwrap();
            files.flatten().any(|file| file.file_name().to_string_lossy().starts_with(".leaflock-"))
        };
        while !is_writing() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(round % 5));
        let _ = child.kill();
        child.wait().unwrap();
        cut_short += usize::from(is_writing());
        if round % 3 == 0 {
            let output = world.ours(&["agent", "sync", "--abort"]);
            assert!(matches!(output.code, Some(0 | 2)), "{}", output.describe());
        }
        world.sync();
        world.is_current();
        let names: Vec<String> = world.derived().into_keys().collect();
        assert_eq!(names.len(), 14);
        assert!(names.iter().all(|name| name.contains(agent)), "{names:?}");
        let key = &keys[(round % 2) as usize];
        assert!(world.opens(key, &names[0]).is_some());
        let left = files_below(&world.sandbox.path(""));
        assert!(left.iter().all(|path| !path.to_string_lossy().contains("/.leaflock-")), "{left:?}");
    }
    assert!(cut_short > 0, "no call was killed while it wrote");
}

#[test]
fn agents_come_get_other_keys_and_go() {
    let mut world = World::new();
    let head = "principals:\n  # people\n  humans/ana:";
    let (key, recipient) = (world.key.clone(), ALICE.recipient);
    world.policy(|start| {
        format!(
            "{start}{head} {{ age: {recipient}, sign: \"{key}\", roles: [admin] }}\naccess_control:\n  secrets:\n\
             \x20   db: {{ allowed_agents: [\"ops/*\"] }} # team\n    api: {{ allowed_agents: [ops/new] }}\n"
        )
    });
    world.source("prod.yaml", "db: {password: hunter2}\napi: {token: t}\n");
    world.sync();
    world.commit();
    world.ours(&["agent", "add", "ops/new"]).fails(2);
    world.ours(&["agent", "add", "ops/new", "--out", "keys"]).fails(2);
    assert!(!world.sandbox.path("keys").exists());
    world.ours(&["agent", "add", "../x", "--out", "../home/keys"]).fails(2);
    let said = world.ours(&["agent", "add", "ops/new", "--out", "../home/keys"]).text();
    let keys = world.sandbox.folder().join("home/keys");
    let secret = fs::read_to_string(keys.join("ops-new.age")).unwrap();
    assert!(!said.contains("AGE-SECRET-KEY-") && secret.contains("AGE-SECRET-KEY-"));
    for file in ["ops-new.age", "ops-new.ssh"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(keys.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let policy = String::from_utf8(world.sandbox.read(".leaflock/policy.yaml")).unwrap();
    assert!(
        policy.contains("# people") && policy.contains("# team") && policy.contains("ops/new:"),
        "{policy}"
    );
    let public = world.sandbox.run(
        Path::new("ssh-keygen"),
        &["-y", "-f", keys.join("ops-new.ssh").to_str().unwrap()],
        b"",
    );
    let public = public.text().split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert!(policy.contains(public.trim()), "{policy}");
    world.ours(&["agent", "add", "ops/new", "--out", "../home/other"]).fails(2);
    world.ours(&["policy", "verify"]).ok();
    world.sync();
    world.commit();
    let file = ".leaflock/agents/ops/new/prod.yaml";
    assert_eq!(world.opens(&keys.join("ops-new.age"), file).unwrap()["db"]["password"], "hunter2");
    let listed = world.ours(&["agent", "list"]).text();
    assert!(listed.contains("ops/new  agent  1 file"), "{listed}");
    let shown = world.ours(&["agent", "show", "ops/new"]).text();
    assert!(shown.contains("db.password") && shown.contains("api.token"), "{shown}");
    world.ours(&["agent", "show", "ops/none"]).fails(4);
    world.ours(&["agent", "rekey", "ops/new", "--out", "../home/keys"]).fails(1);
    world.ours(&["agent", "rekey", "ops/new", "--out", "../home/keys2"]).ok();
    world.is_current();
    assert!(world.opens(&keys.join("ops-new.age"), file).is_none());
    assert!(world.opens(&world.sandbox.folder().join("home/keys2/ops-new.age"), file).is_some());
    world.ours(&["set", "prod.yaml", "[\"db\"][\"password\"]", "\"v2\""]).ok();
    world.commit();
    let exposure = world.ours(&["agent", "exposure", "--json", "ops/new"]).ok();
    let exposure: Value = serde_json::from_slice(&exposure).unwrap();
    let states: BTreeMap<String, String> = exposure["result"]["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["key"].as_str().unwrap().to_owned(), it["state"].as_str().unwrap().to_owned()))
        .collect();
    assert!(
        states.contains_key("[\"db\"][\"password\"]") && states.contains_key("[\"api\"][\"token\"]"),
        "{exposure}"
    );
    assert_eq!(exposure["result"]["recipient"].as_array().unwrap().len(), 2, "{exposure}");
    let dry = world.ours(&["agent", "remove", "--dry-run", "ops/new"]).text();
    assert!(dry.contains("would leave") && world.sandbox.path(file).exists());
    let said = world.ours(&["agent", "remove", "ops/new"]).text();
    assert!(said.contains("removed .leaflock/agents/ops/new/prod.yaml"), "{said}");
    let policy = String::from_utf8(world.sandbox.read(".leaflock/policy.yaml")).unwrap();
    assert!(!policy.contains("ops/new") && policy.contains("# team") && !policy.contains("api:"), "{policy}");
    assert!(!world.sandbox.path(".leaflock/agents").exists());
    world.is_current();
    world.ours(&["policy", "verify"]).ok();
    let after = world.ours(&["agent", "exposure", "ops/new"]).text();
    assert!(after.contains("[\"db\"][\"password\"]"), "{after}");
    world.ours(&["agent", "exposure", "ops/none"]).fails(4);
}
