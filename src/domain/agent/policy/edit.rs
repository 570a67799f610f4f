//! Changes of a policy in its owner's own layout: principals come, go and get other
//! keys, and not a byte besides changes.

use super::Policy;
use crate::domain::document::change::{Change, changed};
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::{Format, Purpose, WriteError};
use crate::domain::tree::{Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

/// What a principal has in the policy.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Age recipients.
    pub age: Vec<String>,
    /// OpenSSH public keys.
    pub sign: Vec<String>,
}

/// What to do about a policy that cannot be changed in place.
const HINT: &str = "change .leaflock/policy.yaml by hand";

/// The policy with another principal.
///
/// # Errors
/// For a layout in which it finds no place.
pub fn with_principal(bytes: &[u8], name: &str, keys: &Keys, roles: &[&str]) -> Result<Vec<u8>, WriteError> {
    let mut fields = keys_of(keys);
    if !roles.is_empty() {
        fields.push(pair("roles", Value::List(roles.iter().map(|role| text(role)).collect())));
    }
    let principal = Value::Map(fields);
    edited(bytes, |tree, root| {
        let Some(all) = child(tree, root, "principals") else {
            let all = Value::Map(vec![Entry::Pair(name.to_owned(), principal.clone())]);
            return Ok(Some((root, Done::Insert("principals".to_owned(), all))));
        };
        let is_empty = tree.node(all).kind != Kind::Map || tree.children(all).next().is_none();
        Ok(Some(match is_empty {
            true => (all, Done::Replace(Value::Map(vec![Entry::Pair(name.to_owned(), principal.clone())]))),
            false => (all, Done::Insert(name.to_owned(), principal.clone())),
        }))
    })
}

/// The policy with other keys of a principal; what is empty stays as it is.
///
/// # Errors
/// As [`with_principal`]; also if there is no such principal.
pub fn with_keys(bytes: &[u8], name: &str, keys: &Keys) -> Result<Vec<u8>, WriteError> {
    let mut bytes = bytes.to_vec();
    for field in keys_of(keys) {
        let Entry::Pair(key, value) = field else { continue };
        bytes = edited(&bytes, |tree, root| {
            let principal = child(tree, root, "principals").and_then(|all| child(tree, all, name));
            let principal = principal.ok_or_else(|| missing(name))?;
            Ok(Some(match child(tree, principal, &key) {
                Some(old) => (old, Done::Replace(value.clone())),
                None => (principal, Done::Insert(key.clone(), value.clone())),
            }))
        })?;
    }
    Ok(bytes)
}

/// The policy without a principal, and without its name wherever it stands for itself:
/// in groups, in rules that allow, among recipients. Rules that are about nobody then go.
/// Denials stay.
///
/// # Errors
/// As [`with_keys`].
pub fn without_principal(bytes: &[u8], name: &str) -> Result<Vec<u8>, WriteError> {
    let mut bytes = edited(bytes, |tree, root| {
        let principal = child(tree, root, "principals").and_then(|all| child(tree, all, name));
        Ok(Some((principal.ok_or_else(|| missing(name))?, Done::Remove)))
    })?;
    loop {
        let mut found = false;
        let next = edited(&bytes, |tree, root| {
            let mention = mentions(tree, root, name);
            found = mention.is_some();
            Ok(mention)
        })?;
        if !found {
            return Ok(bytes);
        }
        bytes = next;
    }
}

/// The policy with another serial.
///
/// # Errors
/// As [`with_principal`].
pub fn with_serial(bytes: &[u8], serial: u64) -> Result<Vec<u8>, WriteError> {
    let value = Value::Scalar(Scalar::Int(i64::try_from(serial).unwrap_or(i64::MAX)));
    edited(bytes, |tree, root| {
        Ok(Some(match child(tree, root, "serial") {
            Some(old) => (old, Done::Replace(value.clone())),
            None => (root, Done::Insert("serial".to_owned(), value.clone())),
        }))
    })
}

/// What is done to a node.
enum Done {
    Replace(Value),
    Insert(String, Value),
    Remove,
}

