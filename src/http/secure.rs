//! What is served without TLS where there is HTTPS, and the certificate that browsers are
//! shown: how to trust it, and how to bring another.

use std::time::UNIX_EPOCH;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::accounts::Role;
use super::roles::Need;
use super::server::Scheme;
use super::{App, Ends, Problem, pages};
use crate::config::Plain;
use crate::tls::{self, Serving, Source, Tls, TlsError};

/// HTTPS, where it is served.
#[derive(Clone, Debug)]
pub struct Https {
    /// What browsers are shown.
    pub tls: Tls,
    /// Where.
    pub port: u16,
}

/// Served without TLS too: what a person needs before there is trust, and what supervisors
/// of the device ask.
const PLAIN: &[&str] = &[
    "/healthz",
    "/trust",
    "/page/{file}",
    "/api/v1/tls",
    "/api/v1/tls/authority.crt",
    "/api/v1/tls/authority.pem",
    "/api/v1/tls/authority.mobileconfig",
    "/api/v1/tls/fingerprint.svg",
];

/// Where the set-up code and new passwords are typed and sent, which are for nobody else's ears.
const NEVER_PLAIN: &[&str] = &["/setup", "/api/v1/setup", "/settings", "/api/v1/me/password"];

/// The answer to a request without TLS that is not to be served so; `None`: it is.
pub fn in_place_of(
    app: &App,
    request: &Request,
    route: Option<&str>,
    need: Need,
) -> Option<Response> {
    let https = app.https.as_ref()?;
    let ends = request.extensions().get::<Ends>()?;
    if ends.scheme == Scheme::Https || route.is_some_and(|route| PLAIN.contains(&route)) {
        return None;
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if let tls::State::Waiting(why) = https.tls.state() {
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no HTTPS yet",
            format!("this device has no certificate yet: {why}"),
            "come back in a minute",
        );
        let is_page = reads && route.is_some_and(pages::is_page);
        return Some(if is_page { pages::waiting() } else { problem.into_response() });
    }
    let secret = route.is_some_and(|route| NEVER_PLAIN.contains(&route));
    let views = !secret && app.settled.borrow().now.http.plain == Plain::View;
    if views && matches!(need, Need::Nothing | Need::Role(Role::Viewer)) {
        return None;
    }
    let place = place(request, https.port)?;
    if reads {
        let location = HeaderValue::from_str(&place).ok()?;
        // Not for ever: who serves it without TLS later is found again.
        return Some((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response());
    }
    let problem = Problem::new(
        StatusCode::FORBIDDEN,
        "HTTPS only",
        "what this request carries is not for everybody on the network",
        format!("send it to {place}"),
    );
    Some(problem.into_response())
}

/// The same by HTTPS.
fn place(request: &Request, port: u16) -> Option<String> {
    // The guard has let it pass: one host, of this device.
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    Some(format!("https://{name}{port}{path}"))
}

/// The most that a request without TLS may do, where there is HTTPS.
pub fn most(app: &App, ends: Ends) -> Role {
    let plain = app.https.is_some() && ends.scheme == Scheme::Http;
    if plain { Role::Viewer } else { Role::Administrator }
}

/// Trusting, and bringing another certificate.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(about))
        .routes(routes!(authority))
        .routes(routes!(authority_text))
        .routes(routes!(profile))
        .routes(routes!(fingerprint))
        .routes(routes!(request))
        .routes(routes!(bring, forget))
        .routes(routes!(new_authority))
}

/// What browsers are shown.
#[derive(Serialize, ToSchema)]
struct TlsStatus {
    /// Whether there is HTTPS.
    https: bool,
    /// Why there is no certificate yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<String>,
    /// What browsers are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateStatus>,
    /// The device's own authority, which a person can trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<CertificateStatus>,
    /// `own` or `brought`.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    /// Addresses of the device that the authority may not sign for: it is older than they are.
    left_out: Vec<String>,
    /// Why a certificate that was brought is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<String>,
}

/// A certificate in words.
#[derive(Serialize, ToSchema)]
struct CertificateStatus {
    /// SHA-256, as browsers show it.
    #[schema(example = "BA:78:16:BF:..")]
    fingerprint: String,
    /// What it is for, names first.
    names: Vec<String>,
    /// When it ends, in seconds since 1970.
    ends: u64,
}

impl CertificateStatus {
    fn new(certificate: &tls::authority::Certificate) -> Self {
        let names = &certificate.names;
        let addresses = names.addresses().iter().map(ToString::to_string);
        Self {
            fingerprint: certificate.fingerprint(),
            names: std::iter::once(names.host().to_owned()).chain(addresses).collect(),
            ends: certificate.ends.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        }
    }
}

