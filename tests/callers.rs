//! What calls sops goes on as before with us in its place: scripts as people write
//! them, and programs of others, unchanged. Each runs once with the real sops on the
//! search path and once with `leaflock` under its name, and must print the same.
#![cfg(unix)]

use std::path::Path;

use super::testkit::sandbox::{ALICE, Sandbox};
use super::testkit::{sops, tools};

const YAML: &str =
    "db:\n    host: db.internal\n    password: s3cr3t\nport: 5432\nlist:\n    - one\n    - two\n";
const DOTENV: &str = "TOKEN=t0ken\nURL=https://x.y/z\n";

/// A repository with files that the real sops encrypted, and `program` as `sops`.
fn repository(program: &Path) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity);
    sandbox
        .write(".sops.yaml", format!("creation_rules:\n  - path_regex: .*\n    age: {}\n", ALICE.recipient));
    for (name, content) in [("s.yaml", YAML), ("s.env", DOTENV), ("s.json", "{\n\t\"a\": \"b\"\n}\n")] {
        sandbox.write(name, content);
        sandbox.sops(&["encrypt", "-i", name]).ok();
    }
    sandbox.install_as_sops(program);
    sandbox
}

/// Runs a script in both repositories and returns what it printed in each; it must
/// succeed.
#[track_caller]
fn both(shell: &str, script: &str) -> [String; 2] {
    let run = |program: &Path| {
        let sandbox = repository(program);
        let script = format!("set -eu\n{script}");
        sandbox.run(&tools::program(shell), &["-c", &script], b"").text()
    };
    [run(sops::program()), run(Path::new(env!("CARGO_BIN_EXE_leaflock")))]
}

#[track_caller]
fn same(shell: &str, script: &str, expected: &str) {
    let [theirs, ours] = both(shell, script);
    assert_eq!(theirs, expected, "sops itself: {script}");
    assert_eq!(ours, expected, "{script}");
}

#[test]
fn steps_of_a_workflow() {
    same("bash", "sops -d s.yaml > plain.yaml && cat plain.yaml", YAML);
    same("bash", "sops --decrypt --output plain.env s.env; cat plain.env", DOTENV);
    let github = "GITHUB_ENV=github.env; sops -d --output-type dotenv s.env >> $GITHUB_ENV; cat $GITHUB_ENV";
    same("bash", github, DOTENV);
    let extracted =
        "PASSWORD=$(sops -d --extract '[\"db\"][\"password\"]' s.yaml); echo \"::add-mask::$PASSWORD\"";
    same("bash", extracted, "::add-mask::s3cr3t\n");
    same(
        "bash",
        "sops -d --output-type json s.yaml | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"port\"])'",
        "5432\n",
    );
    same(
        "sh",
        "sops filestatus s.yaml; echo 'a: 1' > p.yaml; sops filestatus p.yaml",
        "{\"encrypted\":true}\n{\"encrypted\":false}\n",
    );
}

#[test]
fn values_in_a_shell() {
    same("bash", "set -a; source <(sops -d s.env); set +a; printenv TOKEN URL", "t0ken\nhttps://x.y/z\n");
    same("sh", "eval \"$(sops -d s.env | sed 's/^/export /')\"; printenv TOKEN", "t0ken\n");
    same("sh", "export $(sops -d s.env | xargs); printenv URL", "https://x.y/z\n");
    same(
        "sh",
        "sops exec-env s.env 'echo $TOKEN'; sops exec-file --no-fifo s.yaml 'grep port {}'",
        "t0ken\nport: 5432\n",
    );
}

#[test]
fn versions_are_read_off_the_first_line() {
    let script = "sops --version | head -n 1 | grep -qE '^sops [0-9]+\\.[0-9]+\\.[0-9]+' && sops -v >/dev/null && echo ok";
    same("bash", script, "ok\n");
}

#[test]
fn direnv_loads_an_environment() {
    let script = "\
cat > .envrc <<'END'
use_sops() {
    local path=${1:-$PWD/secrets.yaml}
    eval \"$(sops -d --output-type dotenv \"$path\" | direnv dotenv bash /dev/stdin)\"
    watch_file \"$path\"
}
use sops s.env
END
direnv allow 2>/dev/null
direnv exec . sh -c 'echo $TOKEN $URL' 2>/dev/null";
    same("bash", script, "t0ken https://x.y/z\n");
}

#[test]
fn a_makefile_decrypts_and_runs() {
    let script = "\
cat > Makefile <<'END'
PASSWORD := $(shell sops -d --extract '[\"db\"][\"password\"]' s.yaml)
plain.yaml: s.yaml
\t@sops --decrypt $< > $@
deploy: plain.yaml
\t@grep port $<
\t@sops exec-env s.env 'echo $$TOKEN'
\t@echo $(PASSWORD)
END
make --no-print-directory deploy";
    same("sh", script, "port: 5432\nt0ken\ns3cr3t\n");
}

#[test]
fn git_shows_differences_of_plain_text() {
    let script = "\
git init -q . && git config user.email a@b.c && git config user.name n
echo '*.yaml diff=sopsdiffer' > .gitattributes
git config diff.sopsdiffer.textconv 'sops -d'
git add -A && git commit -qm one
sops set s.yaml '[\"db\"][\"host\"]' '\"db.new\"'
git diff -U0 s.yaml | grep '^[+-]'";
    same("sh", script, "--- a/s.yaml\n+++ b/s.yaml\n-    host: db.internal\n+    host: db.new\n");
}

