//! Random YAML, as people and tools write it and a little worse: every style
//! of scalar, comments wherever the grammar lets them stand, odd indentation,
//! anchors and aliases, several documents.

use super::rng::Rng;

const KEYS: [&str; 22] = [
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
    "kind",
    "tok",
    "a b",
    "a.b",
    "naïve",
    "ключ",
    "'single'",
    "\"double\"",
    "\"e\\tsc\"",
    "x-y",
    "\"😀\"",
    "data_clear",
];
const PLAIN: [&str; 64] = [
    "x",
    "hunter2",
    "two words",
    "a, b",
    "a#b",
    "it's",
    "say \"hi\"",
    "http://host:80/p?q=1#f",
    "C:\\dir",
    "-x",
    "?x",
    ":x",
    "x:y",
    "1.2.3",
    "ünï",
    "ключ",
    "日本",
    "=",
    "a]b",
    "x}",
    "~x",
    "!x",
    "0",
    "1",
    "-1",
    "+5",
    "42",
    "1000000",
    "1_000",
    "0x1F",
    "0o17",
    "017",
    "0b101",
    "08",
    "-0",
    "190:20:30",
    "1.5",
    "1.50",
    "1.0",
    "-0.25",
    ".5",
    "5.",
    "1e3",
    "1E+3",
    "12e03",
    "1.2345678e+07",
    ".inf",
    "-.INF",
    ".nan",
    "true",
    "True",
    "FALSE",
    "yes",
    "Off",
    "n",
    "null",
    "~",
    "Null",
    "2024-01-02",
    "2024-1-2",
    "2024-01-02 03:04:05",
    "2024-01-02T03:04:05.123Z",
    "2024-01-02t03:04:05+02:00",
    "2024-02-30",
];
const SINGLE: [&str; 10] = [
    "'x'",
    "''",
    "'it''s'",
    "' lead'",
    "'a: b'",
    "'# no comment'",
    "'12'",
    "'true'",
    "'\"q\"'",
    "'tab\there'",
];
const DOUBLE: [&str; 17] = [
    "\"x\"",
    "\"\"",
    "\"a\\nb\"",
    "\"tab\\t\"",
    "\"\\u00e9\\x41\"",
    "\"q\\\"q\"",
    "\"back\\\\\"",
    "\" lead\"",
    "\"trail \"",
    "\"# no\"",
    "\"a: b\"",
    "\"12\"",
    "\"null\"",
    "\"ünï\"",
    "\"\\U0001F600\"",
    "\"\\0\\a\\e\"",
    "\"2024-01-02\"",
];
const TAGGED: [&str; 10] = [
    "!!str 123",
    "!!str true",
    "!custom foo",
    "!!int \"3\"",
    "!!float 3",
    "!!binary aGVsbG8=",
    "!!str",
    "! x",
    "!!str 'x'",
    "!local \"y\"",
];
const WORDS: [&str; 9] = [
    "note",
    "a longer note here",
    "zz-clear",
    "zz-lock",
    "key: value",
    "- item",
    "ünï 😀",
    "TODO(x): y",
    "http://x/#y",
];

/// One file.
pub(crate) fn document(rng: &mut Rng) -> Vec<u8> {
    let mut writer = Writer {
        comments: *rng.pick(&[0, 8, 25, 45]),
        anchors: if rng.chance(20) { 12 } else { 0 },
        rare: if rng.chance(50) { 10 } else { 0 },
        rng,
        out: String::new(),
        notes: 0,
        listed: false,
        known: Vec::new(),
    };
    writer.file();
    let mut text = writer.out;
    let rng = writer.rng;
    if rng.chance(12) {
        text = text.replace('\n', "\r\n");
    }
    if rng.chance(12) && text.ends_with('\n') {
        text = text.trim_end_matches(['\r', '\n']).to_owned();
    }
    if rng.chance(4) {
        text.insert(0, '\u{feff}');
    }
    text.into_bytes()
}

struct Writer<'r> {
    rng: &'r mut Rng,
    out: String,
    /// How often, in percent, a comment stands where one may.
    comments: usize,
    /// How often a value gets an anchor or is an alias.
    anchors: usize,
    /// How often something unusual is written.
    rare: usize,
    /// Comments so far.
    notes: usize,
    /// There was a list.
    listed: bool,
    /// Anchors of scalars and of collections so far.
    known: Vec<String>,
}

