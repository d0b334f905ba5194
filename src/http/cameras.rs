//! What each camera offers: the sizes that it gives, and what can be adjusted at it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem};
use crate::camera::controls::{self, Control, Refusal, Wanted};
use crate::camera::{Camera, Mode};
use crate::config::{self, Origin, Problems, Refused, Source};

/// A device answers within milliseconds; one that hangs must not hold who asks.
const PATIENCE: Duration = Duration::from_secs(3);

/// The one route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(cameras))
}

/// All cameras.
#[derive(Debug, Serialize, ToSchema)]
struct Cameras {
    /// As configured, the default first.
    cameras: Vec<Offered>,
}

/// What one camera offers.
#[derive(Debug, Serialize, ToSchema)]
struct Offered {
    /// As configured.
    name: String,
    /// What it shows, in words; absent while it shows nothing.
    source: Option<String>,
    /// Sizes and frame rates of its device, the largest first; empty where none are told.
    modes: Vec<Mode>,
    /// What can be set at it, by `PATCH /api/v1/config` with
    /// `{"camera": [{"controls": {"brightness": 10}}]}`, in force at once.
    controls: Vec<Control>,
    /// Why there are no controls, present where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What each camera offers. Its device is asked anew each time.
#[utoipa::path(get, path = "/api/v1/cameras", tag = "configuration", responses(
    (status = 200, description = "modes and controls of each camera", body = Cameras,
        example = json!({"cameras": [{"name": "door", "source": "camera /dev/video0",
            "modes": [{"width": 1280, "height": 720, "framerates": [30, 15]}],
            "controls": [{"name": "brightness", "label": "Brightness", "kind": "int", "min": 0,
                "max": 255, "step": 1, "default": 128, "value": 130, "inactive": false,
                "read_only": false}]}]})),
))]
async fn cameras(State(app): State<App>) -> Json<Cameras> {
    let mut cameras = Vec::new();
    for (camera, configured) in app.cameras.iter().zip(&app.config.cameras) {
        let (controls, why) = match controls_of(camera, configured).await {
            Ok(controls) if controls.is_empty() => {
                (controls, Some("this camera has nothing to adjust".to_owned()))
            }
            Ok(controls) => (controls, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let status = super::status::camera(camera);
        cameras.push(Offered {
            name: camera.name().to_owned(),
            source: status.live.map(|live| live.source),
            modes: camera.device().map(|device| camera.modes(&device)).unwrap_or_default(),
            controls,
            why,
        });
    }
    Json(Cameras { cameras })
}

/// The controls of a camera's device, or why there are none.
async fn controls_of(camera: &Camera, configured: &config::Camera) -> Result<Vec<Control>, String> {
    let Some(device) = camera.device() else { return Err(without(&configured.source).to_owned()) };
    match tokio::time::timeout(PATIENCE, controls::listed(&device)).await {
        Ok(listed) => listed,
        Err(_) => Err(format!("the camera did not answer within {} s", PATIENCE.as_secs())),
    }
}

/// Why a source that is no device now has no controls.
fn without(source: &Source) -> &'static str {
    match source {
        Source::Demo | Source::Test | Source::File(_) => "a clip or test picture has no controls",
        Source::Rtsp(_) => "a network camera is adjusted on its own page",
        Source::Libcamera => "a camera module adjusts itself",
        Source::Auto | Source::V4l2(_) => "no camera with controls is there now",
    }
}

impl App {
    /// Refuses values of controls in `wish` that a camera which is there does not take, with the
    /// words that the log has for those of the file. A camera that is away is asked when it
    /// comes.
    pub(super) async fn check_controls(&self, wish: &Map<String, Value>) -> Result<(), Problem> {
        let listed = wish.get("camera").and_then(Value::as_array).into_iter().flatten();
        let mut problems = Vec::new();
        let all = self.cameras.iter().zip(&self.config.cameras).zip(listed);
        for (index, ((camera, configured), table)) in all.enumerate() {
            let Some(wanted) = table.get("controls").and_then(wanted) else { continue };
            if wanted.is_empty() {
                continue;
            }
            let Ok(offered) = controls_of(camera, configured).await else { continue };
            problems.extend(refusals(index, &wanted, &offered));
        }
        if problems.is_empty() { Ok(()) } else { Err(Refused::Invalid(Problems(problems)).into()) }
    }
}

/// Numbers and switches; what is neither is refused with all else that is no configuration.
fn wanted(controls: &Value) -> Option<Wanted> {
    let number = |value: &Value| {
        let switch = value.as_bool().map(i64::from);
        value.as_i64().or(switch).and_then(|number| i32::try_from(number).ok())
    };
    let table = controls.as_object()?.iter();
    Some(table.filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect())
}

fn refusals(index: usize, wanted: &Wanted, offered: &[Control]) -> Vec<config::Problem> {
    let section = if index == 0 { "camera".to_owned() } else { format!("camera[{index}]") };
    let refused = controls::refused(wanted, offered).into_iter();
    let problem = |Refusal { name, value, allowed }| config::Problem::Value {
        origin: Origin::Request,
        key: format!("{section}.controls.{name}"),
        value: value.to_string(),
        allowed,
    };
    refused.map(problem).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_a_camera_does_not_take_is_refused_in_the_words_of_the_file() {
        let offered = controls::parse("gain 0x1 (int) : min=0 max=9 default=4 value=4\n");
        let wish = wanted(&json!({"gain": 10, "on": true, "word": "x"})).unwrap();
        assert_eq!(wish, Wanted::from([("gain".into(), 10), ("on".into(), 1)]));
        let told = Problems(refusals(1, &wish, &offered)).to_string();
        let expected = "changed at run time: camera[1].controls.gain = 10: allowed is a whole \
            number from 0 to 9";
        assert!(told.contains(expected), "{told}");
        assert!(told.contains("controls.on = 1: allowed is a control of this camera: gain"));
    }
}
