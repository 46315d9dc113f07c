//! HTTP: requests go to granted hosts only.

use http::Request;
use http::uri::Scheme;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use super::Rights;

/// What `wasi:http` asks before it sends.
pub(in crate::drivers::component) struct Requests(Rights);

impl Requests {
    /// For an instance with these rights.
    pub(in crate::drivers::component) fn new(rights: &Rights) -> Self {
        Self(rights.clone())
    }
}

/// What a response comes with: the future that moves its bytes.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        let uri = request.uri();
        let standard = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        if !self.0.may_request(uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(standard)) {
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        // What the default hooks do with a request.
        let hooks: &mut dyn WasiHttpHooks = wasmtime_wasi_http::default_hooks();
        hooks.send_request(request, options, Box::new(std::future::ready(Ok(()))))
    }

    fn p2_error_from_tls(&mut self, why: &std::io::Error) -> ErrorCode {
        match why.get_ref().and_then(|why| why.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => ErrorCode::TlsCertificateError,
            _ => ErrorCode::TlsProtocolError,
        }
    }
}
