//! What the host gives to a guest of this version.

use wasmtime::component::{Linker, Resource, WasmList};
use wasmtime::{Result, StoreContextMut};

use super::super::super::Failure;
use super::super::super::beside::come;
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
    async fn emit(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let line = fields.into_iter().fold(message, |line, (key, value)| format!("{line} {key}={value}"));
        self.log.say(convert::level_in(level), &line);
        Ok(())
    }
}

impl control::Host for Guest {
    async fn progress(&mut self, done: u64, total: Option<u64>, unit: control::Unit) -> Result<()> {
        if let Ok(call) = self.call() {
            if done > call.progress {
                call.progress = done;
                call.clock.progress();
            }
            call.context.progress(done, total, convert::unit_in(unit));
        }
        Ok(())
    }

    async fn finding(&mut self, kind: control::FindingKind, name: String, message: String) -> Result<()> {
        let (name, message) = (self.log.short(&name), self.log.short(&message));
        if self.log.takes_finding(name.len() + message.len())
            && let Ok(call) = self.call()
        {
            let set = call.context.set.clone();
            call.context.reporter.finding(Finding { set, kind: convert::finding_kind_in(kind), name, message });
        }
        Ok(())
    }

    async fn cancelled(&mut self) -> Result<bool> {
        Ok(self.call().is_ok_and(|call| call.context.cancel.is_cancelled()))
    }
}

impl secrets::Host for Guest {
    async fn get(&mut self, name: String) -> Answer<String> {
        Ok(self.rights.secret(&name).map(str::to_owned)?)
    }
}

impl archive::Host for Guest {}

impl Guest {
    /// Takes something out of the call, by the ticket of a handle: the call, what `take` finds, an error where nothing is.
    fn slot<T>(&mut self, ticket: Ticket, take: impl FnOnce(&mut Call) -> Option<T>) -> Answer<T> {
        let call = self.call()?;
        call.check(ticket)?;
        Ok(take(call).ok_or_else(|| Error::new(ErrorKind::Other, "what this handle stood for is finished or failed already"))?)
    }

    fn ticket(&mut self, slot: u32) -> Answer<Ticket> {
        Ok(Ticket { call: self.call()?.number, slot })
    }
}

impl archive::HostWriter for Guest {
    async fn create(&mut self, writer: Resource<Writer>, entry: archive::Entry) -> Answer<Resource<EntryWriter>> {
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
        let Archive::Write(into, _) = &mut call.archive else { return Err(over().into()) };
        let created = EntryWriting::new(name, into.create(entry)?);
        call.clock.progress();
        let slot = call.entry_writers.add(created);
        let ticket = self.ticket(slot)?;
        Ok(self.table.push(EntryWriter(ticket))?)
    }

    async fn drop(&mut self, writer: Resource<Writer>) -> Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

impl archive::HostEntryWriter for Guest {
    async fn write(&mut self, _entry: Resource<EntryWriter>, _chunk: Vec<u8>) -> Answer<()> {
        Err(Failure::Trap(wasmtime::Error::msg("`quick_write` stands in its place")))
    }

    async fn finish(&mut self, entry: Resource<EntryWriter>) -> Answer<()> {
        let EntryWriter(ticket) = *self.table.get(&entry)?;
        let writing = self.slot(ticket, |call| call.entry_writers.take(ticket.slot))?;
        let call = self.call()?;
        let (beside, clock) = (call.beside()?, call.clock.clone());
        let _working = clock.host_at_work();
        writing.finish(&beside).await?;
        clock.progress();
        Ok(())
    }

