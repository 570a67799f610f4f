//! `decrypt(encrypt(file)) == file` on thousands of generated documents, in
//! memory, where it takes microseconds a document.

use std::fs;
use std::path::Path;

use leaflock::domain::store::Format;

use super::testkit::gen_odd_yaml;
use super::testkit::generate::{Document, EXTENSIONS};
use super::testkit::lossless::{Fate, round_trip};
use super::testkit::rng::Rng;
use super::testkit::shrink::shrink;

/// Documents a format gets.
const DOCUMENTS: u64 = 3000;

fn format(extension: &str) -> Format {
    Format::of_path(&format!("x.{extension}"))
}

/// What is wrong with `document`, told of the smallest one of which it is true.
fn smallest_problem(document: &Document) -> String {
    let fate = |document: &Document| round_trip(format(&document.extension), &document.bytes);
    fate(&shrink(document, 1000, |smaller| fate(smaller).is_err())).unwrap_err()
}

fn documents_come_back(extension: &str) {
    let (mut back, mut patched, mut problems) = (0, 0, Vec::new());
    for seed in 1_000_000..1_000_000 + DOCUMENTS {
        let document = Document::generate(extension, seed);
        match round_trip(format(extension), &document.bytes) {
            Ok(Fate::CameBack) => back += 1,
            Ok(Fate::Patched) => patched += 1,
            Ok(Fate::Refused) => {}
            Err(_) => {
                problems.push(smallest_problem(&document));
                if problems.len() == 5 {
                    break;
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
    assert!(back * 10 > DOCUMENTS * 8, "only {back} of {DOCUMENTS} were readable");
    assert!(patched * 100 <= back, "{patched} of {DOCUMENTS} took a patch, which is for odd files");
}

#[test]
fn yaml_comes_back() {
    documents_come_back("yaml");
}

#[test]
fn yaml_with_unusual_line_breaks_comes_back() {
    let mut problems = Vec::new();
    for (seed, end) in
        (0..DOCUMENTS).zip(["\u{85}", "\u{2028}", "\u{2029}", "\r", "\r\n"].into_iter().cycle())
    {
        let mut document = Document::generate("yaml", 3_000_000 + seed);
        let text = String::from_utf8(document.bytes).unwrap().replace('\r', "");
        // All of them, or every third.
        let lines: Vec<&str> = text.split('\n').collect();
        let mut parts = lines.iter().enumerate().map(|(number, line)| {
            let broken = seed % 2 == 0 || number % 3 == 0;
            format!("{line}{}", if broken { end } else { "\n" })
        });
        document.bytes = parts.by_ref().collect::<String>().into_bytes();
        if round_trip(Format::Yaml, &document.bytes).is_err() {
            problems.push(smallest_problem(&document));
            if problems.len() == 5 {
                break;
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
}

/// Few of these can be read, so there are more of them.
#[test]
fn odd_yaml_comes_back() {
    let mut rng = Rng::new(4_000_000);
    let (mut read, mut problems) = (0, Vec::new());
    for number in 0..DOCUMENTS * 50 {
        let mut bytes = gen_odd_yaml::document(&mut rng);
        if number % 4 == 0 {
            gen_odd_yaml::garble(&mut rng, &mut bytes);
        }
        match round_trip(Format::Yaml, &bytes) {
            Ok(fate) => read += u64::from(fate != Fate::Refused),
            Err(_) => {
                let document = Document { extension: "yaml".to_owned(), rule: "all".to_owned(), bytes };
                problems.push(smallest_problem(&document));
                if problems.len() == 5 {
                    break;
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
    assert!(read > DOCUMENTS * 2, "only {read} were readable");
}

/// What stands at the end of a file is where the metadata comes.
#[test]
fn yaml_of_every_short_end_comes_back() {
    const BEGINNINGS: [&str; 17] = [
        "",
        "a: 1",
        "a:",
        "a: |",
        "a: >+",
        "? |+",
        "a_unencrypted: |",
        "a_unencrypted: |+",
        "a_unencrypted: >+",
        "l_unencrypted:\n- |+",
        "a: 1\n---",
        "a: 1\n---\n{}\n#",
        "a: 1\n...",
        "--- ~",
        "{}",
        "a: {}",
        "a: #",
    ];
    const PIECES: [&str; 5] = ["\n", "\r", " ", "t", "#"];
    let mut problems = Vec::new();
    for beginning in BEGINNINGS {
        let mut ends = vec![String::new()];
        for _ in 0..=5 {
            for end in &ends {
                problems.extend(round_trip(Format::Yaml, format!("{beginning}{end}").as_bytes()).err());
            }
            let longer = ends.iter().flat_map(|end| PIECES.iter().map(move |piece| format!("{end}{piece}")));
            ends = longer.collect();
        }
    }
    problems.truncate(5);
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
}

#[test]
fn json_comes_back() {
    documents_come_back("json");
}

#[test]
fn dotenv_comes_back() {
    documents_come_back("env");
}

#[test]
fn dotenv_values_of_several_lines_come_back() {
    for text in ["A=\"x\ny\"\nB=1\n", "=\"\n\"", "A='x\n\n'\n#c\n"] {
        let fate = round_trip(Format::Dotenv, text.as_bytes());
        assert!(matches!(fate, Ok(Fate::CameBack)), "{fate:?}");
    }
}

#[test]
fn ini_comes_back() {
    documents_come_back("ini");
}

#[test]
fn binary_comes_back() {
    documents_come_back("bin");
}

#[test]
fn what_once_failed_comes_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/regressions");
    let mut problems = Vec::new();
    for extension in EXTENSIONS {
        let Ok(entries) = fs::read_dir(folder.join(extension)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if let Err(problem) = round_trip(format(extension), &fs::read(&path).unwrap()) {
                problems.push(format!("{}: {problem}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
}

#[test]
fn awkward_files_come_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/yaml-nasty");
    let mut problems = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".yaml")
            && let Err(problem) = round_trip(Format::Yaml, &fs::read(&path).unwrap())
        {
            problems.push(format!("{}: {problem}", path.display()));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
}
