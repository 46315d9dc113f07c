//! TLS as `sslmode` says: whether it is spoken, which certificates are trusted, who we are.
//!
//! Defined in PostgreSQL's documentation, chapter *libpq*, section *SSL Support*.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sources::{Parameters, Variables};
use super::verifier::{Check, Verifier};
use crate::drivers::SettingError;
use crate::error::{Error, ErrorKind, Result};

/// Where distributions keep the certificates that the system trusts, all in one file: for children, whose libpq may be too old
/// to know `system`.
const BUNDLES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

/// The versions of TLS that there are, oldest first.
static VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Which certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Roots {
    /// Those in this file.
    File(PathBuf),
    /// Those of the operating system.
    System,
}

/// What is configured.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    mode: Mode,
    roots: Roots,
    /// Our certificate and its key.
    identity: Option<(PathBuf, PathBuf)>,
    crl: Option<PathBuf>,
    has_sni: bool,
    versions: &'static [&'static rustls::SupportedProtocolVersion],
}

impl Tls {
    /// Reads the parameters.
    pub(super) fn configured(parameters: &Parameters, variables: &Variables) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let usual = |name: &str| variables.home().map(|home| home.join(".postgresql").join(name));
        let roots = match parameters.get("sslrootcert") {
            Some("system") => Roots::System,
            Some(file) => Roots::File(file.into()),
            None => Roots::File(usual("root.crt").unwrap_or_default()),
        };
        let mode = mode(parameters, &roots).map_err(|error| errors.push(error)).ok();
        let file =
            |keyword: &str, name: &str| parameters.get(keyword).map(PathBuf::from).or_else(|| usual(name).filter(|file| file.exists()));
        let certificate = file("sslcert", "postgresql.crt");
        let key = file("sslkey", "postgresql.key");
        if certificate.is_some() && key.is_none() {
            errors.push(parameters.wrong("sslcert", "there is no key for the client's certificate").hint("add `sslkey`"));
        }
        let versions = versions(parameters).map_err(|error| errors.push(error)).ok();
        match (mode, versions) {
            (Some(mode), Some(versions)) if errors.is_empty() => Ok(Self {
                mode,
                roots,
                identity: certificate.zip(key),
                crl: file("sslcrl", "root.crl"),
                has_sni: parameters.get("sslsni") != Some("0"),
                versions,
            }),
            _ => Err(errors),
        }
    }

    /// Whether TLS is spoken: in the order in which it is tried. Over a Unix socket, never.
    pub(super) fn attempts(&self, is_socket: bool) -> &'static [SslMode] {
        match self.mode {
            _ if is_socket => &[SslMode::Disable],
            Mode::Disable => &[SslMode::Disable],
            Mode::Allow => &[SslMode::Disable, SslMode::Require],
            Mode::Prefer => &[SslMode::Prefer, SslMode::Disable],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => &[SslMode::Require],
        }
    }

    /// How the server's certificate is checked. With `require` as libpq does: if there is a file of certificates, against it.
    fn check(&self) -> Check {
        match (self.mode, &self.roots) {
            (Mode::VerifyFull, _) => Check::ChainAndName,
            (Mode::VerifyCa, _) => Check::Chain,
            (Mode::Require, Roots::File(file)) if file.exists() => Check::Chain,
            _ => Check::Nothing,
        }
    }

    /// What speaks TLS; reads the files, unless it is known that it will not speak.
    ///
    /// # Errors
    /// A file is missing or cannot be understood.
    pub(super) fn connector(&self, is_idle: bool) -> Result<MakeRustlsConnect> {
        let is_idle = is_idle || self.mode == Mode::Disable;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.versions)
            .map_err(|why| Error::new(ErrorKind::Unsupported, format!("cannot prepare TLS: {why}")))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(provider, is_idle)?);
        let mut config = match &self.identity {
            Some((certificate, key)) if !is_idle => {
                let why = |why: &dyn std::fmt::Display| unreadable("the client's certificate", certificate, why, "sslcert");
                builder
                    .with_client_auth_cert(certificates(certificate, "the client's certificate", "sslcert")?, read_key(key)?)
                    .map_err(|e| why(&e))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.enable_sni = self.has_sni;
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: Arc<CryptoProvider>, is_idle: bool) -> Result<Arc<Verifier>> {
        let check = self.check();
        if is_idle || check == Check::Nothing {
            return Ok(Arc::new(Verifier::of_nothing(provider)));
        }
        let trusted = match &self.roots {
            Roots::System => rustls_native_certs::load_native_certs().certs,
            Roots::File(file) => certificates(file, "the certificates to trust", "sslrootcert")?,
        };
        if trusted.is_empty() {
            let error = Error::new(ErrorKind::NotFound, "the operating system has no certificates to trust");
            return Err(error.hint("install them (`ca-certificates`), or name a file of certificates in `sslrootcert`"));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let crls = match &self.crl {
            Some(file) => {
                let lists = CertificateRevocationListDer::pem_file_iter(file).and_then(Iterator::collect);
                lists.map_err(|why| unreadable("the revocation list", file, &why, "sslcrl"))?
            }
            None => Vec::new(),
        };
        Verifier::new(check, provider, roots, trusted, crls).map(Arc::new)
    }

    /// What child processes are told, of a server that was reached in this mode.
    pub(super) fn variables(&self, reached: SslMode) -> Vec<(&'static str, OsString)> {
        let mode = match self.mode {
            _ if reached == SslMode::Disable => "disable",
            Mode::Disable => "disable",
            Mode::Allow | Mode::Prefer if reached == SslMode::Require => "require",
            Mode::Allow => "allow",
            Mode::Prefer => "prefer",
            Mode::Require => "require",
            Mode::VerifyCa => "verify-ca",
            Mode::VerifyFull => "verify-full",
        };
        let mut variables: Vec<(&'static str, OsString)> = vec![("PGSSLMODE", mode.into())];
        match &self.roots {
            Roots::File(file) => variables.push(("PGSSLROOTCERT", file.into())),
            Roots::System => {
                let bundle = BUNDLES.iter().find(|file| Path::new(file).exists());
                variables.push(("PGSSLROOTCERT", bundle.copied().unwrap_or("system").into()));
            }
        }
        if let Some((certificate, key)) = &self.identity {
            variables.push(("PGSSLCERT", certificate.into()));
            variables.push(("PGSSLKEY", key.into()));
        }
        variables.extend(self.crl.as_ref().map(|file| ("PGSSLCRL", file.into())));
        variables
    }
}

fn mode(parameters: &Parameters, roots: &Roots) -> Result<Mode, SettingError> {
    let mode = match parameters.get("sslmode") {
        None if *roots == Roots::System => Mode::VerifyFull,
        None | Some("prefer") => Mode::Prefer,
        Some("disable") => Mode::Disable,
        Some("allow") => Mode::Allow,
        Some("require") => Mode::Require,
        Some("verify-ca") => Mode::VerifyCa,
        Some("verify-full") => Mode::VerifyFull,
        Some(other) => {
            return Err(parameters
                .wrong("sslmode", format!("`{}` is none of its values", other.escape_debug()))
                .hint("write `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`"));
        }
    };
    if *roots == Roots::System && mode != Mode::VerifyFull {
        let why =
            "with `sslrootcert = \"system\"` only `verify-full` means anything: anybody can have a certificate that the system trusts";
        return Err(parameters.wrong("sslmode", why).hint("write `sslmode = \"verify-full\"`, or leave it out"));
    }
    Ok(mode)
}

/// The versions of TLS between `ssl_min_protocol_version` and `ssl_max_protocol_version`; older than 1.2 there are none.
fn versions(parameters: &Parameters) -> Result<&'static [&'static rustls::SupportedProtocolVersion], SettingError> {
    let number = |keyword: &str, default: u8| match parameters.get(keyword).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(default),
        Some("tlsv1") => Ok(0),
        Some("tlsv1.1") => Ok(1),
        Some("tlsv1.2") => Ok(2),
        Some("tlsv1.3") => Ok(3),
        Some(other) => {
            Err(parameters.wrong(keyword, format!("`{}` is no version of TLS", other.escape_debug())).hint("write `TLSv1.2` or `TLSv1.3`"))
        }
    };
    match (number("ssl_min_protocol_version", 2)?, number("ssl_max_protocol_version", 3)?) {
        (0..=2, 2) => Ok(&VERSIONS[..1]),
        (0..=2, 3) => Ok(&VERSIONS),
        (3, 3) => Ok(&VERSIONS[1..]),
        (_, 0 | 1) => Err(parameters.wrong("ssl_max_protocol_version", "TLS before version 1.2 is not supported").hint("write `TLSv1.3`")),
        _ => Err(parameters.wrong("ssl_min_protocol_version", "it is above `ssl_max_protocol_version`")),
    }
}

