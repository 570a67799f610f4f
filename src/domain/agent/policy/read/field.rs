//! The values of a policy, each with its line and key path. Stricter than YAML: no aliases, no
//! merge keys, one document; a reviewer sees in every line what it grants.

use crate::domain::agent::policy::PolicyError;
use crate::domain::scalar::Scalar;
use crate::domain::store::Format;
use crate::domain::tree::{Kind, NodeId, Tag, Tree};

/// A place in the file.
#[derive(Clone, Debug)]
pub(super) struct Field {
    node: NodeId,
    /// `access_control.deny[0].agents`.
    path: String,
}

/// A file that is being read.
pub(super) struct Reader<'t> {
    tree: &'t Tree<'t>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(tree: &'t Tree<'t>) -> Self {
        Self { tree }
    }

    /// The only document.
    pub(super) fn root(&self) -> Result<Field, PolicyError> {
        let mut roots = self.tree.documents.iter().map(|document| document.root);
        let root = Field { node: roots.next().unwrap_or_default(), path: String::new() };
        match roots.next() {
            Some(node) => {
                let second = Field { node, path: String::new() };
                Err(self.fault(&second, "is a second document", Some("a policy is one document")))
            }
            None => Ok(root),
        }
    }

    /// The one-based line of a field.
    pub(super) fn line(&self, field: &Field) -> usize {
        let node = self.tree.node(field.node);
        let at = if node.key.is_empty() { node.span } else { node.key };
        self.tree.line(at.start.min(self.tree.source.len() as u32))
    }

    /// An error at `field`: `principals.ops/x.age is no such key`.
    pub(super) fn fault(&self, field: &Field, what: &str, advice: Option<&str>) -> PolicyError {
        let subject = if field.path.is_empty() { "the policy" } else { &field.path };
        self.fault_of(field, format!("{subject} {what}"), advice)
    }

    /// An error at `field` with a text of its own.
    pub(super) fn fault_of(&self, field: &Field, message: String, advice: Option<&str>) -> PolicyError {
        PolicyError { message, line: Some(self.line(field)), advice: advice.map(str::to_owned) }
    }

    fn kind(&self, field: &Field) -> Result<Kind, PolicyError> {
        let node = self.tree.node(field.node);
        if node.kind == Kind::Alias {
            return Err(self.fault(field, "is an alias", Some("write it out, or make a group")));
        }
        Ok(node.kind)
    }

    fn scalar(&self, field: &Field) -> Result<Option<Scalar<'_>>, PolicyError> {
        let is_scalar = self.kind(field)? == Kind::Scalar;
        Ok(is_scalar.then(|| Format::Yaml.store().scalar(self.tree, field.node)))
    }

    pub(super) fn is_null(&self, field: &Field) -> Result<bool, PolicyError> {
        Ok(matches!(self.scalar(field)?, Some(Scalar::Null)))
    }

    pub(super) fn is_map(&self, field: &Field) -> Result<bool, PolicyError> {
        Ok(self.kind(field)? == Kind::Map)
    }

    pub(super) fn is_list(&self, field: &Field) -> Result<bool, PolicyError> {
        Ok(self.kind(field)? == Kind::List)
    }

    /// The pairs of a mapping; null has none.
    pub(super) fn entries(&self, field: &Field) -> Result<Vec<(String, Field)>, PolicyError> {
        if self.is_null(field)? {
            return Ok(Vec::new());
        }
        if !self.is_map(field)? {
            return Err(self.fault(field, "is no mapping", Some("write `key: value` pairs there")));
        }
        let mut found: Vec<(String, Field)> = Vec::new();
        for node in self.children(field) {
            let name = String::from_utf8_lossy(self.tree.key(node)).into_owned();
            let path = if field.path.is_empty() { name.clone() } else { format!("{}.{name}", field.path) };
            let inner = Field { node, path };
            if self.tree.node(node).tag == Tag::Merge || name == "<<" {
                return Err(self.fault(&inner, "is a merge key", Some("write the entries out")));
            }
            found.push((name, inner));
        }
        let mut sorted: Vec<&(String, Field)> = found.iter().collect();
        sorted.sort_by(|one, other| (&one.0, one.1.node).cmp(&(&other.0, other.1.node)));
        match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(self.fault(&pair[1].1, "stands there twice", Some("make one of both"))),
            None => Ok(found),
        }
    }

    /// The pairs of a mapping whose keys are all among `known`.
    pub(super) fn known(
        &self,
        field: &Field,
        known: &[&'static str],
    ) -> Result<Vec<(&'static str, Field)>, PolicyError> {
        let named = |(name, inner): (String, Field)| match known.iter().find(|key| **key == name) {
            Some(key) => Ok((*key, inner)),
            None => {
                let advice = format!("the keys here are {}", known.join(", "));
                Err(self.fault(&inner, "is unknown", Some(&advice)))
            }
        };
        self.entries(field)?.into_iter().map(named).collect()
    }

    /// The value behind `key` of a mapping.
    pub(super) fn entry(&self, field: &Field, key: &str) -> Result<Option<Field>, PolicyError> {
        Ok(self.entries(field)?.into_iter().find(|(name, _)| name == key).map(|(_, inner)| inner))
    }

    /// The elements of a list; null has none.
    pub(super) fn items(&self, field: &Field) -> Result<Vec<Field>, PolicyError> {
        if self.is_null(field)? {
            return Ok(Vec::new());
        }
        if !self.is_list(field)? {
            return Err(self.fault(field, "is no list", Some("write a list: [a, b]")));
        }
        let item = |(at, node)| Field { node, path: format!("{}[{at}]", field.path) };
        Ok(self.children(field).enumerate().map(item).collect())
    }

    /// A list of texts, or one text; null is an empty list.
    pub(super) fn texts(&self, field: &Field) -> Result<Vec<(String, Field)>, PolicyError> {
        if self.kind(field)? == Kind::Scalar && !self.is_null(field)? {
            return Ok(vec![(self.text(field)?, field.clone())]);
        }
        self.items(field)?.into_iter().map(|item| Ok((self.text(&item)?, item))).collect()
    }

    /// A text.
    pub(super) fn text(&self, field: &Field) -> Result<String, PolicyError> {
        match self.scalar(field)? {
            Some(Scalar::Str(text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Some(_) => Err(self.fault(field, "is no text", Some("put it in quotes"))),
            None => Err(self.fault(field, "is no text", Some("write one text there"))),
        }
    }

    /// A scalar as it is written.
    pub(super) fn spelled(&self, field: &Field) -> Result<String, PolicyError> {
        match self.kind(field)? {
            Kind::Scalar => {
                Ok(String::from_utf8_lossy(self.tree.text(self.tree.node(field.node).text)).into_owned())
            }
            _ => Err(self.fault(field, "is no text", Some("write one text there"))),
        }
    }

    /// A whole number from zero on.
    pub(super) fn number(&self, field: &Field) -> Result<u64, PolicyError> {
        let number = match self.scalar(field)? {
            Some(Scalar::Int(number)) => u64::try_from(number).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.fault(field, "is no number", Some("write a whole number: 1")))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, field: &Field) -> Result<bool, PolicyError> {
        match self.scalar(field)? {
            Some(Scalar::Bool(flag)) => Ok(flag),
            _ => Err(self.fault(field, "is neither true nor false", Some("write true or false"))),
        }
    }

    fn children(&self, field: &Field) -> impl Iterator<Item = NodeId> {
        self.tree.children(field.node).filter(|node| self.tree.node(*node).kind != Kind::Comment)
    }
}
