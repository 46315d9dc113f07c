//! Where a bucket is and who may use it: the settings, what the environment adds, and what the URL says.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

use crate::drivers::SettingError;
use crate::redact;

/// The schemes of URLs that name a bucket.
pub(in crate::drivers::media) const SCHEMES: [&str; 2] = ["s3", "s3a"];

/// How long things may take: a connection, a server's silence, and a whole request. The last is out of the way of objects of
/// any size.
const LIMITS: [(ClientConfigKey, &str); 3] =
    [(ClientConfigKey::ConnectTimeout, "30s"), (ClientConfigKey::ReadTimeout, "30s"), (ClientConfigKey::Timeout, "7d")];

/// For how long, and how often, what a server could not do is tried again.
const RETRIES: (Duration, usize) = (Duration::from_secs(60), 6);

/// The settings of media in a bucket. What is not given, the usual `AWS_…` variables of the environment say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(in crate::drivers::media) struct BucketSettings {
    /// The server's URL, where it is not Amazon's: `https://minio.internal:9000`.
    #[serde(default)]
    endpoint: Option<String>,
    /// The region; `us-east-1` where neither this nor the environment names one.
    #[serde(default)]
    region: Option<String>,
    /// The id of the access key.
    #[serde(default)]
    access_key_id: Option<String>,
    /// The secret of the access key: `"${MEDIA_SECRET}"`.
    #[serde(default)]
    secret_access_key: Option<String>,
    /// The token of temporary credentials.
    #[serde(default)]
    session_token: Option<String>,
    /// Whether an endpoint without TLS will do.
    #[serde(default)]
    allow_http: Option<bool>,
    /// Whether the bucket's name stands in the host's name (`https://bucket.host/key`) and not in the path.
    #[serde(default)]
    virtual_hosted_style: Option<bool>,
}

impl BucketSettings {
    /// The keys that were given: a directory has none of them.
    pub(in crate::drivers::media) fn given(&self) -> Vec<&'static str> {
        let keys = [
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("access_key_id", self.access_key_id.is_some()),
            ("secret_access_key", self.secret_access_key.is_some()),
            ("session_token", self.session_token.is_some()),
            ("allow_http", self.allow_http.is_some()),
            ("virtual_hosted_style", self.virtual_hosted_style.is_some()),
        ];
        keys.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }

    fn check(&self) -> Vec<SettingError> {
        let mut errors = Vec::new();
        if let Some(endpoint) = &self.endpoint {
            let scheme = Url::parse(endpoint).ok().map(|url| url.scheme().to_owned());
            match scheme.as_deref() {
                Some("https") => {}
                Some("http") if self.allow_http == Some(true) => {}
                Some("http") => errors
                    .push(SettingError::new("/endpoint", "the endpoint has no TLS").hint("write `https://…`, or add `allow_http = true`")),
                _ => errors.push(SettingError::new("/endpoint", "the endpoint is no `https://` URL")),
            }
        }
        match (&self.access_key_id, &self.secret_access_key) {
            (Some(_), None) => errors.push(
                SettingError::new("/access_key_id", "there is no `secret_access_key` for it").hint("add `secret_access_key = \"${…}\"`"),
            ),
            (None, Some(_)) => errors.push(SettingError::new("/secret_access_key", "there is no `access_key_id` for it")),
            _ => {}
        }
        errors
    }
}

/// A part of a bucket.
#[derive(Clone)]
pub(super) struct Place {
    /// The bucket's name.
    pub(super) bucket: String,
    /// With what the keys begin: empty, or a path that ends in `/`.
    pub(super) prefix: String,
    settings: BucketSettings,
}

