//! `.leaflock/manifest.json`: the sources and derived files that somebody who may sign
//! has seen. Whatever differs from it was written by somebody else.
//!
//! It is JSON with sorted keys and a line for each file, so that git can show what
//! changed. No field tells anything of a value: contents are told by SHA-256 of
//! encrypted files, and by marks (see [`super::view::View::mark`]).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::place;
use crate::domain::digest;
use crate::domain::scalar::LARGEST_EXACT;

/// Where it lies, from the folder that the policy governs.
pub const PLACE: &str = ".leaflock/manifest.json";

/// Its signature.
pub const SIGNATURE: &str = ".leaflock/manifest.json.sig";

/// The namespace of its signature.
pub const NAMESPACE: &str = "leaflock-manifest@v1";

/// The version of the layout.
const VERSION: u64 = 1;

/// A manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The repository, as its policy names it.
    pub repo: String,
    /// Grows by one with each manifest.
    pub serial: u64,
    /// SHA-256 of the policy that it was made by: `sha256:HEX`.
    pub policy: String,
    /// The revocations that it heeds, each as `sha256:HEX`, with the serial of the policy
    /// in force when they were first heeded. Their lines have to be there.
    pub revocations: BTreeMap<String, u64>,
    /// The revocations whose place a policy has taken, with its serial, which is higher
    /// than the one they were heeded under. Their lines may go.
    pub absorbed: BTreeMap<String, u64>,
    /// The sources, by their paths from the folder that the policy governs, with `/`.
    pub sources: BTreeMap<String, Source>,
    /// The derived files, by their paths from the same folder.
    pub derived: BTreeMap<String, Derived>,
}

/// A source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The keys that it is encrypted for, as its metadata names them, sorted.
    pub recipients: Vec<String>,
}

/// A derived file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Whose it is.
    pub agent: String,
    /// What it was made from.
    pub source: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The age recipients that it is encrypted for, sorted.
    pub recipients: Vec<String>,
    /// The paths of its leaves as policies write them, sorted.
    pub secrets: Vec<String>,
    /// See [`super::view::View::mark`].
    pub mark: String,
}

/// What a manifest says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it was signed for.
    Held,
    /// It is another state than the one that was signed for.
    Changed,
    /// It lies where derived files lie, and nobody signed for it.
    Planted,
    /// The manifest does not know it, and need not.
    Unknown,
}

/// True where only derived files belong.
pub fn is_derived(path: &str) -> bool {
    path.starts_with(place::DERIVED)
}

/// Why a manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ManifestError {
    /// What is wrong.
    pub message: String,
    /// One-based line, where known.
    pub line: Option<usize>,
}

fn fault(message: impl Into<String>) -> ManifestError {
    ManifestError { message: message.into(), line: None }
}

/// Where the derived file of `agent` for `source` lies.
pub fn derived_path(agent: &str, source: &str) -> String {
    format!("{}{agent}/{source}", place::DERIVED)
}

