//! One session for queries: pinned as `pg_dump` pins its own, and cancelled on the server when the run is.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use postgres::types::{FromSql, ToSql, Type};
use postgres::{Client, Row};

use super::connection::Address;
use super::fault::fault;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

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
        let path = session.rows(context, what, "SELECT pg_catalog.current_schemas(false)::text[]", &[])?;
        session.run(context, what, |client| client.batch_execute(PINNED))?;
        Ok((session, path.first().map(|row| row.get(0)).unwrap_or_default()))
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

    /// Asks for rows. What is text in them is UTF-8.
    ///
    /// # Errors
    /// The server's, after `what` could not be done; some text is not UTF-8; the run is cancelled.
    pub(super) fn rows<D: std::fmt::Display>(
        &mut self,
        context: &Context,
        what: impl FnOnce() -> D,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let what = what().to_string();
        let rows = self.run(context, || &what, |client| client.query(sql, parameters))?;
        check_text(&what, &rows)?;
        Ok(rows)
    }

    /// Gives what a COPY sends to `each`, block after block.
    ///
    /// # Errors
    /// As [`Session::rows`]; `each` fails. Then the session can do nothing more but be closed.
    pub(super) fn copy_out<D: std::fmt::Display>(
        &mut self,
        context: &Context,
        what: impl Fn() -> D,
        sql: &str,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut copied = Ok(());
        self.run(context, &what, |client| {
            let mut rows = client.copy_out(sql)?;
            copied = pass_on(&mut rows, &what, each);
            Ok(())
        })?;
        copied.or_else(|error| context.check().and(Err(error)))
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

fn pass_on<D: std::fmt::Display>(rows: &mut impl BufRead, what: impl Fn() -> D, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    loop {
        let block = rows.fill_buf().map_err(|why| match why.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(error) => fault(what(), error),
            None => Error::new(ErrorKind::Unavailable, format!("{}: {why}", what())),
        })?;
        if block.is_empty() {
            return Ok(());
        }
        each(block)?;
        let length = block.len();
        rows.consume(length);
    }
}

/// Text as the server sent it. It is none of a known encoding where the database has none (SQL_ASCII), and in names that belong
/// to the whole server and were given in a database of another encoding.
struct Text<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Text<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(kind: &Type) -> bool {
        <&str as FromSql>::accepts(kind)
    }
}

/// Text for a message, whatever it holds.
pub(super) fn shown(bytes: &[u8]) -> String {
    bytes.utf8_chunks().map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect()
}

/// Refuses rows with text that is not UTF-8.
fn check_text(what: &str, rows: &[Row]) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let odd = |bytes: &[u8]| std::str::from_utf8(bytes).is_err().then(|| shown(bytes));
    let mut found = BTreeSet::new();
    for (at, column) in first.columns().iter().enumerate() {
        if <Text as FromSql>::accepts(column.type_()) {
            found.extend(rows.iter().filter_map(|row| odd(row.get::<_, Option<Text>>(at)?.0)));
        } else if <Vec<Text> as FromSql>::accepts(column.type_()) {
            let texts = rows.iter().filter_map(|row| row.get::<_, Option<Vec<Option<Text>>>>(at)).flatten().flatten();
            found.extend(texts.filter_map(|text| odd(text.0)));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Unsupported, format!("{what}: the server has text there that is not UTF-8"))
        .hint("rename what has these names, or set these comments and settings anew");
    Err(found.into_iter().fold(error, |error, text| error.with("text", text)))
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
