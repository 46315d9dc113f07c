//! The command line as people and scripts meet it: what it says, where, in which form, and with which exit code.

mod documents;
mod driver;
mod errors;
mod events;
mod shop;
mod signals;
mod stories;
mod streams;
mod terminal;
