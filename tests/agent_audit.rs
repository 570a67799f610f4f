//! The audit trail, as git, `ssh-keygen` and an attacker with an editor see it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};

const PROGRAM: &str = env!("CARGO_BIN_EXE_leaflock");
const REPO: &str = "6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c";
const SECRETS: &str = "db:\n  password: c4n4ry-hunter2\n  user: bob\n";

/// A repository with a signed policy, three principals and an encrypted file.
struct World {
    sandbox: Sandbox,
    /// What `LEAFLOCK_TRUST` is to be.
    trust: String,
}

/// Where, and by whose key, commands run.
#[derive(Clone)]
struct Seat<'w> {
    world: &'w World,
    folder: PathBuf,
    key: &'static str,
}

impl World {
    fn new() -> Self {
        Self::with_policy(REPO, "")
    }

    /// With another id, and further lines at the end of the policy.
    fn with_policy(repo: &str, more: &str) -> Self {
        let sandbox = Sandbox::with_key();
        let mut world = Self { sandbox, trust: String::new() };
        for name in ["ana", "bot", "eve", "stranger"] {
            let path = world.home(name);
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path.to_str().unwrap()];
            world.sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
        }
        fs::create_dir_all(world.sandbox.path(".leaflock")).unwrap();
        let policy = format!(
            "version: 1\nrepo: {repo}\nserial: 1\nprincipals:\n\
             \x20 humans/ana: {{ age: [{}], sign: \"{}\", roles: [admin, human] }}\n\
             \x20 ops/bot: {{ age: [{}], sign: \"{}\" }}\n\
             \x20 ops/eve: {{ age: [{}], sign: \"{}\" }}\n\
             access_control:\n  secrets:\n    db.password: {{ allowed_agents: [ops/bot], access_level: readonly }}\n{more}",
            ALICE.recipient,
            world.public("ana"),
            BOB.recipient,
            world.public("bot"),
            CAROL.recipient,
            world.public("eve"),
        );
        world.sandbox.write(".leaflock/policy.yaml", &policy);
        let signers = format!("humans/ana namespaces=\"leaflock-*\" {}\n", world.public("ana"));
        world.sandbox.write(".leaflock/allowed_signers", &signers);
        world.trust = format!("sha256:{}", hex(&Sha256::digest(&signers)));
        let key = world.home("ana");
        let policy = world.sandbox.path(".leaflock/policy.yaml");
        let (key, policy) = (key.to_str().unwrap(), policy.to_str().unwrap());
        let sign = ["-Y", "sign", "-q", "-n", "leaflock-policy@v1", "-f", key, policy];
        world.sandbox.run(Path::new("ssh-keygen"), &sign, b"").ok();
        let ana = world.seat("ana");
        ana.git(&["init", "-q", "-b", "main"]);
        world.sandbox.write(".gitattributes", ".leaflock/audit/** -text\n");
        world.sandbox.write("prod.yaml", SECRETS);
        world.sandbox.write("other.yaml", "a: 1\n");
        ana.leaflock(&["encrypt", "-i", "--age", ALICE.recipient, "prod.yaml"]).ok();
        ana.leaflock(&["encrypt", "-i", "--age", ALICE.recipient, "other.yaml"]).ok();
        world
    }

    fn home(&self, name: &str) -> PathBuf {
        self.sandbox.folder().join("home").join(name)
    }

    /// `TYPE BASE64` of a key.
    fn public(&self, name: &str) -> String {
        let text = fs::read_to_string(self.home(name).with_extension("pub")).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn seat(&self, key: &'static str) -> Seat<'_> {
        Seat { world: self, folder: self.sandbox.path("."), key }
    }
}

impl Seat<'_> {
    fn at(&self, folder: &str, key: &'static str) -> Self {
        Self { folder: self.world.sandbox.folder().join(folder), key, ..self.clone() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a shell script here, with `$@` as leaflock's command line.
    fn script(&self, script: &str, arguments: &[&str]) -> Output {
        let key = format!("LEAFLOCK_SIGNING_KEY={}", self.world.home(self.key).display());
        let trust = format!("LEAFLOCK_TRUST={}", self.world.trust);
        let script = format!("cd \"$1\" && shift && {script}");
        let folder = self.folder.to_str().unwrap();
        let head = [&*key, &*trust, "/bin/sh", "-c", &*script, "sh", folder, PROGRAM];
        self.world.sandbox.run(Path::new("/usr/bin/env"), &[&head[..], arguments].concat(), b"")
    }

    fn leaflock(&self, arguments: &[&str]) -> Output {
        self.script("exec \"$@\"", arguments)
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let folder = self.folder.to_str().unwrap();
        let head = ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.org"];
        self.world.sandbox.run(Path::new("git"), &[&head[..], arguments].concat(), b"").text()
    }

    /// The published segments of all writers, sorted.
    fn segments(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for writer in listed(&self.path(".leaflock/audit")) {
            found.extend(
                listed(&writer).into_iter().filter(|it| it.extension().is_some_and(|it| it == "jsonl")),
            );
        }
        found
    }

    fn entries(&self) -> Vec<Value> {
        let text = self.leaflock(&["audit", "export"]).text();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Kinds and lines of what `audit verify` finds.
    #[track_caller]
    fn findings(&self) -> Vec<(String, Option<u64>)> {
        let output = self.leaflock(&["audit", "verify", "--json"]);
        assert!(matches!(output.code, Some(0 | 5)), "{}", output.describe());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = answer["result"]["findings"].as_array().unwrap();
        assert_eq!(findings.is_empty(), output.code == Some(0));
        findings.iter().map(|it| (it["kind"].as_str().unwrap().to_owned(), it["line"].as_u64())).collect()
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn field<'e>(entry: &'e Value, name: &str) -> &'e str {
    entry[name].as_str().unwrap_or_default()
}

#[test]
fn every_use_is_written_down_with_who_what_and_how_it_ended() {
    let world = World::new();
    let ana = world.seat("ana");
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.leaflock(&["decrypt", "--extract", "[\"db\"][\"user\"]", "--reason", "look\u{1b}up", "prod.yaml"])
        .ok();
    ana.leaflock(&["set", "prod.yaml", "[\"db\"][\"password\"]", "\"new\""]).ok();
    ana.leaflock(&["unset", "prod.yaml", "[\"db\"][\"user\"]"]).ok();
    let code = ana.leaflock(&["run", "prod.yaml", "--", "sh", "-c", "exit 7"]).code;
    assert_eq!(code, Some(7));
    ana.leaflock(&["rotate", "-i", "prod.yaml"]).ok();
    ana.leaflock(&["diff"]).ok();
    ana.leaflock(&["check", "--decrypt"]).ok();
    ana.script("SOPS_AGE_KEY_FILE=/dev/null HOME=$PWD/../empty exec \"$@\"", &["decrypt", "prod.yaml"])
        .fails(128);
    let broken = fs::read_to_string(ana.path("other.yaml"))
        .unwrap()
        .replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA");
    fs::write(ana.path("broken.yaml"), broken).unwrap();
    ana.leaflock(&["decrypt", "broken.yaml"]).fails(51);
    let entries = ana.entries();
    for entry in &entries {
        assert_eq!(field(entry, "agent_id"), "humans/ana");
        assert_eq!(entry["actor"]["kind"], "human");
    }
    let told: Vec<String> = entries.iter().map(told).collect();
    let expected = [
        "genesis ok",
        "encrypt granted prod.yaml",
        "encrypt granted other.yaml",
        "decrypt granted prod.yaml",
        "get granted prod.yaml db.user",
        "set granted prod.yaml db.password",
        "unset granted prod.yaml db.user",
        "exec.start granted prod.yaml",
        "exec.end ok prod.yaml",
        "rotate granted prod.yaml",
    ];
    assert_eq!(told[..expected.len()], expected);
    let rest = told[expected.len()..].join("\n");
    for wanted in [
        "check granted prod.yaml",
        "check granted other.yaml",
        "decrypt granted prod.yaml\ndecrypt failed prod.yaml",
        "decrypt granted broken.yaml\ndecrypt failed broken.yaml",
    ] {
        assert!(rest.contains(wanted), "{wanted} is not in\n{rest}");
    }
    assert_eq!(field(&entries[4], "reason"), "look\\u{1b}up");
    assert_eq!(entries[8]["target"], serde_json::json!({ "program": "sh", "arguments": 2, "exit": 7 }));
    assert_eq!(ana.findings(), []);
}

#[test]
fn three_writers_on_two_branches_merge_in_git_and_verify() {
    let world = World::new();
    let ana = world.seat("ana");
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "begin"]);
    let folder = ana.folder.to_str().unwrap().to_owned();
    let bot = ana.at("clone-bot", "bot");
    let eve = ana.at("clone-eve", "eve");
    for seat in [&bot, &eve] {
        ana.git(&["clone", "-q", &folder, seat.folder.to_str().unwrap()]);
    }
    bot.git(&["checkout", "-qb", "topic"]);
    for round in 0..3 {
        for seat in [&ana, &bot, &eve] {
            seat.leaflock(&["decrypt", "prod.yaml"]).ok();
            seat.git(&["add", "-A"]);
            seat.git(&["commit", "-qm", &format!("round {round}")]);
        }
    }
    // The same writer on both branches: a checkout rewinds nothing, and adds segments.
    bot.git(&["checkout", "-q", "main"]);
    bot.leaflock(&["decrypt", "prod.yaml"]).ok();
    assert_eq!(bot.findings(), []);
    bot.git(&["add", "-A"]);
    bot.git(&["commit", "-qm", "on main"]);
    bot.git(&["merge", "-q", "--no-edit", "topic"]);
    for other in ["clone-eve", "work"] {
        let path = world.sandbox.folder().join(other);
        bot.git(&["pull", "-q", "--no-rebase", "--no-edit", path.to_str().unwrap(), "main"]);
    }
    assert_eq!(bot.findings(), []);
    let writers: std::collections::BTreeSet<String> =
        bot.entries().iter().map(|entry| field(entry, "writer").to_owned()).collect();
    assert_eq!(writers.len(), 3);
    assert_eq!(bot.git(&["status", "--porcelain"]), "");
    let made = bot.leaflock(&["audit", "checkpoint"]);
    made.fails(3);
    let ana_here = bot.at("clone-bot", "ana");
    ana_here.leaflock(&["audit", "checkpoint"]).ok();
    assert_eq!(bot.findings(), []);
}

#[test]
fn work_trees_of_one_clone_share_the_chain() {
    let world = World::new();
    let ana = world.seat("ana");
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "begin"]);
    let other = ana.at("second", "ana");
    ana.git(&["worktree", "add", "-q", other.folder.to_str().unwrap()]);
    other.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    other.leaflock(&["decrypt", "prod.yaml"]).ok();
    for seat in [&ana, &other] {
        assert_eq!(seat.findings(), []);
        let numbers: Vec<u64> = seat.entries().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn a_line_that_a_crash_cut_is_taken_out_and_that_is_told() {
    let world = World::new();
    let ana = world.seat("ana");
    let chain = chain(&ana);
    let mut bytes = fs::read(&chain).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":4,");
    fs::write(&chain, bytes).unwrap();
    assert_eq!(ana.findings(), []);
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    let actions: Vec<String> = ana.entries().iter().map(|entry| field(entry, "action").to_owned()).collect();
    assert_eq!(actions, ["genesis", "encrypt", "encrypt", "recover", "decrypt"]);
    assert_eq!(ana.findings(), []);
}

