//! Changes that somebody without a key can make to an encrypted file. The real sops
//! accepts many of them; with a seal, none passes. The manual's page `seal-mutations`
//! is made from what both say.

use std::fmt::Write as _;

use crate::testkit::docs;
use crate::testkit::sandbox::{ALICE, BOB, CAROL, Sandbox};

/// What the rule of the plain files below encrypts.
const RULE: &str = "^(password|token|list)$";

const YAML: &str = "\
# shop
name: shop
region: ab
zone: c
count: 1
on: true
# rotate yearly
password: hunter2
token: 2024-01-02
nothing:
words: [ab]
map: {inner: x}
ref: !Ref db
list:
    - first
    # was second
    - third
    # was fourth
    - fifth
";

const JSON: &str = "{\n  \"name\": \"shop\",\n  \"token\": \"t\",\n  \"a\": \"ab\",\n  \"b\": \"c\",\n  \"one\": 1,\n  \"off\": false\n}\n";

const DOTENV: &str = "# shop\nNAME=shop\nA=ab\nB=c\npassword=x\n";

const INI: &str = "; shop\n[one]\na = ab\nb = c\npassword = x\n\n[two]\nd = y\n";

/// The sealed files that mutations start from.
struct Files {
    /// For Alice and Bob.
    yaml: String,
    /// The same file after a value was changed and changed back.
    later: String,
    /// The same plain text encrypted again.
    other: String,
    /// Two documents.
    documents: String,
    /// Three groups, two of which are Alice's, and enough.
    groups: String,
    json: String,
    dotenv: String,
    ini: String,
    binary: String,
}

impl Files {
    fn of(sandbox: &Sandbox) -> Self {
        let both = format!("{},{}", ALICE.recipient, BOB.recipient);
        let encrypt = |name: &str, plain: &str| {
            sandbox.write(name, plain);
            sandbox.ours(&["encrypt", "-i", "--seal", "--age", &both, "--encrypted-regex", RULE, name]).ok();
            String::from_utf8(sandbox.read(name)).unwrap()
        };
        let other = encrypt("f.yaml", YAML);
        let yaml = encrypt("f.yaml", YAML);
        sandbox.ours(&["set", "f.yaml", "[\"name\"]", "\"store\""]).ok();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        sandbox.ours(&["set", "f.yaml", "[\"name\"]", "\"shop\""]).ok();
        let later = String::from_utf8(sandbox.read("f.yaml")).unwrap();
        let documents = encrypt("f.yaml", "password: x\na: 1\n---\nb:\n");
        encrypt("f.yaml", YAML);
        sandbox.ours(&["groups", "add", "-i", "-y", "--file", "f.yaml", "--age", ALICE.recipient]).ok();
        sandbox.ours(&["groups", "add", "-i", "-y", "--file", "f.yaml", "--age", CAROL.recipient]).ok();
        let groups = String::from_utf8(sandbox.read("f.yaml")).unwrap();
        let json = encrypt("f.json", JSON);
        let dotenv = encrypt("f.env", DOTENV);
        let ini = encrypt("f.ini", INI);
        Self { yaml, later, other, documents, groups, json, dotenv, ini, binary: encrypt("f.bin", "bytes") }
    }
}

/// The value of a metadata line of a YAML file.
fn field<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{name}:"))).unwrap();
    line.trim_start().split_once(": ").unwrap().1
}

/// The entries of the `age` list of a YAML file, and what is around them.
fn recipients(text: &str) -> (String, Vec<String>, String) {
    let start = text.find("        - enc: |").unwrap();
    let is_next = |line: &str| line.starts_with("    ") && !line[4..].starts_with(' ');
    let list: String = text[start..].split_inclusive('\n').take_while(|line| !is_next(line)).collect();
    let end = start + list.len();
    let entries = list.split("        - ").filter(|it| !it.is_empty());
    let entries: Vec<String> = entries.map(|it| format!("        - {it}")).collect();
    assert_eq!(entries.len(), 2);
    (text[..start].to_owned(), entries, text[end..].to_owned())
}

