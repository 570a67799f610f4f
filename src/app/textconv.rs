//! A file as text that can be compared: decrypted where an identity opens it without
//! asking anybody, with placeholders where none does, as it is where it is not
//! encrypted. Whatever the file is, there is a text. No creation rule is looked at.

use std::iter;
use std::path::Path;

use super::Deps;
use super::agent::authority;
use super::change;
use super::error::{Error, Place};
use super::open::{self, Locked};
use super::ports::Asking;
use super::request::{FileOptions, OpenOptions, Source, Strictness};
use crate::domain::agent::audit::entry::Action;
use crate::domain::crypto::mac::Mac;
use crate::domain::crypto::token::{self, Token};
use crate::domain::diff::access;
use crate::domain::diff::placeholder::{abbreviated, placeholder};
use crate::domain::document::open::Extras;
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::store::splice::apply;
use crate::domain::store::{Format, binary};
use crate::domain::tree::{Flags, Tree};

/// What begins every line that is not the file's own.
const MARK: &str = "# leaflock: ";
/// What is said of a file whose values are not those of its MAC.
const MAC_PROBLEM: &str = "its MAC does not fit: it was changed without its key";
/// How much of a file is looked at for a zero byte, as git does.
const LOOKED_AT: usize = 8000;

/// The text of the file at `path`.
pub fn run(deps: &Deps<'_>, path: &Path) -> Result<SecretBytes, Error> {
    let input = open::read_input(deps, &Source::File(path.to_owned()), &FileOptions::default())?;
    let keys = OpenOptions { asking: Asking::Commands, ..OpenOptions::default() }.to(Action::Textconv);
    // A state that git hands over lies in its folder for such files, where no policy is.
    let file = deps.files.absolute(path).map_err(Error::Read)?;
    let is_governed = authority::find_root(deps, file.parent().unwrap_or(&file))?.is_some();
    let keys = if is_governed { keys.of_file(&file) } else { keys };
    Ok(match Contents::of(&input.bytes, &input.name) {
        Contents::Plain => input.bytes,
        Contents::Unreadable(why) => with_lines(abbreviated(&input.bytes), &[why]),
        Contents::Encrypted(locked) => {
            let mut lines = access::lines(&locked.metadata);
            let detach = locked.store.detach(&locked.tree);
            match opened(deps, *locked, &keys) {
                Ok(Opened { mut text, problems }) => {
                    lines.extend(problems);
                    text.as_mut_vec()
                        .reserve_exact(lines.iter().map(|line| line.len() + 16).sum::<usize>() + 64);
                    with_lines(std::mem::take(text.as_mut_vec()), &lines)
                }
                Err(why) => {
                    lines.push(why);
                    with_lines(abbreviated(&apply(&input.bytes, detach)), &lines)
                }
            }
        }
    })
}

/// `text` with `lines` behind it, which begin like comments.
fn with_lines(mut text: Vec<u8>, lines: &[String]) -> SecretBytes {
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.extend_from_slice(b"\n");
        text.extend_from_slice(MARK.as_bytes());
        text.extend_from_slice(b"no line break at the end\n");
    }
    for line in lines {
        text.extend_from_slice(MARK.as_bytes());
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    SecretBytes::new(text)
}

/// What a file holds.
pub enum Contents<'b> {
    /// Nothing that is encrypted.
    Plain,
    /// An encrypted file.
    Encrypted(Box<Locked<'b>>),
    /// One that does not read as such any more, and why.
    Unreadable(String),
}

