//! An encrypted file becomes plain again: whole, one value of it, or in another
//! format (sops-compat 3.3, 10.3, 10.4).

use super::Deps;
use super::agent::overtaken;
use super::config;
use super::error::{Error, While};
use super::open::{self, Input, Locked, Unlocked};
use super::request::{Destination, Done, Named, Notice, OpenOptions, Outcome, Task};
use crate::domain::agent::audit::entry::Action;
use crate::domain::crypto::mac::Mac;
use crate::domain::crypto::token;
use crate::domain::document::open::Extras;
use crate::domain::document::yaml_layout;
use crate::domain::index::{self, Component, LookupError};
use crate::domain::secret::SecretBytes;
use crate::domain::store::{Format, Layout, WriteError, json, shell, yaml};
use crate::domain::value::{Entry, Value};

/// What to decrypt and how to show it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The encrypted input and the place of the plain file. Standard input without
    /// other information is binary.
    pub task: Task,
    /// How to write the result; `None` is by name.
    pub output_format: Option<OutputFormat>,
    /// `--extract`: an index as typed (sops-compat 10.4); `None` is the whole file.
    pub extract: Option<String>,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// True when stdout is a terminal: nobody evals what is printed there.
    pub terminal: bool,
}

/// What plaintext can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// One of the file formats.
    File(Format),
    /// `export NAME='value'` lines.
    Shell,
}

/// Decrypts one file.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    overtaken::again(deps, || run_once(deps, request))
}

fn run_once(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let Task { source, file, destination, named, .. } = &request.task;
    let input = open::read_input(deps, source, file)?;
    let format = file.input_format.unwrap_or_else(|| input.format());
    let place = input.place();
    let locked = match Locked::parse(&input.bytes, format, &place) {
        Err(_) if *named != Named::Directly && !token::occurs_in(&input.bytes) => {
            return Ok(Outcome { done: Done::Skipped("not encrypted"), notices: Vec::new() });
        }
        locked => locked?,
    };
    let is_own = request.open.intent.action == Action::Decrypt;
    let open = OpenOptions { is_for_people: is_own || request.open.is_for_people, ..request.open.clone() };
    let unlocked = match &request.extract {
        Some(typed) if is_own => {
            let index = index::parse(typed).unwrap_or_default();
            locked.unlock(deps, &open.to(Action::Get).of_value(&index))?
        }
        _ => locked.unlock(deps, &open)?,
    };
    let output_format = request.output_format.unwrap_or(OutputFormat::File(input.format()));
    let is_spliced = request.extract.is_none() && output_format == OutputFormat::File(format);
    let layout = match output_format {
        OutputFormat::File(output) if !is_spliced || file.config.is_some() => {
            config::layout(deps, &input.name, output, file)?
        }
        _ => Layout::default(),
    };
    let mut notices = unlocked.notices.clone();
    let bytes = match (&request.extract, output_format) {
        (Some(index), _) => extract(&unlocked, index, output_format, layout, request, &mut notices)?,
        (None, OutputFormat::File(output)) if output == format => {
            match relaid(deps, &unlocked, &input, request)? {
                Some(layout) => in_other_format(&unlocked, output_format, layout, request, &mut notices)?,
                None => in_own_format(&unlocked, request, &mut notices)?,
            }
        }
        (None, _) => in_other_format(&unlocked, output_format, layout, request, &mut notices)?,
    };
    notices.extend(eval_notice(request, output_format, &bytes));
    let done = open::deliver(deps, destination, &input, bytes)?;
    drop(unlocked);
    input.bytes.release();
    Ok(Outcome { done, notices })
}

/// The layout in which SOPS prints a file of its own, where that is not what
/// putting the values back in their places gives.
fn relaid(
    deps: &Deps<'_>,
    unlocked: &Unlocked<'_>,
    input: &Input,
    request: &Request,
) -> Result<Option<Layout>, Error> {
    let Locked { format, store, tree, .. } = &unlocked.locked;
    let layout = || config::layout(deps, &input.name, *format, &request.task.file);
    match format {
        Format::Json => {
            let Some(written) = json::sops_indent(tree) else { return Ok(None) };
            let layout = layout()?;
            Ok((layout.indent != Some(written)).then_some(layout))
        }
        Format::Yaml => {
            let Some(look) = yaml_layout::sops_look(*store, tree) else { return Ok(None) };
            // Of a file in the default indentation nobody can tell who chose it.
            if look.indent == yaml::emit::DEFAULT_INDENT && !look.is_certain {
                return Ok(Some(Layout { indent: Some(look.indent) }));
            }
            layout().map(Some)
        }
        Format::Dotenv | Format::Ini | Format::Binary => Ok(None),
    }
}

/// The file as it was before it was encrypted.
fn in_own_format(
    unlocked: &Unlocked<'_>,
    request: &Request,
    notices: &mut Vec<Notice>,
) -> Result<SecretBytes, Error> {
    let locked = &unlocked.locked;
    if locked.format == Format::Binary {
        if let Some((plain, mac)) = unlocked.binary() {
            check_mac(unlocked, &mac, request)?;
            return Ok(plain);
        }
        return in_other_format(
            unlocked,
            OutputFormat::File(Format::Binary),
            Layout::default(),
            request,
            notices,
        );
    }
    let extras = Extras {
        spellings: locked.spellings(&unlocked.cipher),
        keep_spellings: locked.metadata.keeps_spellings(),
        hoist: locked.metadata.source.is_none(),
        recorder: None,
    };
    let detach = locked.store.detach(&locked.tree);
    let mut bytes = open::plain_buffer(locked, &detach);
    let findings = unlocked
        .file()
        .write_plain(extras, detach, &mut bytes)
        .map_err(|error| unlocked.tree_error(error))?;
    check_mac(unlocked, &findings.mac, request)?;
    notices.extend(findings.notices.iter().map(|it| open::notice(&locked.place, it)));
    Ok(bytes)
}

