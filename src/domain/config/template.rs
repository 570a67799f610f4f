//! The text of a first `.sops.yaml`, and the example that the repository shows.

/// `.sops.yaml.example`: every kind of rule with its meaning.
pub const EXAMPLE: &str = include_str!("../../../.sops.yaml.example");

const HEAD: &str = "\
# Who can read which files. When a file is encrypted, the first rule whose
# path_regex matches its path applies; a file that is encrypted already keeps
# its keys. leaflock and sops read this file alike.
#
# Recipients are public: commit this file. For another person or machine, add
# a line under age with a comment that says who it is.
#
# To see what applies to a file: leaflock config explain FILE
creation_rules:
";

/// The environments that get a rule of their own, and what their files look like.
const RULES: [(&str, &str); 4] = [
    ("Development: app.dev.yaml", r"\.dev\."),
    ("Staging: app.staging.yaml", r"\.staging\."),
    ("Production: app.prod.yaml", r"\.prod\."),
    ("All other files", ""),
];

/// A `.sops.yaml` with a rule for each environment and one for all other files, each
/// for `recipients`: a recipient and, if it is not empty, whose it is.
pub fn sops_yaml(recipients: &[(&str, &str)]) -> String {
    let mut text = HEAD.to_owned();
    for (number, (title, pattern)) in RULES.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        text.push_str(&format!("  # {title}\n"));
        if pattern.is_empty() {
            text.push_str("  - age:\n");
        } else {
            text.push_str(&format!("  - path_regex: {pattern}\n    age:\n"));
        }
        for (recipient, name) in recipients {
            text.push_str(&format!("      - {}", quoted(recipient)));
            let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            if !name.is_empty() {
                text.push_str(&format!(" # {name}"));
            }
            text.push('\n');
        }
    }
    text
}

/// A recipient as a YAML scalar; what is not plainly one is quoted.
fn quoted(recipient: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+/=@._- ".contains(c);
    if recipient.chars().all(plain) && recipient.starts_with(|c: char| c.is_ascii_alphabetic()) {
        recipient.to_owned()
    } else {
        format!("'{}'", recipient.replace('\'', "''"))
    }
}
