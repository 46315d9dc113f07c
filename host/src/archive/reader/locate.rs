//! Finding the way into an archive from its end: comment, end of the directory, the directory's last record, the manifest.

use std::sync::Arc;

use super::super::comment::{self, COMMENT_LENGTH};
use super::super::manifest::{self, FORMAT, Manifest};
use super::super::zip::{self, Central, Directory};
use super::File;
use super::content::Content;
use super::range::read;
use super::whole::Unpackers;
use crate::error::{Error, Result};
use crate::store::Source;

/// Where a comment of another length than ours may begin, from the end.
const COMMENT_SEARCH: u64 = 1024;

/// More than the directory's last record takes.
const LAST_RECORD: u64 = 256;

pub(super) fn open(source: Source) -> Result<(Arc<File>, Manifest, [u8; 32])> {
    let at_end = read(&source, source.size().saturating_sub(zip::MAX_END as u64 + u64::from(COMMENT_LENGTH)), source.size())?;
    let split = at_end.len().saturating_sub(COMMENT_LENGTH.into());
    let (before, text) = at_end.split_at(split);
    let Some((format, crc)) = comment::parse(text) else { return Err(no_archive(&source)?) };
    if format > FORMAT {
        return Err(manifest::newer(format));
    }
    let directory = zip::parse_end(before, COMMENT_LENGTH)
        .filter(|directory| {
            directory.offset + directory.size + zip::end(directory, 0).len() as u64 + u64::from(COMMENT_LENGTH) == source.size()
        })
        .ok_or_else(|| Error::corrupt(format!("`{}`: the end of the zip's directory is damaged", source.location())))?;
    let manifest = last_record(&source, &directory)?;
    let file = Arc::new(File { source, directory, crc, manifest, unpackers: Unpackers::default() });
    let read = read_manifest(&file).map_err(|why| why.while_(format_args!("`{}`", file.source.location())));
    let (manifest, sha256) = read?;
    if manifest.format != format {
        return Err(Error::corrupt(format!("`{}`: comment and manifest disagree about the format", file.source.location())));
    }
    Ok((file, manifest, sha256))
}

/// What to say of a file that does not end as an archive does.
fn no_archive(source: &Source) -> Result<Error> {
    let location = source.location();
    let end = read(source, source.size().saturating_sub(COMMENT_SEARCH), source.size())?;
    let marker = b"dr-host archive, format ";
    if let Some(at) = end.windows(marker.len()).rposition(|window| window == marker) {
        let digits: String = end[at + marker.len()..].iter().map_while(|&byte| byte.is_ascii_digit().then_some(byte as char)).collect();
        if let Some(format) = digits.parse().ok().filter(|&format: &u32| format > FORMAT) {
            return Ok(manifest::newer(format));
        }
    }
    let begin = read(source, 0, source.size().min(4))?;
    Ok(if begin.starts_with(b"PK\x03\x04") {
        Error::corrupt(format!("`{location}` is not a whole archive of dr-host: its end is missing, damaged or another zip's"))
            .hint("copy it again from where it was made; what `dr-host dump` did not finish has no such end")
    } else {
        Error::corrupt(format!("`{location}` is no archive of dr-host"))
    })
}

/// The directory's last record, which must be the manifest's.
fn last_record(source: &Source, directory: &Directory) -> Result<Central> {
    let end = directory.offset + directory.size;
    let tail = read(source, end - directory.size.min(LAST_RECORD), end)?;
    (0..tail.len())
        .filter_map(|at| Central::parse(&tail[at..]).ok().filter(|(_, length)| at + length == tail.len()))
        .map(|(record, _)| record)
        .find(|record| record.header.name == manifest::NAME && record.end() == Some(directory.offset))
        .ok_or_else(|| Error::corrupt(format!("`{}`: its last entry is not a whole `{}`", source.location(), manifest::NAME)))
}

fn read_manifest(file: &Arc<File>) -> Result<(Manifest, [u8; 32])> {
    let name = manifest::NAME;
    if file.manifest.content.size > manifest::MAX_SIZE {
        return Err(Error::corrupt(format!("`{name}` claims to take more than {} MiB", manifest::MAX_SIZE >> 20)));
    }
    let damaged = |why: Error| why.while_(format_args!("`{name}`"));
    let mut content = Content::open(file, &file.manifest).map_err(damaged)?;
    let mut json = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match content.read(&mut buffer).map_err(damaged)? {
            0 => break,
            count => json.extend_from_slice(&buffer[..count]),
        }
    }
    Ok((manifest::from_json(&json)?, content.sha256()))
}
