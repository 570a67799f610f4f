//! The redactor against a search that knows no tricks: every spelling at every place.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Named, Patterns, Redactor, is_too_short, spellings};

fn patterns(values: &[(&str, &[u8])]) -> Arc<Patterns> {
    let named: Vec<Named<'_>> = values.iter().map(|(path, value)| Named { path, value }).collect();
    Arc::new(Patterns::new(&named))
}

/// What comes out when `text` comes in pieces of these lengths, the last of which repeats.
fn redact(patterns: &Arc<Patterns>, text: &[u8], pieces: &[usize]) -> Vec<u8> {
    let mut redactor = Redactor::new(Arc::clone(patterns));
    let (mut out, mut rest) = (Vec::new(), text);
    let mut lengths = pieces.iter().copied().chain(std::iter::repeat(*pieces.last().unwrap_or(&1)));
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(lengths.next().unwrap().clamp(1, rest.len()));
        redactor.push(piece, &mut out);
        rest = after;
    }
    redactor.finish(&mut out);
    out
}

fn shown(values: &[(&str, &[u8])], text: &[u8]) -> String {
    let patterns = patterns(values);
    let out = redact(&patterns, text, &[text.len().max(1)]);
    for length in 1..=text.len() {
        assert_eq!(redact(&patterns, text, &[length]), out, "in pieces of {length}");
    }
    String::from_utf8(out).unwrap()
}

