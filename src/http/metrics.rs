//! The status as Prometheus scrapes it (text format 0.0.4).

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::App;
use super::status::Status;

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
    (kind, text(&app.status(), app.access.refused()))
}

fn text(status: &Status, refused: u64) -> String {
    let mut page = Page::default();
    page.family("signpost_info", "gauge", "Version of the program.");
    page.sample("signpost_info", &[("version", status.version)], 1.0);
    page.family("signpost_uptime_seconds", "gauge", "Time since the start.");
    page.sample("signpost_uptime_seconds", &[], status.uptime_s as f64);
    page.family("signpost_degraded", "gauge", "Reasons why not everything works.");
    page.sample("signpost_degraded", &[], status.degraded.len() as f64);
    page.family("signpost_camera_live", "gauge", "Whether the camera gives pictures.");
    for camera in &status.cameras {
        let live = f64::from(u8::from(camera.state == "live"));
        page.sample("signpost_camera_live", &[("camera", &camera.name)], live);
    }
    let recognition = &status.recognition;
    page.family("signpost_results_total", "counter", "Results of recognition.");
    page.sample("signpost_results_total", &[], recognition.results as f64);
    page.family("signpost_results_per_second", "gauge", "Over the last five seconds.");
    page.sample("signpost_results_per_second", &[], recognition.results_per_s);
    page.family("signpost_dropped_frames_total", "counter", "Frames that recognition skipped.");
    page.sample("signpost_dropped_frames_total", &[], recognition.dropped as f64);
    page.family("signpost_logins_refused_total", "counter", "Wrong passwords and refused tries.");
    page.sample("signpost_logins_refused_total", &[], refused as f64);
    page.text
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
