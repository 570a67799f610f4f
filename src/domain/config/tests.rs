//! The config as sops reads it. Messages and recipients are recorded from sops 3.11.0 run on the
//! same text; `X`, `Y` and `Z` stand for recipients.

use super::{Config, ConfigError, EXAMPLE, Flags, KeySource, Plan, PlanError, explain, plan, sops_yaml};
use crate::domain::config::explain::Fate;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::select::RuleKind;
use crate::domain::store::{Format, Purpose};

fn config(text: &str) -> Config {
    Config::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.detail()))
}

fn planned(text: &str, path: &str) -> Result<Plan, PlanError> {
    let config = Config::parse(text.as_bytes())?;
    plan(config.rule_for(path)?, &Flags::default(), false)
}

/// Every key as `kind:identity`, groups separated by ` / `.
fn keys(plan: &Plan) -> String {
    let groups = plan.groups.iter().map(|group| {
        let keys = group.iter().map(|it| format!("{}:{}", it.key.kind.metadata_field(), it.key.identity()));
        keys.collect::<Vec<_>>().join(" ")
    });
    groups.collect::<Vec<_>>().join(" / ")
}

#[test]
fn the_first_rule_that_matches_wins() {
    let config = config(
        "creation_rules:\n  - path_regex: \\.dev\\.yaml$\n    age: X\n  - path_regex: ^prod/\n    age: Y\n  - \
         age: Z\n  - path_regex: never\n",
    );
    for (path, index) in [
        ("a.dev.yaml", 0),
        ("prod/a.dev.yaml", 0),
        ("prod/a.yaml", 1),
        ("x/prod/a.yaml", 2),
        ("/abs/prod/a.yaml", 2),
    ] {
        assert_eq!(config.rule_for(path).unwrap().unwrap().index, index, "{path}");
    }
    assert_eq!(config.rules.as_ref().unwrap()[1].line, 4);
}

#[test]
fn paths_below_the_config_are_relative() {
    for (directory, file, expected) in [
        ("/a/b", "/a/b/c/d.yaml", "c/d.yaml"),
        ("/a/b", "/a/bc/d.yaml", "/a/bc/d.yaml"),
        ("/a/b", "/x.yaml", "/x.yaml"),
        ("/", "/x.yaml", "x.yaml"),
    ] {
        assert_eq!(Config::relative(directory, file), expected);
    }
}

#[test]
fn keys_are_read_from_texts_lists_and_groups() {
    for (rule, expected) in [
        ("age: 'X, Y ,,'", "age:X age:Y"),
        ("age: [X, Y, X]", "age:X age:Y age:X"),
        ("age: [' X ', 'Y,Z']", "age:X age:Y age:Z"),
        ("age: [X, '']", "age:X age:"),
        ("age: >-\n      X,\n      Y", "age:X age:Y"),
        ("pgp: 'AB CD,EF'\n    age: X", "age:X pgp:ABCD pgp:EF"),
        ("gcp_kms: G\n    kms: [K]\n    aws_profile: p\n    hckms: ['r:u']", "kms:K||p gcp_kms:G hckms:r:u"),
        (
            "azure_keyvault: https://v/keys/k/1\n    hc_vault_transit_uri: https://h/v1/t/keys/k",
            "azure_kv:https://v/keys/k/1 hc_vault:https://h/v1/t/keys/k",
        ),
        ("age: X\n    key_groups: [{age: [Y]}, {pgp: [P], age: [Z, Z]}]", "age:Y / age:Z pgp:P"),
        ("key_groups: [{age: [Z], merge: [{age: [Y]}, {merge: [{age: [X, Y]}]}]}]", "age:Y age:X age:Z"),
        (
            "key_groups: [{kms: [{arn: K, role: R, context: {b: c}, aws_profile: p}], gcp_kms: [{resource_id: \
             G}]}]",
            "kms:K+R|b:c|p gcp_kms:G",
        ),
        (
            "key_groups: [{azure_keyvault: [{vaultUrl: U, key: k, version: v}], hckms: [{key_id: 'a:b'}], \
             hc_vault: ['https://h/v1/t/keys/k']}]",
            "hckms:a:b azure_kv:U/keys/k/v hc_vault:https://h/v1/t/keys/k",
        ),
    ] {
        let text = format!("creation_rules:\n  - {rule}\n");
        assert_eq!(keys(&planned(&text, "f.yaml").unwrap()), expected, "{text}");
    }
}

