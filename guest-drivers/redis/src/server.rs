//! What must be known of a server before its keys are copied: who one is there, what it is, which databases it has, and whether
//! they hold anything.

use std::collections::BTreeMap;

use driver_guest::{Details, ErrorKind, Result, error, secrets};

use crate::client::{Client, Reply, refused, unexpected};
use crate::settings::Settings;

/// A server that one is logged in to.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// What INFO says; nothing where the user may not ask.
    info: BTreeMap<String, String>,
    /// The database that was selected last.
    selected: u32,
}

impl Server {
    /// Connects and logs in.
    ///
    /// # Errors
    /// There is no way in; the server is one of a cluster.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let mut client = Client::open(&settings.address, settings.timeout)?;
        log_in(&mut client, settings.username.as_deref())?;
        let info = match client.call(&[b"INFO"]) {
            Ok(Reply::Bulk(text)) => parse_info(&String::from_utf8_lossy(text)),
            Ok(_) => return Err(unexpected("INFO")),
            // A user who may not ask may still copy.
            Err(why) if why.message.contains("NOPERM") => BTreeMap::new(),
            Err(why) => return Err(why),
        };
        let server = Self { client, info, selected: 0 };
        if server.said("redis_mode") == Some("cluster") {
            let message = format!("`{}` is a node of a cluster, which holds only a part of the keys", server.client.address());
            return Err(error(ErrorKind::Unsupported, message));
        }
        Ok(server)
    }

    /// A field of INFO.
    pub(crate) fn said(&self, field: &str) -> Option<&str> {
        self.info.get(field).map(String::as_str)
    }

    /// The databases that hold keys, as INFO lists them.
    ///
    /// # Errors
    /// The user may not ask.
    pub(crate) fn keyspace(&self) -> Result<Vec<u32>> {
        if self.info.is_empty() {
            return Err(error(ErrorKind::PermissionDenied, "`databases = \"all\"` needs INFO, which the user may not run")
                .hint("let the user run INFO, or list the databases"));
        }
        Ok(self.info.keys().filter_map(|field| field.strip_prefix("db")?.parse().ok()).collect())
    }

    /// Selects a database.
    ///
    /// # Errors
    /// The server has none of this number, or the user may not.
    pub(crate) fn select(&mut self, database: u32) -> Result<()> {
        if self.selected != database {
            self.client.call(&[b"SELECT", database.to_string().as_bytes()]).map_err(|why| why.with("database", database.to_string()))?;
            self.selected = database;
        }
        Ok(())
    }

    /// How many keys the selected database has.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) fn size(&mut self) -> Result<u64> {
        match self.client.call(&[b"DBSIZE"])? {
            Reply::Integer(keys) => Ok(u64::try_from(keys).unwrap_or(0)),
            _ => Err(unexpected("DBSIZE")),
        }
    }

    /// Whether the selected database has a key that matches.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) fn has_keys(&mut self, pattern: Option<&str>) -> Result<bool> {
        let Some(pattern) = pattern else { return Ok(self.size()? > 0) };
        let mut found = false;
        self.scan(pattern, |_, keys| {
            found |= !keys.is_empty();
            Ok(!found)
        })?;
        Ok(found)
    }

    /// What `look` finds in the payload of any key of the selected database that matches; nothing where all are gone.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) fn any_payload<T>(&mut self, pattern: Option<&str>, look: impl Fn(&[u8]) -> Option<T>) -> Result<Option<T>> {
        let mut found = None;
        self.scan(pattern.unwrap_or("*"), |client, keys| {
            for key in &keys {
                // A key that is gone meanwhile has none.
                if let Reply::Bulk(payload) = client.call(&[b"DUMP", key])? {
                    found = look(payload);
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// Deletes the keys of the selected database that match, or all.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) fn flush(&mut self, pattern: Option<&str>) -> Result<()> {
        let Some(pattern) = pattern else { return self.client.call(&[b"FLUSHDB"]).map(drop) };
        self.scan(pattern, |client, keys| {
            for key in &keys {
                client.queue(&[b"UNLINK", key])?;
            }
            for _ in &keys {
                if let Reply::Error(said) = client.reply()? {
                    return Err(refused("UNLINK", said));
                }
            }
            Ok(true)
        })
    }

    /// Gives the matching keys to `each`, some at a time, until it has enough.
    fn scan(&mut self, pattern: &str, mut each: impl FnMut(&mut Client, Vec<Vec<u8>>) -> Result<bool>) -> Result<()> {
        let mut cursor = b"0".to_vec();
        loop {
            let keys;
            (cursor, keys) = scanned(self.client.call(&[b"SCAN", &cursor, b"MATCH", pattern.as_bytes(), b"COUNT", b"1000"])?)?;
            if !each(&mut self.client, keys)? || cursor == b"0" {
                return Ok(());
            }
        }
    }
}

/// What SCAN replies: the next cursor and some keys.
pub(crate) fn scanned(reply: Reply<'_>) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let Reply::Array(parts) = reply else { return Err(unexpected("SCAN")) };
    let [Reply::Bulk(cursor), Reply::Array(keys)] = &parts[..] else { return Err(unexpected("SCAN")) };
    let key = |key: &Reply<'_>| if let Reply::Bulk(key) = key { Ok(key.to_vec()) } else { Err(unexpected("SCAN")) };
    Ok((cursor.to_vec(), keys.iter().map(key).collect::<Result<_>>()?))
}

/// Says who one is. The password is asked for where it is needed, and not before: a secret that nobody granted is no concern then.
fn log_in(client: &mut Client, username: Option<&str>) -> Result<()> {
    if let Some(username) = username {
        let password = password(&format!("`username = \"{username}\"` needs a password"))?;
        return client.call(&[b"AUTH", username.as_bytes(), password.as_bytes()]).map(drop);
    }
    client.queue(&[b"PING"])?;
    match client.reply()? {
        Reply::Error(said) if said.starts_with("NOAUTH") => {
            let password = password("the server asks for a password")?;
            client.call(&[b"AUTH", password.as_bytes()]).map(drop)
        }
        // A user who may not run it is still somebody.
        Reply::Error(said) if !said.starts_with("NOPERM") => Err(refused("PING", said)),
        _ => Ok(()),
    }
}

fn password(why: &str) -> Result<String> {
    secrets::get("password").map_err(|error| match error.kind {
        ErrorKind::PermissionDenied => {
            driver_guest::error(ErrorKind::PermissionDenied, format!("{why}, and there is no secret `password`"))
                .hint("give it: `secrets = { password = \"${REDIS_PASSWORD}\" }`")
        }
        _ => error,
    })
}

fn parse_info(text: &str) -> BTreeMap<String, String> {
    let fields = text.lines().filter_map(|line| line.trim_end().split_once(':'));
    fields.map(|(field, value)| (field.to_owned(), value.to_owned())).collect()
}
