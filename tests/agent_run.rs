//! Programs that run for agents: what the policy grants arrives, what it does not never
//! does, nothing of it is printed, and where it cannot be written down no program starts.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use expectrl::{Eof, Expect, Session};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::testkit::sandbox::{ALICE, BOB, CAROL, Key, Output, Sandbox};

const PROGRAM: &str = env!("CARGO_BIN_EXE_leaflock");

/// Every secret holds this, so that it is found wherever it gets to.
const CANARY: &str = "c4n4ry";

const PROD: &str = "db:\n  password: c4n4ry-password\n  user: c4n4ry-user\n  url: c4n4ry-url\napi:\n  token: \
                    c4n4ry-token\n  hook: c4n4ry-hook\ntls:\n  key: c4n4ry-key\npath: c4n4ry-path\nlist: [c4n4ry-one, \
                    c4n4ry-two]\nshort: abc\nspare: c4n4ry-spare\n";

const RULES: &str = "    db.password: { allowed_agents: [ops/bot, ops/job], access_level: readonly }\n\
                     \x20   db.user: { allowed_agents: [ops/bot, ops/job], access_level: exec }\n\
                     \x20   db.url: { allowed_agents: [ops/bot], access_level: exec, reason: true }\n\
                     \x20   api.token: { allowed_agents: [ops/bot], access_level: use }\n\
                     \x20   api.hook: { allowed_agents: [ops/bot], access_level: write }\n\
                     \x20   tls.key: { allowed_agents: [ops/bot], access_level: exec, require_lease: true }\n\
                     \x20   spare: { allowed_agents: [ops/bot], access_level: readonly, file: prod.yaml }\n";

/// A repository whose policy has an administrator, two agents and an agent with a broker.
struct World {
    sandbox: Sandbox,
    trust: String,
    serial: u64,
}

