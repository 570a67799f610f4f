//! An empty world to run programs in: own home, own temporary folder, no
//! environment, no git configuration, no identity but those that a test puts
//! there. What a program answered must be looked at, and it may not hang.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::gpg::GpgHome;
use super::sops;

/// A throw-away identity of the tests.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// The recipient that files name.
    pub(crate) recipient: &'static str,
    /// The identity file's text.
    pub(crate) identity: &'static str,
}

/// The identity that sandboxes made by [`Sandbox::with_key`] hold.
pub(crate) const ALICE: Key = Key {
    recipient: "age1tvc8srlpa09ty697ew27uwzmx4afzc4hptg6frh69yp9ydya6cqqg647um",
    identity: include_str!("../../fixtures/keys/alice.txt"),
};

/// An identity that they do not hold.
pub(crate) const BOB: Key = Key {
    recipient: "age1r8ykjd0kqygeawmhndan0apu56gcytemekxcf55jaa3jrnpgwekspzdk2z",
    identity: include_str!("../../fixtures/keys/bob.txt"),
};

/// Another one.
pub(crate) const CAROL: Key = Key {
    recipient: "age14ur2ajrkvjg2pqluftu3d45a9vc8pvkyjjn5antam363wckn6g0s73yupe",
    identity: include_str!("../../fixtures/keys/carol.txt"),
};

/// No program of ours takes this long; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fresh folder with a `home`, a `tmp` and a `work` that programs start in.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    gpg: Option<GpgHome>,
}

impl Sandbox {
    /// A sandbox without any identity.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("leaflock-test-").tempdir().unwrap();
        for name in ["home", "tmp", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let environment = BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("TMPDIR".to_owned(), path("tmp")),
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            ("GIT_CONFIG_GLOBAL".to_owned(), "/dev/null".to_owned()),
            ("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned()),
            ("SOPS_DISABLE_VERSION_CHECK".to_owned(), "1".to_owned()),
        ]);
        Self { folder, environment, gpg: None }
    }

    /// A sandbox whose home holds [`ALICE`]'s identity at sops's default place.
    pub(crate) fn with_key() -> Self {
        let sandbox = Self::new();
        let keys = sandbox.folder.path().join("home/.config/sops/age");
        fs::create_dir_all(&keys).unwrap();
        fs::write(keys.join("keys.txt"), ALICE.identity).unwrap();
        fs::set_permissions(keys.join("keys.txt"), fs::Permissions::from_mode(0o600)).unwrap();
        sandbox
    }

    /// Sets a variable for every program started from now on.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Makes `home` the GnuPG home of every program started from now on.
    pub(crate) fn adopt(&mut self, home: GpgHome) -> &mut Self {
        self.set_env("GNUPGHOME", home.path());
        self.gpg = Some(home);
        self
    }

    /// The environment of every program started from now on.
    pub(crate) fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Puts a link to `program` on the search path under the name `sops`.
    pub(crate) fn install_as_sops(&mut self, program: &Path) -> &mut Self {
        let folder = self.folder.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("sops");
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(program, link).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
        self.set_env("PATH", &path)
    }

    /// The sandbox itself.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of `name` in the folder that programs start in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Writes a file there.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file there.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs `leaflock`.
    pub(crate) fn ours<S: AsRef<str>>(&self, arguments: &[S]) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_leaflock")), arguments, b"")
    }

    /// Runs `leaflock` with something on its standard input.
    pub(crate) fn ours_with_stdin<S: AsRef<str>>(&self, arguments: &[S], stdin: &[u8]) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_leaflock")), arguments, stdin)
    }

    /// Runs the real `sops`.
    pub(crate) fn sops<S: AsRef<str>>(&self, arguments: &[S]) -> Output {
        self.run(sops::program(), arguments, b"")
    }

    /// A program that is to start here.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.folder.path().join("work"));
        command
    }

    /// Runs any program.
    pub(crate) fn run<S: AsRef<str>>(&self, program: &Path, arguments: &[S], stdin: &[u8]) -> Output {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let mut child = self
            .command(program)
            .args(&arguments)
            .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let watched = Watched::new(child.id());
        let feeder = child.stdin.take().map(|mut pipe| {
            let input = stdin.to_vec();
            // A program may rightly end without reading all of it.
            std::thread::spawn(move || pipe.write_all(&input).ok())
        });
        let done = child.wait_with_output().unwrap();
        drop(watched);
        if let Some(feeder) = feeder {
            feeder.join().unwrap();
        }
        let name = program.file_name().unwrap().to_string_lossy();
        Output {
            command: format!("{name} {}", arguments.join(" ")),
            code: done.status.code(),
            stdout: done.stdout,
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }
}

/// What a program answered.
#[must_use = "an answer that nobody looks at proves nothing"]
pub(crate) struct Output {
    /// What was run, for messages.
    pub(crate) command: String,
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: Vec<u8>,
    /// What it said.
    pub(crate) stderr: String,
}

impl Output {
    /// Its standard output, if it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Vec<u8> {
        assert!(self.code == Some(0), "{}", self.describe());
        self.stdout
    }

    /// Its standard output as text, if it succeeded.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.ok()).unwrap()
    }

    /// What it said, if it failed with `code`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert!(self.code == Some(code), "expected exit {code}: {}", self.describe());
        self.stderr
    }

    /// The whole answer, for a message.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} → {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.code,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(4000)]),
            self.stderr
        )
    }
}

type Deadlines = Mutex<HashMap<u32, Instant>>;

/// A running program that is killed when it hangs.
struct Watched(u32);

impl Watched {
    fn new(process: u32) -> Self {
        deadlines().lock().unwrap().insert(process, Instant::now() + PATIENCE);
        Self(process)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        deadlines().lock().unwrap().remove(&self.0);
    }
}

fn deadlines() -> &'static Deadlines {
    static DEADLINES: OnceLock<Deadlines> = OnceLock::new();
    static KEEPER: OnceLock<std::thread::JoinHandle<()>> = OnceLock::new();
    let deadlines = DEADLINES.get_or_init(Mutex::default);
    KEEPER.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let now = Instant::now();
                for (process, deadline) in DEADLINES.wait().lock().unwrap().iter() {
                    if now > *deadline {
                        // The entry goes when its owner has seen the process end.
                        let _ = Command::new("kill").args(["-KILL", &process.to_string()]).status();
                    }
                }
            }
        })
    });
    deadlines
}
