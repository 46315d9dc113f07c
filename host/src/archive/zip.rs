//! The records of a zip file as this host writes them (APPNOTE.TXT 6.3.10): local headers, data descriptors, the central
//! directory, its end.
//!
//! There is one way to write each: a reader takes what it needs from a record, builds it again, and finds damage and forgery
//! by comparing the bytes. They are written here rather than by a library so that the directory need not stay in memory, so
//! that an entry which is appended whole has its sizes in its local header, and so that names stand exactly as
//! [`super::escape`] spells them.

use super::compression::Method;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

/// What a local header takes without its name and extra fields.
const LOCAL_LENGTH: usize = 30;
/// What the sizes take in an extra field.
const ZIP64_SIZES_LENGTH: usize = 20;
/// What a record of the central directory takes without its name and extra fields.
const CENTRAL_LENGTH: usize = 46;
/// What the extended timestamp takes.
const TIMESTAMP_LENGTH: usize = 9;
/// What the end of the central directory takes without zip64.
const END_LENGTH: usize = 22;

const ZIP64_FIELD: u16 = 0x0001;
const TIMESTAMP_FIELD: u16 = 0x5455;

/// Sizes and crc follow the data (section 4.4.4, bit 3).
const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// The name is UTF-8 (bit 11).
const FLAG_UTF8: u16 = 1 << 11;

/// The part "Unix" of `version made by` (section 4.4.2): the upper half of the external attributes is a file mode.
const MADE_BY_UNIX: u16 = 3 << 8;
/// The directory bit of MS-DOS in the external attributes.
const DOS_DIRECTORY: u32 = 0x10;

/// The mode of the archive's own entries: a regular file, readable by its owner.
pub(super) const OWN_MODE: u32 = 0o100_600;

/// The longest name that a zip can hold, in bytes.
pub(super) const MAX_NAME: usize = u16::MAX as usize;

/// From here on a 32-bit field is not enough.
const LIMIT32: u64 = u32::MAX as u64;
const LIMIT16: u64 = u16::MAX as u64;

/// What is known of an entry before its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The zip name; a directory's ends in `/`.
    pub(super) name: String,
    pub(super) method: Method,
    /// Seconds since 1970, UTC, as far as the zip's extended timestamp reaches: until 2038. The index has the exact time.
    pub(super) modified: i32,
}

/// What is known of an entry after its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) crc: u32,
    /// Uncompressed.
    pub(super) size: u64,
    /// As it stands in the zip.
    pub(super) stored: u64,
}

impl Content {
    fn needs_zip64(&self) -> bool {
        self.size >= LIMIT32 || self.stored >= LIMIT32
    }
}

/// What is known of an entry in the zip's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Central {
    pub(super) header: Header,
    pub(super) content: Content,
    pub(super) place: Place,
    /// The Unix file mode with its type.
    pub(super) mode: u32,
}

/// Where an entry begins, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// Whether its sizes follow its data in a descriptor, rather than standing in its local header.
    pub(super) streamed: bool,
}

impl Header {
    /// The local header (section 4.3.7); without `content`, sizes and crc follow in a [`descriptor`].
    pub(super) fn local(&self, content: Option<&Content>) -> Vec<u8> {
        let zip64 = content.is_some_and(Content::needs_zip64);
        let extra = self.extra(content.filter(|_| zip64), None);
        let mut out = Record::new(LOCAL_HEADER, LOCAL_LENGTH + self.name.len() + extra.len());
        out.u16(self.version_needed(zip64));
        self.common(&mut out, content.is_none(), content);
        out.u16(length(self.name.len()));
        out.u16(length(extra.len()));
        out.0.extend_from_slice(self.name.as_bytes());
        out.0.extend_from_slice(&extra);
        out.0
    }

    /// The record in the central directory (section 4.3.12); `mode` is the Unix file mode with its type.
    pub(super) fn central(&self, content: &Content, place: Place, mode: u32) -> Vec<u8> {
        let far = place.offset >= LIMIT32;
        let zip64 = content.needs_zip64();
        let extra = self.extra(Some(content).filter(|_| zip64), Some(place.offset).filter(|_| far));
        let version = self.version_needed(zip64 || far);
        let mut out = Record::new(CENTRAL_HEADER, CENTRAL_LENGTH + self.name.len() + extra.len());
        out.u16(MADE_BY_UNIX | version);
        out.u16(version);
        self.common(&mut out, place.streamed, Some(content));
        out.u16(length(self.name.len()));
        out.u16(length(extra.len()));
        out.u16(0); // comment
        out.u16(0); // disk
        out.u16(0); // internal attributes
        out.u32(mode << 16 | if self.name.ends_with('/') { DOS_DIRECTORY } else { 0 });
        out.u32(clamp32(place.offset));
        out.0.extend_from_slice(self.name.as_bytes());
        out.0.extend_from_slice(&extra);
        out.0
    }

