//! What somebody plants who can push and has no key: links, copies, states that others
//! wrote, files that leave out what was signed. Each attack ends in a refusal and changes
//! nothing; its control, the same without the plant, works.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use leaflock::domain::digest;
use serde_json::Value;

use crate::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};

const SOURCE: &str = "secrets/prod.yaml";
const MANIFEST: &str = ".leaflock/manifest.json";
const BOT: &str = ".leaflock/agents/ops/bot/secrets/prod.yaml";

/// A repository with an administrator, an agent, two sources and what was made from them.
struct World {
    sandbox: Sandbox,
}

impl World {
    fn new() -> Self {
        Self::with_policy("")
    }

    /// With these lines in the policy as well.
    fn with_policy(more: &str) -> Self {
        let mut sandbox = Sandbox::with_key();
        let git = |arguments: &[&str]| drop(sandbox.run(Path::new("git"), arguments, b"").ok());
        git(&["init", "-q", "-b", "main"]);
        git(&["config", "user.name", "t"]);
        git(&["config", "user.email", "t@t.test"]);
        let ana = sandbox.folder().join("home/ana").to_str().unwrap().to_owned();
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "t", "-f", &ana];
        sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
        sandbox.ours(&["policy", "init", "--name", "humans/ana"]).ok();
        let world = Self { sandbox };
        let text = world.text(".leaflock/policy.yaml");
        let head = text.split("access_control:").next().unwrap();
        let bot = format!("  ops/bot: {{ age: {} }}\nrecovery:", BOB.recipient);
        let rules = "access_control:\n  secrets:\n    a: { allowed_agents: [ops/bot], access_level: read }\n";
        let text = format!("{}{more}{rules}", head.replace("recovery:", &bot));
        world.sandbox.write(".leaflock/policy.yaml", text);
        world.ours(&["policy", "sign", "--bump"]).ok();
        for name in [SOURCE, "dev.yaml"] {
            world.plant(name, "genuine");
        }
        world.ours(&["agent", "sync", "--accept", "."]).ok();
        world.commit();
        world
    }

    /// Another state of a file, encrypted for the right recipient.
    fn plant(&self, name: &str, value: &str) {
        self.sandbox.write(name, format!("a: {value}\nb: 1\n"));
        self.sandbox.sops(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
    }

    fn ours(&self, arguments: &[&str]) -> Output {
        self.sandbox.ours(arguments)
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.sandbox.run(Path::new("git"), arguments, b"").text()
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "state"]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.sandbox.read(name)).unwrap()
    }

    /// All entries of the clone's chains, as JSON.
    fn entries(&self) -> Vec<Value> {
        let chains = fs::read_dir(self.path(".git/leaflock/audit")).unwrap();
        let chains = chains.map(|entry| entry.unwrap().path());
        let chains = chains.filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
        let texts: Vec<String> = chains.map(|path| fs::read_to_string(path).unwrap()).collect();
        texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a command that is refused: exit code 5, these words, a denial in the trail.
    #[track_caller]
    fn refuses(&self, command: &[&str], code: &str, words: &str) {
        let denials = |entries: Vec<Value>| {
            let is_one = |entry: &&Value| entry["outcome"] == "denied" && entry["deny_code"] == code;
            entries.iter().filter(is_one).count()
        };
        let before = denials(self.entries());
        let answer = self.ours(command);
        assert!(!String::from_utf8_lossy(&answer.stdout).contains("planted"), "{}", answer.describe());
        let told = answer.fails(5);
        assert!(told.contains(words) && told.contains("hint: "), "{command:?}: {told}");
        assert!(!told.contains("not in the audit trail"), "{command:?}: {told}");
        assert_eq!(denials(self.entries()), before + 1, "{command:?}");
    }
}

/// Files outside of the repository that nobody may touch.
fn victim(world: &World) -> PathBuf {
    let folder = world.sandbox.folder().join("victim");
    fs::create_dir_all(folder.join("deep")).unwrap();
    for name in ["mine.txt", "deep/mine.txt", ".leaflock-abc"] {
        fs::write(folder.join(name), "mine").unwrap();
    }
    folder
}

