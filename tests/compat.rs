//! Files cross between us and the real `sops`, both ways, on generated
//! documents of every format: same data, no comment left encrypted, same bytes
//! out of its files, and ours come back as their owner wrote them.
//!
//! `LEAFLOCK_CASES` sets how many documents a format gets, `LEAFLOCK_SEED`
//! where they start. A document that fails is shrunk and kept below
//! `fixtures/regressions`, and every run replays what is kept there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use leaflock::domain::store::{Format, Purpose};
use leaflock::domain::tree::{Kind, Node};
use serde_json::Value;

use super::testkit::generate::{Document, EXTENSIONS};
use super::testkit::sandbox::{ALICE, Output, Sandbox};
use super::testkit::shrink::shrink;

/// Documents a format gets in a short run.
const SHORT: u64 = 40;
/// Failures of one kind that are shrunk; more would only say the same.
const SHRUNK_PER_KIND: usize = 2;
/// Attempts to shrink one failure.
const SHRINK_TRIES: usize = 150;

/// Why a document failed.
pub(crate) struct Failure {
    /// What was promised and not kept; shrinking keeps it the same.
    pub(crate) kind: &'static str,
    /// Everything a reader needs to see.
    pub(crate) detail: String,
}

/// What a document that did not fail showed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Every check held.
    Same,
    /// Both refuse it.
    Refused,
    /// Every check held, but the comments that SOPS prints stand elsewhere.
    CommentsMoved,
    /// SOPS's own output cannot be read back, so there is nothing to equal.
    SopsBroken,
}

type Checked = Result<Verdict, Failure>;

fn fail<T>(kind: &'static str, detail: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { kind, detail: detail.into() })
}

/// One document in a sandbox of its own, as `plain`, `ours` and `theirs`.
struct Trial<'d> {
    sandbox: Sandbox,
    document: &'d Document,
}

impl<'d> Trial<'d> {
    fn new(document: &'d Document) -> Self {
        let mut sandbox = Sandbox::with_key();
        sandbox.set_env("SOPS_EDITOR", "true");
        let trial = Self { sandbox, document };
        trial.sandbox.write(".sops.yaml", document.config());
        trial.sandbox.write(&trial.name("plain"), &document.bytes);
        trial.sandbox.write(&trial.name("ours"), &document.bytes);
        trial
    }

    fn name(&self, stem: &str) -> String {
        format!("{stem}.{}", self.document.extension)
    }

    fn sops(&self, arguments: &[&str], stem: &str) -> Output {
        self.sandbox.sops(&[arguments, &[&self.name(stem)]].concat())
    }

    fn ours(&self, arguments: &[&str], stem: &str) -> Output {
        self.sandbox.ours(&[arguments, &[&self.name(stem)]].concat())
    }

    fn must(&self, kind: &'static str, output: Output) -> Result<Vec<u8>, Failure> {
        if output.code == Some(0) { Ok(output.stdout) } else { fail(kind, output.describe()) }
    }
}

/// Runs every check on one document.
pub(crate) fn check(document: &Document) -> Checked {
    let trial = Trial::new(document);
    let theirs = trial.sops(&["encrypt"], "plain");
    let ours = trial.ours(&["encrypt", "--allow-unencrypted", "--in-place"], "ours");
    if theirs.code != Some(0) || ours.code != Some(0) {
        if ours.code == Some(0) && blank_lines_with_a_return(document) {
            // Refused by SOPS; what we make of it must be readable for SOPS all the same.
            round_trip(&trial)?;
            let _ = trial.must("sops decrypts ours", trial.sops(&["decrypt"], "ours"))?;
            return Ok(Verdict::Same);
        }
        return refusals(&theirs, &ours);
    }
    trial.sandbox.write(&trial.name("theirs"), &theirs.stdout);
    round_trip(&trial)?;
    let comments = sops_reads_ours(&trial)?;
    if comments == Verdict::SopsBroken {
        return Ok(comments);
    }
    let broken = we_read_theirs(&trial)?;
    saving_nothing_changes_nothing(&trial)?;
    setting_changes_one_value(&trial)?;
    Ok(comments.max(broken))
}

