//! The two states of a file, plain and encrypted, and the ways between them.
//! Only here do trees, rules and ciphers meet.
//!
//! Both ways are one pass over the source bytes: leaves are replaced in place,
//! everything else is copied. Values come out of the tree in SOPS's order for
//! the MAC; comments may stand elsewhere in the source, and do not count for it.

pub mod walk;
pub mod order;
pub mod sink;
pub mod patch;
pub mod spelling;
pub mod reuse;
pub mod leaf;
pub mod alias;
pub mod open;
pub mod values;
pub mod change;
pub mod yaml_layout;
pub mod lock;
pub mod source_field;

/// What a user should hear about a file, beside errors. Names places, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An alias to something encrypted was written out, as SOPS does: a value's
    /// path is part of its encryption.
    AliasExpanded {
        /// Key path.
        path: String,
        /// One-based line.
        line: usize,
    },
    /// The same of so many others.
    AliasesExpanded {
        /// How many.
        count: usize,
    },
    /// A comment that the rules select stands in clear in an encrypted file.
    PlainComment {
        /// One-based line.
        line: usize,
    },
    /// A comment's token does not open anywhere near its place; it was left as it is.
    UnreadableComment {
        /// One-based line.
        line: usize,
    },
    /// Bytes that decryption will not bring back as they are; the values are safe.
    LayoutLost,
}