/// Fields of entries, each with the text of its value.
type Fields<'f> = &'f [(&'f str, &'f str)];

/// A field of an entry's message with another value.
fn with(message: &str, field: &str, value: &str) -> String {
    let name = format!("\"{field}\":");
    let at = message.find(&name).unwrap() + name.len();
    let mut values = serde_json::Deserializer::from_str(&message[at..]).into_iter::<Value>();
    values.next().unwrap().unwrap();
    let end = at + values.byte_offset();
    format!("{}{value}{}", &message[..at], &message[end..])
}

impl Seat<'_> {
    /// The published segment whose entries `agent` wrote.
    fn segment_of(&self, agent: &str) -> PathBuf {
        let agent = format!("\"agent_id\":\"{agent}\"");
        let is_own = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(&agent);
        self.segments().into_iter().find(is_own).unwrap()
    }

    /// Publishes a chain that was written by hand: the entries of `model` with other
    /// `fields`, signed by the key of `name`.
    fn forge(&self, name: &str, model: &Path, fields: Fields<'_>) -> PathBuf {
        const WRITER: &str = "w-0a0a0a0a0a0a0a0a";
        let own = model.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let public = self.world.public(name);
        let blob = STANDARD.decode(public.split_once(' ').unwrap().1).unwrap();
        let key = format!("\"SHA256:{}\"", STANDARD.encode(Sha256::digest(&blob)).trim_end_matches('='));
        let genesis = format!("{{\"key\":\"{public}\",\"nonce\":\"{}\"}}", "00".repeat(16));
        let file = self.world.home(name);
        let arguments = ["-Y", "sign", "-q", "-n", "leaflock-audit@v1", "-f", file.to_str().unwrap()];
        let (mut text, mut prev) = (String::new(), None);
        for line in fs::read_to_string(model).unwrap().lines() {
            let (message, _) = line.rsplit_once(",\"sig\":").unwrap();
            let mut message = with(&format!("{}}}", message.replace(own, WRITER)), "key", &key);
            for (field, value) in fields {
                message = with(&message, field, value);
            }
            message = match &prev {
                None => with(&message, "genesis", &genesis),
                Some(digest) => with(&message, "prev", &format!("\"sha256:{digest}\"")),
            };
            let armour =
                self.world.sandbox.run(Path::new("ssh-keygen"), &arguments, message.as_bytes()).text();
            let signature: String = armour.lines().filter(|line| !line.starts_with("-----")).collect();
            let line = format!("{},\"sig\":\"{signature}\"}}", message.strip_suffix('}').unwrap());
            prev = Some(hex(&Sha256::digest(&line)));
            text.push_str(&line);
            text.push('\n');
        }
        let path = self.path(&format!(".leaflock/audit/{WRITER}/00000001-0a0a0a0a.jsonl"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

#[test]
fn a_key_writes_in_no_name_but_its_own() {
    let world = World::new();
    let (ana, bot) = (world.seat("ana"), world.seat("bot"));
    bot.leaflock(&["decrypt", "prod.yaml"]).ok();
    let (of_ana, of_bot) = (ana.segment_of("humans/ana"), ana.segment_of("ops/bot"));
    let name_of = |path: &Path| path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let digest = format!("sha256:{}", "0".repeat(64));
    let witness = format!("{{\"{}\":{{\"head\":\"{digest}\",\"seq\":99}}}}", name_of(&of_ana));
    let other_policy = format!("\"{digest}\"");
    let as_ana = ("agent_id", "\"humans/ana\"");
    let as_bot = ("agent_id", "\"ops/bot\"");
    let ghost = ("agent_id", "\"ops/ghost\"");
    let nobody = [("agent_id", "null"), ("kind", "\"unknown\""), ("policy", "null"), ("witness", &witness)];
    let denied = [&nobody[..], &[("outcome", "\"denied\"")]].concat();
    let asserted = ("asserted", "true");
    let human = ("kind", "\"human\"");
    let cases: &[(&str, &Path, Fields<'_>, bool)] = &[
        // As they are written by this tool.
        ("bot", &of_bot, &[], true),
        ("ana", &of_ana, &[as_bot, asserted], true),
        // For another principal: an agent for a person, and anybody for nobody.
        ("bot", &of_bot, &[as_ana, asserted, human], false),
        ("bot", &of_bot, &[as_ana, asserted], false),
        ("bot", &of_bot, &[as_ana], false),
        ("bot", &of_bot, &[("agent_id", "\"ops/eve\""), asserted], false),
        ("ana", &of_ana, &[ghost, asserted], false),
        // As something else than the policy says that it is.
        ("bot", &of_bot, &[human], false),
        ("bot", &of_bot, &[human, ("policy", &other_policy)], false),
        ("bot", &of_bot, &[("kind", "\"broker\"")], false),
        // As nobody: only refusals are written so, and nobody is believed what he saw.
        ("stranger", &of_bot, &nobody, false),
        ("bot", &of_bot, &nobody[..3], false),
        ("stranger", &of_bot, &denied, true),
        ("stranger", &of_bot, &[], false),
    ];
    for (key, model, fields, is_whole) in cases {
        let forged = ana.forge(key, model, fields);
        let found = ana.findings();
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| &**kind).collect();
        let wanted: &[&str] = if *is_whole { &[] } else { &["bad_signature"] };
        assert_eq!(kinds, wanted, "{key} {fields:?}");
        fs::remove_dir_all(forged.parent().unwrap()).unwrap();
    }
    ana.forge("ana", &of_ana, &[as_bot, asserted]);
    let shown = ana.leaflock(&["audit", "show", "--agent", "ops/bot"]).text();
    assert!(shown.contains("  ops/bot (by humans/ana)  encrypt  granted  prod.yaml"), "{shown}");
    assert!(shown.contains("  ops/bot  decrypt  granted  prod.yaml"), "{shown}");
    let shown = ana.leaflock(&["audit", "show", "--json"]).ok();
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    let entries = shown["result"]["entries"].as_array().unwrap();
    let by = entries.iter().find(|entry| entry["actor"]["asserted"] == true).unwrap();
    let owner = &shown["result"]["owners"][field(&by["actor"], "key")];
    assert_eq!(owner, "humans/ana", "{shown}");
}

#[test]
fn what_somebody_puts_beside_a_chain_stops_nobody() {
    let world = World::new();
    let (ana, bot) = (world.seat("ana"), world.seat("bot"));
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "one"]);
    let own = ana.segment_of("humans/ana");
    let lines = split(&fs::read(&own).unwrap());
    let last = String::from_utf8(lines.last().unwrap().clone()).unwrap();
    let planted = own.with_file_name("00009999-aaaaaaaa.jsonl");
    for line in [with(&last, "seq", "9999"), last.clone(), "no entry".to_owned()] {
        fs::write(&planted, format!("{line}\n")).unwrap();
        ana.leaflock(&["decrypt", "prod.yaml"]).ok();
        bot.leaflock(&["decrypt", "prod.yaml"]).ok();
        assert_ne!(ana.findings(), [], "{line}");
        fs::remove_file(&planted).unwrap();
        assert_eq!(ana.findings(), [], "{line}");
    }
    fs::create_dir(&planted).unwrap();
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    let told = ana.leaflock(&["audit", "verify"]);
    assert!(told.code != Some(0) && told.stderr.contains("00009999-aaaaaaaa.jsonl"), "{}", told.describe());
    fs::remove_dir(&planted).unwrap();
    // A chain that was put back to an older state: it is said which of both is wrong.
    let writer = own.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let chain = ana.path(&format!(".git/leaflock/audit/{writer}.jsonl"));
    let whole = fs::read(&chain).unwrap();
    fs::write(&chain, joined(&split(&whole)[..1])).unwrap();
    let told = ana.leaflock(&["decrypt", "prod.yaml"]).fails(9);
    assert!(
        told.contains(".jsonl has entry") && told.contains(&format!("{writer}.jsonl back as it was")),
        "{told}"
    );
    fs::write(&chain, whole).unwrap();
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
}

#[test]
fn what_is_added_to_a_file_of_the_log_is_called_so() {
    let world = World::new();
    let ana = world.seat("ana");
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "one"]);
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "two"]);
    let clone = ana.at("clone", "ana");
    ana.git(&["clone", "-q", ana.folder.to_str().unwrap(), clone.folder.to_str().unwrap()]);
    for seat in [&ana, &clone] {
        for segment in seat.segments() {
            let before = fs::read(&segment).unwrap();
            let lines = split(&before);
            fs::write(&segment, [&before[..], b"garbage\n"].concat()).unwrap();
            let wanted = ("inserted".to_owned(), Some(lines.len() as u64 + 1));
            assert_eq!(seat.findings(), [wanted], "{}", segment.display());
            let mut edited = before.clone();
            let place = before.len() - 30;
            edited[place] ^= 1;
            fs::write(&segment, &edited).unwrap();
            let wanted = ("edited".to_owned(), Some(lines.len() as u64));
            assert_eq!(seat.findings().first(), Some(&wanted), "{}", segment.display());
            fs::write(&segment, before).unwrap();
        }
    }
}