/// The one line that starts with `begin`, line break included.
fn line<'t>(text: &'t str, begin: &str) -> &'t str {
    text.split_inclusive('\n').find(|line| line.starts_with(begin)).unwrap()
}

/// `text` with two of its parts in each other's place.
fn swapped(text: &str, one: &str, other: &str) -> String {
    text.replacen(one, "\u{0}", 1).replacen(other, one, 1).replacen('\u{0}', other, 1)
}

/// What changes, in a file of which name, and how.
type Mutation = (&'static str, &'static str, fn(&Files) -> String);

/// The changes.
const MUTATIONS: &[Mutation] = &[
    ("f.yaml", "rename the key of a clear value", |f| f.yaml.replace("region: ab", "territory: ab")),
    ("f.yaml", "give two clear values each other's names", |f| {
        f.yaml.replace("region: ab\nzone: c", "zone: ab\nregion: c")
    }),
    ("f.yaml", "move a letter from one clear value to the next", |f| {
        f.yaml.replace("region: ab\nzone: c", "region: a\nzone: bc")
    }),
    ("f.yaml", "make one clear value of two", |f| f.yaml.replace("region: ab\nzone: c", "region: abc")),
    ("f.yaml", "split a clear element of a list in two", |f| f.yaml.replace("words: [ab]", "words: [a, b]")),
    ("f.yaml", "put a clear value into a list", |f| f.yaml.replace("zone: c", "zone: [c]")),
    ("f.yaml", "take a clear value out of its map", |f| {
        f.yaml.replace("map: {inner: x}", "map: {}\ninner: x")
    }),
    ("f.yaml", "turn a number into a text", |f| f.yaml.replace("count: 1\n", "count: \"1\"\n")),
    ("f.yaml", "turn a truth value into a text", |f| f.yaml.replace("on: true\n", "on: \"True\"\n")),
    ("f.yaml", "add a key without a value", |f| f.yaml.replace("zone: c", "zone: c\nadmin:")),
    ("f.yaml", "add a key with an empty text", |f| f.yaml.replace("zone: c", "zone: c\nadmin: \"\"")),
    ("f.yaml", "add a key with an empty map", |f| f.yaml.replace("zone: c", "zone: c\nadmin: {}")),
    ("f.yaml", "remove a key without a value", |f| f.yaml.replace("nothing:\n", "")),
    ("f.yaml", "move a key without a value", |f| {
        f.yaml.replace("nothing:\n", "").replace("zone: c", "nothing:\nzone: c")
    }),
    ("f.yaml", "change the tag of a clear value", |f| f.yaml.replace("!Ref db", "!Sub db")),
    ("f.yaml", "change a clear value", |f| f.yaml.replace("region: ab", "region: xy")),
    ("f.yaml", "give two clear keys each other's places", |f| {
        f.yaml.replace("region: ab\nzone: c", "zone: c\nregion: ab")
    }),
    ("f.yaml", "add a comment", |f| f.yaml.replace("zone: c", "# reviewed by security\nzone: c")),
    ("f.yaml", "remove a comment", |f| f.yaml.replace("# rotate yearly\n", "")),
    ("f.yaml", "change a comment", |f| f.yaml.replace("# rotate yearly", "# rotate never")),
    ("f.yaml", "move a comment to another key", |f| {
        f.yaml.replace("# rotate yearly\n", "").replace("zone: c", "# rotate yearly\nzone: c")
    }),
    ("f.yaml", "remove an encrypted comment", |f| {
        let comment = line(&f.yaml, "    #ENC").to_owned();
        f.yaml.replacen(&comment, "", 1)
    }),
    ("f.yaml", "repeat an encrypted comment", |f| {
        let comment = line(&f.yaml, "    #ENC").to_owned();
        f.yaml.replacen(&comment, &comment.repeat(2), 1)
    }),
    ("f.yaml", "give two encrypted comments each other's places", |f| {
        let mut comments = f.yaml.split_inclusive('\n').filter(|line| line.starts_with("    #ENC"));
        let (one, other) = (comments.next().unwrap(), comments.next().unwrap());
        swapped(&f.yaml, one, other)
    }),
    ("f.yaml", "turn an encrypted text into a comment", |f| {
        let first = line(&f.yaml, "    - ENC").to_owned();
        f.yaml.replacen(&first, &first.replace("type:str", "type:comment"), 1)
    }),
    ("f.yaml", "repeat an encrypted element of a list", |f| {
        let first = line(&f.yaml, "    - ENC").to_owned();
        f.yaml.replacen(&first, &first.repeat(2), 1)
    }),
    ("f.yaml", "give two encrypted elements each other's places", |f| {
        let mut elements = f.yaml.split_inclusive('\n').filter(|line| line.starts_with("    - ENC"));
        let (one, other) = (elements.next().unwrap(), elements.next().unwrap());
        swapped(&f.yaml, one, other)
    }),
    ("f.yaml", "call an encrypted text bytes", |f| {
        let token = line(&f.yaml, "password:").to_owned();
        f.yaml.replacen(&token, &token.replace("type:str", "type:bytes"), 1)
    }),
    ("f.yaml", "give two secrets each other's names", |f| {
        f.yaml.replace("password:", "\u{0}").replace("token:", "password:").replace('\u{0}', "token:")
    }),
    ("f.yaml", "write something behind a token", |f| {
        let token = line(&f.yaml, "password:").to_owned();
        let more = token.replace("ENC[", "'ENC[").replace("]\n", "] and more'\n");
        f.yaml.replacen(&token, &more, 1)
    }),
    ("f.yaml", "add an empty document", |f| format!("{}---\n{{}}\n", f.yaml)),
    ("f.yaml", "remove a document without values", |f| {
        format!("{}\n", f.documents.split("\n---\n").next().unwrap())
    }),
    ("f.yaml", "move a clear value to another document", |f| {
        f.documents.replace("a: 1\n", "").replace("\nb:\n", "\nb:\na: 1\n")
    }),
    ("f.yaml", "add a recipient", |f| {
        let (before, entries, after) = recipients(&f.yaml);
        let stranger = entries[0].replace(ALICE.recipient, CAROL.recipient);
        format!("{before}{}{stranger}{after}", entries.concat())
    }),
    ("f.yaml", "remove a recipient", |f| {
        let (before, entries, after) = recipients(&f.yaml);
        format!("{before}{}{after}", entries[0])
    }),
    ("f.yaml", "give two recipients each other's places", |f| {
        let (before, entries, after) = recipients(&f.yaml);
        format!("{before}{}{}{after}", entries[1], entries[0])
    }),
    ("f.yaml", "put another recipient's name on a wrapped key", |f| {
        f.yaml.replace(BOB.recipient, CAROL.recipient)
    }),
    ("f.yaml", "spoil the key that is wrapped for another", |f| {
        let (before, entries, after) = recipients(&f.yaml);
        let spoiled = entries[1].replacen("X25519", "X25518", 1).replacen("YWdl", "YXdl", 1);
        format!("{before}{}{spoiled}{after}", entries[0])
    }),
    ("f.yaml", "encrypt less from the next edit on", |f| {
        f.yaml.replace(RULE, "^(password|token|list|never)$")
    }),
    ("f.yaml", "another kind of rule", |f| {
        f.yaml.replace(
            &format!("encrypted_regex: {RULE}"),
            "unencrypted_regex: ^(?:name|region|zone|count|on|nothing|words|map|inner|ref)$",
        )
    }),
    ("f.yaml", "leave clear values out of the MAC", |f| {
        f.yaml.replace("    mac: ", "    mac_only_encrypted: true\n    mac: ")
    }),
    ("f.yaml", "name an older version", |f| {
        f.yaml.replace(&format!("version: {}", field(&f.yaml, "version")), "version: 3.7.0")
    }),
    ("f.yaml", "add a threshold", |f| f.yaml.replace("    mac: ", "    shamir_threshold: 1\n    mac: ")),
    ("f.yaml", "another time of the last change", |f| {
        f.yaml.replace(field(&f.yaml, "lastmodified"), "\"2020-01-01T00:00:00Z\"")
    }),
    ("f.yaml", "MAC and time of another state with the same values", |f| {
        f.later
            .replace(field(&f.later, "mac"), field(&f.yaml, "mac"))
            .replace(field(&f.later, "lastmodified"), field(&f.yaml, "lastmodified"))
    }),
    ("f.yaml", "add a field that sops does not know", |f| {
        f.yaml.replace("    mac: ", "    audited_by: nobody\n    mac: ")
    }),
    ("f.yaml", "remove what leaflock knows of the layout", |f| {
        let source = line(&f.yaml, "    leaflock_source:").to_owned();
        f.yaml.replacen(&source, "", 1)
    }),
    ("f.yaml", "remove the seal", |f| {
        let seal = line(&f.yaml, "    leaflock_seal:").to_owned();
        f.yaml.replacen(&seal, "", 1)
    }),
    ("f.yaml", "the seal of another file", |f| {
        f.yaml.replace(field(&f.yaml, "leaflock_seal"), field(&f.other, "leaflock_seal"))
    }),
    ("f.yaml", "the seal of another state", |f| {
        f.yaml.replace(field(&f.yaml, "leaflock_seal"), field(&f.later, "leaflock_seal"))
    }),
    ("f.yaml", "a seal of no known version", |f| f.yaml.replace("leaflock_seal: v1:", "leaflock_seal: v0:")),
    ("f.yaml", "the metadata of another file", |f| {
        let cut = |text: &str| text.find("\nsops:").unwrap();
        format!("{}{}", &f.yaml[..cut(&f.yaml)], &f.other[cut(&f.other)..])
    }),
    ("f.yaml", "lower the threshold of groups", |f| {
        f.groups.replace("shamir_threshold: 2", "shamir_threshold: 1")
    }),
    ("f.yaml", "remove a group", |f| {
        let start = f.groups.rfind("        - age:").unwrap();
        let end = f.groups[start..].find("\n    lastmodified").unwrap() + start + 1;
        format!("{}{}", &f.groups[..start], &f.groups[end..])
    }),
    ("f.json", "rename the key of a clear value", |f| f.json.replace("\"name\"", "\"nom\"")),
    ("f.json", "move a letter from one clear value to the next", |f| {
        f.json.replace("\"ab\"", "\"a\"").replace("\"b\": \"c\"", "\"b\": \"bc\"")
    }),
    ("f.json", "add a key without a value", |f| f.json.replacen('{', "{\"admin\": null,", 1)),
    ("f.json", "turn a truth value into a text", |f| f.json.replace("\"off\": false", "\"off\": \"False\"")),
    ("f.json", "repeat a key with nothing in it", |f| f.json.replacen('{', "{\"name\": [],", 1)),
    ("f.env", "rename the key of a clear value", |f| f.dotenv.replace("NAME=", "NOM=")),
    ("f.env", "change a comment", |f| f.dotenv.replace("# shop", "# ship")),
    ("f.env", "add a comment", |f| f.dotenv.replace("A=ab", "# A is checked\nA=ab")),
    ("f.env", "move a letter from one clear value to the next", |f| {
        f.dotenv.replace("A=ab\nB=c", "A=a\nB=bc")
    }),
    ("f.env", "add a key with an empty text", |f| f.dotenv.replace("A=ab", "ADMIN=\nA=ab")),
    ("f.ini", "rename the section of a clear value", |f| f.ini.replace("[two]", "[three]")),
    ("f.ini", "move a clear value to another section", |f| {
        f.ini.replace("\n[two]\nd = y\n", "d = y\n\n[two]\n")
    }),
    ("f.ini", "remove a comment", |f| f.ini.replace("; shop\n", "")),
    ("f.ini", "move a letter from one clear value to the next", |f| {
        f.ini.replace("a = ab\nb = c", "a = a\nb = bc")
    }),
    ("f.bin", "name an older version", |f| {
        let at = f.binary.find("\"version\"").unwrap();
        let version = f.binary[at..].split('"').nth(3).unwrap().to_owned();
        f.binary.replace(&version, "3.7.0")
    }),
    ("f.bin", "put another recipient's name on a wrapped key", |f| {
        f.binary.replace(BOB.recipient, CAROL.recipient)
    }),
];

