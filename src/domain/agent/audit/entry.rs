//! One line of the audit trail: who opened what, when, by which policy, and how it
//! ended. No field has room for a value: but for the reason, which the user gives,
//! all of them are names, numbers, digests and words of fixed lists.
//!
//! A line is one JSON object, its fields in the order of [`Entry`], without blanks,
//! and ends with a line feed. `sig` is the last field. What is signed, in namespace
//! [`NAMESPACE`], are the bytes of the line up to `,"sig":` and a closing brace: the
//! same object without that field. `prev` is the SHA-256 over the previous line
//! without its line feed. Both are checked over the bytes as they stand, so nobody
//! has to agree on how JSON is to be written.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::agent::denial::DenyCode;
use crate::domain::scalar::LARGEST_EXACT;

/// The version of the format.
pub const VERSION: u64 = 1;

/// What the signatures of lines are made for.
pub const NAMESPACE: &str = "leaflock-audit@v1";

/// No line is longer, in bytes.
pub const LONGEST_LINE: usize = 256 * 1024;

/// Stands between what is signed and the signature.
const BEFORE_SIGNATURE: &str = ",\"sig\":\"";

/// An enum whose variants are words in the log.
macro_rules! words {
    ($(#[$of:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one of this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

words! {
    /// What was done.
    Action {
        /// A writer begins its chain.
        Genesis = "genesis",
        /// What was being written when the machine stopped was taken out of the chain.
        Recover = "recover",
        /// A file, or a part of it, was decrypted.
        Decrypt = "decrypt",
        /// One value was read.
        Get = "get",
        /// A file was encrypted.
        Encrypt = "encrypt",
        /// A file was opened in an editor.
        Edit = "edit",
        /// A value was given.
        Set = "set",
        /// A value was taken away.
        Unset = "unset",
        /// A file got a new data key.
        Rotate = "rotate",
        /// A data key was wrapped for other recipients.
        Updatekeys = "updatekeys",
        /// A program was started with values.
        ExecStart = "exec.start",
        /// That program ended.
        ExecEnd = "exec.end",
        /// States of a file were compared.
        Diff = "diff",
        /// A file was shown for `git diff`.
        Textconv = "textconv",
        /// Branches of a file were merged.
        Merge = "merge",
        /// A conflict was resolved.
        Resolve = "resolve",
        /// A file was sealed, or its seal looked at.
        Seal = "seal",
        /// A file was checked.
        Check = "check",
        /// Old states of files were opened for a list of what a key could read.
        Exposure = "exposure",
        /// Git's filter encrypted a file.
        Clean = "git.clean",
        /// Git's filter decrypted a file.
        Smudge = "git.smudge",
        /// The former state of a file was opened, so that what did not change stays.
        Reuse = "reuse",
        /// Files of agents were made.
        Sync = "sync",
        /// The policy was signed.
        PolicyChange = "policy.change",
        /// A right was taken away.
        Revoke = "revoke",
        /// The heads of all chains were signed.
        Checkpoint = "checkpoint",
        /// A question was answered without showing a value.
        Inspect = "inspect",
        /// Values were looked for in a text, to take them out of it.
        Redact = "redact",
    }
}

impl Action {
    /// What kind of access it is; `None` if it is none.
    pub fn access(self) -> Option<Access> {
        match self {
            Self::Genesis | Self::Recover | Self::PolicyChange | Self::Revoke | Self::Checkpoint => None,
            Self::Decrypt
            | Self::Get
            | Self::Diff
            | Self::Textconv
            | Self::Check
            | Self::Exposure
            | Self::Smudge
            | Self::Reuse => Some(Access::Read),
            Self::ExecStart | Self::ExecEnd => Some(Access::Exec),
            Self::Inspect | Self::Redact => Some(Access::Use),
            Self::Encrypt
            | Self::Set
            | Self::Unset
            | Self::Rotate
            | Self::Updatekeys
            | Self::Seal
            | Self::Clean
            | Self::Sync => Some(Access::Write),
            Self::Edit | Self::Merge | Self::Resolve => Some(Access::ReadWrite),
        }
    }
}

words! {
    /// What kind of access that is.
    Access {
        /// Somebody sees values.
        Read = "read",
        /// A program gets values.
        Exec = "exec",
        /// Values are used and not seen.
        Use = "use",
        /// Values change.
        Write = "write",
        /// Somebody sees values and changes them.
        ReadWrite = "read-write",
    }
}

words! {
    /// How it ended.
    Outcome {
        /// It may be done; written before it is done.
        Granted = "granted",
        /// It was done.
        Ok = "ok",
        /// It may not be done.
        Denied = "denied",
        /// It could not be done.
        Failed = "failed",
    }
}

words! {
    /// What the writer of an entry is.
    ActorKind {
        /// A principal without any of the other roles.
        Agent = "agent",
        /// A person.
        Human = "human",
        /// A build.
        Ci = "ci",
        /// A process that acts for agents.
        Broker = "broker",
        /// Nobody knows: the policy could not be read.
        Unknown = "unknown",
    }
}

/// Who wrote an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What it is by the policy.
    pub kind: ActorKind,
    /// The fingerprint of its key, `SHA256:…`.
    pub key: String,
    /// Login name on the machine, as far as known.
    pub os_user: Option<String>,
    /// True where `agent_id` is not the owner of the key but somebody that the owner
    /// says to act for.
    pub asserted: bool,
}

/// The program that got values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name without folders.
    pub program: String,
    /// How many arguments it got.
    pub arguments: usize,
    /// Its exit code, once it ended; 128 and the number of the signal that ended it.
    pub exit: Option<u8>,
}

impl Target {
    /// The most characters that a name has.
    pub const LONGEST_NAME: usize = 256;

    /// A program that is about to get values. What is longer than names of files are is cut
    /// off, and what does something to a line is written as in [`Reason`]s.
    pub fn new(program: &str, arguments: usize) -> Self {
        let program = printable(program).chars().take(Self::LONGEST_NAME).collect();
        Self { program, arguments, exit: None }
    }
}

/// What the first entry of a chain binds it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The writer's public key, `TYPE BASE64`.
    pub key: String,
    /// 16 random bytes in hex.
    pub nonce: String,
}

