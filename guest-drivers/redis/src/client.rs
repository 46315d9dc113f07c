//! Commands and replies (RESP2, as redis.io/docs/latest/develop/reference/protocol-spec has it) over a connection. The library
//! `redis-protocol` writes and reads them; here they are queued, waited for, and their errors told in the contract's words.

use driver_guest::{Details, Error, ErrorKind, Result, error};
use redis_protocol::resp2::decode::decode_range;
use redis_protocol::resp2::encode::encode_borrowed;
use redis_protocol::resp2::types::{BorrowedFrame, RangeFrame};

use crate::connection::Connection;

/// A command has so many parts at most.
const MOST_PARTS: usize = 8;

/// From this size on, buffers grow by a quarter and not to the double: the guest's memory is limited.
const LARGE: usize = 4 << 20;

/// Speaks with a server.
pub(crate) struct Client {
    connection: Connection,
    /// Bytes that were received; those before `taken` were replied with already.
    received: Vec<u8>,
    taken: usize,
}

/// What can be done about values of a newer format.
pub(crate) const OLDER: &str = "the server is older than the one that was dumped: restore to the same version or a newer one";

/// A reply.
#[derive(Debug)]
pub(crate) enum Reply<'a> {
    /// A string, of bytes.
    Bulk(&'a [u8]),
    /// `OK` and the like.
    Simple,
    Integer(i64),
    Null,
    /// An array of strings and arrays.
    Array(Vec<Reply<'a>>),
    /// What the server refused, in its words.
    Error(&'a str),
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(crate) fn open(address: &str, timeout: u64) -> Result<Self> {
        Ok(Self { connection: Connection::open(address, timeout)?, received: Vec::new(), taken: 0 })
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &str {
        self.connection.address()
    }

    /// Queues a command.
    ///
    /// # Errors
    /// It does not fit into the guest's memory.
    pub(crate) fn queue(&mut self, parts: &[&[u8]]) -> Result<()> {
        let mut frames = [const { BorrowedFrame::Null }; MOST_PARTS];
        for (frame, part) in frames.iter_mut().zip(parts) {
            *frame = BorrowedFrame::BulkString(part);
        }
        let command = BorrowedFrame::Array(&frames[..parts.len()]);
        let (length, out) = (command.encode_len(false), self.connection.out());
        let begin = out.len();
        if !grow(out, length) {
            return Err(too_large(length));
        }
        out.resize(begin + length, 0);
        encode_borrowed(&mut out[begin..], &command, false).map(drop).map_err(|why| error(ErrorKind::Other, why.to_string()))
    }

    /// Sends what is queued, as far as that goes without waiting.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send(&mut self) -> Result<()> {
        self.connection.send()
    }

    /// How many bytes of commands wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.connection.unsent()
    }

    /// The reply to the command that was queued first and not replied to.
    ///
    /// # Errors
    /// The connection is broken; what comes is no reply; it does not fit into the guest's memory; the run is cancelled.
    pub(crate) fn reply(&mut self) -> Result<Reply<'_>> {
        let (frame, length) = self.wait_for_frame()?;
        let frame_bytes = &self.received[self.taken..self.taken + length];
        self.taken += length;
        view(frame, frame_bytes).ok_or_else(|| garbled(self.connection.address()))
    }

    fn wait_for_frame(&mut self) -> Result<(RangeFrame, usize)> {
        loop {
            match decode_range(&self.received[self.taken..]) {
                Ok(Some(decoded)) => return Ok(decoded),
                Ok(None) => {}
                Err(_) => return Err(garbled(self.connection.address())),
            }
            let more = self.connection.receive()?;
            self.received.drain(..self.taken);
            self.taken = 0;
            if self.received.is_empty() {
                self.received = more;
            } else if grow(&mut self.received, more.len()) {
                self.received.extend_from_slice(&more);
            } else {
                return Err(too_large(self.received.len() + more.len()));
            }
        }
    }

    /// Sends one command and waits for its reply; an error of the server's is one.
    ///
    /// # Errors
    /// As [`Client::reply`], and what the server refuses.
    pub(crate) fn call(&mut self, parts: &[&[u8]]) -> Result<Reply<'_>> {
        self.queue(parts)?;
        let what = String::from_utf8_lossy(parts.first().copied().unwrap_or_default()).into_owned();
        match self.reply()? {
            Reply::Error(said) => Err(refused(&what, said)),
            reply => Ok(reply),
        }
    }
}

