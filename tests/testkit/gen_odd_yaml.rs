//! YAML put together from pieces of lines, each of which is YAML somewhere. Nine of ten
//! such files are none; the tenth looks like nothing that anybody would write.

use super::rng::Rng;

const KEYS: [&str; 26] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "data",
    "password",
    "user",
    "host_clear",
    "key_enc",
    "x_clear",
    "k1",
    "\"k k\"",
    "'q'",
    "<<",
    "1",
    "~",
    "&x a",
    "!!str b",
    "? a\n:",
    "? [a]\n:",
    "d:e",
    "é",
    "? |\n  a\n:",
    "items",
];
const VALUES: [&str; 52] = [
    "",
    "x",
    "1",
    "1.50",
    "true",
    "~",
    "null",
    "'s'",
    "\"d\\n\"",
    "'it''s'",
    "x y",
    "x\n   y",
    "x\n\n  y",
    "'s\n   t'",
    "\"d\n  e\"",
    "\"d\\\n  e\"",
    "|\n   t\n   u",
    "|-\n  t",
    "|+\n   t\n\n",
    ">\n   t\n   u",
    ">-\n  t\n\n  u",
    "|2\n    t",
    "|",
    ">",
    "|+",
    "[x, y]",
    "[]",
    "{}",
    "{k: v}",
    "{k: v, l: [1]}",
    "[x, #\n  y]",
    "{k: v #\n  }",
    "[\n  x\n  ]",
    "{\n  k: v,\n  }",
    "*x",
    "*y",
    "0x1F",
    "1_000",
    "2020-01-01",
    "-",
    "?",
    "a:b",
    "#x",
    "x#y",
    "[x: y]",
    "{x}",
    "\"\"",
    "''",
    "ENC[x]",
    "x y z",
    "s",
    "v",
];
const PROPERTIES: [&str; 16] = [
    "&x ",
    "&y ",
    "!!int ",
    "!!str ",
    "! ",
    "!t ",
    "!!map ",
    "!!null ",
    "&x !!str ",
    "!!float &y ",
    "&x\n  ",
    "!!str\n   ",
    "&x\t",
    "!!binary ",
    "!!seq ",
    "&x",
];
const MARKERS: [&str; 19] = [
    "---",
    "--- ",
    "--- #",
    "...",
    "--- x",
    "--- {}",
    "--- ~",
    "--- null #",
    "---\t",
    "--- &x",
    "--- &x #",
    "&x\n---",
    "--- !!map",
    "--- |\n t",
    "%YAML 1.1\n---",
    "... #",
    "--- [x]",
    "--- {a: b}",
    "--- &y {a: b}",
];
const COMMENTS: [&str; 6] = ["#", "  #", "\t#", "#\n#", "#\n\n#", "   #\n #"];
const TAILS: [&str; 10] = ["", "", "", "", "", " ", "\t", " #", "\t#", "   # "];
const BLANKS: [&str; 5] = ["", " ", "\t", "\n", "   "];
const DASHES: [&str; 5] = ["- ", "- ", "- ", "-   ", "-\t"];
const COLONS: [&str; 6] = [":", ":", ":", ":", ":", " :"];
const GAPS: [&str; 7] = [" ", " ", " ", " ", "  ", "\t", "\n "];
/// What a byte of a garbled file becomes.
const BYTES: &[u8] = b" \n\t#-:?,'\"&*!|>[]{}xa";

/// A file, with its comments numbered as `cmt1` and on.
pub(crate) fn document(rng: &mut Rng) -> Vec<u8> {
    let mut out = String::new();
    let mut indent = if rng.chance(10) { 2 } else { 0 };
    for _ in 0..rng.within(1, 10) {
        line(rng, &mut indent, &mut out);
    }
    match rng.below(10) {
        0 | 1 => drop(out.pop()),
        2 => out.push_str(rng.text(&[" ", "\n ", "\n\n  ", "\t"])),
        _ => {}
    }
    let mut text = number_comments(rng, &out);
    if rng.chance(3) {
        text.insert(0, '\u{feff}');
    }
    match rng.below(20) {
        0..3 => text = text.replace('\n', "\r\n"),
        3 => {
            let lines = text.split_inclusive('\n');
            text = lines.map(|line| line.replace('\n', rng.text(&["\n", "\r\n", "\r"]))).collect();
        }
        _ => {}
    }
    text.into_bytes()
}

/// A few bytes more, less, others, or elsewhere.
pub(crate) fn garble(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.within(1, 3) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.below(bytes.len());
        match rng.below(4) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, *rng.pick(BYTES)),
            2 => bytes[at] = *rng.pick(BYTES),
            _ => {
                let end = (at + rng.within(1, 19)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
}

fn line(rng: &mut Rng, indent: &mut usize, out: &mut String) {
    match rng.below(100) {
        0..20 => {
            let near =
                [0, *indent, *indent + 1, indent.saturating_sub(1), *indent + 2, indent.saturating_sub(2)];
            out.push_str(&" ".repeat(*rng.pick(&near)));
            out.push_str(rng.text(&COMMENTS));
        }
        20..26 => out.push_str(rng.text(&BLANKS)),
        26..32 => {
            out.push_str(rng.text(&MARKERS));
            *indent = 0;
        }
        _ => entry(rng, indent, out),
    }
    out.push('\n');
}

/// A line with a key, a dash or a value, and perhaps the start of what is below it.
fn entry(rng: &mut Rng, indent: &mut usize, out: &mut String) {
    if rng.chance(35) {
        *indent = rng.below(5);
    }
    out.push_str(&" ".repeat(*indent));
    let mut column = *indent;
    if rng.chance(3) {
        // A key without a value.
        out.push_str("? ");
        value(rng, column, out);
        return;
    }
    let mut dashes = 0;
    while rng.chance(if dashes == 0 { 35 } else { 20 }) {
        out.push_str(rng.text(&DASHES));
        if rng.chance(10) {
            out.push_str(rng.text(&PROPERTIES));
        }
        column += 2;
        dashes += 1;
    }
    if dashes == 0 || rng.chance(40) {
        out.push_str(rng.text(&KEYS));
        out.push_str(rng.text(&COLONS));
        if rng.chance(35) {
            if rng.chance(15) {
                out.push(' ');
                out.push_str(rng.text(&PROPERTIES));
            }
            out.push_str(rng.text(&TAILS));
            *indent = column + rng.pick(&[1, 2, 2, 2, 0, 4]);
            return;
        }
        out.push_str(rng.text(&GAPS));
    }
    if rng.chance(12) {
        out.push_str(rng.text(&PROPERTIES));
    }
    value(rng, column, out);
    *indent = column.min(8);
}

fn value(rng: &mut Rng, column: usize, out: &mut String) {
    let value = match rng.below(100) {
        0..40 => rng.text(&["x", "1", "y z", "'s'"]),
        40..47 => rng.text(&["*x", "*y"]),
        _ => rng.text(&VALUES),
    };
    out.push_str(&value.replace('\n', &format!("\n{}", " ".repeat(column))));
    out.push_str(rng.text(&TAILS));
}

/// Gives every comment a number, and some the word that a rule looks for.
fn number_comments(rng: &mut Rng, text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut number, mut before) = (0, '\n');
    for character in text.chars() {
        out.push(character);
        if character == '#' && matches!(before, '\n' | ' ' | '\t') {
            number += 1;
            out.push_str(&format!(" cmt{number}{}", rng.text(&["", "", "", " zz-lock", " zz-clear"])));
        }
        before = character;
    }
    out
}
