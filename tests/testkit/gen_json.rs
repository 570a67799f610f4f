//! Random JSON: layouts, escapes, spellings of numbers, repeated keys.

use super::rng::Rng;

const KEYS: [&str; 16] = [
    "data",
    "password",
    "user",
    "host_clear",
    "key_enc",
    "config",
    "items",
    "k1",
    "k2",
    "k3",
    "a b",
    "naïve",
    "esc\\u0041",
    "kind",
    "tok\\n",
    "x:y",
];
const STRINGS: [&str; 22] = [
    "",
    "x",
    "hunter2",
    "with space",
    " lead",
    "trail ",
    "tab\\there",
    "line\\nbreak",
    "quote\\\"s",
    "back\\\\slash",
    "sl\\/ash",
    "uni\\u00e9",
    "pair\\ud83d\\ude00",
    "raw 😀 ключ",
    "<html> & 'more'",
    "true",
    "12",
    "null",
    "2024-01-02",
    "ends\\n",
    "del\\u007f",
    "\\u2028",
];
const NUMBERS: [&str; 18] = [
    "0",
    "1",
    "-1",
    "42",
    "1000000",
    "123456789012",
    "1.5",
    "1.50",
    "-0.25",
    "1e3",
    "1E3",
    "1e+3",
    "2.5e-3",
    "1e21",
    "0.0",
    "9007199254740991",
    "-12.0",
    "1e-7",
];

/// One document: an object at the top.
pub(crate) fn document(rng: &mut Rng) -> Vec<u8> {
    let layout = Layout {
        indent: rng.text(&["\t", "  ", "    ", " ", ""]).to_string(),
        newline: if rng.chance(15) { "\r\n" } else { "\n" },
        colon: rng.text(&[": ", ": ", ":", " : ", ":  "]).to_string(),
        compact: rng.chance(15),
        ragged: rng.chance(15),
    };
    let mut out = String::new();
    if rng.chance(5) {
        out.push_str(layout.newline);
    }
    object(rng, &layout, 0, &mut out);
    match rng.below(10) {
        0 => {}
        1 => out.push_str(&layout.newline.repeat(2)),
        2 => out.push(' '),
        _ => out.push_str(layout.newline),
    }
    out.into_bytes()
}

struct Layout {
    indent: String,
    newline: &'static str,
    colon: String,
    compact: bool,
    ragged: bool,
}

impl Layout {
    fn line(&self, rng: &mut Rng, depth: usize, out: &mut String) {
        if !self.compact {
            out.push_str(self.newline);
            if self.ragged && rng.chance(20) {
                out.push_str(self.newline);
            }
            out.push_str(&self.indent.repeat(depth));
            if self.ragged {
                out.push_str(&" ".repeat(rng.below(3)));
            }
        } else if rng.chance(30) {
            out.push(' ');
        }
    }
}

fn object(rng: &mut Rng, layout: &Layout, depth: usize, out: &mut String) {
    let count = if depth == 0 { rng.within(1, 7) } else { rng.below(5) };
    members(rng, layout, depth, count, ('{', '}'), out, |rng, layout, index, out| {
        let mut key = rng.text(&KEYS).to_string();
        if !rng.chance(3) {
            key.push_str(&format!("{index}"));
        }
        out.push_str(&format!("\"{key}\"{}", layout.colon));
        value(rng, layout, depth + 1, out);
    });
}

fn array(rng: &mut Rng, layout: &Layout, depth: usize, out: &mut String) {
    let count = rng.below(5);
    members(rng, layout, depth, count, ('[', ']'), out, |rng, layout, _, out| {
        value(rng, layout, depth + 1, out)
    });
}

fn members(
    rng: &mut Rng,
    layout: &Layout,
    depth: usize,
    count: usize,
    brackets: (char, char),
    out: &mut String,
    member: impl Fn(&mut Rng, &Layout, usize, &mut String),
) {
    out.push(brackets.0);
    for index in 0..count {
        if index > 0 {
            out.push_str(if layout.ragged && rng.chance(20) { " ," } else { "," });
        }
        layout.line(rng, depth + 1, out);
        member(rng, layout, index, out);
    }
    if count > 0 || layout.ragged && rng.chance(50) {
        layout.line(rng, depth, out);
    }
    out.push(brackets.1);
}

fn value(rng: &mut Rng, layout: &Layout, depth: usize, out: &mut String) {
    match rng.below(if depth < 5 { 12 } else { 8 }) {
        0..4 => out.push_str(&format!("\"{}\"", rng.text(&STRINGS))),
        4..6 => out.push_str(rng.text(&NUMBERS)),
        6 => out.push_str(rng.text(&["true", "false"])),
        7 => out.push_str(rng.text(&["null", "\"secret value\""])),
        8..10 => object(rng, layout, depth, out),
        _ => array(rng, layout, depth, out),
    }
}
