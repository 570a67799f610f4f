//! A plain file becomes an encrypted one, by its creation rule or by the keys
//! and rules of the command line (sops-compat 1, 2, 8, 9.5).

use std::path::PathBuf;

use super::Deps;
use super::audit::record;
use super::binary::{self, Content};
use super::change;
use super::config;
use super::derived::put;
use super::error::{Error, Place, While};
use super::lock::{self, Expected, Plain};
use super::open::{self, Locked};
use super::ports::FileKind;
use super::request::{
    Destination, Done, Intent, KeyOptions, Named, NothingSelected, Notice, Outcome, RuleOptions, Source, Task,
};
use super::reuse::{self, Onto, Wanted};
use super::sealing::{self, Unsealed};
use super::wrap;
use crate::domain::agent::audit::entry::Action;
use crate::domain::config::Plan;
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::document::lock::{LockPlan, PlainFile};
use crate::domain::document::sink::Sink;
use crate::domain::document::values::plain_values;
use crate::domain::metadata::{self, MasterKey, Metadata};
use crate::domain::secret::SecretBytes;
use crate::domain::select::{Selection, Stage};
use crate::domain::store::{Format, Layout};

/// What to encrypt, for whom, and where to.
#[derive(Clone, Debug)]
pub struct Request {
    /// The plain input and the place of the encrypted file. Standard input comes
    /// with a filename override.
    pub task: Task,
    /// `--output-type`, else by name.
    pub output_format: Option<Format>,
    /// Keys from the command line.
    pub keys: KeyOptions,
    /// Rules from the command line.
    pub rules: RuleOptions,
    /// The former state that unchanged values keep their ciphertext from.
    pub onto: Onto,
}

/// Encrypts one file. What goes to standard output goes to `stdout` as it is made.
pub fn run(deps: &Deps<'_>, request: &Request, stdout: &mut dyn Sink) -> Result<Outcome, Error> {
    if let Some(file) = Streamed::of(deps, request)? {
        return file.print(deps, request, stdout);
    }
    let input = open::read_input(deps, &request.task.source, &request.task.file)?;
    run_on(deps, request, &input, stdout)
}

/// A binary file that is printed while it is read, whatever its size.
struct Streamed {
    /// The file, absolute.
    path: PathBuf,
    /// The absolute path that rules go by.
    name: PathBuf,
}

impl Streamed {
    /// `None` if the file must be held whole: for another format, to build on a former
    /// state, to be sealed or written.
    fn of(deps: &Deps<'_>, request: &Request) -> Result<Option<Self>, Error> {
        let Task {
            source: Source::File(path),
            file,
            destination: Destination::Stdout,
            named: Named::Directly,
            ..
        } = &request.task
        else {
            return Ok(None);
        };
        let path = deps.files.absolute(path).map_err(Error::Read)?;
        let name = open::name_of(deps, Some(&path), file)?;
        let by_name = Format::of_path(&name.to_string_lossy());
        let formats = [file.input_format, request.output_format].map(|format| format.unwrap_or(by_name));
        let is_plain = formats == [Format::Binary; 2]
            && matches!(deps.files.kind(&path), Ok(Some(FileKind::Regular)))
            && sealing::Wanted::by_new(deps, Some(&path), request.rules.seal)? == sealing::Wanted::Nothing
            && reuse::former(deps, &request.onto, &name)?.is_none();
        Ok(is_plain.then_some(Self { path, name }))
    }

    fn print(&self, deps: &Deps<'_>, request: &Request, stdout: &mut dyn Sink) -> Result<Outcome, Error> {
        let Self { path, name } = self;
        let Request { task, keys: given, rules, .. } = request;
        let mut notices = Vec::new();
        let plan = config::plan(deps, name, Format::Binary, &task.file, given, rules, &mut notices)?;
        let intent = Intent { action: Action::Encrypt, ..Intent::default() };
        record::writing(deps, &intent, Some(name), &task.batch)?;
        let data_key = DataKey::generate(&mut *deps.random.rng());
        let metadata = binary_metadata(deps, &plan, &data_key)?;
        let (cipher, place) = (Cipher::new(&data_key), Place::file(path));
        binary::lock(deps, Content::File(path), &cipher, metadata, &place, stdout)?;
        Ok(Outcome { done: Done::Printed, notices })
    }
}