#[track_caller]
fn is_untouched(folder: &Path) {
    let mut names: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(fs::read(&path).unwrap(), b"mine", "{}", path.display());
                names.push(path);
            }
        }
    }
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn links_among_the_files_of_a_policy_lead_nowhere() {
    const COMMANDS: &[&[&str]] = &[
        &["agent", "sync"],
        &["decrypt", SOURCE],
        &["set", SOURCE, "[\"a\"]", "\"x\""],
        &["policy", "sign", "--bump"],
        &["agent", "add", "ops/new", "--out", "../home/new"],
        &["agent", "revoke", "--reason", "x", "ops/bot"],
        &["trust", "sign"],
        &["audit", "checkpoint"],
    ];
    let world = World::new();
    let victim = victim(&world);
    let writer = fs::read_dir(world.path(".leaflock/audit")).unwrap().next().unwrap().unwrap();
    let writer = format!(".leaflock/audit/{}", writer.file_name().to_str().unwrap());
    for place in [
        ".leaflock/agents",
        ".leaflock/agents/ops",
        BOT,
        MANIFEST,
        ".leaflock/manifest.json.sig",
        ".leaflock/policy.yaml",
        ".leaflock/policy.yaml.sig",
        ".leaflock/allowed_signers",
        ".leaflock/revocations.jsonl",
        ".leaflock/audit",
        &writer,
    ] {
        for target in ["victim", "victim/mine.txt", "victim/none"] {
            let path = world.path(place);
            let aside = world.sandbox.folder().join("aside");
            let was_there = fs::rename(&path, &aside).is_ok();
            symlink(world.sandbox.folder().join(target), &path).unwrap();
            for command in COMMANDS {
                world.refuses(command, "policy_invalid", "a symbolic link stands here");
            }
            is_untouched(&victim);
            fs::remove_file(&path).unwrap();
            if was_there {
                fs::rename(&aside, &path).unwrap();
            }
        }
    }
    // The trail has all of it, and the work tree as well by now.
    world.ours(&["set", SOURCE, "[\"a\"]", "\"x\""]).ok();
    world.ours(&["agent", "sync", "--check"]).ok();
    world.ours(&["audit", "verify"]).ok();
    assert!(!world.sandbox.folder().join("home/new").exists());
}

#[test]
fn a_policy_does_not_begin_behind_a_link() {
    let world = World::new();
    let victim = victim(&world);
    fs::remove_dir_all(world.path(".leaflock")).unwrap();
    symlink(&victim, world.path(".leaflock")).unwrap();
    let told = world.ours(&["policy", "init", "--name", "humans/ana"]).fails(5);
    assert!(told.contains("a symbolic link stands here"), "{told}");
    is_untouched(&victim);
}

#[test]
fn the_page_for_agents_is_not_written_behind_links_out_of_the_repository() {
    let world = World::new();
    let victim = victim(&world);
    for target in [victim.join("mine.txt"), victim.join("none"), world.path(".git/hooks/pre-commit")] {
        symlink(&target, world.path("AGENTS.md")).unwrap();
        let before = fs::read(&target).ok();
        for command in [&["agent", "guide", "--install"][..], &["agent", "guide", "--remove"]] {
            let answer = world.ours(command);
            assert!(answer.code != Some(0), "{}", answer.describe());
        }
        assert_eq!(fs::read(&target).ok(), before);
        fs::remove_file(world.path("AGENTS.md")).unwrap();
    }
    is_untouched(&victim);
    // One that stays within is as good as the file.
    world.sandbox.write("docs/agents.md", "# Ours\n");
    symlink("docs/agents.md", world.path("AGENTS.md")).unwrap();
    world.ours(&["agent", "guide", "--install"]).ok();
    assert!(world.text("docs/agents.md").starts_with("# Ours\n") && world.text("AGENTS.md").len() > 100);
}