/// Who calls: whose keys, and which variables beside them.
#[derive(Clone)]
struct Seat<'w> {
    world: &'w World,
    identity: PathBuf,
    more: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self::with_rules(RULES)
    }

    fn with_rules(rules: &str) -> Self {
        let mut world = Self { sandbox: Sandbox::new(), trust: String::new(), serial: 0 };
        let people: [(&str, Key); 3] = [("ana", ALICE), ("bot", BOB), ("broker", CAROL)];
        for (name, key) in people {
            world.ssh_key(name);
            fs::write(world.home(name).with_extension("age"), key.identity).unwrap();
        }
        for name in ["job", "eve"] {
            world.ssh_key(name);
            let path = world.home(name).with_extension("age");
            let identity = age::x25519::Identity::generate();
            fs::write(path, identity.to_string().expose_secret()).unwrap();
            fs::write(world.home(name).with_extension("recipient"), identity.to_public().to_string())
                .unwrap();
        }
        let signers = format!("humans/ana namespaces=\"leaflock-*\" {}\n", world.public("ana"));
        world.sandbox.write(".leaflock/allowed_signers", &signers);
        let digest: String = Sha256::digest(&signers).iter().map(|byte| format!("{byte:02x}")).collect();
        world.trust = format!("sha256:{digest}");
        world.git(&["init", "-q", "-b", "main"]);
        world.policy(rules, "");
        for (name, plain) in [("prod.yaml", PROD), ("other.env", "SPARE_KEY=c4n4ry-other\n")] {
            world.sandbox.write(name, plain);
            let arguments = ["encrypt", "-i", "--age", ALICE.recipient, name];
            world.seat("ana").leaflock(&arguments).ok();
        }
        world.seat("ana").leaflock(&["agent", "sync", "--accept", "."]).ok();
        world
    }

    fn ssh_key(&self, name: &str) {
        let path = self.home(name);
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path.to_str().unwrap()];
        self.sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
    }

    /// Writes the next policy and signs it, as `ssh-keygen` does.
    fn policy(&mut self, rules: &str, more: &str) {
        self.serial += 1;
        let recipient = |name: &str| fs::read_to_string(self.home(name).with_extension("recipient")).unwrap();
        let policy = format!(
            "version: 1\nrepo: 6f0c6f0c6f0c6f0c\nserial: {}\nprincipals:\n\
             \x20 humans/ana: {{ age: {}, sign: \"{}\", roles: [admin] }}\n\
             \x20 ops/bot: {{ age: {}, sign: \"{}\" }}\n\
             \x20 ops/job: {{ age: {}, sign: \"{}\", broker: svc/broker }}\n\
             \x20 ops/eve: {{ age: {}, sign: \"{}\" }}\n\
             \x20 svc/broker: {{ age: {}, sign: \"{}\", roles: [broker] }}\n\
             access_control:\n  secrets:\n{rules}{more}",
            self.serial,
            ALICE.recipient,
            self.public("ana"),
            BOB.recipient,
            self.public("bot"),
            recipient("job"),
            self.public("job"),
            recipient("eve"),
            self.public("eve"),
            CAROL.recipient,
            self.public("broker"),
        );
        let path = self.sandbox.write(".leaflock/policy.yaml", policy);
        let _ = fs::remove_file(path.with_extension("yaml.sig"));
        let key = self.home("ana");
        let (key, path) = (key.to_str().unwrap(), path.to_str().unwrap());
        let sign = ["-Y", "sign", "-q", "-n", "leaflock-policy@v1", "-f", key, path];
        self.sandbox.run(Path::new("ssh-keygen"), &sign, b"").ok();
    }

    fn home(&self, name: &str) -> PathBuf {
        self.sandbox.folder().join("home").join(name)
    }

    fn public(&self, name: &str) -> String {
        let text = fs::read_to_string(self.home(name).with_extension("pub")).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn git(&self, arguments: &[&str]) {
        self.sandbox.run(Path::new("git"), arguments, b"").ok();
    }

    fn seat(&self, name: &str) -> Seat<'_> {
        let more = vec![
            format!("LEAFLOCK_SIGNING_KEY={}", self.home(name).display()),
            format!("LEAFLOCK_TRUST={}", self.trust),
        ];
        Seat { world: self, identity: self.home(name).with_extension("age"), more }
    }

    fn entries(&self) -> Vec<Value> {
        let text = self.seat("ana").leaflock(&["audit", "export"]).text();
        assert!(!text.contains(CANARY), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Action, outcome, agent and code of the last entry.
    fn last(&self) -> String {
        let entries = self.entries();
        let entry = entries.last().unwrap();
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {}", text("action"), text("outcome"), text("agent_id"), text("deny_code"))
    }
}

impl Seat<'_> {
    fn with(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(|it| (*it).to_owned()));
        self
    }

    fn words(&self, arguments: &[&str]) -> Vec<String> {
        let identity = format!("SOPS_AGE_KEY_FILE={}", self.identity.display());
        let head = std::iter::once(identity).chain(self.more.iter().cloned());
        head.chain([PROGRAM.to_owned()]).chain(arguments.iter().map(|it| (*it).to_owned())).collect()
    }

    fn leaflock(&self, arguments: &[&str]) -> Output {
        self.world.sandbox.run(Path::new("/usr/bin/env"), &self.words(arguments), b"")
    }

    /// `run --agent` with these words before `--`, and a program of the shell.
    fn run(&self, agent: &str, words: &[&str], script: &str) -> Output {
        let head = [&["run", "--agent", agent], words, &["--", "sh", "-c", script]].concat();
        self.leaflock(&head)
    }

    /// The variables that a program gets of the secrets, with their values.
    fn gets(&self, agent: &str, words: &[&str]) -> Vec<String> {
        let words = [&["--no-redact"], words].concat();
        let text = self.run(agent, &words, "env | grep -a c4n4ry | sort").text();
        text.lines().map(str::to_owned).collect()
    }

    /// A call that must not start its program.
    #[track_caller]
    fn refused(&self, code: i32, agent: &str, words: &[&str]) -> String {
        let output = self.run(agent, words, "touch started");
        assert!(!self.world.sandbox.path("started").exists(), "{}", output.describe());
        let said = output.fails(code);
        assert!(!said.contains(CANARY), "{said}");
        said
    }
}

