//! The meaning of a pattern as a small tree, and how it is written for the
//! `regex` crate. Greediness and captures are left out: a rule only asks
//! whether there is a match.

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// One character, or its case variants.
    Literal { character: char, fold: bool },
    /// One character of a class, in the syntax of the `regex` crate. `few` lists the
    /// characters where they are few.
    Class { text: String, few: Vec<char> },
    /// A place in the text.
    Assert(Place),
    /// One behind the other.
    Concat(Vec<Node>),
    /// One of several.
    Alternate(Vec<Node>),
    /// `min` to `max` times.
    Repeat { node: Box<Node>, min: u32, max: Option<u32> },
}

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// The start of a line.
    LineStart,
    /// The end of a line.
    LineEnd,
    /// Between an ASCII word character and another.
    WordBoundary,
    /// Anywhere else.
    NoWordBoundary,
}

/// A class without members.
pub(super) const NOTHING: &str = "[a&&b]";

impl Node {
    /// Writes the node as one operand: something that a repetition applies to whole.
    pub(super) fn write_operand(&self, out: &mut String) {
        match self {
            Self::Concat(_) | Self::Alternate(_) | Self::Repeat { .. } | Self::Assert(_) => {
                out.push_str("(?:");
                self.write(out);
                out.push(')');
            }
            _ => self.write(out),
        }
    }

    /// Writes the node.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Empty => out.push_str("(?:)"),
            Self::Literal { character, fold } => write_literal(*character, *fold, out),
            Self::Class { text, .. } => out.push_str(text),
            Self::Assert(place) => out.push_str(place.text()),
            Self::Concat(nodes) => {
                for node in nodes {
                    match node {
                        Self::Alternate(_) => node.write_operand(out),
                        _ => node.write(out),
                    }
                }
            }
            Self::Alternate(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push('|');
                    }
                    node.write(out);
                }
            }
            Self::Repeat { node, min, max } => {
                node.write_operand(out);
                match (min, max) {
                    (0, None) => out.push('*'),
                    (1, None) => out.push('+'),
                    (0, Some(1)) => out.push('?'),
                    (min, None) => out.push_str(&format!("{{{min},}}")),
                    (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
                }
            }
        }
    }

    /// True when the node asks for a place that is no word boundary.
    pub(super) fn has_no_word_boundary(&self) -> bool {
        match self {
            Self::Assert(place) => *place == Place::NoWordBoundary,
            Self::Concat(nodes) | Self::Alternate(nodes) => nodes.iter().any(Self::has_no_word_boundary),
            Self::Repeat { node, .. } => node.has_no_word_boundary(),
            _ => false,
        }
    }
}

impl Place {
    fn text(self) -> &'static str {
        match self {
            Self::Start => r"\A",
            Self::End => r"\z",
            Self::LineStart => "(?m:^)",
            Self::LineEnd => "(?m:$)",
            Self::WordBoundary => r"(?-u:\b)",
            Self::NoWordBoundary => r"(?-u:\B)",
        }
    }
}

fn write_literal(character: char, fold: bool, out: &mut String) {
    if fold {
        out.push_str("(?i:");
    }
    write_character(character, out);
    if fold {
        out.push(')');
    }
}

/// Writes `character` so that it stands for itself, inside a class and outside.
pub(super) fn write_character(character: char, out: &mut String) {
    if character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii() {
        out.push(character);
    } else {
        out.push_str(&format!("\\x{:02X}", u32::from(character)));
    }
}
