//! The access report of a real repository: what it says, that it takes no key, and,
//! where `LEAFLOCK_TEST_BROWSER` names a Chromium, that a browser shows it and fetches
//! nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};

const PROGRAM: &str = env!("CARGO_BIN_EXE_leaflock");
const CANARY: &str = "c4n4ry-hunter2";

/// A repository with a signed policy, a former agent, and a key name that is markup.
struct World {
    sandbox: Sandbox,
    trust: String,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::with_key();
        let mut world = Self { sandbox, trust: String::new() };
        let key = world.key();
        world.keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "ana", "-f", key.to_str().unwrap()]);
        world.git(&["init", "-q", "-b", "main"]);
        let text = format!(
            "db:\n  password: {CANARY}\n  \"</code><script>alert(1)</script>\": x\napi: {{key: {CANARY}2}}\n"
        );
        world.sandbox.write("prod.yaml", &text);
        let both = format!("{},{}", ALICE.recipient, CAROL.recipient);
        world.leaflock(&["encrypt", "-i", "--age", &both, "prod.yaml"]).ok();
        world.sign_policy(1, &format!("  ops/old: {{ age: {} }}\n", CAROL.recipient));
        world.git(&["add", "."]);
        world.git(&["commit", "-qm", "One"]);
        world.sign_policy(2, "");
        world.leaflock(&["rotate", "-i", "--rm-age", CAROL.recipient, "prod.yaml"]).ok();
        world.git(&["add", "."]);
        world.git(&["commit", "-qm", "Two"]);
        world
    }

    fn key(&self) -> PathBuf {
        self.sandbox.folder().join("home").join("ana")
    }

    fn keygen(&self, arguments: &[&str]) {
        self.sandbox.run(Path::new("ssh-keygen"), arguments, b"").ok();
    }

    fn sign_policy(&mut self, serial: u64, more: &str) {
        let public = fs::read_to_string(self.key().with_extension("pub")).unwrap();
        let public = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let policy = format!(
            "version: 1\nrepo: 6f0c51b2\nserial: {serial}\nprincipals:\n\
             \x20 humans/ana: {{ age: [{}], sign: \"{public}\", roles: [admin, human] }}\n\
             \x20 ops/bot: {{ age: [{}] }}\n{more}\
             access_control:\n  secrets:\n    db: {{ allowed_agents: [\"ops/*\"], access_level: read }}\n",
            ALICE.recipient, BOB.recipient,
        );
        let signers = format!("humans/ana namespaces=\"leaflock-*\" {public}\n");
        self.trust = Sha256::digest(&signers).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::create_dir_all(self.sandbox.path(".leaflock")).unwrap();
        self.sandbox.write(".leaflock/policy.yaml", &policy);
        self.sandbox.write(".leaflock/allowed_signers", &signers);
        let file = self.sandbox.path(".leaflock/policy.yaml");
        let _ = fs::remove_file(self.sandbox.path(".leaflock/policy.yaml.sig"));
        let key = self.key();
        let (key, file) = (key.to_str().unwrap(), file.to_str().unwrap());
        self.keygen(&["-Y", "sign", "-q", "-n", "leaflock-policy@v1", "-f", key, file]);
    }

    fn git(&self, arguments: &[&str]) {
        let folder = self.sandbox.path(".");
        let head = ["-C", folder.to_str().unwrap(), "-c", "user.name=t", "-c", "user.email=t@example.org"];
        self.sandbox.run(Path::new("git"), &[&head[..], arguments].concat(), b"").ok();
    }

    /// Runs leaflock with the key of the administrator.
    fn leaflock(&self, arguments: &[&str]) -> Output {
        self.with(&[&format!("LEAFLOCK_SIGNING_KEY={}", self.key().display())], arguments)
    }

    fn with(&self, variables: &[&str], arguments: &[&str]) -> Output {
        let folder = self.sandbox.path(".");
        let trust = format!("LEAFLOCK_TRUST=sha256:{}", self.trust);
        let script =
            ["sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", folder.to_str().unwrap(), PROGRAM];
        let all = [variables, &[&trust], &script, arguments].concat();
        self.sandbox.run(Path::new("/usr/bin/env"), &all, b"")
    }
}

