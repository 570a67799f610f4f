//! The file formats. A store turns bytes into a [`Tree`] and says which bytes
//! change when a leaf is locked, unlocked, replaced, added or removed. It knows
//! nothing of keys or ciphers.

pub mod binary;
pub mod dotenv;
pub mod flat_names;
pub mod flatten;
pub mod ini;
pub mod json;
pub mod shell;
pub mod splice;
pub mod yaml;

use super::scalar::Scalar;
use super::secret::SecretBytes;
use super::tree::{Flags, Kind, NodeId, Span, Style, Tree};
use super::value::Value;
use splice::Edit;

/// The file formats of SOPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.yaml`, `.yml`
    Yaml,
    /// `.json`
    Json,
    /// `.env`
    Dotenv,
    /// `.ini`
    Ini,
    /// Everything else: one value, the file's bytes.
    Binary,
}

impl Format {
    /// The format that SOPS reads off a path: a case-sensitive test of its end
    /// (sops-compat 1.1).
    pub fn of_path(path: &str) -> Self {
        if path.ends_with(".yaml") || path.ends_with(".yml") {
            Self::Yaml
        } else if path.ends_with(".json") {
            Self::Json
        } else if path.ends_with(".env") {
            Self::Dotenv
        } else if path.ends_with(".ini") {
            Self::Ini
        } else {
            Self::Binary
        }
    }

    /// The format of a `--input-type` or `--output-type` word.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "yaml" => Self::Yaml,
            "json" => Self::Json,
            "dotenv" => Self::Dotenv,
            "ini" => Self::Ini,
            "binary" => Self::Binary,
            _ => return None,
        })
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Binary => "binary",
        }
    }

    /// The store that reads and writes its encrypted form: JSON's for binary files.
    pub fn encrypted_store(self) -> &'static dyn Store {
        match self {
            Self::Binary => Self::Json.store(),
            format => format.store(),
        }
    }

    /// Its store.
    pub fn store(self) -> &'static dyn Store {
        match self {
            Self::Yaml => &yaml::Yaml,
            Self::Json => &json::Json,
            Self::Dotenv => &dotenv::Dotenv,
            Self::Ini => &ini::Ini,
            Self::Binary => &binary::Binary,
        }
    }
}

/// Why a file could not be read. Never holds a fragment of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// What is wrong, in the words of SOPS's parser where clients match on them.
    pub message: String,
    /// One-based line, where known.
    pub line: Option<usize>,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// What SOPS's exit code distinguishes.
    pub kind: ReadErrorKind,
}

/// What SOPS's exit codes distinguish among files that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadErrorKind {
    /// The file does not follow its format (exit 2 when encrypting).
    Syntax,
    /// The file holds no document at all (exit 92).
    Empty,
    /// A key is not a string, or a number has no SOPS type (exit 23).
    Unencryptable,
}

impl ReadError {
    /// A syntax error on `line`.
    pub fn syntax(line: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), line: Some(line), hint: None, kind: ReadErrorKind::Syntax }
    }
}

/// Why values could not be written in a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WriteError {
    /// What is wrong; names keys, never values.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl WriteError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

/// What a reader must prepare for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The file will get metadata at its end. SOPS decides what a comment
    /// belongs to on the file that it reads, so comments are hung as if a
    /// `sops` key followed every document; `sops` metadata in the file is
    /// flagged all the same.
    Encrypt,
    /// The file is read as it stands.
    AsIs,
}

/// How emitters lay out files of their own (`stores` in `.sops.yaml`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Spaces a level; `None` is SOPS's default (YAML 4, JSON a tab).
    pub indent: Option<u8>,
}

/// What decryption found in a token: the typed value, and the plaintext where
/// it is spelled differently from the canonical text (`1.50`, `+5`, `TRUE`).
#[derive(Clone, Debug, PartialEq)]
pub struct Plain<'a> {
    /// The typed value.
    pub value: Scalar<'a>,
    /// Its spelling, if it is not the canonical one.
    pub spelling: Option<&'a [u8]>,
}

/// One file format.
///
/// Every method is pure. Spans and texts follow [`Tree`]. Methods that append
/// to `out` return the span of the source which that text replaces.
pub trait Store: Sync {
    /// The format.
    fn format(&self) -> Format;

