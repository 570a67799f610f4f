//! One change in each of thousands of generated documents, in memory: it reads
//! back as that change of the data.

use super::testkit::changes::{self, Change, Fate};
use super::testkit::generate::Document;
use super::testkit::rng::Rng;
use super::testkit::shrink::shrink;
use leaflock::domain::store::Format;

/// Documents a format gets.
const DOCUMENTS: u64 = 3000;

fn changes_read_back(extension: &str) {
    let format = Format::of_path(&format!("x.{extension}"));
    let (mut made, mut problems) = (0, Vec::new());
    for seed in 2_000_000..2_000_000 + DOCUMENTS {
        let document = Document::generate(extension, seed);
        let change = Change::new((Rng::new(seed).next() as u32).to_le_bytes());
        match changes::check(format, &document.bytes, &change) {
            Ok(Fate::Made) => made += 1,
            Ok(Fate::NotMade) => {}
            // Generated documents are laid out as people do it.
            Ok(Fate::Refused) | Err(_) => {
                let fails = |document: &Document| {
                    !matches!(
                        changes::check(format, &document.bytes, &change),
                        Ok(Fate::Made | Fate::NotMade)
                    )
                };
                let small = shrink(&document, 1000, fails);
                let found = changes::check(format, &small.bytes, &change);
                problems.push(format!("{found:?}\n{}", small.bytes.escape_ascii()));
                if problems.len() == 5 {
                    break;
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n==========\n"));
    assert!(made * 5 > DOCUMENTS, "only {made} changes were made in {DOCUMENTS} documents");
}

#[test]
fn changes_of_yaml_read_back() {
    changes_read_back("yaml");
}

#[test]
fn changes_of_json_read_back() {
    changes_read_back("json");
}

#[test]
fn changes_of_dotenv_read_back() {
    changes_read_back("env");
}

#[test]
fn changes_of_ini_read_back() {
    changes_read_back("ini");
}

/// Changes that once read back as something else: format, what, file.
const ONCE_FAILED: [(Format, [u8; 4], &str); 5] = [
    (Format::Yaml, [3, 3, 0, 0], "? e\n? |\n: - "),
    (Format::Yaml, [3, 3, 0, 0], "k:\u{85}?:"),
    (Format::Yaml, [3, 3, 0, 0], "?\n b?\n b\n:\n-"),
    (Format::Yaml, [3, 3, 0, 0], "T:\n !\n T:"),
    (Format::Yaml, [0, 0, 48, 0], "b: |#"),
];

#[test]
fn what_once_failed_reads_back() {
    for (format, change, text) in ONCE_FAILED {
        for node in 0..8 {
            let change = Change::new([change[0], node, change[2], change[3]]);
            assert!(changes::check(format, text.as_bytes(), &change).is_ok(), "{text}");
        }
    }
}
