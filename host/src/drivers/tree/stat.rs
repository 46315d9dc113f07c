//! What the system says of one file, directory or link, in one shape for all platforms' widths.

use std::io;

use jiff::Timestamp;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Stat, StatxAttributes, StatxFlags};

/// The metadata of one thing in a directory tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) sort: Sort,
    /// The permission bits, with set-user-ID, set-group-ID and sticky.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u64,
    /// The bytes that it takes on the disk.
    pub(super) allocated: u64,
    pub(super) stamp: Stamp,
}

/// What changes when a file does: two looks at an unchanged file give equal stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) id: Id,
    pub(super) size: u64,
    pub(super) modified: Time,
    pub(super) changed: Time,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// Seconds since 1970, rounded down, and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
}

/// What sort of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    File,
    Directory,
    Symlink,
    Socket,
    Pipe,
    Device,
}

impl Meta {
    /// Of an open file or directory.
    pub(super) fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::from(rustix::fs::fstat(file)?))
    }

    /// Of `leaf` in an open directory; of the link itself where it is one.
    pub(super) fn at(directory: impl AsFd, leaf: &[u8]) -> io::Result<Self> {
        Ok(Self::from(rustix::fs::statat(directory, leaf, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Of `leaf` in an open directory, or of what it points to where it is a link.
    pub(super) fn through(directory: impl AsFd, leaf: &[u8]) -> io::Result<Self> {
        Ok(Self::from(rustix::fs::statat(directory, leaf, AtFlags::empty())?))
    }
}

impl Meta {
    /// Whether something of another file system than `device` is mounted at `leaf` of an open directory, of which this tells.
    /// The device alone tells it of directories only: layered file systems give their files devices of their own.
    pub(super) fn is_mounted(&self, directory: impl AsFd, leaf: &[u8], device: u64) -> bool {
        self.stamp.id.device != device && (self.sort == Sort::Directory || is_root_of_mount(directory, leaf))
    }
}

fn is_root_of_mount(directory: impl AsFd, leaf: &[u8]) -> bool {
    let stat = rustix::fs::statx(directory, leaf, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    stat.is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

impl From<Stat> for Meta {
    #[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "the fields' widths differ between platforms")]
    fn from(stat: Stat) -> Self {
        let sort = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Sort::File,
            FileType::Directory => Sort::Directory,
            FileType::Symlink => Sort::Symlink,
            FileType::Socket => Sort::Socket,
            FileType::Fifo => Sort::Pipe,
            FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => Sort::Device,
        };
        Self {
            sort,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            links: stat.st_nlink as u64,
            allocated: stat.st_blocks as u64 * 512,
            stamp: Stamp {
                id: Id { device: stat.st_dev as u64, inode: stat.st_ino as u64 },
                size: stat.st_size as u64,
                modified: Time { seconds: stat.st_mtime as i64, nanoseconds: stat.st_mtime_nsec as u32 },
                changed: Time { seconds: stat.st_ctime as i64, nanoseconds: stat.st_ctime_nsec as u32 },
            },
        }
    }
}

impl Time {
    /// As an entry tells it; none where the system's time lies outside of the years that a timestamp can express.
    pub(super) fn timestamp(self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, i32::try_from(self.nanoseconds).ok()?).ok()
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        let nanoseconds = at.subsec_nanosecond();
        let before = i64::from(nanoseconds < 0);
        let whole = if before == 1 { nanoseconds + 1_000_000_000 } else { nanoseconds };
        Self { seconds: at.as_second() - before, nanoseconds: u32::try_from(whole).unwrap_or(0) }
    }
}

impl From<Time> for rustix::fs::Timespec {
    fn from(time: Time) -> Self {
        Self { tv_sec: time.seconds, tv_nsec: i64::from(time.nanoseconds) }
    }
}