#[test]
fn what_is_granted_arrives_and_nothing_else_does() {
    let world = World::new();
    let bot = world.seat("bot").with(&["LEAFLOCK_REASON=why"]);
    let all =
        ["DB_PASSWORD=c4n4ry-password", "DB_URL=c4n4ry-url", "DB_USER=c4n4ry-user", "SPARE=c4n4ry-spare"];
    assert_eq!(bot.gets("ops/bot", &[]), all);
    assert_eq!(bot.gets("ops/bot", &["prod.yaml"]), all);
    assert_eq!(bot.gets("ops/bot", &["--only", "db", "--prefix", "X_"])[0], "X_DB_PASSWORD=c4n4ry-password");
    assert_eq!(bot.gets("ops/bot", &["--env", "PGPASSWORD=db.password"]), ["PGPASSWORD=c4n4ry-password"]);
    assert_eq!(
        bot.gets("ops/bot", &["--env", "P=db.password", "--only", "spare"]),
        ["P=c4n4ry-password", "SPARE=c4n4ry-spare"]
    );
    let script = "cat \"$KEY\"; env | grep -c c4n4ry; ls -l \"$KEY\" >&2";
    let output =
        bot.run("ops/bot", &["--no-redact", "--file", "KEY=db.password", "--only", "db.user"], script);
    assert_eq!(output.text(), "c4n4ry-password1\n");
    // The administrator, who can open the source only, gets the same for the agent.
    assert_eq!(world.seat("ana").with(&["LEAFLOCK_REASON=why"]).gets("ops/bot", &[]), all);
}

