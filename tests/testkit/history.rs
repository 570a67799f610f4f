//! Random histories of two branches: a plain file, what each branch made of it, and what
//! merging both must give. The branches touch different keys, unless they are to clash.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use leaflock::domain::document::values::plain_values;
use leaflock::domain::store::{Format, Purpose};
use leaflock::domain::value::{Entry, Value};

use super::rng::Rng;

/// A plain file in four states.
pub(crate) struct History {
    /// Its format.
    pub(crate) format: Format,
    /// Where the branches part.
    pub(crate) base: String,
    /// What one branch made of it.
    pub(crate) ours: String,
    /// What the other made of it.
    pub(crate) theirs: String,
    /// The values of both together.
    pub(crate) merged: Value,
    /// The key paths that both changed differently.
    pub(crate) clashes: BTreeSet<String>,
}

/// A value with what is written around it.
#[derive(Clone)]
enum Node {
    Scalar(String),
    Map(Vec<Line>),
    List(Vec<Line>),
}

/// An entry of a map, or an element of a list, whose key is empty.
#[derive(Clone)]
struct Line {
    key: String,
    above: Option<String>,
    behind: Option<String>,
    value: Node,
}

/// How a file is written.
#[derive(Clone, Copy)]
struct Look {
    format: Format,
    indent: usize,
    indented_lists: bool,
    blank_lines: bool,
}

const WORDS: [&str; 8] = ["alpha", "two words", "s3cr3t", "x", "db.internal", "a-b", "p@ss", "äöü"];

fn scalar(rng: &mut Rng, format: Format) -> String {
    let word = format!("{} {}", rng.pick(&WORDS), rng.below(100_000));
    match (format, rng.below(8)) {
        (Format::Json, 0) | (Format::Yaml, 0) => rng.below(100_000).to_string(),
        (Format::Json, 1) | (Format::Yaml, 1) => "true".to_owned(),
        (Format::Json, _) => format!("\"{word}\""),
        (Format::Yaml, 2) => format!("\"{word}\""),
        (Format::Yaml, 3) => format!("'{word}'"),
        (Format::Yaml, 4) => format!("|\n{word}\nsecond line"),
        _ => word,
    }
}

fn line(rng: &mut Rng, look: Look, key: String, depth: usize) -> Line {
    let commented = look.format != Format::Json;
    let note = |rng: &mut Rng| format!(" note {}", rng.below(100_000));
    let nests = depth < 3 && matches!(look.format, Format::Yaml | Format::Json);
    let value = match rng.below(6) {
        0 | 1 if nests => Node::Map(map(rng, look, depth + 1)),
        2 if nests && rng.chance(50) => {
            Node::List((0..rng.below(5)).map(|_| plain(scalar_line(rng, look))).collect())
        }
        2 if nests => Node::List((0..rng.within(1, 3)).map(|at| record(rng, look, at)).collect()),
        _ => Node::Scalar(scalar(rng, look.format)),
    };
    let above = (commented && rng.chance(20)).then(|| note(rng));
    let inline = look.format == Format::Yaml && matches!(&value, Node::Scalar(text) if !text.contains('\n'));
    let behind = (inline && rng.chance(20)).then(|| note(rng));
    Line { key, above, behind, value }
}

/// Elements of lists hold texts on one line.
fn scalar_line(rng: &mut Rng, look: Look) -> Node {
    let text = scalar(rng, look.format);
    Node::Scalar(text.strip_prefix("|\n").map_or(text.clone(), |text| text.replace('\n', " ")))
}

fn plain(value: Node) -> Line {
    Line { key: String::new(), above: None, behind: None, value }
}

/// A map in a list, with a name that tells it from its neighbours.
fn record(rng: &mut Rng, look: Look, at: usize) -> Line {
    let quote = if look.format == Format::Json { "\"" } else { "" };
    let mut name = plain(Node::Scalar(format!("{quote}record {at}{quote}")));
    name.key = "name".to_owned();
    let mut lines = vec![name];
    for number in 0..rng.within(2, 4) {
        let mut line = plain(scalar_line(rng, look));
        line.key = format!("f{number}");
        lines.push(line);
    }
    plain(Node::Map(lines))
}

