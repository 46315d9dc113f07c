//! What the host gives to a guest of this version.

use wasmtime::component::{Linker, Resource, WasmList};
use wasmtime::{Result, StoreContextMut};

use super::super::super::Failure;
use super::super::super::call::{
    Archive, Call, EntryReading, EntryWriting, Walk, attributes_size, check_attributes, check_chunk, check_name, over,
};
use super::super::super::guest::Guest;
use super::super::super::handle::{Entries, EntryReader, EntryWriter, LinkSink, Reader, Ticket, Writer};
use super::convert;
use super::wit::dumprestore::driver::{archive, control, log, secrets, types};
use crate::archive::Totals;
use crate::drivers::Finding;
use crate::error::{Error, ErrorKind};
use crate::name::EntryName;

type Answer<T> = Result<T, Failure>;

impl types::Host for Guest {
    fn convert_error(&mut self, failure: Failure) -> Result<types::Error> {
        match failure {
            Failure::Error(error) => Ok(convert::error_out(&error)),
            Failure::Trap(trap) => Err(trap),
        }
    }
}

impl log::Host for Guest {
    fn emit(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let line = fields.into_iter().fold(message, |line, (key, value)| format!("{line} {key}={value}"));
        self.log.say(convert::level_in(level), &line);
        Ok(())
    }
}

impl control::Host for Guest {
    fn progress(&mut self, done: u64, total: Option<u64>, unit: control::Unit) -> Result<()> {
        if let Ok(call) = self.call() {
            if done > call.progress {
                call.progress = done;
                call.clock.progress();
            }
            call.context.progress(done, total, convert::unit_in(unit));
        }
        Ok(())
    }

    fn finding(&mut self, kind: control::FindingKind, name: String, message: String) -> Result<()> {
        let (name, message) = (self.log.short(&name), self.log.short(&message));
        if self.log.takes_finding(name.len() + message.len())
            && let Ok(call) = self.call()
        {
            let set = call.context.set.clone();
            call.context.reporter.finding(Finding { set, kind: convert::finding_kind_in(kind), name, message });
        }
        Ok(())
    }

    fn cancelled(&mut self) -> Result<bool> {
        Ok(self.call().is_ok_and(|call| call.context.cancel.is_cancelled()))
    }
}

impl secrets::Host for Guest {
    fn get(&mut self, name: String) -> Answer<String> {
        Ok(self.rights.secret(&name).map(str::to_owned)?)
    }
}

impl archive::Host for Guest {}

impl Guest {
    /// Something of the call, by the ticket of a handle: what `take` finds, an error where nothing is.
    fn slot<'g, T: 'g>(&'g mut self, ticket: Ticket, take: impl FnOnce(&'g mut Call) -> Option<T>) -> Answer<T> {
        let call = self.call()?;
        call.check(ticket)?;
        Ok(take(call).ok_or_else(|| Error::new(ErrorKind::Other, "what this handle stood for is finished or failed already"))?)
    }

    fn ticket(&mut self, slot: u32) -> Answer<Ticket> {
        Ok(Ticket { call: self.call()?.number, slot })
    }
}

impl archive::HostWriter for Guest {
    fn create(&mut self, writer: Resource<Writer>, entry: archive::Entry) -> Answer<Resource<EntryWriter>> {
        let Writer(ticket) = *self.table.get(&writer)?;
        let limits = self.limits.clone();
        let call = self.call()?;
        call.check(ticket)?;
        check_name(&entry.name)?;
        check_attributes(&entry.attributes)?;
        stop_after_limit(call)?;
        let name = entry.name.clone();
        let entry = convert::entry_in(entry)?;
        call.count_entry(&limits)?;
        // They take room in the archive as content does.
        call.count_bytes(name.len() + attributes_size(&entry.attributes), &limits)?;
        let Archive::Write(into) = &mut call.archive else { return Err(over().into()) };
        let clock = call.clock.clone();
        let _working = clock.host_at_work();
        let created = EntryWriting { name, writer: into.create(entry)? };
        clock.progress();
        let slot = call.entry_writers.add(created);
        let ticket = self.ticket(slot)?;
        Ok(self.table.push(EntryWriter(ticket))?)
    }

