//! The end-to-end tests, one module a subject: what stands there, what is done, what must be seen.

mod ancestor;
mod archive;
mod bucket;
mod cli;
mod coherence;
mod component;
mod config;
mod conformance;
mod crash;
mod engine;
mod engine_story;
mod filesystem;
mod guests;
mod hostile;
mod links;
mod media;
mod plan;
mod postgres;
mod postgres_dump;
mod postgres_failures;
mod quickstart;
mod secrets;
mod sqlite;
