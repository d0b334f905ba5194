//! Requests to the device, each on a connection of its own and with a deadline.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::trust::{self, Shown};

/// What the device may take for an answer, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// An answer is a page of JSON.
const MOST_BYTES: usize = 1 << 20;

/// With or without TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Without.
    Http,
    /// With.
    Https,
}

/// Where the device is, and the login that is shown to it.
#[derive(Clone, Debug)]
pub struct Client {
    /// With or without TLS.
    pub scheme: Scheme,
    /// By which it is asked for, with the port where that is not the usual one.
    pub host: String,
    /// For which its certificate has to be.
    pub name: String,
    /// Where it has answered.
    pub address: SocketAddr,
    /// Who is trusted.
    pub roots: RootCertStore,
    /// The login.
    pub token: Option<String>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    /// Of HTTP.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It is not there any more.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// It does not speak HTTP.
    #[error("no answer in HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// It shows another certificate than before.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// It takes too long.
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// It does not end.
    #[error("the answer is too long: {0}")]
    Long(axum::Error),
}

impl Answer {
    /// Its body, if that is JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The device's own words for what is wrong, and what to do.
    #[must_use]
    pub fn problem(&self) -> (String, String) {
        let problem = self.json();
        let word = |key: &str| problem[key].as_str().map(str::to_owned);
        let detail = word("detail").or_else(|| word("title"));
        let other = || format!("the device answers {}", self.status);
        let unlike = || "is this address that of a signpost device?".to_owned();
        (detail.unwrap_or_else(other), word("hint").unwrap_or_else(unlike))
    }
}

impl Client {
    /// Reads.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.ask(Method::GET, path, None, PATIENCE).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.ask(Method::POST, path, Some(body), PATIENCE).await
    }

    /// Ends something.
    pub async fn delete(&self, path: &str) -> Result<Answer, ClientError> {
        self.ask(Method::DELETE, path, None, PATIENCE).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(HOST, &self.host).header(CONNECTION, "close");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).map_err(io::Error::other)?;
        let answer = async {
            let stream = TcpStream::connect(self.address).await?;
            match self.scheme {
                Scheme::Http => converse(stream, request).await,
                Scheme::Https => {
                    let shaken = trust::shake_hands(stream, &self.name, &self.roots).await?;
                    match shaken {
                        (stream, Shown::Trusted { .. }) => converse(stream, request).await,
                        (_, Shown::Untrusted { why, .. }) => Err(ClientError::Untrusted(why)),
                    }
                }
            }
        };
        tokio::time::timeout(patience, answer).await.map_err(|_| ClientError::Slow(patience))?
    }
}

async fn converse<S>(stream: S, request: Request<Body>) -> Result<Answer, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It moves the bytes of this one request, and ends with it.
    let moving = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = to_bytes(Body::new(body), MOST_BYTES).await.map_err(ClientError::Long)?;
    moving.abort();
    Ok(Answer { status: head.status, headers: head.headers, body })
}
