//! The drivers of `guest-drivers/`, which are components.

mod kept;
