//! The creation rules of a config, compiled once for many files.

use crate::domain::config::{Config, CreationRule, Recipient};
use crate::domain::go_regex::GoRegex;
use crate::domain::select::Selection;

/// The rules of a config that can be used.
#[derive(Debug, Default)]
pub struct Rulebook {
    rules: Vec<Rule>,
}

/// A creation rule.
#[derive(Debug)]
pub struct Rule {
    /// Its place in the config: `creation_rules[1]`.
    pub path: String,
    /// What it selects; `None` where its settings are broken.
    pub selection: Option<Selection>,
    /// Its key groups; `None` where it names no key, or keys that are none.
    pub groups: Option<Vec<Vec<Recipient>>>,
    /// How many groups are needed, where there are several.
    pub threshold: Option<usize>,
    pattern: Option<GoRegex>,
    /// It says which files it is for: they are to be encrypted.
    names_files: bool,
}

impl Rulebook {
    /// The rules of `config`. Those behind one whose pattern does not compile never
    /// apply, as in SOPS.
    pub fn new(config: &Config) -> Self {
        let mut rules = Vec::new();
        for rule in config.rules.iter().flatten() {
            match Rule::new(rule) {
                Some(rule) => rules.push(rule),
                None => break,
            }
        }
        Self { rules }
    }

    /// The rule that applies to `path` (see [`Config::relative`]).
    pub fn rule_for(&self, path: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(path))
    }
}

impl Rule {
    fn new(rule: &CreationRule) -> Option<Self> {
        let pattern = match rule.path_regex.as_str() {
            "" => None,
            pattern => Some(GoRegex::new(pattern).ok()?),
        };
        let settings = rule.checked_settings().ok().cloned();
        let selection = settings.and_then(|settings| Selection::new(settings.or_default()).ok());
        let groups = rule.key_groups(&[]).ok().filter(|groups| groups.iter().any(|group| !group.is_empty()));
        let threshold = usize::try_from(rule.shamir_threshold).ok().filter(|threshold| *threshold > 0);
        let takes_all = pattern.as_ref().is_none_or(takes_all);
        let picks = selection.as_ref().and_then(Selection::kind).is_some_and(|kind| kind.picks_encrypted());
        let names_files = !takes_all || picks;
        Some(Self { path: rule.path(), selection, groups, threshold, pattern, names_files })
    }

    fn matches(&self, path: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(path.as_bytes()))
    }

    /// True when the rule says that the file of that name is to be encrypted. One
    /// that takes every file, and everything in it, is a default for those that
    /// somebody encrypts: it says nothing of the others, unless they are called so.
    pub fn wants_encrypted(&self, path: &str) -> bool {
        self.names_files || says_encrypted(path)
    }
}

/// True for a pattern that takes every file.
pub(super) fn takes_all(pattern: &GoRegex) -> bool {
    pattern.is_match(b"") && pattern.is_match(b"\x01")
}

/// True for `x.enc.yaml` and its like.
fn says_encrypted(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.split('.').skip(1).any(|part| matches!(part, "enc" | "encrypted" | "sops"))
}
