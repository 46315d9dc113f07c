//! What a bucket's listing says, word for word.
//!
//! `object_store` reads listings for us, but it fails at the first key that it cannot name (`a//b`), and silently drops what
//! it does not want to see of others (the slash of `/a` and of `a/`). A dump must name them all. So the client's answers pass
//! through a [`Tap`] that reads each page as the server wrote it.
//!
//! Format: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>, "Response Syntax".

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// An object, as a listing has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// The whole key.
    pub(super) key: String,
    /// Its size in bytes.
    pub(super) size: u64,
    /// What stands for its content; quoted.
    pub(super) e_tag: Option<String>,
    /// When it was written.
    pub(super) modified: Timestamp,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Its objects.
    pub(super) objects: Vec<Listed>,
    /// With what to ask for the next page; none at the end.
    pub(super) next: Option<String>,
}

/// Connects as `object_store` does, and keeps the last page that went by.
#[derive(Clone, Debug, Default)]
pub(super) struct Tap {
    last: Arc<Mutex<Option<Page>>>,
}

impl Tap {
    /// The last page, once.
    pub(super) fn take(&self) -> Option<Page> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpConnector for Tap {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Tapped { client, tap: self.clone() }))
    }
}

#[derive(Debug)]
struct Tapped {
    client: HttpClient,
    tap: Tap,
}

#[async_trait]
impl HttpService for Tapped {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_listing = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "list-type=2"));
        let response = self.client.execute(request).await?;
        if !is_listing || !response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = body.bytes().await?;
        *self.tap.last.lock().unwrap_or_else(PoisonError::into_inner) = read(&body);
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

/// Reads a page; none where it is no page.
fn read(body: &[u8]) -> Option<Page> {
    let mut reader = Reader::from_reader(body);
    let (mut page, mut object) = (Page::default(), Listed::default());
    let (mut path, mut text): (Vec<Vec<u8>>, _) = (Vec::new(), String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_vec());
                text.clear();
            }
            Event::Text(piece) => text += &piece.decode().ok()?,
            Event::CData(piece) => text += &piece.decode().ok()?,
            Event::GeneralRef(reference) => text.push(character(&reference)?),
            Event::End(_) => {
                let names: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
                match names.as_slice() {
                    [_, b"Contents", b"Key"] => object.key = std::mem::take(&mut text),
                    [_, b"Contents", b"Size"] => object.size = text.trim().parse().ok()?,
                    [_, b"Contents", b"ETag"] => object.e_tag = Some(text.trim().to_owned()),
                    [_, b"Contents", b"LastModified"] => object.modified = text.trim().parse().ok()?,
                    [_, b"Contents"] => page.objects.push(std::mem::take(&mut object)),
                    [_, b"NextContinuationToken"] => page.next = Some(std::mem::take(&mut text)).filter(|token| !token.is_empty()),
                    [b"ListBucketResult"] => return Some(page),
                    _ => {}
                }
                path.pop();
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn character(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok()?;
    }
    match &**reference {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_word_for_word() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>u/</Prefix>
            <NextContinuationToken>dG9r+ZW4=</NextContinuationToken><IsTruncated>true</IsTruncated>
            <Contents><Key>u/ a &amp; b&#10;</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>3</Size><Owner><ID>x</ID></Owner></Contents>
            <Contents><Key>u//c/</Key><LastModified>2026-01-02T03:04:05Z</LastModified><Size>0</Size></Contents></ListBucketResult>"#;
        let page = read(body).expect("a page");
        assert_eq!(page.next.as_deref(), Some("dG9r+ZW4="));
        assert_eq!(page.objects.len(), 2);
        let first = &page.objects[0];
        assert_eq!((first.key.as_str(), first.size, first.e_tag.as_deref()), ("u/ a & b\n", 3, Some("\"e1\"")));
        assert_eq!(first.modified.to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!((page.objects[1].key.as_str(), page.objects[1].e_tag.as_deref()), ("u//c/", None));
    }

    #[test]
    fn what_is_no_page_is_none() {
        assert_eq!(read(b"<html>proxy error</html>"), None);
        assert_eq!(read(b"<ListBucketResult><Contents><Key>a</Key>"), None, "cut off");
        assert_eq!(read(b"<ListBucketResult><Contents><Size>many</Size></Contents></ListBucketResult>"), None);
    }
}
