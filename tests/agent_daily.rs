//! What a team with a policy meets in daily work with git: merges, rebases, branches, work
//! that is thrown away, line ends, an incident, a colleague. Each ends where everything
//! verifies again, by the commands that the hints name.

use std::fs;
use std::path::Path;

use leaflock::domain::digest;
use serde_json::Value;

use crate::testkit::repository::Repository;
use crate::testkit::sandbox::{ALICE, BOB, Output, Sandbox};

const MANIFEST: &str = ".leaflock/manifest.json";

/// A repository with an administrator, an agent that is granted something, and a source.
struct World {
    repository: Repository,
}

impl World {
    fn new() -> Self {
        let mut repository = Repository::new();
        let key = ssh_key(&repository.sandbox, "ana");
        repository.sandbox.set_env("LEAFLOCK_SIGNING_KEY", &key);
        repository.sandbox.set_env("GIT_EDITOR", "true");
        repository.rules(&["prod\\.(yaml|bin)$"]);
        repository
            .sandbox
            .write("prod.yaml", "database:\n  password: hunter2\n  user: bob\nstripe:\n  key: sk\n");
        repository.sandbox.ours(&["encrypt", "-i", "prod.yaml"]).ok();
        repository.sandbox.ours(&["policy", "init", "--name", "humans/ana"]).ok();
        repository.sandbox.ours(&["agent", "add", "ops/bot", "--out", "../home/keys"]).ok();
        let world = Self { repository };
        world.rules(
            "    database: { allowed_agents: [\"ops/*\"] }\n    stripe: { allowed_agents: [ops/bot] }\n",
        );
        world.ours(&["policy", "sign", "--bump"]).ok();
        world.ours(&["agent", "sync", "--accept", "."]).ok();
        world.commit();
        world
    }

    fn rules(&self, rules: &str) {
        let policy = self.read(".leaflock/policy.yaml");
        let (head, _) = policy.split_once("  secrets:").unwrap();
        self.repository.sandbox.write(".leaflock/policy.yaml", format!("{head}  secrets:\n{rules}"));
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8(self.repository.sandbox.read(name)).unwrap()
    }

    fn ours(&self, arguments: &[&str]) -> Output {
        self.repository.sandbox.ours(arguments)
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.repository.git(arguments)
    }

    fn tries(&self, arguments: &[&str]) -> Output {
        self.repository.sandbox.run(Path::new("git"), arguments, b"")
    }

    fn commit(&self) {
        self.repository.commit("state");
    }

    #[track_caller]
    fn set(&self, key: &str, value: &str) {
        self.ours(&["set", "prod.yaml", &format!("[\"database\"][\"{key}\"]"), &format!("\"{value}\"")]).ok();
    }

    fn get(&self, path: &str) -> Output {
        self.ours(&["get", path])
    }

    /// Everything verifies and is up to date.
    #[track_caller]
    fn holds(&self) {
        self.ours(&["policy", "verify"]).ok();
        self.ours(&["agent", "sync", "--check"]).ok();
        self.ours(&["audit", "verify"]).ok();
    }

    fn states(&self) -> Vec<String> {
        let answer = self.ours(&["agent", "exposure", "--json", "ops/bot"]).ok();
        let object: Value = serde_json::from_slice(&answer).unwrap();
        let secrets = object["result"]["secrets"].as_array().unwrap();
        secrets
            .iter()
            .map(|it| format!("{} {}", it["key"].as_str().unwrap(), it["state"].as_str().unwrap()))
            .collect()
    }
}

fn ssh_key(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.folder().join("home").join(name).to_str().unwrap().to_owned();
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path];
    sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
    path
}

