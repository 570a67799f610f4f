//! `age-plugin-test`, an age plugin on the search path of a sandbox, which writes
//! down how often it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::sandbox::Sandbox;

/// Whose key the plugin has.
pub(crate) const RECIPIENT: &str = "age1test1v9kxjcm9yaejq6rpwfj8wctjv5axppku";
/// Its identity.
pub(crate) const IDENTITY: &str = "AGE-PLUGIN-TEST-1V9KXJCM9YAEJQ6RPWFJ8WCTJV5W9Z8XN";
/// A key of the same plugin that nobody has.
pub(crate) const FOREIGN: &str = "age1test1vfhkyfmnyp5xzunywashyegzprzk3";

/// The plugin in a sandbox.
pub(crate) struct Plugin {
    log: PathBuf,
}

impl Plugin {
    /// Puts it on the search path, and its identity at sops's default place.
    pub(crate) fn install(sandbox: &mut Sandbox) -> Self {
        let program = sandbox.write("bin/age-plugin-test", include_str!("age-plugin-test"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", sandbox.path("bin").display());
        let log = sandbox.path("plugin.log");
        sandbox.set_env("PATH", &path).set_env("AGE_PLUGIN_TEST_LOG", log.to_str().unwrap());
        let keys = sandbox.folder().join("home/.config/sops/age");
        fs::create_dir_all(&keys).unwrap();
        fs::write(keys.join("keys.txt"), format!("# the key in my pocket\n{IDENTITY}\n")).unwrap();
        fs::set_permissions(keys.join("keys.txt"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { log }
    }

    /// What it wrote down since it was asked last.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let _ = fs::remove_file(&self.log);
        text.lines().map(str::to_owned).collect()
    }
}
