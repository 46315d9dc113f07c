//! Secrets of the configuration, and how they are kept out of everything that is written or shown.