#[test]
#[cfg(target_os = "linux")]
fn files_in_memory_are_the_program_s_alone() {
    let world = World::new();
    // What is called once the program ran, to write of it, tells what it was given.
    let here = world.sandbox.path("");
    for name in ["git", "ssh-keygen"] {
        let script = format!(
            "#!/bin/sh\ntest -e {0}/ran && ls -l /proc/$$/fd >>{0}/seen\nexec /usr/bin/{name} \"$@\"\n",
            here.display()
        );
        let path = world.sandbox.write(&format!("../tools/{name}"), script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("PATH={}:/usr/bin:/bin", world.sandbox.folder().join("tools").display());
    let bot = world.seat("bot").with(&[&path]);
    for more in ["--no-redact", "--redact"] {
        let words = [more, "--file", "KEY=db.password", "--only", "db.user"];
        let script = "ls -l /proc/$$/fd | grep -c memfd; wc -c <$KEY; touch ran";
        assert_eq!(bot.run("ops/bot", &words, script).text(), "1\n15\n");
        let seen = String::from_utf8(world.sandbox.read("seen")).unwrap();
        assert!(!seen.is_empty() && !seen.contains("memfd"), "{seen}");
        assert_eq!(world.last(), "exec.end ok ops/bot -");
        fs::remove_file(world.sandbox.path("ran")).unwrap();
    }
}

#[test]
fn what_an_agent_may_not_read_its_broker_runs_with() {
    let world = World::new();
    let both = ["DB_PASSWORD=c4n4ry-password", "DB_USER=c4n4ry-user"];
    assert_eq!(world.seat("broker").gets("ops/job", &[]), both);
    let job = world.seat("job");
    let output = job.run("ops/job", &["--no-redact"], "env | grep -a c4n4ry");
    assert!(output.stderr.contains("db.user of prod.yaml for ops/job"), "{}", output.stderr);
    assert_eq!(output.text(), "DB_PASSWORD=c4n4ry-password\n");
    job.refused(7, "ops/job", &["--only", "db.user"]);
    let said = world.seat("eve").refused(3, "ops/job", &[]);
    assert!(said.contains("another agent"), "{said}");
    assert_eq!(world.last(), "exec.start denied ops/job not_allowed");
}

#[test]
fn what_is_not_granted_ends_the_call_and_is_written_down() {
    let world = World::new();
    let bot = world.seat("bot");
    for (code, words, secret) in [
        ("not_allowed", "--env X=api.token", "api.token"),
        ("not_allowed", "--only api.hook", "api.hook"),
        ("not_allowed", "--only api", "api"),
        ("no_lease", "--only tls.key", "tls.key"),
        ("no_reason", "--only db.url", "db.url"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let said = bot.refused(3, "ops/bot", &words);
        assert!(said.contains(secret), "{said}");
        assert_eq!(world.last(), format!("exec.start denied ops/bot {code}"), "{words:?}");
    }
    world.seat("eve").refused(3, "ops/eve", &[]);
    assert_eq!(world.last(), "exec.start denied ops/eve not_allowed");
    // What is in no source is not refused to anybody.
    let written = world.entries().len();
    for words in ["--only db.pasword", "--env X=db.pasword", "--file X=db.pasword"] {
        let said = bot.refused(4, "ops/bot", &words.split(' ').collect::<Vec<_>>());
        assert!(said.contains("did you mean db.password?") && said.contains("there is: "), "{said}");
    }
    assert_eq!(world.entries().len(), written);
    bot.refused(4, "ops/none", &[]);
    bot.refused(4, "ops/bot", &["no.yaml"]);
    let revoked = world.seat("ana").leaflock(&[
        "agent",
        "revoke",
        "ops/bot",
        "--secret",
        "db.password",
        "--reason",
        "gone",
    ]);
    if revoked.code != Some(0) {
        panic!("{}", revoked.describe());
    }
    bot.refused(3, "ops/bot", &["--only", "db.password"]);
    assert_eq!(world.last(), "exec.start denied ops/bot revoked");
}

#[test]
fn what_an_agent_may_use_and_not_read_is_not_shown_to_it() {
    let world = World::new();
    let own = ".leaflock/agents/ops/bot/prod.yaml";
    let bot = world.seat("bot").with(&["LEAFLOCK_REASON=why", "EDITOR=cat"]);
    for (action, command) in [
        ("decrypt", &["decrypt", own][..]),
        ("get", &["decrypt", "--extract", "[\"db\"][\"user\"]", own]),
        ("get", &["get", "db.user"]),
        ("edit", &["edit", own]),
        ("exec.start", &["exec-env", own, "touch started"]),
        ("exec.start", &["exec-file", own, "touch started"]),
    ] {
        let output = bot.leaflock(command);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr);
        assert!(!said.contains(CANARY) && !world.sandbox.path("started").exists(), "{command:?}: {said}");
        assert!(said.contains("leaflock run --agent ops/bot --only db."), "{command:?}: {said}");
        output.fails(3);
        assert_eq!(world.last(), format!("{action} denied ops/bot not_allowed"), "{command:?}");
    }
    let text = bot.leaflock(&["textconv", own]).text();
    assert!(text.contains("ops/bot may not read db.") && !text.contains(CANARY), "{text}");
    assert_eq!(world.last(), "textconv denied ops/bot not_allowed");
    for name in [&[][..], &["/dev/stdin"], &["/proc/self/fd/0"]] {
        let words = [&["decrypt", "--input-type", "yaml", "--output-type", "yaml"], name].concat();
        let words = bot.words(&words);
        let piped = world.sandbox.run(Path::new("/usr/bin/env"), &words, &world.sandbox.read(own));
        assert!(piped.fails(3).contains("may not read db."), "{name:?}");
    }
    // What it may read is shown, and what it may use gets to programs, which are redacted.
    let readable = ["decrypt", "--extract", "[\"db\"][\"password\"]", own];
    assert_eq!(bot.leaflock(&readable).text(), "c4n4ry-password");
    let text = bot.leaflock(&["run", own, "--", "sh", "-c", "echo \"$DB_USER $DB_PASSWORD\""]).text();
    assert_eq!(text, "[REDACTED:db.user] [REDACTED:db.password]\n");
    // Who cannot open a file is not sent to become a recipient of it.
    let said = bot.leaflock(&["decrypt", "prod.yaml"]);
    assert!(said.stderr.contains("leaflock what-can ops/bot") || said.code == Some(3), "{}", said.describe());
    assert!(!said.stderr.contains("public key"), "{}", said.describe());
}

#[test]
fn the_policy_of_the_file_says_who_may_have_it() {
    let world = World::new();
    fs::create_dir(world.sandbox.path("svc")).unwrap();
    for name in [".leaflock", "prod.yaml", "other.env"] {
        fs::rename(world.sandbox.path(name), world.sandbox.path("svc").join(name)).unwrap();
    }
    let bot = world.seat("bot").with(&["LEAFLOCK_REASON=why"]);
    let own = "svc/.leaflock/agents/ops/bot/prod.yaml";
    for (code, path, file) in [(4, "db.user", own), (3, "db.user", "svc/prod.yaml"), (4, "db.password", own)]
    {
        for verb in ["get", "fingerprint"] {
            if (verb, code) == ("fingerprint", 3) {
                continue;
            }
            let said = bot.leaflock(&[verb, path, "--file", file]);
            assert!(!said.describe().contains(CANARY), "{}", said.describe());
            said.fails(code);
        }
    }
    let text = bot.leaflock(&["get", "db.password", "--file", "svc/prod.yaml"]).text();
    assert_eq!(text.trim_end(), "c4n4ry-password");
}

#[test]
fn a_denial_wins_over_what_is_allowed() {
    let mut world = World::new();
    world.policy(RULES, "  deny:\n    - { agents: [ops/bot], secrets: [db.user] }\n");
    let bot = world.seat("bot").with(&["LEAFLOCK_REASON=why"]);
    bot.refused(5, "ops/bot", &[]);
    assert_eq!(world.last(), "exec.start denied ops/bot manifest_mismatch");
    world.seat("ana").leaflock(&["agent", "sync"]).ok();
    assert_eq!(bot.gets("ops/bot", &["--only", "db"]).len(), 2);
    bot.refused(3, "ops/bot", &["--only", "db.user"]);
}

#[test]
fn output_is_redacted_on_a_pipe_and_on_a_terminal() {
    let world = World::new();
    let bot = world.seat("bot");
    let words = ["--only", "db.password,db.user"];
    let script = "echo \"$DB_PASSWORD\"; printf %s \"$DB_USER\" | base64 >&2; exit 7";
    let output = bot.run("ops/bot", &words, script);
    assert_eq!((output.code, &output.stdout[..]), (Some(7), &b"[REDACTED:db.password]\n"[..]));
    assert_eq!(output.stderr, "[REDACTED:db.user]\n");
    let line = [
        &["run", "--agent", "ops/bot"],
        &words[..],
        &["--", "sh", "-c", "test -t 1 && echo it is $DB_USER."],
    ]
    .concat();
    let mut command = Command::new("/usr/bin/env");
    command
        .args(bot.words(&line))
        .current_dir(world.sandbox.path(""))
        .env_clear()
        .envs(world.sandbox.environment());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session.expect("it is [REDACTED:db.user].").unwrap();
    session.expect(Eof).unwrap();
    world.sandbox.write("log", "x c4n4ry-password c4n4ry-token\n");
    let clean = bot.clone().with(&["LEAFLOCK_REASON=why"]).leaflock(&["redact", "--agent", "ops/bot", "log"]);
    assert_eq!(clean.text(), "x [REDACTED:db.password] c4n4ry-token\n");
    let words = ["redact", "--agent", "ops/bot", "--only", "api.token", "log"];
    bot.leaflock(&words).fails(3);
    assert_eq!(world.last(), "redact denied ops/bot not_allowed");
}

#[test]
fn the_environment_is_rid_of_credentials() {
    let world = World::new();
    let kept = ["--keep", "AWS_REGION,NPM_TOKEN", "--only", "db.user"];
    let bot = world.seat("bot").with(&[
        "AWS_REGION=r",
        "AWS_SECRET_ACCESS_KEY=k",
        "NPM_TOKEN=n",
        "GH_TOKEN=g",
        "SSH_AUTH_SOCK=s",
        "SOME_API_KEY=a",
        "PLAIN=p",
        "DB_USER=mine",
    ]);
    let names = bot.run("ops/bot", &kept, "env | cut -d= -f1 | grep -v '^_$' | sort | tr '\\n' ' '").text();
    let wanted = "AWS_REGION DB_USER GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM HOME LC_ALL LEAFLOCK_ISOLATION LEAFLOCK_TRUST \
                  NPM_TOKEN PATH PLAIN PWD SOPS_DISABLE_VERSION_CHECK TMPDIR ";
    assert_eq!(names, wanted);
    let alone =
        bot.run("ops/bot", &["--pristine", "--only", "db.user"], "echo $LEAFLOCK_ISOLATION $DB_USER $PLAIN");
    assert_eq!(alone.text(), "1 [REDACTED:db.user]\n");
}

#[test]
fn names_that_programs_obey_are_refused() {
    let world = World::with_rules("    \"**\": { allowed_agents: [ops/bot], access_level: readonly }\n");
    let bot = world.seat("bot");
    for name in
        ["PATH", "LD_PRELOAD", "bash_env", "NODE_OPTIONS", "GIT_SSH_COMMAND", "IFS", "HOME", "LEAFLOCK_TRUST"]
    {
        let said = bot.refused(2, "ops/bot", &["--env", &format!("{name}=db.user")]);
        assert!(said.contains(name) && said.contains("hint: --env NAME=db.user"), "{said}");
    }
    let said = bot.refused(2, "ops/bot", &[]);
    assert!(said.contains("the variable PATH"), "{said}");
    bot.refused(2, "ops/bot", &["--env", "1X=db.user"]);
    bot.refused(2, "ops/bot", &["--env", "X=db"]);
    bot.refused(2, "ops/bot", &["--env", "X=list"]);
    bot.refused(2, "ops/bot", &["--env", "X=db.user", "--env", "X=db.url"]);
    let output = bot.run("ops/bot", &["--only", "list,short"], "echo $LIST_0 $LIST_1 $SHORT");
    assert!(output.stderr.contains("too short to be redacted: short"), "{}", output.stderr);
    assert_eq!(output.text(), "[REDACTED:list] [REDACTED:list] abc\n");
    bot.leaflock(&["run", "--env", "X=a", "prod.yaml", "--", "true"]).fails(1);
    bot.leaflock(&["run", "--agent", "ops/bot", "--ignore-mac", "--", "true"]).fails(2);
}

#[test]
fn exit_codes_and_signals_are_the_program_s() {
    let world = World::new();
    let bot = world.seat("bot");
    let words = ["--only", "db.user"];
    assert_eq!(bot.run("ops/bot", &words, "exit 41").code, Some(41));
    let script = "\"$@\"; echo $?";
    let line = [&["-c", script, "sh", "env"], &[][..]].concat();
    let killed: Vec<String> = line
        .iter()
        .map(|it| (*it).to_owned())
        .chain(bot.words(&[
            "run",
            "--agent",
            "ops/bot",
            "--only",
            "db.user",
            "--",
            "sh",
            "-c",
            "kill -TERM $$",
        ]))
        .collect();
    let output = world.sandbox.run(Path::new("bash"), &killed, b"");
    assert_eq!(output.text(), "143\n");
    bot.leaflock(&["run", "--agent", "ops/bot", "--only", "db.user", "--", "no-such-program"]).fails(127);
    let told: Vec<(String, Value)> = world
        .entries()
        .iter()
        .filter(|entry| entry["agent_id"] == "ops/bot")
        .map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["target"]["exit"].clone()))
        .filter(|(action, _)| action.starts_with("exec"))
        .collect();
    let exits: Vec<Value> =
        told.iter().filter(|(action, _)| action == "exec.end").map(|(_, exit)| exit.clone()).collect();
    assert_eq!(exits, [Value::from(41), Value::from(143), Value::Null]);
    assert_eq!(told.len(), 6);
}

