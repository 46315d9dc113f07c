//! `dr-host/manifest.json`, the archive's last entry: what is in it, how and when it came to be, and the hashes that tie the
//! whole together. Small whatever the number of entries; its JSON Schema is `docs/manifest.schema.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entry::Totals;
use crate::drivers::{Finding, PointInTime};
use crate::error::{Error, ErrorKind, Result};
use crate::name::SetPath;
use crate::redact::STRUCK;

/// The number of the format that this host writes. A host restores every format up to its own.
pub const FORMAT: u32 = 1;

/// The manifest's name in the zip.
pub const NAME: &str = "dr-host/manifest.json";

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The number of the archive's format: [`FORMAT`].
    pub format: u32,
    /// Who wrote it: `dr-host 0.1.0`.
    pub created_by: String,
    /// When the dump began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When the last entry before the manifest was written.
    #[schemars(with = "String")]
    pub finished_at: Timestamp,
    /// The sets that are in it, in the order in which they were dumped.
    pub sets: Vec<SetRecord>,
    /// Sets of the configuration that `--only` or `--skip` left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<SetPath>,
    /// The links, and what the check after the dump found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkRecord>,
    /// What was found wrong while the archive was made: with any of these the dump ended with exit code 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// How many more findings there were than [`MAX_FINDINGS`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_findings: u64,
}

/// The most findings that a manifest lists by name; beyond, it counts.
pub const MAX_FINDINGS: usize = 10_000;

/// The most dangling names that a link's record lists; beyond, it counts.
pub const MAX_DANGLING: usize = 10_000;

/// One set, as it was dumped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRecord {
    /// Where it stands in the tree.
    pub path: SetPath,
    /// Its driver's name.
    pub driver: String,
    /// Its driver's version.
    pub driver_version: String,
    /// What else its driver says of itself: a component's hash, its grants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_details: BTreeMap<String, String>,
    /// The format of its entries, as the driver names it: a restore needs a driver that reads this one.
    pub format: String,
    /// What its point in time is worth, and what fixes it.
    pub point_in_time: PointInTime,
    /// How much it holds.
    pub totals: Totals,
    /// The bytes that its entries take in the archive, compressed, headers left out.
    pub stored_bytes: u64,
    /// How long its `dump` took, in seconds.
    pub seconds: f64,
    /// Below which prefix of the zip its entries stand: `media/`, `shop/self/`.
    pub prefix: String,
    /// The zip name of its index.
    pub index: String,
    /// The SHA-256 of its index, in hexadecimal.
    pub index_sha256: String,
    /// What the driver wants remembered: for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
    /// What the driver warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One link, and what the check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRecord {
    /// The set whose column refers.
    pub from: SetPath,
    /// The column, `table.column`, with its JSON path where it has one.
    pub column: String,
    /// The set whose entries are referred to.
    pub to: SetPath,
    /// What is taken from the front of each value that begins with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub strip_prefix: String,
    /// What is then put before each value to make the name of an entry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The zip name of the list of values.
    pub values: String,
    /// The SHA-256 of that list, in hexadecimal.
    pub values_sha256: String,
    /// What the check found.
    pub check: LinkCheck,
}

/// What the comparison of a link's values with its target's entries found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkCheck {
    /// How many distinct values were compared.
    pub checked: u64,
    /// How many of them name no entry.
    pub dangling: u64,
    /// Their names, at most [`MAX_DANGLING`]; of a very long one the beginning, `…` and its length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dangling_names: Vec<String>,
    /// How many entries of the target no value of this link names.
    pub orphaned: u64,
}

impl LinkCheck {
    /// Whether a manifest that says this tells of what another check found: its names are without the secrets of the dump's
    /// configuration.
    pub(crate) fn tells_of(&self, found: &Self) -> bool {
        let same = |said: &String, name: &String| said == name || said.contains(STRUCK);
        (self.checked, self.dangling, self.orphaned) == (found.checked, found.dangling, found.orphaned)
            && self.dangling_names.len() == found.dangling_names.len()
            && self.dangling_names.iter().zip(&found.dangling_names).all(|(said, name)| same(said, name))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The largest manifest that is written or read, in bytes.
pub(super) const MAX_SIZE: u64 = 64 << 20;

/// The manifest as it stands in the archive.
///
/// # Errors
/// It is larger than [`MAX_SIZE`].
pub(super) fn to_json(manifest: &Manifest) -> Result<Vec<u8>> {
    let mut json =
        serde_json::to_vec_pretty(manifest).map_err(|why| Error::new(ErrorKind::Other, format!("cannot write the manifest: {why}")))?;
    json.push(b'\n');
    if json.len() as u64 > MAX_SIZE {
        return Err(Error::new(ErrorKind::Other, format!("the manifest takes more than {} MiB", MAX_SIZE >> 20)));
    }
    Ok(json)
}

/// Reads a manifest of any format up to [`FORMAT`].
///
/// # Errors
/// It is of a newer format ([`ErrorKind::Unsupported`]), or no manifest.
pub(super) fn from_json(json: &[u8]) -> Result<Manifest> {
    #[derive(Deserialize)]
    struct Numbered {
        format: u32,
    }
    let no_manifest = |why| Error::corrupt(format!("`{NAME}` is no manifest: {why}"));
    let Numbered { format } = serde_json::from_slice(json).map_err(no_manifest)?;
    if format > FORMAT {
        return Err(newer(format));
    }
    if format == 0 {
        return Err(Error::corrupt(format!("`{NAME}` says format 0, which never was")));
    }
    serde_json::from_slice(json).map_err(no_manifest)
}

/// What to say of an archive of a newer format.
pub(super) fn newer(format: u32) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the archive is of format {format}, and this host knows formats up to {FORMAT}"))
        .hint("use the version of dr-host that wrote it, or a newer one")
}
