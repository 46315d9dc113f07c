//! What a driver reports while it works, turned into events and kept for the manifest.

use std::sync::{Arc, Mutex};

use super::event::Event;
use super::run::{Run, lock};
use crate::archive::Totals;
use crate::drivers::{Finding, Level, Reporter, Unit};
use crate::name::SetPath;

/// The most warnings that the manifest keeps of one set; beyond, it counts.
const MAX_WARNINGS: usize = 1_000;

/// The reporter of one set.
pub(super) struct SetReporter {
    run: Arc<Run>,
    set: SetPath,
    progress: Mutex<Option<(u64, Option<u64>, Unit)>>,
    warnings: Mutex<Warnings>,
}

#[derive(Default)]
struct Warnings {
    listed: Vec<String>,
    more: u64,
}

impl SetReporter {
    /// For this set.
    pub(super) fn new(run: &Arc<Run>, set: &SetPath) -> Arc<Self> {
        Arc::new(Self { run: run.clone(), set: set.clone(), progress: Mutex::default(), warnings: Mutex::default() })
    }

    /// What the driver warned of, for the manifest.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warnings = lock(&self.warnings);
        let mut listed = warnings.listed.clone();
        if warnings.more > 0 {
            listed.push(format!("{} more warnings", warnings.more));
        }
        listed
    }

    /// Forgets how far the last moment got.
    pub(super) fn enter_moment(&self) {
        *lock(&self.progress) = None;
    }

    /// Says how far the set is: what went through it, and what its driver says, if it says something.
    pub(super) fn tick(&self, through: Option<Totals>) {
        let said = *lock(&self.progress);
        let Some((done, total, unit)) = said.or_else(|| through.map(|totals| (totals.bytes, None, Unit::Bytes))) else { return };
        let Totals { entries, bytes } = through.unwrap_or_default();
        self.run.emit(Event::Progress { set: Some(self.set.clone()), done, total, unit, bytes, entries });
    }
}

impl Reporter for SetReporter {
    fn log(&self, level: Level, message: String) {
        let message = self.run.clean(&message);
        if level == Level::Warn {
            let mut warnings = lock(&self.warnings);
            if warnings.listed.len() < MAX_WARNINGS { warnings.listed.push(message.clone()) } else { warnings.more += 1 }
        }
        self.run.emit(Event::Log { set: Some(self.set.clone()), level, message });
    }

    fn progress(&self, done: u64, total: Option<u64>, unit: Unit) {
        *lock(&self.progress) = Some((done, total, unit));
    }

    fn finding(&self, finding: Finding) {
        let Finding { set, kind, name, message } = finding;
        self.run.find(Finding { set, kind, name: self.run.clean(&name), message: self.run.clean(&message) });
    }
}
