//! What the end-to-end tests share: the binary under test, servers that they start, temporary places.

pub mod component;
pub mod host;
pub mod machine;
pub mod postgres;
pub mod published;
pub mod redis;
pub mod s3;
pub mod tls;
pub mod transcript;