/// How far a chain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of its last entry.
    pub seq: u64,
    /// The digest of its last line, `sha256:HEX`.
    pub digest: String,
}

/// Why something is done, in the user's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The most characters it may have.
    pub const LONGEST: usize = 400;

    /// Takes a text. Control characters, and those that change the direction of a
    /// line, are written as `\u{…}`: the log is shown on terminals. `None` if it is
    /// blank or too long.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > Self::LONGEST {
            return None;
        }
        Some(Self(printable(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text with such characters written as `\u{…}`.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_unprintable(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    shown
}

/// True for characters that do something to a line instead of standing in it.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// An entry without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the chain, from 1.
    pub seq: u64,
    /// When it was written: RFC 3339, UTC, with milliseconds.
    pub timestamp: String,
    /// The id of the repository's policy; `None` where it has none.
    pub repo: Option<String>,
    /// The chain that it is in.
    pub writer: String,
    /// The principal; `None` if the policy could not tell.
    pub agent_id: Option<String>,
    /// Who wrote it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// What kind of access that was; `None` if it was none.
    pub access: Option<Access>,
    /// The paths of the secrets in the file; none is the whole file.
    pub secret_path: Vec<String>,
    /// The file, below the folder of the policy, with `/`.
    pub file: Option<String>,
    /// The digest of its bytes as they stood, encrypted: `sha256:HEX`.
    pub file_digest: Option<String>,
    /// The digest of the policy that was in force: `sha256:HEX`.
    pub policy: Option<String>,
    /// Why, in the user's words.
    pub reason: Option<Reason>,
    /// The program that got values.
    pub target: Option<Target>,
    /// How far the actor was shut in: 0 not at all.
    pub isolation: u8,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was denied.
    pub deny_code: Option<DenyCode>,
    /// The call that it belongs to.
    pub session: String,
    /// In the first entry alone.
    pub genesis: Option<Genesis>,
    /// The heads of other chains that the writer saw.
    pub witness: BTreeMap<String, Head>,
    /// The digest of the previous line; `None` in the first.
    pub prev: Option<String>,
}

impl Entry {
    /// What is signed: the line without its signature.
    pub fn message(&self) -> String {
        let mut out = Object::new();
        out.number("v", VERSION);
        out.number("seq", self.seq);
        out.text("timestamp", Some(&self.timestamp));
        out.text("repo", self.repo.as_deref());
        out.text("writer", Some(&self.writer));
        out.text("agent_id", self.agent_id.as_deref());
        let mut actor = Object::new();
        actor.text("kind", Some(self.actor.kind.as_str()));
        actor.text("key", Some(&self.actor.key));
        actor.text("os_user", self.actor.os_user.as_deref());
        actor.raw("asserted", if self.actor.asserted { "true" } else { "false" });
        out.raw("actor", &actor.end());
        out.text("action", Some(self.action.as_str()));
        out.text("access_type", self.access.map(Access::as_str));
        let paths: Vec<String> = self.secret_path.iter().map(|path| quoted(path)).collect();
        out.raw("secret_path", &format!("[{}]", paths.join(",")));
        out.text("file", self.file.as_deref());
        out.text("file_digest", self.file_digest.as_deref());
        out.text("policy", self.policy.as_deref());
        out.text("reason", self.reason.as_ref().map(Reason::as_str));
        match &self.target {
            Some(target) => {
                let mut inner = Object::new();
                inner.text("program", Some(&target.program));
                inner.number("arguments", target.arguments as u64);
                if let Some(exit) = target.exit {
                    inner.number("exit", exit.into());
                }
                out.raw("target", &inner.end());
            }
            None => out.raw("target", "null"),
        }
        out.number("isolation", self.isolation.into());
        out.text("outcome", Some(self.outcome.as_str()));
        out.text("deny_code", self.deny_code.map(DenyCode::as_str));
        out.text("session", Some(&self.session));
        if let Some(genesis) = &self.genesis {
            let mut inner = Object::new();
            inner.text("key", Some(&genesis.key));
            inner.text("nonce", Some(&genesis.nonce));
            out.raw("genesis", &inner.end());
        }
        let mut witness = Object::new();
        for (writer, head) in &self.witness {
            witness.raw(writer, &head.to_value().to_string());
        }
        out.raw("witness", &witness.end());
        out.text("prev", self.prev.as_deref());
        out.end()
    }

    /// Reads a line without its line feed. It must be written exactly as
    /// [`signed_line`] writes it. Returns the signature too.
    pub fn parse(line: &[u8]) -> Option<(Self, String)> {
        if line.len() > LONGEST_LINE {
            return None;
        }
        let value: Value = serde_json::from_slice(line).ok()?;
        if value.get("v")?.as_u64()? != VERSION {
            return None;
        }
        let entry = Self::of_json(&value)?;
        let signature = text(&value, "sig")?;
        let same = signed_line(&entry.message(), &signature);
        (same.as_bytes() == line).then_some((entry, signature))
    }

    fn of_json(value: &Value) -> Option<Self> {
        let actor = value.get("actor")?;
        let target = match value.get("target")? {
            Value::Null => None,
            target => Some(Target {
                program: text(target, "program")?,
                arguments: usize::try_from(target.get("arguments")?.as_u64()?).ok()?,
                exit: target.get("exit").and_then(Value::as_u64).and_then(|exit| u8::try_from(exit).ok()),
            }),
        };
        let genesis = match value.get("genesis") {
            None => None,
            Some(genesis) => Some(Genesis { key: text(genesis, "key")?, nonce: text(genesis, "nonce")? }),
        };
        let access = value.get("access_type")?;
        let deny_code = value.get("deny_code")?;
        let mut witness = BTreeMap::new();
        for (writer, head) in value.get("witness")?.as_object()? {
            witness.insert(writer.clone(), Head::of_json(head)?);
        }
        let paths = value.get("secret_path")?.as_array()?;
        Some(Self {
            seq: number(value, "seq")?,
            timestamp: text(value, "timestamp")?,
            repo: text(value, "repo"),
            writer: text(value, "writer")?,
            agent_id: text(value, "agent_id"),
            actor: Actor {
                kind: ActorKind::parse(actor.get("kind")?.as_str()?)?,
                key: text(actor, "key")?,
                os_user: text(actor, "os_user"),
                asserted: actor.get("asserted")?.as_bool()?,
            },
            action: Action::parse(value.get("action")?.as_str()?)?,
            access: access.as_str().map(|word| Access::parse(word).ok_or(())).transpose().ok()?,
            secret_path: paths.iter().map(|path| path.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            file: text(value, "file"),
            file_digest: text(value, "file_digest"),
            policy: text(value, "policy"),
            reason: text(value, "reason").map(Reason),
            target,
            isolation: u8::try_from(value.get("isolation")?.as_u64()?).ok()?,
            outcome: Outcome::parse(value.get("outcome")?.as_str()?)?,
            deny_code: deny_code.as_str().map(|word| DenyCode::parse(word).ok_or(())).transpose().ok()?,
            session: text(value, "session")?,
            genesis,
            witness,
            prev: text(value, "prev"),
        })
    }
}

impl Head {
    /// `{"head":DIGEST,"seq":N}`.
    pub fn to_value(&self) -> Value {
        serde_json::json!({ "head": self.digest, "seq": self.seq })
    }

    /// The same, read back.
    pub fn of_json(value: &Value) -> Option<Self> {
        Some(Self { seq: number(value, "seq")?, digest: text(value, "head")? })
    }
}

/// A field that holds a number of the log; `None` if it is none, or too large.
pub fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64().filter(|number| *number <= LARGEST_EXACT)
}

/// A field that holds text; `None` if it is null, of another type or not there.
fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

/// The whole line, without its line feed, of a message and its signature in base64.
pub fn signed_line(message: &str, signature: &str) -> String {
    let body = message.strip_suffix('}').unwrap_or(message);
    format!("{body}{BEFORE_SIGNATURE}{signature}\"}}")
}

/// What is signed of a line, and the signature.
pub fn split_line(line: &[u8]) -> Option<(Vec<u8>, &str)> {
    let at = memchr::memmem::rfind(line, BEFORE_SIGNATURE.as_bytes())?;
    let signature = line[at + BEFORE_SIGNATURE.len()..].strip_suffix(b"\"}")?;
    let mut message = line[..at].to_vec();
    message.push(b'}');
    Some((message, std::str::from_utf8(signature).ok()?))
}

/// A JSON string. What JSON need not escape and a terminal could obey is escaped too.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    if !json.contains(is_unprintable) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match is_unprintable(character) {
            // All of them are in the first plane.
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => escaped.push(character),
        }
    }
    escaped
}