#[test]
fn what_fails_is_told_once() {
    let world = World::new();
    let ana = world.seat("ana");
    let broken = fs::read_to_string(ana.path("other.yaml"))
        .unwrap()
        .replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA");
    fs::write(ana.path("broken.yaml"), broken).unwrap();
    let count = ana.entries().len();
    assert_ne!(ana.leaflock(&["seal", "broken.yaml"]).code, Some(0));
    assert_eq!(ana.told_since(count), ["seal granted broken.yaml", "seal failed broken.yaml"]);
    let count = ana.entries().len();
    assert_ne!(ana.leaflock(&["check", "--decrypt", "broken.yaml"]).code, Some(0));
    assert_eq!(ana.told_since(count), ["check granted broken.yaml", "check failed broken.yaml"]);
    // Files whose states open to nobody here.
    for name in ["one.yaml", "two.yaml"] {
        for value in ["first", "second"] {
            world.sandbox.write(name, format!("a: {value}\n"));
            ana.leaflock(&["encrypt", "-i", "--age", BOB.recipient, name]).ok();
            ana.git(&["add", "-A"]);
            ana.git(&["commit", "-qm", value]);
        }
    }
    let count = ana.entries().len();
    ana.leaflock(&["agent", "exposure", "ops/bot"]).ok();
    let told = ana.told_since(count);
    assert_eq!(told.iter().filter(|it| it.contains("failed")).count(), 1, "{told:?}");
    assert_eq!(ana.findings(), []);
}

