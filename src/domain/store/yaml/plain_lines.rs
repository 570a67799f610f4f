//! Lines like `key: value` in a block mapping, which is what most files are made
//! of, taken as they are instead of by way of tokens.
//!
//! The scanner must end up where it would have come by itself, comments that are
//! found by its lookahead included. Its place behind a value is behind the colon of
//! the next key. So a line is taken if such a key, with nothing to look closer at
//! behind it, stands right below; any other line is left to the scanner.

use super::chars::{class, is, is_blank, is_blank_or_end, line_break};
use super::compose::Composer;
use super::events::Event;
use super::parse::{Parser, State};
use super::scan::{Scan, Scanner};
use super::scan_scalars::plain_word_end;
use super::tokens::{Mark, Token, TokenKind};
use crate::domain::tree::{Span, Style};

/// Longer keys are left to the scanner, which has a limit for them.
const LONGEST_KEY: usize = 256;

/// What stands between two colons.
struct Line {
    /// The value of the first one's key.
    value: Span,
    /// Where the next line starts.
    next: usize,
    /// The key on it.
    key: Span,
}

impl Composer<'_> {
    /// Takes the lines from here on, as far as they are such.
    pub(super) fn plain_lines(&mut self) -> Scan<()> {
        if !self.parser.is_at_plain_line() {
            return Ok(());
        }
        while let Some(line) = self.parser.scanner.plain_line() {
            let (key, value) = self.parser.take_plain_line(&line);
            self.leaf(&key)?;
            self.leaf(&value)?;
        }
        Ok(())
    }
}

impl Parser<'_> {
    /// True where a pair begins whose key and colon are the only tokens ahead, and
    /// no comment waits for its place.
    fn is_at_plain_line(&self) -> bool {
        let [first, key, last] = self.scanner.ahead() else { return false };
        self.state == State::BlockMappingKey
            && (first.kind, key.kind, last.kind) == (TokenKind::Key, TokenKind::Scalar, TokenKind::Value)
            && (key.style, key.start.index) == (Style::Plain, first.start.index)
            && !self.has_comments()
    }

    /// The pair whose value `line` holds; the tokens ahead are those of the next key.
    fn take_plain_line(&mut self, line: &Line) -> (Event, Event) {
        let Line { value, next, key } = *line;
        let scanner = &mut self.scanner;
        let start = Mark { index: value.start, ..scanner.mark() };
        scanner.line += 1;
        scanner.line_start = next;
        scanner.pos = key.end as usize;
        let behind = scanner.mark();
        let mark = Mark { index: key.start, column: key.start - next as u32, ..behind };
        let token = Token { text: key, ..Token::new(TokenKind::Scalar, mark, key.end as usize) };
        let ahead = [
            Token::new(TokenKind::Key, mark, mark.index as usize),
            token,
            Token::new(TokenKind::Value, behind, key.end as usize + 1),
        ];
        scanner.pos += 1;
        let [_, former, _] = scanner.replace_ahead(ahead);
        self.last_end = value.end;
        (Event::scalar(former.start, former.text), Event::scalar(start, value))
    }
}

impl Scanner<'_> {
    /// What stands behind the colon at hand, if the scanner would find nothing but a
    /// value there, and nothing but a key in the same column on the next line.
    fn plain_line(&self) -> Option<Line> {
        let source = self.source;
        let start = self.pos + 1;
        if self.peek(0) != b' ' || !is_plain_start(self.peek(1)) {
            return None;
        }
        let mut end = plain_word_end(source, start, class::PLAIN);
        while source.get(end) == Some(&b' ') {
            let word = end + 1;
            if source.get(word) == Some(&b'#') || is_blank_or_end(source, word) {
                return None;
            }
            end = plain_word_end(source, word, class::PLAIN);
        }
        let next = end + line_break(source, end);
        let key = next + usize::try_from(self.indent).ok()?;
        if next == end || source.get(next..key)?.iter().any(|byte| *byte != b' ') {
            return None;
        }
        let rest = source.get(key..)?;
        let length = rest.iter().take(LONGEST_KEY).take_while(|byte| is_key(**byte)).count();
        let colon = key + length;
        let is_quiet = match rest.get(length + 1) {
            Some(b' ') => source.get(colon + 2) != Some(&b'#') && !is_blank(source, colon + 2),
            _ => line_break(source, colon + 1) > 0,
        };
        let is_next = rest.get(length) == Some(&b':') && is_quiet && is_plain_start(rest[0]);
        is_next.then(|| Line { value: Span::new(start, end), next, key: Span::new(key, colon) })
    }
}

/// True for what can start nothing but a plain scalar.
fn is_plain_start(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'+' | b'.' | b'~' | b'$')
}