/// Which certificate browsers are shown.
#[utoipa::path(get, path = "/api/v1/tls", tag = "HTTPS", security(()),
    responses((status = 200, description = "names, fingerprints, ends", body = TlsStatus)))]
async fn about(State(app): State<App>) -> Json<TlsStatus> {
    let nothing = TlsStatus {
        https: app.https.is_some(),
        waiting: None,
        certificate: None,
        authority: None,
        source: None,
        left_out: Vec::new(),
        passed_over: None,
    };
    Json(match app.https.as_ref().map(|https| https.tls.state()) {
        None => nothing,
        Some(tls::State::Waiting(why)) => TlsStatus { waiting: Some(why), ..nothing },
        Some(tls::State::Serving(serving)) => TlsStatus {
            certificate: Some(CertificateStatus::new(&serving.certificate)),
            authority: Some(CertificateStatus::new(&serving.authority)),
            source: Some(match serving.source {
                Source::Own => "own",
                Source::Brought => "brought",
            }),
            left_out: serving.left_out.iter().map(ToString::to_string).collect(),
            passed_over: serving.passed_over.clone(),
            ..nothing
        },
    })
}

/// The certificate of the device's own authority, to be trusted.
#[utoipa::path(get, path = "/api/v1/tls/authority.crt", tag = "HTTPS", security(()),
    responses(
        (status = 200, description = "X.509 in DER", content_type = "application/x-x509-ca-cert"),
        (status = 409, description = "there is no HTTPS, or no certificate yet", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn authority(State(app): State<App>) -> Result<Response, Problem> {
    let (tls, serving) = serving(&app)?;
    tls.offered(&serving);
    let name = format!("attachment; filename=\"{}.crt\"", serving.authority.names.host());
    let headers =
        [(CONTENT_TYPE, "application/x-x509-ca-cert".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, serving.authority.der.clone()).into_response())
}

/// The same as text, for programs: `curl --cacert`, `signpost diagnose --authority`.
#[utoipa::path(get, path = "/api/v1/tls/authority.pem", tag = "HTTPS", security(()),
    responses(
        (status = 200, description = "X.509 in PEM (RFC 7468)", body = String,
            content_type = "application/x-pem-file"),
        (status = 409, description = "there is no HTTPS, or no certificate yet", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn authority_text(State(app): State<App>) -> Result<Response, Problem> {
    let (tls, serving) = serving(&app)?;
    tls.offered(&serving);
    let kind = HeaderValue::from_static("application/x-pem-file");
    Ok(([(CONTENT_TYPE, kind)], tls::pem(&serving.authority.der)).into_response())
}

/// The same as a configuration profile, for iOS and macOS.
#[utoipa::path(get, path = "/api/v1/tls/authority.mobileconfig", tag = "HTTPS", security(()),
    responses(
        (status = 200, description = "a profile of Apple's", content_type = "application/x-apple-aspen-config"),
        (status = 409, description = "there is no HTTPS, or no certificate yet", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn profile(State(app): State<App>) -> Result<Response, Problem> {
    let (tls, serving) = serving(&app)?;
    tls.offered(&serving);
    let name = format!("attachment; filename=\"{}.mobileconfig\"", serving.authority.names.host());
    let kind = "application/x-apple-aspen-config".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], mobileconfig(&serving))
        .into_response())
}

/// A profile with one payload, `com.apple.security.root` (Apple's Configuration Profile
/// Reference). Its ids are of the certificate, so that a second installation replaces it.
fn mobileconfig(serving: &Serving) -> String {
    let pem = tls::pem(&serving.authority.der);
    let data: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let digits: String =
        serving.authority.fingerprint().chars().filter(|digit| *digit != ':').collect();
    let id = |from: usize| {
        let part = |start: usize, end: usize| &digits[from + start..from + end];
        let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
        parts.join("-")
    };
    // A host name has letters, digits and hyphens alone.
    let host = serving.authority.names.host();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadType</key><string>Configuration</string>
<key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>signpost.{host}</string>
<key>PayloadUUID</key><string>{}</string>
<key>PayloadDisplayName</key><string>{host}</string>
<key>PayloadDescription</key><string>Trusts the camera {host}, and nothing else.</string>
<key>PayloadContent</key><array><dict>
<key>PayloadType</key><string>com.apple.security.root</string>
<key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>signpost.{host}.authority</string>
<key>PayloadUUID</key><string>{}</string>
<key>PayloadDisplayName</key><string>{host}</string>
<key>PayloadContent</key><data>{data}</data>
</dict></array>
</dict></plist>
"#,
        id(0),
        id(32)
    )
}

/// The authority's fingerprint as a QR code.
#[utoipa::path(get, path = "/api/v1/tls/fingerprint.svg", tag = "HTTPS", security(()),
    responses(
        (status = 200, description = "the text, in a QR code", content_type = "image/svg+xml"),
        (status = 409, description = "there is no HTTPS, or no certificate yet", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn fingerprint(State(app): State<App>) -> Result<Response, Problem> {
    let (_, serving) = serving(&app)?;
    let text = serving.authority.fingerprint();
    let code = qrcode::QrCode::new(text).expect("95 characters are within every version");
    let svg = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(200, 200).build();
    Ok(([(CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

/// A request for a certificate of another authority.
///
/// Its key stays on the device. What the authority makes of it is brought by PUT to
/// `/api/v1/tls/certificate`.
#[utoipa::path(get, path = "/api/v1/tls/request", tag = "HTTPS",
    responses(
        (status = 200, description = "PKCS #10 in PEM (RFC 2986)", content_type = "application/pkcs10"),
        (status = 409, description = "there is no HTTPS, or no key yet", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn request(State(app): State<App>) -> Result<Response, Problem> {
    let (tls, _) = serving(&app)?;
    let text = tls.request().await?;
    let name = HeaderValue::from_static("attachment; filename=\"signpost.csr\"");
    let kind = HeaderValue::from_static("application/pkcs10");
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], text).into_response())
}

/// Show another authority's certificate.
///
/// The body is the chain in PEM, the device's certificate first, made from its request. When
/// it ends, or the device has another name, the device's own is shown again.
#[utoipa::path(put, path = "/api/v1/tls/certificate", tag = "HTTPS",
    request_body(content = String, content_type = "application/x-pem-file"),
    responses(
        (status = 204, description = "shown from the next connection on"),
        (status = 409, description = "there is no HTTPS, or no key yet", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "why it cannot be shown. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn bring(State(app): State<App>, body: Bytes) -> Result<StatusCode, Problem> {
    let (tls, _) = serving(&app)?;
    tls.bring(String::from_utf8_lossy(&body).into_owned()).await?;
    log::info!("another authority's certificate was brought");
    Ok(StatusCode::NO_CONTENT)
}

/// Show the device's own certificate again.
#[utoipa::path(delete, path = "/api/v1/tls/certificate", tag = "HTTPS",
    responses(
        (status = 204, description = "shown from the next connection on"),
        (status = 409, description = "there is no HTTPS", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "the disk refuses. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn forget(State(app): State<App>) -> Result<StatusCode, Problem> {
    let (tls, _) = serving(&app)?;
    tls.forget().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make another authority.
///
/// Whoever trusted the one before is warned until the new one is trusted. For a device whose
/// addresses have changed, or whose key may have been stolen.
#[utoipa::path(post, path = "/api/v1/tls/authority", tag = "HTTPS",
    responses(
        (status = 204, description = "made; shown from the next connection on"),
        (status = 409, description = "there is no HTTPS, or the clock is wrong", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn new_authority(State(app): State<App>) -> Result<StatusCode, Problem> {
    let (tls, _) = serving(&app)?;
    tls.new_authority().await?;
    log::warn!("the device's authority was made anew: who trusted it is warned from now on");
    Ok(StatusCode::NO_CONTENT)
}

fn serving(app: &App) -> Result<(&Tls, std::sync::Arc<Serving>), Problem> {
    let absent = |why: String| {
        Problem::new(
            StatusCode::CONFLICT,
            "no certificate",
            why,
            "HTTPS is served on port 443 by the service, else where http.listen_https says",
        )
    };
    let https = app.https.as_ref().ok_or_else(|| absent("this device serves no HTTPS".into()))?;
    match https.tls.state() {
        tls::State::Serving(serving) => Ok((&https.tls, serving)),
        tls::State::Waiting(why) => Err(absent(format!("there is no certificate yet: {why}"))),
    }
}

impl From<TlsError> for Problem {
    fn from(error: TlsError) -> Self {
        let told = crate::errors::chain(&error);
        let (status, title, hint) = match error {
            TlsError::Brought(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "certificate refused",
                "have one made from GET /api/v1/tls/request; nothing was changed",
            ),
            TlsError::Storing(_) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "not stored",
                "make room or mend the disk and send it again",
            ),
            TlsError::NotNow(_) => (StatusCode::CONFLICT, "not now", "try again later"),
            TlsError::Making(_) | TlsError::Using(_) => {
                log::error!("{told}");
                (StatusCode::INTERNAL_SERVER_ERROR, "certificate not made", "restart signpost")
            }
        };
        Self::new(status, title, told, hint)
    }
}