#[test]
fn the_name_of_a_program_stops_no_log() {
    let world = World::new();
    let ana = world.seat("ana");
    for name in ["\u{1}".repeat(100_000), "a\u{202e}b\n".repeat(20_000), "é".repeat(300)] {
        let count = ana.entries().len();
        assert_ne!(ana.leaflock(&["run", "prod.yaml", "--", &name]).code, Some(9));
        let entries = ana.entries().split_off(count);
        let told: Vec<String> = entries.iter().map(told).collect();
        assert_eq!(told, ["exec.start granted prod.yaml", "exec.end failed prod.yaml"]);
        let program = field(&entries[0]["target"], "program");
        assert!(program.chars().count() <= 256 && !program.chars().any(char::is_control), "{program}");
        assert!(!program.contains('\u{202e}'), "{program}");
    }
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    assert_eq!(ana.findings(), []);
}

/// What is done to a log, and what must be said of it.
struct Attack {
    name: &'static str,
    kind: &'static str,
    line: u64,
    lines: Vec<Vec<u8>>,
}

/// Every attack on line `at` (from 0) of a file that another line follows or not.
fn attacks(lines: &[Vec<u8>], at: usize, foreign: &[u8], other: &[u8]) -> Vec<Attack> {
    let line = at as u64 + 1;
    let mut all = Vec::new();
    let mut add = |name, kind, line, lines: Vec<Vec<u8>>| all.push(Attack { name, kind, line, lines });
    let with = |bytes: Vec<u8>| {
        let mut lines = lines.to_vec();
        lines[at] = bytes;
        lines
    };
    for place in
        [0, 6, 40, lines[at].len() / 2, lines[at].len() - 20, lines[at].len() - 3, lines[at].len() - 1]
    {
        let mut flipped = lines[at].clone();
        flipped[place] ^= 1;
        add("flip", "edited", line, with(flipped));
    }
    let text = String::from_utf8(lines[at].clone()).unwrap();
    let renamed = text.replacen("humans/ana", "humans/bob", 1).into_bytes();
    add("rename", "edited", line, with(renamed));
    let mut deleted = lines.to_vec();
    deleted.remove(at);
    let is_last = at + 1 == lines.len();
    add("delete", if is_last { "truncated" } else { "deleted" }, line, deleted);
    let mut duplicated = lines.to_vec();
    duplicated.insert(at, lines[at].clone());
    add("duplicate", "duplicated", line + 1, duplicated);
    if !is_last {
        let mut swapped = lines.to_vec();
        swapped.swap(at, at + 1);
        add("swap", "reordered", line, swapped);
    }
    let invented = text.replacen("\"v\":1", "\"v\":1,\"seq\":9,\"x\":0", 1).into_bytes();
    for (name, kind, bytes) in [
        ("insert", "inserted", invented),
        ("insert of another writer's", "inserted", other.to_vec()),
        ("splice", "foreign_repo", foreign.to_vec()),
    ] {
        for (place, line) in [(at, line), (at + 1, line + 1)] {
            let mut inserted = lines.to_vec();
            inserted.insert(place, bytes.clone());
            add(name, kind, line, inserted);
        }
    }
    add("splice in place", "foreign_repo", line, with(foreign.to_vec()));
    all
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect()
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn every_mutation_of_every_line_is_found_and_named() {
    use leaflock::domain::agent::audit::chain::Piece;
    use leaflock::domain::agent::audit::verify::{Material, Pieces, verify};

    let world = World::new();
    let ana = world.seat("ana");
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.leaflock(&["decrypt", "other.yaml"]).ok();
    let bot = world.seat("bot");
    bot.leaflock(&["decrypt", "prod.yaml"]).ok();
    let stranger = World::with_policy("abcdabcdabcdabcdabcdabcdabcdabcd", "");
    let all: Vec<Vec<u8>> =
        stranger.seat("ana").segments().iter().flat_map(|path| split(&fs::read(path).unwrap())).collect();
    let foreign = all.iter().find(|line| String::from_utf8_lossy(line).contains("abcdabcd")).unwrap();

    let own: Vec<(PathBuf, Vec<Vec<u8>>)> =
        ana.segments().into_iter().map(|path| (path.clone(), split(&fs::read(path).unwrap()))).collect();
    let is_ana = |lines: &Vec<Vec<u8>>| String::from_utf8_lossy(&lines[0]).contains("humans/ana");
    let (file, lines) = own.iter().find(|(_, lines)| is_ana(lines)).unwrap();
    let (_, others) = own.iter().find(|(_, lines)| !is_ana(lines)).unwrap();
    let writer = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let whole = joined(lines);
    let pieces = |bytes: &'static [u8]| -> Pieces<'static> {
        let piece = Piece { file: "segment".to_owned(), first: Some(1), bytes, may_be_torn: false };
        Pieces::from([(writer.to_owned(), vec![piece])])
    };
    let mut tried = 0;
    for at in 0..lines.len() {
        for attack in attacks(lines, at, foreign, &others[1]) {
            let changed: &'static [u8] = joined(&attack.lines).leak();
            let material = Material {
                repo: Some(REPO),
                tree: pieces(changed),
                past: pieces(whole.clone().leak()),
                elsewhere: Pieces::new(),
                chains: pieces(whole.clone().leak()),
                published: std::collections::BTreeMap::new(),
                checkpoints: Vec::new(),
                may_sign: &|_, _| true,
                is_listed: &|_| true,
            };
            let found = verify(&material).findings;
            let first = found.first().map(|it| (it.kind.as_str(), it.line));
            let expected = Some((attack.kind, Some(attack.line as usize)));
            assert_eq!(first, expected, "{} at line {}: {found:?}", attack.name, at + 1);
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried}");
}

#[test]
fn what_is_dropped_or_written_anew_is_found_in_a_real_repository() {
    let world = World::new();
    let ana = world.seat("ana");
    world.seat("bot").leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "one"]);
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.leaflock(&["decrypt", "other.yaml"]).ok();
    ana.leaflock(&["audit", "checkpoint"]).ok();
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "two"]);
    assert_eq!(ana.findings(), []);
    let segments = ana.segments();
    assert_eq!(segments.len(), 3, "{segments:?}");
    for segment in &segments {
        let before = fs::read(segment).unwrap();
        let same_writer = segments.iter().filter(|it| it.parent() == segment.parent()).count();
        fs::remove_file(segment).unwrap();
        let kind = if same_writer == 1 { "writer_missing" } else { "segment_missing" };
        assert_eq!(ana.findings().first().map(|it| &*it.0), Some(kind), "{}", segment.display());
        // Without the last line, and without the end of it.
        let lines = split(&before);
        fs::write(segment, joined(&lines[..lines.len() - 1])).unwrap();
        assert_eq!(ana.findings().first(), Some(&("truncated".to_owned(), Some(lines.len() as u64))));
        fs::write(segment, &before[..before.len() - 9]).unwrap();
        assert_eq!(ana.findings().first(), Some(&("truncated".to_owned(), Some(lines.len() as u64))));
        fs::write(segment, before).unwrap();
    }
    let writer = segments[0].parent().unwrap();
    let aside = ana.path("aside");
    fs::rename(writer, &aside).unwrap();
    assert_eq!(ana.findings().first().map(|it| &*it.0), Some("writer_missing"));
    fs::rename(&aside, writer).unwrap();
    assert_eq!(ana.findings(), []);

    // The holder of a key cuts its own chain, in the clone and in git's history, and goes on.
    let clone = ana.at("clone", "ana");
    let checkpoint = listed(&ana.path(".leaflock/audit/checkpoints")).remove(0);
    ana.git(&["clone", "-q", ana.folder.to_str().unwrap(), clone.folder.to_str().unwrap()]);
    clone.git(&["checkout", "-q", "--orphan", "anew"]);
    let is_of_ana = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("\"kind\":\"human\"");
    let chain = listed(&ana.path(".git/leaflock/audit"))
        .into_iter()
        .find(|it| it.extension().is_some_and(|it| it == "jsonl") && is_of_ana(it));
    let lines = split(&fs::read(chain.as_ref().unwrap()).unwrap());
    for segment in clone.segments().into_iter().filter(is_of_ana) {
        fs::remove_file(segment).unwrap();
    }
    let chains = clone.path(".git/leaflock/audit");
    fs::create_dir_all(&chains).unwrap();
    let name = chain.as_ref().unwrap().file_name().unwrap();
    fs::write(chains.join(name), joined(&lines[..3])).unwrap();
    fs::remove_dir_all(clone.path(".leaflock/audit/checkpoints")).unwrap();
    clone.leaflock(&["decrypt", "prod.yaml"]).ok();
    clone.git(&["add", "-A"]);
    clone.git(&["commit", "-qm", "anew"]);
    clone.git(&["branch", "-q", "-D", "main"]);
    clone.git(&["remote", "remove", "origin"]);
    assert_eq!(clone.findings(), [], "nothing here knows better");
    let verified = clone.leaflock(&["audit", "verify", "--checkpoint", checkpoint.to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), verified.stderr);
    assert_eq!(verified.code, Some(5), "{said}");
    assert!(said.contains("truncated") || said.contains("forked"), "{said}");
}

