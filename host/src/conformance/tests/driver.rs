//! A driver whose state is a map in memory: as small as a driver can be, right by default, wrong in one way where told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::super::{Atomicity, Contents, Place, Subject};
use crate::archive::{Entry, EntryWriter, Reader, Writer};
use crate::drivers::{Context, Description, Driver, Ended, Extra, LinkColumn, Outcome, PointInTime, Survey, Worth};
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// One way to break the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    StripsDots,
    AssumesRoom,
    ReliesOnOrder,
    SwallowsFinish,
    SwallowsRead,
    StopsAtSize,
    SkipsMissing,
    RestoresInPlace,
    ClearsInCheck,
    AlwaysOverwrites,
    ComparesSizes,
    ChecksNamesLate,
    ReadsLate,
    AfterFails,
    Litters,
    MistakesCancel,
    GoesOn,
    Hangs,
    OpensTwo,
    Abandons,
    KeepsWriter,
    SwallowsRefusal,
}

pub(super) struct MemorySubject {
    flaw: Option<Flaw>,
}

impl MemorySubject {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw }
    }
}

impl Subject for MemorySubject {
    fn name(&self) -> String {
        "memory".into()
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        Ok(Box::new(MemoryPlace { flaw: self.flaw, shared: Arc::default() }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Whole
    }

    fn holds(&self, name: &EntryName, _content: &[u8]) -> bool {
        holds(name)
    }

    fn column_of_names(&self) -> Option<LinkColumn> {
        Some(LinkColumn { table: "items".into(), column: "name".into(), json_path: None, condition: None })
    }
}

/// One name that it cannot hold, so that the case for such names has something to try.
fn holds(name: &EntryName) -> bool {
    !name.as_bytes().contains(&0)
}

#[derive(Default)]
struct Shared {
    items: Mutex<Contents>,
    litter: Mutex<Vec<String>>,
}

impl Shared {
    fn items(&self) -> MutexGuard<'_, Contents> {
        self.items.lock().expect("no holder panics")
    }
}

struct MemoryPlace {
    flaw: Option<Flaw>,
    shared: Arc<Shared>,
}

impl Place for MemoryPlace {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(MemoryDriver { flaw: self.flaw, shared, snapshot: BTreeMap::new(), kept: None }))
    }

    fn put(&self, items: &Contents) -> Result<()> {
        self.shared.items().extend(items.clone());
        Ok(())
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        self.shared.items().remove(name);
        Ok(())
    }

    fn look(&self) -> Result<Contents> {
        Ok(self.shared.items().clone())
    }

    fn litter(&self) -> Result<Vec<String>> {
        Ok(self.shared.litter.lock().expect("no holder panics").clone())
    }
}

struct MemoryDriver {
    flaw: Option<Flaw>,
    shared: Arc<Shared>,
    snapshot: Contents,
    kept: Option<Box<dyn Writer>>,
}

const FORMAT: &str = "memory-1";

impl Driver for MemoryDriver {
    fn describe(&self) -> Description {
        Description {
            name: "memory".into(),
            version: "1".into(),
            formats: vec![FORMAT.into()],
            has_columns: true,
            has_names: true,
            details: BTreeMap::new(),
        }
    }

    fn survey(&self) -> Survey {
        Survey::new("memory", Worth::Exact)
    }

    fn before_dump(&mut self, _context: &Context) -> Result<PointInTime> {
        self.snapshot = self.shared.items().clone();
        Ok(PointInTime::now(Worth::Exact))
    }

    fn link_values(&mut self, _context: &Context, column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        if column.table != "items" || column.column != "name" || column.condition.is_some() {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no `{column}`")));
        }
        for name in self.snapshot.keys() {
            let told = each(&name.to_string());
            if !self.has(Flaw::SwallowsRefusal) {
                told?;
            }
        }
        Ok(())
    }

    fn dump(&mut self, _context: &Context, mut into: Box<dyn Writer>) -> Result<Outcome> {
        if self.has(Flaw::Hangs) {
            std::thread::sleep(Duration::from_secs(3600));
        }
        if self.has(Flaw::ReadsLate) {
            self.snapshot = self.shared.items().clone();
        }
        if self.has(Flaw::Litters) {
            self.shared.litter.lock().expect("no holder panics").push("a temporary file".into());
        }
        self.write_all(into.as_mut())?;
        self.shared.litter.lock().expect("no holder panics").clear();
        self.kept = self.has(Flaw::KeepsWriter).then_some(into);
        Ok(Outcome::new(FORMAT))
    }

