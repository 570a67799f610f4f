//! Keys and tokens that lie in clear text, told by the prefixes and lengths that
//! their makers document. A prefix is found first, by one search for all; what
//! stands behind it must have the length and letters of a token and look random, so
//! that examples and placeholders are none. What was found is named, never shown.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::encrypted::{Encrypted, is_ciphertext};
use super::findings::{Finding, Findings};
use super::kinds::Kind;
use super::lines::{path_of, position};
use crate::domain::tree::{self, Flags, NodeId};

/// What a token is made of behind its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letters {
    /// Letters and digits.
    Alphanumeric,
    /// The same, with at least one small and one capital letter.
    Cased,
    /// Capital letters and digits.
    Capitals,
    /// Small hexadecimal digits.
    Hex,
    /// Letters, digits and `_`.
    Word,
    /// Base64 for URLs: letters, digits, `_` and `-`.
    Url,
    /// The same, dots and slashes.
    Path,
    /// Capital Bech32, as age writes secrets.
    Bech32,
}

impl Letters {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric | Self::Cased => byte.is_ascii_alphanumeric(),
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => byte.is_ascii_alphanumeric() || b"_-".contains(&byte),
            Self::Path => byte.is_ascii_alphanumeric() || b"_-./".contains(&byte),
            Self::Bech32 => b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".contains(&byte),
        }
    }
}

/// A token of a known form.
pub(super) struct Form {
    pub(super) prefix: &'static str,
    letters: Letters,
    /// How many letters it has, from and to.
    pub(super) length: (usize, usize),
    pub(super) what: &'static str,
}

const ANY: usize = usize::MAX;

const fn form(prefix: &'static str, letters: Letters, length: (usize, usize), what: &'static str) -> Form {
    Form { prefix, letters, length, what }
}

/// The forms of tokens.
pub(super) const FORMS: [Form; 45] = [
    form("AKIA", Letters::Capitals, (16, 16), "an AWS access key"),
    form("ASIA", Letters::Capitals, (16, 16), "a temporary AWS access key"),
    form("github_pat_", Letters::Word, (60, 255), "a GitHub token"),
    form("ghp_", Letters::Alphanumeric, (36, 255), "a GitHub token"),
    form("gho_", Letters::Alphanumeric, (36, 255), "a GitHub token"),
    form("ghu_", Letters::Alphanumeric, (36, 255), "a GitHub token"),
    form("ghs_", Letters::Alphanumeric, (36, 255), "a GitHub token"),
    form("ghr_", Letters::Alphanumeric, (36, 255), "a GitHub token"),
    form("glpat-", Letters::Url, (20, 300), "a GitLab token"),
    form("gldt-", Letters::Url, (20, 300), "a GitLab deploy token"),
    form("glrt-", Letters::Url, (20, 300), "a GitLab runner token"),
    form("glptt-", Letters::Url, (40, 300), "a GitLab trigger token"),
    form("glcbt-", Letters::Url, (20, 300), "a GitLab job token"),
    form("glagent-", Letters::Url, (50, 300), "a GitLab agent token"),
    form("xoxb-", Letters::Url, (24, 300), "a Slack token"),
    form("xoxp-", Letters::Url, (24, 300), "a Slack token"),
    form("xoxa-", Letters::Url, (24, 300), "a Slack token"),
    form("xoxr-", Letters::Url, (24, 300), "a Slack token"),
    form("xoxs-", Letters::Url, (24, 300), "a Slack token"),
    form("xoxe-", Letters::Url, (24, 300), "a Slack token"),
    form("xoxe.xoxp-", Letters::Url, (24, 300), "a Slack token"),
    form("xapp-", Letters::Url, (30, 300), "a Slack app token"),
    form("hooks.slack.com/services/T", Letters::Path, (30, 90), "the address of a Slack webhook"),
    form("sk_live_", Letters::Alphanumeric, (24, 247), "a Stripe key"),
    form("rk_live_", Letters::Alphanumeric, (24, 247), "a Stripe key"),
    form("whsec_", Letters::Alphanumeric, (32, 64), "a Stripe webhook secret"),
    form("AIza", Letters::Url, (35, 35), "a Google API key"),
    form("GOCSPX-", Letters::Url, (28, 28), "a Google OAuth client secret"),
    form("npm_", Letters::Alphanumeric, (36, 36), "an npm token"),
    form("pypi-AgEIcHlwaS5vcmc", Letters::Url, (50, ANY), "a PyPI token"),
    form("pypi-AgENdGVzdC5weXBpLm9yZ", Letters::Url, (50, ANY), "a TestPyPI token"),
    form("sk-ant-", Letters::Url, (40, 200), "an Anthropic key"),
    form("sk-proj-", Letters::Url, (40, 250), "an OpenAI key"),
    form("sk-svcacct-", Letters::Url, (40, 250), "an OpenAI key"),
    form("sk-admin-", Letters::Url, (40, 250), "an OpenAI key"),
    form("sk-or-v1-", Letters::Hex, (64, 64), "an OpenRouter key"),
    form("sk-", Letters::Cased, (48, 48), "an OpenAI key"),
    form("hf_", Letters::Cased, (34, 34), "a Hugging Face token"),
    form("dop_v1_", Letters::Hex, (64, 64), "a DigitalOcean token"),
    form("dckr_pat_", Letters::Url, (24, 60), "a Docker Hub token"),
    form("hvs.", Letters::Url, (24, 300), "a HashiCorp Vault token"),
    form("SG.", Letters::Path, (66, 66), "a SendGrid key"),
    form("shpat_", Letters::Hex, (32, 32), "a Shopify token"),
    form("AGE-SECRET-KEY-1", Letters::Bech32, (58, 58), "an age identity"),
    form("AGE-SECRET-KEY-PQ-1", Letters::Bech32, (58, 58), "a post-quantum age identity"),
];

