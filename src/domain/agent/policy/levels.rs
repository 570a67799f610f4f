//! What can be granted.

use std::fmt;

/// One thing that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// To have the value.
    Read,
    /// To start a program that has the value, its output redacted.
    Exec,
    /// To have somebody else use the value.
    Use,
    /// To propose a new value.
    Write,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 4] = [Self::Read, Self::Exec, Self::Use, Self::Write];

    /// Its word in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Exec => "exec",
            Self::Use => "use",
            Self::Write => "write",
        }
    }

    /// The level of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Any number of levels.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(Level::Read.bit() | Level::Exec.bit() | Level::Use.bit() | Level::Write.bit());

    /// The levels of a word of `access_level` or `levels`: a level, or one of the words that mean
    /// others (`readonly`, `post`, `read-write`).
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "readonly" => Some(Level::Read.into()),
            "post" => Some(Level::Use.into()),
            "read-write" => Some(Self::from(Level::Read).with(Level::Write.into())),
            _ => Level::parse(word).map(Self::from),
        }
    }

    /// True when `level` is among them.
    pub const fn has(self, level: Level) -> bool {
        self.0 & level.bit() != 0
    }

    /// These and those.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These but not those.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those that are in both.
    pub const fn shared(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True when there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other, in the order of [`Level::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| self.has(*level))
    }
}

impl From<Level> for Levels {
    fn from(level: Level) -> Self {
        Self(level.bit())
    }
}

impl FromIterator<Level> for Levels {
    fn from_iter<I: IntoIterator<Item = Level>>(levels: I) -> Self {
        levels.into_iter().fold(Self::NONE, |all, level| all.with(level.into()))
    }
}

/// Their words with commas between them; `nothing` where there are none.
impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (at, level) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(level.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Levels({self})")
    }
}
