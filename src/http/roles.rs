//! Which route needs what: the one table of it.

use axum::http::Method;

use super::access::accounts::Role;

/// What a route asks of who calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Nothing, so that there is a way in, and for what watches over the device.
    Nothing,
    /// A login or token of this role, or one that may more.
    Role(Role),
}

use Need::Nothing;

const VIEWER: Need = Need::Role(Role::Viewer);
const OPERATOR: Need = Need::Role(Role::Operator);
const ADMINISTRATOR: Need = Need::Role(Role::Administrator);

/// Methods in the document's words; `get` is for HEAD too.
type Methods = &'static [(&'static str, Need)];

/// Every route, by its path in the document.
const ROUTES: &[(&str, Methods)] = &[
    ("/", &[("get", VIEWER)]),
    ("/login", &[("get", Nothing)]),
    ("/setup", &[("get", Nothing)]),
    // Of the own password for everybody; the rest asks for more where it is read.
    ("/settings", &[("get", VIEWER)]),
    ("/diagnostics", &[("get", OPERATOR)]),
    // The pages' code, which is no secret.
    ("/page/{file}", &[("get", Nothing)]),
    ("/healthz", &[("get", Nothing)]),
    ("/metrics", &[("get", VIEWER)]),
    // A browser asks before a foreign page's request, and never with a login.
    ("/whep", &[("post", VIEWER), ("options", Nothing)]),
    ("/whep/{id}", &[("patch", VIEWER), ("delete", VIEWER), ("options", Nothing)]),
    ("/api/v1/webrtc/offer", &[("post", VIEWER)]),
    ("/api/v1/webrtc/candidate", &[("post", VIEWER)]),
    ("/api/v1/cameras", &[("get", OPERATOR)]),
    ("/api/v1/history", &[("get", OPERATOR)]),
    ("/api/v1/sessions", &[("get", OPERATOR)]),
    ("/api/v1/sessions/{id}", &[("delete", VIEWER)]),
    ("/api/v1/liveview/start", &[("post", VIEWER)]),
    // For everybody who looks.
    ("/api/v1/liveview/stop", &[("post", OPERATOR)]),
    ("/api/v1/snapshot.jpg", &[("get", VIEWER)]),
    ("/api/v1/stream.mjpeg", &[("get", VIEWER)]),
    ("/api/v1/knock", &[("get", VIEWER)]),
    ("/api/v1/status", &[("get", VIEWER)]),
    ("/api/v1/ice-servers", &[("get", VIEWER)]),
    ("/api/v1/openapi.json", &[("get", VIEWER)]),
    ("/api/v1/config", &[("get", OPERATOR), ("patch", OPERATOR)]),
    ("/api/v1/config/reload", &[("post", OPERATOR)]),
    ("/api/v1/models", &[("get", VIEWER), ("post", OPERATOR)]),
    ("/api/v1/models/active", &[("put", OPERATOR)]),
    ("/api/v1/models/{name}", &[("delete", OPERATOR)]),
    // Addresses of the device, which who watches does not need.
    ("/api/v1/device", &[("get", OPERATOR)]),
    ("/api/v1/device/time", &[("put", ADMINISTRATOR)]),
    ("/api/v1/device/name", &[("put", ADMINISTRATOR)]),
    // Some settings need it.
    ("/api/v1/device/restart", &[("post", OPERATOR)]),
    // Addresses of those who look.
    ("/api/v1/log", &[("get", ADMINISTRATOR)]),
    ("/api/v1/checks/configuration", &[("post", OPERATOR)]),
    ("/api/v1/checks/golden-clip", &[("post", OPERATOR)]),
    ("/api/v1/support-bundle", &[("get", ADMINISTRATOR)]),
    ("/api/v1/support-bundle/contents", &[("get", ADMINISTRATOR)]),
    ("/trust", &[("get", Nothing)]),
    // What the handshake shows to everybody.
    ("/api/v1/tls", &[("get", Nothing)]),
    ("/api/v1/tls/authority.crt", &[("get", Nothing)]),
    ("/api/v1/tls/authority.pem", &[("get", Nothing)]),
    ("/api/v1/tls/authority.mobileconfig", &[("get", Nothing)]),
    ("/api/v1/tls/fingerprint.svg", &[("get", Nothing)]),
    ("/api/v1/tls/request", &[("get", ADMINISTRATOR)]),
    ("/api/v1/tls/certificate", &[("put", ADMINISTRATOR), ("delete", ADMINISTRATOR)]),
    ("/api/v1/tls/authority", &[("post", ADMINISTRATOR)]),
    ("/api/v1/setup", &[("post", Nothing)]),
    ("/api/v1/login", &[("post", Nothing)]),
    ("/api/v1/logout", &[("post", VIEWER)]),
    ("/api/v1/me", &[("get", VIEWER)]),
    ("/api/v1/me/password", &[("put", VIEWER)]),
    ("/api/v1/users", &[("get", ADMINISTRATOR), ("post", ADMINISTRATOR)]),
    ("/api/v1/users/{name}", &[("patch", ADMINISTRATOR), ("delete", ADMINISTRATOR)]),
    ("/api/v1/tokens", &[("get", ADMINISTRATOR), ("post", ADMINISTRATOR)]),
    ("/api/v1/tokens/{name}", &[("delete", ADMINISTRATOR)]),
    ("/api/v1/logins", &[("get", ADMINISTRATOR)]),
    ("/api/v1/logins/{id}", &[("delete", ADMINISTRATOR)]),
];