#[test]
fn the_audit_trail_tells_who_for_whom_what_and_why() {
    let world = World::new();
    world.seat("bot").run("ops/bot", &["--only", "db.url,spare", "--reason", "release 7"], "exit 3").fails(3);
    world.seat("ana").run("ops/bot", &["--only", "db.user"], "echo $DB_USER").ok();
    let entries = world.entries();
    let runs: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["action"].as_str().is_some_and(|action| action.starts_with("exec.")))
        .collect();
    let field = |name: &str| runs.iter().map(|entry| entry[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("action"), ["exec.start", "exec.end", "exec.start", "exec.end"]);
    assert_eq!(field("outcome"), ["granted", "ok", "granted", "ok"]);
    assert!(field("agent_id").iter().all(|it| it == "ops/bot"));
    assert_eq!(field("isolation"), [0, 0, 1, 1]);
    assert_eq!(
        field("file")[..2],
        [".leaflock/agents/ops/bot/prod.yaml", ".leaflock/agents/ops/bot/prod.yaml"]
    );
    assert_eq!(runs[0]["reason"], "release 7");
    assert_eq!(runs[0]["secret_path"], serde_json::json!(["db.url", "spare"]));
    assert_eq!(runs[1]["target"], serde_json::json!({ "program": "sh", "arguments": 2, "exit": 3 }));
    assert_eq!(runs[2]["actor"]["asserted"], true);
    world.seat("ana").leaflock(&["audit", "verify"]).ok();
}