#[test]
fn what_a_key_could_open_is_compared_with_its_source() {
    let world = World::new();
    // A grant that is withdrawn changes no secret.
    world.rules("    database: { allowed_agents: [\"ops/*\"] }\n");
    world.ours(&["policy", "sign", "--bump"]).ok();
    world.ours(&["agent", "sync"]).ok();
    world.commit();
    let [password, user, stripe] =
        ["[\"database\"][\"password\"]", "[\"database\"][\"user\"]", "[\"stripe\"][\"key\"]"];
    let of = |states: [&str; 3]| -> Vec<String> {
        [password, user, stripe].iter().zip(states).map(|(key, state)| format!("{key} {state}")).collect()
    };
    assert_eq!(world.states(), of(["unchanged"; 3]));
    // Nor does it that the agent goes, with its files.
    let said = world.ours(&["agent", "remove", "ops/bot"]).text();
    assert!(said.contains("3 of 3 are unchanged"), "{said}");
    world.commit();
    assert_eq!(world.states(), of(["unchanged"; 3]));
    world.set("password", "other");
    world.ours(&["unset", "prod.yaml", "[\"stripe\"]"]).ok();
    assert_eq!(world.states(), of(["changed", "unchanged", "removed"]));
    world.commit();
    assert_eq!(world.states(), of(["changed", "unchanged", "removed"]));
    fs::remove_file(world.repository.sandbox.path("prod.yaml")).unwrap();
    assert_eq!(world.states(), of(["removed"; 3]));
}

#[test]
fn values_behind_aliases_are_compared_too() {
    let world = World::new();
    let plain = "base: &b\n  password: canary\nprod:\n  login: *b\n";
    world.repository.sandbox.write("other.prod.yaml", plain);
    world.ours(&["encrypt", "-i", "other.prod.yaml"]).ok();
    world.rules("    prod: { allowed_agents: [ops/bot] }\n");
    world.ours(&["policy", "sign", "--bump"]).ok();
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.commit();
    let states = world.states();
    assert!(states.contains(&"[\"prod\"][\"login\"][\"password\"] unchanged".to_owned()), "{states:?}");
}

#[test]
fn merges_end_where_everything_verifies() {
    for (with_driver, is_rebase) in [(false, false), (true, false), (false, true), (true, true)] {
        let world = World::new();
        let told = format!("driver {with_driver}, rebase {is_rebase}");
        if with_driver {
            world.repository.setup(&[]);
            world.commit();
        }
        world.git(&["branch", "other"]);
        world.set("password", "main");
        world.commit();
        world.git(&["checkout", "-q", "other"]);
        // With the driver, only what both sides changed is a conflict.
        world.set(if with_driver { "password" } else { "user" }, "other");
        world.commit();
        let ended = match is_rebase {
            true => world.tries(&["rebase", "-q", "main"]),
            false => world.tries(&["merge", "-q", "main"]),
        };
        assert_ne!(ended.code, Some(0), "{told}");
        let refused = world.ours(&["set", "prod.yaml", "[\"new\"]", "\"x\""]);
        assert_ne!(refused.code, Some(0), "{told}");
        // What is missing is named, and can be done.
        let said = world.ours(&["agent", "sync"]);
        assert!(said.stderr.contains("leaflock resolve FILE"), "{told}: {}", said.describe());
        world.ours(&["policy", "verify"]).ok();
        world.ours(&["resolve", "--all-ours", "prod.yaml"]).ok();
        let said = world.ours(&["agent", "sync"]).fails(5);
        assert!(said.contains("agent sync --accept ."), "{told}: {said}");
        let said = world.ours(&["agent", "sync", "--check"]).stdout;
        assert!(String::from_utf8_lossy(&said).contains("manifest.json has conflicts of a merge"), "{told}");
        world.ours(&["agent", "sync", "--accept", "."]).ok();
        world.git(&["add", "-A"]);
        match is_rebase {
            true => drop(world.git(&["rebase", "--continue"])),
            false => world.commit(),
        }
        world.holds();
        let said = world.get("database.password");
        assert!(!said.stderr.contains("has serial"), "{told}: {}", said.describe());
        let wanted = match (with_driver, is_rebase) {
            // Without the driver git marks all of it: each side is a file of its own.
            (false, false) => "hunter2",
            (true, false) => "other",
            (_, true) => "main",
        };
        assert_eq!(said.text().trim_end(), wanted, "{told}");
        assert_eq!(world.git(&["status", "--porcelain", "--", "prod.yaml"]), "", "{told}");
    }
}

