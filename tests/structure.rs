//! The house rules that no compiler checks: who may import whom, how long a
//! file or a function may grow, that nothing lies around undeclared, and that
//! our own prose names only paths that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest production part of a file, in non-blank lines.
const FILE_LINES: usize = 600;
/// Longest function, in lines.
const FUNCTION_LINES: usize = 80;
/// Names that say nothing about what a file holds.
const VAGUE: [&str; 9] = ["util", "utils", "common", "core", "types", "helper", "helpers", "misc", "stuff"];
/// Files of `src/cli` that serve all commands instead of being one.
const CLI_MACHINERY: [&str; 17] = [
    "mod",
    "args",
    "argv",
    "decisions",
    "env",
    "envelope",
    "wire",
    "output",
    "report",
    "exit",
    "help",
    "files",
    "keychange",
    "legacy",
    "man",
    "tests",
    "verbs",
];
/// Commands without a use case: they only print what the command line knows.
const CLI_ONLY: [&str; 1] = ["completion"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One Rust file under `src`, with what a reader of its code would see.
struct Source {
    /// Path below the manifest directory.
    path: String,
    /// Module path: `domain`, `store`, `yaml`.
    module: Vec<String>,
    /// The text as written.
    text: String,
    /// The text with comments, strings and test modules blanked out, line for line.
    code: String,
    /// Whether the whole file is test code.
    test: bool,
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join("src"), "rs", &mut paths);
    paths.into_iter().map(|path| load(&path)).collect()
}

fn load(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let mut module: Vec<String> =
        relative.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    let test = module.iter().any(|name| name == "tests");
    let code = without_test_modules(&without_comments_and_strings(&text));
    Source { path: relative, module, text, code, test }
}

fn collect(directory: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, extension, into);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
}

/// Replaces comments, string and character literals by blanks, keeping lines.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            for byte in &mut out[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// The end of the comment or literal that starts at `at`, or `at` if none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment_length(rest);
    }
    if rest[0] == b'"' {
        return at + quoted_length(rest, b'"');
    }
    if !word_before && (rest.starts_with(b"r\"") || rest.starts_with(b"r#") || rest.starts_with(b"br")) {
        return at + raw_length(rest).unwrap_or(0);
    }
    if rest[0] == b'\'' {
        return at + char_length(rest);
    }
    at
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string literal, if one stands here.
fn raw_length(rest: &[u8]) -> Option<usize> {
    let start = rest.iter().position(|&b| b == b'r')? + 1;
    let hashes = rest[start..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(start + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    let body = start + hashes + 1;
    let length = rest[body..].windows(end.len()).position(|window| window == end)?;
    Some(body + length + end.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn char_length(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(b'\\') => quoted_length(rest, b'\''),
        Some(_) => {
            let close = rest.iter().skip(2).take(4).position(|&b| b == b'\'');
            match close {
                // `'a'` closes after one character; `'a, 'b` does not.
                Some(distance)
                    if std::str::from_utf8(&rest[1..distance + 2])
                        .is_ok_and(|inner| inner.chars().count() == 1) =>
                {
                    distance + 3
                }
                _ => 0,
            }
        }
        None => 0,
    }
}

/// Blanks `#[cfg(test)] mod … { … }`.
fn without_test_modules(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(found) = out[from..].find("#[cfg(test)]") {
        let start = from + found;
        let after = start + "#[cfg(test)]".len();
        let stop = out[after..].find(['{', ';']).map(|offset| after + offset);
        let end = match stop {
            Some(stop) if out.as_bytes()[stop] == b'{' => closing_brace(out.as_bytes(), stop),
            Some(stop) => stop + 1,
            None => out.len(),
        };
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
        from = start + blank.len();
    }
    out
}

/// One past the brace that closes the one at `open`.
fn closing_brace(code: &[u8], open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Every path that starts with `crate`, `super` or `self`, resolved against the
/// module it stands in.
fn references(source: &Source) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let code = &source.code;
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            expand(&code[at..], &mut Vec::new(), &mut found);
        }
    }
    found.into_iter().filter_map(|path| resolve(&source.module, path)).collect()
}

/// Reads one use tree (`a::b`, `a::{b, c::d}`) and returns how many bytes it took.
fn expand(text: &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        if rest.starts_with('{') {
            at += 1;
            while !text[at..].trim_start().starts_with('}') && !text[at..].trim().is_empty() {
                at += expand(&text[at..], prefix, found).max(1);
                let rest = &text[at..];
                let skipped = rest.trim_start_matches([',', ' ', '\n']);
                at += rest.len() - skipped.len();
            }
            at += text[at..].find('}').map_or(0, |close| close + 1);
            prefix.truncate(depth);
            return at;
        }
        let word: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*').collect();
        at += word.len();
        prefix.push(word);
        if text[at..].starts_with("::") && !text[at + 2..].starts_with('<') {
            at += 2;
        } else {
            found.push(prefix.clone());
            prefix.truncate(depth);
            if let Some(alias) = text[at..].strip_prefix(" as ") {
                at += 4 + alias.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count();
            }
            return at;
        }
    }
}