/// Blank lines of dotenv files with CRLF line ends, which SOPS takes for entries.
fn blank_lines_with_a_return(document: &Document) -> bool {
    document.extension == "env" && document.bytes.split(|&byte| byte == b'\n').any(|line| line == b"\r")
}

/// One of the two refuses the document; the other must do so too.
fn refusals(theirs: &Output, ours: &Output) -> Checked {
    // What SOPS panics on has no exit code to match, only that we say something clean.
    let panicked = theirs.stderr.contains("goroutine ");
    if ours.code.is_none() || ours.code == Some(101) || ours.code != Some(0) && ours.stderr.is_empty() {
        fail("crash", ours.describe())
    } else if panicked || theirs.code == ours.code {
        Ok(Verdict::Refused)
    } else {
        fail("refusal", format!("{}\n\n{}", theirs.describe(), ours.describe()))
    }
}

fn round_trip(trial: &Trial<'_>) -> Result<(), Failure> {
    let back = trial.must("our decrypt", trial.ours(&["decrypt"], "ours"))?;
    if back == trial.document.bytes {
        Ok(())
    } else {
        fail("round trip", difference(&trial.document.bytes, &back))
    }
}

/// SOPS must read our file as it reads its own.
fn sops_reads_ours(trial: &Trial<'_>) -> Checked {
    let own = trial.sops(&["decrypt"], "theirs");
    if own.code != Some(0) {
        return Ok(Verdict::SopsBroken);
    }
    if breaks_blocks(trial) {
        return Ok(Verdict::SopsBroken);
    }
    let own = own.stdout;
    let output = trial.sops(&["decrypt"], "ours");
    let encrypted_comment = output.stderr.contains("unencrypted comment");
    let locked = String::from_utf8_lossy(&trial.sandbox.read(&trial.name("ours"))).into_owned();
    let read = trial.must("sops decrypts ours", output)?;
    if trial.document.extension != "bin" && holds_token(&read) || encrypted_comment {
        return fail("comment left encrypted", format!("{}\n{locked}", String::from_utf8_lossy(&read)));
    }
    let json = ["decrypt", "--output-type", "json"];
    if trial.document.extension != "bin" {
        let expected = trial.sops(&json, "theirs");
        let seen = trial.sops(&json, "ours");
        let same = |answer: &Output| {
            answer.code == expected.code && same_json(trial, &expected.stdout, &answer.stdout)
        };
        if !same(&seen) {
            return fail("data in sops", format!("{}\n{locked}", difference(&expected.stdout, &seen.stdout)));
        }
        for stem in ["ours", "theirs"] {
            let answer = trial.ours(&json, stem);
            // SOPS cannot print what JSON has no word for (.nan, .inf); neither can we.
            if !same(&answer) {
                let answered = answer.describe();
                return fail(
                    "json output",
                    format!("{}\n{answered}", difference(&expected.stdout, &answer.stdout)),
                );
            }
        }
    }
    if read == own {
        return Ok(Verdict::Same);
    }
    if !same_but_for_comments(&read, &own) {
        return fail("documents in sops", format!("{}\n{locked}", difference(&own, &read)));
    }
    let (kept, had) = (comments(&read), comments(&own));
    // SOPS may print more comments of our file than of its own, in which it has moved
    // them to where it loses them; the copies that it makes of an aliased collection
    // repeat comments, and ours need not. It may print fewer only where go-yaml drops
    // them whenever it prints the document, encrypted or not, or the same with what an
    // encrypted file has besides.
    if let Some(lost) = had.difference(&kept).find(|comment| !dropped_by_sops(trial).contains(*comment)) {
        return fail("comment lost in sops", format!("{lost}: {}\n{locked}", difference(&own, &read)));
    }
    Ok(Verdict::CommentsMoved)
}

/// Whether SOPS wrote an indented text block into a list: the digit of its header is
/// wrong there, so that a text in clear is another one in its file (sops-compat 5.3).
fn breaks_blocks(trial: &Trial<'_>) -> bool {
    let theirs = String::from_utf8_lossy(&trial.sandbox.read(&trial.name("theirs"))).into_owned();
    theirs.lines().any(|line| {
        let digit = line.trim_start().strip_prefix('-').and_then(|rest| rest.split_once('|'));
        digit.is_some_and(|(dashes, digit)| {
            dashes.trim_start_matches([' ', '-']).is_empty()
                && digit.starts_with(|it: char| it.is_ascii_digit())
        })
    })
}