#[test]
fn a_planted_source_is_refused_by_whatever_name_it_is_reached() {
    let mut world = World::new();
    let outside = world.sandbox.folder().join("outside");
    symlink("secrets/prod.yaml", world.path("l.yaml")).unwrap();
    symlink("secrets", world.path("folder")).unwrap();
    symlink(world.path("secrets"), &outside).unwrap();
    symlink(world.path(SOURCE), world.sandbox.folder().join("l.yaml")).unwrap();
    let outside = outside.join("prod.yaml");
    let names = ["l.yaml", "folder/prod.yaml", outside.to_str().unwrap(), "../l.yaml"];
    // The control: what is genuine opens and changes by each name, and is written down by its own.
    for name in names {
        assert!(world.ours(&["decrypt", name]).text().contains("genuine"));
        world.ours(&["set", name, "[\"b\"]", &format!("\"{name}\"")]).ok();
        world.ours(&["agent", "sync", "--check"]).ok();
    }
    let opened = world.entries().into_iter().filter(|entry| entry["action"] == "decrypt");
    let files: Vec<Value> = opened.map(|entry| entry["file"].clone()).collect();
    assert_eq!(files, vec![Value::from(SOURCE); names.len()]);
    assert!(fs::symlink_metadata(world.path("l.yaml")).unwrap().is_symlink());
    world.plant(SOURCE, "planted");
    let (manifest, derived) = (world.sandbox.read(MANIFEST), world.sandbox.read(BOT));
    for name in names.into_iter().chain([SOURCE]) {
        for command in [&["decrypt", name][..], &["set", name, "[\"b\"]", "2"], &["rotate", "-i", name]] {
            world.refuses(command, "manifest_mismatch", "not the state that was signed for");
        }
    }
    assert_eq!((world.sandbox.read(MANIFEST), world.sandbox.read(BOT)), (manifest, derived));
    // By the way that the shell came, too.
    let way = world.sandbox.folder().join("way");
    symlink(world.path(""), &way).unwrap();
    world.sandbox.set_env("PWD", way.to_str().unwrap());
    world.refuses(&["decrypt", "l.yaml"], "manifest_mismatch", "not the state that was signed for");
    // Accepted by any name, it is taken over by its own.
    world.ours(&["agent", "sync", "--accept", "l.yaml"]).ok();
    assert!(world.ours(&["decrypt", "folder/prod.yaml"]).text().contains("planted"));
}

#[test]
fn a_source_that_became_a_link_is_still_the_source() {
    let world = World::new();
    let elsewhere = world.sandbox.folder().join("elsewhere.yaml");
    world.plant("planted.yaml", "planted");
    fs::rename(world.path("planted.yaml"), &elsewhere).unwrap();
    fs::remove_file(world.path(SOURCE)).unwrap();
    symlink(&elsewhere, world.path(SOURCE)).unwrap();
    world.refuses(&["decrypt", SOURCE], "manifest_mismatch", "not the state that was signed for");
}