    fn drop(&mut self, writer: Resource<Writer>) -> Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

impl archive::HostEntryWriter for Guest {
    fn write(&mut self, _entry: Resource<EntryWriter>, _chunk: Vec<u8>) -> Answer<()> {
        Err(Failure::Trap(wasmtime::Error::msg("`quick_write` stands in its place")))
    }

    fn finish(&mut self, entry: Resource<EntryWriter>) -> Answer<()> {
        let EntryWriter(ticket) = *self.table.get(&entry)?;
        let clock = self.call()?.clock.clone();
        let _working = clock.host_at_work();
        self.slot(ticket, |call| call.entry_writers.take(ticket.slot))?.writer.finish()?;
        clock.progress();
        Ok(())
    }

    fn drop(&mut self, entry: Resource<EntryWriter>) -> Result<()> {
        let EntryWriter(ticket) = self.table.delete(entry)?;
        if let Ok(call) = self.call()
            && call.check(ticket).is_ok()
        {
            call.abandon(ticket.slot);
        }
        Ok(())
    }
}

impl archive::HostReader for Guest {
    fn totals(&mut self, reader: Resource<Reader>) -> Result<archive::Totals> {
        let Reader(_, Totals { entries, bytes }) = *self.table.get(&reader)?;
        Ok(archive::Totals { entries, size: bytes })
    }

    fn entries(&mut self, reader: Resource<Reader>) -> Answer<Resource<Entries>> {
        let Reader(ticket, _) = *self.table.get(&reader)?;
        let call = self.call()?;
        call.check(ticket)?;
        call.check_room()?;
        let clock = call.clock.clone();
        let _working = clock.host_at_work();
        let walk = Walk::new(call.caller.entries()?);
        let slot = call.walks.add(walk);
        let ticket = self.ticket(slot)?;
        Ok(self.table.push(Entries(ticket))?)
    }

    fn open(&mut self, reader: Resource<Reader>, name: String) -> Answer<Resource<EntryReader>> {
        let Reader(ticket, _) = *self.table.get(&reader)?;
        let call = self.call()?;
        call.check(ticket)?;
        call.check_room()?;
        let clock = call.clock.clone();
        let _working = clock.host_at_work();
        let opened = call.caller.open(EntryName::from(name));
        let reader = call.look_at(opened)?;
        clock.progress();
        let info = reader.info().clone();
        let slot = call.entry_readers.add(EntryReading::new(reader));
        let ticket = self.ticket(slot)?;
        Ok(self.table.push(EntryReader(ticket, Box::new(info)))?)
    }

    fn drop(&mut self, reader: Resource<Reader>) -> Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl archive::HostEntries for Guest {
    fn next(&mut self, walk: Resource<Entries>, max: u32) -> Answer<Vec<archive::EntryInfo>> {
        let Entries(ticket) = *self.table.get(&walk)?;
        let clock = self.call()?.clock.clone();
        let _working = clock.host_at_work();
        let page = self.slot(ticket, |call| call.walks.get_mut(ticket.slot))?.next(max as usize);
        let page = self.call()?.look_at(page);
        if page.as_ref().is_ok_and(|page| !page.is_empty()) {
            clock.progress();
        }
        Ok(page?.into_iter().map(convert::info_out).collect::<crate::error::Result<_>>()?)
    }

    fn drop(&mut self, walk: Resource<Entries>) -> Result<()> {
        let Entries(ticket) = self.table.delete(walk)?;
        if let Ok(call) = self.call()
            && call.check(ticket).is_ok()
        {
            call.walks.take(ticket.slot);
        }
        Ok(())
    }
}

impl archive::HostEntryReader for Guest {
    fn info(&mut self, entry: Resource<EntryReader>) -> Result<archive::EntryInfo> {
        let EntryReader(_, info) = self.table.get(&entry)?;
        // That its name is text was found when it was opened.
        convert::info_out((**info).clone()).map_err(|why| wasmtime::Error::msg(why.to_string()))
    }

