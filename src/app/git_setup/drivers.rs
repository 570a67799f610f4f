//! What git is to run for encrypted files, as settings of the repository: the
//! commands go on without the program where it has gone, as git would without
//! the setting. `exec` spares a process a file.

use crate::app::quote;

/// A setting and the value it is to have.
pub type Wanted = (&'static str, String);

/// Every setting that this or an older version makes.
pub const NAMES: [&str; 4] =
    ["diff.leaflock.textconv", "diff.leaflock.cachetextconv", "merge.leaflock.name", "merge.leaflock.driver"];

/// Those of the filter.
pub const FILTER_NAMES: [&str; 3] =
    ["filter.leaflock.clean", "filter.leaflock.smudge", "filter.leaflock.required"];

/// A name of the program that stands for its `textconv`. Git starts a setting of one plain
/// word without a shell, which takes as long as the program.
pub const TEXTCONV: &str = "leaflock-textconv";

/// The settings for a program of this name or path, which git finds by the name
/// [`TEXTCONV`] too if `has_textconv`.
pub fn wanted(program: &str, has_textconv: bool) -> Vec<Wanted> {
    let program = quote::shell(program);
    let found = format!("command -v {program} >/dev/null");
    let textconv = match has_textconv {
        true => TEXTCONV.to_owned(),
        false => format!("f() {{ {found} && exec {program} textconv \"$@\"; exec cat \"$@\"; }}; f"),
    };
    vec![
        ("diff.leaflock.textconv", textconv),
        // The cache would keep plaintext among git's objects.
        ("diff.leaflock.cachetextconv", "false".to_owned()),
        ("merge.leaflock.name", "values of encrypted files, key by key".to_owned()),
        (
            "merge.leaflock.driver",
            format!(
                "{found} && exec {program} merge --marker-size=%L --path=%P %O %A %B; \
                 exec git merge-file -q --marker-size=%L -L ours -L base -L theirs %A %O %B"
            ),
        ),
    ]
}

/// The settings of the filter. Without the program, ciphertext goes both ways. What
/// cannot be encrypted is not taken into git: without `required`, git would take the
/// plaintext.
pub fn filter(program: &str) -> Vec<Wanted> {
    let program = quote::shell(program);
    let found = format!("command -v {program} >/dev/null");
    vec![
        (
            "filter.leaflock.clean",
            format!(
                "{found} && exec {program} git clean %f; \
                 test ! -s %f || grep -q ENC.AES256_GCM,data: %f && cat"
            ),
        ),
        ("filter.leaflock.smudge", format!("{found} && exec {program} git smudge %f; exec cat")),
        ("filter.leaflock.required", "true".to_owned()),
    ]
}