/// All spellings of all values.
fn all(values: &[(&str, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (_, value) in values.iter().filter(|(_, value)| !is_too_short(value)) {
        spellings::each(value, &mut |spelling| found.push(spelling.to_vec()));
    }
    found
}

/// The parts of `text` that no spelling covers, searched for at every place.
fn uncovered(spellings: &[Vec<u8>], text: &[u8]) -> Vec<u8> {
    let mut covered = vec![false; text.len()];
    for spelling in spellings {
        for (at, window) in text.windows(spelling.len()).enumerate() {
            if window == spelling {
                covered[at..at + spelling.len()].fill(true);
            }
        }
    }
    text.iter().zip(covered).filter(|(_, covered)| !covered).map(|(byte, _)| *byte).collect()
}

#[test]
fn a_value_is_replaced_by_its_path() {
    let values: &[(&str, &[u8])] = &[("db.password", b"hunter22"), ("token", b"sk-live-7\n")];
    assert_eq!(shown(values, b"pw=hunter22, next\n"), "pw=[REDACTED:db.password], next\n");
    assert_eq!(
        shown(values, b"hunter22hunter22sk-live-7\n"),
        "[REDACTED:db.password][REDACTED:db.password][REDACTED:token]\n"
    );
    assert_eq!(shown(values, b"hunter2 hunter2"), "hunter2 hunter2");
    assert_eq!(shown(&[], b"anything"), "anything");
}

#[test]
fn a_value_within_another_leaves_nothing_of_either() {
    let values: &[(&str, &[u8])] =
        &[("short", b"abcdef"), ("long", b"abcdefghij"), ("tail", b"hijklmno"), ("inner", b"cdefgh")];
    assert_eq!(shown(values, b"abcdef"), "[REDACTED:short]");
    assert_eq!(shown(values, b"abcdefghi"), "[REDACTED:short][REDACTED:inner]i");
    assert_eq!(shown(values, b"abcdefghij"), "[REDACTED:long]");
    assert_eq!(shown(values, b"abcdefghijklmno."), "[REDACTED:long][REDACTED:tail].");
    assert_eq!(shown(values, b"abcabcdefghijk"), "abc[REDACTED:long]k");
    assert_eq!(shown(&[("a", b"aabaab"), ("b", b"aabaab")], b"aabaabaab"), "[REDACTED:a][REDACTED:a]");
}

#[test]
fn only_what_may_become_a_value_is_held_back() {
    let patterns = patterns(&[("p", b"hunter22")]);
    let mut redactor = Redactor::new(patterns);
    let mut push = |bytes: &[u8]| {
        let mut out = Vec::new();
        redactor.push(bytes, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(push(b"password: "), "password: ");
    assert_eq!(push(b"hunt"), "");
    assert_eq!(push(b"i"), "hunti");
    assert_eq!(push(b"hunter2"), "");
    assert_eq!(push(b"2"), "[REDACTED:p]");
    assert_eq!(push(b"h"), "");
    let mut out = Vec::new();
    redactor.finish(&mut out);
    assert_eq!(out, b"h");
}

#[test]
fn short_values_pass_and_are_known() {
    assert!(is_too_short(b" 12345\n") && !is_too_short(b"123456"));
    assert_eq!(shown(&[("pin", b"12345"), ("key", b"654321")], b"12345 654321"), "12345 [REDACTED:key]");
}

#[test]
fn lines_count_for_themselves_and_frames_do_not() {
    let key = b"-----BEGIN KEY-----\nMIIBVQIBADANBgkq\nhkiG9w0\n-----END KEY-----\n";
    let values: &[(&str, &[u8])] = &[("tls.key", key)];
    let shown = |text: &[u8]| shown(values, text);
    assert_eq!(shown(key), "[REDACTED:tls.key]\n");
    assert_eq!(shown(&key.map(|byte| if byte == b'\n' { b' ' } else { byte })), {
        "-----BEGIN KEY----- [REDACTED:tls.key] hkiG9w0 -----END KEY----- "
    });
    let crlf = String::from_utf8(key.to_vec()).unwrap().replace('\n', "\r\n");
    assert_eq!(shown(crlf.as_bytes()), "[REDACTED:tls.key]\r\n");
}

#[test]
fn nothing_of_it_can_be_printed() {
    let patterns = patterns(&[("a\u{1b}[2J", b"hunter22")]);
    assert_eq!(redact(&patterns, b"hunter22", &[1]), "[REDACTED:a\u{fffd}[2J]".as_bytes());
    let text = format!("{patterns:?} {:?}", Redactor::new(Arc::clone(&patterns)));
    assert!(!text.contains("hunter22"));
}

/// Values with what encoders trip over, and few letters, so that they overlap.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ab]{6,9}".prop_map(String::into_bytes),
        "[a-z0-9'\"\\\\/<&+ %$üあ\n]{1,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// A value's spelling or anything else.
#[derive(Clone, Debug)]
enum Part {
    Spelling(usize, Option<usize>),
    Text(Vec<u8>),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        (any::<usize>(), prop::option::of(0..12_usize)).prop_map(|(which, cut)| Part::Spelling(which, cut)),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Part::Text),
        "[ab]{0,12}".prop_map(|text| Part::Text(text.into_bytes())),
    ]
}

proptest! {
    #[test]
    fn what_is_left_is_what_a_plain_search_leaves(
        values in prop::collection::vec(value(), 1..5),
        parts in prop::collection::vec(part(), 0..8),
        pieces in prop::collection::vec(1..40_usize, 1..12),
    ) {
        // A label of a character that occurs nowhere, so that it can be taken out again.
        let values: Vec<(&str, Vec<u8>)> = values.into_iter().map(|value| ("p", value)).collect();
        let spellings = all(&values);
        let mut text = Vec::new();
        for part in parts {
            match part {
                Part::Text(bytes) => text.extend(bytes),
                Part::Spelling(which, cut) if !spellings.is_empty() => {
                    let spelling = &spellings[which % spellings.len()];
                    text.extend(&spelling[..spelling.len() - cut.unwrap_or(0).min(spelling.len())]);
                }
                Part::Spelling(..) => {}
            }
        }
        let borrowed: Vec<(&str, &[u8])> = values.iter().map(|(path, value)| (*path, &value[..])).collect();
        let patterns = patterns(&borrowed);
        let out = redact(&patterns, &text, &pieces);
        let label = b"[REDACTED:p]";
        let mut left = Vec::new();
        let mut rest = &out[..];
        while let Some((first, after)) = rest.split_first() {
            if let Some(behind) = rest.strip_prefix(label) {
                rest = behind;
            } else {
                left.push(*first);
                rest = after;
            }
        }
        prop_assert_eq!(left, uncovered(&spellings, &text));
        prop_assert_eq!(redact(&patterns, &text, &[1]), out);
    }
}

/// Bytes a second on ordinary text with fifty values, printed by
/// `cargo test --profile quick redact::tests::throughput -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn throughput() {
    let values: Vec<(String, Vec<u8>)> = (0..50_u64)
        .map(|number| {
            let hash = number.wrapping_add(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (
                format!("service{number}.token"),
                format!("sk-{hash:016x}{:x}", hash.rotate_left(21)).into_bytes(),
            )
        })
        .collect();
    let named: Vec<Named<'_>> = values.iter().map(|(path, value)| Named { path, value }).collect();
    let begin = std::time::Instant::now();
    let patterns = Arc::new(Patterns::new(&named));
    println!("{patterns:?} in {:?}", begin.elapsed());
    let source = include_str!("spellings.rs").as_bytes();
    let log = "2026-11-22T01:02:03.456Z INFO  server: request id=8f3a status=200 path=/api/v1/users?page=2 took 12ms\n";
    for (name, text) in [("source", source), ("log", log.as_bytes())] {
        let text = text.repeat((64 << 20) / text.len());
        let mut best = std::time::Duration::MAX;
        for _ in 0..5 {
            let mut redactor = Redactor::new(Arc::clone(&patterns));
            let mut out = Vec::with_capacity(1 << 17);
            let begin = std::time::Instant::now();
            for piece in text.chunks(64 * 1024) {
                out.clear();
                redactor.push(piece, &mut out);
            }
            redactor.finish(&mut out);
            best = best.min(begin.elapsed());
        }
        println!("{name}: {:.0} MB/s", text.len() as f64 / 1e6 / best.as_secs_f64());
    }
}