fn map(rng: &mut Rng, look: Look, depth: usize) -> Vec<Line> {
    (0..rng.within(1, 6))
        .map(|at| {
            let key = format!("k{at}_{}", rng.below(100));
            line(rng, look, key, depth)
        })
        .collect()
}

impl Node {
    fn lines(&self) -> &[Line] {
        match self {
            Self::Scalar(_) => &[],
            Self::Map(lines) | Self::List(lines) => lines,
        }
    }

    fn lines_mut(&mut self) -> Option<&mut Vec<Line>> {
        match self {
            Self::Scalar(_) => None,
            Self::Map(lines) | Self::List(lines) => Some(lines),
        }
    }

    /// The node at a place, by the keys of maps and the places in lists at the beginning.
    fn at(&mut self, path: &[String]) -> Option<&mut Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let is_list = matches!(self, Self::List(_));
        let lines = self.lines_mut()?;
        let line = match is_list {
            true => lines.get_mut(first.parse::<usize>().ok()?),
            false => lines.iter_mut().find(|line| line.key == *first),
        };
        line?.value.at(rest)
    }
}

/// What can be changed: the key paths of values below maps, and whole lists of texts.
fn targets(node: &Node, path: &[String], found: &mut Vec<Vec<String>>) {
    let is_list = matches!(node, Node::List(_));
    for (at, line) in node.lines().iter().enumerate() {
        let name = if is_list { at.to_string() } else { line.key.clone() };
        let path = [path, &[name]].concat();
        let is_records = matches!(&line.value, Node::List(lines) if lines.iter().any(|it| matches!(it.value, Node::Map(_))));
        let is_record = is_list && matches!(line.value, Node::Map(_));
        if line.key != "name" && !is_record && !is_records {
            found.push(path.clone());
        }
        if matches!(line.value, Node::Map(_)) || is_records {
            targets(&line.value, &path, found);
        }
    }
}

/// A change of what is at a place.
#[derive(Clone)]
enum Change {
    Replace(Vec<String>, Node),
    Remove(Vec<String>),
    Comment(Vec<String>, String),
    /// Behind the last entry of the map at the place.
    Add(Vec<String>, Line),
}

impl Change {
    fn make(&self, root: &mut Node) {
        match self {
            Self::Replace(path, value) => {
                if let Some(node) = root.at(path) {
                    *node = value.clone();
                }
            }
            Self::Remove(path) => {
                let Some((last, above)) = path.split_last() else { return };
                if let Some(lines) = root.at(above).and_then(Node::lines_mut) {
                    lines.retain(|line| line.key != *last);
                }
            }
            Self::Comment(path, text) => {
                let Some((last, above)) = path.split_last() else { return };
                let lines = root.at(above).and_then(Node::lines_mut);
                if let Some(line) = lines.and_then(|lines| lines.iter_mut().find(|line| line.key == *last)) {
                    line.above = Some(text.clone());
                }
            }
            Self::Add(path, line) => {
                if let Some(lines) = root.at(path).and_then(Node::lines_mut) {
                    lines.push(line.clone());
                }
            }
        }
    }
}

fn change(rng: &mut Rng, look: Look, root: &mut Node, path: &[String], number: usize) -> Change {
    let note = format!(" changed {}", rng.below(100_000));
    let (_, above) = path.split_last().map_or((None, &[][..]), |(last, above)| (Some(last), above));
    let may_remove = !matches!(look.format, Format::Dotenv) || rng.chance(30);
    match rng.below(6) {
        0 if may_remove => Change::Remove(path.to_vec()),
        1 if look.format != Format::Json => Change::Comment(path.to_vec(), note),
        2 => Change::Add(above.to_vec(), line(rng, look, format!("new{number}"), 3)),
        3 if matches!(root.at(path), Some(Node::List(_))) => {
            let mut list = root.at(path).cloned().unwrap_or(Node::List(Vec::new()));
            if let Some(lines) = list.lines_mut() {
                let at = rng.below(lines.len() + 1);
                lines.insert(at, plain(scalar_line(rng, look)));
            }
            Change::Replace(path.to_vec(), list)
        }
        _ => Change::Replace(path.to_vec(), Node::Scalar(scalar(rng, look.format))),
    }
}

