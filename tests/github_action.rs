//! The GitHub action: its steps, taken from its own definition, run as a runner runs
//! them, and what they leave is read as a runner reads it.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::testkit::sandbox::{ALICE, Output, Sandbox};
use super::testkit::tools;

/// Prints step `STEP` of the action: its environment with the inputs filled in, and
/// its script, which is run.
const STEP: &str = r#"
import os, re, subprocess, sys, yaml
action = yaml.safe_load(open(os.environ['GITHUB_ACTION_PATH'] + '/action.yml'))
inputs = {name: given.get('default', '') for name, given in action['inputs'].items()}
inputs.update(pair.split('=', 1) for pair in sys.argv[2:])
step = action['runs']['steps'][int(sys.argv[1])]
assert action['runs']['using'] == 'composite' and step['shell'] == 'bash'
def value(expression):
    for name in expression.split('||'):
        scope, _, key = name.strip().partition('.')
        found = inputs[key] if scope == 'inputs' else os.environ.get(key, '')
        if found:
            return found
    return ''
fill = lambda text: re.sub(r'\$\{\{(.*?)\}\}', lambda found: value(found[1]), text)
env = dict(os.environ, **{name: fill(text) for name, text in step.get('env', {}).items()})
bash = ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', step['run']]
sys.exit(subprocess.run(bash, env=env).returncode)
"#;

/// Reads the runner's file of variables: `NAME<<END`, the lines, `END`.
const VARIABLES: &str = r"
import json, sys
lines, found = open('github.env', newline='').read().split('\n'), {}
while lines and lines != ['']:
    name, end = lines.pop(0).split('<<', 1)
    at = lines.index(end)
    found[name], lines = '\n'.join(lines[:at]), lines[at + 1:]
print(json.dumps(found, sort_keys=True))
";

const VALUES: &str = "\
token: s3cr3t
percent: 50%0A off
lines: |
  first line

  leaflock_EOF
  ::set-output name=x::y
nested:
  list: [a b]
empty: ''
";

fn runner() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
    sandbox.write("s.yaml", VALUES);
    sandbox.write("a b.env", "OTHER='x # y'\n");
    for name in ["s.yaml", "a b.env"] {
        sandbox.ours(&["encrypt", "-i", name]).ok();
    }
    let bin = sandbox.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leaflock"), bin.join("leaflock")).unwrap();
    let action = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/github-action");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let packages = tools::python_packages();
    for (name, value) in [
        ("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())),
        ("PYTHONPATH", text(&packages)),
        ("GITHUB_ACTION_PATH", text(&action)),
        ("GITHUB_ENV", text(&sandbox.path("github.env"))),
        ("GITHUB_OUTPUT", text(&sandbox.path("github.output"))),
        ("GITHUB_PATH", text(&sandbox.path("github.path"))),
    ] {
        sandbox.set_env(name, &value);
    }
    sandbox
}

fn step(sandbox: &Sandbox, number: &str, inputs: &[&str]) -> Output {
    let mut arguments = vec!["-c", STEP, number];
    arguments.extend(inputs);
    sandbox.run(&tools::python(), &arguments, b"")
}

#[test]
fn values_reach_later_steps_masked() {
    let sandbox = runner();
    let identity = format!("identity={}", ALICE.identity);
    let said = step(&sandbox, "1", &[&identity, "files=s.yaml\n  a b.env  \n"]).text();
    let (masks, rest): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line.starts_with("::add-mask::"));
    for value in
        ["s3cr3t", "50%250A off", "first line", "leaflock_EOF", "::set-output name=x::y", "a b", "x # y"]
    {
        assert!(masks.contains(&format!("::add-mask::{value}").as_str()), "{value}: {masks:?}");
    }
    assert_eq!(rest, ["6 values are in the environment, masked."]);
    let found = sandbox.run(&tools::python(), &["-c", VARIABLES], b"").text();
    let expected = r#"{"EMPTY": "", "LINES": "first line\n\nleaflock_EOF\n::set-output name=x::y\n", "NESTED_LIST_0": "a b", "OTHER": "x # y", "PERCENT": "50%0A off", "TOKEN": "s3cr3t"}"#;
    assert_eq!(found.trim(), expected);
    assert_eq!(sandbox.read("github.output"), b"decrypted=true\n");
    // Nothing but the runner's own files is on disk.
    let mut names: Vec<_> =
        std::fs::read_dir(sandbox.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a b.env", "github.env", "github.output", "s.yaml"]);
    assert_eq!(std::fs::read_dir(sandbox.folder().join("tmp")).unwrap().count(), 0);
}

