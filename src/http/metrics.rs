//! The status as Prometheus scrapes it (text format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::App;
use super::process::ProcessStatus;
use super::status::{CameraStatus, RenditionStatus, Status};
use crate::sessions::Loss;

/// The one route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "status", responses(
    (status = 200, description = "Prometheus text", content_type = "text/plain"),
))]
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, app.metrics())
}

impl App {
    /// The page that Prometheus scrapes.
    pub(super) fn metrics(&self) -> String {
        text(&self.status(), self.access.refused())
    }
}

fn text(status: &Status, refused: u64) -> String {
    let mut page = Page::default();
    page.family("signpost_info", "gauge", "Version of the program.");
    page.sample("signpost_info", &[("version", status.version)], 1.0);
    page.gauge("signpost_uptime_seconds", "Time since the start.", status.uptime_s as f64);
    let degraded = status.degraded.len() as f64;
    page.gauge("signpost_degraded", "Reasons why not everything works.", degraded);
    page.family("signpost_degraded_info", "gauge", "Each of these reasons.");
    for reason in &status.degraded {
        page.sample("signpost_degraded_info", &[("reason", reason)], 1.0);
    }
    cameras(&mut page, &status.cameras);
    renditions(&mut page, &status.cameras);
    let recognition = &status.recognition;
    page.gauge("signpost_results_per_second", "Mean of five seconds.", recognition.results_per_s);
    let sessions = &status.sessions;
    page.gauge("signpost_viewers", "Places taken.", sessions.viewers as f64);
    page.gauge("signpost_viewers_limit", "Places there are.", sessions.max_viewers as f64);
    page.gauge("signpost_connections", "Connections of viewers.", sessions.connections as f64);
    page.gauge("signpost_pipelines_parked", "Pipelines that hang.", sessions.parked as f64);
    page.gauge("signpost_sessions_kept", "Viewers that may come back.", sessions.kept as f64);
    let counters = [
        ("results", "Results of recognition.", recognition.results),
        (
            "recognition_failed",
            "Frames that gave an error in place of a result.",
            recognition.failed,
        ),
        ("dropped_frames", "Frames that recognition skipped.", recognition.dropped),
        ("offers_answered", "Offers answered.", sessions.answered),
        ("connections_up", "Connections that came up.", sessions.connected),
        ("sessions_expired", "Viewers that did not come back in time.", sessions.expired),
        ("keepalives_answered", "Keepalives that pages answered.", sessions.keepalives_answered),
        ("offers_failed", "Offers that the pipeline could not answer.", sessions.failed),
        ("offers_over_limit", "Offers refused: every place taken.", sessions.refused_at_capacity),
        ("predictions_dropped", "Predictions too old to send.", sessions.predictions_dropped),
        ("predictions_missed", "Predictions that came too fast.", sessions.predictions_missed),
        ("messages_refused", "Messages that a channel refused.", sessions.messages_refused),
        ("teardowns_stuck", "Pipelines that did not stop.", sessions.teardowns_stuck),
        ("logins_refused", "Wrong passwords and refused tries.", refused),
        ("offers_refused", "Offers over an address's limit.", status.refused.offers),
        (
            "http_connections_refused",
            "Connections over an address's limit.",
            status.refused.connections,
        ),
        ("streams_refused", "MJPEG readers when every place was taken.", status.refused.streams),
    ];
    for (name, help, count) in counters {
        let name = format!("signpost_{name}_total");
        page.family(&name, "counter", help);
        page.sample(&name, &[], count as f64);
    }
    lost(&mut page, &sessions.lost);
    status.process.iter().for_each(|process| figures(&mut page, process));
    page.text
}

/// By reason, of which there are a handful; a label for each session would make
/// a series that nobody ends for each viewer.
fn lost(page: &mut Page, lost: &BTreeMap<Loss, u64>) {
    let name = "signpost_connections_lost_total";
    page.family(name, "counter", "Connections that could not go on.");
    for (reason, count) in lost {
        let reason = serde_json::to_value(reason).unwrap_or_default();
        let reason = reason.as_str().unwrap_or("unknown");
        page.sample(name, &[("reason", reason)], *count as f64);
    }
}

/// Under the names that Prometheus's own client libraries give them.
fn figures(page: &mut Page, process: &ProcessStatus) {
    let cpu = "process_cpu_seconds_total";
    page.family(cpu, "counter", "Processor time of all threads.");
    page.sample(cpu, &[], process.cpu_s);
    let resident = process.resident_bytes as f64;
    page.gauge("process_resident_memory_bytes", "Memory that is in RAM.", resident);
    page.gauge("process_open_fds", "Open files and sockets.", process.open_fds as f64);
    page.gauge("process_threads", "Threads.", process.threads as f64);
    page.gauge("process_start_time_seconds", "Start, since 1970.", process.started_at);
}

fn cameras(page: &mut Page, cameras: &[CameraStatus]) {
    let mut family = |name: &str, kind: &str, help: &str, value: fn(&CameraStatus) -> u64| {
        page.family(name, kind, help);
        for camera in cameras {
            page.sample(name, &[("camera", &camera.name)], value(camera) as f64);
        }
    };
    let live = |camera: &CameraStatus| u64::from(camera.state == "live");
    family("signpost_camera_live", "gauge", "Whether the camera gives pictures.", live);
    let (encoded, dropped) = ("signpost_pictures_encoded_total", "signpost_pictures_dropped_total");
    family(encoded, "counter", "Pictures encoded.", |camera| camera.encoded);
    family(dropped, "counter", "Pictures that slow viewers missed.", |camera| {
        camera.viewers_dropped
    });
}

/// By camera and rendition. What tells how a form is encoded is there while it is.
fn renditions(page: &mut Page, cameras: &[CameraStatus]) {
    type Figure = fn(&RenditionStatus) -> Option<f64>;
    let families: [(&str, &str, &str, Figure); 7] = [
        ("viewers", "gauge", "For whom it is encoded.", |r| Some(r.viewers as f64)),
        ("encoded_total", "counter", "Pictures encoded.", |r| Some(r.encoded as f64)),
        ("dropped_total", "counter", "Pictures missed.", |r| Some(r.dropped as f64)),
        ("target_kbps", "gauge", "What the encoder aims at.", |r| {
            Some(f64::from(r.encoding.as_ref()?.bitrate_kbps))
        }),
        ("width_pixels", "gauge", "Of its picture.", |r| {
            Some(f64::from(r.encoding.as_ref()?.width))
        }),
        ("height_pixels", "gauge", "Of its picture.", |r| {
            Some(f64::from(r.encoding.as_ref()?.height))
        }),
        ("framerate", "gauge", "Pictures a second, at most.", |r| {
            Some(f64::from(r.encoding.as_ref()?.framerate))
        }),
    ];
    for (name, kind, help, figure) in families {
        let name = format!("signpost_rendition_{name}");
        page.family(&name, kind, help);
        for camera in cameras {
            for (rendition, status) in &camera.renditions {
                let labels = [("camera", camera.name.as_str()), ("rendition", *rendition)];
                figure(status).into_iter().for_each(|value| page.sample(&name, &labels, value));
            }
        }
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_in_the_text_format() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Help.");
        page.sample("a_total", &[("camera", "x\"\\\n")], 3.0);
        page.sample("b", &[], 0.5);
        let expected = "# HELP a_total Help.\n# TYPE a_total counter\na_total{camera=\"x\\\"\\\\\\n\"} 3\nb 0.5\n";
        assert_eq!(page.text, expected);
    }
}