/// The comments that SOPS drops when it prints the document without encrypting anything: as
/// it is, or with what an encrypted file has besides, copies in the places of aliases and
/// an entry at the end.
fn dropped_by_sops(trial: &Trial<'_>) -> BTreeSet<String> {
    let rule = format!("creation_rules:\n  - age: {}\n    encrypted_suffix: zz-none\n", ALICE.recipient);
    trial.sandbox.write("bare.sops.yaml", rule);
    let all = comments(&trial.document.bytes);
    let dropped = |stem: &str| -> BTreeSet<String> {
        let printed = trial.sops(&["--config", "bare.sops.yaml", "encrypt"], stem);
        let printed = if printed.code == Some(0) { comments(&printed.stdout) } else { all.clone() };
        all.difference(&printed).cloned().collect()
    };
    trial.sandbox.write(&trial.name("bare"), bare(trial));
    dropped("plain").into_iter().chain(dropped("bare")).collect()
}

/// Our encrypted file with its comments in clear, and no metadata.
fn bare(trial: &Trial<'_>) -> String {
    let locked = String::from_utf8_lossy(&trial.sandbox.read(&trial.name("ours"))).into_owned();
    let shown = comments(locked.as_bytes());
    let store = Format::of_path(&trial.name("ours")).store();
    let tree = store.read(&trial.document.bytes, Purpose::Encrypt).unwrap();
    let mut notes: Vec<&Node> = tree.nodes.iter().filter(|node| node.kind == Kind::Comment).collect();
    notes.sort_by_key(|node| node.span.start);
    let texts = notes.iter().map(|node| String::from_utf8_lossy(tree.text(node.text)).into_owned());
    let is_hidden = |text: &String| !text.is_empty() && numbers(text).iter().all(|it| !shown.contains(it));
    let mut hidden = texts.filter(is_hidden);
    let mut bare = String::new();
    for piece in locked.replace("sops:", "spos:").split_inclusive("]") {
        match piece.rfind("ENC[").filter(|_| piece.ends_with(",type:comment]")) {
            Some(at) => bare.push_str(&format!("{}{}", &piece[..at], hidden.next().unwrap_or_default())),
            None => bare.push_str(piece),
        }
    }
    // One too many would give the others wrong texts.
    assert_eq!(hidden.next(), None, "{locked}");
    bare
}

/// Whether two JSON outputs are the same: byte for byte, unless the source is
/// JSON, whose layout and spellings we keep.
fn same_json(trial: &Trial<'_>, expected: &[u8], seen: &[u8]) -> bool {
    let parse = |bytes: &[u8]| serde_json::from_slice(bytes).ok().map(as_floats);
    expected == seen
        || trial.document.extension == "json" && parse(expected).is_some() && parse(expected) == parse(seen)
}

/// `1.0` and `1` are one number.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(values) => values.into_iter().map(as_floats).collect(),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, as_floats(value))).collect())
        }
        other => other,
    }
}

/// We must print a file that SOPS wrote just as SOPS does, wherever what SOPS
/// prints is whole; where it is not, what we print must be.
fn we_read_theirs(trial: &Trial<'_>) -> Checked {
    let expected = trial.sops(&["decrypt"], "theirs").stdout;
    let read = trial.must("we decrypt theirs", trial.ours(&["decrypt"], "theirs"))?;
    if read == expected {
        return Ok(Verdict::Same);
    }
    if trial.document.extension == "ini" && is_twice_marked(trial, &expected, &read) {
        return Ok(Verdict::SopsBroken);
    }
    // go-yaml hangs some comments elsewhere when SOPS reads its own file, where they do
    // not open, and loses others, all those in empty collections among them. Or a text is
    // printed as another one, or so that it cannot be read at all.
    let bare =
        |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').filter(|line| line.trim_ascii() == b"#").count();
    let loses_comments = contains(&expected, b",type:comment]")
        || comments(&read) != comments(&expected)
        || bare(&read) > bare(&expected);
    let defect = loses_comments && same_but_for_comments(&expected, &read) || !is_whole(trial, &expected);
    let keeps_all = comments(&read).is_superset(&comments(&expected)) && !holds_token(&read);
    if defect && keeps_all && is_whole(trial, &read) {
        return Ok(Verdict::SopsBroken);
    }
    fail("bytes of theirs", difference(&expected, &read))
}

