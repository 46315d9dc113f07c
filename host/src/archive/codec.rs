//! What happens to the bytes of an entry on their way in and out: hashing and (de)compression, one stream at a time.

use std::io::{self, BufRead, Read, Write};

use sha2::{Digest as _, Sha256};

use super::compression::Method;

/// The largest window that a zstd frame of an archive may ask a reader to keep: 8 MiB, what RFC 8878 (section 3.1.1.1.2)
/// advises every decoder to support.
const WINDOW_LOG_MAX: u32 = 23;

/// What an entry's bytes turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) crc: u32,
    pub(super) size: u64,
    pub(super) sha256: [u8; 32],
}

/// CRC-32, SHA-256 and size of what passes.
#[derive(Clone, Default)]
pub(super) struct Hasher {
    crc: crc32fast::Hasher,
    sha256: Sha256,
    size: u64,
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
    }

    pub(super) fn finish(self) -> Digest {
        Digest { crc: self.crc.finalize(), size: self.size, sha256: self.sha256.finalize().into() }
    }
}

/// Hashes what is written through it.
pub(super) struct Hashing<W> {
    hasher: Hasher,
    into: W,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(into: W) -> Self {
        Self { hasher: Hasher::default(), into }
    }

    pub(super) fn finish(self) -> (W, Digest) {
        (self.into, self.hasher.finish())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.into.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// Compresses what is written to it.
pub(super) enum Encoder<W: Write> {
    Store(W),
    Deflate(flate2::write::DeflateEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(method: Method, level: i32, into: W) -> io::Result<Self> {
        Ok(match method {
            Method::Store => Self::Store(into),
            Method::Deflate => Self::Deflate(flate2::write::DeflateEncoder::new(into, flate2::Compression::new(level.unsigned_abs()))),
            Method::Zstd => Self::Zstd(zstd::Encoder::new(into, level)?),
        })
    }

    /// Writes what is left, and gives back what it wrote into.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Store(into) => Ok(into),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Store(into) => into.write(bytes),
            Self::Deflate(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Store(into) => into.flush(),
            Self::Deflate(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// Decompresses what it reads.
pub(super) enum Decoder<R: BufRead> {
    Store(R),
    Deflate(flate2::bufread::DeflateDecoder<R>),
    Zstd(zstd::Decoder<'static, R>),
}

impl<R: BufRead> Decoder<R> {
    pub(super) fn new(method: Method, from: R) -> io::Result<Self> {
        Ok(match method {
            Method::Store => Self::Store(from),
            Method::Deflate => Self::Deflate(flate2::bufread::DeflateDecoder::new(from)),
            Method::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(from)?.single_frame();
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Self::Zstd(decoder)
            }
        })
    }

    /// Gives back what it read from, which stands behind the last byte that was needed.
    pub(super) fn into_inner(self) -> R {
        match self {
            Self::Store(from) => from,
            Self::Deflate(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Store(from) => from.read(buffer),
            Self::Deflate(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}
