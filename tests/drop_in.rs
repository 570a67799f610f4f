//! Every command, flag, variable and exit code of sops, and what we do about it:
//! the manual's page `drop-in`, made from what sops says of itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use leaflock::cli::env::Variable;
use leaflock::cli::{Family, Mode, Verb, exit, legacy};

use super::testkit::docs;
use super::testkit::sandbox::{ALICE, BOB, Sandbox};
use super::testkit::sops;

/// What we do about a thing of sops.
const SAME: &str = "same";
const MORE: &str = "more";
const NOT_YET: &str = "not yet";

/// What comes later by plan: the services that keys live in, and where files are
/// published. A flag is named with its dashes.
const LATER: [&str; 16] = [
    "publish",
    "keyservice",
    "--keyservice",
    "--kms",
    "--aws-profile",
    "--encryption-context",
    "--gcp-kms",
    "--hckms",
    "--azure-kv",
    "--hc-vault-transit",
    "SOPS_KMS_ARN",
    "SOPS_GCP_KMS_IDS",
    "SOPS_HUAWEICLOUD_KMS_IDS",
    "SOPS_AZURE_KEYVAULT_URLS",
    "SOPS_VAULT_URIS",
    "SOPS_KEYSERVICE",
];

/// Where we do more than sops, or something else: command, flag, what.
const NOTES: &[(&str, &str, &str)] = &[
    ("completion", "", "also for fish, PowerShell and elvish"),
    ("encrypt", "", "keeps every byte that is no secret; `-i` takes several files, folders and patterns"),
    ("decrypt", "", "gives back the file byte for byte; `-i` takes several files, folders and patterns"),
    ("decrypt", "--output-type", "also `shell`; nested values are flattened for `dotenv`"),
    ("exec-file", "--output-type", "also `shell`"),
    ("edit", "", "unchanged values keep their ciphertext; one session a file"),
    ("edit", "--show-master-keys", "the edits are kept"),
    ("set", "", "changes that value's line; takes arrays; whole numbers stay integers"),
    ("unset", "", "removes that value's line"),
    ("exec-env", "", "signals reach the command; see also `run`"),
    ("exec-env", "--user", "with the user's groups and home"),
    ("exec-file", "", "signals reach the command; the file is in memory"),
    ("exec-file", "--background", "the file is there as long as the command"),
    ("exec-file", "--user", "with the user's groups and home"),
    ("exec-file", "--filename", "a name that leads elsewhere is refused"),
    ("", "--disable-version-check", "there is no such check: nothing touches the network"),
    ("", "--check-for-updates", "there is no such check: nothing touches the network"),
    ("", "--decryption-order", ""),
];

/// What keys of services come to until they are built.
const KEPT: &str = "such keys are kept in every write, and another key of the file opens it";

/// The exit codes of sops's source, with what they stand for there.
const CODES: &[(u8, &str)] = &[
    (0, "success"),
    (1, "generic error"),
    (2, "could not read the input file"),
    (3, "could not write the output file"),
    (4, "error dumping the tree"),
    (5, "error reading the config"),
    (6, "invalid KMS encryption context"),
    (7, "invalid set format"),
    (8, "conflicting parameters"),
    (21, "error encrypting the MAC"),
    (23, "error encrypting the tree"),
    (24, "error decrypting the MAC"),
    (25, "error decrypting the tree"),
    (49, "cannot change keys of a file that does not exist"),
    (51, "MAC mismatch"),
    (52, "MAC not found"),
    (61, "config file not found"),
    (85, "keyboard interrupt"),
    (91, "invalid tree path"),
    (92, "input file has no document"),
    (100, "no file specified"),
    (111, "no encryption key found"),
    (112, "duplicate decryption key type"),
    (128, "could not retrieve the key"),
    (200, "file has not been modified"),
    (201, "no editor found"),
    (202, "failed to compare versions"),
    (203, "file already encrypted"),
    (255, "the command of exec-env or exec-file was ended by a signal"),
];