    fn read(&mut self, entry: Resource<EntryReader>, max: u32) -> Answer<Option<Vec<u8>>> {
        let EntryReader(ticket, _) = *self.table.get(&entry)?;
        let clock = self.call()?.clock.clone();
        let _working = clock.host_at_work();
        let read = self.slot(ticket, |call| call.entry_readers.get_mut(ticket.slot))?.read(max as usize);
        let read = self.call()?.look_at(read);
        if read.as_ref().is_ok_and(Option::is_some) {
            clock.progress();
        }
        Ok(read?)
    }

    fn drop(&mut self, entry: Resource<EntryReader>) -> Result<()> {
        let EntryReader(ticket, _) = self.table.delete(entry)?;
        if let Ok(call) = self.call()
            && call.check(ticket).is_ok()
        {
            call.entry_readers.take(ticket.slot);
        }
        Ok(())
    }
}

impl archive::HostLinkSink for Guest {
    fn push(&mut self, sink: Resource<LinkSink>, values: Vec<String>) -> Answer<()> {
        let LinkSink(ticket) = *self.table.get(&sink)?;
        let limits = self.limits.clone();
        let call = self.call()?;
        call.check(ticket)?;
        stop_after_limit(call)?;
        call.count_bytes(values.iter().map(String::len).sum(), &limits)?;
        let clock = call.clock.clone();
        let _working = clock.host_at_work();
        let is_empty = values.is_empty();
        if !matches!(call.archive, Archive::Collect) {
            return Err(over().into());
        }
        call.caller.take(values)?;
        if !is_empty {
            clock.progress();
        }
        Ok(())
    }

    fn drop(&mut self, sink: Resource<LinkSink>) -> Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}

/// Puts a `write` in place of the generated one that copies a chunk straight from the guest's memory into the archive's block.
pub(super) fn quick_write(linker: &mut Linker<Guest>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut archive = linker.instance("dumprestore:driver/archive@0.1.0")?;
    archive.func_wrap(
        "[method]entry-writer.write",
        |store: StoreContextMut<'_, Guest>, (entry, chunk): (Resource<EntryWriter>, WasmList<u8>)| match write(store, &entry, &chunk) {
            Ok(()) => Ok((Ok(()),)),
            Err(Failure::Error(error)) => Ok((Err(convert::error_out(&error)),)),
            Err(Failure::Trap(trap)) => Err(trap),
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Ends a guest that goes on after it was told that a limit is reached.
fn stop_after_limit(call: &Call) -> Answer<()> {
    call.written.over().map_or(Ok(()), |over| Err(Failure::Trap(wasmtime::Error::msg(over.to_string()))))
}

fn write(mut store: StoreContextMut<'_, Guest>, entry: &Resource<EntryWriter>, chunk: &WasmList<u8>) -> Answer<()> {
    let guest = store.data_mut();
    let EntryWriter(ticket) = *guest.table.get(entry)?;
    let limits = guest.limits.clone();
    let call = guest.call()?;
    call.check(ticket)?;
    stop_after_limit(call)?;
    if let Err(refused) = check_chunk(chunk.len()) {
        // What lacks a chunk is no whole entry, even if the guest goes on and finishes it.
        call.abandon(ticket.slot);
        return Err(refused.into());
    }
    call.count_bytes(chunk.len(), &limits)?;
    let clock = call.clock.clone();
    let mut writing = guest.slot(ticket, |call| call.entry_writers.take(ticket.slot))?;
    let working = clock.host_at_work();
    writing.writer.write(chunk.as_le_slice(&store))?;
    drop(working);
    if chunk.len() > 0 {
        clock.progress();
    }
    store.data_mut().call()?.entry_writers.put(ticket.slot, writing);
    Ok(())
}
