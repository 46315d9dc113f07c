//! Extended attributes of open files and directories, POSIX access control lists and capabilities among them.

use std::io;

use rustix::fd::AsFd;
use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// The most that the system lists or stores for one file and attribute, in bytes (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MOST: usize = 64 * 1024;

/// An extended attribute's name and value.
pub(super) type Xattr = (Vec<u8>, Vec<u8>);

/// Reads and writes extended attributes; keeps its buffers from file to file.
pub(super) struct Xattrs {
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Xattrs {
    fn default() -> Self {
        Self { names: vec![0; MOST], value: vec![0; MOST] }
    }
}

impl Xattrs {
    /// Gives each attribute that belongs to a file's content rather than to the system that it lies on to `each`, in the
    /// order of their names.
    ///
    /// # Errors
    /// An attribute cannot be read. One that vanishes meanwhile, or a file system without them, is none.
    pub(super) fn read(&mut self, file: impl AsFd) -> io::Result<Vec<Xattr>> {
        let length = match rustix::fs::flistxattr(&file, &mut self.names[..]) {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
            other => other?,
        };
        let mut found = Vec::new();
        for name in self.names[..length].split(|&byte| byte == 0).filter(|name| is_content(name)) {
            match rustix::fs::fgetxattr(&file, name, &mut self.value[..]) {
                Ok(length) => found.push((name.to_vec(), self.value[..length].to_vec())),
                Err(Errno::NODATA) => {}
                Err(why) => return Err(why.into()),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Whether a file has exactly these, but for a security label that the system itself gave it.
    ///
    /// # Errors
    /// As [`Xattrs::read`].
    pub(super) fn agree(&mut self, file: impl AsFd, wanted: &[Xattr]) -> io::Result<bool> {
        let there = self.read(file)?;
        let superfluous = there.iter().any(|(name, _)| name != LABEL && !wanted.iter().any(|(other, _)| other == name));
        Ok(!superfluous && wanted.iter().all(|attribute| there.contains(attribute)))
    }

    /// Makes the attributes of a file exactly these, but for a security label that the system itself gave it.
    ///
    /// # Errors
    /// An attribute cannot be written or removed; the others are.
    pub(super) fn write(&mut self, file: impl AsFd, wanted: &[Xattr]) -> io::Result<()> {
        let there = self.read(&file)?;
        let mut result = Ok(());
        for (name, _) in there.iter().filter(|(name, _)| name != LABEL && !wanted.iter().any(|(other, _)| other == name)) {
            result = result.and(rustix::fs::fremovexattr(&file, &name[..]));
        }
        for (name, value) in wanted.iter().filter(|attribute| !there.contains(attribute)) {
            result = result.and(rustix::fs::fsetxattr(&file, &name[..], value, XattrFlags::empty()));
        }
        Ok(result?)
    }
}

/// The label that a system with SELinux gives each file that is made.
const LABEL: &[u8] = b"security.selinux";

/// Of the system's own name space only the access control lists are content; the rest is made by the file system.
fn is_content(name: &[u8]) -> bool {
    !name.is_empty() && (!name.starts_with(b"system.") || name.starts_with(b"system.posix_acl_"))
}
