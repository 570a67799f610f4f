//! `leaflock run --agent`.

use std::ffi::OsString;

use super::{Arguments, FILE, end_as, keys, pairs, prefix};
use crate::app::request::Notice;
use crate::app::run_agent::{Request, run as use_case};
use crate::app::variables::Variables;
use crate::cli::env::Variable;
use crate::cli::report::{Failure, Usage};
use crate::cli::{Cli, wire};
use crate::domain::agent::pattern::check_name;
use crate::domain::store::flat_names::Case;

/// True if the words of `run` name an agent: its failures may be wanted as JSON. The
/// line may be one that cannot be read otherwise.
pub fn is_asked(rest: &[OsString]) -> bool {
    let flags = rest.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    flags.filter_map(|word| word.strip_prefix("--").or(word.strip_prefix('-'))).any(|word| {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        name == "agent"
    })
}

/// Refuses flags that mean something with `--agent` alone.
pub fn refuse(arguments: &Arguments) -> Result<(), Usage> {
    let given = [
        ("--env", !arguments.env.is_empty()),
        ("--keep", !arguments.keep.is_empty()),
        ("--no-redact", arguments.no_redact),
        ("--json", arguments.json),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => {
            Err(Usage::new(format!("{flag} goes with --agent NAME"))
                .hint("leaflock run --agent NAME -- COMMAND"))
        }
        None => Ok(()),
    }
}

/// What an agent's program cannot be started with.
fn check(arguments: &Arguments, agent: &str) -> Result<(), Usage> {
    check_name(agent).map_err(|error| Usage::new(format!("--agent: {error}")).hint(error.advice))?;
    if arguments.redact && arguments.no_redact {
        return Err(Usage::new("--redact and --no-redact exclude each other"));
    }
    if arguments.reading.opening.ignore_mac {
        return Err(Usage::new("--ignore-mac does not go with --agent")
            .hint("values for agents come from files that are what was signed"));
    }
    if arguments.keep_identity {
        return Err(
            Usage::new("--keep-identity does not go with --agent").hint("--keep SOPS_AGE_KEY hands it on")
        );
    }
    Ok(())
}

/// Runs the command. Its exit code is ours; a failure before it starts is told as one
/// of ours.
pub fn run(agent: String, arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    check(&arguments, &agent)?;
    let mut inherited = if arguments.pristine { Variables::default() } else { cli.env.all() };
    // Whatever the command calls of ours is called from within.
    let isolation = Variable::Isolation.name();
    inherited.remove(isolation);
    inherited.push(isolation, "1");
    let mut notices = Vec::new();
    let (_, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let request = Request {
        agent,
        files: arguments.files,
        only: keys(&arguments.only),
        named: pairs(
            &arguments.env,
            ("--env wants NAME=PATH", "for example --env PGPASSWORD=database.password"),
        )?,
        in_files: pairs(&arguments.file, FILE)?,
        prefix: prefix(arguments.prefix)?,
        case: if arguments.keep_case { Case::Keep } else { Case::Upper },
        redact: !arguments.no_redact,
        keep: keys(&arguments.keep),
        open,
        command: arguments.command,
        inherited,
        search_path: cli.env.get(Variable::Path),
    };
    cli.output.notices(&notices);
    let output = &mut cli.output;
    let mut tell = |notice: Notice| {
        // The command is about to start: there will be no answer of ours to put it in.
        let holds = output.holds_notices();
        output.hold_notices(false);
        output.notice(&notice);
        output.hold_notices(holds);
    };
    let ended = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request, &mut tell)?))?;
    end_as(ended)
}

#[cfg(test)]
mod tests {
    use super::is_asked;

    #[test]
    fn the_agent_is_seen_in_every_spelling_before_the_command() {
        let asked = |line: &str| is_asked(&line.split(' ').map(Into::into).collect::<Vec<_>>());
        assert!(asked("--agent x -- ls") && asked("--json --agent=x") && asked("-agent x f.yaml"));
        assert!(!asked("f.yaml -- ls --agent x") && !asked("--agents") && !asked("agent"));
    }
}