fn resolve(module: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let mut base: Vec<String> = module.to_vec();
    let mut words = path.into_iter().peekable();
    match words.peek().map(String::as_str) {
        Some("crate") => {
            base.clear();
            words.next();
        }
        Some("super") => {
            while words.peek().is_some_and(|word| word == "super") {
                base.pop()?;
                words.next();
            }
        }
        _ => return None,
    }
    base.extend(words);
    Some(base)
}

fn check(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn imports_point_downwards() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("cli", ["cli", "app", "domain"].as_slice()),
        ("adapters", ["adapters", "app", "domain"].as_slice()),
        ("app", ["app", "domain"].as_slice()),
        ("domain", ["domain"].as_slice()),
    ]);
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.test) {
        let Some(layer) = source.module.first().filter(|layer| allowed.contains_key(layer.as_str())) else {
            continue;
        };
        for path in references(source) {
            let Some(target) = path.first().filter(|target| allowed.contains_key(target.as_str())) else {
                continue;
            };
            let wiring = source.path == "src/cli/wire.rs" && target == "adapters";
            if !wiring && !allowed[layer.as_str()].contains(&target.as_str()) {
                problems.push(format!("{}: {layer} imports {}", source.path, path.join("::")));
            }
        }
    }
    check(&problems);
}

#[test]
fn domain_modules_import_only_what_stands_above_them() {
    let listing = fs::read_to_string(root().join("src/domain/mod.rs")).unwrap();
    let order: Vec<String> = declared_modules(&without_comments_and_strings(&listing));
    let rank = |name: &str| order.iter().position(|module| module == name);
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.test) {
        let [layer, own, ..] = source.module.as_slice() else { continue };
        if layer != "domain" {
            continue;
        }
        for path in references(source) {
            let Some(target) = path.get(1).filter(|_| path[0] == "domain") else { continue };
            if let (Some(own_rank), Some(target_rank)) = (rank(own), rank(target))
                && target_rank > own_rank
            {
                problems.push(format!("{}: {own} imports {target}, which stands below it", source.path));
            }
        }
    }
    check(&problems);
}

#[test]
fn siblings_import_in_one_direction() {
    let all = sources();
    let mut imports: BTreeMap<Vec<String>, BTreeSet<(String, String)>> = BTreeMap::new();
    for source in all.iter().filter(|source| !source.test) {
        for path in references(source) {
            let shared = source.module.iter().zip(&path).take_while(|(own, other)| own == other).count();
            if let (Some(own), Some(other)) = (source.module.get(shared), path.get(shared)) {
                let edge = (own.clone(), other.clone());
                imports.entry(path[..shared].to_vec()).or_default().insert(edge);
            }
        }
    }
    let mut problems = Vec::new();
    for (parent, edges) in imports.iter().filter(|(parent, _)| !parent.is_empty()) {
        for (own, other) in edges {
            if reaches(edges, other, own) {
                problems.push(format!("{}: {own} imports {other}, which leads back", parent.join("::")));
            }
        }
    }
    check(&problems);
}

/// True if a chain of `edges` leads from `from` to `to`.
fn reaches(edges: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    let mut found = BTreeSet::from([from]);
    let mut waiting = vec![from];
    while let Some(at) = waiting.pop() {
        for (_, next) in edges.iter().filter(|(own, _)| own == at) {
            if found.insert(next) {
                waiting.push(next);
            }
        }
    }
    found.contains(to)
}

