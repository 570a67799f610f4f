//! `.leaflock/check-ignore`: the findings that somebody looked at and found to be
//! none, one a line, each with the reason. A line whose finding is gone is told,
//! so that the list says what holds.
//!
//! ```text
//! plaintext-value config/a.yaml ["database"]["host"] # a public name
//! access-token docs/api.md:12                        # the example of the vendor
//! decrypted-leftover "odd name.yaml"                 # made for the tests
//! ```

use super::findings::Finding;
use super::kinds::Kind;

/// Which finding of a file is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one about the file as a whole.
    File,
    /// The one on a line, where no key path says more.
    Line(usize),
    /// The one at a key path.
    Key(String),
}

impl Place {
    /// Where a finding is, for a line that silences it.
    pub fn of(finding: &Finding) -> Self {
        let in_text = matches!(finding.kind, Kind::AgeIdentity | Kind::PrivateKey | Kind::AccessToken);
        match (&finding.key, finding.line) {
            (Some(key), _) => Self::Key(key.clone()),
            (None, Some(line)) if in_text => Self::Line(line),
            _ => Self::File,
        }
    }
}

/// One line of the file.
#[derive(Clone, Debug)]
struct Entry {
    line: usize,
    kind: Kind,
    file: String,
    place: Place,
    used: bool,
}

/// The lines of the file.
#[derive(Clone, Debug, Default)]
pub struct Ignores {
    entries: Vec<Entry>,
}

impl Ignores {
    /// Reads the file; lines that cannot be understood silence nothing.
    pub fn parse(text: &str) -> (Self, Vec<Finding>) {
        let (mut ignores, mut bad) = (Self::default(), Vec::new());
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            match entry(text, index + 1) {
                Ok(entry) => ignores.entries.push(entry),
                Err(message) => bad.push(Finding::of_file(Kind::BadIgnore, message).at_line(Some(index + 1))),
            }
        }
        (ignores, bad)
    }

    /// True for a finding that was reviewed; `file` is its path below the folder of
    /// `.leaflock`, with slashes.
    pub fn silence(&mut self, file: &str, finding: &Finding) -> bool {
        let place = Place::of(finding);
        let mut silenced = false;
        for entry in &mut self.entries {
            if entry.kind == finding.kind && entry.file == file && entry.place == place {
                entry.used = true;
                silenced = true;
            }
        }
        silenced
    }

    /// The lines that silenced nothing, of files for which `is_checked` holds.
    pub fn stale(&self, is_checked: &dyn Fn(&str) -> bool) -> Vec<Finding> {
        let unused = self.entries.iter().filter(|entry| !entry.used && is_checked(&entry.file));
        let finding = |entry: &Entry| {
            let message = format!("there is no such finding in {}", entry.file);
            Finding::of_file(Kind::StaleIgnore, message).at_line(Some(entry.line))
        };
        unused.map(finding).collect()
    }
}

/// Reads `ID FILE[:LINE] [KEY PATH] # REASON`.
fn entry(text: &str, line: usize) -> Result<Entry, &'static str> {
    let (id, rest) = text.split_once([' ', '\t']).ok_or("a finding and a file are wanted")?;
    let kind = Kind::of_id(id).ok_or("this line does not begin with a kind of finding")?;
    if matches!(kind, Kind::BadIgnore | Kind::StaleIgnore) {
        return Err("findings about this file cannot be silenced in it");
    }
    let (file, rest) = file(rest.trim_start())?;
    let (place, reason) = match rest.find(" #").or_else(|| rest.find("\t#")) {
        Some(at) => (rest[..at].trim(), rest[at + 2..].trim()),
        None => return Err("a reason is wanted, behind #"),
    };
    if reason.is_empty() {
        return Err("a reason is wanted, behind #");
    }
    let (file, number) = match file.rsplit_once(':') {
        Some((path, number)) if place.is_empty() => match number.parse() {
            Ok(number) => (path.to_owned(), Some(number)),
            Err(_) => (file.clone(), None),
        },
        _ => (file, None),
    };
    let place = match number {
        Some(number) => Place::Line(number),
        None if place.is_empty() => Place::File,
        None => Place::Key(place.to_owned()),
    };
    Ok(Entry { line, kind, file, place, used: false })
}

/// The path that `text` begins with, perhaps in quotes, and what follows it.
fn file(text: &str) -> Result<(String, &str), &'static str> {
    const OPEN: &str = "the quotes around the file are not closed";
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let end = quoted.find('"').ok_or(OPEN)?;
    let rest = &quoted[end + 1..];
    let number = rest.find([' ', '\t']).unwrap_or(rest.len());
    Ok((format!("{}{}", &quoted[..end], &rest[..number]), &rest[number..]))
}
