//! The engine with small drivers that note what is asked of them: the order of moments, and what becomes of a run in which
//! something fails. `fake` is the driver and the place around it.

mod dump;
mod failures;
mod fake;
mod links;
mod order;
mod restore;
mod verify;