/// A clear comment `;#text` of an INI file: SOPS writes it as `# text`, and prints
/// that as `; text`. What stands in its file is no longer to be told from `# text`.
fn is_twice_marked(trial: &Trial<'_>, expected: &[u8], read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&trial.document.bytes).into_owned();
    let sources: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(';'))
        .map(|line| line.trim_start_matches([';', ' ']))
        .filter_map(|line| line.strip_prefix('#'))
        .map(str::trim)
        .collect();
    let lines =
        |bytes| -> Vec<String> { String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect() };
    let (expected, read) = (lines(expected), lines(read));
    expected.len() == read.len()
        && expected.iter().zip(&read).all(|(theirs, ours)| {
            let text = ours.strip_prefix('#').filter(|text| theirs.strip_prefix(';') == Some(text));
            theirs == ours || text.is_some_and(|text| sources.contains(&text.trim()))
        })
}

/// True if both hold the same, wherever comments stand.
fn same_but_for_comments(one: &[u8], other: &[u8]) -> bool {
    without_any_comments(one) == without_any_comments(other)
}

/// The text without comments, those that SOPS could not open included.
fn without_any_comments(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let clear: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("#ENC[")).collect();
    without_comments(clear.join("\n").as_bytes())
}

/// Whether SOPS reads back what was printed, as the same data.
fn is_whole(trial: &Trial<'_>, printed: &[u8]) -> bool {
    // What SOPS prints raw here, only an old reader takes as it was meant.
    if contains(printed, "\u{2028}".as_bytes()) || contains(printed, "\u{2029}".as_bytes()) {
        return false;
    }
    trial.sandbox.write(&trial.name("again"), printed);
    let again = trial.sops(&["encrypt"], "again");
    trial.sandbox.write(&trial.name("again"), &again.stdout);
    let data = |stem| {
        let json = trial.sops(&["decrypt", "--output-type", "json"], stem);
        // JSON has no word for .nan and .inf.
        if json.code == Some(0) {
            json.stdout
        } else {
            without_any_comments(&trial.sops(&["decrypt"], stem).stdout).into_bytes()
        }
    };
    again.code == Some(0) && data("again") == data("theirs")
}

fn saving_nothing_changes_nothing(trial: &Trial<'_>) -> Result<(), Failure> {
    for stem in ["ours", "theirs"] {
        let before = trial.sandbox.read(&trial.name(stem));
        let output = trial.ours(&["edit"], stem);
        if output.code != Some(200) || trial.sandbox.read(&trial.name(stem)) != before {
            return fail("edit without a change", output.describe());
        }
    }
    Ok(())
}

/// `set` of one string changes its line and the two lines of metadata.
fn setting_changes_one_value(trial: &Trial<'_>) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&trial.document.bytes);
    // What an alias repeats is written out or shared; one set may touch several places.
    if trial.document.extension == "bin" || text.contains(" &a") {
        return Ok(());
    }
    let json = trial.sops(&["decrypt", "--output-type", "json"], "theirs");
    let Ok(data) = serde_json::from_slice::<Value>(&json.stdout) else { return Ok(()) };
    let mut leaves = Vec::new();
    strings(&data, &mut String::new(), &mut leaves);
    if leaves.is_empty() {
        return Ok(());
    }
    let index = &leaves[trial.document.bytes.len() % leaves.len()];
    for stem in ["ours", "theirs"] {
        let name = trial.name(stem);
        let before = trial.sandbox.read(&name);
        let output = trial.sandbox.ours(&["set", &name, index, "\"changed here\""]);
        trial.must("set", output)?;
        let after = trial.sandbox.read(&name);
        few_lines_changed(&before, &after, index)?;
        let extracted = trial.sandbox.sops(&["decrypt", "--extract", index, &name]);
        if extracted.stdout != b"changed here" {
            return fail("sops reads what was set", format!("{index}: {}", extracted.describe()));
        }
    }
    Ok(())
}