#[test]
fn nothing_is_opened_that_cannot_be_written_down() {
    let world = World::new();
    let ana = world.seat("ana");
    let marker = ana.path("marker");
    let check = |what: &str, seat: &Seat<'_>, before: &str| {
        let script = format!("{before} exec \"$@\"");
        for command in [
            &["decrypt", "prod.yaml"][..],
            &["decrypt", "--extract", "[\"db\"][\"user\"]", "prod.yaml"],
            &["run", "prod.yaml", "--", "touch", "marker"],
            &["exec-env", "prod.yaml", "touch marker"],
            &["exec-file", "prod.yaml", "touch marker"],
            &["set", "prod.yaml", "[\"db\"][\"user\"]", "\"x\""],
        ] {
            let before = fs::read(seat.path("prod.yaml")).unwrap();
            let output = seat.script(&script, command);
            assert_eq!(output.code, Some(9), "{what}: {}", output.describe());
            assert!(output.stdout.is_empty(), "{what}: {}", output.describe());
            assert!(!marker.exists() && !seat.path("marker").exists(), "{what}: the command ran");
            assert_eq!(fs::read(seat.path("prod.yaml")).unwrap(), before, "{what}");
        }
    };
    check("no signing key", &ana, "unset LEAFLOCK_SIGNING_KEY;");
    check("a key of nobody", &world.seat("stranger"), "");
    check("a full disk", &ana, "trap '' XFSZ; ulimit -f 0;");
    let audit = ana.path(".leaflock/audit");
    let aside = ana.path("aside");
    for (what, folder) in [("the work tree", audit), ("the clone", ana.path(".git/leaflock"))] {
        fs::rename(&folder, &aside).unwrap();
        fs::write(&folder, "").unwrap();
        check(what, &ana, "");
        fs::remove_file(&folder).unwrap();
        fs::rename(&aside, &folder).unwrap();
    }
    let plain = ana.at("no-repository", "ana");
    fs::create_dir(&plain.folder).unwrap();
    ana.script("cp -r .leaflock prod.yaml ../no-repository/", &[]).ok();
    check("no repository", &plain, "");
    assert_eq!(ana.findings(), []);
}