impl Place {
    /// Reads the URL and checks the settings.
    pub(super) fn read(url: &Url, settings: &BucketSettings) -> Result<Self, Vec<SettingError>> {
        let mut errors = settings.check();
        let wrong = |message: &str| SettingError::new("/url", message).hint("write `s3://bucket/prefix`");
        if !url.username().is_empty() || url.password().is_some() {
            errors.push(wrong("credentials do not belong into the URL").hint("use `access_key_id` and `secret_access_key`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            errors.push(wrong("the URL has a query or a fragment; `?` and `#` in a prefix are written `%3F` and `%23`"));
        }
        let bucket = url.host_str().unwrap_or_default().to_owned();
        if bucket.is_empty() {
            errors.push(wrong("the URL names no bucket"));
        }
        let path = url.path().trim_start_matches('/');
        let path = path.strip_suffix('/').unwrap_or(path);
        let prefix = percent_decode_str(path).decode_utf8_lossy().into_owned();
        if !prefix.is_empty() && !is_nameable(&prefix) {
            errors.push(wrong("the prefix has an empty segment, or one that is `.` or `..`, or a control character"));
        }
        let prefix = if prefix.is_empty() { prefix } else { prefix + "/" };
        if errors.is_empty() { Ok(Self { bucket, prefix, settings: settings.clone() }) } else { Err(errors) }
    }

    /// For people: `s3://bucket/prefix`.
    pub(super) fn shown(&self) -> String {
        self.shown_prefix().trim_end_matches('/').to_owned()
    }

    /// For people, what stands before the name of an object.
    pub(super) fn shown_prefix(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    /// As the plan compares it with other sets' places: from the server on, without a slash at the end.
    pub(super) fn url(&self) -> String {
        let server = self.settings.endpoint.as_deref().map_or("s3:/", |endpoint| endpoint.trim_end_matches('/'));
        format!("{}/{}/{}", redact::url(server), self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    /// Below which names other sets' objects are, which this set leaves out.
    pub(super) fn others(&self, leave_out: &[PathBuf]) -> Others {
        let below = |path: &PathBuf| Some(format!("{}/", path.strip_prefix(self.url()).ok()?.to_str()?));
        Others(leave_out.iter().filter_map(below).collect())
    }

    /// More lines for `plan`.
    pub(super) fn details(&self) -> Vec<(String, String)> {
        let endpoint = self.settings.endpoint.as_deref().map(|endpoint| ("endpoint".to_owned(), redact::url(endpoint).into_owned()));
        let region = self.settings.region.clone().map(|region| ("region".to_owned(), region));
        endpoint.into_iter().chain(region).collect()
    }

    /// How to reach it. The settings win over the environment.
    pub(super) fn builder(&self) -> AmazonS3Builder {
        let settings = &self.settings;
        let (retry_timeout, max_retries) = RETRIES;
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries, retry_timeout };
        let mut builder = AmazonS3Builder::new();
        for (key, limit) in LIMITS {
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), limit);
        }
        builder = with_environment(builder).with_bucket_name(&self.bucket).with_retry(retry);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &settings.region {
            builder = builder.with_region(region);
        }
        if let (Some(id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        if let Some(token) = &settings.session_token {
            builder = builder.with_token(token);
        }
        if let Some(allow) = settings.allow_http {
            builder = builder.with_allow_http(allow);
        }
        if let Some(style) = settings.virtual_hosted_style {
            builder = builder.with_virtual_hosted_style_request(style);
        }
        builder
    }
}

/// Parts of a place that belong to other sets: with what the names of their objects begin.
pub(super) struct Others(Vec<String>);

impl Others {
    /// Whether an object of this name belongs to another set.
    pub(super) fn hold(&self, name: &str) -> bool {
        self.0.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// As `AmazonS3Builder::from_env`, for a builder that has options already.
fn with_environment(builder: AmazonS3Builder) -> AmazonS3Builder {
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let known = variables.filter(|(name, _)| name.starts_with("AWS_"));
    let known = known.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().ok()?, value)));
    known.fold(builder, |builder, (key, value)| builder.with_config(key, value))
}

/// Whether `object_store` can name this key: it takes an empty segment for nothing, and refuses some.
pub(super) fn is_nameable(key: &str) -> bool {
    Path::parse(key).is_ok_and(|path| path.as_ref() == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, endpoint: Option<&str>) -> Place {
        let settings = BucketSettings { endpoint: endpoint.map(str::to_owned), ..BucketSettings::default() };
        Place::read(&Url::parse(url).unwrap(), &settings).unwrap()
    }

    #[test]
    fn a_place_is_written_in_one_way_only() {
        assert_eq!(place("s3://shop/uploads/", None).url(), place("s3a://shop/uploads", None).url());
        assert_eq!(place("s3://shop", None).url(), "s3://shop");
        assert_eq!(place("s3://shop/a%20b", Some("https://minio:9000/")).url(), "https://minio:9000/shop/a b");
    }

    #[test]
    fn others_begin_at_a_slash() {
        let place = place("s3://shop/uploads", Some("https://minio:9000"));
        let others =
            place.others(&["https://minio:9000/shop/uploads/avatars".into(), "s3://shop/uploads/x".into(), "/srv/uploads/y".into()]);
        assert!(others.hold("avatars/me.png") && others.hold("avatars/"));
        assert!(!others.hold("avatars") && !others.hold("avatars2/b.jpg") && !others.hold("x/a") && !others.hold("y/a"));
    }
}