/// The `mod x;` declarations of a file, in order.
fn declared_modules(code: &str) -> Vec<String> {
    code.lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
            line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
        })
        .collect()
}

#[test]
fn every_file_is_declared() {
    let all = sources();
    let mut declared = BTreeSet::new();
    for source in &all {
        for name in declared_modules(&without_comments_and_strings(&source.text)) {
            let mut module = source.module.clone();
            module.push(name);
            declared.insert(module);
        }
    }
    let orphans: Vec<String> = all
        .iter()
        .filter(|source| !source.module.is_empty() && !declared.contains(&source.module))
        .map(|source| format!("{} is declared by no mod line", source.path))
        .collect();
    check(&orphans);
}

#[test]
fn files_and_functions_stay_short() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.test) {
        let kept = source.text.lines().zip(without_test_lines(source));
        let lines = kept.filter(|(text, production)| *production && !text.trim().is_empty()).count();
        if lines > FILE_LINES {
            problems.push(format!("{}: {lines} lines, at most {FILE_LINES}", source.path));
        }
        for (name, line, length) in functions(&source.code) {
            if length > FUNCTION_LINES {
                problems.push(format!(
                    "{}:{line}: fn {name} has {length} lines, at most {FUNCTION_LINES}",
                    source.path
                ));
            }
        }
    }
    check(&problems);
}

/// For each line, whether it belongs to production code.
fn without_test_lines(source: &Source) -> Vec<bool> {
    let bare = without_comments_and_strings(&source.text);
    bare.lines()
        .zip(source.code.lines())
        .map(|(before, after)| before.trim().is_empty() || !after.trim().is_empty())
        .collect()
}

/// Name, first line and length of every function that has a body.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            continue;
        }
        let Some(stop) = body_or_semicolon(code.as_bytes(), at) else { continue };
        if code.as_bytes()[stop] == b'{' {
            let end = closing_brace(code.as_bytes(), stop);
            let line = code[..at].matches('\n').count() + 1;
            found.push((name, line, code[at..end].matches('\n').count() + 1));
        }
    }
    found
}

/// Where the signature that starts at `at` ends.
fn body_or_semicolon(code: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    code.iter().enumerate().skip(at).find_map(|(index, byte)| {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' | b';' if depth == 0 => return Some(index),
            _ => {}
        }
        None
    })
}

#[test]
fn every_file_opens_with_its_chapter() {
    let mut paths = Vec::new();
    for folder in ["src", "tests"] {
        collect(&root().join(folder), "rs", &mut paths);
    }
    let problems: Vec<String> = paths
        .iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//! "))
        .map(|path| format!("{} does not start with //!", path.display()))
        .collect();
    check(&problems);
}

#[test]
fn nothing_is_imported_by_star() {
    let problems: Vec<String> = sources()
        .iter()
        .filter(|source| !source.test)
        .flat_map(|source| source.code.lines().enumerate().map(move |(line, text)| (source, line, text)))
        .filter(|(_, _, text)| {
            let text = text.trim_start();
            (text.starts_with("use ") || text.starts_with("pub use ") || text.starts_with("pub("))
                && text.contains("::*")
        })
        .map(|(source, line, _)| format!("{}:{}: imports by star", source.path, line + 1))
        .collect();
    check(&problems);
}

#[test]
fn file_names_say_something() {
    let mut paths = Vec::new();
    for folder in ["src", "tests"] {
        collect(&root().join(folder), "rs", &mut paths);
    }
    let problems: Vec<String> = paths
        .iter()
        .filter(|path| path.file_stem().is_some_and(|stem| VAGUE.iter().any(|vague| stem == *vague)))
        .map(|path| format!("{} has a name that says nothing", path.display()))
        .collect();
    check(&problems);
}

