//! How entries are compressed: the user's choice, and the zip's methods that follow from it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// The user's choice, for a whole archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Zstandard: quick and small. `unzip` cannot read it; 7-Zip, bsdtar, Python 3.14 and newer tools can.
    #[default]
    Zstd,
    /// Deflate: every zip tool reads it.
    Deflate,
    /// None.
    Store,
}

impl Compression {
    /// The level at which compression costs little and gains most of what there is to gain.
    pub fn default_level(self) -> i32 {
        match self {
            Self::Zstd => 3,
            Self::Deflate => 6,
            Self::Store => 0,
        }
    }

    /// The levels that one may ask for.
    pub fn levels(self) -> std::ops::RangeInclusive<i32> {
        match self {
            Self::Zstd => 1..=19,
            Self::Deflate => 1..=9,
            Self::Store => 0..=0,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Store => "store",
        })
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "zstd" => Ok(Self::Zstd),
            "deflate" => Ok(Self::Deflate),
            "store" => Ok(Self::Store),
            _ => Err(Error::new(ErrorKind::InvalidConfig, format!("`{}` is no compression", text.escape_debug()))
                .hint("use `zstd`, `deflate` or `store`")),
        }
    }
}

/// How the bytes of one entry stand in the zip (APPNOTE 6.3.10, section 4.4.5): the choice, or stored where it gains nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Store,
    Deflate,
    Zstd,
}

impl Method {
    /// Its number in the zip's headers.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Store => 0,
            Self::Deflate => 8,
            Self::Zstd => 93,
        }
    }

    /// The method of this number, if an archive of ours may use it.
    pub(super) fn from_number(number: u16) -> Option<Self> {
        [Self::Store, Self::Deflate, Self::Zstd].into_iter().find(|method| method.number() == number)
    }
}

impl From<Compression> for Method {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Zstd => Self::Zstd,
            Compression::Deflate => Self::Deflate,
            Compression::Store => Self::Store,
        }
    }
}