impl<'b> Contents<'b> {
    /// Looks at `bytes`; `name` tells the format, or they themselves do.
    pub fn of(bytes: &'b [u8], name: &Path) -> Self {
        if search::memmem(b"sops", bytes).is_none() && !token::occurs_in(bytes) {
            return Self::Plain;
        }
        let named = Format::of_path(&name.to_string_lossy());
        for format in iter::once(named).chain(iter::once_with(|| look_of(bytes))) {
            if let Ok(mut locked) = Locked::parse(bytes, format, &Place::default()) {
                if format == Format::Binary && !is_binary(&locked.tree) {
                    locked.format = Format::Json;
                }
                return Self::Encrypted(Box::new(locked));
            }
        }
        if !token::occurs_in(bytes) {
            return Self::Plain;
        }
        let starts = |mark: &[u8]| bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(mark));
        Self::Unreadable(match starts(b"<<<<<<< ") && starts(b">>>>>>> ") {
            true => "it holds the markers of a conflict".to_owned(),
            false => "it does not read as an encrypted file".to_owned(),
        })
    }
}

/// The format that an encrypted file looks like.
fn look_of(bytes: &[u8]) -> Format {
    let has = |text: &[u8]| search::memmem(text, bytes).is_some();
    match bytes.trim_ascii_start().first() {
        Some(b'{') => Format::Json,
        _ if has(b"sops_mac=") => Format::Dotenv,
        _ if has(b"[sops]") => Format::Ini,
        _ => Format::Yaml,
    }
}

/// True for SOPS's frame around a binary file: one key, `data`.
fn is_binary(tree: &Tree<'_>) -> bool {
    let Ok(data) = binary::data(tree) else { return false };
    let root = tree.documents.first().map_or(0, |document| document.root);
    tree.children(root).all(|id| id == data || tree.node(id).flags.has(Flags::METADATA))
}

/// A decrypted file.
pub struct Opened {
    /// Its text, every line where it is in the encrypted file.
    pub text: SecretBytes,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// Decrypts a file, or says in a few words why that cannot be.
pub fn opened(deps: &Deps<'_>, locked: Locked<'_>, keys: &OpenOptions) -> Result<Opened, String> {
    // Where a seal is demanded and missing, what the file holds is to be seen all the same.
    let ignore_seal = keys.strictness == Strictness::AsConfigured;
    let keys = OpenOptions { ignore_mac: true, ignore_seal, only_looks: true, ..keys.clone() };
    let file = locked.unlock(deps, &keys).map_err(|error| match error {
        Error::Seal { .. } | Error::Unrecorded { .. } | Error::Denied { .. } | Error::Integrity { .. } => {
            error.to_string()
        }
        _ => "no identity here opens it".to_owned(),
    })?;
    let locked = &file.locked;
    let seal = locked.subject().seal(&file.data_key).ok().flatten().and_then(Result::err);
    let mut problems: Vec<String> = seal.map(|error| error.to_string()).into_iter().collect();
    let mac = |mac: &Mac| locked.check_mac(&file.cipher, mac).err().map(|_| MAC_PROBLEM.to_owned());
    if locked.format == Format::Binary {
        let plain = match file.binary() {
            Some((plain, digest)) => {
                problems.extend(mac(&digest));
                plain
            }
            None => {
                change::open(&file, &keys, false).map_err(|_| "its value does not decrypt".to_owned())?.plain
            }
        };
        return Ok(Opened { text: readable(plain, &locked.tree), problems });
    }
    let extras = Extras {
        spellings: locked.spellings(&file.cipher),
        keep_spellings: locked.metadata.keeps_spellings(),
        ..Extras::default()
    };
    let detach = locked.store.detach(&locked.tree);
    let mut text = open::plain_buffer(locked, &detach);
    let findings = file
        .file()
        .write_plain(extras, detach, &mut text)
        .map_err(|error| format!("the value at {}, line {}, does not decrypt", error.path, error.line))?;
    problems.extend(mac(&findings.mac));
    Ok(Opened { text, problems })
}

/// What is no text is told by its size, and by its token, so that a change is seen.
fn readable(plain: SecretBytes, tree: &Tree<'_>) -> SecretBytes {
    if !plain[..plain.len().min(LOOKED_AT)].contains(&0) {
        return plain;
    }
    let data = binary::data(tree).ok().and_then(|data| Token::parse(tree.text(tree.node(data).text)));
    SecretBytes::new(format!("{}\n", data.map_or_else(String::new, |token| placeholder(&token))).into_bytes())
}