/// What a request needs, by the path of the route that it matches; `None`: it matches none,
/// which nobody is told without a login.
#[must_use]
pub fn need(method: &Method, route: Option<&str>) -> Need {
    let Some(route) = route else { return VIEWER };
    let known = ROUTES.iter().find(|(path, _)| *path == route);
    // What nobody has thought of is for those who may do everything.
    let Some((_, methods)) = known else { return ADMINISTRATOR };
    let word = if method == Method::HEAD { "GET" } else { method.as_str() };
    let asked = methods.iter().find(|(method, _)| method.eq_ignore_ascii_case(word));
    // Another method has no handler, so that the answer is the same for all who may come.
    asked.or(methods.first()).map_or(ADMINISTRATOR, |(_, need)| *need)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use super::super::router;
    use super::*;

    #[test]
    fn the_table_has_every_route_of_the_document_and_no_other() {
        let document = serde_json::to_value(router::routes().into_openapi()).unwrap();
        let mut documented = BTreeSet::from([("/page/{file}", "get")]);
        for (path, operations) in document["paths"].as_object().unwrap() {
            documented
                .extend(operations.as_object().unwrap().keys().map(|word| (&**path, &**word)));
        }
        let listed = ROUTES
            .iter()
            .flat_map(|(path, methods)| methods.iter().map(move |(method, _)| (*path, *method)));
        let listed: Vec<_> = listed.collect();
        let known: BTreeSet<_> = listed.iter().copied().collect();
        assert_eq!(known.len(), listed.len(), "each stands there once");
        assert_eq!(known, documented);
    }

    /// What is open, and what is for administrators alone, said a second time: a slip in the
    /// table is seen here.
    #[test]
    fn nothing_is_open_that_is_not_meant_to_be() {
        let of = |wanted: Need| {
            let all = ROUTES.iter().flat_map(|(path, methods)| {
                methods.iter().map(move |(method, need)| (format!("{method} {path}"), *need))
            });
            all.filter(|(_, need)| *need == wanted).map(|(route, _)| route).collect::<BTreeSet<_>>()
        };
        let open = "get /login, get /setup, get /trust, get /page/{file}, get /healthz, \
            options /whep, options /whep/{id}, post /api/v1/setup, post /api/v1/login, \
            get /api/v1/tls, get /api/v1/tls/authority.crt, \
            get /api/v1/tls/authority.pem, get /api/v1/tls/authority.mobileconfig, \
            get /api/v1/tls/fingerprint.svg";
        let set = |text: &str| text.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(of(Nothing), set(open));
        // What a viewer may change is his own.
        let viewers = of(VIEWER).into_iter().filter(|route| !route.starts_with("get "));
        let own = "post /whep, patch /whep/{id}, delete /whep/{id}, post /api/v1/webrtc/offer, \
            post /api/v1/webrtc/candidate, delete /api/v1/sessions/{id}, \
            post /api/v1/liveview/start, post /api/v1/logout, put /api/v1/me/password";
        assert_eq!(viewers.collect::<BTreeSet<_>>(), set(own));
        // Users, network and support; nothing of them is an operator's.
        for part in ["users", "tokens", "logins", "support-bundle", "log", "device/name"] {
            let path = format!("/api/v1/{part}");
            let (_, methods) = ROUTES.iter().find(|(known, _)| *known == path).unwrap();
            assert!(methods.iter().all(|(_, need)| *need == ADMINISTRATOR), "{path}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_not_open() {
        assert_eq!(need(&Method::GET, None), VIEWER);
        assert_eq!(need(&Method::GET, Some("/api/v1/new")), ADMINISTRATOR);
        assert_eq!(need(&Method::HEAD, Some("/api/v1/config")), OPERATOR);
        assert_eq!(need(&Method::GET, Some("/api/v1/login")), Nothing);
    }
}
