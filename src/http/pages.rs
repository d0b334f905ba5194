//! The page's files, embedded, each at its own address.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use tower_http::compression::CompressionLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::App;
use super::access::Entry;

/// A file of the page.
#[derive(Debug)]
pub struct Page {
    /// Where it is served.
    pub path: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// Its contents.
    pub text: &'static str,
}

macro_rules! page {
    ($path:literal, $kind:literal, $file:literal) => {
        Page { path: $path, kind: $kind, text: include_str!(concat!("../page/", $file)) }
    };
}

/// The live page.
const LIVE: Page = page!("/", "text/html; charset=utf-8", "index.html");
/// The login page.
const LOGIN: Page = page!("/login", "text/html; charset=utf-8", "login.html");

/// The only page of a device that has no password yet.
const SETUP: Page = page!("/setup", "text/html; charset=utf-8", "setup.html");

/// What is set without a terminal.
const SETTINGS: Page = page!("/settings", "text/html; charset=utf-8", "settings.html");
/// What is looked at when something does not work.
const DIAGNOSTICS: Page = page!("/diagnostics", "text/html; charset=utf-8", "diagnostics.html");

/// How to trust the device's certificate.
const TRUST: Page = page!("/trust", "text/html; charset=utf-8", "trust.html");
/// In place of pages while there is no certificate.
const WAITING: Page = page!("/", "text/html; charset=utf-8", "waiting.html");

/// What the pages load.
pub const ASSETS: &[Page] = &[
    page!("/page/cards.css", "text/css; charset=utf-8", "cards.css"),
    page!("/page/page.css", "text/css; charset=utf-8", "page.css"),
    page!("/page/icon.svg", "image/svg+xml", "icon.svg"),
    page!("/page/access.js", "text/javascript; charset=utf-8", "access.js"),
    page!("/page/api.js", "text/javascript; charset=utf-8", "api.js"),
    page!("/page/camera.js", "text/javascript; charset=utf-8", "camera.js"),
    page!("/page/card.js", "text/javascript; charset=utf-8", "card.js"),
    page!("/page/certificate.js", "text/javascript; charset=utf-8", "certificate.js"),
    page!("/page/channel.js", "text/javascript; charset=utf-8", "channel.js"),
    page!("/page/chart.js", "text/javascript; charset=utf-8", "chart.js"),
    page!("/page/charts.js", "text/javascript; charset=utf-8", "charts.js"),
    page!("/page/clearing.js", "text/javascript; charset=utf-8", "clearing.js"),
    page!("/page/config.js", "text/javascript; charset=utf-8", "config.js"),
    page!("/page/connection.js", "text/javascript; charset=utf-8", "connection.js"),
    page!("/page/device.js", "text/javascript; charset=utf-8", "device.js"),
    page!("/page/diagnosed.js", "text/javascript; charset=utf-8", "diagnosed.js"),
    page!("/page/diagnostics.js", "text/javascript; charset=utf-8", "diagnostics.js"),
    page!("/page/dom.js", "text/javascript; charset=utf-8", "dom.js"),
    page!("/page/facts.js", "text/javascript; charset=utf-8", "facts.js"),
    page!("/page/forms.js", "text/javascript; charset=utf-8", "forms.js"),
    page!("/page/fullscreen.js", "text/javascript; charset=utf-8", "fullscreen.js"),
    page!("/page/instep.js", "text/javascript; charset=utf-8", "instep.js"),
    page!("/page/journal.js", "text/javascript; charset=utf-8", "journal.js"),
    page!("/page/ladder.js", "text/javascript; charset=utf-8", "ladder.js"),
    page!("/page/line.js", "text/javascript; charset=utf-8", "line.js"),
    page!("/page/link.js", "text/javascript; charset=utf-8", "link.js"),
    page!("/page/live.js", "text/javascript; charset=utf-8", "live.js"),
    page!("/page/login.js", "text/javascript; charset=utf-8", "login.js"),
    page!("/page/machine.js", "text/javascript; charset=utf-8", "machine.js"),
    page!("/page/memory.js", "text/javascript; charset=utf-8", "memory.js"),
    page!("/page/mjpeg.js", "text/javascript; charset=utf-8", "mjpeg.js"),
    page!("/page/model.js", "text/javascript; charset=utf-8", "model.js"),
    page!("/page/overlay.js", "text/javascript; charset=utf-8", "overlay.js"),
    page!("/page/panel.js", "text/javascript; charset=utf-8", "panel.js"),
    page!("/page/parts.js", "text/javascript; charset=utf-8", "parts.js"),
    page!("/page/picture.js", "text/javascript; charset=utf-8", "picture.js"),
    page!("/page/preview.js", "text/javascript; charset=utf-8", "preview.js"),
    page!("/page/probe.js", "text/javascript; charset=utf-8", "probe.js"),
    page!("/page/pulse.js", "text/javascript; charset=utf-8", "pulse.js"),
    page!("/page/rate.js", "text/javascript; charset=utf-8", "rate.js"),
    page!("/page/repair.js", "text/javascript; charset=utf-8", "repair.js"),
    page!("/page/report.js", "text/javascript; charset=utf-8", "report.js"),
    page!("/page/restart.js", "text/javascript; charset=utf-8", "restart.js"),
    page!("/page/series.js", "text/javascript; charset=utf-8", "series.js"),
    page!("/page/settings.js", "text/javascript; charset=utf-8", "settings.js"),
    page!("/page/setup.js", "text/javascript; charset=utf-8", "setup.js"),
    page!("/page/shell.js", "text/javascript; charset=utf-8", "shell.js"),
    page!("/page/status.js", "text/javascript; charset=utf-8", "status.js"),
    page!("/page/tests.js", "text/javascript; charset=utf-8", "tests.js"),
    page!("/page/transcript.js", "text/javascript; charset=utf-8", "transcript.js"),
    page!("/page/transmission.js", "text/javascript; charset=utf-8", "transmission.js"),
    page!("/page/trouble.js", "text/javascript; charset=utf-8", "trouble.js"),
    page!("/page/trust.js", "text/javascript; charset=utf-8", "trust.js"),
    page!("/page/verdict.js", "text/javascript; charset=utf-8", "verdict.js"),
    page!("/page/viewing.js", "text/javascript; charset=utf-8", "viewing.js"),
    page!("/page/waiting.js", "text/javascript; charset=utf-8", "waiting.js"),
    page!("/page/ways.js", "text/javascript; charset=utf-8", "ways.js"),
    page!("/page/words.de.js", "text/javascript; charset=utf-8", "words.de.js"),
    page!("/page/words.en.js", "text/javascript; charset=utf-8", "words.en.js"),
    page!("/page/words.js", "text/javascript; charset=utf-8", "words.js"),
];

