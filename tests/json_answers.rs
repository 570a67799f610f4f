//! Every command that takes `--json` answers in one object that follows the schema of
//! the manual, with a code that the manual has, a next action that can be run, and
//! without a value that nobody asked for; whether it works or fails.

use std::collections::BTreeMap;
use std::ffi::OsString;

use leaflock::cli::{Found, Mode, Verb, find};
use serde_json::Value;

use super::testkit::json_schema;
use super::testkit::sandbox::{ALICE, BOB, Output, Sandbox};

const SCHEMA: &str = include_str!("../src/docs/leaflock-v1.schema.json");
const MANUAL: &str = include_str!("../src/docs/json.md");

/// Nothing else in any output looks like it.
const CANARY: &str = "Zq7kW9xV2mT4bN8";

const POLICY: &str = "\
version: 1
repo: REPO
serial: 1
principals:
  humans/alice: { age: ALICE, sign: ADMINS, roles: [admin] }
  ops/deploy: { age: BOB, sign: SIGNED }
sources: [{ file: prod.yaml }, { file: staging.yaml }]
access_control:
  secrets:
    blob: { allowed_agents: [ops/deploy], access_level: read }
    databases.postgres: { allowed_agents: [ops/deploy], access_level: exec }
  deny:
    - { agents: ['dev/**'], secrets: databases }
";