/// Makes room for more bytes. Says whether there is as much memory.
fn grow(buffer: &mut Vec<u8>, more: usize) -> bool {
    let wanted = buffer.len() + more;
    if wanted <= buffer.capacity() {
        true
    } else if wanted < LARGE {
        buffer.try_reserve(more).is_ok()
    } else {
        buffer.try_reserve_exact(more.max(buffer.len() / 4)).or_else(|_| buffer.try_reserve_exact(more)).is_ok()
    }
}

/// Something does not fit into the guest's memory; who knows the key adds it.
pub(crate) fn too_large(bytes: usize) -> Error {
    let mebibytes = bytes.div_ceil(1 << 20);
    error(ErrorKind::Unavailable, format!("the driver's memory is too small for a value: {mebibytes} MiB of it do not fit beside the rest"))
        .hint("raise `limit.memory` to 16 MiB and three times the largest value")
}

fn garbled(address: &str) -> Error {
    error(ErrorKind::Corrupt, format!("what `{address}` sends is not the protocol of Redis"))
        .hint("see whether the address is that of a Redis server, and takes connections without TLS")
}

fn view(frame: RangeFrame, bytes: &[u8]) -> Option<Reply<'_>> {
    Some(match frame {
        RangeFrame::BulkString((begin, end)) => Reply::Bulk(bytes.get(begin..end)?),
        RangeFrame::SimpleString(_) => Reply::Simple,
        RangeFrame::Error((begin, end)) => Reply::Error(std::str::from_utf8(bytes.get(begin..end)?).unwrap_or("an error")),
        RangeFrame::Integer(number) => Reply::Integer(number),
        RangeFrame::Array(frames) => Reply::Array(frames.into_iter().map(|frame| view(frame, bytes)).collect::<Option<_>>()?),
        RangeFrame::Null => Reply::Null,
    })
}

/// A reply of the wrong kind.
pub(crate) fn unexpected(what: &str) -> Error {
    error(ErrorKind::Corrupt, format!("the server's reply to `{what}` is not what it should be"))
}

/// What the server refused, in the contract's words. Its errors begin with a word in capitals.
pub(crate) fn refused(what: &str, said: &str) -> Error {
    let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
    let kind = match word {
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "READONLY" | "DENIED" => ErrorKind::PermissionDenied,
        "LOADING" | "BUSY" | "MASTERDOWN" | "OOM" | "TRYAGAIN" | "MISCONF" | "NOREPLICAS" => ErrorKind::Unavailable,
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => ErrorKind::Unsupported,
        "ERR" if rest.contains("DB index is out of range") || rest.contains("invalid DB index") => ErrorKind::InvalidConfig,
        "ERR" if rest.contains("payload version or checksum") => ErrorKind::Unsupported,
        "ERR" if rest.contains("Bad data format") => ErrorKind::Corrupt,
        "ERR" if rest.contains("max number of clients") => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    };
    let told = error(kind, format!("the server refuses `{what}`: {said}"));
    let told = match hint(word, rest) {
        Some(hint) => told.hint(hint),
        None => told,
    };
    if kind == ErrorKind::Unavailable { told.retryable() } else { told }
}

fn hint(word: &str, rest: &str) -> Option<&'static str> {
    Some(match word {
        "WRONGPASS" => "check `username` and the secret `password`",
        "NOPERM" => "let the user run the commands and reach the keys that the driver's README names",
        "READONLY" => "restore to the primary, not to a replica",
        "OOM" => "raise the server's `maxmemory`, or make room",
        "ERR" if rest.contains("DB index is out of range") => "the server has fewer databases: see its `databases` setting",
        "ERR" if rest.contains("payload version or checksum") => OLDER,
        _ => return None,
    })
}
