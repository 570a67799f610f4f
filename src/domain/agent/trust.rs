//! What this user trusts, and what this machine has seen: the two files outside of
//! every repository that make a commit unable to grant its author anything.
//!
//! *Pins* say which list of allowed signers a repository had when somebody looked at
//! it. *Marks* say how far a repository was: an older policy than one that was seen, a
//! revocation that is gone, another repository in the same clone are refused. Both are
//! JSON; what does not read back whole is an error and never an empty file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::domain::digest;
use crate::domain::scalar::LARGEST_EXACT;

/// The version of both files.
const VERSION: u64 = 1;

/// The list of allowed signers that is trusted for a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The `repo` of its policy.
    pub repo: String,
    /// The list itself: changes of it have to be signed by its keys.
    pub list: String,
    /// When it was pinned, or last moved on: RFC 3339, UTC.
    pub since: String,
    /// Where the repository was then, for people.
    pub place: String,
}

impl Pin {
    /// The digest of the list.
    pub fn digest(&self) -> String {
        digest::of(self.list.as_bytes())
    }
}

/// All pins, by repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(pub BTreeMap<String, Pin>);

/// How far a repository was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The highest serial of a policy.
    pub serial: u64,
    /// The digest of that policy.
    pub policy: String,
    /// The fingerprints of the keys that its agents sign with.
    pub agents: BTreeSet<String>,
    /// The highest serial of a manifest; `None` before the first.
    pub manifest: Option<u64>,
    /// The digests of revocations that are in force.
    pub revocations: BTreeSet<String>,
}

/// All marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The `repo` that a clone was seen to be, by its common git directory.
    pub clones: BTreeMap<String, String>,
    /// Where its policy was seen, from the top of a work tree, by the same directory.
    pub roots: BTreeMap<String, BTreeSet<String>>,
    /// How far each repository was, by its `repo`.
    pub repositories: BTreeMap<String, Mark>,
}

/// The file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is damaged, or of a version that this build does not know")]
pub struct Damaged;

impl Pins {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        let top = top(bytes)?;
        let mut pins = BTreeMap::new();
        for (repo, value) in object(&top, "pins")? {
            let pin = value.as_object().ok_or(Damaged)?;
            let [list, since, place] = [text(pin, "list")?, text(pin, "since")?, text(pin, "place")?];
            let pin = Pin { repo: repo.clone(), list, since, place };
            if text(value.as_object().ok_or(Damaged)?, "signers")? != pin.digest() {
                return Err(Damaged);
            }
            pins.insert(repo.clone(), pin);
        }
        Ok(Self(pins))
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let pin = |(repo, pin): (&String, &Pin)| {
            let Pin { list, since, place, .. } = pin;
            (repo.clone(), json!({ "signers": pin.digest(), "list": list, "since": since, "place": place }))
        };
        let pins: Map<String, Value> = self.0.iter().map(pin).collect();
        written(&json!({ "version": VERSION, "pins": pins }))
    }
}

impl Marks {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        let top = top(bytes)?;
        let mut marks = Self::default();
        for (place, repo) in object(&top, "clones")? {
            marks.clones.insert(place.clone(), repo.as_str().ok_or(Damaged)?.to_owned());
        }
        // Earlier builds did not write it.
        for (place, roots) in top.get("roots").and_then(Value::as_object).into_iter().flatten() {
            let roots = roots.as_array().ok_or(Damaged)?.iter();
            let roots = roots.map(|root| root.as_str().map(str::to_owned).ok_or(Damaged));
            marks.roots.insert(place.clone(), roots.collect::<Result<_, _>>()?);
        }
        for (repo, value) in object(&top, "repositories")? {
            let fields = value.as_object().ok_or(Damaged)?;
            let number = |name| fields.get(name).ok_or(Damaged);
            let mark = Mark {
                serial: serial(number("serial")?)?,
                policy: text(fields, "policy")?,
                // Earlier builds did not write it.
                agents: fields.get("agents").map_or(Ok(BTreeSet::new()), texts)?,
                manifest: match number("manifest")? {
                    Value::Null => None,
                    value => Some(serial(value)?),
                },
                revocations: texts(number("revocations")?)?,
            };
            marks.repositories.insert(repo.clone(), mark);
        }
        Ok(marks)
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mark = |(repo, mark): (&String, &Mark)| {
            let Mark { serial, policy, agents, manifest, revocations } = mark;
            let fields = json!({
                "serial": serial, "policy": policy, "agents": agents, "manifest": manifest,
                "revocations": revocations
            });
            (repo.clone(), fields)
        };
        let repositories: Map<String, Value> = self.repositories.iter().map(mark).collect();
        let Self { clones, roots, .. } = self;
        written(
            &json!({ "version": VERSION, "clones": clones, "roots": roots, "repositories": repositories }),
        )
    }
}

