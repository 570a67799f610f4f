//! `leaflock agent rekey`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{self, Reading};
use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::Failure;
use super::{Cli, agent_add, wire};
use crate::app::agent_rekey::{Request, run as use_case};
use crate::app::principals::Wanted;

/// Give an agent other keys, and make its files anew for them
///
/// The new keys take the place of the old ones in the policy, and every derived file
/// of the agent gets a new data key: all of it happens, or nothing. Your own key
/// (LEAFLOCK_SIGNING_KEY, else git's user.signingKey) signs. What the old key could read
/// it reads still, in the history of git: `leaflock agent exposure` lists that.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent rekey", override_usage = "leaflock agent rekey [OPTIONS] NAME", after_help = EXAMPLES)]
pub struct Arguments {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// An age recipient that it has; repeatable
    #[arg(long, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// Its own SSH public key, or its .pub file; not the key that signs the policy
    #[arg(long, value_name = "PUBLIC-KEY|FILE")]
    pub signing_key: Option<String>,
    /// The folder for new private keys, outside of the repository; a file for one key
    #[arg(long, value_name = "FOLDER|FILE")]
    pub out: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {
    recipient "recipient" "", signing_key "signing-key" "", out "out" "", json "json" ""
} reading);

words!(Arguments, 1, name);

const EXAMPLES: &str = "\
Examples:
  leaflock agent rekey ops/release-manager --out ~/.config/leaflock/new
  leaflock agent rekey ci/deploy --recipient age1… --signing-key deploy.pub";

/// Gives a principal other keys.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let mut notices = Vec::new();
    let name = agent_add::named(arguments.name)?;
    let (_, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let wanted = Wanted {
        recipients: arguments.recipient,
        public_key: args::non_empty(arguments.signing_key),
        out: arguments.out,
    };
    let request = Request { name, wanted, open };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    Ok(agent_add::told(&request.name, outcome, "has other keys").with_warnings(notices))
}
