//! `dr-host restore`.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::{Exit, Refused};
use super::intent::Surroundings;
use super::output::{Line, Look, Output, Table, things, words};
use super::{ask, plan, signals, verify};
use crate::archive::Manifest;
use crate::drivers::{Extra, RestoreOptions, registry};
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::plan::{Plan, Selection};

/// A restore, as it was asked for.
pub(super) struct Restore {
    /// The archive.
    pub(super) input: String,
    /// The configuration, where one is named.
    pub(super) config: Option<PathBuf>,
    /// Which sets.
    pub(super) selection: Selection,
    /// What may be destroyed.
    pub(super) options: RestoreOptions,
    /// Whether that needs no question.
    pub(super) yes: bool,
    /// The hash that the archive must have.
    pub(super) expect: Option<String>,
}

impl Restore {
    /// Puts the sets back.
    pub(super) fn run(self, output: &Arc<Output>, around: &Surroundings) -> Result<Exit, Refused> {
        let config = plan::load(self.config.as_deref(), output, around)?;
        let archive = verify::open(&self.input, self.expect.as_deref())?;
        let manifest = archive.manifest();
        let occupied: Vec<PathBuf> = std::fs::canonicalize(&self.input).into_iter().collect();
        let mut plan = crate::plan::for_restore(&config, registry::kinds(), &self.selection, manifest, &occupied)?;
        if self.options.truncate && plan.items.is_empty() {
            let error = Error::new(ErrorKind::InvalidConfig, "`--truncate` empties what `--only SET:ITEM` names, and no item is named");
            return Err(error.hint("name one, as in `--only database:public.orders`").into());
        }
        if self.options.recreate && !plan.items.is_empty() {
            let error =
                Error::new(ErrorKind::InvalidConfig, "`--recreate` makes whole sets anew, and `--only SET:ITEM` restores single items");
            return Err(error.hint("leave one of them out; `--truncate` empties the items that are restored").into());
        }
        plan::tell(&plan, output);
        tell_recorded(manifest, output);
        if !self.yes {
            self.ask(&plan, output)?;
        }
        let signals = signals::listen(output)?;
        let session = plan::session(&plan, output, signals.cancel());
        let options = RestoreOptions { items: std::mem::take(&mut plan.items), ..self.options };
        let report = engine::restore(&mut plan.tree, &archive, &options, &session);
        Ok(Exit::Run(report.exit_code))
    }

    /// Asks before anything is destroyed.
    fn ask(&self, plan: &Plan, output: &Output) -> Result<(), Refused> {
        let deletes = self.options.extra == Some(Extra::Delete);
        let (option, what) = match (self.options.recreate, self.options.truncate, deletes) {
            (false, false, false) => return Ok(()),
            (true, _, false) => ("--recreate", "throws away what stands in these targets, and makes it anew"),
            (false, true, false) => ("--truncate", "empties the chosen items of these targets"),
            (false, false, true) => ("--extra delete", "deletes from these targets what the archive lacks"),
            (true, _, true) => ("--recreate --extra delete", "throws away what stands in these targets and is not in the archive"),
            (false, true, true) => {
                ("--truncate --extra delete", "empties the chosen items of these targets, and deletes what the archive lacks")
            }
        };
        let mut table = Table::new([words("set"), words("target")]);
        for set in plan.view.sets.iter().filter(|set| set.order.is_some()) {
            table.row([Line::looking(Look::Strong, set.path.as_str()), Line::plain(set.target.as_deref().unwrap_or_default())]);
        }
        let mut lines = vec![Line::looking(Look::Warning, option).then(format!(" {what}:"))];
        lines.extend(table.lines(None).into_iter().skip(1));
        ask::confirm(output, option, &lines)
    }
}

/// Says what was found wrong when the archive was made: who restores it should know before it begins.
fn tell_recorded(manifest: &Manifest, output: &Output) {
    let count = manifest.findings.len() as u64 + manifest.more_findings;
    if count == 0 {
        return;
    }
    output.warn(&format!("the archive was made with {}:", things(count, "finding", "findings")));
    manifest.findings.iter().for_each(|finding| output.recorded(finding));
    if manifest.more_findings > 0 {
        let more = things(manifest.more_findings, "more finding", "more findings");
        output.warn_of_findings(&format!("the archive was made with {more}, which it does not name"));
    }
}