/// Every page, whatever it is served in place of.
#[cfg(test)]
const PAGES: &[&Page] = &[&LIVE, &LOGIN, &SETUP, &SETTINGS, &DIAGNOSTICS, &TRUST, &WAITING];

/// The pages and what they load, compressed. Nothing else is: an answer that holds a secret
/// beside what the asker chose tells its length (BREACH, 2013).
pub fn routes() -> OpenApiRouter<App> {
    let pages = OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(settings))
        .routes(routes!(diagnostics))
        .routes(routes!(login))
        .routes(routes!(trust))
        .routes(routes!(setup));
    let all = pages.merge(Router::new().route("/page/{file}", get(asset)).into());
    all.layer(CompressionLayer::new())
}

/// Whether a person without login who opens `path` is led to the login page.
#[must_use]
pub fn is_page(path: &str) -> bool {
    [LIVE.path, LOGIN.path, SETUP.path, SETTINGS.path, DIAGNOSTICS.path].contains(&path)
}

/// A file that the pages load.
async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    let asset = ASSETS.iter().find(|asset| asset.path == uri.path());
    asset.map_or(StatusCode::NOT_FOUND.into_response(), |asset| asset.answer(&headers))
}

/// How to trust the device's certificate, in two steps.
#[utoipa::path(get, path = "/trust", tag = "page", security(()), responses(
    (status = 200, description = "the page", content_type = "text/html"),
))]
async fn trust(headers: HeaderMap) -> Response {
    TRUST.answer(&headers)
}

/// In place of every page while there is no certificate.
#[must_use]
pub fn waiting() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, WAITING.answer(&HeaderMap::new())).into_response()
}

/// The live page.
#[utoipa::path(get, path = "/", tag = "page", responses(
    (status = 200, description = "the live page", content_type = "text/html"),
    (status = 303, description = "not logged in: to /login"),
))]
async fn live(headers: HeaderMap) -> Response {
    LIVE.answer(&headers)
}

/// The settings page.
#[utoipa::path(get, path = "/settings", tag = "page", responses(
    (status = 200, description = "the settings page", content_type = "text/html"),
    (status = 303, description = "not logged in: to /login"),
))]
async fn settings(headers: HeaderMap) -> Response {
    SETTINGS.answer(&headers)
}

