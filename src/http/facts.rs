//! The device's facts and its clock.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem};
use crate::device::facts::Facts;
use crate::device::time::{self, ClockStatus, ClockWish};
use crate::device::warnings::Warning;

/// The two routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(device)).routes(routes!(set_time))
}

/// The device that this program runs on.
#[derive(Debug, Serialize, ToSchema)]
struct DeviceStatus {
    /// Its name.
    name: String,
    /// The name under which it is found where avahi-daemon runs on it.
    mdns_name: String,
    /// Of the program.
    version: &'static str,
    /// When the program was built, in seconds since 1970.
    built_s: u64,
    /// Seconds since the program was started.
    uptime_s: u64,
    /// The device's clock.
    clock: ClockStatus,
    /// What an operator should act on; the status has it too, under "degraded".
    warnings: Vec<Warning>,
    /// What was read of the device in the last seconds. What it does not have is null or
    /// empty, and "missing" says why.
    #[serde(flatten)]
    facts: Facts,
}

/// How the device fares: temperature, power supply, processor, memory, disk, network, clock.
#[utoipa::path(get, path = "/api/v1/device", tag = "device", responses(
    (status = 200, description = "what is known of it", body = DeviceStatus, example = json!({
        "name": "door", "mdns_name": "door.local", "version": "0.1.0", "built_s": 1_790_000_000,
        "uptime_s": 3600, "model": "Raspberry Pi 4 Model B Rev 1.4", "device_uptime_s": 3620,
        "temperatures": [{"name": "cpu-thermal", "celsius": 61.2}],
        "power": null, "cpu": {"cores": 4, "busy": 0.31, "load": [1.2, 1.1, 0.9]},
        "memory": {"total_bytes": 3_977_945_088_u64, "available_bytes": 2_060_636_160},
        "disk": {"path": "/var/lib/signpost", "total_bytes": 31_000_000_000_u64,
            "free_bytes": 21_000_000_000_u64},
        "interfaces": [{"name": "eth0", "kind": "wired", "up": true, "addresses": ["192.0.2.7"]}],
        "clock": {"now_s": 1_790_003_600.5, "zone": "Europe/Berlin", "ntp": true,
            "synchronised": true, "source": "time.example.org"},
        "warnings": [], "missing": {"power": "only a Raspberry Pi tells of its power supply"},
    })),
))]
async fn device(State(app): State<App>) -> Json<DeviceStatus> {
    let clock = ClockStatus::read().await;
    let known = app.known.borrow().clone();
    let name = app.device_name.borrow().clone();
    Json(DeviceStatus {
        mdns_name: format!("{name}.local"),
        name,
        version: env!("CARGO_PKG_VERSION"),
        built_s: built(),
        uptime_s: app.started.elapsed().as_secs(),
        clock,
        warnings: known.warnings,
        facts: known.facts,
    })
}

/// When this program was built, in seconds since 1970.
fn built() -> u64 {
    env!("SIGNPOST_BUILT").parse().expect("the build script writes a number")
}

/// Set the clock's zone, whether it follows time servers, and, where it does not, its time.
///
/// What is left out stays. The keys are taken in this order; what is refused ends it.
#[utoipa::path(put, path = "/api/v1/device/time", tag = "device",
    request_body(content = ClockWish, example = json!({"zone": "Europe/Berlin", "ntp": true})),
    responses(
        (status = 200, description = "the clock as it is now", body = ClockStatus,
            example = json!({"now_s": 1_790_003_600.5, "zone": "Europe/Berlin", "ntp": true,
                "synchronised": true, "source": "time.example.org"})),
        (status = "4XX", description = "no JSON, or none of this form", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "the clock follows time servers, and is not set beside \
            them", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "no such zone, or no time that a clock is set to",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "systemd-timedated did not, or is not there",
            body = Problem, content_type = "application/problem+json"),
    ))]
async fn set_time(
    body: Result<Json<ClockWish>, JsonRejection>,
) -> Result<Json<ClockStatus>, Problem> {
    let Json(wish) = body.map_err(|rejection| {
        let hint = "send {\"zone\": \"Europe/Berlin\", \"ntp\": true}, or {\"ntp\": false, \
            \"now_s\": 1790000000}, with Content-Type: application/json";
        Problem::new(rejection.status(), "body not understood", rejection.body_text(), hint)
    })?;
    time::set(&wish, built()).await?;
    log::info!("the clock is set: {wish:?}");
    Ok(Json(ClockStatus::read().await))
}
