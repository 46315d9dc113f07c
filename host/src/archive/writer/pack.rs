//! Compression: of whole entries that fit one block, and of streams piece by piece. Contexts are made once and reused.

use std::io;
use std::sync::{Mutex, PoisonError};

use flate2::{Compress, FlushCompress, Status};
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use super::super::compression::Method;
use super::block::Block;

/// What a worker of zstd's own takes at a time, in bytes.
const JOB: u32 = 1 << 20;

/// How many samples are taken of a block to see whether it compresses, and of what size.
const SAMPLES: usize = 4;
const SAMPLE: usize = 64 << 10;

/// Whether compression is worth its time: whether samples shrink by a 32nd at least.
pub(super) fn compresses(block: &[u8]) -> bool {
    let mut probe = match zstd::bulk::Compressor::new(1) {
        Ok(probe) => probe,
        Err(_) => return true,
    };
    let step = block.len() / SAMPLES;
    let samples = (0..SAMPLES).map(|number| &block[number * step..][..step.min(SAMPLE)]);
    let (before, after) = samples.fold((0, 0), |(before, after), sample| {
        (before + sample.len(), after + probe.compress(sample).map_or(sample.len(), |packed| packed.len()))
    });
    after + after / 32 < before
}

/// Compresses whole entries.
pub(super) struct WholePacker {
    method: Method,
    zstd: zstd::bulk::Compressor<'static>,
    deflate: Compress,
    packed: Vec<u8>,
}

impl WholePacker {
    pub(super) fn new(method: Method, level: i32) -> io::Result<Self> {
        let zstd = zstd::bulk::Compressor::new(if method == Method::Zstd { level } else { 1 })?;
        Ok(Self { method, zstd, deflate: deflate(method, level), packed: Vec::new() })
    }

    /// The method that suits the bytes, and what it makes of them.
    pub(super) fn pack<'a>(&'a mut self, bytes: &'a [u8]) -> io::Result<(Method, &'a [u8])> {
        self.packed.clear();
        match self.method {
            Method::Zstd if !bytes.is_empty() => {
                self.packed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
                self.zstd.compress_to_buffer(bytes, &mut self.packed)?;
            }
            Method::Deflate if worth_deflating(bytes) => {
                // No more room than the bytes themselves take: what needs more is better stored.
                self.packed.reserve(bytes.len());
                self.deflate.reset();
                if self.deflate.compress_vec(bytes, &mut self.packed, FlushCompress::Finish)? != Status::StreamEnd {
                    self.packed.clear();
                }
            }
            _ => {}
        }
        let gains = !self.packed.is_empty() && self.packed.len() < bytes.len();
        Ok(if gains { (self.method, &self.packed) } else { (Method::Store, bytes) })
    }
}

/// Deflate takes its time over what does not shrink.
fn worth_deflating(bytes: &[u8]) -> bool {
    !bytes.is_empty() && (bytes.len() < SAMPLE || compresses(bytes))
}

fn deflate(method: Method, level: i32) -> Compress {
    let level = if method == Method::Deflate { level.unsigned_abs() } else { 1 };
    Compress::new(flate2::Compression::new(level), false)
}

/// Compresses streams; its contexts are reused from one to the next.
pub(super) struct Packers {
    level: i32,
    workers: u32,
    idle: Mutex<Idle>,
}

/// Contexts of zstd between two streams. Only one of them works in several threads: that keeps all processors busy, and each
/// takes memory for every thread.
#[derive(Default)]
struct Idle {
    parallel: Option<Encoder<'static>>,
    parallel_taken: bool,
    single: Vec<Encoder<'static>>,
}

impl Packers {
    pub(super) fn new(level: i32, workers: usize) -> Self {
        Self { level, workers: u32::try_from(workers).unwrap_or(1), idle: Mutex::default() }
    }

    /// A packer for one stream; `None` for [`Method::Store`].
    pub(super) fn take(&self, method: Method) -> io::Result<Option<StreamPacker<'_>>> {
        let coder = match method {
            Method::Store => return Ok(None),
            Method::Deflate => Coder::Deflate(deflate(method, self.level)),
            Method::Zstd => self.take_zstd()?,
        };
        Ok(Some(StreamPacker { coder, packers: self }))
    }

    fn take_zstd(&self) -> io::Result<Coder> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if self.workers < 2 || idle.parallel_taken {
            let encoder = idle.single.pop().map_or_else(|| Encoder::new(self.level), Ok)?;
            return Ok(Coder::Zstd { encoder, parallel: false });
        }
        let encoder = idle.parallel.take().map_or_else(|| self.parallel_encoder(), Ok)?;
        idle.parallel_taken = true;
        Ok(Coder::Zstd { encoder, parallel: true })
    }

    fn parallel_encoder(&self) -> io::Result<Encoder<'static>> {
        let mut encoder = Encoder::new(self.level)?;
        encoder.set_parameter(CParameter::NbWorkers(self.workers))?;
        encoder.set_parameter(CParameter::JobSize(JOB))?;
        Ok(encoder)
    }

    fn give_back(&self, mut encoder: Encoder<'static>, parallel: bool) {
        // One that cannot be made ready for the next stream is dropped.
        let encoder = encoder.reinit().is_ok().then_some(encoder);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if parallel {
            idle.parallel_taken = false;
            idle.parallel = encoder;
        } else {
            idle.single.extend(encoder);
        }
    }
}

/// Compresses one stream.
pub(super) struct StreamPacker<'a> {
    coder: Coder,
    packers: &'a Packers,
}

enum Coder {
    Deflate(Compress),
    Zstd { encoder: Encoder<'static>, parallel: bool },
    Given,
}

impl StreamPacker<'_> {
    /// Compresses some of `input` into the room of `into`; says how much was taken. To be called again until all is, with an
    /// empty block whenever one is full.
    pub(super) fn pack(&mut self, input: &[u8], into: &mut Block) -> io::Result<usize> {
        match &mut self.coder {
            Coder::Deflate(deflate) => {
                let (taken, given) = (deflate.total_in(), deflate.total_out());
                deflate.compress(input, into.space(), FlushCompress::None)?;
                into.advance((deflate.total_out() - given) as usize);
                Ok((deflate.total_in() - taken) as usize)
            }
            Coder::Zstd { encoder, .. } => {
                let mut from = InBuffer::around(input);
                let mut to = OutBuffer::around(into.space());
                encoder.run(&mut from, &mut to)?;
                let given = to.pos();
                into.advance(given);
                Ok(from.pos())
            }
            Coder::Given => Ok(input.len()),
        }
    }

    /// Ends the stream; says whether everything is out. To be called again, with an empty block, until it is.
    pub(super) fn end(&mut self, into: &mut Block) -> io::Result<bool> {
        match &mut self.coder {
            Coder::Deflate(deflate) => {
                let given = deflate.total_out();
                let status = deflate.compress(&[], into.space(), FlushCompress::Finish)?;
                into.advance((deflate.total_out() - given) as usize);
                Ok(status == Status::StreamEnd)
            }
            Coder::Zstd { encoder, .. } => {
                let mut to = OutBuffer::around(into.space());
                let left = encoder.finish(&mut to, false)?;
                let given = to.pos();
                into.advance(given);
                Ok(left == 0)
            }
            Coder::Given => Ok(true),
        }
    }
}

impl Drop for StreamPacker<'_> {
    fn drop(&mut self) {
        if let Coder::Zstd { encoder, parallel } = std::mem::replace(&mut self.coder, Coder::Given) {
            self.packers.give_back(encoder, parallel);
        }
    }
}
