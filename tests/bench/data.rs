//! The data: the same bytes for the same scale on every machine, made from a fixed seed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use fastrand::Rng;

use crate::measure::Result;

const SEED: u64 = 0x2026_0822;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// How much a tree of media files holds.
#[derive(Clone, Copy)]
pub(crate) struct Media {
    /// How many files of 4 to 64 KiB, or less where `shrink` says so.
    pub(crate) small: u64,
    /// How many files of 50 to 100 MiB, or less where `shrink` says so.
    pub(crate) large: u64,
    /// By what the sizes are divided.
    pub(crate) shrink: u64,
}

/// Makes a tree of uploads, as shops have them: of the small files 70 in 100, of the large ones 4 in 5 are incompressible
/// (pictures, films), the rest is text. Returns the bytes of content.
pub(crate) fn media(root: &Path, shape: Media) -> Result<u64> {
    let mut rng = Rng::with_seed(SEED);
    let words = Words::new(&mut rng);
    let mut total = 0;
    for number in 0..shape.small {
        let text = rng.u32(..100) >= 70;
        let name = format!("2026/{:03}/{number:06}.{}", number / 100, if text { "html" } else { "jpg" });
        let size = rng.u64(4 * KIB..=64 * KIB) / shape.shrink;
        total += file(&root.join(name), size, text, &words, &mut rng)?;
    }
    for number in 0..shape.large {
        let text = number % 5 == 4;
        let name = format!("films/{number:03}.{}", if text { "csv" } else { "mp4" });
        let size = rng.u64(50 * MIB..=100 * MIB) / shape.shrink;
        total += file(&root.join(name), size, text, &words, &mut rng)?;
    }
    Ok(total)
}

/// Gives every file of `from` ten names below `to`, as hard links: ten times the media without ten times the disk.
pub(crate) fn ten_names(from: &Path, to: &Path) -> Result<()> {
    (0..10).try_for_each(|copy| link_tree(from, &to.join(format!("copy-{copy}"))))
}

/// `count` names for files of some hundred bytes, 1000 to a directory; 50 names share a file, as hard links.
pub(crate) fn many(root: &Path, count: u64) -> Result<()> {
    const NAMES_PER_FILE: u64 = 50;
    let mut rng = Rng::with_seed(SEED);
    let words = Words::new(&mut rng);
    let mut first = root.to_owned();
    for number in 0..count {
        let path = root.join(format!("{:04}/{number:07}.txt", number / 1000));
        if number % NAMES_PER_FILE == 0 {
            file(&path, rng.u64(100..800), true, &words, &mut rng)?;
            first = path;
        } else {
            fs::create_dir_all(path.parent().unwrap_or(root))?;
            fs::hard_link(&first, &path)?;
        }
    }
    Ok(())
}

/// A database in WAL mode with rows as applications keep them, of about this many bytes.
pub(crate) fn database(path: &Path, size: u64) -> Result<()> {
    let mut rng = Rng::with_seed(SEED);
    let words = Words::new(&mut rng);
    let mut connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE event (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL, at TEXT NOT NULL, customer INTEGER NOT NULL,
                             amount REAL NOT NULL, details TEXT NOT NULL, note TEXT NOT NULL);
         CREATE INDEX event_customer ON event (customer, at);",
    )?;
    while fs::metadata(path)?.len() < size {
        let transaction = connection.transaction()?;
        let mut insert =
            transaction.prepare("INSERT INTO event (uuid, at, customer, amount, details, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for _ in 0..10_000 {
            let uuid = format!(
                "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
                rng.u32(..),
                rng.u16(..),
                rng.u16(..4096),
                rng.u16(..4096),
                rng.u64(..1 << 48)
            );
            let at =
                format!("2026-{:02}-{:02}T{:02}:{:02}:{:02}Z", rng.u8(1..=12), rng.u8(1..=28), rng.u8(..24), rng.u8(..60), rng.u8(..60));
            let details = format!(
                r#"{{"sku": "{}-{}", "quantity": {}, "currency": "EUR", "address": {{"street": "{} {}", "city": "{}"}}}}"#,
                words.some(&mut rng),
                rng.u32(..10_000),
                rng.u8(1..9),
                words.some(&mut rng),
                rng.u8(..),
                words.some(&mut rng)
            );
            let note = words.text(rng.usize(60..340), &mut rng);
            insert.execute((uuid, at, rng.u32(..50_000), f64::from(rng.u32(..100_000)) / 100.0, details, note))?;
        }
        drop(insert);
        transaction.commit()?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
    }
    Ok(())
}