#[test]
fn a_process_that_is_killed_before_it_decrypts_has_written_its_entry() {
    let world = World::new();
    let ana = world.seat("ana");
    let count = ana.entries().len();
    let script = "HOME=$PWD/../empty SOPS_AGE_KEY_CMD='sh -c \"kill -9 $PPID\"' exec \"$@\"";
    let output = ana.script(script, &["decrypt", "prod.yaml"]);
    assert_eq!((output.code, &output.stdout[..]), (None, &b""[..]), "{}", output.describe());
    let entries = ana.entries();
    assert_eq!(entries.len(), count + 1);
    assert_eq!((field(&entries[count], "action"), field(&entries[count], "outcome")), ("decrypt", "granted"));
    assert_eq!(ana.findings(), []);
}

#[test]
fn a_policy_can_demand_a_reason() {
    let world = World::with_policy(REPO, "require_reason: true\n");
    let ana = world.seat("ana");
    let said = ana.leaflock(&["decrypt", "prod.yaml"]).fails(3);
    assert!(said.contains("--reason"), "{said}");
    ana.leaflock(&["decrypt", "--reason", "on call", "prod.yaml"]).ok();
    ana.script("LEAFLOCK_REASON='on call' exec \"$@\"", &["decrypt", "prod.yaml"]).ok();
    let long = "x".repeat(401);
    ana.leaflock(&["decrypt", "--reason", &long, "prod.yaml"]).fails(1);
    let entries = ana.entries();
    let denied: Vec<&Value> = entries.iter().filter(|entry| field(entry, "outcome") == "denied").collect();
    assert_eq!(denied.len(), 1);
    assert_eq!(field(denied[0], "deny_code"), "no_reason");
}

/// Action, outcome, file and secrets of an entry, in a line.
fn told(entry: &Value) -> String {
    let secrets: Vec<&str> =
        entry["secret_path"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    let words = [field(entry, "action"), field(entry, "outcome"), field(entry, "file"), &secrets.join(" ")];
    words.join(" ").trim().to_owned()
}

impl Seat<'_> {
    /// What the entries behind the first `count` say.
    fn told_since(&self, count: usize) -> Vec<String> {
        self.entries()[count..].iter().map(told).collect()
    }
}

/// A rule that asks for a reason, for the one value of `other.yaml`.
const WITH_REASON: &str =
    "    a: { allowed_agents: [humans/ana], access_level: readonly, reason: true, file: other.yaml }\n";

#[test]
fn a_reason_is_asked_for_every_file_of_a_call() {
    let world = World::with_policy(REPO, WITH_REASON);
    let ana = world.seat("ana");
    world
        .sandbox
        .write(".sops.yaml", format!("creation_rules:\n  - age: {},{}\n", ALICE.recipient, BOB.recipient));
    let files = ["prod.yaml", "other.yaml"];
    let before = files.map(|file| fs::read(ana.path(file)).unwrap());
    let calls: [&[&str]; 6] = [
        &["run", "prod.yaml", "other.yaml", "--", "touch", "marker"],
        &["redact", "--with", "prod.yaml", "--with", "other.yaml", ".gitattributes"],
        &["decrypt", "-i", "prod.yaml", "other.yaml"],
        &["updatekeys", "-y", "prod.yaml", "other.yaml"],
        &["rotate", "-i", "--yes", "prod.yaml", "other.yaml"],
        &["seal", "prod.yaml", "other.yaml"],
    ];
    for call in calls {
        let output = ana.leaflock(call);
        assert!(output.stderr.contains("asks for a reason"), "{}", output.describe());
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(!shown.contains("c4n4ry") && !shown.contains("-text"), "{}", output.describe());
        assert!(!ana.path("marker").exists(), "{}", output.describe());
        assert_ne!(output.code, Some(0), "{}", output.describe());
        assert_eq!(fs::read(ana.path("other.yaml")).unwrap(), before[1], "{}", output.describe());
        for (file, bytes) in files.iter().zip(&before) {
            fs::write(ana.path(file), bytes).unwrap();
        }
    }
    let entries = ana.entries();
    let of_other = entries.iter().filter(|entry| field(entry, "file") == "other.yaml").map(told);
    let of_other: std::collections::BTreeSet<String> = of_other.collect();
    assert_eq!(
        of_other.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "decrypt denied other.yaml",
            "encrypt granted other.yaml",
            "exec.start denied other.yaml",
            "redact denied other.yaml",
            "rotate denied other.yaml",
            "seal denied other.yaml",
            "updatekeys denied other.yaml",
        ]
    );
    let count = entries.len();
    ana.leaflock(&["run", "--reason", "migration", "prod.yaml", "other.yaml", "--", "true"]).ok();
    assert_eq!(
        ana.told_since(count),
        ["exec.start granted prod.yaml", "exec.start granted other.yaml", "exec.end ok other.yaml"]
    );
}

#[test]
fn every_secret_of_a_file_that_is_looked_at_is_written_down() {
    let world = World::new();
    let ana = world.seat("ana");
    ana.leaflock(&["agent", "sync", "--accept", "."]).ok();
    let count = ana.entries().len();
    let compared = ana.leaflock(&["compare", "db.password", "--with", "prod.yaml:db.user"]);
    assert!(matches!(compared.code, Some(0 | 1)), "{}", compared.describe());
    assert_eq!(
        ana.told_since(count),
        ["inspect granted prod.yaml db.password", "inspect granted prod.yaml db.user"]
    );
}

