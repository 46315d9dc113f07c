//! A bucket of a real S3 server: an item is an object. Each place has a prefix of its own.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use dr_host::conformance::{Atomicity, Contents, Place, Subject};
use dr_host::drivers::Driver;
use dr_host::error::Result;
use dr_host::name::EntryName;
use dr_host_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server};
use serde_json::json;

/// The longest key, in bytes; the prefixes here take at most ten.
const LONGEST: usize = 1024 - 10;

pub(crate) struct BucketSubject {
    server: Rc<Server>,
    places: AtomicU32,
}

impl BucketSubject {
    pub(crate) fn new() -> Self {
        Self { server: Rc::new(Server::start()), places: AtomicU32::new(0) }
    }
}

impl Subject for BucketSubject {
    fn name(&self) -> String {
        "media in a bucket".into()
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Prefix { server: Rc::clone(&self.server), prefix: format!("place{number}/") }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Item
    }

    fn holds(&self, name: &EntryName, _content: &[u8]) -> bool {
        let segment = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
        name.as_str()
            .is_some_and(|name| name.len() <= LONGEST && name.split('/').all(segment) && !name.chars().any(|c| c.is_ascii_control()))
    }
}

struct Prefix {
    server: Rc<Server>,
    prefix: String,
}

impl Prefix {
    fn key(&self, name: &EntryName) -> String {
        format!("{}{}", self.prefix, name.as_str().expect("names are text"))
    }
}

impl Place for Prefix {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        let settings = json!({
            "url": format!("s3://{BUCKET}/{}", self.prefix),
            "endpoint": self.server.endpoint(),
            "region": REGION,
            "allow_http": true,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
        });
        super::configured("media", "/".as_ref(), settings)
    }

    fn put(&self, items: &Contents) -> Result<()> {
        let items: Vec<(String, &[u8])> = items.iter().map(|(name, content)| (self.key(name), content.as_slice())).collect();
        self.server.put_all(items.iter().map(|(key, content)| (key.as_str(), *content)));
        Ok(())
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        self.server.delete(&self.key(name));
        Ok(())
    }

    fn look(&self) -> Result<Contents> {
        Ok(self.server.get_all(&self.prefix).into_iter().map(|(name, content)| (EntryName::from(name), content)).collect())
    }
}