fn top(bytes: &[u8]) -> Result<Map<String, Value>, Damaged> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(top)) if top.get("version").and_then(Value::as_u64) == Some(VERSION) => Ok(top),
        _ => Err(Damaged),
    }
}

fn serial(value: &Value) -> Result<u64, Damaged> {
    value.as_u64().filter(|serial| *serial <= LARGEST_EXACT).ok_or(Damaged)
}

fn texts(value: &Value) -> Result<BTreeSet<String>, Damaged> {
    let texts = value.as_array().ok_or(Damaged)?.iter();
    texts.map(|it| it.as_str().map(str::to_owned).ok_or(Damaged)).collect()
}

fn object<'m>(map: &'m Map<String, Value>, name: &str) -> Result<&'m Map<String, Value>, Damaged> {
    map.get(name).and_then(Value::as_object).ok_or(Damaged)
}

fn text(map: &Map<String, Value>, name: &str) -> Result<String, Damaged> {
    map.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(Damaged)
}

fn written(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins() -> Pins {
        let pin = Pin {
            repo: "6f0c".to_owned(),
            list: "ana ssh-ed25519 AAAA\n# \"é\"\n".to_owned(),
            since: "2026-11-22T00:00:00Z".to_owned(),
            place: "/work/a b".to_owned(),
        };
        Pins(BTreeMap::from([(pin.repo.clone(), pin)]))
    }

    fn marks() -> Marks {
        let mark = Mark {
            serial: 7,
            policy: digest::of(b"p"),
            agents: BTreeSet::from(["SHA256:a".to_owned()]),
            manifest: Some(3),
            revocations: BTreeSet::from([digest::of(b"r")]),
        };
        Marks {
            clones: BTreeMap::from([("/work/.git".to_owned(), "6f0c".to_owned())]),
            roots: BTreeMap::from([(
                "/work/.git".to_owned(),
                BTreeSet::from([String::new(), "svc".to_owned()]),
            )]),
            repositories: BTreeMap::from([("6f0c".to_owned(), mark), ("new".to_owned(), Mark::default())]),
        }
    }

    #[test]
    fn both_files_read_back() {
        assert_eq!(Pins::parse(&pins().to_bytes()), Ok(pins()));
        assert_eq!(Marks::parse(&marks().to_bytes()), Ok(marks()));
        assert_eq!(Pins::parse(&Pins::default().to_bytes()), Ok(Pins::default()));
    }

    #[test]
    fn what_is_damaged_is_never_read_as_less() {
        for bytes in [pins().to_bytes(), marks().to_bytes()] {
            for end in 0..bytes.len() - 1 {
                assert!(Pins::parse(&bytes[..end]).is_err() && Marks::parse(&bytes[..end]).is_err(), "{end}");
            }
        }
        let changed = |from: &str, to: &str| {
            let text = String::from_utf8(pins().to_bytes()).unwrap();
            assert!(text.contains(from));
            Pins::parse(text.replace(from, to).as_bytes())
        };
        for (from, to) in [("AAAA", "AAAB"), ("\"version\": 1", "\"version\": 2"), ("\"list\"", "\"lust\"")] {
            assert_eq!(changed(from, to), Err(Damaged), "{from}");
        }
        for text in
            ["{}", "[]", "{\"version\":1}", "{\"version\":1,\"clones\":{\"a\":1},\"repositories\":{}}"]
        {
            assert!(
                Pins::parse(text.as_bytes()).is_err() && Marks::parse(text.as_bytes()).is_err(),
                "{text}"
            );
        }
    }
}