fn is_below(one: &[String], other: &[String]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

impl History {
    /// The history of `seed`; with `clash`, both branches also change some of the same keys.
    pub(crate) fn new(seed: u64, clash: bool) -> Self {
        let mut rng = Rng::new(seed);
        let format =
            *rng.pick(&[Format::Yaml, Format::Yaml, Format::Yaml, Format::Json, Format::Dotenv, Format::Ini]);
        let look = Look {
            format,
            indent: *rng.pick(&[2, 4]),
            indented_lists: rng.chance(50),
            blank_lines: rng.chance(50),
        };
        let mut root = match format {
            Format::Ini => Node::Map(
                (0..3)
                    .map(|at| Line {
                        key: format!("section{at}"),
                        above: None,
                        behind: None,
                        value: Node::Map(map(&mut rng, look, 3)),
                    })
                    .collect(),
            ),
            _ => Node::Map(
                map(&mut rng, look, 0)
                    .into_iter()
                    .chain(map(&mut rng, look, 0).into_iter().map(|mut line| {
                        line.key.push_str("_b");
                        line
                    }))
                    .collect(),
            ),
        };
        let mut places = Vec::new();
        targets(&root, &[], &mut places);
        places.retain(|path| format != Format::Ini || path.len() == 2);
        // One value always stays, so that no file gets empty.
        places.remove(0);
        let (mut ours, mut theirs, mut both) = (root.clone(), root.clone(), root.clone());
        let mut used: Vec<Vec<String>> = Vec::new();
        let mut clashes = BTreeSet::new();
        let mut changes: [Vec<Change>; 2] = [Vec::new(), Vec::new()];
        for number in 0..rng.within(2, 7) {
            if places.is_empty() {
                break;
            }
            let path = rng.pick(&places).clone();
            if used.iter().any(|it| is_below(it, &path)) {
                continue;
            }
            used.push(path.clone());
            if clash && number % 2 == 1 {
                for side in [&mut ours, &mut theirs] {
                    Change::Replace(path.clone(), Node::Scalar(scalar_text(&mut rng, format))).make(side);
                }
                clashes.insert(index(&root, &path));
                continue;
            }
            let change = change(&mut rng, look, &mut root, &path, number);
            // What is added stands in a map that the other branch may not take away.
            if let Change::Add(above, _) = &change {
                used.push(above.iter().cloned().chain([format!("new{number}")]).collect());
                used.push(path.clone());
            }
            changes[rng.below(2)].push(change);
        }
        for change in &changes[0] {
            change.make(&mut ours);
        }
        for change in &changes[1] {
            change.make(&mut theirs);
        }
        for change in changes.iter().flatten() {
            change.make(&mut both);
        }
        let text = |node: &Node| written(node, look);
        let merged = values(format, &text(&both));
        Self { format, base: text(&root), ours: text(&ours), theirs: text(&theirs), merged, clashes }
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &'static str {
        match self.format {
            Format::Json => "f.json",
            Format::Dotenv => "f.env",
            Format::Ini => "f.ini",
            _ => "f.yaml",
        }
    }
}

/// A text that is no other's.
fn scalar_text(rng: &mut Rng, format: Format) -> String {
    let quote = if format == Format::Json { "\"" } else { "" };
    format!("{quote}clash {}{quote}", rng.next())
}

fn index(root: &Node, path: &[String]) -> String {
    let (mut text, mut node) = (String::new(), root.clone());
    for name in path {
        match &node {
            Node::List(_) => text.push_str(&format!("[{name}]")),
            _ => text.push_str(&format!("[\"{name}\"]")),
        }
        node = node.at(std::slice::from_ref(name)).cloned().unwrap_or(Node::Scalar(String::new()));
    }
    text
}

/// The values of a file, the keys of maps in alphabetical order.
pub(crate) fn values(format: Format, text: &str) -> Value {
    let store = format.store();
    let tree = store.read(text.as_bytes(), Purpose::AsIs).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    sorted(plain_values(store, &tree).remove(0))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Map(entries) => {
            let pairs = entries.into_iter().filter_map(|entry| match entry {
                Entry::Pair(key, value) => Some((key, sorted(value))),
                Entry::Comment(_) => None,
            });
            let mut pairs: Vec<(String, Value)> = pairs.collect();
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(pairs.into_iter().map(|(key, value)| Entry::Pair(key, value)).collect())
        }
        Value::List(values) => {
            let is_value = |value: &Value| !matches!(value, Value::Comment(_));
            Value::List(values.into_iter().filter(is_value).map(sorted).collect())
        }
        value => value,
    }
}