#[test]
fn nothing_is_signed_that_a_merge_brought() {
    let world = World::new();
    let genuine = world.sandbox.read(SOURCE);
    let (manifest, derived) = (world.sandbox.read(MANIFEST), world.sandbox.read(BOT));
    let is_unsigned = || {
        assert_eq!(
            (world.sandbox.read(MANIFEST), world.sandbox.read(BOT)),
            (manifest.clone(), derived.clone())
        );
        world.refuses(&["decrypt", SOURCE], "manifest_mismatch", "not the state that was signed for");
    };
    world.plant(SOURCE, "planted");
    let said = world.ours(&["merge", SOURCE, SOURCE, SOURCE]);
    assert!(said.stderr.contains("nobody has signed for the merged state"), "{}", said.describe());
    assert!(said.stderr.contains("`leaflock agent sync --accept secrets/prod.yaml`"), "{}", said.describe());
    said.ok();
    is_unsigned();
    let planted = world.sandbox.read(SOURCE);
    let marked = [b"<<<<<<< ours\n", &planted[..], b"=======\n", &planted[..], b">>>>>>> theirs\n"].concat();
    world.sandbox.write(SOURCE, marked);
    let said = world.ours(&["resolve", "--all-ours", SOURCE]);
    assert!(said.stderr.contains("nobody has signed for the merged state"), "{}", said.describe());
    said.ok();
    is_unsigned();
    // A side that somebody signed for does not vouch for the other.
    world.sandbox.write("base.yaml", &genuine);
    world.sandbox.write("theirs.yaml", &planted);
    world.sandbox.write(SOURCE, &genuine);
    world.ours(&["merge", "base.yaml", SOURCE, "theirs.yaml"]).ok();
    for name in ["base.yaml", "theirs.yaml"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    is_unsigned();
    world.ours(&["agent", "sync", "--accept", SOURCE]).ok();
    assert!(world.ours(&["decrypt", SOURCE]).text().contains("planted"));
}

#[test]
fn calls_at_the_same_time_lose_nothing_that_another_signed() {
    let world = World::new();
    let all_at_once = |commands: &[Vec<String>]| {
        let start = |arguments: &Vec<String>| {
            let mut command = world.sandbox.command(Path::new(env!("CARGO_BIN_EXE_leaflock")));
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let started: Vec<_> = commands.iter().map(start).collect();
        started.into_iter().map(|child| child.wait_with_output().unwrap()).collect::<Vec<_>>()
    };
    let set =
        |file: &str, key: &str| ["set", file, &format!("[\"{key}\"]"), "\"1\""].map(str::to_owned).to_vec();
    for round in 0..3 {
        let key = format!("k{round}");
        for done in all_at_once(&[set("dev.yaml", &key), set(SOURCE, &key)]) {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        world.ours(&["agent", "sync", "--check"]).ok();
    }
    let many: Vec<Vec<String>> = (0..12).map(|number| set(SOURCE, &format!("n{number}"))).collect();
    for done in all_at_once(&many) {
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let plain = world.ours(&["decrypt", SOURCE]).text();
    assert!((0..12).all(|number| plain.contains(&format!("n{number}:"))), "{plain}");
    // Who only reads is never told that somebody planted what another call has just written.
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
    let mut mixed: Vec<Vec<String>> = (0..4).map(|number| set(SOURCE, &format!("m{number}"))).collect();
    for reading in [&["decrypt", SOURCE][..], &["exec-env", SOURCE, "true"], &["run", SOURCE, "--", "true"]] {
        mixed.extend(std::iter::repeat_n(words(reading), 4));
    }
    for _ in 0..3 {
        for done in all_at_once(&mixed) {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
    }
    // What does not wait is refused with a clear word, or done: never half of it.
    let rotate = |file: &str| words(&["rotate", "-i", file]);
    for done in all_at_once(&[rotate(SOURCE), rotate("dev.yaml"), rotate(SOURCE), rotate("dev.yaml")]) {
        let told = String::from_utf8_lossy(&done.stderr);
        let is_clear = told.contains("Nothing was written: ") && told.contains("run the command once more");
        assert!(done.status.success() || done.status.code() == Some(3) && is_clear, "{told}");
    }
    world.ours(&["agent", "sync", "--check"]).ok();
}

#[test]
fn a_copy_of_the_policy_governs_nothing() {
    let world = World::new();
    let copied = world.path("secrets/.leaflock");
    fs::create_dir(&copied).unwrap();
    for name in ["policy.yaml", "policy.yaml.sig", "allowed_signers", "manifest.json", "manifest.json.sig"] {
        fs::copy(world.path(".leaflock").join(name), copied.join(name)).unwrap();
    }
    world.plant(SOURCE, "planted");
    let manifest = world.sandbox.read("secrets/.leaflock/manifest.json");
    for command in [&["decrypt", SOURCE][..], &["set", SOURCE, "[\"b\"]", "2"], &["rotate", "-i", SOURCE]] {
        world.refuses(command, "policy_invalid", "a policy stands above this one");
    }
    assert_eq!(world.sandbox.read("secrets/.leaflock/manifest.json"), manifest);
    fs::remove_dir_all(copied).unwrap();
    world.refuses(&["decrypt", SOURCE], "manifest_mismatch", "not the state that was signed for");
    assert!(world.ours(&["decrypt", "dev.yaml"]).text().contains("genuine"));
}

#[test]
fn no_folder_is_too_deep_for_the_policy() {
    let world = World::new();
    let name = format!("{}x.yaml", "d/".repeat(120));
    world.plant(&name, "genuine");
    world.ours(&["decrypt", &name]).fails(5);
    world.ours(&["agent", "sync", "--accept", &name]).ok();
    world.ours(&["decrypt", &name]).ok();
    assert_eq!(world.entries().last().unwrap()["file"], name.as_str());
}

#[test]
fn a_machine_without_a_past_misses_a_manifest_that_was_there() {
    let mut world = World::new();
    let list = digest::of(&world.sandbox.read(".leaflock/allowed_signers"));
    world.sandbox.set_env("LEAFLOCK_TRUST", &list);
    let forget = |world: &World| {
        for folder in [".local/state/leaflock", ".config/leaflock"] {
            fs::remove_dir_all(world.sandbox.folder().join("home").join(folder)).unwrap_or_default();
        }
    };
    world.plant(SOURCE, "planted");
    for name in [MANIFEST, ".leaflock/manifest.json.sig"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    world.commit();
    forget(&world);
    world.refuses(&["decrypt", SOURCE], "manifest_mismatch", "the manifest of them is gone");
    fs::remove_dir_all(world.path(".leaflock/agents")).unwrap();
    world.commit();
    for command in [&["decrypt", SOURCE][..], &["set", SOURCE, "[\"b\"]", "2"]] {
        forget(&world);
        world.refuses(command, "manifest_mismatch", "the repository had a manifest, and it is gone");
    }
    forget(&world);
    world.refuses(
        &["agent", "sync"],
        "manifest_mismatch",
        "does not hold this state of dev.yaml, secrets/prod.yaml",
    );
    // Without history, nothing tells of it; still nothing is signed for unasked.
    fs::rename(world.path(".git"), world.sandbox.folder().join("former")).unwrap();
    world.git(&["init", "-q", "-b", "main"]);
    forget(&world);
    let told = world.ours(&["agent", "sync"]).fails(5);
    assert!(told.contains("nobody has signed for dev.yaml, secrets/prod.yaml yet"), "{told}");
    assert!(told.contains("`leaflock agent sync --accept .`"), "{told}");
    assert!(!world.path(MANIFEST).exists());
    world.ours(&["agent", "sync", "--accept", "."]).ok();
    world.ours(&["agent", "sync", "--check"]).ok();
}

#[test]
fn who_may_open_a_source_is_what_the_policy_lists() {
    let update = ["updatekeys", "-y", SOURCE];
    let rules = |more: &str| format!("creation_rules:\n  - age: {}{more}\n", ALICE.recipient);
    let evil = format!(",{}", CAROL.recipient);
    // Where it lists nobody, they are named.
    let world = World::new();
    world.sandbox.write(".sops.yaml", rules(&evil));
    let said = world.ours(&update);
    assert!(
        said.stderr.contains(CAROL.recipient) && said.stderr.contains("from now on"),
        "{}",
        said.describe()
    );
    said.ok();
    // Where it does, they are refused.
    let listed = format!("sources:\n  - {{ file: \"**\", recipients: [{}] }}\n", ALICE.recipient);
    let world = World::with_policy(&listed);
    world.sandbox.write(".sops.yaml", rules(&evil));
    let before = world.sandbox.read(SOURCE);
    world.refuses(&update, "manifest_mismatch", CAROL.recipient);
    world.sandbox.write("new.yaml", "a: 1\n");
    world.refuses(&["encrypt", "-i", "new.yaml"], "manifest_mismatch", CAROL.recipient);
    assert_eq!((world.sandbox.read(SOURCE), world.text("new.yaml")), (before, "a: 1\n".to_owned()));
    fs::remove_file(world.path("new.yaml")).unwrap();
    world.sandbox.sops(&["updatekeys", "-y", SOURCE]).ok();
    world.refuses(&["agent", "sync", "--accept", SOURCE], "manifest_mismatch", CAROL.recipient);
    world.sandbox.write(".sops.yaml", rules(""));
    world.sandbox.sops(&["updatekeys", "-y", SOURCE]).ok();
    world.ours(&["agent", "sync", "--accept", SOURCE]).ok();
    world.ours(&["agent", "sync", "--check"]).ok();
}

#[test]
fn no_pattern_of_a_policy_ends_the_process() {
    let world = World::new();
    let text = world.text(".leaflock/policy.yaml");
    let deep = format!("{}a{}", "{a,".repeat(200), "}".repeat(200));
    let long = "a{b,c}".repeat(1000);
    for pattern in [deep, long] {
        world.sandbox.write(".leaflock/policy.yaml", text.replace("[ops/bot]", &format!("[\"{pattern}\"]")));
        world.refuses(&["decrypt", SOURCE], "policy_invalid", "pattern");
        let told = world.ours(&["list", "--file", &pattern]);
        assert!(told.code.is_some_and(|code| code < 100), "{}", told.describe());
        let told = world.ours(&["decrypt", &format!("{pattern}*")]);
        assert!(told.code.is_some_and(|code| code <= 100), "{}", told.describe());
    }
}

#[test]
fn no_rule_hides_in_what_looks_like_a_comment() {
    let world = World::new();
    for name in [".leaflock/policy.yaml", ".leaflock/allowed_signers"] {
        let text = world.text(name);
        for hidden in ["\u{85}", "\u{2028}", "\u{2029}", "\r", "\u{202e}", "\u{200b}"] {
            world.sandbox.write(name, format!("{text}# harmless{hidden}    b: {{}}\n"));
            let line = format!(":{}", text.lines().count() + 1);
            let told = world.ours(&["policy", "sign", "--bump"]);
            assert!(told.code != Some(0) && told.stderr.contains(&line), "{hidden:?}: {}", told.describe());
            assert_eq!(world.ours(&["decrypt", SOURCE]).code, Some(5));
        }
        world.sandbox.write(name, text);
    }
    world.ours(&["decrypt", SOURCE]).ok();
}

#[test]
fn a_journal_that_came_with_a_clone_moves_nothing() {
    let world = World::new();
    let before = world.sandbox.read("dev.yaml");
    let target = world.path("dev.yaml");
    let planted = ".leaflock-00000000-0.new";
    fs::copy(&target, world.path(".leaflock-00000000-0.old")).unwrap();
    world.sandbox.write(planted, "planted");
    let journal = format!("leaflock journal 2\nagent sync\n00000000\n{}\0\0commit 1:2:7\n", target.display());
    world.sandbox.write(".leaflock-journal", journal);
    let _ = world.ours(&["agent", "sync"]);
    assert_eq!(world.sandbox.read("dev.yaml"), before);
    assert!(!world.path(planted).exists() && !world.path(".leaflock-journal").exists());
    world.ours(&["agent", "sync", "--check"]).ok();
}

#[test]
fn a_name_with_a_line_break_stays_in_its_line() {
    let world = World::new();
    let name = "x\neverything is up to date.yaml";
    world.plant(name, "planted");
    let found = world.ours(&["agent", "sync", "--check"]);
    assert_eq!(found.code, Some(5), "{}", found.describe());
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(text.contains("x\\u{a}everything is up to date.yaml is new"), "{text}");
    world.ours(&["decrypt", name]).fails(5);
    let text = world.ours(&["audit", "tail"]).text();
    assert!(text.contains("x\\u{a}everything"), "{text}");
}

#[test]
fn what_comes_from_a_pipe_is_written_down_where_it_is_read() {
    let world = World::new();
    let bytes = world.sandbox.read(SOURCE);
    let openings = || world.entries().iter().filter(|entry| entry["action"] == "decrypt").count();
    for (number, path) in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].into_iter().enumerate() {
        let command = ["decrypt", "--filename-override", SOURCE, path];
        assert!(
            String::from_utf8(world.sandbox.ours_with_stdin(&command, &bytes).ok())
                .unwrap()
                .contains("genuine")
        );
        assert_eq!(openings(), number + 1, "{path}");
    }
    // Redirected, it is the file.
    world.plant(SOURCE, "planted");
    let shell = |script: &str| {
        let program = env!("CARGO_BIN_EXE_leaflock");
        world.sandbox.run(Path::new("/bin/sh"), &["-c", script, "sh", program], b"")
    };
    let told = shell("exec \"$1\" decrypt --input-type yaml /dev/stdin < secrets/prod.yaml").fails(5);
    assert!(told.contains("not the state that was signed for"), "{told}");
}