#[test]
fn a_report_tells_rights_accesses_and_removed_keys_without_any_key() {
    let world = World::new();
    world.leaflock(&["decrypt", "--extract", "[\"db\"][\"password\"]", "prod.yaml"]).ok();
    // No identity, no signing key: only the pin.
    let keyless = |arguments: &[&str]| world.with(&["SOPS_AGE_KEY=", "SOPS_AGE_KEY_FILE=/none"], arguments);
    let before = world.leaflock(&["audit", "export"]).text();
    let output = keyless(&["audit", "report", "--json"]);
    assert_eq!(output.code, Some(0), "{}", output.describe());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let result = &answer["result"];
    assert_eq!(answer["ok"], true);
    let secrets = result["sources"][0]["secrets"].as_array().unwrap();
    let of = |path: &str| secrets.iter().find(|it| it["path"] == path).unwrap()["principals"].clone();
    assert_eq!(of("db.password")["ops/bot"]["levels"], serde_json::json!(["read", "exec"]));
    assert_eq!(of("api.key").get("ops/bot"), None);
    assert_eq!(of("api.key")["humans/ana"]["opens_source"], true);
    let newest = &result["activity"]["newest"][0];
    assert_eq!((&newest["agent_id"], &newest["action"]), (&"humans/ana".into(), &"get".into()));
    assert_eq!(newest["secret_path"], serde_json::json!(["db.password"]));
    assert_eq!(result["unused_grants"][0]["principal"], "ops/bot");
    assert_eq!(result["removed"][0]["name"], "ops/old");
    let removed = result["removed"][0]["secrets"].as_array().unwrap();
    assert_eq!(removed.len(), 3);
    assert!(removed.iter().all(|it| it["state"] == "anew"), "{removed:?}");
    assert_eq!(result["trail"]["verified"], true);

    let page = keyless(&["audit", "report"]);
    assert_eq!(page.code, Some(0), "{}", page.describe());
    let text = String::from_utf8(page.stdout).unwrap();
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"));
    assert_eq!(text.matches("<script").count(), 1);
    assert!(text.contains("&lt;script&gt;alert(1)"));
    assert!(!text.contains(CANARY) && !String::from_utf8_lossy(&output.stdout).contains(CANARY));
    for forbidden in ["http:", "https:", "url(", "@import", " src=", "<link", " style="] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    // Nothing was opened, so nothing was written down.
    assert_eq!(world.leaflock(&["audit", "export"]).text(), before);
    let out = world.leaflock(&["audit", "report", "--out", "access.html"]);
    assert_eq!(out.text(), "access.html: 2 principals, 3 secrets\n");
    assert!(world.sandbox.path("access.html").exists());
}

#[test]
fn a_trail_that_was_changed_is_told_and_a_policy_that_was_changed_is_not_reported_on() {
    let world = World::new();
    let folder = world.sandbox.path(".leaflock/audit");
    let writer = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).find(|it| it.is_dir()).unwrap();
    let segment = fs::read_dir(writer).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.replace("\"rotate\"", "\"decrypt\"")).unwrap();
    let answer = world.leaflock(&["audit", "report", "--json"]);
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["result"]["trail"]["verified"], false);
    assert!(world.leaflock(&["audit", "report"]).text().contains("fault in the audit trail"));

    let policy = world.sandbox.path(".leaflock/policy.yaml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("ops/*", "**")).unwrap();
    let refused = world.leaflock(&["audit", "report"]);
    assert_eq!(refused.code, Some(5), "{}", refused.describe());
    assert!(refused.stdout.is_empty());
}

/// Loads the page in a real browser, all of whose requests would go to a proxy of ours.
/// `LEAFLOCK_TEST_BROWSER` names the browser; without it there is nothing to load with.
#[test]
fn a_browser_shows_the_page_and_fetches_nothing() {
    let Some(browser) = std::env::var_os("LEAFLOCK_TEST_BROWSER") else { return };
    let world = World::new();
    world.leaflock(&["audit", "report", "--out", "access.html"]).ok();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut line = String::new();
            if stream.is_ok_and(|stream| BufReader::new(stream).read_line(&mut line).is_ok()) {
                heard.lock().unwrap().push(line);
            }
        }
    });
    // The browser has its own business, which no page asks for.
    let own = ["google.com", "googleapis.com", "gvt1.com"];
    let by_page = || {
        let mut asked = asked.lock().unwrap();
        asked
            .drain(..)
            .filter(|line: &String| !own.iter().any(|host| line.contains(host)))
            .collect::<Vec<_>>()
    };
    let load = |page: &str| {
        let profile = world.sandbox.folder().join("profile");
        let output = std::process::Command::new(&browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--proxy-server=http://{address}"))
            .arg("--virtual-time-budget=2000")
            .arg("--dump-dom")
            .arg(format!("file://{}", world.sandbox.path(page).display()))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = load("access.html");
    let fetched = by_page();
    assert!(fetched.is_empty(), "{fetched:?}");
    // The filters unhide themselves, so the script ran under the policy of the page.
    assert!(!shown.contains("id=\"matrix-bar\" hidden"), "{shown}");
    assert!(shown.contains("id=\"matrix\"") && shown.contains("&lt;script&gt;alert(1)"));
    // The control: a page that fetches is seen to.
    let page = fs::read_to_string(world.sandbox.path("access.html")).unwrap();
    let (before, after) = page.split_once("<meta http-equiv").unwrap();
    let after =
        after.split_once('>').unwrap().1.replace("</main>", "<img src=\"http://example.org/x\"></main>");
    world.sandbox.write("control.html", format!("{before}{after}"));
    load("control.html");
    assert!(by_page().iter().any(|line| line.starts_with("GET http://example.org/x")));
}