/// The same for an input that was read already.
pub fn run_on(
    deps: &Deps<'_>,
    request: &Request,
    input: &open::Input,
    stdout: &mut dyn Sink,
) -> Result<Outcome, Error> {
    let Task { file, destination, named, .. } = &request.task;
    let place = input.place();
    let from = file.input_format.unwrap_or_else(|| input.format());
    let to = request.output_format.unwrap_or_else(|| input.format());
    let skipped = |why| Ok(Outcome { done: Done::Skipped(why), notices: Vec::new() });
    if *named != Named::Directly && is_encrypted(&input.bytes, to, &place) {
        return skipped("encrypted already");
    }
    if *named == Named::Walked && !is_meant(deps, input, from, request)? {
        return skipped("no rule is for them");
    }
    let mut notices = Vec::new();
    let plan = config::plan(deps, &input.name, to, file, &request.keys, &request.rules, &mut notices)?;
    let converted;
    let plain: &[u8] = if from == to {
        &input.bytes
    } else {
        converted = convert(&input.bytes, from, to, &place)?;
        &converted
    };
    let target = target(deps, request, input)?;
    let intent = Intent { action: Action::Encrypt, ..Intent::default() };
    record::writing(deps, &intent, target.as_deref(), &request.task.batch)?;
    if let Some(bytes) = lock_onto(deps, request, input, (plain, to, &plan), &mut notices)? {
        let done = put::deliver(deps, destination, input, bytes, None, &mut notices)?;
        return Ok(Outcome { done, notices });
    }
    let stdout = (*destination == Destination::Stdout).then_some(stdout);
    let printed = stdout.is_some();
    let NewFile { bytes, notices: found, data_key } =
        lock(deps, plain, to, &plan, &request.rules, &place, stdout)?;
    notices.extend(found);
    let done = match printed {
        true => Done::Printed,
        false => put::deliver(deps, destination, input, bytes, data_key.as_ref(), &mut notices)?,
    };
    Ok(Outcome { done, notices })
}

/// The file that is written, absolute; the input's, if it goes to standard output.
fn target(deps: &Deps<'_>, request: &Request, input: &open::Input) -> Result<Option<PathBuf>, Error> {
    match &request.task.destination {
        Destination::File(path) => deps.files.absolute(path).map(Some).map_err(Error::Read),
        _ if input.name.as_os_str().is_empty() => Ok(None),
        _ => Ok(Some(input.name.clone())),
    }
}

/// Encrypts `plain` onto the former state of the file that the result is for, if that
/// will do.
fn lock_onto(
    deps: &Deps<'_>,
    request: &Request,
    input: &open::Input,
    (plain, format, plan): (&[u8], Format, &Plan),
    notices: &mut Vec<Notice>,
) -> Result<Option<SecretBytes>, Error> {
    let path = match &request.task.destination {
        Destination::File(path) => deps.files.absolute(path).map_err(Error::Read)?,
        _ => input.name.clone(),
    };
    let Some(former) = reuse::former(deps, &request.onto, &path)? else { return Ok(None) };
    let place = input.place();
    let wanted = Wanted {
        plain,
        format,
        plan,
        threshold: threshold(plan),
        allow_unencrypted: request.rules.nothing_selected == NothingSelected::Allow,
        sealing: sealing::Wanted::by_new(deps, place.path.as_deref(), request.rules.seal)?,
        place: &place,
    };
    let Some(locked) = reuse::lock(deps, former, &wanted, notices)? else { return Ok(None) };
    notices.extend(locked.notices.iter().map(|it| open::notice(&place, it)));
    Ok(Some(locked.bytes))
}

