//! `agent guide --install` puts the page where agents look, and leaves what is not ours
//! as it was to the last byte.

use std::path::Path;

use super::testkit::sandbox::Sandbox;

const SPOTS: [&str; 3] =
    [".agents/skills/leaflock/SKILL.md", ".claude/skills/leaflock/SKILL.md", ".cursor/rules/leaflock.mdc"];

#[test]
fn the_page_comes_and_goes_without_a_trace() {
    let sandbox = Sandbox::new();
    sandbox.run(Path::new("git"), &["init", "-q"], b"").ok();
    let own = "# Rules\r\n\r\nBe kind.";
    sandbox.write("AGENTS.md", own);
    for folder in [".agents/skills/other/SKILL.md", ".claude/skills/other/SKILL.md", ".cursor/rules/x.mdc"] {
        sandbox.write(folder, "theirs\n");
    }
    let told = sandbox.ours(&["agent", "guide", "--install"]).text();
    assert!(told.starts_with("added      AGENTS.md\n"), "{told}");
    let page = String::from_utf8(sandbox.read("AGENTS.md")).unwrap();
    assert!(page.starts_with(own) && page.contains("## Secrets in this repository"), "{page}");
    for spot in SPOTS {
        let skill = String::from_utf8(sandbox.read(spot)).unwrap();
        assert!(skill.starts_with("---\n") && skill.contains("`leaflock list`"), "{skill}");
    }
    assert!(!sandbox.path(".github").exists());
    let told = sandbox.ours(&["agent", "guide", "--install"]).text();
    assert!(told.lines().count() == 4 && told.lines().all(|line| line.starts_with("unchanged")), "{told}");
    // Below the top, the same files are meant.
    let sub = sandbox.write("sub/x", "");
    let program = Path::new(env!("CARGO_BIN_EXE_leaflock"));
    let mut command = sandbox.command(program);
    command.current_dir(sub.parent().unwrap()).args(["agent", "guide", "--remove"]);
    assert!(command.status().unwrap().success());
    assert_eq!(sandbox.read("AGENTS.md"), own.as_bytes());
    for spot in SPOTS {
        assert!(!sandbox.path(spot).exists(), "{spot}");
    }
    let told = sandbox.ours(&["agent", "guide", "--install", "--target", "docs/page.md"]).text();
    assert_eq!(told, "created    docs/page.md\n");
    assert!(!page_of(&sandbox, "AGENTS.md").contains("leaflock"));
}

fn page_of(sandbox: &Sandbox, name: &str) -> String {
    String::from_utf8(sandbox.read(name)).unwrap()
}

#[test]
fn a_damaged_block_is_told_and_left_alone() {
    let sandbox = Sandbox::new();
    let text = "a\n<!-- >>> leaflock agent guide >>> -->\nb\n";
    sandbox.write("AGENTS.md", text);
    let told = sandbox.ours(&["agent", "guide", "--install"]).fails(1);
    assert!(told.contains("AGENTS.md:2") && told.contains("has no end"), "{told}");
    assert_eq!(page_of(&sandbox, "AGENTS.md"), text);
}