#[test]
fn conflicts_that_were_committed_are_mended_as_well() {
    let world = World::new();
    world.git(&["branch", "other"]);
    world.set("password", "main");
    world.commit();
    world.git(&["checkout", "-q", "other"]);
    world.set("user", "other");
    world.commit();
    assert_ne!(world.tries(&["merge", "-q", "main"]).code, Some(0));
    world.commit();
    world.ours(&["resolve", "--all-ours", "prod.yaml"]).ok();
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.commit();
    world.holds();
}

#[test]
fn revocations_of_two_branches_all_hold() {
    let world = World::new();
    world.ours(&["agent", "add", "ops/other", "--out", "../home/keys"]).ok();
    world.ours(&["policy", "sign", "--bump"]).ok();
    world.ours(&["agent", "sync"]).ok();
    world.commit();
    world.git(&["branch", "other"]);
    // What a machine has seen binds it on every branch: the second one has not seen it.
    let home = world.repository.sandbox.folder().join("home/.local");
    let folders = ["state", "state-of-another"].map(|name| home.join(name).to_str().unwrap().to_owned());
    world.repository.sandbox.run(Path::new("cp"), &["-a", &folders[0], &folders[1]], b"").ok();
    world.ours(&["agent", "revoke", "ops/bot", "--reason", "laptop stolen"]).ok();
    world.commit();
    fs::remove_dir_all(&folders[0]).unwrap();
    fs::rename(&folders[1], &folders[0]).unwrap();
    world.git(&["checkout", "-q", "other"]);
    world.ours(&["agent", "revoke", "ops/other", "--reason", "talked into things"]).ok();
    world.commit();
    let unmerged = || world.git(&["diff", "--name-only", "--diff-filter=U"]);
    assert_ne!(world.tries(&["merge", "-q", "main"]).code, Some(0));
    assert!(!unmerged().contains("revocations") && unmerged().contains(MANIFEST), "{}", unmerged());
    assert_eq!(world.read(".leaflock/revocations.jsonl").lines().count(), 2);
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.commit();
    world.holds();
    for agent in ["ops/bot", "ops/other"] {
        let said = world.ours(&["can", agent, "database.password"]).fails(3);
        assert_eq!(said, "");
        let shown = world.ours(&["can", agent, "database.password"]).stdout;
        assert!(String::from_utf8_lossy(&shown).contains("revocations.jsonl:"), "{agent}");
    }
}

