//! JSON schemas, judged by a validator that knows nothing of us: `fastjsonschema` for Python.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tools;

/// Reads `[schema, [instance, …]]` and prints for each instance what is wrong with it, or null. A text
/// is YAML; its times stay texts, as in JSON.
const SCRIPT: &str = "\
import json, sys, yaml, fastjsonschema
class Loader(yaml.SafeLoader): pass
Loader.yaml_implicit_resolvers = {
    key: [pair for pair in pairs if pair[0] != 'tag:yaml.org,2002:timestamp']
    for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}
schema, instances = json.load(sys.stdin)
validate = fastjsonschema.compile(schema)
def fault(instance):
    try:
        validate(yaml.load(instance, Loader) if isinstance(instance, str) else instance)
    except fastjsonschema.JsonSchemaException as error:
        return str(error)
print(json.dumps([fault(instance) for instance in instances]))";

/// For each instance, what is wrong with it by `schema`. A text among them is YAML.
#[track_caller]
pub(crate) fn faults(schema: &str, instances: &[Value]) -> Vec<Option<String>> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut child = Command::new(tools::python())
        .args(["-c", SCRIPT])
        .env("PYTHONPATH", tools::python_packages())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!([schema, instances]).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the validator failed: run ci/test once to install it");
    serde_json::from_slice(&output.stdout).unwrap()
}