/// Codes that no call of sops ends with, or that cannot arise here.
const SILENT_CODES: [(u8, &str); 8] = [
    (5, "declared there, never used"),
    (24, "declared there, never used"),
    (52, "declared there, never used"),
    (61, "declared there, never used"),
    (85, "declared there, never used"),
    (111, "declared there, never used"),
    (21, "cannot arise: a MAC is always encrypted"),
    (202, "cannot arise: versions are not compared"),
];

/// One line of sops's help.
struct Flag {
    names: Vec<String>,
    variable: Option<String>,
    takes_value: bool,
}

impl Flag {
    /// The long name with its dashes.
    fn long(&self) -> &str {
        self.names.iter().find(|name| name.starts_with("--")).unwrap_or(&self.names[0])
    }
}

/// What `sops COMMAND --help` lists.
struct Help {
    commands: Vec<String>,
    flags: Vec<Flag>,
}

fn help(sandbox: &Sandbox, command: &str) -> Help {
    let mut words: Vec<&str> = command.split_whitespace().collect();
    words.push("--help");
    let text = sandbox.sops(&words).text();
    let (mut commands, mut flags, mut section) = (Vec::new(), Vec::new(), String::new());
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line.trim_end_matches(':').to_owned();
        } else if section == "COMMANDS" {
            commands.extend(line.split_whitespace().next().map(|word| word.trim_end_matches(',').to_owned()));
        } else if section.ends_with("OPTIONS") && line.trim_start().starts_with('-') {
            let names = line.trim().split("  ").next().unwrap();
            let takes_value = names.contains(" value");
            let names = names.split(", ").map(|name| name.split(' ').next().unwrap().to_owned()).collect();
            let variable = line.rsplit_once("[$").map(|(_, rest)| rest.trim_end_matches(']').to_owned());
            flags.push(Flag { names, variable, takes_value });
        }
    }
    Help { commands, flags }
}

/// Every command of sops by its words; `""` is sops itself.
fn commands(sandbox: &Sandbox) -> Vec<(String, Help)> {
    let top = help(sandbox, "");
    let mut found = Vec::new();
    for name in top.commands.iter().filter(|name| *name != "help") {
        let of_name = help(sandbox, name);
        let inner: Vec<String> = of_name.commands.iter().map(|inner| format!("{name} {inner}")).collect();
        found.push((name.clone(), of_name));
        found.extend(inner.into_iter().map(|inner| {
            let help = help(sandbox, &inner);
            (inner, help)
        }));
    }
    found.insert(0, (String::new(), top));
    found
}

/// Our own definition of a command of sops.
fn ours(command: &str) -> Option<clap::Command> {
    let mut words = command.split_whitespace();
    let Some(first) = words.next() else { return Some(legacy::Arguments::command()) };
    if let Some(family) = Family::of_word(first, Mode::Sops) {
        let family = family.command(Mode::Sops);
        return words.next().map_or(Some(family.clone()), |inner| family.find_subcommand(inner).cloned());
    }
    let top = Verb::of_words(first, Mode::Sops)?.command();
    match words.next() {
        // The shells of `completion` are words for us.
        Some(inner) if first != "completion" => top.find_subcommand(inner).cloned(),
        _ => Some(top),
    }
}

fn has(command: &clap::Command, flag: &Flag) -> bool {
    flag.names.iter().all(|name| {
        let bare = name.trim_start_matches('-');
        ["help", "h"].contains(&bare)
            || command.get_arguments().any(|arg| {
                // A tristate may have a value, behind `=`.
                let as_there = arg.get_action().takes_values() == flag.takes_value
                    || arg.get_num_args().is_some_and(|count| count.min_values() == 0);
                let long =
                    arg.get_long() == Some(bare) || arg.get_all_aliases().unwrap_or_default().contains(&bare);
                as_there && (long || arg.get_short().is_some_and(|short| bare == short.to_string()))
            })
    })
}