#[test]
fn anchors_and_merge_keys_are_followed_and_name_people() {
    let text = "\
people:
  - &alice X
  - &bob Y # Bob B.
base: &base
  encrypted_regex: ^data$
  mac_only_encrypted: yes
creation_rules:
  - <<: *base
    path_regex: a
    age:
      - *alice
      - *bob
      # the build machine
      - Z
      # two lines
      # of talk
      - W
  - <<: [*base, {shamir_threshold: 2, encrypted_regex: no}]
    age: V # ops
";
    let found = planned(text, "a").unwrap();
    let names: Vec<_> = found.groups[0].iter().map(|it| it.name.as_deref().unwrap_or("-")).collect();
    assert_eq!(names, ["alice", "Bob B.", "the build machine", "-"]);
    assert_eq!(found.groups[0][1].path, "creation_rules[0].age[1]");
    assert_eq!(found.groups[0][1].line, Some(12));
    assert!(found.selection.mac_only_encrypted());
    let other = planned(text, "b").unwrap();
    assert_eq!(other.groups[0][0].name.as_deref(), Some("ops"));
    assert_eq!(other.selection.settings().rule(RuleKind::EncryptedRegex), "^data$");
    assert_eq!(other.shamir_threshold, Some(2));
}

#[test]
fn faults_keep_the_words_of_sops_and_name_their_place() {
    let unreadable = "error loading config: Could not unmarshal config file: yaml: unmarshal errors:\n  ";
    for (text, message, detail) in [
        (
            "creation_rules: {}",
            &*format!("{unreadable}line 1: cannot unmarshal !!map into []config.creationRule"),
            "line 1, creation_rules: expected a list of mappings",
        ),
        (
            "creation_rules:\n  - 5",
            &format!("{unreadable}line 2: cannot unmarshal !!int into config.creationRule"),
            "line 2, creation_rules[0]: expected a mapping",
        ),
        (
            "creation_rules:\n  - age: X\n    path_regex: [x]",
            &format!("{unreadable}line 3: cannot unmarshal !!seq into string"),
            "line 3, creation_rules[0].path_regex: expected a text",
        ),
        (
            "creation_rules:\n  - age: X\n    shamir_threshold: x",
            &format!("{unreadable}line 3: cannot unmarshal !!str into int"),
            "line 3, creation_rules[0].shamir_threshold: expected a whole number",
        ),
        (
            "creation_rules:\n  - hckms: foo",
            &format!("{unreadable}line 2: cannot unmarshal !!str into []string"),
            "line 2, creation_rules[0].hckms: expected a list of texts",
        ),
        (
            "creation_rules:\n  - key_groups:\n    - age: X",
            &format!("{unreadable}line 3: cannot unmarshal !!str into []string"),
            "line 3, creation_rules[0].key_groups[0].age: expected a list of texts",
        ),
        (
            "creation_rules:\n  - {}\n  - path_regex: x\n    age: 5",
            "Could not generate data key: [empty key group provided]",
            "line 2, creation_rules[0]: the rule names no key; add one under age, say",
        ),
        (
            "creation_rules:\n  - age: 5",
            "invalid age key configuration: invalid age key configuration: expected string, []string, or nil, \
             got int",
            "line 2, creation_rules[0].age: expected a text (a comma list) or a list of texts",
        ),
        (
            "creation_rules:\n  - gcp_kms: [1.5]",
            "invalid gcpkms key configuration: invalid gcp_kms key configuration: expected string in list, got \
             float64",
            "line 2, creation_rules[0].gcp_kms[0]: expected a text (a comma list) or a list of texts",
        ),
        (
            "creation_rules:\n  - hc_vault_transit_uri: {a: b}",
            "invalid vault key configuration: invalid hc_vault_transit_uri key configuration: expected string, \
             []string, or nil, got map[string]interface {}",
            "line 2, creation_rules[0].hc_vault_transit_uri: expected a text (a comma list) or a list of texts",
        ),
        (
            "creation_rules:\n  - azure_keyvault: foo",
            "could not parse \"foo\" into a valid Azure Key Vault MasterKey",
            "line 2, creation_rules[0].azure_keyvault",
        ),
        (
            "creation_rules:\n  - age: X\n    path_regex: (",
            "can not compile regexp: error parsing regexp: missing closing ): `(`",
            "line 3, creation_rules[0].path_regex",
        ),
        (
            "creation_rules:\n  - age: X\n    encrypted_regex: a\n    encrypted_suffix: b",
            "error loading config: cannot use more than one of encrypted_suffix, unencrypted_suffix, \
             encrypted_regex, unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex for the \
             same rule",
            "line 2, creation_rules[0]: keep one of encrypted_suffix, encrypted_regex",
        ),
        (
            "creation_rules: []",
            "error loading config: no matching creation rules found",
            "creation_rules is empty",
        ),
        (
            "creation_rules:\n  - path_regex: y\n  - path_regex: z",
            "error loading config: no matching creation rules found",
            "none of the 2 creation rules has a path_regex that matches the file's path; a last rule without \
             path_regex takes all other files",
        ),
    ] {
        match planned(text, "x").unwrap_err() {
            PlanError::Config(error) => {
                assert_eq!(error.to_string(), message, "{text}");
                assert_eq!(error.detail().unwrap_or_default(), detail, "{text}");
            }
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn a_broken_file_is_told_with_its_line() {
    let error: ConfigError = Config::parse(b"creation_rules:\n  - age: a: b\n").unwrap_err();
    let start = "error loading config: Could not unmarshal config file: yaml: ";
    assert!(error.to_string().starts_with(start), "{error}");
    assert!(!error.to_string()[start.len()..].starts_with("yaml: "));
    assert!(Config::parse(b"5").is_err());
}

#[test]
fn a_config_without_rules_is_as_none() {
    for text in ["", "# nothing\n", "creation_rules:\n", "stores: {yaml: {indent: 2}}\n", "other: 1\n"] {
        assert_eq!(planned(text, "x").unwrap_err(), PlanError::NoKeys, "{text}");
    }
    let message = PlanError::NoKeys.to_string();
    assert!(message.starts_with("config file not found, or has no creation rules, and no keys"));
}

#[test]
fn stores_and_unknown_keys() {
    let config = config(
        "stores:\n  yaml: {indent: 2}\n  json: {indent: -1}\n  jsn: {}\ncreation_rules:\n  - age: X\n    \
         encrypted_regx: a\n    foo: b\nkeys: []\n",
    );
    assert_eq!(config.stores.indent(Format::Yaml), Some(2));
    assert_eq!(config.stores.indent(Format::Json), Some(-1));
    assert_eq!(config.stores.indent(Format::Binary), None);
    let unknown: Vec<_> =
        config.unknown.iter().map(|it| format!("{} {} {:?}", it.line, it.key, it.meant)).collect();
    assert_eq!(
        unknown,
        [
            "4 stores.jsn Some(\"json\")",
            "7 creation_rules[0].encrypted_regx Some(\"encrypted_regex\")",
            "8 creation_rules[0].foo None",
            "9 keys None",
        ]
    );
}

#[test]
fn flags_replace_keys_and_clash_with_rules() {
    let text = "creation_rules:\n  - age: X\n    encrypted_regex: a\n    shamir_threshold: 3\n    kms: K\n";
    let config = config(text);
    let rule = config.rule_for("x").unwrap();
    let mut flags = Flags {
        keys: vec![(KeyKind::Age, "Z".into()), (KeyKind::Pgp, "P".into()), (KeyKind::Kms, "L".into())],
        aws_profile: "q".into(),
        context: vec![("c".into(), "d".into())],
        ..Flags::default()
    };
    let found = plan(rule, &flags, false).unwrap();
    assert_eq!(keys(&found), "kms:L|c:d|q pgp:P age:Z");
    assert_eq!((found.keys_from, found.shamir_threshold), (KeySource::Flags, Some(3)));
    assert_eq!(found.selection.settings().rule(RuleKind::EncryptedRegex), "a");

    flags.keys.clear();
    assert_eq!(keys(&plan(rule, &flags, false).unwrap()), "age:X kms:K");
    flags.context_for_rule = true;
    flags.shamir_threshold = 2;
    flags.settings.set_rule(RuleKind::EncryptedRegex, "b");
    let found = plan(rule, &flags, false).unwrap();
    assert_eq!((keys(&found), found.shamir_threshold), ("age:X kms:K|c:d".into(), Some(2)));
    assert_eq!(found.selection.settings().rule(RuleKind::EncryptedRegex), "b");

    flags.settings.set_rule(RuleKind::EncryptedSuffix, "c");
    let clash = plan(rule, &flags, false).unwrap_err();
    assert!(matches!(clash, PlanError::Clash(_)));
    assert!(clash.to_string().starts_with("Error: cannot use more than one of encrypted_suffix, "));
    let found = plan(rule, &flags, true).unwrap();
    assert_eq!(found.selection.kind(), None);
    assert_eq!(
        found.warnings[1],
        "Using an encrypted regex does not make sense with the input store (the binary store produces one key \
         that should always be encrypted) and will be ignored."
    );

    flags.settings = Default::default();
    flags.settings.set_rule(RuleKind::EncryptedRegex, "(");
    assert!(matches!(plan(rule, &flags, false), Err(PlanError::Pattern(_))));
    assert_eq!(plan(None, &flags, false).unwrap_err(), PlanError::NoKeys);
}

#[test]
fn what_aliases_multiply_is_bounded() {
    let mut text = "a0: &a0 [{age: [X]}]\n".to_owned();
    for level in 1..40 {
        let inner = vec![format!("{{merge: *a{}}}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    text.push_str("creation_rules:\n  - key_groups: *a39\n");
    assert!(Config::parse(text.as_bytes()).is_err());
    let deep = format!("creation_rules: [{{key_groups: {}", "[{merge: ".repeat(5_000));
    assert!(Config::parse(deep.as_bytes()).is_err());
}

#[test]
fn an_explanation_names_rules_and_leaves() {
    let config =
        config("creation_rules:\n  - path_regex: zz\n    age: X\n  - age: X\n    encrypted_regex: ^s\n");
    let file =
        b"a: 1\n# c\ns:\n  - x\n  # d\n  - {k: 2, n: null, e: ''}\nt: &t\n  s1: 1\n  u: 2\nv: *t\nw: 1\n";
    let store = Format::Yaml.store();
    let mut tree = store.read(file, Purpose::Encrypt).unwrap();
    let found = explain(&config, "f.yaml", &Flags::default(), Some((store, &mut tree)), false);
    let verdicts: Vec<_> = found.verdicts.iter().map(|it| (it.index, it.line, it.applies)).collect();
    assert_eq!(verdicts, [(0, 2, false), (1, 4, true)]);
    let leaves: Vec<_> =
        found.leaves.iter().map(|it| format!("{} {} {:?}", it.path, it.line, it.fate)).collect();
    assert_eq!(
        leaves,
        [
            "[\"a\"] 1 Clear",
            "[\"s\"][0] 4 Encrypted",
            "[\"s\"][2][\"k\"] 6 Encrypted",
            "[\"s\"][2][\"n\"] 6 Empty",
            "[\"s\"][2][\"e\"] 6 Empty",
            "[\"t\"][\"s1\"] 8 Encrypted",
            "[\"t\"][\"u\"] 9 Clear",
            "[\"v\"] 10 Encrypted",
            "[\"w\"] 11 Clear",
        ]
    );
    assert_eq!(found.comments, (1, 1));
    assert!(matches!(found.leaves[0].fate, Fate::Clear));
    assert!(found.plan.is_ok());
    let none = explain(&config, "f", &Flags::default(), None, false);
    assert!(none.leaves.is_empty());
}

#[test]
fn our_own_configs_are_read_as_meant() {
    let text = sops_yaml(&[("age1abc", "me"), ("ssh-ed25519 AAAA+/= me@host", ""), ("odd: #x", "b")]);
    let config = config(&text);
    assert!(config.unknown.is_empty());
    for (path, index) in [("a.dev.yaml", 0), ("x/b.staging.env", 1), ("prod.prod.json", 2), ("prod.yaml", 3)]
    {
        assert_eq!(config.rule_for(path).unwrap().unwrap().index, index);
        let found = planned(&text, path).unwrap();
        assert_eq!(keys(&found), "age:age1abc age:ssh-ed25519 AAAA+/= me@host age:odd: #x");
        assert_eq!(found.groups[0][0].name.as_deref(), Some("me"));
    }
    let example = self::config(EXAMPLE);
    assert!(example.unknown.is_empty(), "{:?}", example.unknown);
    for (path, index) in [("a.prod.yaml", 0), ("k8s/a.yaml", 1), ("config/a", 2), ("vault/a", 3), ("b", 4)] {
        assert_eq!(example.rule_for(path).unwrap().unwrap().index, index);
        assert!(planned(EXAMPLE, path).is_ok());
    }
}
