//! What a person sees: the transcripts below `tests/cmd`, one folder a command.
//! A transcript starts in a copy of its `.in` folder with one identity in
//! reach. `TRYCMD=overwrite cargo test transcripts` rewrites them.

use super::testkit::sandbox::{ALICE, Sandbox};

#[test]
fn transcripts_say_what_the_program_says() {
    let sandbox = Sandbox::with_key();
    let home = sandbox.folder().join("home");
    let cases = trycmd::TestCases::new();
    cases
        .env("HOME", home.to_str().unwrap())
        .env("XDG_CONFIG_HOME", home.join(".config").to_str().unwrap())
        .env("SOPS_AGE_RECIPIENTS", "")
        .env("EDITOR", "true")
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "100")
        .env("ALICE", ALICE.recipient);
    // Transcripts run where they lie: our own repository is not theirs.
    cases.env("GIT_CEILING_DIRECTORIES", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd"));
    let _ = cases.insert_var("[ALICE]", ALICE.recipient);
    let _ = cases.insert_var("[HOME]", home.to_str().unwrap().to_owned());
    cases.case("tests/cmd/*/*.trycmd");
}