/// True for what a key is usually made of.
fn is_key(byte: u8) -> bool {
    is(byte, class::WORD) || matches!(byte, b'.' | b'/')
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::draft::{Draft, compose};
    use crate::domain::store::ReadError;
    use crate::domain::tree::Node;

    fn shown(read: &Result<Draft, ReadError>) -> String {
        let Draft { bare, decoded } = match read {
            Ok(draft) => draft,
            Err(error) => return format!("{error:?}"),
        };
        let node = |it: &Node| {
            let text = (it.key, it.key_text, it.span, it.text);
            format!(
                "{:?} {:?} {:?} {:?} {} {} {text:?} {}",
                it.kind, it.style, it.tag, it.flags, it.parent, it.end, it.indent
            )
        };
        let nodes: Vec<String> = bare.nodes.iter().map(node).collect();
        let rest = (&bare.properties, &bare.documents, &bare.assignments, &bare.assigned, &bare.lines);
        format!("{nodes:#?} {rest:?} {:?}", &decoded[..])
    }

    /// Reads `source` both ways; true if it is YAML.
    fn agree(source: &[u8]) -> bool {
        let by_token = compose(source, false);
        assert_eq!(shown(&compose(source, true)), shown(&by_token), "{}", String::from_utf8_lossy(source));
        by_token.is_ok()
    }

    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn kept_files_read_as_by_tokens() {
        let mut found = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut found);
        let read = found.iter().filter(|path| agree(&fs::read(path).unwrap())).count();
        assert!(read > 180, "{read} files");
    }

    /// What stands in the place of `k: v`, beside lines that are taken.
    const LINES: [&str; 30] = [
        "k: # c\n",
        "k:  v\n",
        "k:\tv\n",
        "k:\n",
        "k:\n  l: v\n",
        "k:\n  l: v\n  m: v\n  n:\n",
        "k:\n- l: v\n  m: v\n",
        "k: v # c\n",
        "k: v  \n",
        "k: v\t\n",
        "k: v w\n",
        "k: v  w\n",
        "k: v #\n",
        "k: v# w\n",
        "k: v\n  w\n",
        "k: v\r\n",
        "k: v\u{85}",
        "k: v: w\n",
        "# c\n",
        "  # c\n\n",
        "\n# c\n\n",
        "\"k\": v\n",
        "? k\n: v\n",
        "? k\n  l\n: v\n",
        "<<: {}\n",
        "&a k: *a\n",
        "k : v\n",
        "k: \u{e9}\nk\u{e9}: v\n",
        "---\n",
        "k: |\n  v\n",
    ];

    /// Anything else that a reader can stumble over.
    fn odd_line() -> impl Strategy<Value = String> {
        let indent = select(vec!["", "", "  ", "- ", "  - ", "\t", "? ", "- - ", "- # c\n  ? \n  : v\n  "]);
        let key = select(vec![
            "a", "b.c", "d/e", "_f", "1", "true", "h i", "'j'", "*n", "-o", "q:r", "sops", "!!str s", "",
            "...", "#t", "u#", "[v]", "{w: x}", "- y",
        ]);
        let colon = select(vec![": ", ": ", ": ", ":", ":  ", " : ", ":\t", "", ": &n ", ": !!str "]);
        let value = select(vec![
            "1",
            "x",
            "ENC[AES256_GCM,data:YQ==,iv:aQ==,tag:dA==,type:str]",
            "#x",
            "'x'",
            "\"x\\n\"",
            "\"x",
            "[x, y]",
            "{x: y}",
            "[x",
            "]",
            ">-",
            "x:",
            "-",
            "- x",
            "*n",
            "~",
            "/x",
            "$x",
            "%x",
            "@x",
            "",
            "&n x",
            "2001-01-01",
            "---",
        ]);
        let end = select(vec![
            "\n",
            "\n",
            "\n",
            "\r",
            "\n\n",
            "\n  \n",
            " # c\n",
            "\n  # c\n",
            "\u{2028}",
            "\n\t\n",
            "\n...\n",
            "",
        ]);
        (indent, key, colon, value, end)
            .prop_map(|(indent, key, colon, value, end)| format!("{indent}{key}{colon}{value}{end}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8192))]

        #[test]
        fn lines_read_as_by_tokens(
            lines in prop::collection::vec((0..12u8, select(LINES.to_vec()), odd_line()), 1..12),
            column in 0..3usize,
        ) {
            let mut source = if column > 0 { String::from("r:\n") } else { String::new() };
            for (at, (kind, line, odd)) in lines.iter().enumerate() {
                source.push_str(&" ".repeat(column));
                match kind {
                    0 => source.push_str(odd),
                    1..4 => source.push_str(&line.replace('k', &format!("k{at}"))),
                    _ => source.push_str(&format!("z{at}: v\n")),
                }
            }
            agree(source.as_bytes());
        }
    }
}
