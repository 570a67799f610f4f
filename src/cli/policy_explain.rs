//! `leaflock policy explain`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::{Value, json};

use super::argv::fields::{flags, words};
use super::envelope;
use super::keychange::count;
use super::report::Failure;
use super::{Cli, decisions, wire};
use crate::app::policy_explain::{
    Answer, Explained, Holder, Outcome, Request, RuleReach, Seen, run as use_case,
};
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::{Level, PLACE, Principal, Subtree};

/// Explain the policy for agents: as a whole, for somebody, for a secret
///
/// Alone, lists the rules with what they come to, and the sources. With AGENT, prints
/// for every part of every source what is granted and by which rule, and where the value
/// is kept for it. With PATH as well, the rule that decides about each level. Needs no
/// key and no signature.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "policy explain", override_usage = "leaflock policy explain [OPTIONS] [AGENT [PATH]]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The name of a principal
    #[arg(value_name = "AGENT")]
    pub agent: Option<String>,
    /// The keys that lead to a secret, or to several
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { json "json" "" });

words!(Arguments, 2, agent, path);

const EXAMPLES: &str = "\
Examples:
  leaflock policy explain
  leaflock policy explain ops/deploy
  leaflock policy explain ops/deploy databases.postgres.password";

/// Explains.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<envelope::Answer, Failure> {
    let request = Request { agent: arguments.agent, path: arguments.path };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let answer = envelope::Answer::new(as_text(&request, &outcome), as_json(&request, &outcome));
    let stranger = match (&outcome.answer, &request.agent) {
        (Answer::Agent { principal: None, .. }, Some(agent)) => decisions::stranger(agent, false),
        _ => None,
    };
    Ok(answer.with_warnings(stranger).with_warnings(outcome.notices))
}

fn as_text(request: &Request, outcome: &Outcome) -> String {
    match &outcome.answer {
        Answer::Policy { rules, sources } => whole(outcome, rules, sources),
        Answer::Agent { principal, seen } => {
            let mut text = principal.as_ref().map(about).unwrap_or_default();
            for source in seen {
                match &request.path {
                    Some(_) => in_detail(source, &mut text),
                    None => in_short(source, &mut text),
                }
            }
            text
        }
    }
}

fn whole(outcome: &Outcome, rules: &[RuleReach], sources: &[(String, usize)]) -> String {
    let policy = &outcome.policy;
    let mut text = String::new();
    let serial = policy.serial.map(|serial| format!(", serial {serial}")).unwrap_or_default();
    let end = policy.valid_until.as_ref().map(|end| format!(", valid until {end}")).unwrap_or_default();
    let _ = writeln!(text, "{PLACE}{serial}{end}");
    let agents = policy.principals.values().filter(|principal| principal.is_agent()).count();
    let principals = count(policy.principals.len(), "principal");
    let _ = writeln!(text, "{principals}, of them {}", count(agents, "agent"));
    let _ = writeln!(text, "\nrules");
    let row = |rule: &RuleReach| {
        let word = if rule.denies { "deny" } else { "allow" };
        let lease = if rule.lease { ", during a lease only" } else { "" };
        vec![
            format!(":{}", rule.line),
            word.to_owned(),
            rule.levels.to_string(),
            rule.what.clone(),
            rule.agents.join(", "),
            format!("{}, {}{lease}", count(rule.principals.len(), "principal"), count(rule.leaves, "value")),
        ]
    };
    text.push_str(&decisions::table("  ", &rules.iter().map(row).collect::<Vec<_>>()));
    let _ = writeln!(text, "\nsources");
    let row = |(path, leaves): &(String, usize)| vec![path.clone(), count(*leaves, "value")];
    text.push_str(&decisions::table("  ", &sources.iter().map(row).collect::<Vec<_>>()));
    text
}

/// `ops/deploy (line 9): an agent; its broker is broker/ana`
fn about(principal: &Principal) -> String {
    let mut words: Vec<String> = principal.roles.iter().map(|role| role.as_str().to_owned()).collect();
    if principal.is_agent() {
        words.insert(0, "agent".to_owned());
    }
    let broker = principal.broker.as_ref().map(|broker| format!("; its broker is {broker}"));
    let keyless = if principal.age.is_empty() { "; it has no age recipient, so it gets no file" } else { "" };
    let broker = broker.unwrap_or_default();
    format!("{} (line {}): {}{broker}{keyless}\n", principal.name, principal.line, words.join(", "))
}

