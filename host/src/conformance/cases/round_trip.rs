//! What goes in comes out: dump from one place, restore to another that is empty.

use super::super::fault::{FaultyWriter, Trigger};
use super::super::{Contents, MemoryArchive};
use super::{Broken, Stop, Suite, expect, noise};
use crate::drivers::RestoreOptions;
use crate::name::EntryName;

pub(super) fn nothing(suite: &Suite<'_>) -> Result<(), Stop> {
    Ok(there_and_back(suite, &Contents::new())?)
}

pub(super) fn few(suite: &Suite<'_>) -> Result<(), Stop> {
    Ok(there_and_back(suite, &suite.few())?)
}

/// Names that were lost or mistaken somewhere before.
pub(super) fn odd_names(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.items(ODD_NAMES.iter().map(|name| (*name, name.to_vec())));
    suite.tried(format!("{} of {} names", items.len(), ODD_NAMES.len()));
    if items.is_empty() {
        return Err(Stop::LeftOut("the subject holds none of the odd names".into()));
    }
    Ok(there_and_back(suite, &items)?)
}

/// None of them is another one's directory, so that a file system can hold those that it can hold side by side.
pub(super) const ODD_NAMES: &[&[u8]] = &[
    b".hidden",
    b"..two-dots",
    b"...",
    b".dir/.file",
    b" leading",
    b"trailing ",
    b"trailing.",
    b"with space/and another",
    b"slashes//inside",
    b"/leading-slash",
    b"trailing-slash/",
    b"dots/../inside",
    b"dots/./inside",
    b"../outside",
    b"..",
    b".",
    b"x#12",
    b"x?y=z&w",
    b"x;v=1",
    b"50%",
    b"%41",
    b"%2F",
    b"back\\slash",
    b"C:\\windows",
    b"C:drive",
    b"CON",
    b"new\nline",
    b"carriage\rreturn",
    b"tab\there",
    b"escape\x1b[31m",
    b"nul\0inside",
    b"not utf-8 \xff\xfe",
    b"~tilde",
    b"-rf",
    b"*glob?[x]{y}",
    b"quote'\"`",
    b"$HOME ${HOME}",
    b"UPPER",
    b"upper",
    "gr\u{fc}n".as_bytes(),
    "gru\u{308}n".as_bytes(),
    "\u{6f22}\u{5b57}/\u{540d}\u{524d}".as_bytes(),
    "\u{645}\u{644}\u{641}".as_bytes(),
    "\u{1f4be}".as_bytes(),
    "\u{202e}fdp.exe".as_bytes(),
    b"conformance/its own set",
    b"conformance2/a set that begins alike",
    b"self/x",
    b"dr-host/manifest.json",
    &[b'n'; 255],
    &[b'm'; 1000],
];

pub(super) fn odd_contents(suite: &Suite<'_>) -> Result<(), Stop> {
    const MIB: usize = 1024 * 1024;
    let items = suite.items([
        (&b"nothing"[..], Vec::new()),
        (b"one byte", vec![0]),
        (b"zeros", vec![0; 300_000]),
        (b"zeros, then noise", [vec![0; 131_072], noise(4, 5)].concat()),
        (b"noise, then zeros", [noise(5, 5), vec![0; 131_072]].concat()),
        (b"all bytes", (0..=255).collect()),
        (b"line ends", b"\n\r\n\r\\.\n\\N\t\0".to_vec()),
        (b"no UTF-8", vec![0xff; 1000]),
        (b"64 KiB", noise(6, 65_536)),
        (b"64 KiB and one", noise(7, 65_537)),
        (b"1 MiB less one", noise(8, MIB - 1)),
        (b"1 MiB", noise(9, MIB)),
        (b"a zip", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
    ]);
    Ok(there_and_back(suite, &items)?)
}

pub(super) fn many(suite: &Suite<'_>) -> Result<(), Stop> {
    let named = |n: usize| (EntryName::from(format!("many/{:02}/item {n}", n % 50)), noise(n as u64, n % 700));
    let items: Contents = (0..suite.options.many).map(named).filter(|(name, content)| suite.subject.holds(name, content)).collect();
    Ok(there_and_back(suite, &items)?)
}

pub(super) fn large(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.items([(&b"large"[..], noise(10, suite.options.large)), (b"small", b"beside it".to_vec())]);
    Ok(there_and_back(suite, &items)?)
}

pub(super) fn tiny_pieces(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.few();
    let source = suite.filled(&items)?;
    let archive = suite.dump_through(source.as_ref(), |writer| Box::new(FaultyWriter::new(writer, Trigger::never()).room(3)))?;
    let target = suite.place()?;
    let restored = suite.restore_with(target.as_ref(), &archive, RestoreOptions::default(), |reader| reader.piece(1))?;
    restored.result.map_err(|error| format!("the restore failed: {error}"))?;
    Ok(expect(target.as_ref(), &items)?)
}

pub(super) fn another_order(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.few();
    let source = suite.filled(&items)?;
    let archive = suite.dump(source.as_ref())?;
    let target = suite.place()?;
    let restored = suite.restore_with(target.as_ref(), &archive, RestoreOptions::default(), |reader| reader.reversed())?;
    restored.result.map_err(|error| format!("the restore failed: {error}"))?;
    Ok(expect(target.as_ref(), &items)?)
}

fn there_and_back(suite: &Suite<'_>, items: &Contents) -> Result<(), Broken> {
    let source = suite.filled(items)?;
    let archive: MemoryArchive = suite.dump(source.as_ref())?;
    let target = suite.place()?;
    suite.restore(target.as_ref(), &archive, RestoreOptions::default())?;
    expect(target.as_ref(), items)
}