impl Manifest {
    /// Reads a manifest. Whether it counts is a matter of its signature.
    ///
    /// # Errors
    /// For what is not JSON, for keys it does not know and values that do not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| ManifestError {
            message: "it is not JSON".to_owned(),
            line: Some(error.line()),
        })?;
        let mut fields = Fields::of(&value, "")?;
        if fields.number("version")? != VERSION {
            return Err(fault("it is of a version that this build does not know"));
        }
        let manifest = Self {
            repo: fields.text("repo")?.to_owned(),
            serial: fields.number("serial")?,
            policy: fields.text("policy")?.to_owned(),
            revocations: fields.serials("revocations")?,
            absorbed: fields.serials("absorbed")?,
            sources: fields.entries("sources", |fields| {
                Ok(Source { sha256: fields.digest()?, recipients: fields.texts("recipients")? })
            })?,
            derived: fields.entries("derived", |fields| {
                Ok(Derived {
                    agent: fields.text("agent")?.to_owned(),
                    source: fields.text("source")?.to_owned(),
                    sha256: fields.digest()?,
                    recipients: fields.texts("recipients")?,
                    secrets: fields.texts("secrets")?,
                    mark: fields.text("mark")?.to_owned(),
                })
            })?,
        };
        fields.finish()?;
        for (path, file) in &manifest.derived {
            if *path != derived_path(&file.agent, &file.source) {
                return Err(fault(format!("derived: {path:?} is not where that file belongs")));
            }
        }
        Ok(manifest)
    }

    /// The manifest as it is written and signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sources = self.sources.iter().map(|(path, source)| {
            (path, json!({ "recipients": source.recipients, "sha256": source.sha256 }))
        });
        let derived = self.derived.iter().map(|(path, file)| {
            let Derived { agent, source, sha256, recipients, secrets, mark } = file;
            (
                path,
                json!({
                    "agent": agent,
                    "mark": mark,
                    "recipients": recipients,
                    "secrets": secrets,
                    "sha256": sha256,
                    "source": source,
                }),
            )
        });
        let mut text = String::from("{\n");
        text.push_str(&format!("\"absorbed\":{},\n\"derived\":", json!(self.absorbed)));
        lines(&mut text, derived);
        let [policy, repo] = [&self.policy, &self.repo].map(|text| json!(text));
        let revocations = json!(self.revocations);
        text.push_str(&format!(",\n\"policy\":{policy},\n\"repo\":{repo},\n\"revocations\":{revocations}"));
        text.push_str(&format!(",\n\"serial\":{},\n\"sources\":", self.serial));
        lines(&mut text, sources);
        text.push_str(&format!(",\n\"version\":{VERSION}\n}}\n"));
        text.into_bytes()
    }

    /// The path of the file that has these bytes, if one has.
    pub fn holder(&self, bytes: &[u8]) -> Option<&str> {
        let sha256 = digest::hex_of(bytes);
        let sources = self.sources.iter().map(|(path, file)| (path, &file.sha256));
        let mut all = sources.chain(self.derived.iter().map(|(path, file)| (path, &file.sha256)));
        all.find(|(_, known)| **known == sha256).map(|(path, _)| path.as_str())
    }

    /// What the manifest says of a file at `path`, from the policy's folder, with `bytes`.
    pub fn verdict(&self, path: &str, bytes: &[u8]) -> Verdict {
        let source = self.sources.get(path).map(|it| &it.sha256);
        match source.or_else(|| self.derived.get(path).map(|it| &it.sha256)) {
            Some(known) if *known == digest::hex_of(bytes) => Verdict::Held,
            Some(_) => Verdict::Changed,
            None if is_derived(path) => Verdict::Planted,
            None => Verdict::Unknown,
        }
    }
}

/// An object with an entry a line.
fn lines<'p>(text: &mut String, entries: impl Iterator<Item = (&'p String, Value)>) {
    text.push('{');
    let mut separator = "\n";
    for (path, entry) in entries {
        text.push_str(&format!("{separator}{}:{entry}", json!(path)));
        separator = ",\n";
    }
    text.push_str(if separator == "\n" { "}" } else { "\n}" });
}

/// The fields of an object, taken one after the other.
struct Fields<'v> {
    map: &'v Map<String, Value>,
    place: String,
    taken: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    fn of(value: &'v Value, place: &str) -> Result<Self, ManifestError> {
        let map = value.as_object().ok_or_else(|| fault(format!("{place} is not an object")))?;
        Ok(Self { map, place: place.to_owned(), taken: Vec::new() })
    }

    fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<T, ManifestError> {
        self.taken.push(name);
        let read = self.map.get(name).and_then(read);
        read.ok_or_else(|| fault(format!("{}{name} is missing, or of another type", self.place)))
    }

    fn text(&mut self, name: &'static str) -> Result<&'v str, ManifestError> {
        self.take(name, Value::as_str)
    }

    fn number(&mut self, name: &'static str) -> Result<u64, ManifestError> {
        self.take(name, |value| value.as_u64().filter(|number| *number <= LARGEST_EXACT))
    }

    fn texts(&mut self, name: &'static str) -> Result<Vec<String>, ManifestError> {
        let text = |item: &Value| item.as_str().map(str::to_owned);
        self.take(name, |value| value.as_array()?.iter().map(text).collect())
    }

    fn serials(&mut self, name: &'static str) -> Result<BTreeMap<String, u64>, ManifestError> {
        let serial = |(digest, serial): (&String, &Value)| Some((digest.clone(), serial.as_u64()?));
        self.take(name, |value| value.as_object()?.iter().map(serial).collect())
    }

    fn digest(&mut self) -> Result<String, ManifestError> {
        // The field's name says what it is a digest by.
        self.take("sha256", |value| value.as_str().filter(|text| digest::is_hex(text)).map(str::to_owned))
    }

    fn entries<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Fields<'v>) -> Result<T, ManifestError>,
    ) -> Result<BTreeMap<String, T>, ManifestError> {
        let map = self.take(name, Value::as_object)?;
        let entry = |(path, value): (&'v String, &'v Value)| {
            if !is_path(path) {
                return Err(fault(format!("{name}: {path:?} is no path below the policy's folder")));
            }
            let mut fields = Fields::of(value, &format!("{name}: {path:?}: "))?;
            let read = read(&mut fields)?;
            fields.finish()?;
            Ok((path.clone(), read))
        };
        map.iter().map(entry).collect()
    }

    fn finish(self) -> Result<(), ManifestError> {
        match self.map.keys().find(|key| !self.taken.contains(&key.as_str())) {
            Some(unknown) => Err(fault(format!("{}{unknown:?} is no field that is known", self.place))),
            None => Ok(()),
        }
    }
}