/// The page up to its table.
const HEAD: &str = "\
# What a seal stops

Each line is a change that somebody can make who can write to a file and has no key of it. `sops decrypt` is
sops 3.11.0; `leaflock decrypt --strict` refuses all of them, and where the seal is still in the file, so does
every other command of leaflock without being told. Made by a test from what both programs say.

| format | the change | sops |
| --- | --- | --- |
";

#[test]
fn no_mutation_passes_a_seal() {
    let sandbox = Sandbox::with_key();
    let files = Files::of(&sandbox);
    let mut page = HEAD.to_owned();
    let (mut accepted, mut wrong) = (0, Vec::new());
    for (name, what, mutate) in MUTATIONS {
        let mutated = mutate(&files);
        let originals =
            [&files.yaml, &files.later, &files.documents, &files.groups, &files.json, &files.dotenv];
        let unchanged = originals.into_iter().chain([&files.ini, &files.binary]).any(|text| *text == mutated);
        assert!(!unchanged, "{name}: {what}: changes nothing");
        sandbox.write(name, &mutated);
        let sops = sandbox.sops(&["decrypt", name]).code == Some(0);
        accepted += usize::from(sops);
        let ours = sandbox.ours(&["decrypt", "--strict", name]);
        if ours.code == Some(0) || !ours.stdout.is_empty() {
            wrong.push(format!("{name}: {what}: passes --strict"));
        }
        if sops && ours.code != Some(51) {
            wrong.push(format!("{name}: {what}: refused for another reason\n{}", ours.describe()));
        }
        let told = sandbox.ours(&["decrypt", name]);
        if mutated.contains("leaflock_seal") && told.code == Some(0) {
            wrong.push(format!("{name}: {what}: passes without being told"));
        }
        let _ = writeln!(
            page,
            "| {} | {what} | {} |",
            name.trim_start_matches("f.").replace("bin", "binary").replace("env", "dotenv"),
            if sops { "accepts it" } else { "refuses" }
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(MUTATIONS.len() >= 60 && accepted >= 35, "{} mutations, {accepted} accepted", MUTATIONS.len());
    let _ = writeln!(page, "\nOf {} changes, sops accepts {accepted}.", MUTATIONS.len());
    docs::check("src/docs/seal-mutations.md", &page);
}

#[test]
fn the_files_that_mutations_start_from_pass() {
    let sandbox = Sandbox::with_key();
    let files = Files::of(&sandbox);
    for (name, text) in [
        ("f.yaml", &files.yaml),
        ("f.yaml", &files.later),
        ("f.yaml", &files.documents),
        ("f.yaml", &files.groups),
        ("f.json", &files.json),
        ("f.env", &files.dotenv),
        ("f.ini", &files.ini),
        ("f.bin", &files.binary),
    ] {
        sandbox.write(name, text);
        assert!(text.contains("leaflock_seal"));
        let ours = sandbox.ours(&["decrypt", "--strict", name]).ok();
        let theirs = sandbox.sops(&["decrypt", name]).ok();
        assert!(!ours.is_empty() && !theirs.is_empty());
    }
}