    /// Flags, method, time, crc and sizes: the fields that both headers have, in this order.
    fn common(&self, out: &mut Record, streamed: bool, content: Option<&Content>) {
        let utf8 = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        let (date, time) = dos_date_time(self.modified);
        let content = content.copied().unwrap_or(Content { crc: 0, size: 0, stored: 0 });
        let zip64 = content.needs_zip64();
        let size = |size| if zip64 { u32::MAX } else { clamp32(size) };
        out.u16(utf8 | if streamed { FLAG_DESCRIPTOR } else { 0 });
        out.u16(self.method.number());
        out.u16(time);
        out.u16(date);
        out.u32(content.crc);
        out.u32(size(content.stored));
        out.u32(size(content.size));
    }

    /// The extra fields: zip64 where something needs it (section 4.5.3), and the modification time in UTC (Info-ZIP's
    /// extended timestamp, `proginfo/extrafld.txt`).
    fn extra(&self, sizes: Option<&Content>, offset: Option<u64>) -> Vec<u8> {
        let mut out = Record(Vec::with_capacity(37));
        if sizes.is_some() || offset.is_some() {
            out.u16(ZIP64_FIELD);
            out.u16(if sizes.is_some() { 16 } else { 0 } + if offset.is_some() { 8 } else { 0 });
            if let Some(content) = sizes {
                out.u64(content.size);
                out.u64(content.stored);
            }
            if let Some(offset) = offset {
                out.u64(offset);
            }
        }
        out.u16(TIMESTAMP_FIELD);
        out.u16(5);
        out.0.push(1); // only the modification time
        out.0.extend_from_slice(&self.modified.to_le_bytes());
        out.0
    }

    /// The version of the format that a reader must know (section 4.4.3). Zstandard came after the last version that the
    /// table names; 6.3 is what other writers of it ask for.
    fn version_needed(&self, zip64: bool) -> u16 {
        match self.method {
            Method::Zstd => 63,
            _ if zip64 => 45,
            _ => 20,
        }
    }
}

impl Central {
    /// The record in the central directory (section 4.3.12).
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.header.central(&self.content, self.place, self.mode)
    }

    /// The bytes before the entry's data.
    pub(super) fn local(&self) -> Vec<u8> {
        self.header.local(Some(&self.content).filter(|_| !self.place.streamed))
    }

    /// The bytes behind the entry's data.
    pub(super) fn trailer(&self) -> Vec<u8> {
        if self.place.streamed { descriptor(&self.content) } else { Vec::new() }
    }

    /// Where the entry ends: behind its descriptor where it has one. `None` beyond any file's size.
    pub(super) fn end(&self) -> Option<u64> {
        let zip64 = self.content.needs_zip64();
        let sizes = if zip64 && !self.place.streamed { ZIP64_SIZES_LENGTH } else { 0 };
        let trailer = match (self.place.streamed, zip64) {
            (false, _) => 0,
            (true, false) => 16,
            (true, true) => 24,
        };
        let around = LOCAL_LENGTH + self.header.name.len() + sizes + TIMESTAMP_LENGTH + trailer;
        self.place.offset.checked_add(around as u64)?.checked_add(self.content.stored)
    }

    /// Reads the first record of a piece of the central directory; says how long it is.
    pub(super) fn parse(directory: &[u8]) -> Result<(Self, usize), BadRecord> {
        let fixed = directory.get(..CENTRAL_LENGTH).ok_or(BadRecord::Cut)?;
        if u32_at(fixed, 0) != CENTRAL_HEADER {
            return Err(BadRecord::Foreign);
        }
        let name_end = CENTRAL_LENGTH + usize::from(u16_at(fixed, 28));
        let length = name_end + usize::from(u16_at(fixed, 30));
        let record = directory.get(..length).ok_or(BadRecord::Cut)?;
        let central = Self::read(record, &record[CENTRAL_LENGTH..name_end], &record[name_end..]).ok_or(BadRecord::Foreign)?;
        if central.bytes() == record { Ok((central, length)) } else { Err(BadRecord::Foreign) }
    }

    /// Takes what a record says; whether it says it as it should is left to the comparison.
    fn read(record: &[u8], name: &[u8], extra: &[u8]) -> Option<Self> {
        let mut content = Content { crc: u32_at(record, 16), size: u32_at(record, 24).into(), stored: u32_at(record, 20).into() };
        let mut offset = u64::from(u32_at(record, 42));
        let timestamp = extra.len().checked_sub(TIMESTAMP_LENGTH)?;
        let mut numbers = extra[..timestamp].get(4..).unwrap_or_default().chunks_exact(8).map(|number| u64_at(number, 0));
        if content.size == LIMIT32 && content.stored == LIMIT32 {
            content.size = numbers.next()?;
            content.stored = numbers.next()?;
        }
        if offset == LIMIT32 {
            offset = numbers.next()?;
        }
        Some(Self {
            header: Header {
                name: std::str::from_utf8(name).ok()?.to_owned(),
                method: Method::from_number(u16_at(record, 10))?,
                modified: u32_at(extra, timestamp + 5).cast_signed(),
            },
            content,
            place: Place { offset, streamed: u16_at(record, 8) & FLAG_DESCRIPTOR != 0 },
            mode: u32_at(record, 38) >> 16,
        })
    }
}

