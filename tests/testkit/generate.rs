//! Documents to try the program on: made from a seed, in every format, each
//! with a rule that says what to encrypt.

use leaflock::domain::store::Format;

use super::rng::Rng;
use super::sandbox::ALICE;
use super::{gen_flat, gen_json, gen_odd_yaml, gen_yaml, lossless};

/// The formats that documents are made in, by file extension.
pub(crate) const EXTENSIONS: [&str; 5] = ["yaml", "json", "env", "ini", "bin"];

/// A selection rule of `.sops.yaml`: its name in file names, and its lines.
const RULES: [(&str, &str); 10] = [
    ("all", ""),
    ("unencrypted_suffix", "unencrypted_suffix: _clear"),
    ("encrypted_suffix", "encrypted_suffix: _enc"),
    ("encrypted_regex", "encrypted_regex: '^(data|password|key_.*|items)$'"),
    ("unencrypted_regex", "unencrypted_regex: '^(user|host|config|kind)'"),
    ("encrypted_regex_mac", "encrypted_regex: '(pass|tok|_enc$)'\n    mac_only_encrypted: true"),
    ("mac_only_encrypted", "mac_only_encrypted: true"),
    ("encrypted_comment_regex", "encrypted_comment_regex: 'zz-lock'"),
    ("unencrypted_comment_regex", "unencrypted_comment_regex: 'zz-clear'"),
    ("unencrypted_regex_mac", "unencrypted_regex: '^k'\n    mac_only_encrypted: true"),
];

/// One generated or kept document.
#[derive(Clone)]
pub(crate) struct Document {
    /// The file extension, which decides the format.
    pub(crate) extension: String,
    /// The name of its selection rule.
    pub(crate) rule: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Document {
    /// Document number `seed` of a format.
    pub(crate) fn generate(extension: &str, seed: u64) -> Self {
        let mut rng = Rng::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ extension.len() as u64);
        let bytes = match extension {
            "yaml" => gen_yaml::document(&mut rng),
            "json" => gen_json::document(&mut rng),
            "env" => gen_flat::dotenv(&mut rng),
            "ini" => gen_flat::ini(&mut rng),
            _ => gen_flat::binary(&mut rng),
        };
        let choice = if rng.chance(50) || extension == "bin" { 0 } else { rng.below(RULES.len()) };
        Self { extension: extension.to_owned(), rule: RULES[choice].0.to_owned(), bytes }
    }

    /// Document number `seed` of odd YAML that can be read at all.
    pub(crate) fn generate_odd_yaml(seed: u64) -> Self {
        let mut rng = Rng::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let is_read = |bytes: &Vec<u8>| bytes.len() > 20 && lossless::lock(Format::Yaml, bytes).is_some();
        let bytes = loop {
            let bytes = gen_odd_yaml::document(&mut rng);
            if is_read(&bytes) {
                break bytes;
            }
        };
        let rule = if rng.chance(50) { RULES[0].0 } else { rng.pick(&RULES).0 };
        Self { extension: "yaml".to_owned(), rule: rule.to_owned(), bytes }
    }

    /// The `.sops.yaml` of its rule, with [`ALICE`] as the recipient.
    pub(crate) fn config(&self) -> String {
        let lines = RULES.iter().find(|(name, _)| *name == self.rule).map_or("", |(_, lines)| lines);
        format!("creation_rules:\n  - age: {}\n    {lines}\n", ALICE.recipient)
    }
}