    async fn drop(&mut self, entry: Resource<EntryWriter>) -> Result<()> {
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
    async fn totals(&mut self, reader: Resource<Reader>) -> Result<archive::Totals> {
        let Reader(_, Totals { entries, bytes }) = *self.table.get(&reader)?;
        Ok(archive::Totals { entries, size: bytes })
    }

    async fn entries(&mut self, reader: Resource<Reader>) -> Answer<Resource<Entries>> {
        let Reader(ticket, _) = *self.table.get(&reader)?;
        let call = self.call()?;
        call.check(ticket)?;
        call.check_room()?;
        let (beside, clock) = (call.beside()?, call.clock.clone());
        let _working = clock.host_at_work();
        let walk = Walk::begin(&beside).await?;
        let slot = self.call()?.walks.add(walk);
        let ticket = self.ticket(slot)?;
        Ok(self.table.push(Entries(ticket))?)
    }

    async fn open(&mut self, reader: Resource<Reader>, name: String) -> Answer<Resource<EntryReader>> {
        let Reader(ticket, _) = *self.table.get(&reader)?;
        let call = self.call()?;
        call.check(ticket)?;
        call.check_room()?;
        let (beside, clock) = (call.beside()?, call.clock.clone());
        let _working = clock.host_at_work();
        let opened = EntryReading::open(name, &beside).await;
        let (info, reading) = self.call()?.look_at(opened)?;
        clock.progress();
        let slot = self.call()?.entry_readers.add(reading);
        let ticket = self.ticket(slot)?;
        Ok(self.table.push(EntryReader(ticket, Box::new(info)))?)
    }

    async fn drop(&mut self, reader: Resource<Reader>) -> Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl archive::HostEntries for Guest {
    async fn next(&mut self, walk: Resource<Entries>, max: u32) -> Answer<Vec<archive::EntryInfo>> {
        let Entries(ticket) = *self.table.get(&walk)?;
        let mut walk = self.slot(ticket, |call| call.walks.take(ticket.slot))?;
        let call = self.call()?;
        let (beside, clock) = (call.beside()?, call.clock.clone());
        let _working = clock.host_at_work();
        let page = walk.next(max as usize, &beside).await;
        let call = self.call()?;
        call.walks.put(ticket.slot, walk);
        let page = call.look_at(page);
        if page.as_ref().is_ok_and(|page| !page.is_empty()) {
            clock.progress();
        }
        Ok(page?.into_iter().map(convert::info_out).collect::<crate::error::Result<_>>()?)
    }

    async fn drop(&mut self, walk: Resource<Entries>) -> Result<()> {
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
    async fn info(&mut self, entry: Resource<EntryReader>) -> Result<archive::EntryInfo> {
        let EntryReader(_, info) = self.table.get(&entry)?;
        // That its name is text was found when it was opened.
        convert::info_out((**info).clone()).map_err(|why| wasmtime::Error::msg(why.to_string()))
    }

    async fn read(&mut self, entry: Resource<EntryReader>, max: u32) -> Answer<Option<Vec<u8>>> {
        let EntryReader(ticket, _) = *self.table.get(&entry)?;
        let mut reading = self.slot(ticket, |call| call.entry_readers.take(ticket.slot))?;
        let call = self.call()?;
        let (beside, clock) = (call.beside()?, call.clock.clone());
        let _working = clock.host_at_work();
        let read = reading.read(max as usize, &beside).await;
        let call = self.call()?;
        call.entry_readers.put(ticket.slot, reading);
        let read = call.look_at(read);
        if read.as_ref().is_ok_and(Option::is_some) {
            clock.progress();
        }
        Ok(read?)
    }

    async fn drop(&mut self, entry: Resource<EntryReader>) -> Result<()> {
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
    async fn push(&mut self, sink: Resource<LinkSink>, values: Vec<String>) -> Answer<()> {
        let LinkSink(ticket) = *self.table.get(&sink)?;
        let limits = self.limits.clone();
        let call = self.call()?;
        call.check(ticket)?;
        stop_after_limit(call)?;
        call.count_bytes(values.iter().map(String::len).sum(), &limits)?;
        let clock = call.clock.clone();
        let _working = clock.host_at_work();
        let is_empty = values.is_empty();
        let answer = call.push(values)?;
        come(answer).await??;
        if !is_empty {
            clock.progress();
        }
        Ok(())
    }

    async fn drop(&mut self, sink: Resource<LinkSink>) -> Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}

/// Puts a `write` in place of the generated one that copies a chunk straight from the guest's memory into the archive's block.
pub(super) fn quick_write(linker: &mut Linker<Guest>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut archive = linker.instance("dumprestore:driver/archive@0.1.0")?;
    archive.func_wrap_async(
        "[method]entry-writer.write",
        |store: StoreContextMut<'_, Guest>, (entry, chunk): (Resource<EntryWriter>, WasmList<u8>)| {
            Box::new(async move {
                match write(store, &entry, &chunk).await {
                    Ok(()) => Ok((Ok(()),)),
                    Err(Failure::Error(error)) => Ok((Err(convert::error_out(&error)),)),
                    Err(Failure::Trap(trap)) => Err(trap),
                }
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Ends a guest that goes on after it was told that a limit is reached.
fn stop_after_limit(call: &Call) -> Answer<()> {
    call.written.over().map_or(Ok(()), |over| Err(Failure::Trap(wasmtime::Error::msg(over.to_string()))))
}

async fn write(mut store: StoreContextMut<'_, Guest>, entry: &Resource<EntryWriter>, chunk: &WasmList<u8>) -> Answer<()> {
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
    let (beside, clock) = (call.beside()?, call.clock.clone());
    let mut writing = guest.slot(ticket, |call| call.entry_writers.take(ticket.slot))?;
    let mut done = 0;
    loop {
        done += writing.fill(&chunk.as_le_slice(&store)[done..])?;
        if done == chunk.len() {
            break;
        }
        let _working = clock.host_at_work();
        writing = writing.make_room(&beside).await?;
    }
    if chunk.len() > 0 {
        clock.progress();
    }
    store.data_mut().call()?.entry_writers.put(ticket.slot, writing);
    Ok(())
}