/// Words, arguments, exit code.
type Call = (&'static str, &'static [&'static str], i32);

/// Calls of every command: words, arguments, exit code.
const CALLS: &[Call] = &[
    ("list", &[], 0),
    ("list", &["databases", "--file", "prod.yaml"], 0),
    ("list", &["nothing.here"], 4),
    ("exists", &["databases.postgres"], 0),
    ("exists", &["databases.mysql"], 1),
    ("exists", &["a..b"], 2),
    ("schema", &[], 0),
    ("schema", &["databases.postgres.port"], 0),
    ("agent guide", &[], 0),
    ("agent guide", &["--install"], 0),
    ("agent guide", &["--remove"], 0),
    ("agent guide", &["--install", "--remove"], 2),
    ("can", &["ops/deploy", "databases.postgres.port", "--level", "exec"], 0),
    ("can", &["ops/deploy", "databases.postgres.port"], 3),
    ("can", &["dev/x", "databases.postgres.port"], 4),
    ("who-can", &["databases"], 0),
    ("what-can", &["ops/deploy"], 0),
    ("policy verify", &[], 0),
    ("policy sign", &[], 0),
    ("policy init", &[], 1),
    ("trust list", &[], 0),
    ("trust sign", &[], 0),
    ("trust add", &["--yes"], 0),
    ("trust add", &["sha256:12"], 2),
    ("agent revoke", &["dev/x", "--reason", "gone"], 4),
    ("agent revoke", &["dev/x"], 2),
    ("policy lint", &[], 1),
    ("policy explain", &[], 0),
    ("policy explain", &["ops/deploy"], 0),
    ("policy explain", &["ops/deploy", "databases.postgres.port"], 0),
    ("policy test", &["policy.test"], 1),
    ("agent revoke", &["ops/deploy", "--reason", "gone"], 0),
    ("list", &["databases.postgres"], 0),
    ("agent sync", &["--check"], 1),
    ("agent sync", &["--accept", "."], 0),
    ("agent sync", &["--check"], 0),
    ("agent sync", &["--continue"], 2),
    ("audit report", &["--out", "../home/report.html"], 0),
    ("agent list", &[], 0),
    ("agent show", &["ops/deploy"], 0),
    ("agent show", &["ops/nobody"], 4),
    ("agent add", &["ops/new", "--out", "../home/keys"], 0),
    ("agent add", &["ops/new", "--out", "../home/more"], 2),
    ("agent rekey", &["ops/new", "--out", "../home/other"], 0),
    ("agent exposure", &["ops/new"], 0),
    ("agent remove", &["ops/new"], 0),
    ("get", &["databases.postgres.port", "--file", "prod.yaml"], 0),
    ("compare", &["databases.postgres.password", "--with", "staging.yaml", "--file", "prod.yaml"], 0),
    ("audit show", &[], 0),
    ("audit tail", &[], 0),
    ("audit export", &["--format", "csv"], 0),
    ("audit export", &["--format", "xml"], 2),
    ("audit checkpoint", &[], 0),
    ("audit verify", &[], 0),
    ("trust remove", &[], 0),
    ("policy verify", &[], 5),
    ("get", &["databases.postgres.port", "--file", "prod.yaml"], 5),
];

/// Calls where no policy is: they open values.
const OPENING: &[Call] = &[
    ("get", &["databases.postgres.password", "--file", "prod.yaml"], 0),
    ("get", &["blob"], 0),
    ("get", &["databases.postgres.password"], 2),
    ("get", &["databases.postgres"], 2),
    ("get", &["nothing.here"], 4),
    ("get", &["closed", "--file", "bob.yaml"], 7),
    ("get", &["databases.postgres.port", "--file", "broken.yaml"], 5),
    ("compare", &["databases.postgres.password", "--with", "staging.yaml", "--file", "prod.yaml"], 0),
    ("compare", &["databases.postgres.port", "--with", "staging.yaml", "--file", "prod.yaml"], 1),
    ("compare", &["databases.postgres.port", "--with", "nowhere.yaml", "--file", "prod.yaml"], 4),
    ("fingerprint", &["databases.postgres.password", "--file", "prod.yaml"], 0),
];

/// A world with encrypted files that hold the canary.
fn world() -> Sandbox {
    let sandbox = Sandbox::with_key();
    let git = std::path::Path::new("git");
    sandbox.run(git, &["init", "-q"], b"").ok();
    let yaml = |port: u16| {
        format!("databases:\n  postgres:\n    password: {CANARY}\n    port: {port}\nhosts: [{CANARY}, x]\n")
    };
    for (name, text, key) in [
        ("prod.yaml", yaml(5432) + "empty: ''\nblob: \"\\e[2J\\u202E\"\n", ALICE),
        ("staging.yaml", yaml(5433), ALICE),
        ("broken.yaml", yaml(5434), ALICE),
        ("bob.yaml", "closed: x\n".to_owned(), BOB),
    ] {
        sandbox.write(name, text);
        sandbox.ours(&["encrypt", "-i", "--age", key.recipient, name]).ok();
    }
    // Without a leaf, its MAC is that of other values.
    let broken = String::from_utf8(sandbox.read("broken.yaml")).unwrap();
    let kept = broken.lines().filter(|line| !line.contains("password:"));
    sandbox.write("broken.yaml", kept.map(|line| format!("{line}\n")).collect::<String>());
    sandbox.write("policy.test", "dev/** must not reach prod.yaml\nops/deploy can read databases\n");
    sandbox
}

/// The file of a signing key.
fn key_of(sandbox: &Sandbox, name: &str) -> String {
    sandbox.folder().join("home").join(name).to_str().unwrap().to_owned()
}

/// Makes a signed policy. What `policy init` answered.
fn govern(sandbox: &mut Sandbox) -> Value {
    let [alice, deploy] = ["alice", "deploy"].map(|name| {
        let key = key_of(sandbox, name);
        let line = ["-q", "-t", "ed25519", "-N", "", "-f", &key];
        sandbox.run(std::path::Path::new("ssh-keygen"), &line, b"").ok();
        let public = std::fs::read_to_string(format!("{key}.pub")).unwrap();
        public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    });
    let key = key_of(sandbox, "alice");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &key);
    let output = call(sandbox, "policy init", &["--name", "humans/alice"], &["--json"]);
    let answer = examine(output, "policy init");
    let policy = POLICY.replace("ALICE", ALICE.recipient).replace("BOB", BOB.recipient);
    let policy = policy
        .replace("REPO", answer["result"]["repo"].as_str().unwrap())
        .replace("ADMINS", &alice)
        .replace("SIGNED", &deploy);
    sandbox.write(".leaflock/policy.yaml", policy);
    sandbox.ours(&["policy", "sign", "--bump"]).ok();
    answer
}

/// The codes of the manual with their exit codes, as far as they have one.
fn codes() -> BTreeMap<&'static str, Option<i32>> {
    let rows = MANUAL.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.filter_map(|(code, rest)| {
        let exit = rest.split(" |").next()?;
        (exit == "its own" || exit.parse::<i32>().is_ok()).then(|| (code, exit.parse().ok()))
    })
    .collect()
}

