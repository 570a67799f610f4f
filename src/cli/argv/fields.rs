//! From a command line to a command's argument struct without clap, whose
//! tree of definitions costs more than a small file's decryption. The structs
//! stay clap's for help, completions and man pages; `flags!` and `words!`
//! say the same once more in a form that compiles to a few comparisons, and a
//! test holds both equal.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Flag;
use crate::cli::report::Usage;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// Nothing, or a boolean behind `=`, and it matters whether it was given.
    Tristate,
    /// A value.
    Value,
}

/// A flag that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its long name.
    pub long: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// A struct that flags are put into.
pub trait Flags {
    /// The flag of this long or short name.
    fn find(&self, name: &str) -> Option<Definition>;

    /// Stores `flag`; false if it is not among these.
    fn set(&mut self, flag: &Flag) -> Result<bool, Usage>;

    /// Adds the long and the short name of every flag.
    fn names(&self, names: &mut Vec<(&'static str, &'static str)>);
}

/// A struct that words are put into.
pub trait Words {
    /// How many words it takes.
    fn limit(&self) -> usize;

    /// True when the word at `index` may begin with a dash without being a flag.
    fn may_dash(&self, index: usize) -> bool;

    /// Stores `words`, of which there are at most [`Words::limit`].
    fn take(&mut self, words: Vec<OsString>);

    /// True when the words behind `--` are another program's.
    fn takes_command(&self) -> bool {
        false
    }

    /// Stores those words.
    fn take_command(&mut self, _words: Vec<OsString>) {}
}

/// A command's arguments.
pub trait Fields: Flags + Words {}

impl<A: Flags + Words> Fields for A {}

/// Fills a command's arguments from flags, those that it has, and words.
pub fn fill<'f>(
    arguments: &mut dyn Fields,
    flags: impl Iterator<Item = &'f Flag>,
    words: Vec<OsString>,
) -> Result<(), Usage> {
    for flag in flags {
        arguments.set(flag)?;
    }
    arguments.take(words);
    Ok(())
}

/// A field that a flag is put into.
pub trait FlagField {
    /// What the flag takes.
    fn kind(&self) -> Kind;

    /// Stores the flag; the last one counts.
    fn set(&mut self, flag: &Flag) -> Result<(), Usage>;
}

/// The value of a flag as text.
fn text(flag: &Flag) -> Result<String, Usage> {
    let value = flag.value.clone().unwrap_or_default();
    value.into_string().map_err(|_| Usage::new(format!("the value of flag --{} is not UTF-8", flag.name)))
}

impl FlagField for bool {
    fn kind(&self) -> Kind {
        Kind::Switch
    }

    fn set(&mut self, _: &Flag) -> Result<(), Usage> {
        *self = true;
        Ok(())
    }
}

impl FlagField for Option<bool> {
    fn kind(&self) -> Kind {
        Kind::Tristate
    }

    fn set(&mut self, flag: &Flag) -> Result<(), Usage> {
        *self = Some(parse_bool(&flag.name, &text(flag)?)?);
        Ok(())
    }
}

impl FlagField for Option<String> {
    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn set(&mut self, flag: &Flag) -> Result<(), Usage> {
        *self = Some(text(flag)?);
        Ok(())
    }
}

impl FlagField for Vec<String> {
    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn set(&mut self, flag: &Flag) -> Result<(), Usage> {
        self.push(text(flag)?);
        Ok(())
    }
}

impl FlagField for Option<PathBuf> {
    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn set(&mut self, flag: &Flag) -> Result<(), Usage> {
        *self = flag.value.clone().map(PathBuf::from);
        Ok(())
    }
}

impl FlagField for Vec<PathBuf> {
    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn set(&mut self, flag: &Flag) -> Result<(), Usage> {
        self.extend(flag.value.clone().map(PathBuf::from));
        Ok(())
    }
}

impl FlagField for Option<i64> {
    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn set(&mut self, flag: &Flag) -> Result<(), Usage> {
        let number = text(flag)?.parse();
        let error = || {
            Usage::new(format!("invalid value for flag --{}: parse error", flag.name))
                .hint("a number is wanted")
        };
        *self = Some(number.map_err(|_| error())?);
        Ok(())
    }
}

