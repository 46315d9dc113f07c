//! `dr-host dump`.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::{Exit, Refused, usage};
use super::intent::Surroundings;
use super::output::Output;
use super::{plan, signals};
use crate::archive::{self, Options};
use crate::config::{ArchiveSettings, Compression};
use crate::drivers::registry;
use crate::engine;
use crate::plan::Selection;
use crate::store;

/// A dump, as it was asked for.
pub(super) struct Dump {
    /// Where to: a path, or `-`.
    pub(super) out: String,
    /// The configuration, where one is named.
    pub(super) config: Option<PathBuf>,
    /// Which sets.
    pub(super) selection: Selection,
    /// Whether an archive may be replaced.
    pub(super) overwrite: bool,
    /// How to compress, instead of what the configuration says.
    pub(super) compression: Option<Compression>,
}

impl Dump {
    /// Makes the archive.
    pub(super) fn run(self, output: &Arc<Output>, around: &Surroundings) -> Result<Exit, Refused> {
        let config = plan::load(self.config.as_deref(), output, around)?;
        let target = store::open_target(&self.out, self.overwrite).map_err(usage)?;
        let mut plan = crate::plan::for_dump(&config, registry::kinds(), &self.selection, &target.occupies())?;
        plan::tell(&plan, output);
        let options = options(self.compression, &plan.archive);
        let signals = signals::listen(output)?;
        let session = plan::session(&plan, output, signals.cancel());
        let report = engine::dump(&mut plan.tree, signals.watch(target), &options, &session);
        Ok(Exit::Run(report.exit_code))
    }
}

/// What the configuration says of compression, unless an argument does; a level belongs to its method.
fn options(asked: Option<Compression>, configured: &ArchiveSettings) -> Options {
    let compression = asked.unwrap_or(configured.compression);
    let level = configured.level.filter(|_| compression == configured.compression);
    Options { compression: method(compression), level, workers: 0 }
}

/// What the archive calls it.
pub(super) fn method(compression: Compression) -> archive::Compression {
    match compression {
        Compression::Zstd => archive::Compression::Zstd,
        Compression::Deflate => archive::Compression::Deflate,
        Compression::Store => archive::Compression::Store,
    }
}