#[test]
fn without_a_record_no_program_starts() {
    let world = World::new();
    let words = ["--only", "db.user"];
    let mut bot = world.seat("bot");
    bot.more.retain(|it| !it.starts_with("LEAFLOCK_SIGNING_KEY"));
    bot.refused(9, "ops/bot", &words);
    let bot = world.seat("bot");
    bot.run("ops/bot", &words, "true").ok();
    let nobody = world.home("stranger");
    world.ssh_key("stranger");
    let stranger = format!("LEAFLOCK_SIGNING_KEY={}", nobody.display());
    world.seat("bot").with(&[&stranger]).refused(9, "ops/bot", &words);
    // A file system that takes nothing more, where the system can make one; root heeds
    // no permissions, so it is told by a file in the folder's place as well.
    let chains = world.sandbox.path(".git/leaflock/audit");
    fs::set_permissions(&chains, fs::Permissions::from_mode(0o555)).unwrap();
    let aside = world.sandbox.path("aside");
    fs::rename(&chains, &aside).unwrap();
    fs::write(&chains, "").unwrap();
    bot.refused(9, "ops/bot", &words);
    fs::remove_file(&chains).unwrap();
    fs::rename(&aside, &chains).unwrap();
    fs::set_permissions(&chains, fs::Permissions::from_mode(0o755)).unwrap();
    // A full disk, as far as one program can tell: files may not grow.
    let line = bot.words(&["run", "--agent", "ops/bot", "--only", "db.user", "--", "touch", "started"]);
    let script = "trap '' XFSZ; ulimit -f 0; exec env \"$@\"";
    let head: Vec<String> = ["-c", script, "sh"].map(str::to_owned).into_iter().chain(line).collect();
    let output = world.sandbox.run(Path::new("bash"), &head, b"");
    assert!(!world.sandbox.path("started").exists(), "{}", output.describe());
    output.fails(9);
    bot.run("ops/bot", &words, "true").ok();
}

