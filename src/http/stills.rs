//! Pictures over HTTP, for whatever cannot do WebRTC.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::refusals::Limit;
use super::{App, Caller, Problem};
use crate::camera::{Camera, Still, Stills};
use crate::sessions::OfferError;

/// Readers of streams at the same time: each is sent some 8 Mbit/s in 720p, several
/// times a WebRTC viewer, and it is what is left where WebRTC cannot pass.
pub const READERS: usize = 4;

/// A camera that starts has a picture in less.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Between two pictures of a stream.
const BOUNDARY: &str = "signpost-next-picture";

/// The routes that need no WebRTC.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(snapshot)).routes(routes!(mjpeg))
}

/// Which picture.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// A configured camera's name; the first one if left out.
    camera: Option<String>,
    /// Pixels at most, from 16 on; as wide as the camera's picture if left out.
    #[param(minimum = 16, maximum = 4294967295_u32, value_type = Option<u64>)]
    width: Option<u32>,
}

/// Which stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Watched {
    /// A configured camera's name; the first one if left out.
    camera: Option<String>,
}

/// The present picture.
#[utoipa::path(
    get, path = "/api/v1/snapshot.jpg", tag = "live view", params(Wanted),
    responses(
        (status = 200, description = "a picture", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 400, description = "no such parameter", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "no such camera", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "no picture within 2 s", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn snapshot(
    State(app): State<App>,
    Query(Wanted { camera, width }): Query<Wanted>,
) -> Result<Response, Problem> {
    if width.is_some_and(|width| width < 16) {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "picture too narrow",
            "width is less than 16",
            "leave width out to get the whole picture",
        ));
    }
    let camera = find(&app, camera.as_deref())?;
    let still = camera.gallery().present(width).await.ok_or_else(|| no_picture(camera))?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], still.jpeg.clone()).into_response())
}

/// Pictures as they come, at most 10 a second.
#[utoipa::path(
    get, path = "/api/v1/stream.mjpeg", tag = "live view", params(Watched),
    responses(
        (status = 200, description = "JPEGs one after the other, until the reader ends it",
            body = Vec<u8>, content_type = "multipart/x-mixed-replace"),
        (status = 400, description = "no such parameter", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "no such camera", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "no picture within 2 s, or too many readers",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn mjpeg(
    State(app): State<App>,
    caller: Caller,
    Query(Watched { camera }): Query<Watched>,
) -> Result<Response, Problem> {
    let camera = find(&app, camera.as_deref())?;
    let place = app.readers.clone().try_acquire_owned().map_err(|_| full(&app))?;
    let stills = camera.gallery().full();
    // So that a camera without pictures is told, and not an empty stream.
    let first = camera.gallery().present(None).await.ok_or_else(|| no_picture(camera))?;
    let reader = Reader { app: app.clone(), caller, stills, first: Some(first), _place: place };
    let parts = stream::unfold(reader, |mut reader| async {
        let still = reader.next().await?;
        Some((Ok::<_, Infallible>(part(&still)), reader))
    });
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(parts)).into_response())
}

/// Who is sent a stream. It is asked for the next picture when the one before has
/// left, so that a slow reader gets the newest and one that reads nothing costs
/// nothing, until the server lets its connection go.
struct Reader {
    app: App,
    caller: Caller,
    stills: Stills,
    first: Option<Arc<Still>>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(&mut self) -> Option<Arc<Still>> {
        let still = match self.first.take() {
            Some(first) => first,
            None => loop {
                self.stills.changed().await.ok()?;
                if let Some(still) = self.stills.borrow_and_update().clone() {
                    break still;
                }
            },
        };
        // Who is no longer logged in no longer watches.
        self.app.access.counts(&self.caller).then_some(still)
    }
}

fn part(still: &Still) -> Bytes {
    let length = still.jpeg.len();
    let head =
        format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), &still.jpeg, b"\r\n"].concat().into()
}

/// The camera of that name, or the first.
pub fn find<'a>(app: &'a App, name: Option<&str>) -> Result<&'a Camera, Problem> {
    let Some(name) = name else {
        return app.cameras.first().ok_or(OfferError::Unavailable("there is no camera").into());
    };
    app.cameras.iter().find(|camera| camera.name() == name).ok_or_else(|| {
        let known: Vec<&str> = app.cameras.iter().map(Camera::name).collect();
        OfferError::UnknownCamera { name: name.to_owned(), known: known.join(", ") }.into()
    })
}

fn no_picture(camera: &Camera) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "no picture",
        format!("camera {} gave no picture within 2 s", camera.name()),
        "look at /api/v1/status for what the camera is doing, and try again",
    )
    .retry_after(RETRY_AFTER)
}

fn full(app: &App) -> Problem {
    app.refusals.count(Limit::Streams);
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many readers",
        format!("all {READERS} places for streams of pictures are taken"),
        "close another stream, or watch by WebRTC",
    )
    .retry_after(RETRY_AFTER)
}