fn in_other_format(
    unlocked: &Unlocked<'_>,
    output: OutputFormat,
    layout: Layout,
    request: &Request,
    notices: &mut Vec<Notice>,
) -> Result<SecretBytes, Error> {
    let (documents, findings) = unlocked.file().to_values().map_err(|error| unlocked.tree_error(error))?;
    check_mac(unlocked, &findings.mac, request)?;
    notices.extend(findings.notices.iter().map(|it| open::notice(&unlocked.locked.place, it)));
    emit(unlocked, &documents, output, layout, notices)
}

/// One value of the first document. A map is printed as a file, followed by the
/// other documents, as SOPS does.
fn extract(
    unlocked: &Unlocked<'_>,
    index: &str,
    output: OutputFormat,
    layout: Layout,
    request: &Request,
    notices: &mut Vec<Notice>,
) -> Result<SecretBytes, Error> {
    let index = index::parse(index).map_err(|error| Error::ExtractIndex(error.to_string()))?;
    let (mut documents, findings) =
        unlocked.file().to_values().map_err(|error| unlocked.tree_error(error))?;
    check_mac(unlocked, &findings.mac, request)?;
    let Some(first) = documents.first_mut() else {
        return Err(Error::Empty(unlocked.locked.place.clone()));
    };
    let found = index::look_up(first, &index).map_err(|error| not_found(unlocked, first, &index, &error))?;
    let found = found.clone();
    let bytes = match (found, output) {
        (map @ Value::Map(_), _) => {
            *first = map;
            emit(unlocked, &documents, output, layout, notices)?
        }
        (found, OutputFormat::File(format)) => format
            .store()
            .emit_value(&found, layout)
            .map(SecretBytes::new)
            .map_err(|error| emit_error(unlocked, error))?,
        (found, OutputFormat::Shell) => Format::Json
            .store()
            .emit_value(&found, layout)
            .map(SecretBytes::new)
            .map_err(|error| emit_error(unlocked, error))?,
    };
    Ok(bytes)
}

fn check_mac(unlocked: &Unlocked<'_>, mac: &Mac, request: &Request) -> Result<(), Error> {
    if request.open.ignore_mac { Ok(()) } else { unlocked.locked.check_mac(&unlocked.cipher, mac) }
}

fn emit(
    unlocked: &Unlocked<'_>,
    documents: &[Value],
    output: OutputFormat,
    layout: Layout,
    notices: &mut Vec<Notice>,
) -> Result<SecretBytes, Error> {
    let emitted = match output {
        OutputFormat::Shell => documents.first().map_or_else(
            || Ok(SecretBytes::default()),
            |first| {
                let script = shell::emit(first)?;
                notices.extend(script.steering.iter().map(|name| {
                    Notice::warning(format!("{name} is set: it steers the shell and the programs it starts"))
                }));
                Ok(script.text)
            },
        ),
        OutputFormat::File(format) => format.store().emit(documents, layout).map(SecretBytes::new),
    };
    emitted.map_err(|error| emit_error(unlocked, error))
}

/// Dotenv text is often fed to `eval`, which reads quotes, blanks and `$` in it.
fn eval_notice(request: &Request, output: OutputFormat, bytes: &[u8]) -> Option<Notice> {
    let fed_on = request.task.destination == Destination::Stdout && !request.terminal;
    if output != OutputFormat::File(Format::Dotenv) || !fed_on {
        return None;
    }
    let shell::Unsafe { line, name } = shell::unsafe_under_eval(bytes)?;
    Some(
        Notice::note(format!(
            "line {line} ({name}) means something else to a shell: do not `eval` this output"
        ))
        .with_hint("`--output-type shell` prints lines that are safe to `eval`"),
    )
}

fn emit_error(unlocked: &Unlocked<'_>, error: WriteError) -> Error {
    Error::Emit { place: unlocked.locked.place.clone(), during: While::Decrypting, error }
}

/// Says which keys there are where the index went wrong.
fn not_found(unlocked: &Unlocked<'_>, document: &Value, index: &[Component], error: &LookupError) -> Error {
    let known = (0..index.len()).rev().find_map(|depth| index::look_up(document, &index[..depth]).ok());
    let keys: Vec<&str> = match known {
        Some(Value::Map(entries)) => entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Pair(key, _) => Some(key.as_str()),
                Entry::Comment(_) => None,
            })
            .take(12)
            .collect(),
        _ => Vec::new(),
    };
    let hints = match &keys[..] {
        [] => Vec::new(),
        keys => vec![format!("keys at that place: {}", keys.join(", "))],
    };
    let place = unlocked.locked.place.clone();
    Error::NotFound { place, message: format!("error truncating tree: {error}"), hints }
}
