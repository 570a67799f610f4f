//! Reads a YAML tree into typed fields the way go-yaml fills Go structs: aliases
//! and merge keys followed, null like absent, scalars converted where Go's types allow it.
//! Every field knows its line and key path.

use super::{ConfigError, UNREADABLE, Unknown};
use crate::domain::scalar::Scalar;
use crate::domain::store::Format;
use crate::domain::tree::{Kind, NodeId, Style, Tag, Tree};

/// Nodes that one config may visit, aliases counted every time: bounds what
/// anchors can multiply.
const MOST_VISITS: usize = 1_000_000;
/// Levels of merge keys and key groups inside each other.
pub(super) const MOST_LEVELS: usize = 100;

/// A place in the file.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Where it is written: the alias, not its target.
    pub(super) node: NodeId,
    /// `creation_rules[1].age`.
    pub(super) path: String,
    level: usize,
}

impl Field {
    pub(super) fn root(node: NodeId) -> Self {
        Self { node, path: String::new(), level: 0 }
    }

    fn key(&self, node: NodeId, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { node, path, level: self.level + 1 }
    }

    fn item(&self, node: NodeId, index: usize) -> Self {
        Self { node, path: format!("{}[{index}]", self.path), level: self.level + 1 }
    }
}

/// A tree that is being read.
pub(super) struct Reader<'t> {
    tree: &'t Tree<'t>,
    visits: usize,
    unknown: Vec<Unknown>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(tree: &'t Tree<'t>) -> Self {
        Self { tree, visits: 0, unknown: Vec::new() }
    }

    pub(super) fn into_unknown(self) -> Vec<Unknown> {
        self.unknown
    }

    /// The line of a field.
    pub(super) fn line(&self, field: &Field) -> usize {
        let node = self.tree.node(field.node);
        let at = if node.key.is_empty() { node.span } else { node.key };
        self.tree.line(at.start.min(self.tree.source.len() as u32))
    }

    /// An error at `field`, with sops's message.
    pub(super) fn error(&self, field: &Field, message: impl Into<String>, advice: &str) -> ConfigError {
        ConfigError {
            message: message.into(),
            line: Some(self.line(field)),
            key: field.path.clone(),
            advice: (!advice.is_empty()).then(|| advice.to_owned()),
        }
    }

    /// go-yaml's complaint that a node does not fit a Go type.
    fn misfit(&self, field: &Field, go_type: &str) -> ConfigError {
        let node = self.tree.node(self.target(field.node));
        let line = self.tree.line(node.span.start.min(self.tree.source.len() as u32));
        let found = match node.kind {
            Kind::Map => "!!map",
            Kind::List => "!!seq",
            _ => match self.scalar(field) {
                Scalar::Null => "!!null",
                Scalar::Bool(_) => "!!bool",
                Scalar::Int(_) => "!!int",
                Scalar::Float(_) => "!!float",
                Scalar::Time(_) => "!!timestamp",
                Scalar::Str(_) => "!!str",
            },
        };
        let expected = match go_type {
            "string" => "a text",
            "int" => "a whole number",
            "bool" => "true or false",
            "[]string" => "a list of texts",
            _ if go_type.starts_with("[]") => "a list of mappings",
            _ => "a mapping",
        };
        let message = format!(
            "{UNREADABLE}: yaml: unmarshal errors:\n  line {line}: cannot unmarshal {found} into {go_type}"
        );
        self.error(field, message, &format!("expected {expected}"))
    }

    /// The node that `node` stands for.
    fn target(&self, node: NodeId) -> NodeId {
        let found = self.tree.node(node);
        let target = found.text.start;
        if found.kind == Kind::Alias && (target as usize) < self.tree.nodes.len() { target } else { node }
    }

    fn visit(&mut self, field: &Field) -> Result<NodeId, ConfigError> {
        self.visits += 1;
        if self.visits > MOST_VISITS || field.level > MOST_LEVELS {
            let message = format!("{UNREADABLE}: yaml: document contains excessive aliasing");
            return Err(self.error(field, message, "aliases or levels without end"));
        }
        Ok(self.target(field.node))
    }

    fn scalar(&self, field: &Field) -> Scalar<'_> {
        Format::Yaml.store().scalar(self.tree, self.target(field.node))
    }

    /// The kind of what stands at `field`.
    pub(super) fn kind(&self, field: &Field) -> Kind {
        self.tree.node(self.target(field.node)).kind
    }

    /// True when `field` is null or empty.
    pub(super) fn is_null(&self, field: &Field) -> bool {
        self.kind(field) == Kind::Scalar && matches!(self.scalar(field), Scalar::Null)
    }

    /// The pairs of a mapping, those of merge keys behind its own and only where it
    /// has none of that name. Null has none; anything else does not fit `go_type`.
    pub(super) fn entries(
        &mut self,
        field: &Field,
        go_type: &str,
    ) -> Result<Vec<(String, Field)>, ConfigError> {
        let target = self.visit(field)?;
        if self.is_null(field) {
            return Ok(Vec::new());
        }
        if self.kind(field) != Kind::Map {
            return Err(self.misfit(field, go_type));
        }
        let mut own: Vec<(String, Field)> = Vec::new();
        let mut merges = Vec::new();
        for child in self.tree.children(target) {
            if self.tree.node(child).kind == Kind::Comment {
                continue;
            }
            let name = String::from_utf8_lossy(self.tree.key(child)).into_owned();
            let inner = field.key(child, &name);
            if name == "<<" { merges.push(inner) } else { own.push((name, inner)) }
        }
        for merge in merges {
            let sources = match self.kind(&merge) {
                Kind::List => self.items(&merge, go_type)?,
                _ => vec![merge],
            };
            for source in sources {
                for (name, inner) in self.entries(&source, go_type)? {
                    if !own.iter().any(|(known, _)| *known == name) {
                        let path = field.key(inner.node, &name).path;
                        own.push((name, Field { path, ..inner }));
                    }
                }
            }
        }
        self.visits += own.len();
        Ok(own)
    }

    /// The elements of a list, null ones left out as go-yaml does. Null has none; anything else
    /// does not fit `go_type`.
    pub(super) fn items(&mut self, field: &Field, go_type: &str) -> Result<Vec<Field>, ConfigError> {
        let target = self.visit(field)?;
        if self.is_null(field) {
            return Ok(Vec::new());
        }
        if self.kind(field) != Kind::List {
            return Err(self.misfit(field, go_type));
        }
        let tree = self.tree;
        let nodes = tree.children(target).filter(|child| tree.node(*child).kind != Kind::Comment);
        let items: Vec<Field> = nodes.enumerate().map(|(index, node)| field.item(node, index)).collect();
        self.visits += items.len();
        Ok(items.into_iter().filter(|item| !self.is_null(item)).collect())
    }

    /// A text; null is empty, and other scalars are taken as they are written.
    pub(super) fn string(&mut self, field: &Field) -> Result<String, ConfigError> {
        self.string_or(field)?.ok_or_else(|| self.misfit(field, "string"))
    }

    fn string_or(&mut self, field: &Field) -> Result<Option<String>, ConfigError> {
        let target = self.visit(field)?;
        if self.kind(field) != Kind::Scalar {
            return Ok(None);
        }
        let node = self.tree.node(target);
        let text = match self.scalar(field) {
            Scalar::Null => String::new(),
            Scalar::Str(text) => String::from_utf8_lossy(&text).into_owned(),
            _ => String::from_utf8_lossy(self.tree.text(node.text)).into_owned(),
        };
        Ok(Some(text))
    }

    /// A list of texts.
    pub(super) fn strings(&mut self, field: &Field) -> Result<Vec<(String, Field)>, ConfigError> {
        let items = self.items(field, "[]string")?;
        items.into_iter().map(|item| Ok((self.string(&item)?, item))).collect()
    }

    /// A whole number; a float loses its fraction, as in Go. `None` for null.
    pub(super) fn int(&mut self, field: &Field) -> Result<Option<i64>, ConfigError> {
        self.visit(field)?;
        if self.kind(field) == Kind::Scalar {
            match self.scalar(field) {
                Scalar::Null => return Ok(None),
                Scalar::Int(number) => return Ok(Some(number)),
                Scalar::Float(number) if number.abs() < 9.0e18 => return Ok(Some(number as i64)),
                _ => {}
            }
        }
        Err(self.misfit(field, "int"))
    }

    /// A truth value, YAML 1.1's `yes` and `no` included.
    pub(super) fn bool(&mut self, field: &Field) -> Result<bool, ConfigError> {
        self.visit(field)?;
        if self.kind(field) == Kind::Scalar {
            match self.scalar(field) {
                Scalar::Null => return Ok(false),
                Scalar::Bool(value) => return Ok(value),
                Scalar::Str(text) => match &*text {
                    b"y" | b"Y" | b"yes" | b"Yes" | b"YES" | b"on" | b"On" | b"ON" => return Ok(true),
                    b"n" | b"N" | b"no" | b"No" | b"NO" | b"off" | b"Off" | b"OFF" => return Ok(false),
                    _ => {}
                },
                _ => {}
            }
        }
        Err(self.misfit(field, "bool"))
    }

    /// The Go type of what stands at `field`, for sops's messages; `None` for null.
    pub(super) fn go_type(&self, field: &Field) -> Option<&'static str> {
        Some(match self.kind(field) {
            Kind::Map => "map[string]interface {}",
            Kind::List => "[]interface {}",
            _ => match self.scalar(field) {
                Scalar::Null => return None,
                Scalar::Bool(_) => "bool",
                Scalar::Int(_) => "int",
                Scalar::Float(_) => "float64",
                Scalar::Time(_) => "time.Time",
                Scalar::Str(_) => "string",
            },
        })
    }

    /// The name that stands beside a value: the comment behind it, else the anchor that it
    /// refers to or carries, else a comment of one line above it.
    pub(super) fn name_of(&self, field: &Field) -> Option<String> {
        let behind = self.comment_before(field.node, Style::Inline);
        let anchor = || {
            let anchor = self.tree.properties_of(self.target(field.node)).anchor;
            let name = self.tree.raw(anchor).strip_prefix(b"&")?;
            Some(String::from_utf8_lossy(name).into_owned())
        };
        let at_target = || self.comment_before(self.target(field.node), Style::Inline);
        let above = || self.comment_before(field.node, Style::OwnLine);
        behind.or_else(at_target).or_else(anchor).or_else(above).filter(|name| !name.is_empty())
    }

    /// The comment of that style directly before `node` among its siblings; one
    /// of several lines names nothing.
    fn comment_before(&self, node: NodeId, style: Style) -> Option<String> {
        let parent = self.tree.node(node).parent;
        let comment = |back: u32| {
            let before = self.tree.node(node.checked_sub(back)?);
            (before.kind == Kind::Comment && before.parent == parent).then_some(before)
        };
        let first = comment(1)?;
        if first.style != style || (style == Style::OwnLine && comment(2).is_some()) {
            return None;
        }
        Some(String::from_utf8_lossy(self.tree.text(first.text)).trim().to_owned())
    }

    /// Notes a key that means nothing here.
    pub(super) fn unknown(&mut self, name: &str, field: &Field, known: &[&'static str]) {
        let node = self.tree.node(field.node);
        if node.tag == Tag::Merge {
            return;
        }
        let meant =
            known.iter().copied().filter(|it| distance(name, it) <= 2).min_by_key(|it| distance(name, it));
        self.unknown.push(Unknown { line: self.line(field), key: field.path.clone(), meant });
    }
}

/// The number of letters to insert, remove, replace or swap with a neighbour, between `a` and `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows = [(0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1], vec![0; b.len() + 1]];
    for (i, left) in a.iter().enumerate() {
        let (last, this, before) = (i % 3, (i + 1) % 3, (i + 2) % 3);
        rows[this][0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let mut best = rows[last][j] + usize::from(left != right);
            best = best.min(rows[last][j + 1] + 1).min(rows[this][j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                best = best.min(rows[before][j - 1] + 1);
            }
            rows[this][j + 1] = best;
        }
    }
    rows[a.len() % 3][b.len()]
}
