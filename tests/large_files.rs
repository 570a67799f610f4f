//! Files that are large enough for both cores: the same answers as for small ones,
//! and as the real `sops` gives them.

use super::testkit::sandbox::{ALICE, Sandbox};

/// So many values make more than a megabyte of tokens.
const VALUES: usize = 9000;

fn yaml() -> String {
    let mut text = String::from("# a large file\nclear_unencrypted: yes\n");
    for at in 0..VALUES {
        text += &match at % 5 {
            0 => format!("# about {at}\nkey_{at}: 'value {at}'  # behind\n"),
            1 => format!("key_{at}: 0x{at:X}\n"),
            2 => format!("key_{at}: {at}.50\n"),
            3 => format!("key_{at}: [a{at}, {{b: \"\", c: null}}, true]\n"),
            _ => format!("key_{at}:\n  inner: \"caf\\u00e9 {at}\"\n"),
        };
    }
    text
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_key();
    sandbox.write("f.yaml", yaml());
    let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    assert!(sandbox.read("f.yaml").len() > 1 << 20, "the file is not large");
    sandbox
}

#[test]
fn a_large_file_crosses_both_ways() {
    let sandbox = sandbox();
    assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), yaml());
    let json = ["decrypt", "--output-type", "json", "f.yaml"];
    assert_eq!(sandbox.ours(&json).text(), sandbox.sops(&json).text());
    let last = format!("[\"key_{}\"][\"inner\"]", VALUES - 1);
    for index in ["[\"key_1\"]", &last] {
        let extract = ["decrypt", "--extract", index, "f.yaml"];
        assert_eq!(sandbox.ours(&extract).text(), sandbox.sops(&extract).text(), "{index}");
        let _ = sandbox.ours(&["set", "f.yaml", index, "\"changed\""]).ok();
        assert_eq!(sandbox.sops(&extract).text(), "changed", "{index}");
    }
}

#[test]
fn spellings_of_a_large_file_that_is_printed_cross_both_ways() {
    let sandbox = Sandbox::with_key();
    let lines = |line: &dyn Fn(usize) -> String| (0..VALUES).map(line).collect::<Vec<_>>();
    let json = lines(&|at| format!("  \"key_{at}\": [1e{}, \"caf\\u00e9 {at}\"]", at % 9)).join(",\n");
    let files = [
        ("f.yaml", yaml()),
        ("two.yaml", format!("{}---\nlast: 0xFF\n", yaml())),
        ("f.json", format!("{{\n{json}\n}}\n")),
    ];
    for (name, text) in files {
        sandbox.write(name, &text);
        let encrypted = sandbox.ours(&["encrypt", "--age", ALICE.recipient, name]).text();
        assert_eq!(encrypted.matches("leaflock_source").count(), 1 + usize::from(name == "two.yaml"));
        sandbox.write(name, encrypted);
        assert!(sandbox.ours(&["decrypt", name]).text() == text, "{name}");
        // In its own format a number keeps its spelling.
        let other = if name == "f.json" { "yaml" } else { "json" };
        let converted = ["decrypt", "--output-type", other, name];
        assert!(sandbox.ours(&converted).text() == sandbox.sops(&converted).text(), "{name}");
    }
}

#[test]
fn a_fault_in_either_half_of_a_large_file_is_named_and_ends_as_with_sops() {
    let sandbox = sandbox();
    let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    for at in [7, VALUES - 8] {
        let name = format!("key_{at}: ENC[AES256_GCM,data:");
        let (line, place) =
            (text.lines().position(|line| line.starts_with(&name)).unwrap() + 1, text.find(&name));
        let place = place.unwrap() + name.len();
        let other = if &text[place..=place] == "A" { "B" } else { "A" };
        sandbox.write("g.yaml", format!("{}{other}{}", &text[..place], &text[place + 1..]));
        for arguments in [
            &["decrypt", "g.yaml"][..],
            &["decrypt", "--output-type", "json", "g.yaml"],
            &["decrypt", "--extract", "[\"key_0\"]", "g.yaml"],
            &["set", "g.yaml", "[\"key_0\"]", "\"x\""],
        ] {
            let refused = sandbox.ours(arguments);
            assert_eq!(refused.code, sandbox.sops(arguments).code, "{}", refused.describe());
            assert!(refused.stdout.is_empty(), "{}", refused.describe());
            for part in [format!("[\"key_{at}\"]"), format!("g.yaml:{line}")] {
                assert!(refused.stderr.contains(&part), "no {part}: {}", refused.describe());
            }
        }
        // A value that is not there any more is seen by the MAC alone.
        let gone: Vec<&str> = text.lines().filter(|line| !line.starts_with(&name)).collect();
        sandbox.write("g.yaml", gone.join("\n") + "\n");
        let refused = sandbox.ours(&["decrypt", "g.yaml"]);
        assert_eq!(refused.code, sandbox.sops(&["decrypt", "g.yaml"]).code, "{}", refused.describe());
    }
}

/// Bytes that no two pieces have alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

#[test]
fn binaries_of_any_size_cross_both_ways() {
    let sandbox = Sandbox::with_key();
    for count in [0, 1, 48 << 10, (48 << 10) + 1, (1 << 20) - 1, 1 << 20, (7 << 20) + 5] {
        let plain = bytes(count);
        sandbox.write("f.bin", &plain);
        let encrypt = ["encrypt", "--age", ALICE.recipient, "f.bin"];
        let printed = sandbox.ours(&encrypt).ok();
        sandbox.write("printed.bin", &printed);
        sandbox.write("theirs.bin", sandbox.sops(&encrypt).ok());
        sandbox.write(
            "sealed.bin",
            sandbox.ours(&["encrypt", "--seal", "--age", ALICE.recipient, "f.bin"]).ok(),
        );
        let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.bin"]).ok();
        for name in ["printed.bin", "sealed.bin", "f.bin", "theirs.bin"] {
            for decrypted in [sandbox.sops(&["decrypt", name]), sandbox.ours(&["decrypt", name])] {
                assert!(decrypted.ok() == plain, "{name} of {count} bytes");
            }
        }
    }
}

#[test]
fn a_binary_that_cannot_be_read_prints_nothing() {
    let sandbox = Sandbox::with_key();
    sandbox.write("folder/f", "");
    // The last is a regular file that fails when it is read.
    for path in ["missing.bin", "folder", "/proc/self/mem"] {
        let arguments =
            ["encrypt", "--input-type", "binary", "--output-type", "binary", "--age", ALICE.recipient, path];
        let refused = sandbox.ours(&arguments);
        assert_eq!(refused.code, sandbox.sops(&arguments).code, "{}", refused.describe());
        assert!(refused.stdout.is_empty() && refused.stderr.contains(path), "{}", refused.describe());
    }
}

#[test]
fn many_aliases_are_named_up_to_a_hundred() {
    let sandbox = Sandbox::with_key();
    let copies: String = (0..130).map(|at| format!("copy_{at}: *x\n")).collect();
    let source = format!("key: &x value\n{copies}");
    sandbox.write("f.yaml", &source);
    let said = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]);
    assert_eq!(said.stderr.matches("is written out as a copy").count(), 100, "{}", said.describe());
    assert!(
        said.stderr.contains("[\"copy_99\"]") && !said.stderr.contains("copy_100"),
        "{}",
        said.describe()
    );
    assert!(said.stderr.contains("30 more aliases are written out as copies"), "{}", said.describe());
    assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), source);
}