#[test]
fn keys_can_be_picked_and_prefixed_and_come_from_the_environment() {
    let mut sandbox = runner();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity);
    step(&sandbox, "1", &["files=s.yaml", "only=token", "prefix=APP_"]).ok();
    assert_eq!(
        sandbox.run(&tools::python(), &["-c", VARIABLES], b"").text().trim(),
        r#"{"APP_TOKEN": "s3cr3t"}"#
    );
}

#[test]
fn forks_are_told_why() {
    let sandbox = runner();
    let failed = step(&sandbox, "1", &["files=s.yaml"]);
    let told = String::from_utf8_lossy(&failed.stdout).into_owned();
    failed.fails(1);
    assert!(
        told.starts_with("::error title=leaflock::there is no identity") && told.contains("fork"),
        "{told}"
    );
    let told = step(&sandbox, "1", &["files=s.yaml", "required=false"]).text();
    assert!(told.starts_with("::notice title=leaflock::"), "{told}");
    assert_eq!(sandbox.read("github.output"), b"decrypted=false\n");
    assert!(!sandbox.path("github.env").exists());
}

#[test]
fn what_goes_wrong_ends_the_step_and_sets_nothing() {
    let mut sandbox = runner();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity);
    for (name, content) in
        [("path.yaml", "PATH: x\n"), ("node.yaml", "NODE_OPTIONS: x\n"), ("dash.env", "a-b=x\n")]
    {
        sandbox.write(name, content);
        sandbox.ours(&["encrypt", "-i", name]).ok();
    }
    for file in ["missing.yaml", "path.yaml", "node.yaml", "dash.env"] {
        let failed = step(&sandbox, "1", &[&format!("files={file}")]);
        let told = String::from_utf8_lossy(&failed.stdout).into_owned();
        failed.fails(1);
        assert!(told.starts_with("::error title=leaflock::"), "{file}: {told}");
        assert!(!sandbox.path("github.env").exists(), "{file}");
    }
}

#[test]
fn the_program_is_built_from_the_action_s_own_commit() {
    let mut sandbox = runner();
    assert!(step(&sandbox, "0", &["files=s.yaml"]).text().starts_with("leaflock "));
    // Without it, cargo is asked; a stand-in notes what for.
    let bin = sandbox.folder().join("bin");
    std::fs::rename(bin.join("leaflock"), sandbox.folder().join("leaflock")).unwrap();
    let home = sandbox.folder().join("cargo");
    let cargo = format!(
        "#!/bin/sh\necho \"$*\" > asked; mkdir -p {0}/bin; cp {1}/leaflock {0}/bin/\n",
        home.display(),
        sandbox.folder().display()
    );
    std::fs::write(bin.join("cargo"), cargo).unwrap();
    std::fs::set_permissions(bin.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let text = home.to_str().unwrap().to_owned();
    sandbox.set_env("CARGO_HOME", &text);
    assert!(step(&sandbox, "0", &["files=s.yaml"]).text().contains("leaflock "));
    let asked = String::from_utf8(sandbox.read("asked")).unwrap();
    let root = asked.trim().strip_prefix("install --quiet --locked --path ").unwrap();
    assert!(Path::new(root).join("Cargo.toml").is_file(), "{asked}");
    assert_eq!(sandbox.read("github.path"), format!("{text}/bin\n").into_bytes());
}

#[test]
fn without_files_the_program_is_only_installed() {
    let sandbox = runner();
    assert_eq!(step(&sandbox, "1", &["files= \n"]).text(), "");
    assert_eq!(sandbox.read("github.output"), b"decrypted=false\n");
}

/// The example must be a workflow, and ask only for inputs that the action has.
#[test]
fn the_example_fits_the_action() {
    let check = "\
import os, yaml
folder = os.environ['GITHUB_ACTION_PATH']
action, example = (yaml.safe_load(open(f'{folder}/{name}')) for name in ('action.yml', 'example.yml'))
for job in example['jobs'].values():
    for step in job['steps']:
        if 'ci/github-action' in step.get('uses', ''):
            assert set(step.get('with', {})) <= set(action['inputs']), step
            print('used')";
    let sandbox = runner();
    assert_eq!(sandbox.run(&tools::python(), &["-c", check], b"").text(), "used\nused\n");
}
