//! Each row was run against sops 3.11.0; where ours differs on purpose, the row
//! says so.

use std::ffi::OsString;

use clap::CommandFactory as _;

use super::{Flag, Reach, closest, for_clap, parse};
use crate::cli::{decrypt, legacy, set};

fn words(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

/// What `decrypt` makes of a line: its flags as `name` or `name=value`, then its words.
fn decrypt_line(line: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
    show(&decrypt::Arguments::command(), line, Reach::Line)
}

fn show(command: &clap::Command, line: &[&str], reach: Reach) -> Result<(Vec<String>, Vec<String>), String> {
    let line = parse(command, &words(line), reach).map_err(|usage| usage.message)?;
    let flag = |flag: &Flag| match &flag.value {
        Some(value) => format!("{}={}", flag.name, value.to_string_lossy()),
        None => flag.name.clone(),
    };
    let words = line.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    Ok((line.flags.iter().map(flag).collect(), words))
}

#[test]
fn flags_are_read_as_gos_flag_library_reads_them() {
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        (&["f"], &[], &["f"]),
        (&["-i", "f"], &["in-place"], &["f"]),
        (&["-in-place", "f"], &["in-place"], &["f"]),
        (&["--i", "f"], &["in-place"], &["f"]),
        (&["-in-place=false", "f"], &[], &["f"]),
        (&["--in-place=0", "f"], &[], &["f"]),
        (&["--in-place=T", "f"], &["in-place"], &["f"]),
        (&["--in-place", "--in-place=false", "f"], &[], &["f"]),
        (&["f", "-extract", "[\"a\"]"], &["extract=[\"a\"]"], &["f"]),
        (&["--extract=[\"a=b\"]", "f"], &["extract=[\"a=b\"]"], &["f"]),
        (&["--extract", "--in-place", "f"], &["extract=--in-place"], &["f"]),
        (&["--extract", "", "f"], &["extract="], &["f"]),
        (&["--extract=", "f"], &["extract="], &["f"]),
        (&["--", "f", "--extract", "x"], &[], &["f", "--extract", "x"]),
        (&["-"], &[], &["-"]),
        (&["--enable-local-keyservice=false", "f"], &["enable-local-keyservice=false"], &["f"]),
        (&["--enable-local-keyservice", "f"], &["enable-local-keyservice=true"], &["f"]),
        (&["--keyservice", "a", "--keyservice=b"], &["keyservice=a", "keyservice=b"], &[]),
        // SOPS ignores --extract here, because the file stands behind a switch.
        (&["-i", "f", "--extract", "x"], &["in-place", "extract=x"], &["f"]),
    ];
    for (line, flags, rest) in cases {
        let (found_flags, found_rest) = decrypt_line(line).unwrap();
        assert_eq!((&found_flags[..], &found_rest[..]), (&owned(flags)[..], &owned(rest)[..]), "{line:?}");
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_cannot_be_read_is_said_in_the_words_of_sops() {
    let cases: &[(&[&str], &str)] = &[
        (&["--zzz", "f"], "flag provided but not defined: -zzz"),
        (&["--extract"], "flag needs an argument: -extract"),
        (&["---x", "f"], "bad flag syntax: ---x"),
        (&["--=x", "f"], "bad flag syntax: --=x"),
        (&["--ignore-mac=x", "f"], "invalid boolean value for -ignore-mac"),
        // SOPS takes this for a second file and ignores it with a warning.
        (&["f", "--zzz"], "flag provided but not defined: -zzz"),
    ];
    for (line, message) in cases {
        assert_eq!(decrypt_line(line).unwrap_err(), *message, "{line:?}");
    }
}

#[test]
fn under_the_name_sops_unknown_flags_behind_the_file_are_words() {
    let (flags, rest) =
        show(&decrypt::Arguments::command(), &["f", "--zzz", "-i"], Reach::LineAsSops).unwrap();
    assert_eq!((flags, rest), (owned(&["in-place"]), owned(&["f", "--zzz"])));
}

#[test]
fn the_value_of_set_may_look_like_a_flag() {
    let command = set::Arguments::command();
    let (flags, rest) = show(&command, &["f", "[\"a\"]", "-5", "--idempotent"], Reach::Line).unwrap();
    assert_eq!((flags, rest), (owned(&["idempotent"]), owned(&["f", "[\"a\"]", "-5"])));
    assert!(show(&command, &["-5", "f"], Reach::Line).is_err());
}

#[test]
fn reading_stops_at_the_first_word_where_it_should() {
    let command = legacy::Arguments::command();
    let line = parse(&command, &words(&["-d", "--config", "c", "f", "-i"]), Reach::FirstWord).unwrap();
    assert_eq!((line.flags.len(), line.stopped_at), (2, Some(3)));
    let line = parse(&command, &words(&["-d"]), Reach::FirstWord).unwrap();
    assert_eq!(line.stopped_at, None);
    let line = parse(&command, &words(&["--", "f"]), Reach::FirstWord).unwrap();
    assert_eq!(line.stopped_at, Some(1));
}

#[test]
fn combined_short_flags_get_a_hint() {
    let usage = parse(&legacy::Arguments::command(), &words(&["-di", "f"]), Reach::Line).unwrap_err();
    assert_eq!(usage.hints, ["short flags do not combine: write -d -i"]);
}

#[test]
fn clap_gets_values_that_it_cannot_misread() {
    let flags = [
        Flag { name: "extract".into(), value: Some("-x".into()) },
        Flag { name: "in-place".into(), value: None },
    ];
    let rest = words(&["-f"]);
    assert_eq!(for_clap(&flags, rest.iter()), words(&["--extract=-x", "--in-place", "--", "-f"]));
}

#[test]
fn near_misses_are_found_and_far_ones_are_not() {
    let known = ["decrypt", "encrypt", "edit", "set", "unset"];
    let near = |typed| closest(typed, known.into_iter());
    assert_eq!(near("decrpyt"), Some("decrypt"));
    assert_eq!(near("encript"), Some("encrypt"));
    assert_eq!(near("edti"), Some("edit"));
    assert_eq!(near("st"), Some("set"));
    assert_eq!(near("secrets"), None);
    assert_eq!(near("a"), None);
}
