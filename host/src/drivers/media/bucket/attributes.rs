//! What a bucket knows of an object beside its content, as attributes of an entry and back.

use object_store::{Attribute, Attributes};

use crate::archive::Entry;

/// Before the names of metadata that users define (`x-amz-meta-…`), so that none is taken for one of the others.
const METADATA: &str = "metadata:";

/// The attributes whose names HTTP defines (RFC 9110, section 8; RFC 9111; RFC 6266).
const HEADERS: [(&str, Attribute); 5] = [
    ("cache-control", Attribute::CacheControl),
    ("content-disposition", Attribute::ContentDisposition),
    ("content-encoding", Attribute::ContentEncoding),
    ("content-language", Attribute::ContentLanguage),
    ("content-type", Attribute::ContentType),
];

/// An object's attributes for its entry, in the order of their names.
pub(super) fn of_object(attributes: &Attributes) -> Vec<(String, String)> {
    let name = |attribute: &Attribute| match attribute {
        Attribute::Metadata(name) => Some(format!("{METADATA}{name}")),
        other => HEADERS.iter().find(|(_, header)| header == other).map(|(name, _)| (*name).to_owned()),
    };
    let mut found: Vec<_> = attributes.iter().filter_map(|(attribute, value)| Some((name(attribute)?, value.to_string()))).collect();
    found.sort();
    found
}

/// The attributes with which an entry's object is written. Those of other drivers, a file's mode say, mean nothing here.
pub(super) fn of_entry(entry: &Entry) -> Attributes {
    let attribute = |key: &str| match key.strip_prefix(METADATA) {
        Some(name) => Some(Attribute::Metadata(name.to_owned().into())),
        None => HEADERS.iter().find(|(name, _)| *name == key).map(|(_, header)| header.clone()),
    };
    let mut attributes = Attributes::new();
    for (key, value) in &entry.attributes {
        if let Some(attribute) = attribute(key) {
            attributes.insert(attribute, value.clone().into());
        }
    }
    attributes
}

/// Whether HTTP allows the names and values of an entry's attributes (RFC 9110, section 5): the client trusts that it does.
pub(super) fn can_be_sent(entry: &Entry) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_value = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    of_entry(entry).iter().all(|(attribute, value)| {
        let named = match attribute {
            Attribute::Metadata(name) => !name.is_empty() && name.bytes().all(is_token),
            _ => true,
        };
        named && value.bytes().all(is_value)
    })
}

/// Whether an object has the attributes that its entry records. An entry that records none, as one of a directory, is content
/// with any.
pub(super) fn agree(entry: &Entry, object: &Attributes) -> bool {
    let recorded = of_entry(entry);
    recorded.is_empty() || recorded == *object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive_the_way_through_an_entry() {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, "image/png".into());
        attributes.insert(Attribute::CacheControl, "max-age=60".into());
        attributes.insert(Attribute::Metadata("content-type".into()), "a trap".into());
        let mut entry = Entry::new("a.png");
        entry.attributes = of_object(&attributes);
        assert_eq!(entry.get("content-type"), Some("image/png"));
        assert_eq!(entry.get("metadata:content-type"), Some("a trap"));
        assert_eq!(of_entry(&entry), attributes);
        assert!(agree(&entry, &attributes));
        attributes.insert(Attribute::ContentType, "text/plain".into());
        assert!(!agree(&entry, &attributes));
    }

    #[test]
    fn what_http_does_not_allow_is_not_sent() {
        let can = |key: &str, value: &str| can_be_sent(&Entry::new("a").attribute(key, value));
        assert!(can("content-type", "text/plain; charset=\"utf-8\"") && can("metadata:x-y", "") && can("mode", "\n"));
        assert!(
            !can("content-type", "text\r\nx-evil: 1")
                && !can("metadata:", "x")
                && !can("metadata:a b", "x")
                && !can("metadata:a", "\u{e4}")
        );
    }

    #[test]
    fn what_a_directory_recorded_means_nothing_to_a_bucket() {
        let entry = Entry::new("a.png").attribute("mode", "0644");
        assert!(of_entry(&entry).is_empty());
        assert!(agree(&entry, &[(Attribute::ContentType, "image/png")].into_iter().collect()));
    }
}
