//! `dr-host list`.

use std::sync::Arc;

use serde_json::json;

use super::exit::{Exit, Refused};
use super::output::{
    Format, Line, Look, Output, Table, archive_lines, count, duration, finding_line, link_lines, moment, numbers, size, words, worth,
};
use super::verify;
use crate::archive::entry::attribute;
use crate::archive::manifest::SetRecord;
use crate::archive::{ArchiveReader, Entry, EntryInfo, Manifest};
use crate::cancel::Cancel;
use crate::engine::event::ArchiveSummary;
use crate::plan::{self, Selection};

/// How many entries are read and printed at once.
const PAGE: usize = 1000;

/// A listing, as it was asked for.
pub(super) struct List {
    /// The archive.
    pub(super) input: String,
    /// Which sets.
    pub(super) selection: Selection,
    /// Whether the entries are listed rather than the sets.
    pub(super) entries: bool,
}

impl List {
    /// Shows it.
    pub(super) fn run(self, output: &Arc<Output>) -> Result<Exit, Refused> {
        let archive = verify::open(&self.input, None)?;
        let records = plan::records(archive.manifest(), &self.selection)?;
        if self.entries {
            list_entries(&archive, &records, output)?;
            return Ok(Exit::Done);
        }
        match output.format() {
            Format::Json => output.printer.json(&document(&archive, &records)),
            Format::Text => output.result(&show(&archive, &records, output.printer.width())),
        }
        Ok(Exit::Done)
    }
}

fn summary(archive: &ArchiveReader) -> ArchiveSummary {
    ArchiveSummary { location: archive.location().to_owned(), size: archive.size(), sha256: archive.manifest_sha256().to_owned() }
}

/// The archive and its manifest, with the sets that are meant.
fn document(archive: &ArchiveReader, records: &[&SetRecord]) -> serde_json::Value {
    let sets = records.iter().map(|record| (*record).clone()).collect();
    json!({ "archive": summary(archive), "manifest": Manifest { sets, ..archive.manifest().clone() } })
}

/// The archive for people.
fn show(archive: &ArchiveReader, records: &[&SetRecord], width: Option<usize>) -> Vec<Line> {
    let manifest = archive.manifest();
    let mut lines = archive_lines(&summary(archive));
    let seconds = manifest.finished_at.duration_since(manifest.started_at).as_secs_f64();
    let made = format!("{} by {}, in {}", moment(manifest.started_at), manifest.created_by, duration(seconds));
    lines.extend([Line::looking(Look::Faint, "  made     ").then(made), Line::new()]);
    lines.extend(sets(records, width));
    if !manifest.left_out.is_empty() {
        let left_out: Vec<_> = manifest.left_out.iter().map(ToString::to_string).collect();
        lines.extend([Line::new(), Line::looking(Look::Faint, "  left out  ").then(left_out.join(", "))]);
    }
    if !manifest.links.is_empty() {
        lines.push(Line::new());
        lines.extend(link_lines(&manifest.links));
    }
    let warnings = records.iter().flat_map(|record| record.warnings.iter().map(|warning| (&record.path, warning)));
    let mut told: Vec<Line> =
        warnings.map(|(set, warning)| Line::looking(Look::Warning, "warning").then(format!(": {set}: {warning}"))).collect();
    told.extend(manifest.findings.iter().map(finding_line));
    if manifest.more_findings > 0 {
        told.push(Line::plain(format!("and {} more findings, which the archive does not name", count(manifest.more_findings))));
    }
    if !told.is_empty() {
        lines.push(Line::new());
        lines.extend(told);
    }
    lines
}

fn sets(records: &[&SetRecord], width: Option<usize>) -> Vec<Line> {
    let mut table = Table::new([
        words("set"),
        words("driver").spare(2),
        numbers("entries"),
        numbers("bytes"),
        numbers("stored").spare(3),
        numbers("time").spare(4),
        words("point in time"),
        words("taken").spare(1),
    ]);
    for record in records {
        table.row([
            Line::looking(Look::Strong, record.path.as_str()),
            Line::plain(&record.driver),
            Line::plain(count(record.totals.entries)),
            Line::plain(size(record.totals.bytes)),
            Line::plain(size(record.stored_bytes)),
            Line::plain(duration(record.seconds)),
            worth(Some(record.point_in_time.worth)),
            Line::plain(moment(record.point_in_time.at)),
        ]);
    }
    table.lines(width)
}

/// Lists the entries of the sets, one a line.
fn list_entries(archive: &ArchiveReader, records: &[&SetRecord], output: &Output) -> Result<(), Refused> {
    let widest = records.iter().map(|record| console::measure_text_width(record.path.as_str())).max().unwrap_or_default();
    for record in records {
        let mut entries = archive.set(record, &Cancel::new())?.entries()?;
        while !output.printer.is_lost() {
            let page = entries.next(PAGE)?;
            if page.is_empty() {
                break;
            }
            match output.format() {
                Format::Json => page.iter().for_each(|info| output.printer.json(&entry_document(record, info))),
                Format::Text => output.result(&page.iter().map(|info| entry_line(record, info, widest)).collect::<Vec<_>>()),
            }
        }
    }
    Ok(())
}

fn entry_line(record: &SetRecord, info: &EntryInfo, widest: usize) -> Line {
    let set = record.path.as_str();
    let fill = " ".repeat(widest.saturating_sub(console::measure_text_width(set)));
    let modified = info.entry.modified.map(moment).unwrap_or_default();
    Line::plain(format!("{:>15}  {modified:20}  ", count(info.size))).look(Look::Strong, set).then(format!("{fill}  {}", name(&info.entry)))
}

/// The name; a directory's ends in `/`, and the set's own root, whose name is empty, is `./`.
fn name(entry: &Entry) -> String {
    let is_directory = entry.get(attribute::TYPE) == Some(attribute::DIRECTORY);
    match entry.name.as_bytes() {
        [] => "./".into(),
        _ if is_directory => format!("{}/", entry.name),
        _ => entry.name.to_string(),
    }
}

fn entry_document(record: &SetRecord, info: &EntryInfo) -> serde_json::Value {
    json!({
        "set": record.path,
        "name": info.entry.name.to_string(),
        "size": info.size,
        "sha256": hex::encode(info.sha256),
        "modified": info.entry.modified,
        "attributes": info.entry.attributes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    })
}
