//! The end-to-end tests, one module a subject: what stands there, what is done, what must be seen.

mod engine;
mod quickstart;
mod sqlite;