/// The schema without room for fields that it does not name: none is forgotten there.
fn strict(mut schema: Value) -> Value {
    fn walk(schema: &mut Value) {
        match schema {
            Value::Object(words) => {
                if words.contains_key("properties") && words.contains_key("type") {
                    words.insert("additionalProperties".to_owned(), Value::Bool(false));
                }
                words.values_mut().for_each(walk);
            }
            Value::Array(schemas) => schemas.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut schema);
    schema
}

/// Looks at an answer from all sides but its form.
fn examine(output: Output, words: &str) -> Value {
    let told = output.describe();
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(answer["command"], format!("leaflock {words}"), "{told}");
    assert_eq!(answer["ok"] == true, output.code == Some(0), "{told}");
    assert_eq!(answer["ok"] == true, answer["error"].is_null(), "{told}");
    // Whose signatures count is a question to a person.
    let asks = answer["error"]["code"] == "untrusted_signers";
    assert!(output.stderr.is_empty() || asks, "{told}");
    if let Some(code) = answer["error"]["code"].as_str() {
        let exit = codes().get(code).copied().unwrap_or_else(|| panic!("the manual has no {code}: {told}"));
        assert!(exit.is_none_or(|exit| Some(exit) == output.code), "{code}: {told}");
        assert_ne!(
            answer["next_actions"].as_array().unwrap().len() + usize::from(answer["result"] != Value::Null),
            0
        );
    }
    for action in answer["next_actions"].as_array().unwrap() {
        let argv: Vec<OsString> =
            action["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect();
        assert_eq!(argv[0], "leaflock", "{told}");
        let exists = matches!(find(&argv[1..], Mode::Leaflock), Some(Found::Verb(..)));
        assert!(exists || argv.last().unwrap() == "--help", "{told}");
    }
    if words != "get" {
        assert!(!String::from_utf8_lossy(&output.stdout).contains(CANARY), "{told}");
    }
    answer
}

fn call(sandbox: &Sandbox, words: &str, arguments: &[&str], json: &[&str]) -> Output {
    let line: Vec<&str> =
        words.split(' ').chain(arguments.iter().copied()).chain(json.iter().copied()).collect();
    sandbox.ours(&line)
}

#[test]
fn every_command_answers_as_the_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut sandbox = world();
    let mut called: Vec<&str> = Vec::new();
    let mut answers = Vec::new();
    let mut examine_all = |sandbox: &Sandbox, calls: &[Call], answers: &mut Vec<Value>| {
        for (words, arguments, code) in calls {
            let output = call(sandbox, words, arguments, &["--json"]);
            assert_eq!(output.code, Some(*code), "{}", output.describe());
            answers.push(examine(output, words));
            called.push(words);
        }
    };
    examine_all(&sandbox, OPENING, &mut answers);
    answers.push(govern(&mut sandbox));
    examine_all(&sandbox, CALLS, &mut answers);
    sandbox.ours(&["trust", "add", "--yes"]).ok();
    for verb in Verb::all().filter(|verb| verb.answers()) {
        let words = verb.words();
        assert!(called.contains(&words), "no call of `{words}` is checked");
        assert!(schema["$defs"].get(words.replace(' ', "-")).is_some(), "the schema has no `{words}`");
        let output = call(&sandbox, words, &["--no-such-flag"], &["--json"]);
        assert_eq!(output.code, Some(2), "{}", output.describe());
        answers.push(examine(output, words));
    }
    // The environment asks as the flag does, and a family answers for what it does not have.
    sandbox.set_env("LEAFLOCK_OUTPUT", "json");
    let output = call(&sandbox, "list", &[], &[]);
    answers.push(examine(output, "list"));
    let output = call(&sandbox, "policy", &["frobnicate"], &[]);
    let answer = examine(output, "policy");
    assert_eq!(answer["error"]["code"], "usage");
    answers.push(answer);
    let faults = json_schema::faults(&strict(schema).to_string(), &answers);
    for (answer, fault) in answers.iter().zip(faults) {
        assert!(fault.is_none(), "{}\n{answer:#}", fault.unwrap_or_default());
    }
}

#[test]
fn every_command_of_the_table_with_the_flag_says_so() {
    for verb in Verb::all().filter(|verb| verb.answers()) {
        let has = verb.command().get_arguments().any(|argument| argument.get_long() == Some("json"));
        assert!(has, "`{}` has no --json", verb.words());
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for rule in schema["allOf"].as_array().unwrap() {
        let command = rule["if"]["properties"]["command"]["const"].as_str().unwrap();
        let words = command.strip_prefix("leaflock ").unwrap();
        assert!(Verb::of_words(words, Mode::Leaflock).is_some_and(Verb::answers), "{words} is no command");
        let reference = &rule["then"]["properties"]["result"]["anyOf"][0]["$ref"];
        assert_eq!(reference, &format!("#/$defs/{}", words.replace(' ', "-")));
    }
}

#[test]
fn the_manual_has_every_code() {
    use leaflock::cli::envelope::code::{Class, Code};
    use leaflock::domain::agent::denial::DenyCode;
    let manual = codes();
    let known: Vec<Code> = Code::OWN.into_iter().chain(DenyCode::ALL.map(Code::Refused)).collect();
    for code in &known {
        let exit = manual.get(code.as_str()).unwrap_or_else(|| panic!("the manual has no {}", code.as_str()));
        assert!(exit.is_none_or(|exit| exit == i32::from(Class::of_code(*code).exit)), "{}", code.as_str());
    }
    assert_eq!(manual.len(), known.len());
}

#[test]
fn a_value_is_the_same_in_every_form() {
    let sandbox = world();
    let line = ["get", "blob", "--raw"];
    let raw = sandbox.ours(&line).text();
    assert_eq!(raw, "\u{1b}[2J\u{202e}");
    assert_eq!(sandbox.ours(&["get", "blob"]).text(), format!("{raw}\n"));
    let answer: Value = serde_json::from_str(&sandbox.ours(&["get", "blob", "--json"]).text()).unwrap();
    assert_eq!(answer["result"]["value"], raw);
    let sops = sandbox.sops(&["decrypt", "--extract", "[\"blob\"]", "prod.yaml"]).text();
    assert_eq!(sops, raw);
}

#[test]
fn fingerprints_tell_equal_values_of_a_file() {
    let sandbox = Sandbox::with_key();
    sandbox.write("a.yaml", "one: x1\ntwo: x1\nthree: x2\nnumber: 7\ntext: '7'\n");
    sandbox.write("b.yaml", "other: x1\n");
    for name in ["a.yaml", "b.yaml"] {
        sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
    }
    let of = |path: &str| sandbox.ours(&["fingerprint", path]).text();
    assert_eq!(of("one"), of("two"));
    assert_eq!(of("number"), of("text"));
    assert_ne!(of("one"), of("three"));
    assert_ne!(of("one"), of("other"));
    let before = of("one");
    sandbox.ours(&["rotate", "-i", "a.yaml"]).ok();
    assert_ne!(of("one"), before);
    sandbox.ours(&["compare", "one", "--with", "b.yaml:other"]).ok();
    sandbox.ours(&["compare", "three", "--with", "b.yaml:other"]).fails(1);
}

#[test]
fn an_agent_gets_only_what_it_may_read() {
    // ops/deploy has BOB's identity, and exec but not read.
    let mut sandbox = world();
    govern(&mut sandbox);
    sandbox.ours(&["agent", "sync", "--accept", "."]).ok();
    let identity = sandbox.write("identity.txt", BOB.identity);
    std::fs::remove_file(sandbox.folder().join("home/.config/sops/age/keys.txt")).unwrap();
    sandbox.set_env("SOPS_AGE_KEY_FILE", identity.to_str().unwrap());
    let key = key_of(&sandbox, "deploy");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &key);
    let listed = sandbox.ours(&["list", "databases.postgres.port", "--file", "prod.yaml", "--json"]).text();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["result"]["caller"]["name"], "ops/deploy");
    assert_eq!(listed["result"]["secrets"][0]["levels"], serde_json::json!(["exec"]));
    for path in ["databases.postgres.port", "hosts"] {
        let output = sandbox.ours(&["get", path, "--file", "prod.yaml"]);
        assert!(output.stdout.is_empty());
        let told = output.fails(3);
        assert!(told.contains("ops/deploy may not read") && told.contains("no rule allows it"), "{told}");
    }
    let told = sandbox.ours(&["fingerprint", "hosts", "--file", "prod.yaml"]).fails(3);
    assert!(told.contains("read or exec"), "{told}");
    // What was refused is written down.
    let denials = sandbox.ours(&["audit", "show", "--json"]).text();
    let denials: Value = serde_json::from_str(&denials).unwrap();
    let is_denial = |entry: &&Value| entry["outcome"] == "denied" && entry["deny_code"] == "not_allowed";
    let entries = denials["result"]["entries"].as_array().unwrap();
    let told: Vec<String> = entries
        .iter()
        .filter(is_denial)
        .map(|it| format!("{} {} {}", it["agent_id"], it["action"], it["secret_path"]))
        .collect();
    assert_eq!(
        told,
        [
            "\"ops/deploy\" \"get\" [\"databases.postgres.port\"]",
            "\"ops/deploy\" \"get\" [\"hosts\"]",
            "\"ops/deploy\" \"inspect\" [\"hosts\"]",
        ]
    );
    // What it may have comes from the file that was made for it.
    let answer: Value = serde_json::from_str(&sandbox.ours(&["get", "blob", "--json"]).text()).unwrap();
    assert_eq!(answer["result"]["file"], ".leaflock/agents/ops/deploy/prod.yaml");
    assert_eq!(answer["result"]["value"], "\u{1b}[2J\u{202e}");
    let line = ["fingerprint", "databases.postgres.port", "--file", "prod.yaml"];
    assert!(sandbox.ours(&line).text().starts_with("fp1:"));
    let line = ["compare", "databases.postgres.password", "--file", "prod.yaml", "--with", "staging.yaml"];
    sandbox.ours(&line).ok();
    // A file in its place that nobody signed for is not opened.
    let made = sandbox.read(".leaflock/agents/ops/deploy/prod.yaml");
    sandbox.write("planted.yaml", "blob: planted\n");
    sandbox.ours(&["encrypt", "-i", "--age", BOB.recipient, "planted.yaml"]).ok();
    sandbox.write(".leaflock/agents/ops/deploy/prod.yaml", sandbox.read("planted.yaml"));
    assert!(sandbox.ours(&["get", "blob"]).fails(5).contains("not the file that was signed for"));
    sandbox.write(".leaflock/agents/ops/deploy/prod.yaml", made);
    // A policy that it changed counts for nothing.
    let policy = String::from_utf8(sandbox.read(".leaflock/policy.yaml")).unwrap();
    sandbox.write(".leaflock/policy.yaml", policy.replace("access_level: exec", "access_level: read"));
    let line = ["get", "databases.postgres.port", "--file", "prod.yaml"];
    assert!(sandbox.ours(&line).fails(5).contains("sign"));
    sandbox.write(".leaflock/policy.yaml", policy);
    // A file of its own making is no secret of the policy.
    sandbox.write("guess.txt", "x");
    let line = ["compare", "databases.postgres.port", "--file", "prod.yaml", "--with", "guess.txt"];
    sandbox.ours(&line).fails(4);
}