fn kept(holder: &Holder) -> String {
    match holder {
        Holder::Agent => "in its own file".to_owned(),
        Holder::Broker(broker) => format!("in the file of {broker}"),
        Holder::Nobody => "in no file".to_owned(),
    }
}

fn in_short(seen: &Seen, text: &mut String) {
    let _ = writeln!(text, "{}", seen.source);
    let row = |part: &Subtree<Explained>| {
        let decision = &part.what.decision;
        // Of what is not granted, the reason why it cannot be read says most.
        let level = decision.levels.iter().next().or_else(|| decision.denied.iter().next());
        let level = level.unwrap_or(Level::Read);
        vec![
            decisions::part(part),
            decisions::levels(decision),
            kept(&part.what.holder),
            decisions::because(decision.because(level), level),
        ]
    };
    text.push_str(&decisions::table("  ", &seen.parts.iter().map(row).collect::<Vec<_>>()));
}

fn in_detail(seen: &Seen, text: &mut String) {
    for part in &seen.parts {
        let decision = &part.what.decision;
        let _ = writeln!(text, "{}: {}", seen.source, decisions::part(part));
        let row = |level: Level| {
            let word = if decision.levels.has(level) { "yes" } else { "no" };
            let because = decisions::because(decision.because(level), level);
            vec![level.as_str().to_owned(), word.to_owned(), because]
        };
        text.push_str(&decisions::table("  ", &Level::ALL.map(row)));
        let _ = writeln!(text, "  the value is kept {} for it", kept(&part.what.holder));
        if decision.needs_reason {
            text.push_str("  a reason must be given\n");
        }
    }
}

fn as_json(request: &Request, outcome: &Outcome) -> Value {
    let policy = &outcome.policy;
    let mut result = json!({
        "is_in_force": outcome.is_in_force,
        "serial": policy.serial,
        "valid_until": policy.valid_until,
    });
    let more = match &outcome.answer {
        Answer::Policy { rules, sources } => vec![
            ("rules", rules.iter().map(rule).collect::<Vec<_>>()),
            (
                "sources",
                sources.iter().map(|(path, values)| json!({"source": path, "values": values})).collect(),
            ),
        ],
        Answer::Agent { seen, .. } => vec![("sources", seen.iter().map(source).collect())],
    };
    for (key, value) in more {
        result[key] = value.into();
    }
    if let Answer::Agent { principal, .. } = &outcome.answer {
        result["agent"] = request.agent.clone().into();
        result["principal"] = principal.as_ref().map_or(Value::Null, |it| {
            let roles: Vec<&str> = it.roles.iter().map(|role| role.as_str()).collect();
            json!({ "line": it.line, "roles": roles, "broker": it.broker, "age": it.age })
        });
    }
    result
}

fn rule(rule: &RuleReach) -> Value {
    json!({
        "line": rule.line,
        "effect": if rule.denies { "deny" } else { "allow" },
        "secrets": rule.what,
        "agents": rule.agents,
        "levels": decisions::words(rule.levels),
        "lease": rule.lease,
        "principals": rule.principals,
        "values": rule.leaves,
    })
}

fn source(seen: &Seen) -> Value {
    let part = |part: &Subtree<Explained>| {
        let Explained { decision, holder } = &part.what;
        let kept_by = match holder {
            Holder::Agent => json!({ "kept": "agent" }),
            Holder::Broker(name) => json!({ "kept": "broker", "broker": name }),
            Holder::Nobody => json!({ "kept": "nowhere" }),
        };
        json!({
            "path": show_path(&part.path),
            "values": part.leaves,
            "levels": decisions::words(decision.levels),
            "decided": Level::ALL.map(|level| decisions::deciding(decision, level)),
            "holder": kept_by,
            "needs_reason": decision.needs_reason,
            "needs_lease": decision.needs_lease,
        })
    };
    json!({ "source": seen.source, "parts": seen.parts.iter().map(part).collect::<Vec<_>>() })
}