fn stems(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_command_is_a_use_case_is_a_transcript_folder() {
    let commands: BTreeSet<String> = stems(&root().join("src/cli"))
        .into_iter()
        .filter(|name| !CLI_MACHINERY.contains(&name.as_str()))
        .collect();
    let use_cases = stems(&root().join("src/app"));
    let transcripts: BTreeSet<String> =
        stems(&root().join("tests/cmd")).into_iter().map(|name| name.replace('-', "_")).collect();
    let mut problems = Vec::new();
    for command in &commands {
        if !CLI_ONLY.contains(&command.as_str()) && !use_cases.contains(command) {
            problems.push(format!("command {command} has no src/app/{command}.rs"));
        }
        if !transcripts.contains(command) {
            problems.push(format!("command {command} has no tests/cmd/{command}/"));
        }
    }
    if !commands.is_empty() {
        for folder in transcripts.difference(&commands) {
            problems.push(format!("tests/cmd/{folder}/ belongs to no src/cli/{folder}.rs"));
        }
    }
    check(&problems);
}

#[test]
fn paths_in_our_prose_exist() {
    let mut pages = Vec::new();
    for folder in ["src", ".github", "tests"] {
        if root().join(folder).is_dir() {
            collect(&root().join(folder), "md", &mut pages);
        }
    }
    for page in ["README.md", "CHANGELOG.md", "fixtures/README.md"] {
        pages.extend(Some(root().join(page)).filter(|path| path.exists()));
    }
    let mut problems = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for path in text.split(|c: char| !(c.is_ascii_alphanumeric() || "/_.-".contains(c))) {
            let path = path.trim_end_matches('.');
            let ours =
                ["src/", "tests/", "ci/", "fixtures/", ".github/"].iter().any(|top| path.starts_with(top));
            if ours && !path.contains("NAME") && !root().join(path).exists() {
                problems.push(format!("{} names {path}, which does not exist", page.display()));
            }
        }
    }
    check(&problems);
}

#[test]
fn the_top_level_stays_small() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "fixtures",
        "tests",
        "ci",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "rustfmt.toml",
        "rust-toolchain.toml",
        "target",
    ];
    let problems: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()))
        .map(|name| format!("{name} does not belong at the top level"))
        .collect();
    check(&problems);
}

#[test]
fn the_scanner_is_not_misled() {
    let text = "fn a<'x>(s: &'x str) -> char { '{' }\n// fn no() {\nfn b() -> [u8; 2] { let _ = r#\"fn c() {\"#; \"}\\\"\"; [1, 2] }\n#[cfg(test)]\nmod tests { fn d() {} }\n";
    let code = without_test_modules(&without_comments_and_strings(text));
    let names: Vec<String> = functions(&code).into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(names, ["a", "b"]);
    let source = Source {
        path: String::new(),
        module: vec!["domain".into(), "store".into()],
        text: String::new(),
        code: "use crate::domain::{tree::Tree, value::{self, Value}}; super::super::app::x(); use super::scalar::Scalar;".into(),
        test: false,
    };
    let found: Vec<String> = references(&source).into_iter().map(|path| path.join("::")).collect();
    let expected = [
        "domain::tree::Tree",
        "domain::value::self",
        "domain::value::Value",
        "app::x",
        "domain::scalar::Scalar",
    ];
    assert_eq!(found, expected);
}

/// Where a piece of code stands, outside of tests: the files with it.
fn files_with(needle: &str) -> BTreeSet<String> {
    sources()
        .into_iter()
        .filter(|source| !source.test && source.code.contains(needle))
        .map(|source| source.path)
        .collect()
}

/// What opens values asks for the proof that it is written down, and the proof is made
/// in one place.
#[test]
fn nothing_is_opened_that_is_not_recorded() {
    let only = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(files_with(".keys.unwrap("), only(&["src/app/open.rs"]));
    assert_eq!(files_with("DataKey::from_bytes("), only(&["src/app/open.rs"]));
    for made in ["Recorded(Some(", "Recorded(None)"] {
        assert_eq!(files_with(made), only(&["src/app/audit/record.rs"]));
    }
    assert_eq!(files_with("Unlocked {"), only(&["src/app/open.rs", "src/app/sides.rs"]));
    let all = sources();
    let open = all.iter().find(|source| source.path == "src/app/open.rs").unwrap();
    let unwraps: Vec<&str> = open.code.split("\nfn ").filter(|body| body.contains(".keys.unwrap(")).collect();
    assert_eq!(unwraps.len(), 1);
    let signature = unwraps[0].split('{').next().unwrap();
    assert!(signature.contains(": &Recorded"), "what unwraps a data key takes no proof: {signature}");
}
