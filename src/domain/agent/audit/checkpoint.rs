//! A checkpoint: the heads of all chains at one moment, signed by somebody whose key
//! the writers do not hold. What is cut off or written anew below it contradicts it.
//!
//! A file holds one line as the log does, with `sig` as its last field, over the same
//! bytes, in namespace [`NAMESPACE`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::entry::{Head, signed_line};

/// What the signatures of checkpoints are made for.
pub const NAMESPACE: &str = "leaflock-checkpoint@v1";

/// A checkpoint without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// When it was made: RFC 3339, UTC, with milliseconds.
    pub timestamp: String,
    /// The id of the repository's policy.
    pub repo: Option<String>,
    /// The principal that signs it.
    pub signer: String,
    /// The fingerprint of its key, `SHA256:…`.
    pub key: String,
    /// The digest of the policy in force: `sha256:HEX`.
    pub policy: String,
    /// The head of every writer.
    pub writers: BTreeMap<String, Head>,
    /// The digests of the checkpoints before it that no other one names.
    pub previous: Vec<String>,
}

impl Checkpoint {
    /// What is signed: the line without its signature.
    pub fn message(&self) -> String {
        let text = |value: &str| Value::from(value).to_string();
        let writers: Map<String, Value> =
            self.writers.iter().map(|(writer, head)| (writer.clone(), head.to_value())).collect();
        format!(
            "{{\"v\":1,\"timestamp\":{},\"repo\":{},\"signer\":{},\"key\":{},\"policy\":{},\"writers\":{},\"previous\":{}}}",
            text(&self.timestamp),
            self.repo.as_deref().map_or("null".to_owned(), text),
            text(&self.signer),
            text(&self.key),
            text(&self.policy),
            Value::from(writers),
            Value::from(self.previous.clone()),
        )
    }

    /// Reads a line without its line feed, and its signature.
    pub fn parse(line: &[u8]) -> Option<(Self, String)> {
        let value: Value = serde_json::from_slice(line).ok()?;
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let mut writers = BTreeMap::new();
        for (writer, head) in value.get("writers")?.as_object()? {
            writers.insert(writer.clone(), Head::of_json(head)?);
        }
        let previous = value.get("previous")?.as_array()?;
        let checkpoint = Self {
            timestamp: text("timestamp")?,
            repo: text("repo"),
            signer: text("signer")?,
            key: text("key")?,
            policy: text("policy")?,
            writers,
            previous: previous.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        };
        let signature = text("sig")?;
        let same = signed_line(&checkpoint.message(), &signature);
        (same.as_bytes() == line).then_some((checkpoint, signature))
    }

    /// The name of its file, by the time and the digest of its line.
    pub fn file_name(&self, digest: &str) -> String {
        let time: String = self.timestamp.chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
        let tag: String = digest.trim_start_matches("sha256:").chars().take(8).collect();
        format!("{time}Z-{tag}.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_has_a_name_by_its_time() {
        let head = Head { seq: 9, digest: "sha256:00".to_owned() };
        let checkpoint = Checkpoint {
            timestamp: "2026-11-22T01:02:03.456Z".to_owned(),
            repo: None,
            signer: "humans/ana".to_owned(),
            key: "SHA256:x".to_owned(),
            policy: "sha256:11".to_owned(),
            writers: BTreeMap::from([("w-1".to_owned(), head)]),
            previous: vec!["sha256:22".to_owned()],
        };
        let line = signed_line(&checkpoint.message(), "AAAA");
        assert_eq!(Checkpoint::parse(line.as_bytes()), Some((checkpoint.clone(), "AAAA".to_owned())));
        assert_eq!(Checkpoint::parse(line.replacen(':', ": ", 1).as_bytes()), None);
        assert_eq!(checkpoint.file_name("sha256:0123456789"), "20261122T010203Z-01234567.json");
    }
}
