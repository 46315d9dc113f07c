//! The settings of a `component` set, and what they come to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::grants::{GrantOptions, Grants};
use super::limits::{LimitOptions, Limits};
use crate::drivers::{SettingError, Settings};

/// The keys of a `component` set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The file of the component. Relative paths start from the configuration file's directory.
    component: String,
    /// The SHA-256 that the file must have, in hexadecimal: another file is refused.
    sha256: Option<String>,
    /// The driver's own configuration, by the schema that the driver has for it.
    #[serde(default)]
    config: Map<String, Value>,
    /// What it may touch, of what it says that it needs.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema: `Grants` reads it with the places of its mistakes")]
    grant: GrantOptions,
    /// Secrets that it may ask for, by their names: `password = "${REDIS_PASSWORD}"`. They are struck out of all that it says.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema, as `grant`")]
    secrets: BTreeMap<String, String>,
    /// What it may use.
    #[serde(default)]
    limit: LimitOptions,
}

/// What the settings come to, as far as they can be understood without the component.
#[derive(Clone, Debug)]
pub(super) struct Configured {
    /// The file.
    pub(super) path: PathBuf,
    /// As the configuration spells it.
    pub(super) spelt: String,
    /// The pin, in lower case.
    pub(super) pin: Option<String>,
    /// The driver's own configuration.
    pub(super) config: Value,
    /// What it may touch.
    pub(super) grants: Grants,
    /// What it may use.
    pub(super) limits: Limits,
}

impl Configured {
    /// Reads the settings of a set.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let options: Options = settings.read()?;
        let mut errors = Vec::new();
        if options.component.is_empty() {
            errors.push(SettingError::new("/component", "the path is empty"));
        }
        let pin = options.sha256.map(|pin| pin.to_ascii_lowercase());
        if pin.as_ref().is_some_and(|pin| pin.len() != 64 || hex::decode(pin).is_err()) {
            errors
                .push(SettingError::new("/sha256", "this is no SHA-256").hint("it has 64 hexadecimal digits, as `sha256sum` prints them"));
        }
        let limits = Limits::read(&options.limit).map_err(|wrong| errors.extend(wrong)).unwrap_or_default();
        let grants = Grants::read(settings).map_err(|wrong| errors.extend(wrong)).unwrap_or_default();
        let (path, config) = (settings.path(&options.component), Value::Object(options.config));
        if errors.is_empty() { Ok(Self { path, spelt: options.component, pin, config, grants, limits }) } else { Err(errors) }
    }
}
