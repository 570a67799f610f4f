//! Refusals of the agent layer, made in one way: the file, a code for programs, the
//! reason and what to do.

use std::path::Path;

use super::trust_store::TrustError;
use crate::app::error::{Cause, Error, Place};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::{Because, Decision, Level, Subject};
use crate::domain::search;

/// Exit 5: the file does not verify.
pub fn refused(path: &Path, code: DenyCode, cause: impl Into<Cause>, hint: &str) -> Error {
    refused_at(Place::file(path), code, cause, hint)
}

/// The same at a line.
pub fn refused_at(place: Place, code: DenyCode, cause: impl Into<Cause>, hint: &str) -> Error {
    Error::Integrity { place, code, cause: cause.into(), hints: vec![hint.to_owned()] }
}

/// What is trusted cannot be told.
pub fn untold(error: TrustError) -> Error {
    let hint = error.hint().to_owned();
    Error::Integrity {
        place: Place::default(),
        code: DenyCode::UntrustedSigners,
        cause: error.into(),
        hints: vec![hint],
    }
}

/// Exit 3: an agent has none of `levels` for a value.
pub fn not_granted(subject: &Subject<'_>, decision: &Decision, levels: &[Level]) -> Error {
    let Subject { agent, source, path } = subject;
    let path = show_path(path);
    let words: Vec<&str> = levels.iter().map(|level| level.as_str()).collect();
    let because = |level: &Level| decision.because(*level);
    // A rule that denies says more than that there is none.
    let telling = levels.iter().map(because).find(|because| because.rule().is_some());
    let (code, why) = telling.unwrap_or(Because::NoRule).refusal();
    let why = why.unwrap_or_else(|| "no rule allows it".to_owned());
    let mut hints = Vec::new();
    if decision.levels.has(Level::Exec) {
        hints.push(format!(
            "`leaflock run --agent {agent} --only {path} -- COMMAND` gives it to a program without showing it"
        ));
    } else if decision.levels.has(Level::Use) {
        hints.push("only its broker may use it".to_owned());
    }
    hints.push(format!(
        "`leaflock policy explain {agent} {path}` tells what is allowed; administrators change it"
    ));
    Error::Denied {
        code,
        message: format!("{agent} may not {} {path} of {source}: {why}", words.join(" or ")),
        hints,
    }
}

/// `bytes` with the line ends that they were signed with, where a checkout has changed
/// those; `None` where no line ends in CRLF.
pub fn with_lf(bytes: &[u8]) -> Option<Vec<u8>> {
    search::memmem(b"\r\n", bytes)?;
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = lines.pop();
    let ended = lines.iter().map(|line| [line.strip_suffix(b"\r").unwrap_or(line), b"\n"].concat());
    Some(ended.chain(last.map(<[u8]>::to_vec)).flatten().collect())
}

/// That nothing but the line ends of a file is not as it was signed.
pub fn line_ends(path: &Path, code: DenyCode) -> Error {
    let what = path.components().rev().find(|it| it.as_os_str() == ".leaflock").map_or_else(
        || path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        |_| ".leaflock".to_owned(),
    );
    let pattern = if what == ".leaflock" { ".leaflock/**" } else { &what };
    let hint = format!(
        "add the line `{pattern} -text` to .gitattributes, then check out again what is committed: `git rm -r -q \
         --cached {what} && git checkout HEAD -- {what}`"
    );
    let cause = "git changed the line ends (core.autocrlf): with LF it is what was signed";
    refused(path, code, cause, &hint)
}