    /// Reads a file. Top-level `sops` metadata is flagged [`super::tree::Flags::METADATA`].
    fn read<'s>(&self, source: &'s [u8], purpose: Purpose) -> Result<Tree<'s>, ReadError>;

    /// The typed value of scalar `id`. Never fails for a tree that this store read:
    /// what has no type is refused by `read`.
    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t>;

    /// The style that a token takes in the place of node `id`, so that the
    /// owner's style can be told from it again.
    fn token_style(&self, tree: &Tree<'_>, id: NodeId) -> Style;

    /// Appends the text that puts `token` in the place of node `id` (a scalar or a
    /// comment), written in `style`.
    fn lock(&self, tree: &Tree<'_>, id: NodeId, style: Style, token: &str, out: &mut Vec<u8>) -> Span;

    /// Appends the text that puts `plain` in the place of node `id` if the place
    /// holds a token written in `style`. Called on an encrypted tree with the
    /// node's own style to decrypt, and on a plain tree with the style that `lock`
    /// will use, to see whether decryption will bring the source back.
    /// For a comment, `plain` is its text. `Style::Element` turns a whole list
    /// element into a comment line where SOPS prints it, `Style::OwnLine` in its place;
    /// `Style::Plain` writes the text of a comment so that it is read back as that text,
    /// where SOPS would not.
    fn unlock(&self, tree: &Tree<'_>, id: NodeId, style: Style, plain: &Plain<'_>, out: &mut Vec<u8>)
    -> Span;

    /// Appends the copy that alias `id` stands for. `tokens` says in document order
    /// for each of its scalars the token, or `None` for what stays in clear, and for each
    /// of its comments the text, or `None` for one that is left out. Only YAML has aliases.
    fn expand(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        _tokens: &mut dyn Iterator<Item = Option<Vec<u8>>>,
        _out: &mut Vec<u8>,
    ) -> Span {
        tree.node(id).span
    }

    /// The tag of scalar `id` that goes where a token takes the value's place, if comments
    /// between the two keep [`Store::lock`] from covering it.
    fn parted_tag(&self, _tree: &Tree<'_>, _id: NodeId) -> Option<Span> {
        None
    }

    /// The name of the alias that is the key of `id`, if it is one.
    fn key_alias<'s>(&self, _tree: &Tree<'s>, _id: NodeId) -> Option<&'s [u8]> {
        None
    }

    /// Appends `key` as it stands in front of a value on one line.
    fn write_key(&self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
    }

    /// The text of a comment that stands in a file as `written`.
    fn comment_text<'w>(&self, written: &'w [u8]) -> &'w [u8] {
        written.get(1..).unwrap_or_default()
    }

    /// The edits that show the encrypted comment `id`, which stands behind a value
    /// on its line, on a line of its own above, as SOPS prints it.
    fn hoist(&self, tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Vec<Edit>;

    /// The span that `spelling` (taken from a plain file by the span that
    /// `lock` returned there) may replace at node `id` of an encrypted tree, if
    /// it reads back as exactly `value` there, and as nothing else.
    fn spelled(&self, tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span>;

    /// The `sops` metadata as nested values, if the file has any.
    fn metadata(&self, tree: &Tree<'_>) -> Result<Option<Value>, ReadError>;

    /// The edits that remove the metadata from an encrypted file: what is left is
    /// exactly what `attach` was given.
    fn detach(&self, tree: &Tree<'_>) -> Vec<Edit>;

    /// The edits that add `metadata` to a plain file.
    fn attach(&self, tree: &Tree<'_>, metadata: &Value) -> Vec<Edit>;

    /// The metadata of an encrypted file as text for [`Store::attach_text`], with
    /// the named top-level string fields replaced (`Some`) or removed (`None`)
    /// and all other bytes kept.
    fn metadata_text(&self, tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText;

    /// The edits that add kept metadata to a plain file.
    fn attach_text(&self, tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit>;

    /// The edits that make `value` the value of node `id`. New text follows the
    /// style and indentation of what it replaces.
    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError>;

    /// The edits that add `key: value` at the end of map `id`, in the
    /// indentation and quoting of its neighbours.
    fn insert(&self, tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError>;

    /// The edits that add `value` at the end of list `id`.
    fn append(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError>;

    /// The edits that remove node `id` with its key.
    fn remove(&self, tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError>;

    /// Documents as a file in SOPS's own layout, byte for byte what SOPS emits
    /// (sops-compat 5) where that is valid and complete.
    fn emit(&self, documents: &[Value], layout: Layout) -> Result<Vec<u8>, WriteError>;

    /// One value as `--extract` prints it (sops-compat 10.4).
    fn emit_value(&self, value: &Value, layout: Layout) -> Result<Vec<u8>, WriteError>;
}

/// The edits that replace the metadata text field `name` where it stands, in
/// every copy of the metadata and in the quotes it has. `text` needs no escapes
/// (a token or a time). `None` if the file has no such field.
pub fn replace_metadata_field(tree: &Tree<'_>, name: &str, text: &str) -> Option<Vec<Edit>> {
    let is_field = |id: NodeId| {
        let key = tree.key(id);
        key == name.as_bytes() || key.strip_prefix(b"sops_") == Some(name.as_bytes())
    };
    let edits: Vec<Edit> = tree
        .nodes
        .iter()
        .enumerate()
        .map(|(id, node)| (id as NodeId, node))
        .filter(|(id, node)| {
            let depth = std::iter::successors(Some(*id), |id| Some(tree.node(*id).parent))
                .take_while(|id| tree.node(*id).parent != *id)
                .count();
            node.kind == Kind::Scalar && node.flags.has(Flags::METADATA) && depth <= 2 && is_field(*id)
        })
        .map(|(_, node)| {
            let quote = match node.style {
                Style::DoubleQuoted => "\"",
                Style::SingleQuoted => "'",
                _ => "",
            };
            Edit::new(node.span, format!("{quote}{text}{quote}"))
        })
        .collect();
    (!edits.is_empty()).then_some(edits)
}

/// The encrypted file `tree` with text fields of its metadata set (`Some`) or
/// removed (`None`). `None` if it cannot be read without its metadata.
pub fn with_metadata_fields(
    store: &dyn Store,
    tree: &Tree<'_>,
    fields: &[(&str, Option<&str>)],
) -> Option<SecretBytes> {
    let text = store.metadata_text(tree, fields);
    let body = SecretBytes::new(splice::apply(tree.source, store.detach(tree)));
    let body = store.read(&body, Purpose::Encrypt).ok()?;
    Some(SecretBytes::new(splice::apply(body.source, store.attach_text(&body, &text))))
}

/// Metadata as a piece of text in its file's own layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataText(pub Vec<u8>);