fn written(root: &Node, look: Look) -> String {
    let mut out = String::new();
    match look.format {
        Format::Json => {
            json(root, 0, look, &mut out);
            out.push('\n');
        }
        Format::Dotenv => root.lines().iter().for_each(|line| flat(line, "#", "=", &mut out)),
        Format::Ini => {
            for section in root.lines() {
                let _ = writeln!(out, "[{}]", section.key);
                section.value.lines().iter().for_each(|line| flat(line, ";", " = ", &mut out));
                out.push('\n');
            }
        }
        _ if root.lines().is_empty() => out.push_str("{}\n"),
        _ => yaml(root, 0, look, &mut out),
    }
    out
}

fn flat(line: &Line, marker: &str, equals: &str, out: &mut String) {
    if let Some(text) = &line.above {
        let _ = writeln!(out, "{marker}{text}");
    }
    let Node::Scalar(value) = &line.value else { return };
    let _ = writeln!(out, "{}{equals}{value}", line.key);
}

fn json(node: &Node, depth: usize, look: Look, out: &mut String) {
    let (open, close) = if matches!(node, Node::Map(_)) { ('{', '}') } else { ('[', ']') };
    let lines = match node {
        Node::Scalar(text) => return out.push_str(text),
        node => node.lines(),
    };
    out.push(open);
    for (at, line) in lines.iter().enumerate() {
        let _ = write!(out, "{}\n{}", if at > 0 { "," } else { "" }, " ".repeat(look.indent * (depth + 1)));
        if !line.key.is_empty() {
            let _ = write!(out, "\"{}\": ", line.key);
        }
        json(&line.value, depth + 1, look, out);
    }
    if !lines.is_empty() {
        let _ = write!(out, "\n{}", " ".repeat(look.indent * depth));
    }
    out.push(close);
}

fn yaml(node: &Node, column: usize, look: Look, out: &mut String) {
    let is_list = matches!(node, Node::List(_));
    for line in node.lines() {
        let indent = " ".repeat(column);
        if look.blank_lines && column == 0 && line.above.is_some() {
            out.push('\n');
        }
        if let Some(text) = &line.above {
            let _ = writeln!(out, "{indent}#{text}");
        }
        let head = if is_list { "-".to_owned() } else { format!("{}:", line.key) };
        let _ = write!(out, "{indent}{head}");
        let behind = line.behind.as_ref().map_or(String::new(), |text| format!("   #{text}"));
        match &line.value {
            Node::Scalar(text) => {
                let text = text.replace('\n', &format!("\n{}", " ".repeat(column + look.indent)));
                let _ = writeln!(out, " {text}{behind}");
            }
            Node::Map(lines) if lines.is_empty() => out.push_str(" {}\n"),
            Node::List(lines) if lines.is_empty() => out.push_str(" []\n"),
            Node::Map(_) if is_list => {
                let mut inner = String::new();
                yaml(&line.value, column + 2, look, &mut inner);
                let _ = write!(out, " {}", inner.trim_start());
            }
            Node::List(_) if !look.indented_lists && !is_list => {
                out.push('\n');
                yaml(&line.value, column, look, out);
            }
            inner => {
                out.push('\n');
                yaml(inner, column + look.indent, look, out);
            }
        }
    }
}
