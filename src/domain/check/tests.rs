//! The rules of `check` on small files. What they do together is tested on the
//! program.

use super::secrets::FORMS;
use super::*;
use crate::domain::config::Config;
use crate::domain::store::Format;

#[test]
fn findings_have_names_of_their_own() {
    let mut ids: Vec<&str> = Kind::ALL.iter().map(|kind| kind.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(kind.id().chars().all(is_kebab), "{}", kind.id());
        assert_eq!(Kind::of_id(kind.id()), Some(kind), "the table is in another order");
        assert!(!kind.title().ends_with('.') && !kind.title().contains(" | "));
        assert!(!kind.advice().ends_with('.') && !kind.advice().contains(" | "));
    }
    assert_eq!(Kind::of_id("no-such"), None);
}

/// Letters of every class that a token may be made of, none of them twice.
fn body(prefix: &str, length: usize) -> String {
    let letters = if prefix.starts_with("AGE-") {
        "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
    } else if prefix.starts_with('A') && prefix.len() == 4 && prefix != "AIza" {
        "Z7QX3LB5NM2VK6TW4RJ"
    } else if ["dop_v1_", "shpat_", "sk-or-v1-"].contains(&prefix) {
        "0f9e8d7c6b5a4321"
    } else {
        "kX7q3Zr9TbV2nMwL8fHsJd4GpYc6RtEa5"
    };
    letters.chars().cycle().take(length).collect()
}

#[test]
fn each_form_of_token_is_found_where_a_token_may_stand() {
    for form in FORMS {
        let (least, most) = form.length;
        for length in [least, most.min(least + 10)] {
            let token = format!("{}{}", form.prefix, body(form.prefix, length));
            for (text, column) in [
                (token.clone(), 1),
                (format!("x = \"{token}\";\n"), 6),
                (format!("\n\n  - {token} # c\n"), 5),
            ] {
                let found = secrets(text.as_bytes(), None, false);
                assert_eq!(found.len(), 1, "{token}");
                assert_eq!(found[0].column, Some(column), "{token}");
                assert!(found[0].message.starts_with(form.what), "{}", found[0].message);
                assert!(!found[0].message.contains(&token));
            }
            // At the end of a word it is none.
            assert!(secrets(format!("q{token}").as_bytes(), None, false).is_empty(), "{token}");
        }
        let short = format!("{}{}", form.prefix, body(form.prefix, least - 1));
        assert!(secrets(short.as_bytes(), None, false).is_empty(), "{short}");
        let same = format!("{}{}", form.prefix, "A".repeat(least));
        assert!(secrets(same.as_bytes(), None, false).is_empty(), "{same}");
    }
}

#[test]
fn examples_are_found_where_secrets_are_kept() {
    let part = body("", 40);
    let web = format!("eyJ{part}.eyJ{part}.{part}");
    for text in [web, format!("sk_test_{}", body("", 24))] {
        assert_eq!(secrets(text.as_bytes(), None, true).len(), 1, "{text}");
        assert!(secrets(text.as_bytes(), None, false).is_empty(), "{text}");
    }
    let binary = format!("\0ghp_{}", body("", 36));
    assert!(secrets(binary.as_bytes(), None, true).is_empty());
}

#[test]
fn names_of_copies_have_one_stem() {
    for (one, other) in [
        ("a.enc.yaml", "a.yaml"),
        ("a.yaml", "a.dec.yaml"),
        ("a.yaml", "a.yaml.dec"),
        ("a.sops.json", "a.decrypted.json"),
        (".env", ".env.bak"),
        (".env", ".env~"),
        ("a.yaml", "a.yaml.orig"),
    ] {
        assert_eq!(related_name(one).stem, related_name(other).stem, "{one} {other}");
    }
    for (one, other) in [("a.yaml", "b.yaml"), ("a.yaml", "a.json"), ("a.dev.yaml", "a.prod.yaml")] {
        assert_ne!(related_name(one).stem, related_name(other).stem, "{one} {other}");
    }
    assert_eq!(related_name("enc.yaml").says_encrypted, None);
    assert_eq!(related_name("a.enc.yaml").says_encrypted, Some(true));
    assert_eq!(related_name("a.yaml~").says_encrypted, Some(false));
}

#[test]
fn what_only_speaks_of_sops_is_plain() {
    for (text, format) in [
        ("# uses sops\na: 1\n", Format::Yaml),
        ("sops:\n  enabled: true\n", Format::Yaml),
        ("{\"sops\": 1}", Format::Json),
        ("{{ if .sops }}\n", Format::Yaml),
        ("[sops]\na = 1\n", Format::Ini),
        ("see ENC[AES256_GCM,data:…] and sops\n", Format::Binary),
        ("<<<<<<< a\n=======\n>>>>>>> b\n", Format::Yaml),
    ] {
        assert!(matches!(look(text.as_bytes(), format), Look::Plain), "{text}");
    }
}

#[test]
fn rules_that_take_everything_want_little() {
    let config = |rules: &str| Rulebook::new(&Config::parse(rules.as_bytes()).unwrap());
    let wants = |rules: &str, path: &str| {
        let rules = config(rules);
        rules.rule_for(path).is_some_and(|rule| rule.wants_encrypted(path))
    };
    for all in ["creation_rules:\n  - age: x\n", "creation_rules:\n  - path_regex: .*\n    age: x\n"] {
        assert!(!wants(all, "README.md") && !wants(all, "a.yaml"));
        assert!(wants(all, "d/a.enc.yaml") && wants(all, "a.sops.json"));
    }
    assert!(wants("creation_rules:\n  - path_regex: \\.yaml$\n", "a.yaml"));
    assert!(!wants("creation_rules:\n  - path_regex: \\.yaml$\n", "a.json"));
    assert!(wants("creation_rules:\n  - encrypted_suffix: _x\n", "a.yaml"));
    assert!(!wants("creation_rules:\n  - unencrypted_suffix: _x\n", "a.yaml"));
    // A pattern that does not compile ends the list, as in SOPS.
    assert!(!wants("creation_rules:\n  - path_regex: (\n  - path_regex: a\n", "a"));
}

#[test]
fn reviewed_findings_are_found_again() {
    let finding = |kind, key: Option<&str>, line| Finding {
        key: key.map(str::to_owned),
        ..Finding::of_file(kind, "").at_line(line)
    };
    let value = finding(Kind::PlaintextValue, Some("[\"a b\"][\"c#d\"]"), Some(3));
    let token = finding(Kind::AccessToken, None, Some(12));
    let file = finding(Kind::NotEncrypted, None, Some(1));
    for (line, path, found) in [
        ("plaintext-value a.yaml [\"a b\"][\"c#d\"] # why", "a.yaml", &value),
        ("plaintext-value \"d e/a.yaml\"\t[\"a b\"][\"c#d\"] # why # so", "d e/a.yaml", &value),
        ("access-token a.md:12 # why", "a.md", &token),
        ("access-token \"a:b.md\":12 # why", "a:b.md", &token),
        ("not-encrypted C:x.yaml # why", "C:x.yaml", &file),
    ] {
        let (mut ignores, bad) = Ignores::parse(line);
        assert_eq!(bad, [], "{line}");
        assert!(ignores.silence(path, found), "{line}");
        assert!(!ignores.silence("other", found), "{line}");
        assert_eq!(ignores.stale(&|_| true), [], "{line}");
    }
    let (ignores, _) = Ignores::parse("access-token a.md:13 # why\n");
    assert_eq!(ignores.stale(&|_| true).len(), 1);
    assert_eq!(ignores.stale(&|file| file != "a.md"), []);
}