/// Index paths of the string leaves, lists left out: SOPS counts their comments.
fn strings(value: &Value, path: &mut String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| !key.contains(['[', ']', '"', '\''])) {
                let length = path.len();
                path.push_str(&format!("[\"{key}\"]"));
                strings(value, path, found);
                path.truncate(length);
            }
        }
        Value::String(_) => found.push(path.clone()),
        _ => {}
    }
}

fn few_lines_changed(before: &[u8], after: &[u8], index: &str) -> Result<(), Failure> {
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let metadata = |line: &&str| {
            [
                "mac",
                "sops_mac",
                "lastmodified",
                "sops_lastmodified",
                "leaflock_source",
                "sops_leaflock_source",
            ]
            .iter()
            .any(|field| line.trim_start().trim_start_matches('"').starts_with(field))
                && !line.contains("mac_only")
        };
        text.lines().filter(|line| !metadata(line)).map(without_stamps).collect()
    };
    let (old, new) = (lines(before), lines(after));
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, come) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    // An untouched multi-line value may have had several lines of its own.
    let many = gone.iter().filter(|line| line.contains("ENC[")).count() > 1 && gone.len() > 2;
    if come.len() > 2 || many || gone.len() > 12 {
        return fail(
            "lines that set changes",
            format!("{index}\n- {}\n+ {}", gone.join("\n- "), come.join("\n+ ")),
        );
    }
    Ok(())
}

fn holds_token(text: &[u8]) -> bool {
    contains(text, b"ENC[AES256_GCM,data:") && contains(text, b",tag:")
}