#[test]
fn what_was_not_signed_is_not_used() {
    let world = World::new();
    let bot = world.seat("bot");
    let own = world.sandbox.path(".leaflock/agents/ops/bot/prod.yaml");
    let kept = fs::read(&own).unwrap();
    // Stock sops writes a file that the agent's key opens.
    world.sandbox.write("planted.yaml", "db:\n  user: planted\n");
    world.sandbox.sops(&["encrypt", "-i", "--age", BOB.recipient, "planted.yaml"]).ok();
    let planted = world.sandbox.read("planted.yaml");
    fs::remove_file(world.sandbox.path("planted.yaml")).unwrap();
    fs::write(&own, &planted).unwrap();
    bot.refused(5, "ops/bot", &["--only", "db.user"]);
    assert_eq!(world.last(), "exec.start denied ops/bot manifest_mismatch");
    fs::write(&own, kept).unwrap();
    let other = world.sandbox.path(".leaflock/agents/ops/bot/other.env");
    fs::write(&other, &planted).unwrap();
    bot.refused(5, "ops/bot", &[]);
    fs::remove_file(&other).unwrap();
    let policy = world.sandbox.path(".leaflock/policy.yaml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("access_level: use", "access_level: read")).unwrap();
    let said = bot.refused(5, "ops/bot", &["--only", "api.token"]);
    assert!(said.contains("policy.yaml"), "{said}");
    fs::write(&policy, text).unwrap();
    assert!(world.last().ends_with("policy_invalid"), "{}", world.last());
    // The source that only the administrator opens counts as well.
    let source = world.sandbox.read("prod.yaml");
    let text = String::from_utf8(source).unwrap();
    world.sandbox.write("prod.yaml", format!("{text}# edited\n"));
    world.seat("ana").refused(5, "ops/bot", &["--only", "db.user"]);
    assert_eq!(bot.gets("ops/bot", &["--only", "db.user"]), ["DB_USER=c4n4ry-user"]);
}

#[test]
fn a_failure_before_the_program_starts_is_told_as_json() {
    let world = World::new();
    let bot = world.seat("bot");
    let answer = |output: &Output| serde_json::from_slice::<Value>(&output.stdout).unwrap();
    let output = bot.run("ops/bot", &["--json", "--only", "api.token"], "touch started");
    let told = answer(&output);
    assert_eq!(
        (output.code, &told["error"]["code"], &told["ok"]),
        (Some(3), &"not_allowed".into(), &false.into())
    );
    assert_eq!(told["command"], "leaflock run");
    let output = bot.run("ops/bot", &["--json", "--no-such-flag"], "touch started");
    assert_eq!(answer(&output)["error"]["code"], "usage");
    let output = bot.clone().with(&["LEAFLOCK_OUTPUT=json"]).run(
        "ops/bot",
        &["--only", "db.user,db.password"],
        "echo out; exit 5",
    );
    assert_eq!((output.code, &output.stdout[..]), (Some(5), &b"out\n"[..]));
}
