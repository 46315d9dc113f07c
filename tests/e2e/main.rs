//! The end-to-end tests, one module a subject: what stands there, what is done, what must be seen.

mod ancestor;
mod coherence;
mod conformance;
mod crash;
mod engine;
mod engine_story;
mod links;
mod quickstart;
mod sqlite;
