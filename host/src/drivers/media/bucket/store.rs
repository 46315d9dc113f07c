//! A bucket, behind a blocking face: listing, fetching, putting, deleting; and what servers answer, in this project's words.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{Attributes, GetOptions, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload};

use super::listing::{Listed, Tap};
use super::settings::Place;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::wait;

/// How many deletions travel in one request.
const DELETIONS: usize = 1000;

/// A bucket, and how to reach it.
pub(super) struct Store {
    s3: AmazonS3,
    tap: Tap,
    place: Place,
}

/// An object that is being fetched.
pub(super) struct Fetched {
    pub(super) meta: ObjectMeta,
    pub(super) attributes: Attributes,
    name: String,
    body: BoxStream<'static, object_store::Result<Bytes>>,
}

/// Why an object could not be fetched.
pub(super) enum Missed {
    /// It is not there any more.
    Gone,
    /// It is another one than was asked for.
    Replaced,
    /// Something else.
    Failed(Error),
}

impl Store {
    /// Reaches for the bucket of this place; nothing is sent yet.
    pub(super) fn new(place: &Place) -> Result<Self> {
        let tap = Tap::default();
        let s3 = place.builder().with_http_connector(tap.clone()).build();
        let s3 = s3.map_err(|why| Error::new(ErrorKind::InvalidConfig, format!("`{}`: {}", place.shown(), answer(&why).1)))?;
        Ok(Self { s3, tap, place: place.clone() })
    }