/// Tokens that are told by more than letters behind a prefix.
const PRIVATE_KEY: &[u8] = b"-----BEGIN ";
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
const PLUGIN: &[u8] = b"AGE-PLUGIN-";
const JSON_WEB_TOKEN: &[u8] = b"eyJ";
/// Keys for tests, which documentation is full of: found where secrets are kept.
const STRIPE_TEST: Form = form("sk_test_", Letters::Alphanumeric, (24, 247), "a Stripe test key");

/// The most places of a file that are looked at closely.
const MOST: usize = 1000;
/// How much of a file is looked through for the zero byte that text has not got.
const HEAD: usize = 8000;

/// The keys and tokens that lie in clear in a file. In an encrypted one the clear
/// values and comments are looked at, and what is named has a key path. Where
/// secrets are kept (`is_managed`), what is elsewhere an example is found too.
pub fn secrets(bytes: &[u8], encrypted: Option<&Encrypted<'_>>, is_managed: bool) -> Vec<Finding> {
    if memchr::memchr(0, &bytes[..bytes.len().min(HEAD)]).is_some() {
        return Vec::new();
    }
    let mut findings = Findings::default();
    let mut after = 0;
    for found in prefixes().find_iter(bytes).take(MOST) {
        let at = found.start();
        if at < after {
            continue;
        }
        let Some((kind, what, length)) = judge(bytes, at, is_managed) else { continue };
        after = at + length;
        let (line, column) = position(bytes, at);
        let mut key = None;
        if let Some(file) = encrypted {
            match node_at(file, at) {
                Some(id) => key = path_of(&file.tree, id, file.format),
                None => continue,
            }
        }
        let message = format!("{what} lies in clear text");
        let finding = Finding::of_file(kind, message).at_line(Some(line));
        findings.push(Finding { column: Some(column), key, ..finding });
    }
    findings.finish()
}

/// The search for every prefix.
fn prefixes() -> &'static Regex {
    static PREFIXES: OnceLock<Regex> = OnceLock::new();
    PREFIXES.get_or_init(|| {
        let special = [PRIVATE_KEY, PUTTY, PLUGIN, JSON_WEB_TOKEN].map(String::from_utf8_lossy);
        let forms = FORMS.iter().chain([&STRIPE_TEST]).map(|form| form.prefix.into());
        let mut texts: Vec<String> = forms.chain(special).map(|text| regex::escape(&text)).collect();
        // The first of two that fit is found.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        // Nothing of the user's is in the pattern, so it compiles.
        Regex::new(&format!("(?-u){}", texts.join("|"))).unwrap_or_else(|_| unreachable!("a list of words"))
    })
}

/// What begins at `at`, and how long it is.
fn judge(bytes: &[u8], at: usize, is_managed: bool) -> Option<(Kind, &'static str, usize)> {
    let rest = &bytes[at..];
    if rest.starts_with(PRIVATE_KEY) {
        return pem(rest).map(|(what, length)| (Kind::PrivateKey, what, length));
    }
    if rest.starts_with(PUTTY) {
        let is_head = matches!(rest.get(PUTTY.len()..PUTTY.len() + 2), Some(b"1:" | b"2:" | b"3:"));
        let is_one = is_head && memchr::memmem::find(rest, b"\nPrivate-Lines:").is_some();
        return is_one.then_some((Kind::PrivateKey, "a PuTTY private key", PUTTY.len()));
    }
    // A word that only ends like a prefix begins before it.
    if at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') {
        return None;
    }
    if rest.starts_with(PLUGIN) {
        return plugin(rest).map(|length| (Kind::AgeIdentity, "the identity of an age plugin", length));
    }
    if rest.starts_with(JSON_WEB_TOKEN) {
        let length = json_web_token(rest).filter(|_| is_managed)?;
        return Some((Kind::AccessToken, "a JSON web token", length));
    }
    let forms = FORMS.iter().chain(Some(&STRIPE_TEST).filter(|_| is_managed));
    let fits = |form: &&Form| rest.starts_with(form.prefix.as_bytes()) && is_token(form, rest);
    let form = forms.filter(fits).max_by_key(|form| form.prefix.len())?;
    let kind = if form.letters == Letters::Bech32 { Kind::AgeIdentity } else { Kind::AccessToken };
    Some((kind, form.what, form.prefix.len() + form.length.0))
}

