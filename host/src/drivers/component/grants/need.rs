//! What a driver declares that it needs, and what that comes to in a configuration.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

/// One thing that a driver needs: as `need` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::drivers::component) struct Need {
    /// What sort of thing.
    pub(in crate::drivers::component) capability: Capability,
    /// A JSON pointer into the driver's configuration, or the thing itself.
    pub(in crate::drivers::component) target: String,
    /// What for, for people.
    pub(in crate::drivers::component) reason: String,
    /// Whether the driver can do without it.
    pub(in crate::drivers::component) optional: bool,
}

/// What can be granted: as `capability` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::drivers::component) enum Capability {
    /// To connect to an address.
    Network,
    /// To read below a directory.
    ReadDirectory,
    /// To read and write below a directory.
    WriteDirectory,
    /// To see a variable of the environment.
    Environment,
    /// To get a secret.
    Secret,
    /// To make HTTP requests to a host.
    Http,
}

impl Capability {
    /// What can be done with it, before the name of a thing: `connect to`.
    pub(in crate::drivers::component) fn verb(self) -> &'static str {
        match self {
            Self::Network => "to connect to",
            Self::ReadDirectory => "to read",
            Self::WriteDirectory => "to write",
            Self::Environment => "the variable",
            Self::Secret => "the secret",
            Self::Http => "HTTP to",
        }
    }

    /// The line of a configuration that grants these things.
    pub(super) fn line(self, things: &[&str]) -> String {
        let list = || things.iter().map(|thing| Value::from(*thing).to_string()).collect::<Vec<_>>().join(", ");
        let directories = || things.iter().map(|thing| directory(thing)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Network => format!("grant.net = [{}]", list()),
            Self::ReadDirectory => format!("grant.read = [{}]", directories()),
            Self::WriteDirectory => format!("grant.write = [{}]", directories()),
            Self::Environment => format!("grant.env = [{}]", list()),
            Self::Http => format!("grant.http = [{}]", list()),
            Self::Secret => things.iter().map(|name| secret_line(name)).collect::<Vec<_>>().join(", "),
        }
    }
}

/// A directory as a grant has it. Where there is none of that name, the driver's name for it is not the person's.
fn directory(guest: &str) -> String {
    let name = Value::from(guest);
    if Path::new(guest).is_dir() { name.to_string() } else { format!("{{ path = \"DIRECTORY\", guest = {name} }}") }
}

/// The line that gives a secret from the variable that is likely to hold it.
fn secret_line(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if is_bare { name.to_owned() } else { Value::from(name).to_string() };
    let variable: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("secrets.{key} = \"${{{variable}}}\"")
}

impl Need {
    /// Where in the configuration the value stands, for needs that point there.
    pub(super) fn pointer(&self) -> Option<&str> {
        self.target.starts_with('/').then_some(self.target.as_str())
    }

    /// The things that it means: one, or several where it points to an array; none where the configuration does not have what it
    /// points to, and the schema no default for it.
    ///
    /// # Errors
    /// What stands there is not text.
    pub(super) fn things(&self, config: &Value, schema: &Value) -> Result<Vec<String>, String> {
        let Some(pointer) = self.pointer() else { return Ok(vec![self.target.clone()]) };
        let value = config.pointer(pointer).or_else(|| default_of(schema, pointer));
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            _ => {
                Err(format!("the driver points to `{pointer}` as something that it needs, and no text stands there: a fault of the driver"))
            }
        };
        match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(value) => Ok(vec![text(value)?]),
        }
    }
}

/// The default that a schema gives for what a pointer names.
fn default_of<'s>(schema: &'s Value, pointer: &str) -> Option<&'s Value> {
    let keys = pointer.split('/').skip(1).map(|key| match key.contains('~') {
        true => Cow::Owned(key.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(key),
    });
    keys.into_iter().try_fold(schema, |schema, key| schema.get("properties")?.get(key.as_ref()))?.get("default")
}
