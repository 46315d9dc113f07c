//! One session for COPY, in either direction, over tokio-postgres: rows travel in blocks, and nothing is done row by row here
//! but a copy of its bytes.

use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio_postgres::error::SqlState;
use tokio_postgres::{CopyInSink, CopyOutStream};

use super::connection::{Address, Served};
use super::fault::fault;
use super::session::PINNED;
use crate::archive::{Entry, EntryReader, Writer};
use crate::drivers::Context;
use crate::error::Result;

/// How much of an entry goes to the server in one message.
const MESSAGE: usize = 256 << 10;

/// What came of a COPY.
pub(super) enum Copied {
    /// So many bytes; an entry is made only if there are any.
    Bytes(u64),
    /// It was not begun: the table's lock could not be had within `lock_timeout`. The transaction is at its end.
    Locked,
}

/// A connection for COPY.
pub(super) struct Copier {
    connection: Served,
    address: Address,
}

impl Copier {
    /// Connects, pins what influences the text of values, and executes `prepare`.
    pub(super) fn open(address: &Address, context: &Context, prepare: &str) -> Result<Self> {
        let connection = address.connect_async(context)?;
        let sql = format!("{PINNED}{prepare}");
        connection
            .wait(context, connection.client.batch_execute(&sql))?
            .map_err(|error| fault(format!("cannot prepare a session with `{}`", address.shown()), &error))?;
        Ok(Self { connection, address: address.clone() })
    }

    /// Ends the session.
    pub(super) fn close(self) {
        self.connection.close();
    }

    /// Executes statements that give nothing back.
    pub(super) fn execute(&self, context: &Context, what: &str, sql: &str) -> Result<()> {
        self.connection.wait(context, self.connection.client.batch_execute(sql))?.map_err(|error| fault(what, &error))
    }

    /// Writes what a COPY gives into an entry, which is made only if there is anything.
    pub(super) fn copy_out(
        &self,
        context: &Context,
        sql: &str,
        what: &dyn Fn() -> String,
        into: &mut dyn Writer,
        entry: impl FnOnce() -> Entry,
    ) -> Result<Copied> {
        self.or_stop(self.try_copy_out(context, sql, what, into, entry))
    }

    /// Loads an entry's content by a COPY; says how many rows it was. Anything short of success leaves none of them.
    pub(super) fn copy_in(&self, context: &Context, sql: &str, what: &dyn Fn() -> String, from: &mut dyn EntryReader) -> Result<u64> {
        self.or_stop(self.try_copy_in(context, sql, what, from))
    }

    /// Whatever ended a COPY early, the server shall not go on with it.
    fn or_stop<T>(&self, done: Result<T>) -> Result<T> {
        done.inspect_err(|_| self.address.cancel_async(&self.connection.client.cancel_token()))
    }

    fn try_copy_out(
        &self,
        context: &Context,
        sql: &str,
        what: &dyn Fn() -> String,
        into: &mut dyn Writer,
        entry: impl FnOnce() -> Entry,
    ) -> Result<Copied> {
        let failed = |error: tokio_postgres::Error| fault(what(), &error);
        let stream = match self.connection.wait(context, self.connection.client.copy_out(sql))? {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return Ok(Copied::Locked),
            begun => begun.map_err(failed)?,
        };
        let mut rows = Rows { stream: Box::pin(stream), rest: Bytes::new(), ended: false };
        self.connection.wait(context, rows.more())?.map_err(failed)?;
        if rows.ended {
            return Ok(Copied::Bytes(0));
        }
        let mut entry = into.create(entry())?;
        let mut total = 0;
        while !rows.ended {
            let space = entry.space()?;
            let filled = self.connection.wait(context, rows.fill(space))?.map_err(failed)?;
            entry.advance(filled)?;
            total += filled as u64;
        }
        entry.finish()?;
        Ok(Copied::Bytes(total))
    }

    fn try_copy_in(&self, context: &Context, sql: &str, what: &dyn Fn() -> String, from: &mut dyn EntryReader) -> Result<u64> {
        let failed = |error: tokio_postgres::Error| fault(what(), &error);
        let sink = self.connection.wait(context, self.connection.client.copy_in::<_, Bytes>(sql))?.map_err(failed)?;
        let mut sink: Pin<Box<CopyInSink<Bytes>>> = Box::pin(sink);
        let mut buffer = BytesMut::new();
        loop {
            buffer.resize(MESSAGE, 0);
            let count = from.fill(&mut buffer)?;
            buffer.truncate(count);
            if count == 0 {
                break;
            }
            let message = buffer.split().freeze();
            if let Err(error) = self.connection.wait(context, sink.send(message))? {
                // Why the server takes no more stands in its answer, which the end of the COPY reads.
                let answer = self.connection.wait(context, sink.as_mut().finish())?.err();
                return Err(failed(answer.unwrap_or(error)));
            }
        }
        self.connection.wait(context, sink.as_mut().finish())?.map_err(failed)
    }
}

/// Rows as they come.
struct Rows {
    stream: Pin<Box<CopyOutStream>>,
    /// What is left of the last one that did not fit.
    rest: Bytes,
    ended: bool,
}

impl Rows {
    /// Waits for something more.
    async fn more(&mut self) -> Result<(), tokio_postgres::Error> {
        match self.stream.next().await {
            Some(row) => self.rest = row?,
            None => self.ended = true,
        }
        Ok(())
    }

    /// Fills the space, as far as there are rows; says how far.
    async fn fill(&mut self, space: &mut [u8]) -> Result<usize, tokio_postgres::Error> {
        let mut filled = 0;
        loop {
            let now = self.rest.len().min(space.len() - filled);
            space[filled..][..now].copy_from_slice(&self.rest[..now]);
            self.rest.advance(now);
            filled += now;
            if !self.rest.is_empty() || self.ended {
                return Ok(filled);
            }
            self.more().await?;
        }
    }
}
