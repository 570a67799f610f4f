//! Writes out what an alias stands for, where the alias itself cannot stay: a
//! flow collection on one line, in the alias's place.

use crate::domain::scalar::Scalar;
use crate::domain::store::Store;
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};

/// Tokens for the scalars of the copy, in document order; `None` stays in clear.
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
    write(store, tree, alias.text.start, tokens, alone, out);
    alias.span
}

fn write(store: &dyn Store, tree: &Tree<'_>, id: NodeId, tokens: Tokens<'_>, alone: bool, out: &mut Vec<u8>) {
    let node = tree.node(id);
    match node.kind {
        Kind::Comment => {}
        Kind::Alias => write(store, tree, node.text.start, tokens, alone, out),
        Kind::Scalar => match tokens.next().flatten() {
            Some(token) if alone => out.extend_from_slice(&token),
            Some(token) => {
                out.push(b'\'');
                out.extend_from_slice(&token);
                out.push(b'\'');
            }
            None => write_clear(store, tree, id, out),
        },
        Kind::Map | Kind::List => {
            let (open, close) = if node.kind == Kind::Map { (b'{', b'}') } else { (b'[', b']') };
            out.push(open);
            let children = tree.children(id).filter(|&child| tree.node(child).kind != Kind::Comment);
            for (index, child) in children.enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                if node.kind == Kind::Map {
                    match tree.key(child) {
                        b"<<" => out.extend_from_slice(b"<<"),
                        key => write_quoted(key, out),
                    }
                    out.extend_from_slice(b": ");
                }
                write(store, tree, child, tokens, false, out);
            }
            out.push(close);
        }
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