/// True for a path that stays below the folder it starts in.
fn is_path(path: &str) -> bool {
    path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::{Derived, Manifest, Source, Verdict, digest};

    fn manifest() -> Manifest {
        let digest = digest::hex_of(b"");
        let source = Source { sha256: digest.clone(), recipients: vec!["age1a".to_owned()] };
        let derived = Derived {
            agent: "ops/x".to_owned(),
            source: "s/ä.yaml".to_owned(),
            sha256: digest,
            recipients: vec!["age1b".to_owned()],
            secrets: vec!["a.b".to_owned()],
            mark: "bWFyaw==".to_owned(),
        };
        Manifest {
            repo: "r".to_owned(),
            serial: 7,
            policy: "sha256:00".to_owned(),
            revocations: [("sha256:01".to_owned(), 3)].into(),
            absorbed: [("sha256:02".to_owned(), 2)].into(),
            sources: [("s/ä.yaml".to_owned(), source.clone()), ("t.env".to_owned(), source)].into(),
            derived: [(".leaflock/agents/ops/x/s/ä.yaml".to_owned(), derived)].into(),
        }
    }

    #[test]
    fn it_reads_back() {
        for manifest in [manifest(), Manifest::default()] {
            assert_eq!(Manifest::parse(&manifest.to_bytes()).unwrap(), manifest);
        }
    }

    #[test]
    fn each_file_has_a_line_and_keys_are_sorted() {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        assert!(text.ends_with("}\n") && text.lines().any(|line| line.starts_with("\"t.env\":{")), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let sorted: String = value.to_string();
        assert_eq!(text.split('\n').collect::<String>(), sorted);
    }

    #[test]
    fn files_are_told_from_others_by_their_bytes() {
        let manifest = manifest();
        for (path, bytes, verdict) in [
            ("t.env", "", Verdict::Held),
            ("t.env", "x", Verdict::Changed),
            ("u.env", "", Verdict::Unknown),
            (".leaflock/agents/ops/x/s/ä.yaml", "", Verdict::Held),
            (".leaflock/agents/ops/x/s/ä.yaml", "x", Verdict::Changed),
            (".leaflock/agents/ops/x/t.env", "", Verdict::Planted),
            (".leaflock/agents.env", "", Verdict::Unknown),
        ] {
            assert_eq!(manifest.verdict(path, bytes.as_bytes()), verdict, "{path}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"serial\":7", "\"serial\":-7"),
            ("\"serial\":7", "\"serial\":9007199254740992"),
            ("\"repo\"", "\"repro\""),
            ("\"t.env\":", "\"../t.env\":"),
            ("\"t.env\":", "\"/t.env\":"),
            ("\"agent\":\"ops/x\"", "\"agent\":\"ops/y\""),
            ("\"mark\"", "\"value\""),
            ("e3b0c442", "E3B0C442"),
            ("{\n", "[\n"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(changed != text && Manifest::parse(changed.as_bytes()).is_err(), "{from}");
        }
        assert_eq!(Manifest::parse(b"{\n}x").unwrap_err().line, Some(2));
        assert!(Manifest::parse(b"").is_err());
    }
}
