//! The environment of a program that gets secrets: names that no secret may have,
//! because their values are commands, libraries or places of programs to whoever reads
//! them, and variables of the caller that hold credentials, which the program does not
//! inherit. Both lists are in `src/docs/run-agent.md`.
//!
//! Case does not count: some systems and programs do not tell it apart.

/// Names that no secret may have. `*` stands for any text at the end.
pub const REFUSED: &[&str] = &[
    // What every program that is started depends on.
    "PATH",
    "HOME",
    "SHELL",
    "PWD",
    "OLDPWD",
    "TMPDIR",
    "XDG_*",
    "LD_*",
    "DYLD_*",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "MALLOC_*",
    "NLSPATH",
    "LOCPATH",
    "HOSTALIASES",
    "RES_OPTIONS",
    "TERMINFO*",
    "COMSPEC",
    "PATHEXT",
    "SYSTEMROOT",
    "WINDIR",
    // Shells.
    "BASH_ENV",
    "ENV",
    "IFS",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "SHELLOPTS",
    "BASHOPTS",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "BASH_FUNC_*",
    "ZDOTDIR",
    "FPATH",
    // Interpreters.
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "PYTHON*",
    "PERL5*",
    "PERLLIB",
    "RUBY*",
    "GEM_HOME",
    "GEM_PATH",
    "BUNDLE_GEMFILE",
    "BUNDLE_PATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "CLASSPATH",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "LUA_INIT*",
    "LUA_PATH*",
    "LUA_CPATH*",
    "GOFLAGS",
    "RUSTFLAGS",
    "RUSTC*",
    "CARGO_HOME",
    "CARGO_BUILD_*",
    "CARGO_TARGET_*",
    "CARGO_ENCODED_RUSTFLAGS",
    "DOTNET_STARTUP_HOOKS",
    "CORECLR_*",
    "COR_*",
    // Programs that other programs start.
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "MANPAGER",
    "GIT_*",
    "SSH_ASKPASS*",
    "SSH_AUTH_SOCK",
    "SUDO_ASKPASS",
    "SUDO_EDITOR",
    "MAKEFLAGS",
    "GNUPGHOME",
    "DOCKER_HOST",
    // Where traffic goes, and whom it trusts.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "FTP_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "CURL_HOME",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "SSLKEYLOGFILE",
    // Ours.
    "LEAFLOCK_*",
    "SOPS_*",
];

/// Names of variables that hold credentials, or lead to them. `*` stands for any text at
/// one end.
pub const CREDENTIALS: &[&str] = &[
    // Ours.
    "SOPS_AGE_KEY*",
    "SOPS_AGE_SSH_PRIVATE_KEY*",
    "SOPS_PGP_PASSPHRASE",
    "LEAFLOCK_SIGNING_KEY",
    "LEAFLOCK_ASKPASS",
    // Agents that hold keys.
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "SSH_ASKPASS*",
    "GPG_AGENT_INFO",
    "SUDO_ASKPASS",
    "GIT_ASKPASS",
    // Clouds and services.
    "AWS_*",
    "AZURE_*",
    "ARM_*",
    "GOOGLE_*",
    "GCLOUD_*",
    "CLOUDSDK_*",
    "DIGITALOCEAN_*",
    "CLOUDFLARE_*",
    "HCLOUD_*",
    "VAULT_*",
    "CONSUL_*",
    "NOMAD_*",
    "OP_*",
    "BW_*",
    "DOPPLER_*",
    "INFISICAL_*",
    "OPENAI_*",
    "ANTHROPIC_*",
    "ACTIONS_ID_TOKEN_REQUEST_*",
    "ACTIONS_RUNTIME_*",
    "DATABASE_URL",
    "PGPASSWORD",
    "PGPASSFILE",
    "MYSQL_PWD",
    "REDISCLI_AUTH",
    "SENTRY_DSN",
    "KUBECONFIG",
    "DOCKER_AUTH_CONFIG",
    "NETRC",
    // What names say.
    "*_TOKEN",
    "*_API_KEY",
    "*_APIKEY",
    "*_ACCESS_KEY",
    "*_ACCESS_KEY_ID",
    "*_SECRET",
    "*_SECRET_KEY",
    "*_PRIVATE_KEY",
    "*_PASSWORD",
    "*_PASSWD",
    "*_PASSPHRASE",
    "*_CREDENTIALS",
    "TOKEN",
    "API_KEY",
    "SECRET",
    "PASSWORD",
];

/// True for a name that no secret may have.
pub fn is_refused(name: &str) -> bool {
    is_one_of(REFUSED, name)
}

/// True for the name of a variable that holds credentials.
pub fn is_credential(name: &str) -> bool {
    is_one_of(CREDENTIALS, name)
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    names.iter().any(|known| match (known.strip_suffix('*'), known.strip_prefix('*')) {
        (Some(start), _) => name.starts_with(start),
        (_, Some(end)) => name.ends_with(end),
        (None, None) => name == *known,
    })
}

#[cfg(test)]
mod tests {
    use super::{CREDENTIALS, REFUSED, is_credential, is_refused};

    #[test]
    fn names_are_compared_whole_and_without_case() {
        for name in
            ["PATH", "Path", "LD_PRELOAD", "ld_library_path", "BASH_FUNC_ls%%", "_JAVA_OPTIONS", "GIT_SSH"]
        {
            assert!(is_refused(name), "{name}");
        }
        for name in ["DB_PATH", "PATHS", "DATABASE_PASSWORD", "TOKEN", "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY"]
        {
            assert!(!is_refused(name), "{name}");
        }
        for name in
            ["SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "GH_TOKEN", "aws_profile", "NPM_TOKEN", "SSH_AUTH_SOCK"]
        {
            assert!(is_credential(name), "{name}");
        }
        for name in ["PATH", "HOME", "LANG", "TOKENS", "SOPS_AGE_RECIPIENTS", "SECRETS_FOLDER", "CI"] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn the_manual_has_every_name() {
        let manual = include_str!("../../docs/run-agent.md");
        for name in REFUSED.iter().chain(CREDENTIALS) {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }
}
