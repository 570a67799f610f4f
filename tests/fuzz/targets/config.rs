//! Any bytes as `.sops.yaml`: reading it and asking it for a rule never panics.
#![no_main]

use leaflock::domain::config::Config;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(config) = Config::parse(data) else { return };
    for path in ["secrets/app.prod.yaml", "/abs/x.env"] {
        if let Ok(Some(rule)) = config.rule_for(path) {
            let _ = rule.key_groups(&[]);
            let _ = rule.checked_settings();
        }
    }
});