#[test]
fn conflicts_of_the_policy_are_told_as_such() {
    let world = World::new();
    world.git(&["branch", "other"]);
    for (branch, name) in [("main", "one"), ("other", "two")] {
        world.git(&["checkout", "-q", branch]);
        let policy = world.read(".leaflock/policy.yaml");
        // Another machine has made this one.
        let serial = policy.lines().find(|line| line.starts_with("serial:")).unwrap();
        let policy =
            policy.replace(serial, &format!("serial: 9{name}").replace("one", "1").replace("two", "2"));
        world.repository.sandbox.write(".leaflock/policy.yaml", policy);
        world.ours(&["policy", "sign"]).ok();
        world.commit();
    }
    assert_ne!(world.tries(&["merge", "-q", "main"]).code, Some(0));
    for command in [&["policy", "verify"][..], &["policy", "sign", "--bump"], &["agent", "sync"]] {
        let said = world.ours(command).fails(5);
        assert!(said.contains("a merge left conflicts in the policy"), "{command:?}: {said}");
        assert!(said.contains("take the markers out; then `leaflock policy sign --bump`"), "{said}");
    }
    let said = world.ours(&["policy", "lint"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("a merge left conflicts"), "{}", said.describe());
    let text = world.read(".leaflock/policy.yaml");
    let whole: Vec<&str> =
        text.lines().filter(|line| !line.contains("<<<<") && !line.contains(">>>>")).collect();
    let (head, rest) =
        whole.join("\n").split_once("=======\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    world.repository.sandbox.write(".leaflock/policy.yaml", format!("{head}{rest}\n"));
    world.ours(&["policy", "sign", "--bump"]).ok();
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.commit();
    world.holds();
}

#[test]
fn another_branch_and_discarded_work_go_on() {
    let world = World::new();
    // Work that is thrown away.
    world.set("password", "thrown away");
    world.git(&[
        "checkout",
        "-q",
        "--",
        "prod.yaml",
        ".leaflock/manifest.json",
        ".leaflock/manifest.json.sig",
        ".leaflock/agents",
    ]);
    let said = world.get("database.password");
    assert!(
        said.stderr.contains("note: the manifest here has serial 1, and this machine has seen 2"),
        "{}",
        said.describe()
    );
    assert_eq!(said.text(), "hunter2\n");
    // A branch that is not merged yet.
    world.commit();
    world.git(&["checkout", "-q", "-b", "feature"]);
    world.set("password", "feature");
    world.get("database.password").ok();
    world.commit();
    world.git(&["checkout", "-q", "main"]);
    assert_eq!(world.get("database.password").text(), "hunter2\n");
    world.ours(&["run", "--agent", "ops/bot", "--", "true"]).ok();
    world.set("user", "main");
    let manifest: Value = serde_json::from_str(&world.read(MANIFEST)).unwrap();
    assert_eq!(manifest["serial"], 4, "numbers grow beyond all that were seen");
    world.commit();
    world.holds();
}

#[test]
fn a_manifest_that_is_brought_back_is_refused() {
    let world = World::new();
    let old = ["prod.yaml", MANIFEST, ".leaflock/manifest.json.sig", ".leaflock/agents"];
    let first = world.git(&["rev-parse", "HEAD"]);
    let bring_back = || drop(world.git(&[&["checkout", "-q", first.trim(), "--"][..], &old].concat()));
    // The mark rises with the command that writes.
    world.set("password", "changed");
    world.commit();
    let refused = |what: &str| {
        for command in [&["get", "database.password"][..], &["run", "--agent", "ops/bot", "--", "true"]] {
            let said = world.ours(command).fails(5);
            assert!(
                said.contains("has serial 1, and this machine has seen 2"),
                "{what}: {command:?}: {said}"
            );
        }
    };
    bring_back();
    refused("in the work tree");
    world.ours(&["agent", "sync"]).fails(5);
    world.git(&["commit", "-q", "-am", "replay"]);
    refused("in a commit on top");
    world.git(&["reset", "-q", "--hard", "HEAD~"]);
    world.get("database.password").ok();
    // A merge of which git's simplified history shows the old side alone.
    let tip = world.git(&["rev-parse", "HEAD"]);
    world.git(&["checkout", "-q", "-b", "old", first.trim()]);
    world.git(&["merge", "-q", "-s", "ours", "-m", "replay", tip.trim()]);
    refused("in a merge that takes nothing");
    // Without git nothing tells a branch from a replay.
    world.git(&["checkout", "-q", "main"]);
    bring_back();
    fs::rename(world.repository.sandbox.path(".git"), world.repository.sandbox.folder().join("home/git"))
        .unwrap();
    let said = world.ours(&["policy", "verify"]);
    assert_eq!(said.code, Some(5), "{}", said.describe());
    fs::rename(world.repository.sandbox.folder().join("home/git"), world.repository.sandbox.path(".git"))
        .unwrap();
    // Where it was meant, somebody signs for it.
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.commit();
    world.holds();
    // A manifest that is gone, by the hint.
    fs::remove_file(world.repository.sandbox.path(MANIFEST)).unwrap();
    let said = world.get("database.password").fails(5);
    assert!(
        said.contains("that was seen before is gone") && said.contains("agent sync --accept ."),
        "{said}"
    );
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.holds();
}

#[test]
fn a_policy_that_was_thrown_away_is_no_dead_end() {
    let world = World::new();
    world.ours(&["agent", "add", "ops/oops", "--out", "../home/oops"]).ok();
    world.git(&["checkout", "-q", "--", ".leaflock/policy.yaml", ".leaflock/policy.yaml.sig"]);
    let said = world.get("database.password").fails(5);
    assert!(said.contains("`leaflock policy sign --bump`"), "{said}");
    world.ours(&["policy", "sign", "--bump"]).ok();
    world.ours(&["agent", "sync"]).ok();
    world.holds();
}

#[test]
fn many_files_make_a_short_hint() {
    let world = World::new();
    for number in 0..5 {
        let name = format!("more-{number}.prod.yaml");
        world.repository.sandbox.write(&name, "a: b\n");
        world.repository.sandbox.sops(&["encrypt", "-i", &name]).ok();
    }
    let said = world.ours(&["agent", "sync"]).fails(5);
    assert!(
        said.contains("and 2 more") && said.contains("`leaflock agent sync --accept .` takes all 5 over"),
        "{said}"
    );
}

#[test]
fn line_ends_that_git_changed_are_named() {
    let world = World::new();
    let attributes = world.read(".gitattributes");
    assert!(attributes.contains("\n.leaflock/** -text\n"), "{attributes}");
    world.repository.sandbox.write(".gitattributes", format!("{attributes}prod.yaml -text\n"));
    world.commit();
    let home = world.repository.sandbox.folder().join("home");
    let clone = |name: &str| {
        let to = home.join(name);
        world.git(&["clone", "-q", "-c", "core.autocrlf=true", ".", to.to_str().unwrap()]);
        to.to_str().unwrap().to_owned()
    };
    let sandbox = &world.repository.sandbox;
    let at = |folder: &str, arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_leaflock");
        sandbox.run(Path::new("/usr/bin/env"), &[&["-C", folder, program], arguments].concat(), b"")
    };
    let good = clone("good");
    at(&good, &["policy", "verify"]).ok();
    at(&good, &["agent", "sync", "--check"]).ok();
    assert_eq!(at(&good, &["get", "database.password"]).text(), "hunter2\n");
    // As it was before there were such lines.
    world.git(&["rm", "-q", ".gitattributes"]);
    world.commit();
    let bad = clone("bad");
    let git = |arguments: &[&str]| world.git(&[&["-C", bad.as_str()], arguments].concat());
    let said = at(&bad, &["policy", "verify"]).fails(5);
    assert!(said.contains("allowed_signers") && said.contains("core.autocrlf"), "{said}");
    fs::write(Path::new(&bad).join(".gitattributes"), ".leaflock/allowed_signers -text\n").unwrap();
    git(&["rm", "-r", "-q", "--cached", ".leaflock"]);
    git(&["checkout", "HEAD", "--", ".leaflock"]);
    let said = at(&bad, &["policy", "verify"]).fails(5);
    assert!(said.contains("policy.yaml\n") && said.contains("`.leaflock/** -text`"), "{said}");
    fs::write(Path::new(&bad).join(".gitattributes"), ".leaflock/** -text\n").unwrap();
    git(&["rm", "-r", "-q", "--cached", ".leaflock"]);
    git(&["checkout", "HEAD", "--", ".leaflock"]);
    at(&bad, &["policy", "verify"]).ok();
    let said = at(&bad, &["get", "database.password"]).fails(5);
    assert!(said.contains("core.autocrlf") && said.contains("`prod.yaml -text`"), "{said}");
    fs::write(Path::new(&bad).join(".gitattributes"), ".leaflock/** -text\nprod.yaml -text\n").unwrap();
    git(&["rm", "-r", "-q", "--cached", "prod.yaml"]);
    git(&["checkout", "HEAD", "--", "prod.yaml"]);
    assert_eq!(at(&bad, &["get", "database.password"]).text(), "hunter2\n");
}

#[test]
fn a_policy_that_expired_takes_away_and_tells_still() {
    let world = World::new();
    let policy = world.read(".leaflock/policy.yaml");
    let policy: Vec<&str> = policy.lines().filter(|line| !line.starts_with("valid_until:")).collect();
    let policy = policy.join("\n").replace("repo:", "valid_until: 2020-01-01T00:00:00Z\nrepo:");
    let policy = policy.replacen("serial: ", "serial: 1", 1);
    world.repository.sandbox.write(".leaflock/policy.yaml", format!("{policy}\n"));
    // Nothing of ours signs such a policy.
    for command in [&["policy", "sign", "--bump"][..], &["policy", "sign"]] {
        assert!(world.ours(command).fails(5).contains("valid until 2020"));
    }
    let said = world.ours(&["agent", "add", "ops/new", "--out", "../home/new"]);
    assert!(said.stderr.contains("valid until 2020"), "{}", said.describe());
    let (key, policy) = (
        world.repository.sandbox.folder().join("home/ana"),
        world.repository.sandbox.path(".leaflock/policy.yaml"),
    );
    fs::remove_file(policy.with_extension("yaml.sig")).unwrap();
    let sign = [
        "-Y",
        "sign",
        "-q",
        "-n",
        "leaflock-policy@v1",
        "-f",
        key.to_str().unwrap(),
        policy.to_str().unwrap(),
    ];
    world.repository.sandbox.run(Path::new("ssh-keygen"), &sign, b"").ok();
    for command in
        [&["get", "database.password"][..], &["run", "--agent", "ops/bot", "--", "true"], &["agent", "sync"]]
    {
        assert!(world.ours(command).fails(5).contains("valid until 2020"), "{command:?}");
    }
    for command in [
        &["agent", "revoke", "ops/bot", "--reason", "lost"][..],
        &["audit", "verify"],
        &["audit", "report", "--out", "../home/report.html"],
    ] {
        let said = world.ours(command);
        assert!(said.stderr.contains("was valid until 2020"), "{command:?}: {}", said.describe());
        said.ok();
    }
    assert!(world.read(".leaflock/revocations.jsonl").contains("ops/bot"));
}

#[test]
fn the_administrator_of_a_changed_list_is_told_to_sign_it() {
    let world = World::new();
    let key = ssh_key(&world.repository.sandbox, "bea");
    let public = fs::read_to_string(format!("{key}.pub")).unwrap();
    let list = world.read(".leaflock/allowed_signers");
    world.repository.sandbox.write(".leaflock/allowed_signers", format!("{list}humans/bea {public}"));
    let said = world.get("database.password").fails(5);
    assert!(said.contains("`leaflock trust sign` signs the change"), "{said}");
    world.ours(&["trust", "sign"]).ok();
    world.get("database.password").ok();
}

/// Bea: another home with her own keys, a clone, and the list of signers pinned.
fn bea(world: &World) -> (Sandbox, String) {
    let mut sandbox = Sandbox::new();
    let key = ssh_key(&sandbox, "bea");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &key);
    sandbox.set_env("SOPS_AGE_KEY_FILE", sandbox.folder().join("home/bea.age").to_str().unwrap());
    fs::write(sandbox.folder().join("home/bea.age"), BOB.identity).unwrap();
    let rule = format!("creation_rules:\n  - age: {},{}\n", ALICE.recipient, BOB.recipient);
    world.repository.sandbox.write(".sops.yaml", rule);
    world.ours(&["updatekeys", "-y", "prod.yaml"]).ok();
    world.commit();
    let public = fs::read_to_string(format!("{key}.pub")).unwrap();
    fetch(world, &sandbox);
    (sandbox, public)
}