/// The policy with what `change` asks for; it must read as a policy again.
fn edited(
    bytes: &[u8],
    change: impl FnOnce(&Tree<'_>, NodeId) -> Result<Option<(NodeId, Done)>, WriteError>,
) -> Result<Vec<u8>, WriteError> {
    let store = Format::Yaml.store();
    let unreadable = || WriteError { message: "the policy cannot be read".to_owned(), hint: Some(HINT) };
    let tree = store.read(bytes, Purpose::AsIs).map_err(|_| unreadable())?;
    let root = tree.documents.first().map(|document| document.root).ok_or_else(unreadable)?;
    let Some((id, done)) = change(&tree, root)? else { return Ok(bytes.to_vec()) };
    let change = match &done {
        Done::Replace(value) => Change::Replace(value),
        Done::Insert(key, value) => Change::Insert(key, value),
        Done::Remove => Change::Remove,
    };
    let made: SecretBytes =
        changed(store, &tree, id, change).map_err(|error| WriteError { hint: Some(HINT), ..error })?;
    Ok(made.to_vec())
}

/// The first place that names `name`, and what is to become of it.
fn mentions(tree: &Tree<'_>, root: NodeId, name: &str) -> Option<(NodeId, Done)> {
    let lists = |id: NodeId| -> Vec<NodeId> { tree.children(id).filter(|it| is_data(tree, *it)).collect() };
    if let Some(recovery) = child(tree, root, "recovery")
        && let Some(found) = in_list(tree, recovery, name)
    {
        return Some((found.unwrap_or(recovery), Done::Remove));
    }
    for group in child(tree, root, "groups").map(lists).unwrap_or_default() {
        if let Some(found) = in_list(tree, group, name) {
            // A group may be empty, and its name may stand in rules.
            return Some(match found {
                Some(item) if tree.children(group).filter(|it| is_data(tree, *it)).count() > 1 => {
                    (item, Done::Remove)
                }
                _ => (group, Done::Replace(Value::List(Vec::new()))),
            });
        }
    }
    for source in child(tree, root, "sources").map(lists).unwrap_or_default() {
        let recipients = child(tree, source, "recipients");
        if let Some(recipients) = recipients
            && let Some(found) = in_list(tree, recipients, name)
        {
            return Some((found.unwrap_or(recipients), Done::Remove));
        }
    }
    let secrets = child(tree, child(tree, root, "access_control")?, "secrets")?;
    for path in lists(secrets) {
        let rules = if tree.node(path).kind == Kind::List { lists(path) } else { vec![path] };
        for rule in rules {
            let Some(agents) = child(tree, rule, "allowed_agents") else { continue };
            let Some(found) = in_list(tree, agents, name) else { continue };
            let others = tree.node(agents).kind == Kind::List && lists(agents).len() > 1;
            return Some(match found {
                Some(item) if others => (item, Done::Remove),
                _ if lists(secrets).len() == 1 && (rule == path || lists(path).len() == 1) => {
                    (secrets, Done::Replace(Value::Map(Vec::new())))
                }
                _ if rule == path || lists(path).len() == 1 => (path, Done::Remove),
                _ => (rule, Done::Remove),
            });
        }
    }
    None
}

/// Where `list`, a list or a single text, holds `name`: the item, or the text itself.
fn in_list(tree: &Tree<'_>, list: NodeId, name: &str) -> Option<Option<NodeId>> {
    let is_name =
        |id: NodeId| tree.node(id).kind == Kind::Scalar && tree.text(tree.node(id).text) == name.as_bytes();
    match tree.node(list).kind {
        Kind::List => tree.children(list).find(|id| is_name(*id)).map(Some),
        Kind::Scalar => is_name(list).then_some(None),
        _ => None,
    }
}

fn is_data(tree: &Tree<'_>, id: NodeId) -> bool {
    tree.node(id).kind != Kind::Comment
}

fn child(tree: &Tree<'_>, map: NodeId, key: &str) -> Option<NodeId> {
    if tree.node(map).kind != Kind::Map {
        return None;
    }
    tree.children(map).find(|id| tree.has_key(*id) && tree.key(*id) == key.as_bytes())
}

fn keys_of(keys: &Keys) -> Vec<Entry> {
    let mut fields = Vec::new();
    for (name, list) in [("age", &keys.age), ("sign", &keys.sign)] {
        match &list[..] {
            [] => {}
            [one] => fields.push(pair(name, text(one))),
            all => fields.push(pair(name, Value::List(all.iter().map(|it| text(it)).collect()))),
        }
    }
    fields
}

fn pair(key: &str, value: Value) -> Entry {
    Entry::Pair(key.to_owned(), value)
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn missing(name: &str) -> WriteError {
    WriteError { message: format!("the policy has no principal {name}"), hint: None }
}

/// The principals that use `name` as their broker.
pub fn served_by<'p>(policy: &'p Policy, name: &str) -> Vec<&'p str> {
    let served = policy.principals.values().filter(|it| it.broker.as_deref() == Some(name));
    served.map(|it| it.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Keys, with_keys, with_principal, with_serial, without_principal};

    const POLICY: &str = "\
# ours
version: 1
serial:   4  # up
principals:
  # people
  humans/ana: { age: age1ana, sign: ssh-ed25519 AAAA, roles: [admin] }
  ops/a: # first
    age: age1a
groups:
  g: [ops/a, humans/ana]
  h: [ops/a]
recovery: [humans/ana, ops/a]
access_control:
  secrets:
    # kept
    db: { allowed_agents: [ops/a, humans/ana] }
    api:
      allowed_agents: ops/a
    web:
      - { allowed_agents: [ops/a] }
      - { allowed_agents: [\"ops/*\"] }
  deny:
    - { agents: [ops/a], secrets: x }
";

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_principal_comes_and_the_rest_stays() {
        let keys = Keys { age: vec!["age1b".into()], sign: vec!["ssh-ed25519 BBBB".into()] };
        let made = text(with_principal(POLICY.as_bytes(), "ops/b", &keys, &["ci"]).unwrap());
        let added = "  ops/b:\n    age: age1b\n    sign: ssh-ed25519 BBBB\n    roles:\n      - ci\n";
        assert_eq!(made, POLICY.replace("groups:\n", &format!("{added}groups:\n")));
        for empty in ["version: 1\n", "version: 1\nprincipals: {}\n", "version: 1\nprincipals:\n"] {
            let made = text(with_principal(empty.as_bytes(), "ops/b", &keys, &[]).unwrap());
            assert!(made.starts_with("version: 1\n") && made.contains("ops/b"), "{made}");
        }
    }

    #[test]
    fn keys_are_replaced_where_they_stand() {
        let keys = Keys { age: vec!["age1new".into()], sign: Vec::new() };
        let made = text(with_keys(POLICY.as_bytes(), "ops/a", &keys).unwrap());
        assert_eq!(made, POLICY.replace("age: age1a\n", "age: age1new\n"));
        let keys = Keys { age: Vec::new(), sign: vec!["ssh-ed25519 CCCC".into()] };
        let made = text(with_keys(POLICY.as_bytes(), "ops/a", &keys).unwrap());
        assert_eq!(made, POLICY.replace("age: age1a\n", "age: age1a\n    sign: ssh-ed25519 CCCC\n"));
        assert!(with_keys(POLICY.as_bytes(), "ops/x", &keys).is_err());
    }

    #[test]
    fn a_principal_goes_with_its_mentions() {
        let made = text(without_principal(POLICY.as_bytes(), "ops/a").unwrap());
        let rest: String = made.lines().filter(|line| !line.contains("agents: [ops/a], secrets")).collect();
        assert!(!rest.contains("ops/a") && !rest.contains("api"), "{made}");
        for kept in ["# ours", "# people", "# kept", "g: [humans/ana]", "h: []", "recovery: [humans/ana]"] {
            assert!(made.contains(kept), "{kept}: {made}");
        }
        assert!(made.contains("deny:\n    - { agents: [ops/a], secrets: x }"), "{made}");
        let alone =
            "principals: {a: {age: x}, b: {age: y}}\naccess_control: {secrets: {x: {allowed_agents: a}}}\n";
        let made = text(without_principal(alone.as_bytes(), "a").unwrap());
        assert!(made.contains("secrets: {}"), "{made}");
    }

    #[test]
    fn the_serial_grows() {
        assert_eq!(
            text(with_serial(POLICY.as_bytes(), 5).unwrap()),
            POLICY.replace("serial:   4  # up", "serial:   5  # up")
        );
        let flow = "{version: 1, \"serial\": 7, access_control: {secrets: {}}}";
        let raised = text(with_serial(flow.as_bytes(), 100).unwrap());
        assert_eq!(raised, flow.replace('7', "100"));
        let names = "{repo: serial7, serial: 7, access_control: {secrets: {}}}";
        let raised = text(with_serial(names.as_bytes(), 100).unwrap());
        assert_eq!(raised, names.replace("serial: 7", "serial: 100"));
    }
}
