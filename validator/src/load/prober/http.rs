//! A GET as the kubelet sends it (`pkg/probe/http` of Kubernetes).

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{USER_AGENT, connect, tls};
use crate::config::{Header, Scheme};
use crate::evidence::Outcome;
use crate::load::link::outcome_of;

/// Redirects that are followed before the probe has failed; as the HTTP client of Go.
const MAX_REDIRECTS: usize = 10;

/// So much of an answer is read; what comes after it is not looked at.
const MAX_BODY: usize = 10 * 1024;

/// Where one GET goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Get {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

/// A host of one's own in the headers is kept through redirects to a path, as Go does.
struct Hop {
    get: Get,
    own_host: bool,
}

impl Get {
    /// The status of the last answer, redirects to the same host followed. A redirect to another host is the answer.
    pub(super) async fn ask(self, headers: &[Header]) -> Result<u16, String> {
        let host = self.host.clone();
        let mut hop = Hop { get: self, own_host: true };
        for _ in 0..=MAX_REDIRECTS {
            let answer = hop.send(headers).await?;
            let status = answer.status().as_u16();
            let Some(location) = redirect(&answer) else {
                return read(answer.into_body()).await.map(|()| status);
            };
            match hop.get.follow(&location)? {
                next if next.get.host == host => {
                    hop = Hop { own_host: next.own_host && hop.own_host, ..next }
                }
                _ => return Ok(status),
            }
        }
        Err(format!("more than {MAX_REDIRECTS} redirects"))
    }

    /// Where a redirect leads.
    fn follow(&self, location: &str) -> Result<Hop, String> {
        let wrong = || format!("a redirect to {location:?}");
        let absolute = location.starts_with("http://") || location.starts_with("https://");
        let to_host = absolute || location.starts_with("//");
        let text = match location {
            text if absolute => text.to_owned(),
            text if to_host => format!("{}:{text}", self.scheme_name()),
            path if path.starts_with('/') => format!("{}{path}", self.origin()),
            relative => {
                let path = self.path.split('?').next().unwrap_or_default();
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{}{folder}/{relative}", self.origin())
            }
        };
        let uri: Uri = text.split('#').next().unwrap_or_default().parse().map_err(|_| wrong())?;
        let scheme = if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
        let usual = if scheme == Scheme::Https { 443 } else { 80 };
        let host = uri.host().ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let get = Self { scheme, host, port: uri.port_u16().unwrap_or(usual), path };
        Ok(Hop { get, own_host: !to_host })
    }

    fn origin(&self) -> String {
        format!("{}://{}", self.scheme_name(), self.authority())
    }

    fn scheme_name(&self) -> &'static str {
        if self.scheme == Scheme::Https { "https" } else { "http" }
    }

    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Hop {
    async fn send(&self, headers: &[Header]) -> Result<http::Response<Incoming>, String> {
        let request = self.request(headers)?;
        let stream = connect(&self.get.host, self.get.port).await?;
        match self.get.scheme {
            Scheme::Http => exchange(stream, request).await,
            Scheme::Https => exchange(tls::connect(&self.get.host, stream).await?, request).await,
        }
    }

    fn request(&self, headers: &[Header]) -> Result<Request<Empty<Bytes>>, String> {
        let mut request = Request::get(&self.get.path).header(header::CONNECTION, "close");
        let map = request.headers_mut().ok_or_else(|| format!("the path {:?}", self.get.path))?;
        for Header { name, value } in headers {
            let name = http::HeaderName::try_from(name).map_err(|error| error.to_string())?;
            let value = HeaderValue::try_from(value.as_deref().unwrap_or_default());
            if name != header::HOST || self.own_host {
                map.append(name, value.map_err(|error| error.to_string())?);
            }
        }
        let authority = HeaderValue::try_from(self.get.authority()).map_err(|error| error.to_string())?;
        map.entry(header::HOST).or_insert(authority);
        map.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        map.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        request.body(Empty::new()).map_err(|error| error.to_string())
    }
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<http::Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let told = |error: hyper::Error| outcome_of(&error).name();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(told)?;
    // Its error reaches the request; it ends with the answer, which says to close.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(told)
}

/// Where an answer sends on, if it does: the statuses that Go follows.
fn redirect(answer: &http::Response<Incoming>) -> Option<String> {
    let follows = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.headers().get(header::LOCATION).filter(|_| follows)?;
    location.to_str().ok().map(str::to_owned)
}

async fn read(mut body: Incoming) -> Result<(), String> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Outcome::Closed.name())?;
        length += frame.data_ref().map_or(0, Bytes::len);
        if length >= MAX_BODY {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Get, Scheme};

    #[test]
    fn a_redirect_leads_where_go_would_go() {
        let from = Get { scheme: Scheme::Http, host: "10.0.0.1".into(), port: 8080, path: "/a/b?c".into() };
        let to = |location: &str| {
            let hop = from.follow(location).unwrap();
            (hop.get.scheme, hop.get.host, hop.get.port, hop.get.path, hop.own_host)
        };
        let same = |path: &str| (Scheme::Http, "10.0.0.1".to_owned(), 8080, path.to_owned(), true);
        assert_eq!(to("/up"), same("/up"));
        assert_eq!(to("up?x=1"), same("/a/up?x=1"));
        assert_eq!(to("https://10.0.0.1/up"), (Scheme::Https, "10.0.0.1".into(), 443, "/up".into(), false));
        assert_eq!(to("//example.com"), (Scheme::Http, "example.com".into(), 80, "/".into(), false));
        assert!(from.follow("http://").is_err());
    }
}
