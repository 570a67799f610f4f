//! The table of commands: words, manner, arguments, what runs.

use clap::CommandFactory;

use super::{
    Cli, Family, Manner, Verb, agent_add, agent_exposure, agent_list, agent_rekey, agent_remove,
    agent_revoke, agent_show, agent_sync, audit, audit_report, can, check, completion, config_explain,
    decrypt, diff, doctor, edit, encrypt, exec_env, exec_file, filestatus, git_filter, git_setup, groups,
    help, init, man, merge, policy_explain, policy_init, policy_lint, policy_sign, policy_test, redact,
    resolve, revoke, rotate, run, seal, set, status, textconv, trust, unset, updatekeys, what_can, who,
    who_can,
};
use super::{agent_guide, compare, envelope, exists, fingerprint, get, list, schema};

/// A line of the table: words, manner, arguments, what runs.
macro_rules! verb {
    ($words:literal, $manner:ident, $arguments:ty, $run:expr) => {
        Verb {
            words: $words,
            manner: Manner::$manner,
            command: || <$arguments as CommandFactory>::command(),
            run: |verb, before, rest, cli| verb.with::<$arguments>(before, rest, cli, $run),
            wants_exactly: None,
            failed: |failure, _| failure,
            answers: false,
        }
    };
}

/// A line for a command that answers in an envelope: words, arguments, what makes
/// the answer.
macro_rules! answering {
    ($words:literal, $arguments:ty, $answer:expr) => {
        Verb {
            run: |verb, before, rest, cli| {
                envelope::call(verb.words, rest, cli, |cli| {
                    verb.with::<$arguments>(before, rest, cli, |arguments, cli| {
                        let answer = $answer(arguments, cli)?;
                        envelope::print(verb, answer, cli)
                    })
                })
            },
            answers: true,
            ..verb!($words, Own, $arguments, |_, _| Ok(()))
        }
    };
}