impl Writer<'_> {
    fn file(&mut self) {
        let documents = if self.rng.chance(12) { self.rng.within(2, 3) } else { 1 };
        for number in 0..documents {
            self.known.clear();
            if number > 0 || self.rng.chance(15) {
                self.lines_between(0);
                self.out.push_str("---");
                self.tail();
            }
            let indent = if self.rng.chance(self.rare / 3) { 2 } else { 0 };
            self.map(indent, 0);
            if self.rng.chance(self.comments) {
                self.lines_between(0);
            }
            if self.rng.chance(self.rare / 2) && number + 1 == documents {
                self.out.push_str("...\n");
            }
        }
    }

    fn pad(&mut self, width: usize) {
        self.out.extend(std::iter::repeat_n(' ', width));
    }

    fn note(&mut self) -> String {
        self.notes += 1;
        let word = self.rng.text(&WORDS);
        match self.rng.below(12) {
            0 => format!("#{word} cmt{}", self.notes),
            1 => format!("#   {word} cmt{} ", self.notes),
            2 => format!("## {word} cmt{}", self.notes),
            // SOPS turns an empty comment of a list into an empty text.
            3 if !self.listed => "#".to_owned(),
            _ => format!("# {word} cmt{}", self.notes),
        }
    }

    /// The rest of a line that may end in a comment.
    fn tail(&mut self) {
        if self.rng.chance(self.comments) {
            let gap = " ".repeat(self.rng.within(1, 3));
            let note = self.note();
            self.out.push_str(&gap);
            self.out.push_str(&note);
        } else if self.rng.chance(self.rare / 3) {
            self.out.push_str("  ");
        }
        self.out.push('\n');
    }

    /// Blank lines and comment lines before something at `indent`.
    fn lines_between(&mut self, indent: usize) {
        let mut more = self.rng.chance(self.comments) || self.rng.chance(12);
        while more {
            if self.rng.chance(30) || self.comments == 0 {
                self.out.push('\n');
            } else {
                let column = match self.rng.below(8) {
                    0 => indent + self.rng.within(1, 4),
                    1 => self.rng.below(indent + 1),
                    _ => indent,
                };
                self.pad(column);
                let note = self.note();
                self.out.push_str(&note);
                self.out.push('\n');
            }
            more = self.rng.chance(40);
        }
    }

    fn map(&mut self, indent: usize, depth: usize) {
        let count = if depth == 0 { self.rng.within(1, 6) } else { self.rng.within(1, 4) };
        for index in 0..count {
            self.lines_between(indent);
            self.pad(indent);
            self.entry(indent, depth, index);
        }
    }

    fn key(&mut self, index: usize) -> String {
        let base = self.rng.text(&KEYS);
        let plain = !base.starts_with(['\'', '"']);
        if plain && !self.rng.chance(40) {
            format!("{base}{index}")
        } else if plain {
            format!("k{index}{base}")
        } else {
            let (body, quote) = base.split_at(base.len() - 1);
            format!("{body}{index}{quote}")
        }
    }

    fn entry(&mut self, indent: usize, depth: usize, index: usize) {
        let key = self.key(index);
        if self.rng.chance(self.rare / 4) {
            self.out.push_str(&format!("? {key}\n"));
            self.pad(indent);
            self.out.push(':');
        } else {
            let gap = if self.rng.chance(self.rare / 4) { " " } else { "" };
            self.out.push_str(&format!("{key}{gap}:"));
        }
        self.value(indent, depth, true);
    }

    /// What follows `key:` (`after_key`) or `-`, up to and with its line end.
    fn value(&mut self, indent: usize, depth: usize, after_key: bool) {
        let anchored = self.anchor();
        match self.rng.below(if depth < 4 { 20 } else { 13 }) {
            0..9 => self.inline_scalar(),
            9 => self.block_scalar(indent),
            10 if !anchored => self.alias_or_nothing(),
            11 => self.multi_line(indent),
            10 | 12 => {
                self.out.push(' ');
                self.flow(indent, 0);
                self.tail();
            }
            13..17 => {
                self.tail();
                let step = *self.rng.pick(&[2, 2, 2, 4, 1, 3]);
                self.map(indent + step, depth + 1);
            }
            _ => {
                self.tail();
                let step = *self.rng.pick(if after_key { &[0, 2, 2, 4] } else { &[2, 2, 4, 3] });
                self.list(indent + step, depth + 1);
            }
        }
    }

    fn anchor(&mut self) -> bool {
        let anchored = self.rng.chance(self.anchors);
        if anchored {
            let name = format!("a{}", self.known.len());
            self.out.push_str(&format!(" &{name}"));
            self.known.push(name);
        }
        anchored
    }

    fn alias_or_nothing(&mut self) {
        // The last anchor may belong to a collection that is still open.
        if self.known.len() > 1 && self.rng.chance(80) {
            let name = self.rng.pick(&self.known[..self.known.len() - 1]).clone();
            self.out.push_str(&format!(" *{name}"));
        }
        self.tail();
    }

    fn list(&mut self, indent: usize, depth: usize) {
        self.listed = true;
        for index in 0..self.rng.within(1, 4) {
            self.lines_between(indent);
            self.pad(indent);
            self.out.push('-');
            match self.rng.below(10) {
                0..3 if depth < 5 => {
                    let gap = *self.rng.pick(&[1, 1, 1, 3]);
                    self.pad(gap);
                    let inner = indent + 1 + gap;
                    self.entry(inner, depth, index);
                    if self.rng.chance(60) {
                        self.lines_between(inner);
                        self.pad(inner);
                        self.entry(inner, depth, index + 10);
                    }
                }
                3 if depth < 5 => {
                    self.out.push_str(" -");
                    self.inline_scalar();
                    if self.rng.chance(50) {
                        self.pad(indent + 2);
                        self.out.push('-');
                        self.inline_scalar();
                    }
                }
                _ => self.value(indent, depth, false),
            }
        }
    }

    fn scalar_text(&mut self) -> String {
        match self.rng.below(20) {
            0..3 => self.rng.text(&SINGLE).to_string(),
            3..7 => self.rng.text(&DOUBLE).to_string(),
            7 if self.rare > 0 => self.rng.text(&TAGGED).to_string(),
            _ => self.rng.text(&PLAIN).to_string(),
        }
    }

    fn inline_scalar(&mut self) {
        let text = self.scalar_text();
        let gap = if self.rng.chance(8) { "   " } else { " " };
        self.out.push_str(gap);
        self.out.push_str(&text);
        self.tail();
    }

    fn block_scalar(&mut self, indent: usize) {
        let style = *self.rng.pick(&['|', '|', '>']);
        let chomp = self.rng.text(&["", "", "-", "+"]);
        let step = *self.rng.pick(&[2, 2, 4, 1]);
        let explicit = self.rng.chance(15);
        let digit = if explicit { step.to_string() } else { String::new() };
        let header = if self.rng.chance(50) { format!("{digit}{chomp}") } else { format!("{chomp}{digit}") };
        self.out.push_str(&format!(" {style}{header}"));
        self.tail();
        for number in 0..self.rng.within(1, 4) {
            if number > 0 && self.rng.chance(20) {
                self.out.push('\n');
            }
            self.pad(indent + step);
            if (explicit || number > 0) && self.rng.chance(12) {
                self.out.push_str("  ");
            }
            let line = *self.rng.pick(&[
                "line",
                "key: value",
                "# looks like a comment",
                "- x",
                "ünï",
                "trailing  ",
                "'q'",
                "a\tb",
            ]);
            self.out.push_str(line);
            self.out.push('\n');
        }
        if self.rng.chance(20) {
            self.out.push('\n');
        }
        if self.rng.chance(self.comments / 2) {
            let column = self.rng.below(indent + 1);
            self.pad(column);
            let note = self.note();
            self.out.push_str(&note);
            self.out.push('\n');
        }
    }

    fn multi_line(&mut self, indent: usize) {
        let quote = self.rng.text(&["", "'", "\""]);
        self.out.push_str(&format!(" {quote}first line"));
        for _ in 0..self.rng.within(1, 2) {
            self.out.push('\n');
            if self.rng.chance(15) {
                self.out.push('\n');
            }
            let column = indent + self.rng.within(1, 4);
            self.pad(column);
            let line = self.rng.text(&["second line", "it goes on", "x y"]);
            self.out.push_str(line);
        }
        if quote == "\"" && self.rng.chance(30) {
            self.out.push_str(" \\\n");
            self.pad(indent + 2);
            self.out.push_str("escaped fold");
        }
        self.out.push_str(quote);
        self.tail();
    }

    fn flow(&mut self, indent: usize, depth: usize) {
        let map = self.rng.chance(50);
        self.listed |= !map;
        let spread = self.rng.chance(25);
        self.out.push(if map { '{' } else { '[' });
        let count = self.rng.below(4);
        for index in 0..count {
            self.flow_gap(indent, spread);
            if map {
                let key = self.key(index);
                self.out.push_str(&format!("{key}: "));
            }
            if depth < 2 && self.rng.chance(20) {
                self.flow(indent, depth + 1);
            } else {
                let text = self.flow_scalar();
                self.out.push_str(&text);
            }
            if index + 1 < count || self.rng.chance(8) {
                self.out.push_str(if self.rng.chance(90) { "," } else { " ," });
                if !spread {
                    self.out.push_str(if self.rng.chance(90) { " " } else { "" });
                }
            }
        }
        if spread {
            self.flow_gap(indent, true);
        }
        self.out.push(if map { '}' } else { ']' });
    }

    fn flow_gap(&mut self, indent: usize, spread: bool) {
        if spread {
            self.tail();
            let column = indent + self.rng.within(1, 6);
            self.pad(column);
        }
    }

    fn flow_scalar(&mut self) -> String {
        loop {
            let text = self.scalar_text();
            let quoted = text.starts_with(['\'', '"']);
            if quoted || !text.contains([',', '[', ']', '{', '}', '#', ':', '?']) {
                return text;
            }
        }
    }
}