/// The certificates of a PEM file: at least one.
fn certificates(file: &Path, what: &str, keyword: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(unreadable(what, file, &"it holds no certificate", keyword)),
        Ok(certificates) => Ok(certificates),
        Err(why) => Err(unreadable(what, file, &why, keyword)),
    }
}

/// A client's key, which others must not be able to read.
fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(file).map_err(|why| unreadable("the client's key", file, &why, "sslkey"))?;
    let allowed = if metadata.uid() == 0 { 0o640 } else { 0o600 };
    if metadata.mode() & 0o777 & !allowed != 0 {
        let shown = file.display();
        let error = Error::new(ErrorKind::PermissionDenied, format!("others than its owner may access the client's key `{shown}`"));
        return Err(error.hint(format!("run `chmod 0600 {shown}`")));
    }
    PrivateKeyDer::from_pem_file(file).map_err(|why| match std::fs::read(file) {
        Ok(bytes) if bytes.windows(9).any(|part| part == b"ENCRYPTED") => {
            unreadable("the client's key", file, &"a key with a passphrase is not supported", "sslkey")
        }
        _ => unreadable("the client's key", file, &why, "sslkey"),
    })
}

fn unreadable(what: &str, file: &Path, why: &dyn std::fmt::Display, keyword: &str) -> Error {
    let kind = if file.exists() { ErrorKind::InvalidConfig } else { ErrorKind::NotFound };
    let error = match kind {
        ErrorKind::NotFound => Error::new(kind, format!("{what} are expected in `{}`, which does not exist", file.display())),
        _ => Error::new(kind, format!("cannot read {what} in `{}`: {why}", file.display())),
    };
    match keyword {
        "sslrootcert" => error.hint("name their file in `sslrootcert`, or take the operating system's by `sslrootcert = \"system\"`"),
        _ => error.hint(format!("set `{keyword}`")),
    }
}