fn is_token(form: &Form, text: &[u8]) -> bool {
    let body = run(&text[form.prefix.len()..], |byte| form.letters.has(byte));
    let (least, most) = form.length;
    let cased = || body.iter().any(u8::is_ascii_lowercase) && body.iter().any(u8::is_ascii_uppercase);
    (least..=most).contains(&body.len())
        && (form.letters != Letters::Cased || cased())
        && looks_random(&body[..body.len().min(least * 2)])
}

/// The bytes that `text` begins with for which `has` holds.
fn run(text: &[u8], has: impl Fn(u8) -> bool) -> &[u8] {
    &text[..text.iter().position(|byte| !has(*byte)).unwrap_or(text.len())]
}

/// Words of examples and placeholders, in small letters.
const PLACEHOLDERS: [&[u8]; 6] = [b"example", b"your", b"placeholder", b"changeme", b"redacted", b"xxxx"];

/// True for what may come from a generator: many different characters, none many
/// times in a row, and none of the words of examples.
fn looks_random(body: &[u8]) -> bool {
    const DIFFERENT: usize = 8;
    const IN_A_ROW: usize = 6;
    let mut seen = [false; 256];
    body.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    let small = body.to_ascii_lowercase();
    different >= DIFFERENT.min(body.len() / 2)
        && !body.windows(IN_A_ROW).any(|row| row.iter().all(|byte| *byte == row[0]))
        && !PLACEHOLDERS.iter().any(|word| memchr::memmem::find(&small, word).is_some())
}

/// A private key in armor: its kind and length. Its header alone is what programs
/// look for; there must be a line of it, in a string or a file.
fn pem(text: &[u8]) -> Option<(&'static str, usize)> {
    const LONGEST_HEADER: usize = 60;
    const HEADERS: usize = 512;
    const LINE: usize = 40;
    let title =
        run(&text[PRIVATE_KEY.len()..], |byte| byte.is_ascii_uppercase() || b" 0123456789".contains(&byte));
    let end = PRIVATE_KEY.len() + title.len();
    if end > LONGEST_HEADER || !text[end..].starts_with(b"-----") {
        return None;
    }
    let what = match title {
        b"OPENSSH PRIVATE KEY" => "an OpenSSH private key",
        b"PGP PRIVATE KEY BLOCK" => "a PGP private key",
        b"ENCRYPTED PRIVATE KEY" => "a private key under a passphrase",
        title if title.ends_with(b"PRIVATE KEY") => "a private key",
        _ => return None,
    };
    let body = &text[end + 5..];
    let body = &body[..memchr::memmem::find(body, b"-----").unwrap_or(body.len()).min(HEADERS)];
    let is_line = |piece: &[u8]| piece.len() >= LINE && looks_random(piece);
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    let found = body.split(|byte| !base64(byte)).any(is_line);
    found.then_some((what, end))
}

/// The length of `AGE-PLUGIN-NAME-1…`.
fn plugin(text: &[u8]) -> Option<usize> {
    const LEAST: usize = 20;
    let word = run(text, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
    let one = memchr::memmem::rfind(word, b"-1")?;
    let data = &word[one + 2..];
    let fits =
        data.len() >= LEAST && data.iter().all(|byte| Letters::Bech32.has(*byte)) && looks_random(data);
    (fits && one > PLUGIN.len()).then_some(word.len())
}

/// The length of a signed JSON web token.
fn json_web_token(text: &[u8]) -> Option<usize> {
    const LEAST: usize = 16;
    let word = run(text, |byte| Letters::Url.has(byte) || byte == b'.');
    let mut parts = word.split(|byte| *byte == b'.');
    let (head, body, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = head.len() >= LEAST && body.starts_with(JSON_WEB_TOKEN) && signature.len() >= LEAST;
    (fits && looks_random(signature)).then_some(word.len())
}

/// The clear value or comment that byte `at` belongs to.
fn node_at(file: &Encrypted<'_>, at: usize) -> Option<NodeId> {
    let tree = &file.tree;
    let holds = |(_, node): &(usize, &tree::Node)| {
        matches!(node.kind, tree::Kind::Scalar | tree::Kind::Comment) && node.span.range().contains(&at)
    };
    let (id, node) = tree.nodes.iter().enumerate().find(holds)?;
    let is_clear = !node.flags.has(Flags::METADATA) && !is_ciphertext(tree.text(node.text));
    is_clear.then_some(id as NodeId)
}