/// A field that words are put into.
pub trait WordField {
    /// True when the word may begin with a dash without being a flag.
    const MAY_DASH: bool = false;

    /// Takes one word, or all.
    fn take(&mut self, words: &mut std::vec::IntoIter<OsString>);
}

impl WordField for Option<PathBuf> {
    fn take(&mut self, words: &mut std::vec::IntoIter<OsString>) {
        *self = words.next().map(PathBuf::from);
    }
}

impl WordField for Option<String> {
    fn take(&mut self, words: &mut std::vec::IntoIter<OsString>) {
        *self = words.next().map(|word| word.to_string_lossy().into_owned());
    }
}

impl WordField for Option<OsString> {
    /// The JSON value of `set`, which may be a negative number.
    const MAY_DASH: bool = true;

    fn take(&mut self, words: &mut std::vec::IntoIter<OsString>) {
        *self = words.next();
    }
}

impl WordField for Vec<PathBuf> {
    fn take(&mut self, words: &mut std::vec::IntoIter<OsString>) {
        self.extend(words.map(PathBuf::from));
    }
}

impl WordField for Vec<String> {
    fn take(&mut self, words: &mut std::vec::IntoIter<OsString>) {
        self.extend(words.map(|word| word.to_string_lossy().into_owned()));
    }
}

/// `MAY_DASH` of a field, by its value.
pub fn may_dash<F: WordField>(_: &F) -> bool {
    F::MAY_DASH
}

/// Implements [`Flags`]: fields with their long and short names (`""` for none),
/// then the groups inside.
macro_rules! flags {
    ($group:ty { $($field:ident $long:literal $short:literal),* } $($inner:ident),*) => {
        impl $crate::cli::argv::fields::Flags for $group {
            fn find(&self, name: &str) -> Option<$crate::cli::argv::fields::Definition> {
                let _ = name;
                $(if name == $long || (name == $short && !$short.is_empty()) {
                    let kind = $crate::cli::argv::fields::FlagField::kind(&self.$field);
                    return Some($crate::cli::argv::fields::Definition { long: $long, kind });
                })*
                $(if let Some(found) = self.$inner.find(name) {
                    return Some(found);
                })*
                None
            }

            fn set(&mut self, flag: &$crate::cli::argv::Flag) -> Result<bool, $crate::cli::report::Usage> {
                let _ = flag;
                $(if flag.name == $long {
                    $crate::cli::argv::fields::FlagField::set(&mut self.$field, flag)?;
                    return Ok(true);
                })*
                $(if self.$inner.set(flag)? {
                    return Ok(true);
                })*
                Ok(false)
            }

            fn names(&self, names: &mut Vec<(&'static str, &'static str)>) {
                let _ = &names;
                $(names.push(($long, $short));)*
                $(self.$inner.names(names);)*
            }
        }
    };
}

/// Implements [`Words`]: how many, and the fields in order.
macro_rules! words {
    ($group:ty, $limit:expr $(, $field:ident)* $(,)?) => {
        impl $crate::cli::argv::fields::Words for $group {
            fn limit(&self) -> usize {
                $limit
            }

            fn may_dash(&self, index: usize) -> bool {
                let fields: &[bool] = &[$($crate::cli::argv::fields::may_dash(&self.$field)),*];
                fields.get(index) == Some(&true)
            }

            fn take(&mut self, words: Vec<std::ffi::OsString>) {
                let mut words = words.into_iter();
                let _ = &mut words;
                $($crate::cli::argv::fields::WordField::take(&mut self.$field, &mut words);)*
            }
        }
    };
}

pub(crate) use {flags, words};

/// A boolean as Go's `strconv.ParseBool` reads it.
pub fn parse_bool(flag: &str, value: &str) -> Result<bool, Usage> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(Usage::new(format!("invalid boolean value for -{flag}"))
            .hint(format!("write --{flag} or --{flag}=false"))),
    }
}