/// Why a record of the central directory cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRecord {
    /// It ends too early; more bytes may help.
    Cut,
    /// It is not as this host writes records.
    Foreign,
}

/// The data descriptor that follows a streamed entry's data (section 4.3.9).
pub(super) fn descriptor(content: &Content) -> Vec<u8> {
    let mut out = Record::new(DATA_DESCRIPTOR, 24);
    out.u32(content.crc);
    if content.needs_zip64() {
        out.u64(content.stored);
        out.u64(content.size);
    } else {
        out.u32(clamp32(content.stored));
        out.u32(clamp32(content.size));
    }
    out.0
}

/// Where the central directory stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) entries: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The longest [`end`].
pub(super) const MAX_END: usize = 98;

/// Finds the directory from the bytes before the comment.
pub(super) fn parse_end(before_comment: &[u8], comment_length: u16) -> Option<Directory> {
    let short = before_comment.len().checked_sub(END_LENGTH)?;
    let fixed = &before_comment[short..];
    let mut directory = Directory { entries: u16_at(fixed, 8).into(), offset: u32_at(fixed, 16).into(), size: u32_at(fixed, 12).into() };
    if let Some(zip64) = before_comment.len().checked_sub(MAX_END).map(|at| &before_comment[at..])
        && u32_at(zip64, 0) == ZIP64_END
    {
        directory = Directory { entries: u64_at(zip64, 24), offset: u64_at(zip64, 48), size: u64_at(zip64, 40) };
    }
    directory.offset.checked_add(directory.size)?;
    before_comment.ends_with(&end(&directory, comment_length)).then_some(directory)
}

/// The end of the central directory (sections 4.3.14 to 4.3.16), all but the comment's bytes.
pub(super) fn end(directory: &Directory, comment_length: u16) -> Vec<u8> {
    let Directory { entries, offset, size } = *directory;
    let mut out = Record(Vec::with_capacity(MAX_END));
    if entries >= LIMIT16 || offset >= LIMIT32 || size >= LIMIT32 {
        out.u32(ZIP64_END);
        out.u64(44); // the rest of this record
        out.u16(MADE_BY_UNIX | 45);
        out.u16(45);
        out.u32(0); // this disk
        out.u32(0); // the directory's disk
        out.u64(entries);
        out.u64(entries);
        out.u64(size);
        out.u64(offset);
        out.u32(ZIP64_LOCATOR);
        out.u32(0);
        out.u64(offset + size);
        out.u32(1); // disks
    }
    let entries = u16::try_from(entries).unwrap_or(u16::MAX);
    out.u32(END);
    out.u16(0);
    out.u16(0);
    out.u16(entries);
    out.u16(entries);
    out.u32(clamp32(size));
    out.u32(clamp32(offset));
    out.u16(comment_length);
    out.0
}