/// A line without the MAC and its time, which share one with the rest of the metadata
/// in a YAML root in braces.
fn without_stamps(line: &str) -> String {
    let mut line = line.to_owned();
    if line.contains("\"sops\": {") {
        for field in ["\"mac\": \"", "\"lastmodified\": \"", "\"leaflock_source\": \""] {
            if let Some(start) = line.find(field).map(|at| at + field.len())
                && let Some(length) = line[start..].find('"')
            {
                line.replace_range(start..start + length, "");
            }
        }
    }
    line
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The text without numbered comments and without blanks; the JSON output says
/// how it is nested.
fn without_comments(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut kept = String::new();
    for line in text.lines() {
        let start = line.trim_start_matches([' ', '-']);
        let comment = start.starts_with(['#', ';']) && (start.contains("cmt") || start.trim_end().len() == 1);
        kept.push_str(if comment { &line[..line.len() - start.len()] } else { line });
    }
    kept.retain(|character| !character.is_whitespace());
    kept
}

/// The numbered comments of a text.
fn comments(bytes: &[u8]) -> BTreeSet<String> {
    numbers(&String::from_utf8_lossy(bytes)).into_iter().collect()
}

/// The numbers of comments, in their order.
fn numbers(text: &str) -> Vec<String> {
    let number = |at: usize| text[at..].chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    text.match_indices("cmt").map(|(at, _)| number(at)).collect()
}

/// Both texts, and where they part.
fn difference(expected: &[u8], seen: &[u8]) -> String {
    let at = expected.iter().zip(seen).take_while(|(a, b)| a == b).count();
    let line = expected[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let show = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\n", "\\n\n");
    format!("differ from line {line} on\n--- expected\n{}\n--- seen\n{}", show(expected), show(seen))
}

fn regressions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/regressions")
}

/// Keeps a shrunk document as `KIND-HASH.RULE.EXT`.
fn keep(document: &Document, kind: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    document.bytes.hash(&mut hasher);
    let folder = regressions().join(&document.extension);
    fs::create_dir_all(&folder).unwrap();
    let hash = hasher.finish() & 0xffff_ffff;
    let name = format!("{}-{hash:08x}.{}.{}", kind.replace(' ', "-"), document.rule, document.extension);
    let path = folder.join(name);
    fs::write(&path, &document.bytes).unwrap();
    path
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Checks the documents `name`, as they are generated, against SOPS.
fn differential(name: &str, generate: impl Fn(u64) -> Document) {
    let (first, cases) = (number("LEAFLOCK_SEED", 1), number("LEAFLOCK_CASES", SHORT));
    let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut failed: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut report = String::new();
    for seed in first..first + cases {
        let document = generate(seed);
        match check(&document) {
            Ok(verdict) => *verdicts.entry(verdict).or_default() += 1,
            Err(failure) => {
                let count = failed.entry(failure.kind).or_default();
                *count += 1;
                if *count <= SHRUNK_PER_KIND {
                    let small = shrink(&document, SHRINK_TRIES, |smaller| {
                        check(smaller).is_err_and(|again| again.kind == failure.kind)
                    });
                    let path = keep(&small, failure.kind);
                    let detail = check(&small).err().map_or(failure.detail, |again| again.detail);
                    report.push_str(&format!(
                        "\n##### {} (seed {seed}), kept as {}\n{detail}\n",
                        failure.kind,
                        path.display()
                    ));
                }
            }
        }
    }
    let count = |verdict| verdicts.get(&verdict).copied().unwrap_or(0);
    println!(
        "{name}: {cases} documents, {} the same, {} with comments elsewhere, {} broken by sops, {} refused by both",
        count(Verdict::Same),
        count(Verdict::CommentsMoved),
        count(Verdict::SopsBroken),
        count(Verdict::Refused)
    );
    assert!(failed.is_empty(), "{name}: {failed:?}\n{report}");
    assert!(
        count(Verdict::Refused) * 2 < cases as usize,
        "{name}: most documents are refused, they prove little"
    );
}

#[test]
fn yaml_crosses_both_ways() {
    differential("yaml", |seed| Document::generate("yaml", seed));
}

#[test]
fn odd_yaml_crosses_both_ways() {
    differential("odd yaml", Document::generate_odd_yaml);
}

#[test]
fn json_crosses_both_ways() {
    differential("json", |seed| Document::generate("json", seed));
}

#[test]
fn dotenv_crosses_both_ways() {
    differential("env", |seed| Document::generate("env", seed));
}

#[test]
fn ini_crosses_both_ways() {
    differential("ini", |seed| Document::generate("ini", seed));
}

#[test]
fn binary_crosses_both_ways() {
    differential("bin", |seed| Document::generate("bin", seed));
}

/// Documents with something that SOPS loses when it encrypts, and we keep, and the answer
/// that tells: a `#` right behind the delimiter of an INI key, and a comment above a list
/// whose only element is a null that is not written.
const KEPT_HERE: [(&str, &str); 2] = [
    ("round-trip-a-marker-and-a-backquote.all.ini", "data in sops"),
    ("round-trip-written-null-with-blanks-below-comments.all.yaml", "documents in sops"),
];

#[test]
fn what_once_failed_still_holds() {
    let mut report = String::new();
    for extension in EXTENSIONS {
        let Ok(entries) = fs::read_dir(regressions().join(extension)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let rule = name.split('.').nth(1).unwrap().to_owned();
            let document =
                Document { extension: extension.to_owned(), rule, bytes: fs::read(&path).unwrap() };
            let kept = KEPT_HERE.iter().find(|(kept, _)| *kept == name).map(|(_, kind)| *kind);
            match (check(&document), kept) {
                (Ok(_), None) => {}
                (Err(failure), Some(kind)) if failure.kind == kind => {}
                (Ok(_), Some(_)) => report.push_str(&format!("\n##### {name} agrees now\n")),
                (Err(failure), _) => {
                    report.push_str(&format!("\n##### {name}: {}\n{}\n", failure.kind, failure.detail));
                }
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn awkward_files_cross_both_ways() {
    let mut report = String::new();
    for extension in EXTENSIONS {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(format!("{extension}-nasty"));
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|found| found == extension)) {
            let bytes = fs::read(&path).unwrap();
            let document = Document { extension: extension.to_owned(), rule: "all".to_owned(), bytes };
            if let Err(failure) = check(&document) {
                let name = path.file_name().unwrap().display();
                report.push_str(&format!("\n##### {name}: {}\n{}\n", failure.kind, failure.detail));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}
