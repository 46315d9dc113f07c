//! One session for queries: pinned as `pg_dump` pins its own, and cancelled on the server when the run is.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use postgres::Client;
use postgres::types::ToSql;

use super::connection::Address;
use super::fault::fault;
use crate::drivers::Context;
use crate::error::{Error, Result};

/// How often the request to stop is looked at while the server works.
const LOOK: Duration = Duration::from_millis(50);

/// What every session of ours sets first, so that text means the same whatever server, database and role are set to. All but
/// the last three lines are what `pg_dump` 15 sets itself (`setup_connection` in `pg_dump.c`).
pub(super) const PINNED: &str = "
    SET search_path = '';
    SET DateStyle = 'ISO, YMD';
    SET IntervalStyle = 'postgres';
    SET extra_float_digits = 3;
    SET synchronize_seqscans = off;
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET row_security = off;
    SET bytea_output = 'hex';
    SET lc_monetary = 'C';
    SET xmloption = 'content';";

/// A connection for queries.
pub(super) struct Session {
    client: Client,
    address: Address,
}

impl Session {
    /// Connects, and pins what influences the text of values; gives beside it the search path that names without a schema
    /// would have gone by.
    pub(super) fn open(address: &Address, context: &Context) -> Result<(Self, Vec<String>)> {
        let client = address.connect(context)?;
        let mut session = Self { client, address: address.clone() };
        let what = || format!("cannot prepare a session with `{}`", address.shown());
        let path = session.run(context, what, |client| client.query_one("SELECT pg_catalog.current_schemas(false)::text[]", &[]))?;
        session.run(context, what, |client| client.batch_execute(PINNED))?;
        Ok((session, path.get(0)))
    }

    /// Where it is connected to.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Does some work with the client; cancels what the server does for it as soon as the run is cancelled.
    ///
    /// # Errors
    /// The server's, after `what` could not be done; the run is cancelled.
    pub(super) fn run<T, D: std::fmt::Display>(
        &mut self,
        context: &Context,
        what: impl FnOnce() -> D,
        work: impl FnOnce(&mut Client) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        self.try_run(context, work)?.map_err(|error| fault(what(), &error))
    }

    /// The same, with the server's own error.
    ///
    /// # Errors
    /// The run is cancelled.
    pub(super) fn try_run<T>(
        &mut self,
        context: &Context,
        work: impl FnOnce(&mut Client) -> Result<T, postgres::Error>,
    ) -> Result<Result<T, postgres::Error>> {
        context.check()?;
        let token = self.client.cancel_token();
        let (working, over) = crossbeam_channel::bounded::<()>(0);
        let (client, address) = (&mut self.client, &self.address);
        let done = std::thread::scope(|scope| {
            scope.spawn(move || {
                while over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    if context.cancel.is_cancelled() {
                        address.cancel(token.clone());
                    }
                }
            });
            let done = work(client);
            drop(working);
            done
        });
        // What the server says of a query that we cancelled is no news.
        if done.is_err() {
            context.check()?
        }
        Ok(done)
    }

    /// Asks for rows.
    pub(super) fn rows<D: std::fmt::Display>(
        &mut self,
        context: &Context,
        what: impl FnOnce() -> D,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<postgres::Row>> {
        self.run(context, what, |client| client.query(sql, parameters))
    }

    /// Executes statements that give nothing back.
    pub(super) fn execute<D: std::fmt::Display>(&mut self, context: &Context, what: impl FnOnce() -> D, sql: &str) -> Result<()> {
        self.run(context, what, |client| client.batch_execute(sql))
    }

    /// The server's version, as a number: 150018.
    pub(super) fn version(&mut self, context: &Context) -> Result<u32> {
        const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::int";
        let rows = self.rows(context, || "cannot ask for the server's version", VERSION, &[])?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i32>(0).unsigned_abs()))
    }

    /// Closes the connection.
    pub(super) fn close(self) -> Result<()> {
        let shown = self.address.shown();
        self.client.close().map_err(|error| -> Error { fault(format!("cannot close the connection to `{shown}`"), &error) })
    }
}

/// An identifier as SQL writes it.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A string as SQL writes it, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}