/// Her clone anew, with all that she has trusted.
fn fetch(world: &World, sandbox: &Sandbox) {
    let work = sandbox.path("");
    fs::remove_dir_all(&work).unwrap();
    fs::create_dir(&work).unwrap();
    let from = world.repository.sandbox.path("");
    sandbox.run(Path::new("git"), &["clone", "-q", from.to_str().unwrap(), "."], b"").ok();
    sandbox.ours(&["trust", "add", &digest::of(&sandbox.read(".leaflock/allowed_signers"))]).ok();
}

#[test]
fn a_colleague_is_added_as_the_hints_and_the_manual_say() {
    let world = World::new();
    let (sandbox, public) = bea(&world);
    let said = sandbox.ours(&["decrypt", "prod.yaml"]).fails(9);
    assert!(said.contains("`leaflock agent add humans/NAME --role human"), "{said}");
    let public = public.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let add = [
        "agent",
        "add",
        "humans/bea",
        "--role",
        "human",
        "--recipient",
        BOB.recipient,
        "--signing-key",
        &public,
    ];
    world.ours(&add).ok();
    world.ours(&["agent", "sync"]).ok();
    world.commit();
    fetch(&world, &sandbox);
    assert!(sandbox.ours(&["decrypt", "prod.yaml"]).text().contains("hunter2"));
    let said = sandbox.ours(&["set", "prod.yaml", "[\"database\"][\"password\"]", "\"bea\""]).fails(3);
    assert!(said.contains("leaflock-manifest@v1") && said.contains("`leaflock trust sign`"), "{said}");
    let list = world.read(".leaflock/allowed_signers");
    let line = format!("humans/bea namespaces=\"leaflock-manifest@v1\" {public}\n");
    world.repository.sandbox.write(".leaflock/allowed_signers", format!("{list}{line}"));
    world.ours(&["trust", "sign"]).ok();
    world.ours(&["agent", "sync"]).ok();
    world.commit();
    fetch(&world, &sandbox);
    sandbox.ours(&["set", "prod.yaml", "[\"database\"][\"password\"]", "\"bea\""]).ok();
    sandbox.ours(&["agent", "sync", "--check"]).ok();
    sandbox.ours(&["policy", "sign"]).fails(3);
}

