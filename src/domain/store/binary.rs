//! The binary store: any file as one string value at the key `data`
//! (sops-compat 5.5). Only the plain side has this format; an encrypted binary
//! file is JSON, made by [`frame`] and read by the JSON store.

use super::splice::Edit;
use super::{Format, Layout, MetadataText, Plain, Purpose, ReadError, Store, WriteError};
use crate::domain::scalar::Scalar;
use crate::domain::search;
use crate::domain::secret::Text;
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};
use crate::domain::value::{Entry, Value};

/// The key of the one value.
pub const KEY: &str = "data";

/// The associated data of that value.
pub const AAD: &[u8] = b"data:";

/// What SOPS adds to its messages about data that is not binary.
const HINT: &str = "This is likely not an encrypted binary file? If not, use --output-type to select the \
                    correct output type.";

/// The binary store.
#[derive(Clone, Copy, Debug)]
pub struct Binary;

/// What stands before and behind the token in an encrypted binary file, so that
/// a token of any size can be written between the two without being copied.
///
/// # Errors
/// Metadata that JSON cannot hold.
pub fn frame(metadata: &Value, layout: Layout) -> Result<(Vec<u8>, Vec<u8>), WriteError> {
    // An empty value leaves `""` behind, which no metadata text precedes.
    let shell = Value::Map(vec![
        Entry::Pair(KEY.into(), Value::text("")),
        Entry::Pair("sops".into(), metadata.clone()),
    ]);
    let mut head = super::json::Json.emit(&[shell], layout)?;
    let quotes = search::memmem(b"\"\"", &head).map_or(head.len(), |at| at + 1);
    let tail = head.split_off(quotes);
    Ok((head, tail))
}

/// The node of `data` in an encrypted binary file that the JSON store read.
///
/// # Errors
/// No string at that key, in the words of SOPS.
pub fn data(tree: &Tree<'_>) -> Result<NodeId, WriteError> {
    let root = tree.documents.first().map_or(0, |document| document.root);
    match tree.children(root).find(|&id| tree.key(id) == KEY.as_bytes()) {
        None => Err(failed("no binary data found in tree")),
        Some(id) if tree.node(id).style == Style::DoubleQuoted => Ok(id),
        Some(_) => Err(failed("'data' key in tree does not have a string value")),
    }
}

fn failed(what: &str) -> WriteError {
    WriteError { message: format!("error emitting binary store: {what}\n\n{HINT}"), hint: None }
}

fn not_structured() -> WriteError {
    WriteError::new("Binary files are not structured and extracting a single value is not possible")
}

impl Store for Binary {
    fn format(&self) -> Format {
        Format::Binary
    }