fn note(command: &str, flag: &str) -> Option<&'static str> {
    let find = |of: &str| NOTES.iter().find(|note| note.0 == of && note.1 == flag);
    find(command).or_else(|| find("").filter(|_| !flag.is_empty())).map(|note| note.2)
}

/// The table's rows: what, answer, note.
struct Rows(Vec<(String, &'static str, String)>);

impl Rows {
    fn add(&mut self, what: String, answer: &'static str, note: &str) {
        self.0.push((what, answer, note.to_owned()));
    }

    fn table(&self, title: &str) -> String {
        let mut text = format!("\n## {title}\n\n| sops | Leaflock | |\n| --- | --- | --- |\n");
        for (what, answer, note) in &self.0 {
            let _ = writeln!(text, "| {what} | {answer} | {note} |");
        }
        text
    }
}

fn command_rows(command: &str, help: &Help) -> Rows {
    let mut rows = Rows(Vec::new());
    let definition = ours(command);
    if !command.is_empty() {
        let answer = match (&definition, note(command, "")) {
            (None, _) => NOT_YET,
            (Some(_), Some(_)) => MORE,
            (Some(_), None) => SAME,
        };
        rows.add(format!("`sops {command}`"), answer, note(command, "").unwrap_or_default());
    }
    for flag in help.flags.iter().filter(|flag| flag.long() != "--help") {
        let later = LATER.contains(&flag.long().replace("--add-", "--").replace("--rm-", "--").as_str());
        let built = definition.as_ref().is_some_and(|definition| has(definition, flag));
        let rotates = ["--rotate", "--add-", "--rm-"].iter().any(|start| flag.long().starts_with(start));
        let built = built && (!rotates || ours("rotate").is_some());
        let remark = note(command, flag.long()).unwrap_or_default();
        let (answer, remark) = match (built, later) {
            (false, _) | (_, true) if flag.long() == "--keyservice" => (NOT_YET, "an error says so"),
            (_, true) => (NOT_YET, KEPT),
            (false, false) => (NOT_YET, ""),
            (true, false) if remark.is_empty() => (SAME, ""),
            (true, false) => (MORE, remark),
        };
        rows.add(format!("`{}`", flag.names.join("`, `")), answer, remark);
    }
    rows
}

/// The variables that the program itself names, in its help or anywhere else.
fn variables(all: &[(String, Help)]) -> Vec<String> {
    let mut names: BTreeMap<String, ()> = BTreeMap::new();
    for flag in all.iter().flat_map(|(_, help)| &help.flags) {
        names.extend(flag.variable.clone().map(|name| (name, ())));
    }
    // Texts stand one behind the other in the program: a name ends where a known one
    // does. `SOPS_AZURE_KEYVAULT_URL` is a slip in the help.
    let program = std::fs::read(sops::program()).unwrap();
    let text = String::from_utf8_lossy(&program);
    let known = known_variables();
    for (at, _) in text.match_indices("SOPS_") {
        let name: String = text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        let longest = known.iter().filter(|known| name.starts_with(**known)).max_by_key(|known| known.len());
        match longest {
            Some(known) => names.insert((*known).to_owned(), ()),
            None => panic!("sops knows a variable that nobody here does: {name}"),
        };
    }
    names.extend(["EDITOR", "GNUPGHOME", "XDG_CONFIG_HOME"].map(|name| (name.to_owned(), ())));
    names.into_keys().collect()
}

/// The variables of sops by their meaning here: ours, and those of key services.
fn known_variables() -> Vec<&'static str> {
    let ours = Variable::ALL.iter().map(|variable| variable.name());
    ours.chain(SERVICE_VARIABLES)
        .chain(["SOPS_AGE_RECIPIENT", "SOPS_AZURE_KEYVAULT_URL", "SOPS_DISABLE_VERSION_CHECK"])
        .collect()
}

const SERVICE_VARIABLES: [&str; 1] = ["SOPS_GCP_KMS_CLIENT_TYPE"];

fn variable_rows(names: &[String]) -> Rows {
    let mut rows = Rows(Vec::new());
    for name in names {
        let (answer, remark) = match name.as_str() {
            "SOPS_KEYSERVICE" => (NOT_YET, "an error says so"),
            "SOPS_AGE_RECIPIENT" => (SAME, "set for the command of SOPS_AGE_KEY_CMD"),
            "SOPS_AZURE_KEYVAULT_URL" => (SAME, "only sops's help has it; SOPS_AZURE_KEYVAULT_URLS is meant"),
            "SOPS_DISABLE_VERSION_CHECK" => (MORE, "there is no such check: nothing touches the network"),
            name if SERVICE_VARIABLES.contains(&name) || LATER.contains(&name) => (NOT_YET, KEPT),
            name if Variable::ALL.iter().any(|variable| variable.name() == name) => (SAME, ""),
            _ => (NOT_YET, ""),
        };
        rows.add(format!("`{name}`"), answer, remark);
    }
    rows
}

fn code_rows() -> Rows {
    let mut rows = Rows(Vec::new());
    for (code, meaning) in CODES {
        let silent = SILENT_CODES.iter().find(|(silent, _)| silent == code);
        let (answer, remark) = match silent {
            Some((_, why)) => (SAME, *why),
            None if exit::MEANINGS.iter().any(|known| known.code == *code) => (SAME, ""),
            None => (NOT_YET, ""),
        };
        rows.add(format!("{code}: {meaning}"), answer, remark);
    }
    rows
}

const PAGE: &str = "\
# In the place of sops

Put `leaflock` on the PATH under the name `sops` (`ln -s $(command -v leaflock) ~/.local/bin/sops`), and scripts and programs
that call sops go on as before. This page is made by a test from what sops 3.11.0 says of itself: every command, flag,
variable and exit code. *same* is what a script cannot tell apart, *more* is that and something on top, *not yet* ends in
an error that says so. Where the behaviour differs on purpose is in `src/docs/sops-differences.md`.

`--version` prints the number of the sops release that is followed in its first line, and looks nothing up. No command
touches the network; key services will, when they come, for the keys that a file names.
";

#[test]
fn nothing_of_sops_is_missing_from_the_manual() {
    let sandbox = Sandbox::new();
    let all = commands(&sandbox);
    let mut page = String::from(PAGE);
    let mut tables = Vec::new();
    for (command, help) in &all {
        let title =
            if command.is_empty() { "Flags without a command".to_owned() } else { format!("`{command}`") };
        tables.push((command.as_str(), title, command_rows(command, help)));
    }
    tables.push(("", "Variables".to_owned(), variable_rows(&variables(&all))));
    tables.push(("", "Exit codes".to_owned(), code_rows()));
    for (_, title, rows) in &tables {
        page += &rows.table(title);
    }
    let is_planned = |command: &str, what: &str| {
        let bare = what.trim_matches('`').replace("--add-", "--").replace("--rm-", "--");
        let bare = bare.split("`").next().unwrap();
        let first = command.split(' ').next().unwrap();
        LATER.iter().any(|later| *later == first || *later == bare) || SERVICE_VARIABLES.contains(&bare)
    };
    for (command, title, rows) in &tables {
        for (what, answer, _) in &rows.0 {
            assert!(*answer != NOT_YET || is_planned(command, what), "{title}: {what} is not there");
        }
    }
    docs::check("src/docs/drop-in.md", &page);
}

/// Every flag of every command that is there is understood, with a value where sops
/// wants one.
#[test]
fn flags_are_understood_as_sops_understands_them() {
    let mut sandbox = Sandbox::new();
    sandbox.install_as_sops(Path::new(env!("CARGO_BIN_EXE_leaflock"))).set_env("EDITOR", "false");
    let program = sandbox.folder().join("bin/sops");
    for (command, help) in commands(&sandbox) {
        if ours(&command).is_none() {
            continue;
        }
        for flag in help.flags.iter().filter(|flag| flag.long() != "--help" && flag.long() != "--version") {
            for name in &flag.names {
                let mut line: Vec<&str> = command.split_whitespace().collect();
                line.push(name);
                line.extend(flag.takes_value.then_some("1"));
                line.push("no-such-file.yaml");
                let said = sandbox.run(&program, &line, b"").stderr;
                let refused = ["not defined", "needs an argument", "bad flag"];
                assert!(!refused.iter().any(|text| said.contains(text)), "{line:?}: {said}");
            }
        }
    }
}

/// Calls that end with each of the codes, on files that sops wrote.
const ENDINGS: &[(u8, &[&str])] = &[
    (0, &["decrypt", "s.yaml"]),
    (1, &["decrypt", "plain.yaml"]),
    (2, &["encrypt", "broken.yaml"]),
    (2, &["set", "missing.yaml", "[\"a\"]", "1"]),
    (3, &["decrypt", "--output", "no/folder/x", "s.yaml"]),
    (4, &["decrypt", "--output-type", "binary", "s.yaml"]),
    (6, &["encrypt", "--encryption-context", "x", "plain.yaml"]),
    (7, &["set", "s.yaml", "[\"a\"", "1"]),
    (8, &["decrypt", "-i", "--output", "x", "s.yaml"]),
    (23, &["encrypt", "number.yaml"]),
    (25, &["decrypt", "value.yaml"]),
    (51, &["decrypt", "mac.yaml"]),
    (91, &["decrypt", "--extract", "[\"a\"", "s.yaml"]),
    (92, &["encrypt", "empty.yaml"]),
    (100, &["decrypt", "missing.yaml"]),
    (112, &["decrypt", "--decryption-order", "age,age", "s.yaml"]),
    (128, &["decrypt", "bob.yaml"]),
    (200, &["edit", "s.yaml"]),
    (201, &["s.json"]),
    (203, &["encrypt", "s.yaml"]),
    (255, &["exec-env", "s.yaml", "kill -KILL $$"]),
];

#[test]
fn exit_codes_are_those_of_sops() {
    let mut sandbox = Sandbox::with_key();
    for (name, content) in [
        ("s.yaml", "a: secret\n"),
        ("s.json", "{\"a\": 1}"),
        ("bob.yaml", "a: secret\n"),
        ("value.yaml", "a: secret\n"),
        ("mac.yaml", "a: secret\nb_unencrypted: x\n"),
    ] {
        sandbox.write(name, content);
        let recipient = if name == "bob.yaml" { BOB.recipient } else { ALICE.recipient };
        sandbox.sops(&["encrypt", "-i", "--age", recipient, name]).ok();
    }
    let changed = |name: &str, from: &str, to: &str| {
        let text = String::from_utf8(sandbox.read(name)).unwrap();
        assert!(text.contains(from));
        sandbox.write(name, text.replacen(from, to, 1));
    };
    changed("value.yaml", "tag:", "tag:AA");
    changed("mac.yaml", "b_unencrypted: x", "b_unencrypted: y");
    for (name, content) in
        [("plain.yaml", "a: 1\n"), ("broken.yaml", "a: [\n"), ("number.yaml", "1: x\n"), ("empty.yaml", "")]
    {
        sandbox.write(name, content);
    }
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
    sandbox.install_as_sops(Path::new(env!("CARGO_BIN_EXE_leaflock")));
    let ours = sandbox.folder().join("bin/sops");
    for (code, line) in ENDINGS {
        sandbox.set_env("EDITOR", if *code == 201 { "false" } else { "true" });
        for program in [sops::program(), &ours] {
            let output = sandbox.run(program, line, b"");
            assert_eq!(output.code, Some(i32::from(*code)), "{}: {}", program.display(), output.describe());
        }
    }
    for (code, meaning) in CODES {
        let seen = ENDINGS.iter().any(|(ending, _)| ending == code);
        let silent = SILENT_CODES.iter().any(|(silent, _)| silent == code);
        assert!(seen || silent || *code == 49, "nobody ends with {code}: {meaning}");
    }
}