#[test]
fn files_are_edited_by_scripts() {
    let script = "\
EDITOR='sed -i s/5432/5433/' sops s.yaml && sops -d --extract '[\"port\"]' s.yaml
sops --set '[\"db\"][\"password\"] \"new\"' s.yaml && sops -d --extract '[\"db\"][\"password\"]' s.yaml && echo
set +e
EDITOR=true sops s.yaml 2>&1; echo $?
SOPS_AGE_KEY= SOPS_AGE_KEY_FILE=/dev/null sops -d s.yaml >/dev/null 2>&1; echo $?
sops -d missing.yaml >/dev/null 2>&1; echo $?";
    same("sh", script, "5433\nnew\nFile has not changed, exiting.\n200\n128\n100\n");
}

#[test]
fn pipes_encrypt_and_decrypt() {
    let script = "\
printf '{\n\t\"a\": \"b\"\n}\n' | sops encrypt --filename-override x.json | sops decrypt --filename-override x.json
echo 'a: b' | sops -e --input-type yaml --output-type json /dev/stdin | sops -d --input-type json --output-type yaml /dev/stdin
sops -e -i plain.bin 2>/dev/null || echo no file
printf raw > plain.bin; sops --encrypt --in-place plain.bin; sops --decrypt plain.bin";
    same("sh", script, "{\n\t\"a\": \"b\"\n}\na: b\nno file\nraw");
}

/// Runs a program of somebody else's in both repositories.
#[track_caller]
fn same_client(program: &Path, arguments: &[&str], variable: (&str, &Path)) -> String {
    let run = |as_sops: &Path| {
        let mut sandbox = repository(as_sops);
        sandbox.set_env(variable.0, variable.1.to_str().unwrap());
        sandbox.run(program, arguments, b"").text()
    };
    let theirs = run(sops::program());
    let ours = run(Path::new(env!("CARGO_BIN_EXE_leaflock")));
    assert_eq!(ours, theirs);
    ours
}

/// sopsy 1.3.0, a wrapper for Python.
#[test]
fn sopsy_for_python() {
    let script = "\
import json
from pathlib import Path
from sopsy import Sops, SopsyError, SopsyInOutType, SopsyInputSource
out = {'dict': Sops('s.yaml').decrypt(), 'get': Sops('s.json').get('a'), 'none': Sops('s.json').get('z', default='d')}
out['json'] = Sops('s.yaml', output_type=SopsyInOutType.JSON).decrypt(to_dict=False).decode()
out['dotenv'] = Sops('s.env', output_type=SopsyInOutType.DOTENV).decrypt(to_dict=False).decode()
out['stdin'] = Sops(Path('s.yaml').read_bytes(), input_type='yaml', input_source=SopsyInputSource.STDIN).decrypt()
Sops('s.yaml', output='out.yaml').decrypt(to_dict=False)
out['output'] = Path('out.yaml').read_text()
Path('new.json').write_text(json.dumps({'hello': 'world', 'n': [1, {'x': None}]}))
Sops('new.json', in_place=True).encrypt(to_dict=False)
out['encrypted'] = 'ENC[' in Path('new.json').read_text()
out['again'] = Sops('new.json').decrypt()
try:
    Sops('missing.yaml').decrypt()
except SopsyError as error:
    out['missing'] = type(error).__name__
print(json.dumps(out, sort_keys=True))";
    let packages = tools::python_packages();
    let said = same_client(&tools::python(), &["-c", script], ("PYTHONPATH", &packages));
    assert!(said.contains("\"password\": \"s3cr3t\"") && said.contains("\"encrypted\": true"), "{said}");
}

/// sops-wrapper 0.1.1 for Python encrypts what the rules of a repository name.
#[test]
fn sops_wrapper_for_python() {
    let script = "\
import logging, sys, subprocess
from pathlib import Path
from sops_wrapper import encrypt
Path('.sops.yaml').write_text(Path('.sops.yaml').read_text().replace('.*', 'deploy/.*'))
Path('deploy').mkdir()
Path('deploy/a.yaml').write_text('password: x\\n')
encrypt(in_place=True)
print('ENC[' in Path('deploy/a.yaml').read_text())
print(subprocess.run(['sops', '-d', 'deploy/a.yaml'], capture_output=True, text=True, check=True).stdout)";
    let packages = tools::python_packages();
    let said = same_client(&tools::python(), &["-c", script], ("PYTHONPATH", &packages));
    assert_eq!(said, "True\npassword: x\n\n");
}

/// sops-wrapper 1.0.0 for Node.
#[test]
fn sops_wrapper_for_node() {
    let script = "\
const { decryptSops, execSops } = require('sops-wrapper');
console.log(JSON.stringify([decryptSops('s.yaml'), decryptSops('s.json')]));
console.log(execSops(['-d', '--extract', '[\"db\"][\"password\"]', 's.yaml']));
try { decryptSops('missing.yaml') } catch (error) { console.log(error.exitCode) }";
    let modules = tools::node_modules();
    let said = same_client(&tools::program("node"), &["-e", script], ("NODE_PATH", &modules));
    assert!(said.contains("\"password\":\"s3cr3t\"") && said.ends_with("s3cr3t\n100\n"), "{said}");
}