/// The diagnostics page.
#[utoipa::path(get, path = "/diagnostics", tag = "page", responses(
    (status = 200, description = "the diagnostics page", content_type = "text/html"),
    (status = 303, description = "not logged in: to /login; no operator: to /"),
))]
async fn diagnostics(headers: HeaderMap) -> Response {
    DIAGNOSTICS.answer(&headers)
}

/// The login page.
#[utoipa::path(get, path = "/login", tag = "page", security(()), responses(
    (status = 200, description = "the login page", content_type = "text/html"),
    (status = 303, description = "no login is asked for, or it is done: to /; no password is set: \
        to /setup"),
))]
async fn login(State(app): State<App>, headers: HeaderMap) -> Response {
    if app.access.entry() == Entry::Free || app.access.recognise(&headers).is_some() {
        return Redirect::to(LIVE.path).into_response();
    }
    if app.access.lacks_password() {
        return Redirect::to(SETUP.path).into_response();
    }
    LOGIN.answer(&headers)
}

/// The set-up of a device that has no password yet.
#[utoipa::path(get, path = "/setup", tag = "page", security(()), responses(
    (status = 200, description = "the page", content_type = "text/html"),
    (status = 303, description = "it is set up: to /login"),
))]
async fn setup(State(app): State<App>, headers: HeaderMap) -> Response {
    if !app.access.lacks_password() {
        return Redirect::to(LOGIN.path).into_response();
    }
    SETUP.answer(&headers)
}

impl Page {
    /// The file, or 304 for who has it already. Always asked for again, so that an
    /// update of the device is an update of its page.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let fresh = [(ETAG, tag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
        if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag)) {
            return (StatusCode::NOT_MODIFIED, fresh).into_response();
        }
        (fresh, [(CONTENT_TYPE, self.kind)], self.text).into_response()
    }

    /// The start of the contents' hash.
    fn tag(&self) -> String {
        let hash = Sha256::digest(self.text);
        let start: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("\"{start}\"")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Addresses in quotation marks, as in `href="/page/x"` or `from "./x.js"`.
    fn named(text: &'static str) -> impl Iterator<Item = String> {
        text.split(['"', '\'']).filter_map(|word| {
            let own = word.strip_prefix("./").filter(|rest| rest.ends_with(".js"));
            let own = own.or_else(|| word.strip_prefix("/page/"))?;
            Some(format!("/page/{own}"))
        })
    }

    #[test]
    fn what_a_page_loads_is_served() {
        let mut found = 0;
        for page in ASSETS.iter().chain(PAGES.iter().copied()) {
            for path in named(page.text) {
                found += 1;
                let loaded = ASSETS.iter().any(|asset| asset.path == path);
                assert!(loaded, "{} loads {path}", page.path);
            }
        }
        assert!(found >= ASSETS.len(), "the search finds what the pages load");
    }

    #[test]
    fn pages_hold_nothing_that_their_policy_forbids() {
        for page in PAGES {
            let text = page.text;
            for forbidden in
                ["<style", "style=", "onclick=", "onload=", "javascript:", "//cdn", "https://"]
            {
                assert!(!text.contains(forbidden), "{} has {forbidden}", page.path);
            }
            for script in text.split("<script").skip(1) {
                let tag = script.split('>').next().unwrap();
                assert!(tag.contains("src="), "{}: script without src", page.path);
            }
        }
    }

    #[test]
    fn who_has_a_file_is_told_so() {
        let first = LOGIN.answer(&HeaderMap::new());
        let tag = first.headers()[ETAG].clone();
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, tag)]);
        assert_eq!(LOGIN.answer(&headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(LIVE.answer(&headers).status(), StatusCode::OK);
    }

    /// The most that a page with all that it loads may weigh, compressed. Of the two
    /// languages a browser loads one.
    const WEIGHT: usize = 150_000;

    #[test]
    fn no_page_weighs_more_than_it_may() {
        let weight = |page: &Page| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(page.text.as_bytes()).unwrap();
            encoder.finish().unwrap().len()
        };
        for page in PAGES {
            let mut loaded = vec![page.path.to_owned()];
            let mut open: Vec<String> = named(page.text).collect();
            let mut total = weight(page);
            while let Some(path) = open.pop() {
                if loaded.contains(&path) || path.ends_with("words.en.js") {
                    continue;
                }
                let asset = ASSETS.iter().find(|asset| asset.path == path).unwrap();
                total += weight(asset);
                open.extend(named(asset.text));
                loaded.push(path);
            }
            assert!(total <= WEIGHT, "{} weighs {total} bytes", page.path);
        }
    }
}