    fn after_dump(&mut self, _context: &Context, ended: &Ended) -> Result<()> {
        if let Some(mut writer) = self.kept.take() {
            let late = writer.create(Entry::new("late"));
            assert!(late.is_err(), "a writer is of no use after the moment");
        }
        match ended {
            Ended::Failed(_) if self.has(Flaw::AfterFails) => Err(Error::new(ErrorKind::Other, "cannot clean up")),
            _ => Ok(()),
        }
    }

    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()> {
        let mut restored = Contents::new();
        let mut entries = source.entries()?;
        loop {
            let page = entries.next(2)?;
            if page.is_empty() {
                break;
            }
            for info in page {
                if !self.has(Flaw::ChecksNamesLate) {
                    check_name(&info.entry.name)?;
                }
                restored.insert(info.entry.name, Vec::new());
            }
        }
        let extra = self.shared.items().keys().find(|name| !restored.contains_key(*name)).cloned();
        if let (Some(name), None, false) = (extra, context.restore.extra, self.has(Flaw::AlwaysOverwrites)) {
            return Err(Error::new(ErrorKind::Other, format!("`{name}` is not in the archive")));
        }
        if self.has(Flaw::ClearsInCheck) {
            self.shared.items().clear();
        }
        Ok(())
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        let mut restored = Contents::new();
        let mut entries = source.entries()?;
        loop {
            let page = entries.next(100)?;
            if page.is_empty() {
                break;
            }
            for info in page {
                context.check()?;
                let name = info.entry.name;
                check_name(&name)?;
                if self.has(Flaw::ReliesOnOrder) && restored.last_key_value().is_some_and(|(last, _)| *last > name) {
                    continue;
                }
                let Some(content) = self.read(source, &name)? else { continue };
                if self.has(Flaw::RestoresInPlace) {
                    self.shared.items().insert(name.clone(), content.clone());
                }
                restored.insert(name, content);
            }
        }
        self.replace(context, restored);
        Ok(Outcome::default())
    }

    fn after_restore(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        Ok(())
    }
}

fn check_name(name: &EntryName) -> Result<()> {
    if holds(name) { Ok(()) } else { Err(Error::new(ErrorKind::Unsupported, format!("`{name}` cannot be held in memory"))) }
}

impl MemoryDriver {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn write_all(&self, into: &mut dyn Writer) -> Result<()> {
        let mut open = Vec::new();
        for (name, content) in &self.snapshot {
            match self.write(into, name, content) {
                Err(error) if error.is_cancelled() && self.has(Flaw::MistakesCancel) => {
                    return Err(Error::new(ErrorKind::Unavailable, "the connection is gone"));
                }
                Err(error) => {
                    if self.has(Flaw::GoesOn) {
                        std::thread::sleep(Duration::from_secs(2));
                    }
                    return Err(error);
                }
                Ok(entry) => open.extend(entry),
            }
        }
        Ok(())
    }

    /// Writes an item; returns its writer where the flaw is to keep it open.
    fn write(&self, into: &mut dyn Writer, name: &EntryName, content: &[u8]) -> Result<Option<Box<dyn EntryWriter>>> {
        let mut entry = into.create(Entry::new(self.spelt(name)))?;
        if self.has(Flaw::AssumesRoom) && !content.is_empty() {
            entry.space()?[..content.len().min(100)].copy_from_slice(&content[..content.len().min(100)]);
            entry.advance(content.len().min(100))?;
        } else {
            entry.write(content)?;
        }
        if self.has(Flaw::OpensTwo) || (self.has(Flaw::Abandons) && content.len() > 2000) {
            return Ok(self.has(Flaw::OpensTwo).then_some(entry));
        }
        match entry.finish() {
            Err(_) if self.has(Flaw::SwallowsFinish) => Ok(None),
            other => other.map(|()| None),
        }
    }

    /// The name as the entry bears it.
    fn spelt(&self, name: &EntryName) -> EntryName {
        let bytes = name.as_bytes();
        let dots = bytes.iter().take_while(|byte| **byte == b'.' || **byte == b'/').count();
        if self.has(Flaw::StripsDots) && dots < bytes.len() { EntryName::from_bytes(&bytes[dots..]) } else { name.clone() }
    }

    /// The content of an entry; none where the flaw is to go on without it.
    fn read(&self, source: &dyn Reader, name: &EntryName) -> Result<Option<Vec<u8>>> {
        let mut entry = match source.open(name) {
            Err(error) if self.has(Flaw::SkipsMissing) && error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let size = entry.info().size;
        let (mut content, mut buffer) = (Vec::new(), vec![0; 8192]);
        while !(self.has(Flaw::StopsAtSize) && content.len() as u64 == size) {
            match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => content.extend_from_slice(&buffer[..read]),
                Err(_) if self.has(Flaw::SwallowsRead) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Some(content))
    }

    fn replace(&self, context: &Context, restored: Contents) {
        let mut items = self.shared.items();
        let keep = context.restore.extra == Some(Extra::Keep);
        items.retain(|name, _| keep || restored.contains_key(name));
        for (name, content) in restored {
            let alike = items.get(&name).is_some_and(|there| there.len() == content.len());
            if !(self.has(Flaw::ComparesSizes) && alike) {
                items.insert(name, content);
            }
        }
    }
}