/// All of them, in the order of the help.
pub static VERBS: &[Verb] = &[
    verb!("init", Own, init::Arguments, init::run),
    verb!("encrypt", Sops, encrypt::Arguments, encrypt::run),
    verb!("decrypt", Sops, decrypt::Arguments, decrypt::run),
    verb!("edit", Sops, edit::Arguments, edit::run),
    Verb {
        wants_exactly: Some(|| set::missing(set::VALUE_MISSING)),
        ..verb!("set", Sops, set::Arguments, set::run)
    },
    Verb { wants_exactly: Some(unset::missing), ..verb!("unset", Sops, unset::Arguments, unset::run) },
    Verb {
        run: |verb, before, rest, cli| {
            let work = |cli: &mut Cli| verb.with::<run::Arguments>(before, rest, cli, run::run);
            if run::agent::is_asked(rest) { envelope::call(verb.words, rest, cli, work) } else { work(cli) }
        },
        ..verb!("run", Own, run::Arguments, run::run)
    },
    Verb {
        run: |verb, before, rest, cli| {
            let work = |cli: &mut Cli| verb.with::<redact::Arguments>(before, rest, cli, redact::run);
            if redact::answers(rest) { envelope::call(verb.words, rest, cli, work) } else { work(cli) }
        },
        ..verb!("redact", Own, redact::Arguments, redact::run)
    },
    Verb {
        wants_exactly: Some(|| exec_env::missing("exec-env")),
        ..verb!("exec-env", Sops, exec_env::Arguments, exec_env::run)
    },
    Verb {
        wants_exactly: Some(|| exec_env::missing("exec-file")),
        ..verb!("exec-file", Sops, exec_file::Arguments, exec_file::run)
    },
    answering!("get", get::Arguments, get::run),
    answering!("list", list::Arguments, list::run),
    answering!("exists", exists::Arguments, exists::run),
    answering!("schema", schema::Arguments, schema::run),
    answering!("compare", compare::Arguments, compare::run),
    answering!("fingerprint", fingerprint::Arguments, fingerprint::run),
    verb!("filestatus", Sops, filestatus::Arguments, filestatus::run),
    verb!("updatekeys", Sops, updatekeys::Arguments, updatekeys::run),
    verb!("rotate", Sops, rotate::Arguments, rotate::run),
    verb!("groups add", Sops, groups::Add, groups::add),
    verb!("groups delete", Sops, groups::Delete, groups::delete),
    Verb { failed: check::failed, ..verb!("check", Own, check::Arguments, check::run) },
    verb!("seal", Own, seal::Arguments, seal::run),
    verb!("diff", Own, diff::Arguments, diff::run),
    verb!("textconv", Own, textconv::Arguments, textconv::run),
    verb!("who", Own, who::Arguments, who::run),
    verb!("doctor", Own, doctor::Arguments, doctor::run),
    verb!("revoke", Own, revoke::Arguments, revoke::run),
    answering!("policy init", policy_init::Arguments, policy_init::answer),
    answering!("policy lint", policy_lint::Arguments, policy_lint::run),
    answering!("policy explain", policy_explain::Arguments, policy_explain::run),
    answering!("policy test", policy_test::Arguments, policy_test::run),
    answering!("policy sign", policy_sign::Arguments, policy_sign::sign),
    answering!("policy verify", policy_sign::Verify, policy_sign::verify),
    answering!("trust add", trust::Add, trust::add),
    answering!("trust list", trust::List, trust::list),
    answering!("trust remove", trust::Remove, trust::remove),
    answering!("trust sign", trust::Sign, trust::sign),
    answering!("agent guide", agent_guide::Arguments, agent_guide::run),
    answering!("agent add", agent_add::Arguments, agent_add::answer),
    answering!("agent list", agent_list::Arguments, agent_list::answer),
    answering!("agent show", agent_show::Arguments, agent_show::answer),
    answering!("agent sync", agent_sync::Arguments, agent_sync::run),
    answering!("agent rekey", agent_rekey::Arguments, agent_rekey::answer),
    answering!("agent remove", agent_remove::Arguments, agent_remove::answer),
    answering!("agent exposure", agent_exposure::Arguments, agent_exposure::answer),
    answering!("agent revoke", agent_revoke::Arguments, agent_revoke::answer),
    Verb { failed: merge::aborted, ..verb!("merge", Own, merge::Arguments, merge::run) },
    verb!("resolve", Own, resolve::Arguments, resolve::run),
    verb!("config explain", Own, config_explain::Arguments, config_explain::run),
    answering!("can", can::Arguments, can::run),
    answering!("who-can", who_can::Arguments, who_can::run),
    answering!("what-can", what_can::Arguments, what_can::run),
    verb!("git setup", Own, git_setup::Arguments, git_setup::run),
    verb!("git clean", Own, git_filter::Clean, git_filter::clean),
    verb!("git smudge", Own, git_filter::Smudge, git_filter::smudge),
    verb!("status", Own, status::Arguments, status::run),
    answering!("audit show", audit::Show, audit::show),
    answering!("audit tail", audit::Tail, audit::tail),
    answering!("audit export", audit::Export, audit::export),
    answering!("audit verify", audit::Verify, audit::verify),
    answering!("audit checkpoint", audit::Checkpoint, audit::checkpoint),
    answering!("audit report", audit_report::Arguments, audit_report::run),
    verb!("completion", Sops, completion::Arguments, completion::run),
    verb!("man", Own, man::Arguments, man::run),
    verb!("help", Sops, help::Arguments, help::run),
];

/// The first words of commands of two.
pub static FAMILIES: &[Family] = &[
    Family { word: "groups", about: "Add key groups to files, and delete them" },
    Family { word: "trust", about: "Choose whose signatures count for policies" },
    Family { word: "agent", about: "Manage what agents may do" },
    Family { word: "config", about: "Explain .sops.yaml" },
    Family { word: "audit", about: "Show and verify who opened what" },
    Family { word: "policy", about: "Make, check, explain and sign the policy for agents" },
    Family { word: "git", about: "Teach git about encrypted files" },
];
