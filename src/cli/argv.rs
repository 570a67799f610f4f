//! The words of the command line as SOPS's flag library understands them
//! (sops-compat 10.1): one or two dashes for any
//! flag, `--flag=false`, no combined short flags, a flag's value is the next
//! word whatever it looks like, flags before or after the file, `--` ends them.

use std::ffi::{OsStr, OsString};

use super::report::Usage;
use fields::{Definition, Flags, Kind, parse_bool};

pub mod fields;

/// A command line taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The flags in the order given, by their long names.
    pub flags: Vec<Flag>,
    /// Everything else.
    pub words: Vec<OsString>,
    /// `--help` or `-h` was among the flags.
    pub help: Option<Help>,
    /// Where the first word stood, if reading stopped there.
    pub stopped_at: Option<usize>,
    /// How many of the words stood behind `--`.
    pub behind_dashes: usize,
}

/// One flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its long name.
    pub name: String,
    /// Its value; `None` for a switch that is on. A switch that is off is left out.
    pub value: Option<OsString>,
}

/// How much help is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// `-h`: what is used every day.
    Short,
    /// `--help`: everything.
    Long,
}

/// How far flags reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Up to the first word.
    FirstWord,
    /// Over the whole line.
    Line,
    /// Over the whole line, but behind the first word only those that exist; what
    /// else looks like a flag is a word there, as in SOPS.
    LineAsSops,
}

/// What a command line is read for.
pub struct Reader<'c> {
    /// The name of the command, for hints.
    pub command: &'c str,
    /// Its flags.
    pub flags: &'c dyn Flags,
    /// True for a word (by its place) that may begin with a dash.
    pub may_dash: &'c dyn Fn(usize) -> bool,
    /// How far flags reach.
    pub reach: Reach,
}

impl Reader<'_> {
    /// Takes `arguments` apart.
    pub fn read(&self, arguments: &[OsString]) -> Result<Line, Usage> {
        let mut line = Line::default();
        let mut at = 0;
        while let Some(word) = arguments.get(at) {
            at += 1;
            if word == "--" {
                if self.reach == Reach::FirstWord {
                    line.stopped_at = Some(at).filter(|at| *at < arguments.len());
                } else {
                    line.words.extend_from_slice(&arguments[at..]);
                    line.behind_dashes = arguments.len() - at;
                }
                return Ok(line);
            }
            let Some((name, attached)) = split_flag(word) else {
                if self.reach == Reach::FirstWord {
                    line.stopped_at = Some(at - 1);
                    return Ok(line);
                }
                line.words.push(word.clone());
                continue;
            };
            if name == "help" || name == "h" {
                line.help = Some(if name == "h" { Help::Short } else { Help::Long });
                continue;
            }
            match self.flags.find(&name) {
                Some(flag) => at = take(&mut line, flag, attached, arguments, at)?,
                None if self.is_word(&line) => line.words.push(word.clone()),
                None if name.is_empty() || name.starts_with('-') => {
                    return Err(Usage::new(format!("bad flag syntax: {}", word.to_string_lossy())));
                }
                None => return Err(self.unknown(&name)),
            }
        }
        Ok(line)
    }

    /// True when something that looks like an unknown flag is a word here.
    fn is_word(&self, line: &Line) -> bool {
        let behind_the_first = self.reach == Reach::LineAsSops && !line.words.is_empty();
        behind_the_first || (self.may_dash)(line.words.len())
    }

    /// The error for a flag that the command does not have.
    fn unknown(&self, name: &str) -> Usage {
        let usage = Usage::new(format!("flag provided but not defined: -{name}"));
        let letters: Vec<String> = name.chars().map(String::from).collect();
        if (2..5).contains(&letters.len()) && letters.iter().all(|letter| self.flags.find(letter).is_some()) {
            return usage.hint(format!("short flags do not combine: write -{}", letters.join(" -")));
        }
        let mut names = Vec::new();
        self.flags.names(&mut names);
        match closest(name, names.iter().map(|(long, _)| *long)) {
            Some(flag) => usage.hint(format!("did you mean --{flag}?")),
            None if self.command.is_empty() => usage.hint("leaflock help lists the commands"),
            None if self.command == "run" => {
                usage.hint("what belongs to the command stands behind `--`: leaflock run FILE -- COMMAND")
            }
            None => usage.hint(format!("leaflock {} --help lists the flags", self.command)),
        }
    }
}

/// Adds one flag to `line` and returns where to read on.
fn take(
    line: &mut Line,
    flag: Definition,
    attached: Option<OsString>,
    arguments: &[OsString],
    at: usize,
) -> Result<usize, Usage> {
    let name = flag.long.to_owned();
    match flag.kind {
        Kind::Switch => {
            let on = match attached {
                Some(value) => parse_bool(&name, &value.to_string_lossy())?,
                None => true,
            };
            line.flags.retain(|flag| flag.name != name);
            if on {
                line.flags.push(Flag { name, value: None });
            }
            Ok(at)
        }
        Kind::Tristate => {
            line.flags.push(Flag { name, value: Some(attached.unwrap_or_else(|| "true".into())) });
            Ok(at)
        }
        Kind::Value => {
            if let Some(value) = attached {
                line.flags.push(Flag { name, value: Some(value) });
                return Ok(at);
            }
            let Some(value) = arguments.get(at) else {
                return Err(Usage::new(format!("flag needs an argument: -{name}")));
            };
            line.flags.push(Flag { name, value: Some(value.clone()) });
            Ok(at + 1)
        }
    }
}

/// `-name`, `--name`, `-name=value`: the name and the value behind `=`. A word
/// without dash, and `-` alone, are no flags.
fn split_flag(word: &OsStr) -> Option<(String, Option<OsString>)> {
    let bytes = word.as_encoded_bytes();
    let rest = bytes.strip_prefix(b"-")?;
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    if rest.is_empty() {
        return None;
    }
    match rest.iter().position(|byte| *byte == b'=') {
        Some(equals) => {
            let name = String::from_utf8_lossy(&rest[..equals]).into_owned();
            Some((name, Some(behind(word, bytes.len() - rest.len() + equals + 1))))
        }
        None => Some((String::from_utf8_lossy(rest).into_owned(), None)),
    }
}

/// `word` from byte `start` on, which stands behind an ASCII character.
#[cfg(unix)]
fn behind(word: &OsStr, start: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(&word.as_bytes()[start..]).to_owned()
}

/// `word` from byte `start` on, which stands behind an ASCII character.
#[cfg(not(unix))]
fn behind(word: &OsStr, start: usize) -> OsString {
    String::from_utf8_lossy(&word.as_encoded_bytes()[start..]).into_owned().into()
}

/// The word of `known` that `typed` was probably meant to be: at most two
/// letters wrong, and fewer than half of them.
pub fn closest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let limit = 2.min(typed.chars().count() / 2);
    known
        .map(|word| (distance(typed, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Letters to insert, delete, replace or swap with their neighbour to turn `a`
/// into `b` (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let width = b.len() + 1;
    let mut table: Vec<usize> = (0..width).collect();
    table.resize((a.len() + 1) * width, 0);
    for row in 1..=a.len() {
        table[row * width] = row;
        for column in 1..width {
            let same = usize::from(a[row - 1] != b[column - 1]);
            let mut best = (table[(row - 1) * width + column - 1] + same)
                .min(table[(row - 1) * width + column] + 1)
                .min(table[row * width + column - 1] + 1);
            if row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1] {
                best = best.min(table[(row - 2) * width + column - 2] + 1);
            }
            table[row * width + column] = best;
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests;