#[test]
fn what_is_asked_stands_in_the_refusal_of_a_policy_that_does_not_verify() {
    let world = World::new();
    let ana = world.seat("ana");
    let policy = ana.path(".leaflock/policy.yaml");
    fs::write(&policy, [&fs::read(&policy).unwrap()[..], b"# changed\n"].concat()).unwrap();
    let calls: [&[&str]; 3] = [
        &["get", "db.password", "--reason", "why"],
        &["fingerprint", "db.password", "--reason", "why"],
        &["compare", "db.password", "--with", "other.yaml:a", "--reason", "why"],
    ];
    for call in calls {
        ana.leaflock(call).fails(5);
    }
    let log = fs::read_to_string(chain(&ana)).unwrap();
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let denied: Vec<String> = entries[entries.len() - 3..].iter().map(told).collect();
    let expected = ["get", "inspect", "inspect"];
    assert_eq!(
        denied,
        expected.map(|action| format!("{action} denied .leaflock/policy.yaml.sig db.password"))
    );
    assert!(entries[entries.len() - 3..].iter().all(|entry| entry["reason"] == "why"));
}

#[test]
fn text_is_not_redacted_by_what_cannot_be_written_down() {
    let world = World::new();
    let ana = world.seat("ana");
    let script = "unset LEAFLOCK_SIGNING_KEY; exec \"$@\"";
    let said = ana.script(script, &["redact", ".gitattributes"]).fails(9);
    assert!(said.contains("signing key"), "{said}");
}

#[test]
fn a_checkpoint_of_a_broken_log_is_refused_and_that_is_told() {
    let world = World::new();
    let ana = world.seat("ana");
    world.seat("bot").leaflock(&["decrypt", "prod.yaml"]).ok();
    let count = ana.entries().len();
    ana.leaflock(&["audit", "checkpoint"]).ok();
    assert_eq!(ana.told_since(count), ["checkpoint granted .leaflock/policy.yaml"]);
    let is_of_bot = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("ops/bot");
    let segment = ana.segments().into_iter().find(is_of_bot).unwrap();
    let lines = split(&fs::read(&segment).unwrap());
    fs::write(&segment, joined(&lines[..1])).unwrap();
    let said = ana.leaflock(&["audit", "checkpoint"]).fails(5);
    assert!(said.contains("nothing was signed"), "{said}");
    assert_eq!(listed(&ana.path(".leaflock/audit/checkpoints")).len(), 1);
    assert_eq!(
        ana.told_since(count + 1),
        ["checkpoint granted .leaflock/policy.yaml", "checkpoint denied .leaflock/policy.yaml"]
    );
    assert_eq!(field(ana.entries().last().unwrap(), "deny_code"), "audit_mismatch");
}

#[test]
fn a_log_that_cannot_be_read_is_not_called_whole() {
    let world = World::new();
    let ana = world.seat("ana");
    assert_eq!(ana.findings(), []);
    let stray = ana.path(".leaflock/audit/w-0123456789abcdef");
    fs::write(&stray, "").unwrap();
    let output = ana.leaflock(&["audit", "verify"]);
    assert_ne!(output.code, Some(0), "{}", output.describe());
    assert!(output.stderr.contains("w-0123456789abcdef"), "{}", output.describe());
    fs::remove_file(&stray).unwrap();
    // A stray file beside the folders of writers is nobody's.
    fs::write(ana.path(".leaflock/audit/README"), "").unwrap();
    assert_eq!(ana.findings(), []);
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "one"]);
    assert_eq!(ana.findings(), []);
    let commit = ana.git(&["rev-parse", "HEAD"]);
    let (folder, file) = commit.trim().split_at(2);
    fs::remove_file(ana.path(".git/objects").join(folder).join(file)).unwrap();
    let output = ana.leaflock(&["audit", "verify"]);
    assert_ne!(output.code, Some(0), "{}", output.describe());
    assert!(output.stderr.contains("git log"), "{}", output.describe());
}

/// The chain of ana's clone.
fn chain(seat: &Seat<'_>) -> PathBuf {
    let files = listed(&seat.path(".git/leaflock/audit"));
    files.into_iter().find(|it| it.extension().is_some_and(|it| it == "jsonl")).unwrap()
}

#[test]
fn a_source_of_thousands_of_secrets_has_a_line_that_can_be_read() {
    let world = World::with_policy(
        REPO,
        "    many: { allowed_agents: [ops/bot], access_level: exec }\n    one: { allowed_agents: [ops/bot], access_level: exec }\n",
    );
    let ana = world.seat("ana");
    let mut plain = "kept: x\none:\n  a: x\n  b: x\nmany:\n".to_owned();
    for number in 0..6000 {
        plain.push_str(&format!("  a_secret_with_a_name_that_takes_some_room_{number:05}: x\n"));
    }
    world.sandbox.write("big.yaml", plain);
    ana.leaflock(&["encrypt", "-i", "--age", ALICE.recipient, "big.yaml"]).ok();
    ana.leaflock(&["agent", "sync", "--accept", "."]).ok();
    let count = ana.entries().len();
    let run = ["run", "--agent", "ops/bot", "--no-redact", "big.yaml", "--", "true"];
    ana.leaflock(&run).ok();
    assert_eq!(
        ana.told_since(count),
        ["exec.start granted big.yaml many one", "exec.end ok big.yaml many one"]
    );
    assert_eq!(ana.findings(), []);
    let found =
        ana.leaflock(&["audit", "show", "--path", "many.a_secret_with_a_name_that_takes_some_room_00007"]);
    assert_eq!(found.text().lines().count(), 2);
}

/// What is done under a policy whose rule says `audit: true`, and the entries of it.
/// Each call finds `prod.yaml` as it was committed.
const CALLS: &[(&str, &[&str])] = &[
    ("textconv prod.yaml", &["textconv granted prod.yaml"]),
    ("git smudge prod.yaml < prod.yaml", &["git.smudge granted prod.yaml"]),
    ("git clean prod.yaml < plain.yaml", &["reuse granted prod.yaml", "encrypt granted prod.yaml"]),
    ("git clean other.yaml < plain.yaml", &["reuse granted other.yaml", "git.clean granted other.yaml"]),
    ("merge prod.yaml ours.yaml theirs.yaml", &["merge granted ours.yaml"; 3]),
    ("resolve --all-ours marked.yaml", &["resolve granted marked.yaml"; 2]),
    ("seal prod.yaml", &["seal granted prod.yaml"]),
    ("agent exposure ops/bot", &["exposure granted both.yaml"]),
    ("edit prod.yaml", &["edit granted prod.yaml"]),
    ("exec-env other.yaml true", &["exec.start granted other.yaml", "exec.end ok other.yaml"]),
    ("exec-file prod.yaml true", &["exec.start granted prod.yaml", "exec.end ok prod.yaml"]),
    ("updatekeys -y prod.yaml", &["updatekeys granted prod.yaml"]),
    ("rotate -i prod.yaml", &["rotate granted prod.yaml"]),
];

