//! Where archives live: a file (atomic), standard output, and, with a later version, object stores.