#[test]
fn values_that_no_variable_holds_are_left_out_and_named() {
    let world = World::new();
    world.repository.sandbox.write("logo.prod.bin", b"\0\x01binary\0");
    world
        .repository
        .sandbox
        .write("long.prod.yaml", format!("long: {}\nshort: canary\n", "x".repeat(200_000)));
    for name in ["logo.prod.bin", "long.prod.yaml"] {
        world.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
    }
    world.rules("    \"**\": { allowed_agents: [ops/bot], access_level: exec }\n");
    world.ours(&["policy", "sign", "--bump"]).ok();
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    let run = ["run", "--agent", "ops/bot"];
    let said = world.ours(&[&run[..], &["--", "sh", "-c", "test \"$DATABASE_USER\" = bob"]].concat());
    for left in ["logo.prod.bin: data is left out", "long.prod.yaml: long is left out", "--file NAME=data"] {
        assert!(said.stderr.contains(left), "{}", said.describe());
    }
    said.ok();
    let said = world.ours(
        &[&run[..], &["--file", "LOGO=data", "logo.prod.bin", "--", "sh", "-c", "wc -c < $LOGO"]].concat(),
    );
    assert_eq!(said.text().trim(), "9");
    let said =
        world.ours(&[&run[..], &["--env", "LOGO=data", "logo.prod.bin", "--", "true"]].concat()).fails(1);
    assert!(
        said.contains("logo.prod.bin") && said.contains("data") && said.contains("--file NAME=data"),
        "{said}"
    );
    let many: Vec<String> = (0..30).map(|at| format!("v{at}: {}\n", "y".repeat(120_000))).collect();
    world.repository.sandbox.write("many.prod.yaml", many.concat());
    world.ours(&["encrypt", "-i", "--age", ALICE.recipient, "many.prod.yaml"]).ok();
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    let said = world.ours(&[&run[..], &["many.prod.yaml", "--", "true"]].concat()).fails(126);
    assert!(said.contains("128 KiB"), "{said}");
}