#[test]
fn every_command_that_opens_a_file_has_its_entries() {
    let world = World::with_policy(
        REPO,
        "    db.user: { allowed_agents: [humans/ana], access_level: readonly, audit: true }\n",
    );
    let ana = world.seat("ana");
    // For `other.yaml` there is no rule.
    let rules = format!(
        "creation_rules:\n  - path_regex: (prod|both|ours|theirs|marked)\\.yaml$\n    age: {},{}\n",
        ALICE.recipient, BOB.recipient
    );
    world.sandbox.write(".sops.yaml", rules);
    world.sandbox.write("plain.yaml", SECRETS.replace("bob", "eve"));
    for (name, user) in [("ours.yaml", "eve"), ("theirs.yaml", "amy")] {
        fs::copy(ana.path("prod.yaml"), ana.path(name)).unwrap();
        ana.leaflock(&["set", name, "[\"db\"][\"user\"]", &format!("{user:?}")]).ok();
    }
    world.sandbox.write("both.yaml", "a: 1\n");
    ana.leaflock(&["encrypt", "-i", "both.yaml"]).ok();
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "all"]);
    let mut wrong = Vec::new();
    for (call, expected) in CALLS {
        let count = ana.entries().len();
        let script = match call.contains("marked.yaml") {
            true => "cp ours.yaml marked.yaml; ! git merge-file -q marked.yaml prod.yaml theirs.yaml && ",
            false => "",
        };
        let output = ana.script(&format!("{script}EDITOR='sed -i s/bob/eve/' \"$@\" {call}"), &[]);
        let told = ana.told_since(count);
        if told != *expected {
            wrong.push(format!("{call}: {told:?}\n{}", output.describe()));
        }
        ana.git(&["checkout", "-q", "--", "*.yaml"]);
        ana.git(&["clean", "-q", "-f", "--", "*.yaml"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ana.findings(), []);
}

#[test]
fn every_file_of_a_large_batch_has_its_entry() {
    let world = World::new();
    let ana = world.seat("ana");
    let names: Vec<String> = (0..300).map(|number| format!("many/{number:03}.yaml")).collect();
    for name in &names {
        world.sandbox.write(name, "a: c4n4ry\n");
    }
    let told = |count: usize| {
        let mut told = ana.told_since(count);
        told.sort();
        told
    };
    let of_all = |action: &str| -> Vec<String> {
        names.iter().map(|name| format!("{action} granted {name}")).collect()
    };
    let mut count = ana.entries().len();
    ana.leaflock(&["encrypt", "-i", "--age", ALICE.recipient, "many"]).ok();
    assert_eq!(told(count), of_all("encrypt"));
    count += names.len();
    ana.leaflock(&["decrypt", "-i", "many"]).ok();
    assert_eq!(told(count), of_all("decrypt"));
    assert_eq!(ana.findings(), []);
}

#[test]
fn ssh_keygen_verifies_entries_and_checkpoints() {
    let world = World::new();
    let ana = world.seat("ana");
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.leaflock(&["audit", "checkpoint"]).ok();
    let signers = format!("ana {}\n", world.public("ana"));
    let list = world.sandbox.write("signers", signers);
    let verify = |line: &str, namespace: &str| {
        // As the documentation says it: everything before the signature, and a brace.
        let (body, rest) = line.rsplit_once(",\"sig\":\"").unwrap();
        let armour = format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            rest.strip_suffix("\"}").unwrap()
        );
        let signature = world.sandbox.write("line.sig", armour);
        let (list, signature) = (list.to_str().unwrap(), signature.to_str().unwrap());
        let arguments = ["-Y", "verify", "-f", list, "-I", "ana", "-n", namespace, "-s", signature];
        world.sandbox.run(Path::new("ssh-keygen"), &arguments, format!("{body}}}").as_bytes()).ok();
    };
    let mut previous = None;
    for segment in ana.segments() {
        for line in fs::read_to_string(segment).unwrap().lines() {
            verify(line, "leaflock-audit@v1");
            let entry: Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["prev"].as_str().map(str::to_owned), previous);
            previous = Some(format!("sha256:{}", hex(&Sha256::digest(line))));
        }
    }
    for checkpoint in listed(&ana.path(".leaflock/audit/checkpoints")) {
        verify(fs::read_to_string(checkpoint).unwrap().trim_end(), "leaflock-checkpoint@v1");
    }
}

#[test]
fn no_value_gets_into_the_log_or_into_git() {
    let world = World::new();
    let ana = world.seat("ana");
    let canary = "c4n4ry-hunter2";
    ana.leaflock(&["decrypt", "prod.yaml"]).ok();
    ana.leaflock(&["decrypt", "--extract", "[\"db\"][\"password\"]", "prod.yaml"]).ok();
    ana.leaflock(&["set", "prod.yaml", "[\"db\"][\"other\"]", &format!("\"{canary}\"")]).ok();
    ana.leaflock(&["run", "prod.yaml", "--", "echo", canary]).ok();
    ana.leaflock(&["exec-env", "other.yaml", &format!("echo {canary}")]).ok();
    ana.git(&["add", "-A"]);
    ana.git(&["commit", "-qm", "all"]);
    let objects = ana.script("git cat-file --batch-all-objects --batch", &[]).ok();
    let log = [&ana.leaflock(&["audit", "export"]).ok()[..], &ana.leaflock(&["audit", "show"]).ok()].concat();
    let reversed: String = canary.chars().rev().collect();
    let encodings = [
        canary.to_owned(),
        canary.to_uppercase(),
        hex(canary.as_bytes()),
        hex(canary.as_bytes()).to_uppercase(),
        STANDARD.encode(canary),
        STANDARD.encode(format!("x{canary}"))[2..18].to_owned(),
        STANDARD.encode(format!("xx{canary}"))[3..19].to_owned(),
        URL_SAFE_NO_PAD.encode(canary),
        canary.replace('-', "%2D"),
        canary.replace('-', "\\u002d"),
        reversed,
        hex(&Sha256::digest(canary)),
    ];
    for encoding in &encodings {
        for (place, bytes) in [("git", &objects), ("log", &log)] {
            let found = memchr::memmem::find(bytes, encoding.as_bytes());
            assert_eq!(found, None, "{encoding} is in {place}");
        }
    }
}
