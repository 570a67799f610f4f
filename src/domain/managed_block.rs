//! Lines of ours in a text file that is somebody else's: a block between two
//! comments, which is added, renewed and taken out again, so that the rest of
//! the file stays what it was to the last byte.

/// The lines around a block.
#[derive(Clone, Copy, Debug)]
pub struct Markers {
    /// How the first line of a block begins.
    begin: &'static str,
    /// How it ends.
    begin_end: &'static str,
    /// The last line of a block.
    end: &'static str,
}

/// What `git setup` writes into files whose comments begin with `#`.
pub const GIT_SETUP: Markers =
    Markers { begin: "# >>> leaflock git setup", begin_end: " >>>", end: "# <<< leaflock git setup <<<" };

/// What `agent guide` writes into Markdown.
pub const AGENT_GUIDE: Markers = Markers {
    begin: "<!-- >>> leaflock agent guide",
    begin_end: " >>> -->",
    end: "<!-- <<< leaflock agent guide <<< -->",
};

/// In the first line: the file was made for the block.
const NEW_FILE: &str = " (new file)";
/// In the first line: the text before the block had no line break at its end.
const JOINED: &str = " (joined)";

/// Where a new block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Behind everything else: of the lines of an attributes file, the last one wins.
    End,
    /// Behind the first line of a script: its last one may never be reached.
    BehindShebang,
}

/// The first line of a block has no last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the block of leaflock that begins in line {line} has no end")]
pub struct Endless {
    /// The first line of the block, from 1.
    pub line: usize,
}

/// What a file is without its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// It has none.
    Same,
    /// The file was made for the block, and nothing else is in it.
    Nothing,
    /// This.
    Text(Vec<u8>),
}

/// A block, as byte offsets.
struct Found {
    /// Its first line.
    start: usize,
    /// Behind the line break of its first line.
    inside: usize,
    /// Its last line.
    last: usize,
    /// Behind that.
    end: usize,
    new_file: bool,
    joined: bool,
}

impl Markers {
    /// `text`, the contents of the file if there is one, with a block of `body`, whose
    /// lines end in `\n`. What is in an old block goes. A new script begins with `shebang`.
    pub fn with(
        self,
        text: Option<&[u8]>,
        body: &str,
        position: Position,
        shebang: &str,
    ) -> Result<Vec<u8>, Endless> {
        let old = text.unwrap_or_default();
        let line_end = if memchr::memmem::find(old, b"\r\n").is_some() { "\r\n" } else { "\n" };
        let body = body.replace('\n', line_end);
        if let Some(found) = self.find(old)? {
            return Ok([&old[..found.inside], body.as_bytes(), &old[found.last..]].concat());
        }
        let mut head = old.len();
        if position == Position::BehindShebang {
            head = if old.starts_with(b"#!") { line_end_behind(old, 0) } else { 0 };
        }
        let (before, behind) = old.split_at(head);
        let joined = !before.is_empty() && !before.ends_with(b"\n");
        let flags = match (text.is_none(), joined) {
            (true, _) => NEW_FILE,
            (false, true) => JOINED,
            (false, false) => "",
        };
        let mut out = Vec::with_capacity(old.len() + body.len() + 128);
        out.extend_from_slice(if text.is_none() { shebang.as_bytes() } else { before });
        if joined {
            out.extend_from_slice(line_end.as_bytes());
        }
        let Self { begin, begin_end, end } = self;
        out.extend_from_slice(format!("{begin}{flags}{begin_end}{line_end}{body}{end}{line_end}").as_bytes());
        out.extend_from_slice(behind);
        Ok(out)
    }

    /// `text` without its block.
    pub fn without(self, text: &[u8], shebang: &str) -> Result<Without, Endless> {
        let Some(found) = self.find(text)? else { return Ok(Without::Same) };
        let mut before = &text[..found.start];
        let behind = &text[found.end..];
        if found.new_file && before == shebang.as_bytes() && behind.is_empty() {
            return Ok(Without::Nothing);
        }
        if found.joined && behind.is_empty() {
            before = before.strip_suffix(b"\n").unwrap_or(before);
            before = before.strip_suffix(b"\r").unwrap_or(before);
        }
        Ok(Without::Text([before, behind].concat()))
    }

    /// True if there is a block.
    pub fn is_in(self, text: &[u8]) -> bool {
        !matches!(self.find(text), Ok(None))
    }

    /// The lines of the block, if there is one.
    pub fn body(self, text: &[u8]) -> Result<Option<Vec<u8>>, Endless> {
        let found = self.find(text)?;
        Ok(found.map(|found| {
            text[found.inside..found.last].iter().copied().filter(|byte| *byte != b'\r').collect()
        }))
    }

