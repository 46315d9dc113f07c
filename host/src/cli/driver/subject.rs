//! An unknown component under the contract suite: how places are made, filled and looked at by means of the driver alone.
//!
//! An item is an entry of the archive. A place is filled by restoring an archive that the suite made up, and looked at by dumping it
//! again; what the driver then has to show is that both agree. What it cannot hold is what it refuses to restore, learnt one item at a
//! time. Each place has a directory and a number of its own, which take the place of `DIR` and `NUMBER` in configuration and grants.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::archive::{Entry, Reader};
use crate::cancel::Cancel;
use crate::conformance::{Atomicity, Contents, MemoryArchive, Place, Recorder, Subject, context};
use crate::drivers::{Driver, Ended, Extra, RestoreOptions, SettingError, Settings, registry};
use crate::error::{Error, ErrorKind, IoContext as _, Result};
use crate::name::EntryName;

/// How the component is configured, in every place alike but for its `DIR` and `NUMBER`.
pub(super) struct Template {
    /// The component's file.
    pub(super) component: PathBuf,
    /// The driver's configuration, as JSON.
    pub(super) config: String,
    /// Grants: key and value.
    pub(super) grants: Vec<(String, String)>,
    /// Secrets: name and value.
    pub(super) secrets: Vec<(String, String)>,
    /// From where relative paths start.
    pub(super) base: PathBuf,
}

impl Template {
    /// A driver for a place.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub(super) fn driver(&self, directory: &str, number: usize) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let number = number.to_string();
        let put_in = |text: &str| replace_word(&replace_word(text, "DIR", directory), "NUMBER", &number);
        let config: Value = serde_json::from_str(&put_in(&self.config))
            .map_err(|why| vec![SettingError::new("/config", format!("this is no JSON: {why}"))])?;
        let mut grants: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (key, value) in &self.grants {
            grants.entry(key).or_default().push(grant(key, &put_in(value)));
        }
        let secrets: Map<String, Value> = self.secrets.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let settings = json!({ "component": self.component, "config": config, "grant": grants, "secrets": secrets });
        let Value::Object(values) = settings else { return Err(Vec::new()) };
        let kind = registry::find("component").ok_or_else(|| vec![SettingError::new("", "this host runs no components")])?;
        kind.configure(&Settings { values, base: self.base.clone() })
    }
}

impl Template {
    /// Whether each place has a directory of its own, and nothing else that is its own: it is empty, then, as long as nobody
    /// has written there.
    fn has_directories(&self) -> bool {
        self.grants.iter().any(|(_, value)| has_word(value, "DIR")) && !self.has_numbers()
    }

    fn has_numbers(&self) -> bool {
        has_word(&self.config, "NUMBER") || self.grants.iter().any(|(_, value)| has_word(value, "NUMBER"))
    }

    /// Whether places differ at all: where they do not, a test would throw away what stands in the one that there is.
    pub(super) fn has_places(&self) -> bool {
        self.has_directories() || self.has_numbers()
    }
}

/// Whether a text has this word, with neither letters, digits nor underscores around it.
fn has_word(text: &str, word: &str) -> bool {
    replace_word(text, word, "") != text
}

/// The text with something else for each such word.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let stands_alone = !is_part(before.chars().next_back()) && !is_part(after.chars().next());
        replaced.push_str(before);
        replaced.push_str(if stands_alone { by } else { word });
        rest = after;
    }
    replaced + rest
}

/// A grant as a configuration has it: `HOST:GUEST` of a directory is a table.
fn grant(key: &str, value: &str) -> Value {
    match value.split_once(':') {
        Some((path, guest)) if matches!(key, "read" | "write") => json!({ "path": path, "guest": guest }),
        _ => json!(value),
    }
}

/// The component under test.
pub(super) struct ComponentSubject {
    template: Rc<Template>,
    atomicity: Atomicity,
    /// Which items could be restored.
    held: RefCell<BTreeMap<(EntryName, usize, u64), bool>>,
    /// Why the first one that could not be restored could not.
    refusal: RefCell<Option<Error>>,
    numbers: Rc<RefCell<BTreeSet<usize>>>,
    /// The numbers of places that were seen to be empty before the test wrote there.
    ours: RefCell<BTreeSet<usize>>,
    /// Whether the driver restores over what stands there already.
    changes: RefCell<Option<bool>>,
}

impl ComponentSubject {
    /// For a component that is configured like this.
    pub(super) fn new(template: Template, atomicity: Atomicity) -> Self {
        let (held, refusal, ours, changes) = Default::default();
        Self { template: Rc::new(template), atomicity, held, refusal, numbers: Rc::default(), ours, changes }
    }

    fn make(&self) -> Result<ComponentPlace> {
        let directory = tempfile::tempdir().while_doing(|| "cannot make a directory")?;
        let mut numbers = self.numbers.borrow_mut();
        let number = (1..).find(|number| !numbers.contains(number)).unwrap_or_default();
        numbers.insert(number);
        Ok(ComponentPlace { template: Rc::clone(&self.template), directory, number, numbers: Rc::clone(&self.numbers) })
    }

    /// A place with nothing in it, also where a directory of its own is not what makes it so: a database with a number.
    fn empty(&self) -> Result<ComponentPlace> {
        let place = self.make()?;
        if self.template.has_directories() || place.look()?.is_empty() {
            self.ours.borrow_mut().insert(place.number);
            return Ok(place);
        }
        if !self.ours.borrow().contains(&place.number) {
            let taken = format!("something stands in the place of number {} that the test has not brought there", place.number);
            return Err(Error::new(ErrorKind::InvalidConfig, taken).hint("empty it, or let `NUMBER` name other places"));
        }
        place.restore(&Contents::new(), overwrite())?;
        Ok(place)
    }