/// True when a file that was found in a directory is one of the secrets: a
/// creation rule matches it, and it has one of the text formats or the rule says
/// which paths it is for.
fn is_meant(deps: &Deps<'_>, input: &open::Input, format: Format, request: &Request) -> Result<bool, Error> {
    let found = config::find(deps, &input.name, &request.task.file, &mut Vec::new())?;
    let rule = match found.as_deref() {
        None => Ok(None),
        Some(found) => config::rule_for(found, &input.name),
    };
    match rule {
        Ok(Some(rule)) => Ok(format != Format::Binary || !rule.path_regex.is_empty()),
        Ok(None) => Ok(format != Format::Binary),
        Err(error) if config::is_no_match(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// An encrypted file with what the user should hear about.
pub struct NewFile {
    /// Its bytes; empty if they went to standard output.
    pub bytes: SecretBytes,
    /// The notices.
    pub notices: Vec<Notice>,
    /// Its data key, if whoever asked for the file did not bring it.
    pub data_key: Option<DataKey>,
}

/// How many bytes a file has that is decrypted again before it goes to standard output:
/// there that is lost in the time that a process takes to start. A larger one is printed
/// as it is made, so that it takes neither that time nor the memory.
const SMALL: usize = 64 << 10;

/// Encrypts `plain` by `plan`, to `stdout` or into a buffer, and decrypts it again
/// before anybody gets it, unless it is large and goes to `stdout`.
pub fn lock(
    deps: &Deps<'_>,
    plain: &[u8],
    format: Format,
    plan: &Plan,
    rules: &RuleOptions,
    place: &Place,
    stdout: Option<&mut dyn Sink>,
) -> Result<NewFile, Error> {
    let data_key = &DataKey::generate(&mut *deps.random.rng());
    let job = Job { plain, format, plan, rules, place, data_key };
    let wanted = sealing::Wanted::by_new(deps, place.path.as_deref(), rules.seal)?;
    let made = Some(data_key.clone());
    if wanted == sealing::Wanted::Nothing {
        return Ok(NewFile { data_key: made, ..job.lock(deps, stdout)? });
    }
    // A seal is made over the whole file.
    let NewFile { bytes, mut notices, .. } = job.lock(deps, None)?;
    let mut bytes = Unsealed { bytes, format, place, data_key }.finish(deps, wanted, &mut notices)?;
    if let Some(stdout) = stdout {
        stdout.push(&std::mem::take(&mut bytes));
    }
    Ok(NewFile { bytes, notices, data_key: made })
}

/// A file that is to be encrypted under `data_key`.
struct Job<'j> {
    plain: &'j [u8],
    format: Format,
    plan: &'j Plan,
    rules: &'j RuleOptions,
    place: &'j Place,
    data_key: &'j DataKey,
}

impl Job<'_> {
    fn lock(&self, deps: &Deps<'_>, stdout: Option<&mut dyn Sink>) -> Result<NewFile, Error> {
        let Self { plain, format, plan, rules, place, data_key } = *self;
        if format == Format::Binary {
            let metadata = binary_metadata(deps, plan, data_key)?;
            let cipher = &Cipher::new(data_key);
            let bytes = match stdout {
                Some(stdout) => {
                    binary::lock(deps, Content::Whole(plain), cipher, metadata, place, stdout)?;
                    SecretBytes::default()
                }
                None => binary::lock_proven(deps, plain, cipher, metadata, place)?,
            };
            return Ok(NewFile { bytes, notices: Vec::new(), data_key: None });
        }
        let mut metadata = new_metadata(plan);
        let mut parsed = Plain::parse(plain, format, place)?;
        metadata.selection.mark(&mut parsed.tree, Stage::Plain);
        let file = PlainFile {
            store: parsed.store,
            tree: &parsed.tree,
            selection: &metadata.selection,
            keep_spellings: true,
        };
        let locking = file.plan(None);
        let mut notices = refuse_plain_text(&locking, plan, rules, place)?;
        metadata.groups = wrap::groups(deps, keys(plan), threshold(plan), data_key)?;
        let (direct, later) = if plain.len() <= SMALL { (None, stdout) } else { (stdout, None) };
        let is_streamed = direct.is_some();
        let mut locked = lock::lock_new(deps, &parsed, data_key, metadata, locking, direct)?;
        drop(parsed);
        if !is_streamed {
            let cipher = &Cipher::new(data_key);
            locked = lock::proven(deps, locked, Expected { format, cipher, plain, place, hoist: true })?;
        }
        if let Some(stdout) = later {
            stdout.push(&std::mem::take(&mut locked.bytes));
        }
        notices.extend(locked.notices.iter().map(|it| open::notice(place, it)));
        Ok(NewFile { bytes: locked.bytes, notices, data_key: None })
    }
}

/// The metadata of a new file, but for what is made when it is encrypted.
fn new_metadata(plan: &Plan) -> Metadata {
    Metadata {
        groups: Vec::new(),
        shamir_threshold: threshold(plan),
        last_modified: String::new(),
        mac: String::new(),
        version: metadata::VERSION.to_owned(),
        selection: plan.selection.clone(),
        source: None,
        seal: None,
        signature: None,
        former: None,
    }
}

/// The same of a binary file, whose one value is always encrypted, with its wrapped keys.
fn binary_metadata(deps: &Deps<'_>, plan: &Plan, data_key: &DataKey) -> Result<Metadata, Error> {
    let groups = wrap::groups(deps, keys(plan), threshold(plan), data_key)?;
    Ok(Metadata { groups, selection: Selection::everything(), ..new_metadata(plan) })
}

/// The keys of the plan.
fn keys(plan: &Plan) -> Vec<Vec<MasterKey>> {
    plan.groups.iter().map(|group| group.iter().map(|it| MasterKey::new(&it.key)).collect()).collect()
}

/// The threshold that goes into the file: with several groups, always one.
fn threshold(plan: &Plan) -> Option<usize> {
    let given = plan.shamir_threshold.and_then(|it| usize::try_from(it).ok());
    given.or_else(|| (plan.groups.len() > 1).then_some(plan.groups.len()))
}

/// A rule that selects nothing would leave every value in clear.
fn refuse_plain_text(
    locking: &LockPlan,
    plan: &Plan,
    rules: &RuleOptions,
    place: &Place,
) -> Result<Vec<Notice>, Error> {
    if !lock::nothing_selected(locking) {
        return Ok(Vec::new());
    }
    let rule = plan.selection.describe();
    match rules.nothing_selected {
        NothingSelected::Allow => Ok(Vec::new()),
        NothingSelected::Warn => Ok(vec![
            Notice::warning(format!("nothing in this file is encrypted: {rule}"))
                .with_hint("all of its values are stored in plain text"),
        ]),
        NothingSelected::Refuse => Err(Error::NothingSelected {
            place: place.clone(),
            rule,
            hints: vec!["`--allow-unencrypted` encrypts nothing on purpose".to_owned()],
        }),
    }
}

/// The same values in another format, in SOPS's own layout.
pub fn convert(bytes: &[u8], from: Format, to: Format, place: &Place) -> Result<SecretBytes, Error> {
    let store = from.store();
    let tree = change::parse_plain(bytes, from, place)?;
    to.store()
        .emit(&plain_values(store, &tree), Layout::default())
        .map(SecretBytes::new)
        .map_err(|error| Error::Emit { place: place.clone(), during: While::Encrypting, error })
}

fn is_encrypted(bytes: &[u8], format: Format, place: &Place) -> bool {
    Locked::parse(bytes, format, place).is_ok()
}