#[test]
fn first_steps_lead_on() {
    let world = World::new();
    let sandbox = &world.repository.sandbox;
    let policy = world.read(".leaflock/policy.yaml");
    assert!(policy.contains("valid_until: 20"), "{policy}");
    // Rules below a map that is written as empty.
    let (head, _) = policy.split_once("  secrets:").unwrap();
    sandbox.write(
        ".leaflock/policy.yaml",
        format!("{head}  secrets: {{}}\n    database: {{ allowed_agents: [ops/bot] }}\n"),
    );
    let said = world.ours(&["policy", "lint"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("`{}` is an empty map"), "{}", said.describe());
    sandbox.write(".leaflock/policy.yaml", policy);
    world.ours(&["policy", "lint"]).ok();
    // Nothing is asserted.
    sandbox.write("empty.test", "# later\n\n");
    assert!(world.ours(&["policy", "test", "empty.test"]).fails(2).contains("asserts nothing"));
    // Outside of git.
    let outside = Sandbox::with_key();
    let said = outside.ours(&["policy", "init", "--name", "humans/ana"]).fails(4);
    assert!(said.contains("`git init`") && !outside.path(".leaflock").exists(), "{said}");
    // Words of policies, and paths as other commands take them.
    for level in ["readonly", "read"] {
        world.ours(&["can", "ops/bot", "database", "--level", level]).ok();
    }
    world.ours(&["can", "ops/bot", "database", "--level", "post"]).fails(3);
    world.ours(&["can", "ops/bot", "database", "--level", "read-write"]).fails(2);
    fs::create_dir(sandbox.path("deep")).unwrap();
    let arguments = [
        "-C",
        "deep",
        env!("CARGO_BIN_EXE_leaflock"),
        "can",
        "ops/bot",
        "database",
        "--file",
        "../prod.yaml",
    ];
    sandbox.run(Path::new("/usr/bin/env"), &arguments, b"").ok();
    // A source that nobody has signed for.
    sandbox.write("new.prod.yaml", "a: b\n");
    sandbox.sops(&["encrypt", "-i", "new.prod.yaml"]).ok();
    let said = world.ours(&["run", "--agent", "ops/bot", "new.prod.yaml", "--", "true"]).fails(4);
    assert!(
        said.contains("nobody has signed for new.prod.yaml") && said.contains("--accept new.prod.yaml"),
        "{said}"
    );
    assert!(world.ours(&["agent", "lst"]).stderr.contains("did you mean `leaflock agent list`?"));
    assert!(
        world.ours(&["policy", "lint", "x"]).stderr.contains("`policy lint` takes no words, one was given")
    );
    assert!(world.ours(&["agent", "add"]).stderr.contains("leaflock agent add ops/deploy"));
    let completions = world.ours(&["completion", "bash"]).text();
    assert!(completions.contains("readonly") && completions.contains("granted ok denied failed"));
}

#[test]
fn answers_for_programs_say_what_to_do() {
    let world = World::new();
    let answer = |arguments: &[&str]| -> Value {
        let said = world.ours(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", said.describe()))
    };
    let object = answer(&["agent", "show", "ops/none"]);
    assert_eq!(object["next_actions"][0]["argv"][2], "list", "{object}");
    assert_eq!(object["next_actions"][0]["argv"][1], "agent", "{object}");
    let object = answer(&["can", "ops/bot", "database", "--level", "write"]);
    assert!(object["fix"].as_str().unwrap().contains("policy explain ops/bot database"), "{object}");
    world.rules("    nothing: { allowed_agents: [ops/bot] }\n    database: { allowed_agents: [ops/bot], access_level: write }\n");
    let object = answer(&["policy", "lint"]);
    assert!(object["fix"].is_string(), "{object}");
    let ids: Vec<&str> = object["result"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"not-used"), "{ids:?}");
    world.repository.sandbox.write(".leaflock/policy.yaml", "version: 1\n  repo: x\n");
    let object = answer(&["policy", "verify"]);
    assert!(object["fix"].as_str().unwrap().contains("indentation"), "{object}");
    let object = answer(&["redact", "--agent", "ops/bot"]);
    assert!(object["ok"] == false && object["command"] == "leaflock redact", "{object}");
    let mut stranger = Sandbox::new();
    stranger.set_env("LEAFLOCK_TRUST", &format!("sha256:{}", "0".repeat(64)));
    let from = world.repository.sandbox.path("");
    stranger.run(Path::new("git"), &["clone", "-q", from.to_str().unwrap(), "."], b"").ok();
    let object: Value =
        serde_json::from_slice(&stranger.ours(&["policy", "verify", "--json"]).stdout).unwrap();
    assert_eq!(object["error"]["code"], "untrusted_signers", "{object}");
    assert_eq!(
        object["next_actions"][0]["argv"],
        serde_json::json!(["leaflock", "trust", "add"]),
        "{object}"
    );
    assert_eq!(object["next_actions"][0]["dangerous"], true, "{object}");
}
