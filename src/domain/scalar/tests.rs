//! Constants recorded from sops 3.11.0 and Go's documentation of `strconv` and `time`.

use super::{FloatStyle, Scalar, ScalarError, Timestamp, parse_float, write_float};

fn canonical(scalar: &Scalar<'_>) -> String {
    let mut out = Vec::new();
    scalar.write_canonical(&mut out);
    String::from_utf8(out).unwrap()
}

fn float(value: f64, style: FloatStyle) -> String {
    let mut out = Vec::new();
    write_float(value, style, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn floats_print_as_each_format_prints_them() {
    let table: &[(f64, &str, &str, &str, &str)] = &[
        // value, canonical, YAML, JSON, dotenv
        (1.0, "1", "1", "1", "1.0"),
        (0.0, "0", "0", "0", "0.0"),
        (-0.0, "-0", "-0", "-0", "-0.0"),
        (1.5, "1.5", "1.5", "1.5", "1.5"),
        (1000.0, "1000", "1000", "1000", "1000.0"),
        (100000.0, "100000", "100000", "100000", "100000.0"),
        (999999.5, "999999.5", "999999.5", "999999.5", "999999.5"),
        (1e6, "1000000", "1e+06", "1000000", "1E+06"),
        (12345678.0, "12345678", "1.2345678e+07", "12345678", "1.2345678E+07"),
        (
            123456789.12345679,
            "123456789.12345679",
            "1.2345678912345679e+08",
            "123456789.12345679",
            "1.2345678912345679E+08",
        ),
        (0.0001, "0.0001", "0.0001", "0.0001", "0.0001"),
        (0.00001, "0.00001", "1e-05", "0.00001", "1E-05"),
        (1e-6, "0.000001", "1e-06", "0.000001", "1E-06"),
        (1e-7, "0.0000001", "1e-07", "1e-7", "1E-07"),
        (1.5e-10, "0.00000000015", "1.5e-10", "1.5e-10", "1.5E-10"),
        (1e20, "100000000000000000000", "1e+20", "100000000000000000000", "1E+20"),
        (1e21, "1000000000000000000000", "1e+21", "1e+21", "1E+21"),
        (
            18446744073709551616.0,
            "18446744073709552000",
            "1.8446744073709552e+19",
            "18446744073709552000",
            "1.8446744073709552E+19",
        ),
        (
            9007199254740991.0,
            "9007199254740991",
            "9.007199254740991e+15",
            "9007199254740991",
            "9.007199254740991E+15",
        ),
        (
            9007199254740992.0,
            "9007199254740992",
            "9.007199254740992e+15",
            "9007199254740992",
            "9.007199254740992E+15",
        ),
        (6.02e23, "602000000000000000000000", "6.02e+23", "6.02e+23", "6.02E+23"),
        (-0.5, "-0.5", "-0.5", "-0.5", "-0.5"),
        (f64::INFINITY, "+Inf", ".inf", "+Inf", "+Inf"),
        (f64::NEG_INFINITY, "-Inf", "-.inf", "-Inf", "-Inf"),
        (f64::NAN, "NaN", ".nan", "NaN", "NaN"),
        (1e100, &format!("1{}", "0".repeat(100)), "1e+100", "1e+100", "1E+100"),
    ];
    for (value, plain, yaml, json, dotenv) in table {
        assert_eq!(float(*value, FloatStyle::Positional), *plain);
        assert_eq!(float(*value, FloatStyle::Yaml), *yaml);
        assert_eq!(float(*value, FloatStyle::Json), *json);
        assert_eq!(float(*value, FloatStyle::Dotenv), *dotenv);
    }
    let tiny = float(f64::from_bits(1), FloatStyle::Positional);
    assert_eq!(tiny, format!("0.{}5", "0".repeat(323)));
    assert_eq!(float(f64::MAX, FloatStyle::Yaml), "1.7976931348623157e+308");
}

#[test]
fn floats_parse_in_go_spellings() {
    let table: &[(&str, f64)] = &[
        ("1.50", 1.5),
        ("1", 1.0),
        ("+5", 5.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("1_000.5", 1000.5),
        ("1e1_0", 1e10),
        ("inf", f64::INFINITY),
        ("+Inf", f64::INFINITY),
        ("-Infinity", f64::NEG_INFINITY),
        ("0x1p4", 16.0),
        ("0X1.8P1", 3.0),
        ("-0x.8p-1", -0.25),
        ("0x_1p0", 1.0),
        ("0x1.fffffffffffff8p0", 2.0),
        ("0x1.fffffffffffff7p0", 1.9999999999999998),
        ("0x1p-1074", 5e-324),
        ("0x1p-1075", 0.0),
        ("0x1.8p-1075", 5e-324),
        ("0x1.8p-1074", 1e-323),
        ("0x0.00000000000000000000000000000001p128", 1.0),
        ("0x10000000000000000000000000000000p-124", 1.0),
        ("0x1.fffffffffffffp1023", f64::MAX),
        ("1e-400", 0.0),
        ("-0", -0.0),
    ];
    for (text, value) in table {
        let parsed = parse_float(text.as_bytes()).map(f64::to_bits);
        assert_eq!(parsed, Some(value.to_bits()), "{text}");
    }
    assert!(parse_float(b"NaN").unwrap().is_nan());
    assert!(parse_float(b"nan").unwrap().is_nan());
    for bad in [
        "",
        "+",
        "-",
        ".",
        "e5",
        "1e",
        "1e+",
        "+nan",
        "-nan",
        "1__0",
        "_1",
        "1_",
        "1_.5",
        "1._5",
        "1e_5",
        "1e400",
        "-1e400",
        "0x",
        "0x1",
        "0xp1",
        "0x1p",
        "0x1p1024",
        "0x1.fffffffffffff8p1023",
        "1 ",
        " 1",
        "--1",
        "+-1",
        "infin",
        "1.2.3",
        "0x1.2.3p1",
        "0b11",
        "1p4",
        "0x1_p0",
        "1f",
    ] {
        assert_eq!(parse_float(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn random_floats_round_trip() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let value = f64::from_bits(state);
        if !value.is_finite() {
            continue;
        }
        for style in [FloatStyle::Positional, FloatStyle::Yaml, FloatStyle::Json, FloatStyle::Dotenv] {
            let text = float(value, style);
            assert_eq!(parse_float(text.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
    }
}

#[test]
fn decrypted_texts_parse_by_their_type() {
    let int = |text: &str| Scalar::parse("int", text.as_bytes()).map(|scalar| canonical(&scalar));
    assert_eq!(int("+5"), Ok("5".into()));
    assert_eq!(int("-007"), Ok("-7".into()));
    assert_eq!(int("-0"), Ok("0".into()));
    assert_eq!(int("9223372036854775807"), Ok("9223372036854775807".into()));
    assert_eq!(int("-9223372036854775808"), Ok("-9223372036854775808".into()));
    assert_eq!(int("9223372036854775808"), Err(ScalarError::OutOfRange("int")));
    for bad in ["", "-", "1_0", "0x1", " 1", "1.0", "1e3"] {
        assert_eq!(int(bad), Err(ScalarError::Malformed("int")), "{bad}");
    }
    for (text, value) in
        [("1", true), ("t", true), ("T", true), ("TRUE", true), ("true", true), ("True", true)]
            .into_iter()
            .chain([
                ("0", false),
                ("f", false),
                ("F", false),
                ("FALSE", false),
                ("false", false),
                ("False", false),
            ])
    {
        assert_eq!(Scalar::parse("bool", text.as_bytes()), Ok(Scalar::Bool(value)));
    }
    for bad in ["", "yes", "tRUE", "2"] {
        assert_eq!(Scalar::parse("bool", bad.as_bytes()), Err(ScalarError::Malformed("bool")));
    }
    assert_eq!(Scalar::parse("str", b"\xff"), Ok(Scalar::Str((&b"\xff"[..]).into())));
    assert_eq!(Scalar::parse("bytes", b"x"), Ok(Scalar::Str("x".into())));
    let unknown = Scalar::parse("f\u{1b}oo", b"x").unwrap_err();
    assert_eq!(unknown.to_string(), "Unknown datatype: f\u{fffd}oo");
    assert!(Scalar::parse("comment", b"x").is_err());
}

#[test]
fn times_parse_and_print() {
    // RFC 3339 text, as printed; None where Go refuses it.
    let table: &[(&str, Option<&str>)] = &[
        ("2024-01-02T03:04:05Z", Some("2024-01-02T03:04:05Z")),
        ("2024-01-02T03:04:05.10Z", Some("2024-01-02T03:04:05.1Z")),
        ("2024-01-02T03:04:05,25Z", Some("2024-01-02T03:04:05.25Z")),
        ("2024-01-02T03:04:05.1234567899Z", Some("2024-01-02T03:04:05.123456789Z")),
        ("2024-01-02T03:04:05+00:00", Some("2024-01-02T03:04:05Z")),
        ("2024-01-02T03:04:05+02:00", Some("2024-01-02T03:04:05+02:00")),
        ("2024-01-02T03:04:05-05:30", Some("2024-01-02T03:04:05-05:30")),
        ("2024-01-02T3:04:05Z", Some("2024-01-02T03:04:05Z")),
        ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00Z")),
        ("2023-02-29T00:00:00Z", None),
        ("1900-02-29T00:00:00Z", None),
        ("2000-02-29T00:00:00Z", Some("2000-02-29T00:00:00Z")),
        ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00Z")),
        ("2024-1-02T03:04:05Z", None),
        ("2024-01-02t03:04:05Z", None),
        ("2024-01-02T03:04:05z", None),
        ("2024-01-02T03:04:05", None),
        ("2024-01-02 03:04:05Z", None),
        ("2024-01-02T24:00:00Z", None),
        ("2024-01-02T03:60:00Z", None),
        ("2024-01-02T03:04:60Z", None),
        ("2024-01-02T03:04:05.Z", None),
        ("2024-01-02T03:04:05+0200", None),
        ("2024-01-02T03:04:05Zx", None),
        ("", None),
    ];
    for (text, printed) in table {
        let parsed = Scalar::parse("time", text.as_bytes()).ok().map(|scalar| canonical(&scalar));
        assert_eq!(parsed.as_deref(), *printed, "{text}");
    }
    let yaml: &[(&str, Option<&str>)] = &[
        ("2024-01-02", Some("2024-01-02T00:00:00Z")),
        ("2024-1-2", Some("2024-01-02T00:00:00Z")),
        ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
        ("2001-12-15 2:59:43.10", Some("2001-12-15T02:59:43.1Z")),
        ("2001-12-15  2:5:3", Some("2001-12-15T02:05:03Z")),
        ("2001-12-15T02:59:43Z", Some("2001-12-15T02:59:43Z")),
        ("2001-12-14 21:59:43.10 -5", None),
        ("2024-02-30", None),
        ("2024-13-01", None),
        ("2024-01-02T03:04:05", None),
        ("2024-01-02T03:04:05+0200", None),
        ("2024-01-02 03:04:05Z", None),
        ("2024-01", None),
        ("2024", None),
        ("20240-1-1", None),
        ("2024-01-02x", None),
    ];
    for (text, printed) in yaml {
        let parsed = Timestamp::parse_yaml(text.as_bytes()).map(|time| canonical(&Scalar::Time(time)));
        assert_eq!(parsed.as_deref(), *printed, "{text}");
    }
    let far = Timestamp::parse_yaml(b"2001-12-14T21:59:43+24:00").unwrap();
    assert!(!far.is_encryptable());
    let mut out = Vec::new();
    Timestamp::parse_rfc3339(b"2024-01-02T03:04:05.5+02:00").unwrap().write_whole_seconds(&mut out);
    assert_eq!(out, b"2024-01-02T03:04:05+02:00");
}

#[test]
fn canonical_texts_and_type_names() {
    let time = Timestamp::parse_rfc3339(b"2024-01-02T03:04:05Z").unwrap();
    let table: &[(Scalar<'_>, Option<&str>, &str)] = &[
        (Scalar::Null, None, ""),
        (Scalar::Bool(true), Some("bool"), "True"),
        (Scalar::Bool(false), Some("bool"), "False"),
        (Scalar::Int(i64::MIN), Some("int"), "-9223372036854775808"),
        (Scalar::Int(0), Some("int"), "0"),
        (Scalar::Float(1e21), Some("float"), "1000000000000000000000"),
        (Scalar::Time(time), Some("time"), "2024-01-02T03:04:05Z"),
        (Scalar::Str("a\nb".into()), Some("str"), "a\nb"),
    ];
    for (scalar, name, text) in table {
        assert_eq!(scalar.type_name(), *name);
        assert_eq!(canonical(scalar), *text);
    }
    assert!(Scalar::Float(f64::NAN).same(&Scalar::Float(f64::NAN)));
    assert!(!Scalar::Float(0.0).same(&Scalar::Float(-0.0)));
    assert!(!Scalar::Int(1).same(&Scalar::Float(1.0)));
}