/// A time as [`Header::modified`] has it.
pub(super) fn seconds(at: jiff::Timestamp) -> i32 {
    let seconds = at.as_second();
    i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX })
}

/// Little-endian numbers, one after the other.
struct Record(Vec<u8>);

impl Record {
    fn new(signature: u32, capacity: usize) -> Self {
        let mut record = Self(Vec::with_capacity(capacity));
        record.u32(signature);
        record
    }

    fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn clamp32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn length(length: usize) -> u16 {
    u16::try_from(length).expect("names are checked before they come here")
}

/// Date and time as MS-DOS packs them (section 4.4.6), in UTC; what is before 1980 becomes that.
fn dos_date_time(modified: i32) -> (u16, u16) {
    const FIRST: (u16, u16) = (1 << 5 | 1, 0);
    let at = jiff::Timestamp::from_second(modified.into()).unwrap_or_default();
    let at = jiff::tz::TimeZone::UTC.to_datetime(at);
    let part = |part: i8| u16::try_from(part).unwrap_or_default();
    match at.year() {
        ..1980 => FIRST,
        year => (
            u16::try_from(year - 1980).unwrap_or_default() << 9 | part(at.month()) << 5 | part(at.day()),
            part(at.hour()) << 11 | part(at.minute()) << 5 | (part(at.second()) / 2),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadRecord, Central, Content, Directory, Header, Place, end, parse_end};
    use crate::archive::compression::Method;

    const EDGES: [u64; 6] = [0, 1, u32::MAX as u64 - 1, u32::MAX as u64, u32::MAX as u64 + 1, 1 << 50];

    fn every_central() -> impl Iterator<Item = Central> {
        let sizes = EDGES.into_iter().flat_map(|size| EDGES.map(|stored| (size, stored)));
        sizes.flat_map(|(size, stored)| EDGES.map(|offset| (size, stored, offset))).flat_map(|(size, stored, offset)| {
            [(Method::Zstd, false, "a/ü", 1_700_000_001), (Method::Store, true, "a", i32::MIN), (Method::Deflate, true, "d/", i32::MAX)]
                .map(|(method, streamed, name, modified)| Central {
                    header: Header { name: name.into(), method, modified },
                    content: Content { crc: 0xdead_beef, size, stored },
                    place: Place { offset, streamed },
                    mode: 0o100_644,
                })
        })
    }

    #[test]
    fn a_record_says_what_it_was_made_of() {
        for central in every_central() {
            let mut bytes = central.bytes();
            let length = bytes.len();
            bytes.extend_from_slice(b"more");
            assert_eq!(Central::parse(&bytes), Ok((central, length)));
        }
    }

    #[test]
    fn an_entry_ends_behind_all_that_is_written_of_it() {
        for central in every_central() {
            let around = (central.local().len() + central.trailer().len()) as u64;
            assert_eq!(central.end(), Some(central.place.offset + around + central.content.stored), "{central:?}");
        }
    }

    #[test]
    fn no_flipped_bit_of_a_record_says_the_same() {
        for central in every_central().step_by(41) {
            let bytes = central.bytes();
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(Central::parse(&flipped), Ok((central.clone(), bytes.len())), "bit {bit} of {central:?}");
            }
        }
    }

    #[test]
    fn a_record_that_is_cut_is_told_from_one_that_is_foreign() {
        let bytes = every_central().next().unwrap().bytes();
        for length in 0..bytes.len() {
            assert_eq!(Central::parse(&bytes[..length]), Err(BadRecord::Cut));
        }
        assert_eq!(Central::parse(&[b'x'; 200]), Err(BadRecord::Foreign));
    }

    #[test]
    fn the_end_is_found_again_and_no_flipped_bit_of_it_is_overlooked() {
        for (entries, offset, size) in
            [(0, 0, 0), (1, 76, 100), (65_534, 5, 5), (65_535, 5, 5), (3, u32::MAX.into(), 7), (3, 1 << 40, 1 << 33)]
        {
            let directory = Directory { entries, offset, size };
            let bytes = [b"before".to_vec(), end(&directory, 43)].concat();
            assert_eq!(parse_end(&bytes, 43), Some(directory));
            assert_eq!(parse_end(&bytes, 42), None);
            for bit in 6 * 8..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(parse_end(&flipped, 43), Some(directory), "bit {bit}");
            }
        }
    }
}