    fn find(self, text: &[u8]) -> Result<Option<Found>, Endless> {
        let mut begun: Option<(Found, usize)> = None;
        let (mut at, mut number) = (0, 1);
        while at < text.len() {
            let next = line_end_behind(text, at);
            let line = text[at..next].trim_ascii_end();
            match &mut begun {
                None => {
                    let flags = line
                        .strip_prefix(self.begin.as_bytes())
                        .and_then(|rest| rest.strip_suffix(self.begin_end.as_bytes()));
                    begun = flags.map(|flags| {
                        let (new_file, joined) = (flags == NEW_FILE.as_bytes(), flags == JOINED.as_bytes());
                        (Found { start: at, inside: next, last: 0, end: 0, new_file, joined }, number)
                    });
                }
                Some((found, _)) if line == self.end.as_bytes() => {
                    (found.last, found.end) = (at, next);
                    return Ok(begun.map(|(found, _)| found));
                }
                Some(_) => {}
            }
            (at, number) = (next, number + 1);
        }
        match begun {
            Some((_, line)) => Err(Endless { line }),
            None => Ok(None),
        }
    }
}

/// Behind the line break of the line that `at` is in.
fn line_end_behind(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |found| at + found + 1)
}

#[cfg(test)]
mod tests {
    use super::{AGENT_GUIDE, GIT_SETUP, Position, Without};

    const SHEBANG: &str = "#!/bin/sh\n";

    #[test]
    fn a_block_comes_and_goes_without_a_trace() {
        let texts: [&[u8]; 8] = [
            b"",
            b"* text=auto\n",
            b"* text=auto",
            b"a\r\nb\r\n",
            b"a\r\nb",
            b"#!/bin/sh\nexec x\n",
            b"#!/bin/sh",
            b"exec x",
        ];
        for text in texts {
            for position in [Position::End, Position::BehindShebang] {
                let added = GIT_SETUP.with(Some(text), "one\ntwo\n", position, SHEBANG).unwrap();
                assert!(GIT_SETUP.is_in(&added) && !GIT_SETUP.is_in(text));
                assert_eq!(GIT_SETUP.body(&added).unwrap().unwrap(), b"one\ntwo\n");
                assert_eq!(GIT_SETUP.with(Some(&added), "one\ntwo\n", position, SHEBANG).unwrap(), added);
                let renewed = GIT_SETUP.with(Some(&added), "three\n", position, SHEBANG).unwrap();
                assert_eq!(GIT_SETUP.body(&renewed).unwrap().unwrap(), b"three\n");
                for state in [&added, &renewed] {
                    assert_eq!(GIT_SETUP.without(state, SHEBANG), Ok(Without::Text(text.to_vec())));
                }
            }
        }
        assert_eq!(GIT_SETUP.without(b"x\n", SHEBANG), Ok(Without::Same));
    }

    #[test]
    fn a_file_made_for_a_block_goes_with_it() {
        let made = GIT_SETUP.with(None, "check\n", Position::BehindShebang, SHEBANG).unwrap();
        assert!(made.starts_with(b"#!/bin/sh\n# >>> leaflock git setup (new file) >>>\ncheck\n"));
        assert_eq!(GIT_SETUP.without(&made, SHEBANG), Ok(Without::Nothing));
        let more = [&made[..], b"more\n"].concat();
        assert_eq!(GIT_SETUP.without(&more, SHEBANG), Ok(Without::Text(b"#!/bin/sh\nmore\n".to_vec())));
    }

    #[test]
    fn blocks_of_several_kinds_do_not_see_each_other() {
        let one = GIT_SETUP.with(Some(b"# Title\n"), "a\n", Position::End, "").unwrap();
        let both = AGENT_GUIDE.with(Some(&one), "b\n", Position::End, "").unwrap();
        assert_eq!(AGENT_GUIDE.body(&both).unwrap().unwrap(), b"b\n");
        assert_eq!(AGENT_GUIDE.without(&both, ""), Ok(Without::Text(one)));
    }

    #[test]
    fn a_script_is_checked_before_its_last_word() {
        let added = GIT_SETUP
            .with(Some(b"#!/bin/sh\nexec x\n"), "check\n", Position::BehindShebang, SHEBANG)
            .unwrap();
        let text = String::from_utf8(added).unwrap();
        assert!(text.starts_with("#!/bin/sh\n# >>>") && text.ends_with("<<<\nexec x\n"), "{text}");
    }

    #[test]
    fn a_block_without_an_end_is_told() {
        let endless = GIT_SETUP.without(b"a\n# >>> leaflock git setup >>>\nb\n", SHEBANG).unwrap_err();
        assert_eq!(endless.line, 2);
        assert!(GIT_SETUP.with(Some(b"# >>> leaflock git setup >>>"), "", Position::End, "").is_err());
    }
}