    /// Whether an item can be restored: the driver does not refuse it.
    fn try_to_hold(&self, name: &EntryName, content: &[u8]) -> bool {
        let item = Contents::from([(name.clone(), content.to_vec())]);
        let tried = self.empty().and_then(|place| place.restore(&item, RestoreOptions::default()));
        tried.map_err(|error| _ = self.refusal.borrow_mut().get_or_insert(error)).is_ok()
    }
}

impl Subject for ComponentSubject {
    fn name(&self) -> String {
        self.template.component.display().to_string()
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        Ok(Box::new(self.empty()?))
    }

    fn atomicity(&self) -> Atomicity {
        self.atomicity
    }

    fn holds(&self, name: &EntryName, content: &[u8]) -> bool {
        use std::hash::{DefaultHasher, Hasher as _};
        if !self.can_meet(name) {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(content);
        let key = (name.clone(), content.len(), hasher.finish());
        if let Some(known) = self.held.borrow().get(&key) {
            return *known;
        }
        let holds = self.try_to_hold(name, content);
        self.held.borrow_mut().insert(key, holds);
        holds
    }

    fn first_refusal(&self) -> Option<Error> {
        self.refusal.borrow().clone()
    }

    /// The rules for `entry.name` in the contract.
    fn can_meet(&self, name: &EntryName) -> bool {
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
        name.as_str().is_some_and(|name| name.len() <= 16 << 10 && !name.contains(['\0', '\\']) && name.split('/').all(is_segment))
    }

    fn changes_while_dumped(&self) -> bool {
        let try_it = || {
            let place = self.empty().ok()?;
            let first = Contents::from([(EntryName::from("a.txt"), b"one".to_vec())]);
            place.put(&first).ok()?;
            place.put(&Contents::from([(EntryName::from("a.txt"), b"two, longer".to_vec())])).ok()
        };
        *self.changes.borrow_mut().get_or_insert_with(|| try_it().is_some())
    }
}

/// What the user says who wants the target to become what the archive holds.
fn overwrite() -> RestoreOptions {
    RestoreOptions { recreate: true, extra: Some(Extra::Delete), ..RestoreOptions::default() }
}

/// A place of the component's.
struct ComponentPlace {
    template: Rc<Template>,
    directory: TempDir,
    number: usize,
    numbers: Rc<RefCell<BTreeSet<usize>>>,
}

impl Drop for ComponentPlace {
    fn drop(&mut self) {
        self.numbers.borrow_mut().remove(&self.number);
    }
}

impl ComponentPlace {
    /// Lets the driver put these items there.
    fn restore(&self, items: &Contents, options: RestoreOptions) -> Result<()> {
        let archive = MemoryArchive::new();
        for (name, content) in items {
            archive.put(Entry { name: name.clone(), modified: None, attributes: Vec::new() }, content.clone());
        }
        self.restore_from(&archive.reader(), options)
    }

    fn restore_from(&self, reader: &dyn Reader, options: RestoreOptions) -> Result<()> {
        let mut driver = self.driver()?;
        let context = context(&Cancel::new(), &Arc::new(Recorder::default()), options)?;
        let restored = driver.before_restore(&context, reader).and_then(|()| driver.restore(&context, reader).map(|_| ()));
        let after = driver.after_restore(&context, &ended(&restored));
        restored.and(after)
    }

    /// Lets the driver say what is there.
    fn dump(&self) -> Result<MemoryArchive> {
        let mut driver = self.driver()?;
        let context = context(&Cancel::new(), &Arc::new(Recorder::default()), RestoreOptions::default())?;
        let archive = MemoryArchive::new();
        let dumped = driver.before_dump(&context).and_then(|_| driver.dump(&context, archive.writer()).map(|_| ()));
        let dumped = dumped.and_then(|()| archive.close());
        driver.after_dump(&context, &ended(&dumped))?;
        dumped.map(|()| archive)
    }
}

fn ended(result: &Result<()>) -> Ended {
    match result {
        Ok(()) => Ended::Ok,
        Err(error) => Ended::Failed(error.to_string()),
    }
}

impl Place for ComponentPlace {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        self.template.driver(&self.directory.path().to_string_lossy(), self.number).map_err(|wrong| {
            let all: Vec<_> = wrong.iter().map(|wrong| format!("{}: {}", wrong.pointer, wrong.message)).collect();
            Error::new(ErrorKind::InvalidConfig, all.join("; "))
        })
    }

    fn put(&self, items: &Contents) -> Result<()> {
        self.restore(items, RestoreOptions { extra: Some(Extra::Keep), ..RestoreOptions::default() })
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        let whole = self.dump()?;
        let rest = MemoryArchive::new();
        for info in whole.entries().into_iter().filter(|info| info.entry.name != *name) {
            let content = whole.content(&info.entry.name).unwrap_or_default();
            rest.put(info.entry, content);
        }
        self.restore_from(&rest.reader(), overwrite())
    }

    fn look(&self) -> Result<Contents> {
        let archive = self.dump()?;
        let content = |name: &EntryName| archive.content(name).map(|content| content.to_vec()).unwrap_or_default();
        Ok(archive.entries().into_iter().map(|info| (info.entry.name.clone(), content(&info.entry.name))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_as_wholes() {
        let put_in = |text: &str| replace_word(text, "DIR", "/tmp/x");
        assert_eq!(put_in("write=DIR:/data DIR/a (DIR)"), "write=/tmp/x:/data /tmp/x/a (/tmp/x)");
        assert_eq!(put_in("DIRECTORY MY_DIR DIR2"), "DIRECTORY MY_DIR DIR2");
    }
}
