//! Writes out what an alias stands for, where the alias itself cannot stay: a
//! flow collection in the alias's place, on one line but for comments that
//! decide what is encrypted behind them.

use crate::domain::scalar::Scalar;
use crate::domain::store::Store;
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};

/// What becomes of the scalars and comments of the copy, in document order: a token or
/// the comment's text; `None` stays in clear or is left out.
type Tokens<'a> = &'a mut dyn Iterator<Item = Option<Vec<u8>>>;

/// Appends the copy that alias `id` stands for. See [`Store::expand`].
pub(super) fn expand(
    store: &dyn Store,
    tree: &Tree<'_>,
    id: NodeId,
    tokens: Tokens<'_>,
    out: &mut Vec<u8>,
) -> Span {
    let alias = tree.node(id);
    let target = tree.node(alias.text.start);
    let alone = target.kind == Kind::Scalar && !alias.flags.has(Flags::IN_FLOW);
    let mut copy = Copy { store, tree, tokens, indent: usize::try_from(alias.indent).map_or(1, |it| it + 2) };
    copy.write(alias.text.start, alone, out);
    alias.span
}

/// A copy that is being written.
struct Copy<'a, 't> {
    store: &'a dyn Store,
    tree: &'a Tree<'t>,
    tokens: Tokens<'a>,
    /// Spaces before a line of it.
    indent: usize,
}

impl Copy<'_, '_> {
    fn write(&mut self, id: NodeId, alone: bool, out: &mut Vec<u8>) {
        let node = self.tree.node(id);
        match node.kind {
            Kind::Comment => {}
            Kind::Alias => self.write(node.text.start, alone, out),
            Kind::Scalar => match self.tokens.next().flatten() {
                Some(token) if alone => out.extend_from_slice(&token),
                Some(token) => {
                    out.push(b'\'');
                    out.extend_from_slice(&token);
                    out.push(b'\'');
                }
                None => write_clear(self.store, self.tree, id, out),
            },
            Kind::Map if self.tree.is_null_root(id) => {
                self.tree.children(id).for_each(|_comment| drop(self.tokens.next()));
                out.extend_from_slice(b"null");
            }
            Kind::Map => self.write_collection(id, b"{}", out),
            Kind::List => self.write_collection(id, b"[]", out),
        }
    }

    fn write_collection(&mut self, id: NodeId, brackets: &[u8; 2], out: &mut Vec<u8>) {
        let tree = self.tree;
        out.push(brackets[0]);
        let mut any = false;
        let mut comments: Vec<Vec<u8>> = Vec::new();
        for child in tree.children(id) {
            if tree.node(child).kind == Kind::Comment {
                comments.extend(self.tokens.next().flatten());
                continue;
            }
            if any {
                out.extend_from_slice(if comments.is_empty() { b", " } else { b"," });
            }
            any = true;
            let lines = comments.len();
            for comment in comments.drain(..) {
                self.break_line(out);
                out.push(b'#');
                out.extend_from_slice(&comment);
            }
            if lines > 0 {
                self.break_line(out);
            }
            if tree.node(id).kind == Kind::Map {
                match tree.key(child) {
                    b"<<" => out.extend_from_slice(b"<<"),
                    key => write_quoted(key, out),
                }
                out.extend_from_slice(b": ");
            }
            self.write(child, false, out);
        }
        out.push(brackets[1]);
    }

    fn break_line(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
        out.resize(out.len() + self.indent, b' ');
    }
}

/// A scalar that is not encrypted: its own text where that is plain and no
/// string, else its value in double quotes.
fn write_clear(store: &dyn Store, tree: &Tree<'_>, id: NodeId, out: &mut Vec<u8>) {
    let node = tree.node(id);
    match store.scalar(tree, id) {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::Str(text) if std::str::from_utf8(&text).is_ok() => write_quoted(&text, out),
        _ => {
            out.extend_from_slice(tree.raw(tree.properties_of(id).tag));
            if node.flags.has(Flags::PROPERTIES) {
                out.push(b' ');
            }
            match node.style {
                Style::Plain => out.extend_from_slice(tree.text(node.text)),
                _ => write_quoted(tree.text(node.text), out),
            }
        }
    }
}

/// `text` in double quotes, on one line, with escapes that JSON and YAML share.
pub(super) fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(character)).as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