/// Rows of a table of events as PostgreSQL's COPY reads them, of about this many bytes: numbers, a UUID, times, JSON, text.
pub(crate) fn events(path: &Path, size: u64) -> Result<()> {
    let mut rng = Rng::with_seed(SEED);
    let words = Words::new(&mut rng);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut written, mut id) = (0, 0);
    while written < size {
        id += 1;
        let uuid = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            rng.u32(..),
            rng.u16(..),
            rng.u16(..4096),
            rng.u16(..4096),
            rng.u64(..1 << 48)
        );
        let mut at = || {
            let (month, day, hour) = (rng.u8(1..=12), rng.u8(1..=28), rng.u8(..24));
            format!("2026-{month:02}-{day:02} {hour:02}:{:02}:{:02}.{:06}+00", rng.u8(..60), rng.u8(..60), rng.u32(..1_000_000))
        };
        let (at, changed) = (at(), at());
        let (customer, amount) = (rng.u32(..50_000), f64::from(rng.u32(..100_000)) / 100.0);
        let details = format!(
            r#"{{"sku": "{}-{}", "city": "{}", "quantity": {}, "currency": "EUR"}}"#,
            words.some(&mut rng),
            rng.u32(..10_000),
            words.some(&mut rng),
            rng.u8(1..9)
        );
        let length = rng.usize(100..300);
        let note = words.text(length, &mut rng).replace('\n', " ");
        let row = format!("{id}\t{uuid}\t{at}\t{changed}\t{customer}\t{amount:.2}\t{details}\t{note}\n");
        out.write_all(row.as_bytes())?;
        written += row.len() as u64;
    }
    out.flush()?;
    Ok(())
}

fn file(path: &Path, size: u64, text: bool, words: &Words, rng: &mut Rng) -> Result<u64> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut out = BufWriter::new(File::create(path)?);
    let mut noise = vec![0; 64 * 1024];
    let mut left = usize::try_from(size)?;
    while left > 0 {
        let take = left.min(noise.len());
        if text {
            out.write_all(words.text(take, rng).as_bytes())?;
        } else {
            rng.fill(&mut noise[..take]);
            out.write_all(&noise[..take])?;
        }
        left -= take;
    }
    out.flush()?;
    Ok(size)
}

fn link_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { link_tree(&entry.path(), &target)? } else { fs::hard_link(entry.path(), target)? }
    }
    Ok(())
}

/// A vocabulary whose words are used as unevenly as a language's: compresses about as prose and tables do.
struct Words(Vec<String>);

impl Words {
    fn new(rng: &mut Rng) -> Self {
        const SYLLABLES: [&str; 24] = [
            "ba", "ter", "lo", "mi", "san", "de", "ru", "kel", "no", "vi", "par", "tu", "gen", "ho", "lis", "ma", "or", "pe", "qui", "ra",
            "sto", "un", "wen", "za",
        ];
        Self((0..4000).map(|_| (0..rng.usize(1..=4)).map(|_| SYLLABLES[rng.usize(..SYLLABLES.len())]).collect()).collect())
    }

    fn some(&self, rng: &mut Rng) -> &str {
        let uneven = rng.f64().powi(3);
        &self.0[(uneven * self.0.len() as f64) as usize]
    }

    /// Exactly `size` bytes of text.
    fn text(&self, size: usize, rng: &mut Rng) -> String {
        let mut text = String::with_capacity(size + 32);
        while text.len() < size {
            match rng.u8(..12) {
                0 => write!(text, "{}", rng.u32(..100_000)).expect("a string takes all"),
                1 => text.push_str("\n- "),
                _ => text.push_str(self.some(rng)),
            }
            text.push(' ');
        }
        text.truncate(size);
        text
    }
}
