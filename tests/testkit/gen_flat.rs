//! Random dotenv, INI and binary files.

use super::rng::Rng;

const NAMES: [&str; 14] = [
    "DATA",
    "password",
    "user",
    "host_clear",
    "key_enc",
    "config",
    "PORT",
    "k1",
    "k2",
    "A_B",
    "x.y",
    "tok",
    "kind",
    "ENV_NAME",
];

fn name(rng: &mut Rng, index: usize) -> String {
    let base = rng.text(&NAMES);
    if rng.chance(4) { base.to_string() } else { format!("{base}{index}") }
}

fn comment(rng: &mut Rng, index: usize) -> String {
    let text = rng.text(&[
        "note",
        " a note",
        "  wide  note ",
        " zz-clear",
        " zz-lock",
        " k=v",
        " ünï 😀",
        "#double",
        "",
    ]);
    if text.is_empty() { String::new() } else { format!("{text} cmt{index}") }
}

/// Puts lines together with one of the line ends that files have.
fn join(rng: &mut Rng, lines: &[String], crlf_percent: usize) -> Vec<u8> {
    let end = if rng.chance(crlf_percent) { "\r\n" } else { "\n" };
    let mut text = lines.join(end);
    if !rng.chance(15) {
        text.push_str(end);
    }
    if rng.chance(5) {
        text.push_str(end);
    }
    text.into_bytes()
}

/// One dotenv file.
pub(crate) fn dotenv(rng: &mut Rng) -> Vec<u8> {
    let values = [
        "",
        "x",
        "hunter2",
        "with space",
        " lead",
        "trail ",
        "\"quoted\"",
        "'single'",
        "a=b=c",
        "pa$$word",
        "x # no comment",
        "line\\nbreak",
        "back\\slash",
        "\\\\n",
        "ünï 😀",
        "postgres://u:p@h:5432/db?x=1",
        "true",
        "12",
        "1.50",
        "tab\there",
        "`cmd`",
        "{\"json\": [1, 2]}",
        "\\n",
        "ends\\n",
    ];
    let mut lines = Vec::new();
    for index in 0..rng.within(1, 12) {
        match rng.below(10) {
            0 => lines.push(String::new()),
            1 | 2 => lines.push(format!("#{}", comment(rng, index))),
            _ => {
                let key = match rng.below(12) {
                    0 => format!("export {}", name(rng, index)),
                    1 => format!("{} ", name(rng, index)),
                    2 => format!("  {}", name(rng, index)),
                    _ => name(rng, index),
                };
                lines.push(format!("{key}={}", rng.text(&values)));
            }
        }
    }
    lines.push(format!("LAST={}", rng.text(&["x", "1", "y z"])));
    join(rng, &lines, 12)
}

/// One INI file. Values with `#` or `;`, which SOPS cuts, have tests of their own.
pub(crate) fn ini(rng: &mut Rng) -> Vec<u8> {
    let values = [
        "x",
        "hunter2",
        "with space",
        "\"quoted\"",
        "'single'",
        "\"in \"side\"",
        "true",
        "12",
        "1.50",
        "ünï 😀",
        "a=b",
        "a:b",
        "http://h/p?q=1",
        "%(x)s",
        "back\\slash",
        "`tick; tock`",
        "\"\"\"triple\"\"\"",
        "",
        "{1, 2}",
        "tab\there",
    ];
    let mut lines = Vec::new();
    let entries = |rng: &mut Rng, lines: &mut Vec<String>, count: usize| {
        for index in 0..count {
            match rng.below(12) {
                0 => lines.push(String::new()),
                1 | 2 => {
                    let mark = rng.text(&["#", ";"]).to_string();
                    for extra in 0..rng.within(1, 2) {
                        lines.push(format!("{mark}{}", comment(rng, index * 10 + extra)));
                    }
                }
                _ => {
                    let lead = " ".repeat(if rng.chance(15) { rng.within(1, 4) } else { 0 });
                    let equals = rng.text(&["=", " = ", " =", "= ", ": ", "   =   "]);
                    lines.push(format!("{lead}{}{equals}{}", name(rng, index), rng.text(&values)));
                }
            }
        }
    };
    if rng.chance(40) {
        let count = rng.within(1, 4);
        entries(rng, &mut lines, count);
    }
    for section in 0..rng.within(1, 4) {
        if rng.chance(60) {
            lines.push(String::new());
        }
        if rng.chance(20) {
            lines.push(format!("; {}", comment(rng, 900 + section)));
        }
        let title = rng.text(&["main", "Database", "a.b", "with space", "data", "key_enc", "s-1"]);
        lines.push(if rng.chance(5) { format!("[{title}]") } else { format!("[{title}{section}]") });
        let count = rng.below(6);
        entries(rng, &mut lines, count);
    }
    lines.push("last = 1".to_owned());
    join(rng, &lines, 12)
}

/// One binary file: noise, text, or something that looks like another format.
pub(crate) fn binary(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => b"{\"data\": \"x\", \"sops\": {}}\n".to_vec(),
        1 => b"a: b\n# comment\n".to_vec(),
        2 => "ünï\r\n😀\u{2028}\n\n".repeat(rng.within(1, 50)).into_bytes(),
        _ => {
            let length = if rng.chance(20) { rng.below(4) } else { rng.below(3000) };
            (0..length).map(|_| rng.next() as u8).collect()
        }
    }
}
