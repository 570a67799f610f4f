//! Each row was run against sops 3.11.0; where ours differs on purpose, the row
//! says so.

use std::ffi::OsString;

use clap::{ArgAction, CommandFactory};

use super::fields::{Flags, Kind, Words};
use super::{Flag, Line, Reach, Reader, closest};
use crate::cli::completion;
use crate::cli::report::Usage;
use crate::cli::{config_explain, decrypt, edit, encrypt, filestatus, help, init, legacy, man, set, unset};

fn words(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

/// What `decrypt` makes of a line: its flags as `name` or `name=value`, then its words.
fn decrypt_line(line: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
    show::<decrypt::Arguments>(line, Reach::Line)
}

fn parse<A: Flags + Words + Default>(line: &[&str], reach: Reach) -> Result<Line, Usage> {
    let empty = A::default();
    let reader = Reader { command: "x", flags: &empty, may_dash: &|index| empty.may_dash(index), reach };
    reader.read(&words(line))
}

fn show<A: Flags + Words + Default>(
    line: &[&str],
    reach: Reach,
) -> Result<(Vec<String>, Vec<String>), String> {
    let line = parse::<A>(line, reach).map_err(|usage| usage.message)?;
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
    let (flags, rest) = show::<decrypt::Arguments>(&["f", "--zzz", "-i"], Reach::LineAsSops).unwrap();
    assert_eq!((flags, rest), (owned(&["in-place"]), owned(&["f", "--zzz"])));
}

#[test]
fn the_value_of_set_may_look_like_a_flag() {
    let (flags, rest) = show::<set::Arguments>(&["f", "[\"a\"]", "-5", "--idempotent"], Reach::Line).unwrap();
    assert_eq!((flags, rest), (owned(&["idempotent"]), owned(&["f", "[\"a\"]", "-5"])));
    assert!(show::<set::Arguments>(&["-5", "f"], Reach::Line).is_err());
}

#[test]
fn reading_stops_at_the_first_word_where_it_should() {
    let line = parse::<legacy::Arguments>(&["-d", "--config", "c", "f", "-i"], Reach::FirstWord).unwrap();
    assert_eq!((line.flags.len(), line.stopped_at), (2, Some(3)));
    let line = parse::<legacy::Arguments>(&["-d"], Reach::FirstWord).unwrap();
    assert_eq!(line.stopped_at, None);
    let line = parse::<legacy::Arguments>(&["--", "f"], Reach::FirstWord).unwrap();
    assert_eq!(line.stopped_at, Some(1));
}

#[test]
fn combined_short_flags_get_a_hint() {
    let usage = parse::<legacy::Arguments>(&["-di", "f"], Reach::Line).unwrap_err();
    assert_eq!(usage.hints, ["short flags do not combine: write -d -i"]);
}

/// The struct's own flags and words against clap's definitions of it.
fn agrees<A: CommandFactory + Flags + Words + Default>() {
    let command = A::command();
    let empty = A::default();
    let mut names = Vec::new();
    empty.names(&mut names);
    let mut defined = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
        let long = arg.get_long().unwrap();
        let found = empty.find(long).unwrap_or_else(|| panic!("{}: --{long}", command.get_name()));
        let kind = match arg.get_action() {
            ArgAction::SetTrue => Kind::Switch,
            _ if arg.is_require_equals_set() => Kind::Tristate,
            _ => Kind::Value,
        };
        assert_eq!((found.long, found.kind), (long, kind));
        let short = arg.get_short().map(String::from).unwrap_or_default();
        assert!(short.is_empty() || empty.find(&short) == Some(found), "-{short}");
        defined.push((long.to_owned(), short));
    }
    let mut names: Vec<_> =
        names.iter().map(|(long, short)| ((*long).to_owned(), (*short).to_owned())).collect();
    names.sort();
    defined.sort();
    assert_eq!(names, defined, "{}", command.get_name());
    let endless = command.get_positionals().any(|arg| matches!(arg.get_action(), ArgAction::Append));
    assert_eq!(empty.limit(), if endless { usize::MAX } else { command.get_positionals().count() });
}

#[test]
fn what_is_parsed_is_what_the_help_shows() {
    agrees::<encrypt::Arguments>();
    agrees::<decrypt::Arguments>();
    agrees::<edit::Arguments>();
    agrees::<set::Arguments>();
    agrees::<unset::Arguments>();
    agrees::<filestatus::Arguments>();
    agrees::<config_explain::Arguments>();
    agrees::<init::Arguments>();
    agrees::<completion::Arguments>();
    agrees::<man::Arguments>();
    agrees::<help::Arguments>();
    agrees::<legacy::Arguments>();
}

#[test]
fn every_flag_is_stored_where_it_belongs() {
    let line = [
        "--extract",
        "[\"a\"]",
        "-i",
        "--indent=3",
        "--config",
        "c",
        "--keyservice=x",
        "--keyservice=y",
        "--enable-local-keyservice=f",
        "--indent=4",
        "f",
        "g",
    ];
    let line = parse::<decrypt::Arguments>(&line, Reach::Line).unwrap();
    let mut parsed = decrypt::Arguments::default();
    super::fields::fill(&mut parsed, line.flags.iter(), line.words).unwrap();
    assert_eq!(parsed.extract.as_deref(), Some("[\"a\"]"));
    assert_eq!(parsed.general.indent, Some(4));
    assert_eq!(parsed.general.config, Some("c".into()));
    assert_eq!(parsed.services.keyservice, ["x", "y"]);
    assert_eq!(parsed.services.enable_local_keyservice, Some(false));
    assert_eq!(parsed.files, ["f", "g"].map(std::path::PathBuf::from));
    assert!(parsed.output.in_place && !parsed.opening.ignore_mac);
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

proptest::proptest! {
    #[test]
    fn no_line_panics_and_no_word_is_lost(
        line in proptest::collection::vec("-{0,3}(extract|in-place|i|zz|=|f|x=y|enable-local-keyservice)?=?[a-z\\[é]{0,3}", 0..6)
    ) {
        let typed: Vec<&str> = line.iter().map(String::as_str).collect();
        for reach in [Reach::FirstWord, Reach::Line, Reach::LineAsSops] {
            if let Ok(read) = parse::<decrypt::Arguments>(&typed, reach) {
                proptest::prop_assert!(read.words.iter().all(|word| typed.iter().any(|given| word == given)));
                let plain = typed.iter().filter(|word| !word.starts_with('-')).count();
                let values = read.flags.iter().filter(|flag| flag.value.is_some()).count();
                proptest::prop_assert!(reach == Reach::FirstWord || read.words.len() + values >= plain);
            }
        }
    }
}