    /// Gives all objects below the prefix to `each`, with their names below it.
    pub(super) fn list(&self, cancel: &Cancel, each: &mut dyn FnMut(&str, Listed) -> Result<()>) -> Result<()> {
        let prefix = (!self.place.prefix.is_empty()).then_some(self.place.prefix.as_str());
        let mut token = None;
        loop {
            let options = PaginatedListOptions { page_token: token.take(), ..PaginatedListOptions::default() };
            let answer = wait(cancel, self.s3.list_paginated(prefix, options))?;
            // A page with a key that `object_store` cannot name is an error to it, and not to us.
            let page = match (self.tap.take(), answer) {
                (Some(page), _) => page,
                (None, Err(why)) => return Err(fault(format!("cannot list `{}`", self.place.shown()), &why)),
                (None, Ok(_)) => return Err(Error::corrupt(format!("the listing of `{}` cannot be read", self.place.shown()))),
            };
            for object in page.objects {
                let Some(name) = object.key.strip_prefix(self.place.prefix.as_str()).map(str::to_owned) else {
                    return Err(Error::corrupt(format!("the server listed `{}`, which was not asked for", object.key.escape_debug())));
                };
                each(&name, object)?;
            }
            token = page.next;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// Begins to fetch an object; of `e_tag`'s version, where one is given.
    pub(super) fn fetch(&self, cancel: &Cancel, name: &str, e_tag: Option<&str>) -> Result<Fetched, Missed> {
        let options = GetOptions { if_match: e_tag.map(str::to_owned), ..GetOptions::default() };
        let path = self.path(name).map_err(Missed::Failed)?;
        match wait(cancel, self.s3.get_opts(&path, options)).map_err(Missed::Failed)? {
            Ok(found) => {
                let (meta, attributes) = (found.meta.clone(), found.attributes.clone());
                Ok(Fetched { meta, attributes, name: name.to_owned(), body: found.into_stream() })
            }
            Err(object_store::Error::NotFound { .. }) => Err(Missed::Gone),
            Err(object_store::Error::Precondition { .. }) => Err(Missed::Replaced),
            Err(why) => Err(Missed::Failed(self.fault("fetch", name, &why))),
        }
    }

    /// The next bytes of an object; none at its end.
    pub(super) fn next(&self, cancel: &Cancel, fetched: &mut Fetched) -> Result<Option<Bytes>, Missed> {
        match wait(cancel, fetched.body.try_next()).map_err(Missed::Failed)? {
            Ok(bytes) => Ok(bytes),
            Err(object_store::Error::NotFound { .. }) => Err(Missed::Gone),
            Err(object_store::Error::Precondition { .. }) => Err(Missed::Replaced),
            Err(why) => Err(Missed::Failed(self.fault("fetch", &fetched.name, &why))),
        }
    }

    /// Puts a whole object.
    pub(super) fn put(&self, cancel: &Cancel, name: &str, content: Vec<u8>, attributes: Attributes) -> Result<()> {
        let options = PutOptions { attributes, ..PutOptions::default() };
        let path = self.path(name)?;
        wait(cancel, self.s3.put_opts(&path, PutPayload::from(content), options))?
            .map(|_| ())
            .map_err(|why| self.fault("write", name, &why))
    }

    /// Begins to put an object in parts.
    pub(super) fn put_in_parts(&self, cancel: &Cancel, name: &str, attributes: Attributes) -> Result<Parts<'_>> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let path = self.path(name)?;
        let upload = wait(cancel, self.s3.put_multipart_opts(&path, options))?.map_err(|why| self.fault("write", name, &why))?;
        Ok(Parts { store: self, name: name.to_owned(), upload: Some(upload) })
    }

    /// Deletes these objects.
    pub(super) fn delete(&self, cancel: &Cancel, names: impl Iterator<Item = Result<String>>) -> Result<()> {
        let mut paths = Vec::new();
        let mut names = names.peekable();
        while let Some(name) = names.next() {
            paths.push(self.path(&name?)?);
            if paths.len() < DELETIONS && names.peek().is_some() {
                continue;
            }
            let batch = std::mem::take(&mut paths).into_iter().map(Ok);
            let answers = self.s3.delete_stream(futures_util::stream::iter(batch).boxed());
            let deleted = wait(cancel, answers.try_for_each(|_| std::future::ready(Ok(()))))?;
            match deleted {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(why) => return Err(fault(format!("cannot delete in `{}` what the archive lacks", self.place.shown()), &why)),
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> Result<Path> {
        let key = format!("{}{name}", self.place.prefix);
        Path::parse(&key).map_err(|why| Error::new(ErrorKind::Unsupported, why.to_string()))
    }

    fn fault(&self, verb: &str, name: &str, why: &object_store::Error) -> Error {
        fault(format!("cannot {verb} `{}{name}`", self.place.shown_prefix()), why)
    }
}

/// The codes with which servers say no (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
const DENIED: [&str; 6] = ["AccessDenied", "AccountProblem", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"];

/// What a server answered, and what to do about it.
fn fault(what: String, why: &object_store::Error) -> Error {
    use object_store::Error as Cause;
    let (code, text) = answer(why);
    let message = format!("{what}: {text}");
    let denied = matches!(why, Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. });
    match code.as_deref() {
        Some("NoSuchBucket") => Error::new(ErrorKind::NotFound, message).hint("check the bucket's name, `endpoint` and `region`"),
        Some(code) if DENIED.contains(&code) => denial(message),
        _ if denied => denial(message),
        _ if matches!(why, Cause::NotFound { .. }) => Error::new(ErrorKind::NotFound, message),
        _ if matches!(why, Cause::NotSupported { .. } | Cause::NotImplemented { .. }) => Error::new(ErrorKind::Unsupported, message),
        _ => Error::new(ErrorKind::Unavailable, message).hint("check `endpoint` and `region`, and that the server is up").retryable(),
    }
}

fn denial(message: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
        .hint("check the access key, and that it may list, read, write and delete in this bucket")
}

/// An object that is put in parts. Dropped before its end, it is taken back.
pub(super) struct Parts<'a> {
    store: &'a Store,
    name: String,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Parts<'_> {
    /// Puts the next part.
    pub(super) fn put(&mut self, cancel: &Cancel, content: Vec<u8>) -> Result<()> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        wait(cancel, upload.put_part(PutPayload::from(content)))?.map_err(|why| self.store.fault("write", &self.name, &why))
    }

    /// Makes an object of the parts.
    pub(super) fn complete(mut self, cancel: &Cancel) -> Result<()> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        wait(cancel, upload.complete())?.map_err(|why| self.store.fault("write", &self.name, &why))?;
        self.upload = None;
        Ok(())
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        if let Some(upload) = &mut self.upload {
            // Parts that stay are swept by the bucket's own rules; the run has failed for a better reason.
            let _ = wait(&Cancel::new(), upload.abort());
        }
    }
}

/// The code of a server's answer, where there is one, and the words: the server's, or those of the innermost cause.
fn answer(error: &object_store::Error) -> (Option<String>, String) {
    let whole = error.to_string();
    let part = |tag: &str| {
        let (_, rest) = whole.split_once(&format!("<{tag}>"))?;
        rest.split_once("</").map(|(text, _)| text.escape_debug().to_string())
    };
    if let (Some(code), Some(message)) = (part("Code"), part("Message")) {
        let text = format!("the server says `{code}`: {message}");
        return (Some(code), text);
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    (None, cause.to_string())
}