    fn read<'s>(&self, source: &'s [u8], _purpose: Purpose) -> Result<Tree<'s>, ReadError> {
        if source.len() >= (u32::MAX / 2) as usize {
            return Err(ReadError::syntax(1, "the file is larger than 2 GiB"));
        }
        let mut tree = Tree::new(source);
        let key_text = tree.push_decoded(KEY.as_bytes());
        let whole = Span::new(0, source.len());
        let root = Node {
            kind: Kind::Map,
            style: Style::Block,
            tag: Tag::None,
            flags: Flags::default(),
            parent: 0,
            end: 2,
            key: Span::default(),
            key_text: Span::default(),
            span: whole,
            text: Span::default(),
            indent: 0,
        };
        let value = Node { kind: Kind::Scalar, style: Style::Plain, key_text, text: whole, ..root };
        tree.nodes = vec![root, value];
        tree.documents.push(Document { root: 0, span: whole });
        Ok(tree)
    }

    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t> {
        Scalar::Str(Text::Borrowed(tree.text(tree.node(id).text)))
    }

    fn token_style(&self, _tree: &Tree<'_>, _id: NodeId) -> Style {
        Style::Plain
    }

    fn lock(&self, tree: &Tree<'_>, id: NodeId, _style: Style, token: &str, out: &mut Vec<u8>) -> Span {
        out.extend_from_slice(token.as_bytes());
        tree.node(id).span
    }

    fn unlock(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        _style: Style,
        plain: &Plain<'_>,
        out: &mut Vec<u8>,
    ) -> Span {
        plain.value.write_canonical(out);
        tree.node(id).span
    }

    fn hoist(&self, _tree: &Tree<'_>, _id: NodeId, _text: &[u8]) -> Vec<Edit> {
        Vec::new()
    }

    fn spelled(&self, _tree: &Tree<'_>, _id: NodeId, _spelling: &[u8], _value: &Scalar<'_>) -> Option<Span> {
        None
    }

    fn metadata(&self, _tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
        Ok(None)
    }

    fn detach(&self, _tree: &Tree<'_>) -> Vec<Edit> {
        Vec::new()
    }

    fn attach(&self, _tree: &Tree<'_>, _metadata: &Value) -> Vec<Edit> {
        Vec::new()
    }

    fn metadata_text(&self, _tree: &Tree<'_>, _changes: &[(&str, Option<&str>)]) -> MetadataText {
        MetadataText(Vec::new())
    }

    fn attach_text(&self, _tree: &Tree<'_>, _metadata: &MetadataText) -> Vec<Edit> {
        Vec::new()
    }

    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        match value {
            Value::Scalar(scalar) => {
                let mut text = Vec::new();
                scalar.write_canonical(&mut text);
                Ok(vec![Edit::new(tree.node(id).span, text)])
            }
            _ => Err(not_structured()),
        }
    }

    fn insert(
        &self,
        _tree: &Tree<'_>,
        _id: NodeId,
        _key: &str,
        _value: &Value,
    ) -> Result<Vec<Edit>, WriteError> {
        Err(not_structured())
    }

    fn append(&self, _tree: &Tree<'_>, _id: NodeId, _value: &Value) -> Result<Vec<Edit>, WriteError> {
        Err(not_structured())
    }

    fn remove(&self, _tree: &Tree<'_>, _id: NodeId) -> Result<Vec<Edit>, WriteError> {
        Err(not_structured())
    }

    fn emit(&self, documents: &[Value], _layout: Layout) -> Result<Vec<u8>, WriteError> {
        match documents.first().and_then(|document| document.get(KEY)) {
            None => Err(failed("no binary data found in tree")),
            Some(Value::Scalar(Scalar::Str(text))) => Ok(text.to_vec()),
            Some(_) => Err(failed("'data' key in tree does not have a string value")),
        }
    }

    fn emit_value(&self, value: &Value, layout: Layout) -> Result<Vec<u8>, WriteError> {
        match value {
            Value::Map(_) => self.emit(std::slice::from_ref(value), layout),
            Value::Scalar(Scalar::Str(text)) => Ok(text.to_vec()),
            _ => Err(not_structured()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Binary, KEY, data, frame};
    use crate::domain::store::json::Json;
    use crate::domain::store::{Layout, Purpose, Store};
    use crate::domain::value::{Entry, Value};

    #[test]
    fn a_file_is_one_value() {
        for source in [&b""[..], b"\0\xff", b"text\r\n"] {
            let tree = Binary.read(source, Purpose::Encrypt).unwrap();
            assert_eq!(tree.key(1), KEY.as_bytes());
            assert_eq!(tree.text(tree.node(1).text), source);
            assert_eq!(tree.children(0).count(), 1);
        }
    }

    #[test]
    fn the_frame_holds_a_token_between_head_and_tail() {
        let metadata = Value::Map(vec![Entry::Pair("mac".into(), Value::text(""))]);
        let (head, tail) = frame(&metadata, Layout::default()).unwrap();
        assert_eq!(head, b"{\n\t\"data\": \"");
        assert_eq!(tail, b"\",\n\t\"sops\": {\n\t\t\"mac\": \"\"\n\t}\n}\n");
        let file = [head, b"ENC[x]".to_vec(), tail].concat();
        let tree = Json.read(&file, Purpose::AsIs).unwrap();
        assert_eq!(tree.text(tree.node(data(&tree).unwrap()).text), b"ENC[x]");
    }

    #[test]
    fn data_that_is_not_binary_is_named() {
        let none = Binary.emit(&[Value::Map(vec![])], Layout::default()).unwrap_err();
        assert!(none.message.starts_with("error emitting binary store: no binary data found in tree\n\n"));
        let tree = Json.read(br#"{"data": 1}"#, Purpose::AsIs).unwrap();
        assert!(data(&tree).unwrap_err().message.contains("does not have a string value"));
    }
}
