//! Every route, behind one entrance.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_axum::router::OpenApiRouter;

use super::unread::Unread;
use super::{
    App, Caller, Ends, Problem, access, api, cameras, checks, configuration, device, facts, guard,
    health, history, liveview, login, metrics, models, pages, problem, roles, secure, setup,
    stills, support, tokens, users, whep,
};
use access::accounts::Role;
use roles::Need;

/// The longest body of a route that does not say otherwise, in bytes. Offers do.
pub const BODY_LIMIT: usize = 64 * 1024;
/// A request, its body included, may take so long. Longer than any answer but that
/// of a silent webrtcbin, for which sessions.negotiation_timeout_s counts too.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What every answer carries. The page has no inline script or style and asks
/// nobody but this device.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
         connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// All routes, each in the OpenAPI document by the same line that serves it.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(api::document())
        .merge(pages::routes())
        .merge(login::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(secure::routes())
        .merge(setup::routes())
        .merge(api::routes())
        .merge(cameras::routes())
        .merge(configuration::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(whep::routes())
        .merge(stills::routes())
        .merge(liveview::routes())
        .merge(device::routes())
        .merge(facts::routes())
        .merge(history::routes())
        .merge(models::routes())
        .merge(support::routes())
        .merge(checks::routes())
}

/// What [`super::serve`] serves.
pub fn router(app: App) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(async || StatusCode::NOT_FOUND)
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), entrance))
        .with_state(app)
}

/// The one way in and out: Host and Origin, login, time limit, then the route; on
/// the way out problems and security headers.
async fn entrance(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = checked_origin(&app, &request);
    let pressing = is_pressing(request.uri().path());
    let (request, unread) = Unread::share(request);
    let answer = match &origin {
        Ok(_) => admitted(&app, request, next).await,
        Err(refusal) => Problem::from(*refusal).into_response(),
    };
    if answer.status().is_client_error() {
        unread.drain().await;
    }
    let mut response = problem::complete(answer).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(Some(origin)) = origin {
        guard::allow_origin(headers, &origin);
    }
    if pressing {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether a viewer asks this when its network has changed. A browser takes a kept
/// connection of the old network first, and waits in vain on it: so none of what the
/// page asks again and again is kept.
fn is_pressing(path: &str) -> bool {
    let asked = ["/healthz", "/api/v1/status", "/api/v1/ice-servers"].contains(&path);
    asked || path.starts_with("/api/v1/webrtc/") || guard::is_whep(path)
}

/// The foreign origin that may read the answer, if there is one.
fn checked_origin(app: &App, request: &Request) -> Result<Option<HeaderValue>, guard::Refusal> {
    let ends = request.extensions().get::<Ends>().ok_or(guard::Refusal::NoHost)?;
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let Ends { local, scheme, .. } = *ends;
    let known = guard::Request { method, uri, headers, local, scheme };
    app.guard.borrow().check(known).map(Option::<&HeaderValue>::cloned)
}

async fn admitted(app: &App, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let need = roles::need(request.method(), route);
    if let Some(answer) = secure::in_place_of(app, &request, route, need) {
        return answer;
    }
    let most = request.extensions().get().map_or(Role::Viewer, |ends| secure::most(app, *ends));
    let caller = app.access.recognise(request.headers());
    let caller = caller.map(|caller| Caller { role: caller.role.min(most), ..caller });
    match (caller, need) {
        // A person who may not look at this page may look at the picture.
        (Some(caller), Need::Role(role)) if caller.role < role && wants_page(&request) => {
            return Redirect::to("/").into_response();
        }
        (Some(caller), Need::Role(role)) if caller.role < role => {
            return access::not_allowed(caller.role, role).into_response();
        }
        (Some(caller), _) => drop(request.extensions_mut().insert(caller)),
        (None, Need::Nothing) => {}
        (None, _) if wants_page(&request) => {
            let lacking = app.access.lacks_password();
            return Redirect::to(if lacking { "/setup" } else { "/login" }).into_response();
        }
        (None, _) => {
            let lacking = app.access.lacks_password();
            let problem = if lacking { setup::not_set_up() } else { access::not_logged_in() };
            let mut response = problem.into_response();
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            return response;
        }
    }
    let most = time_limit(request.uri().path());
    match tokio::time::timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request took too long",
            format!("the request was not complete after {} s", most.as_secs()),
            "send it again, all at once",
        )
        .into_response(),
    }
}

/// How long a request may take, its body included.
fn time_limit(path: &str) -> Duration {
    match path {
        // The model is tried before it is answered, and comes over a slow network.
        path if path.starts_with("/api/v1/models") => models::TIME_LIMIT,
        path if path.starts_with("/api/v1/checks/") => checks::TIME_LIMIT,
        path if path.starts_with("/api/v1/support-bundle") => support::TIME_LIMIT,
        _ => REQUEST_TIMEOUT,
    }
}

fn wants_page(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads && pages::is_page(request.uri().path())
}
