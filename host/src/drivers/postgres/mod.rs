//! The `postgres` driver: one database, its rows by COPY from one snapshot, everything else by `pg_dump` and `pg_restore`.
//!
//! [`connection`] knows where a database is and how to get there.

#[allow(dead_code, unused_imports, reason = "the driver that uses it comes next")]
mod connection;