/// A JSON object in the making, its fields in the order they are given.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn raw(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(json);
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        self.raw(name, &value.map_or("null".to_owned(), quoted));
    }

    fn number(&mut self, name: &str, value: u64) {
        self.raw(name, &value.to_string());
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest;

    fn entry() -> Entry {
        Entry {
            seq: 17,
            timestamp: "2026-11-22T01:02:03.456Z".to_owned(),
            repo: Some("6f0c".to_owned()),
            writer: "w-0000000000000001".to_owned(),
            agent_id: Some("ops/bot".to_owned()),
            actor: Actor {
                kind: ActorKind::Agent,
                key: "SHA256:x".to_owned(),
                os_user: None,
                asserted: false,
            },
            action: Action::ExecStart,
            access: Some(Access::Exec),
            secret_path: vec!["a[\"b.c\"]".to_owned()],
            file: Some("secrets/\u{202e}prod.yaml".to_owned()),
            file_digest: Some(digest::of(b"x")),
            policy: None,
            reason: Reason::new("why\nnot"),
            target: Some(Target { program: "make".to_owned(), arguments: 2, exit: None }),
            isolation: 0,
            outcome: Outcome::Denied,
            deny_code: Some(DenyCode::NoReason),
            session: "s-1".to_owned(),
            genesis: None,
            witness: BTreeMap::from([("w-2".to_owned(), Head { seq: 3, digest: digest::of(b"y") })]),
            prev: Some(digest::of(b"z")),
        }
    }

    #[test]
    fn a_line_reads_back_and_no_other_spelling_of_it_does() {
        let line = signed_line(&entry().message(), "U1NIU0lH");
        let (read, signature) = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!((read, signature.as_str()), (entry(), "U1NIU0lH"));
        for (from, to) in [
            ("{\"v\":1", "{ \"v\":1"),
            ("\"v\":1", "\"v\":2"),
            ("\"seq\":17", "\"seq\":17.0"),
            ("\"session\"", "\"more\":1,\"session\""),
            ("\"seq\":17", "\"seq\":17,\"seq\":17"),
            ("\"seq\":17", "\"seq\":9007199254740992"),
            ("\"seq\":3", "\"seq\":18446744073709551615"),
            ("denied", "maybe"),
            ("\\u202e", "\u{202e}"),
        ] {
            let other = line.replacen(from, to, 1);
            assert_ne!(other, line, "{from}");
            assert_eq!(Entry::parse(other.as_bytes()), None, "{to}");
        }
    }

    #[test]
    fn what_is_signed_is_the_line_without_its_last_field() {
        let message = entry().message();
        let line = signed_line(&message, "AAAA");
        assert_eq!(split_line(line.as_bytes()), Some((message.into_bytes(), "AAAA")));
        assert_eq!(split_line(b"{}"), None);
    }

    #[test]
    fn a_reason_is_short_and_commands_no_terminal() {
        assert_eq!(Reason::new(" on call ").unwrap().as_str(), "on call");
        assert_eq!(Reason::new("a\u{1b}[31m\u{202e}b").unwrap().as_str(), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(Reason::new(" \n"), None);
        assert_eq!(Reason::new(&"x".repeat(Reason::LONGEST + 1)), None);
    }

    #[test]
    fn words_read_back() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(*action));
        }
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
        }
        assert_eq!(Access::parse("x"), None);
    }
}
