//! Samples as an answer holds them: a column for each figure, which is a third of what a
//! list of samples takes. Pure.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::ring::{CONNECTIONS, ConnectionSample, RecognitionSample, SAMPLE_S, Sample};
use crate::spread::Summary;

/// Figures of the last ten minutes. Each column has a value for each sample, the oldest first,
/// and null where there was nothing to measure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Columns {
    /// Seconds from one sample to the next.
    pub sample_s: u64,
    /// Number of the first sample here. Numbers rise by one; the next request may ask for
    /// those from `next` on.
    pub first: u64,
    /// Number that the next sample will have.
    pub next: u64,
    /// When the newest sample ended, in seconds since 1970.
    pub newest_s: Option<f64>,
    /// As configured, the default first.
    pub cameras: Vec<CameraColumns>,
    /// Of the first camera's pictures.
    pub recognition: RecognitionColumns,
    /// Of viewers, the newest at last; also of those that are gone.
    pub connections: Vec<ConnectionColumns>,
}

/// How long a stage takes, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SpreadColumns {
    /// In the middle of a sample's times.
    pub median: Vec<Option<f64>>,
    /// The longest of a sample.
    pub max: Vec<Option<f64>>,
}

/// One camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CameraColumns {
    /// As configured.
    pub name: String,
    /// Pictures captured a second.
    pub fps: Vec<Option<f64>>,
    /// Encoded, kbit/s: the whole picture.
    pub full_kbps: Vec<Option<u32>>,
    /// Encoded, kbit/s: the smaller picture.
    pub low_kbps: Vec<Option<u32>>,
    /// Encoded, kbit/s: for browsers without H.264.
    pub vp8_kbps: Vec<Option<u32>>,
    /// From a picture's capture until it is in this program.
    pub capture_ms: SpreadColumns,
    /// From then until it is encoded.
    pub encode_ms: SpreadColumns,
}

/// Recognition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RecognitionColumns {
    /// Results a second.
    pub results_per_s: Vec<Option<f64>>,
    /// A picture's wait for its turn.
    pub queue_ms: SpreadColumns,
    /// Finding palms, where it ran.
    pub detect_ms: SpreadColumns,
    /// Landmarks of all hands.
    pub landmarks_ms: SpreadColumns,
    /// Window and model.
    pub classify_ms: SpreadColumns,
    /// All of it, from the capture.
    pub capture_to_result_ms: SpreadColumns,
}

/// One connection of a viewer, while it was there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ConnectionColumns {
    /// Beginning of its session's id, as in the log.
    pub session: String,
    /// Beginning of its own.
    pub connection: String,
    /// Where its columns begin: 0 is the first sample of this answer.
    pub from: usize,
    /// full, low or vp8.
    pub rendition: Vec<Option<&'static str>>,
    /// RTP sent, repeats included.
    pub sent_kbps: Vec<Option<u32>>,
    /// Share of packets lost, 0 to 1, as fed back.
    pub loss: Vec<Option<f64>>,
    /// Round trip.
    pub rtt_ms: Vec<Option<f64>>,
    /// Pictures handed to it a second.
    pub fps: Vec<Option<f64>>,
}

impl SpreadColumns {
    fn push(&mut self, summary: Option<Summary>) {
        self.median.push(summary.map(|summary| summary.median_ms));
        self.max.push(summary.map(|summary| summary.max_ms));
    }
}

/// The columns of `samples`, of which the first has the number `first`.
#[must_use]
pub fn columns(first: u64, samples: &[&Sample], cameras: &[String]) -> Columns {
    let mut columns = Columns {
        sample_s: SAMPLE_S,
        first,
        next: first + samples.len() as u64,
        newest_s: samples.last().map(|sample| sample.at_s),
        cameras: cameras.iter().map(|name| named(name)).collect(),
        ..Columns::default()
    };
    for sample in samples {
        for (index, camera) in columns.cameras.iter_mut().enumerate() {
            let of = sample.cameras.get(index).cloned().unwrap_or_default();
            camera.fps.push(of.fps);
            let [full, low, vp8] = of.kbps;
            camera.full_kbps.push(full);
            camera.low_kbps.push(low);
            camera.vp8_kbps.push(vp8);
            camera.capture_ms.push(of.capture);
            camera.encode_ms.push(of.encode);
        }
        columns.recognition.push(&sample.recognition);
    }
    columns.connections = connections(samples);
    columns
}

fn named(name: &str) -> CameraColumns {
    CameraColumns { name: name.to_owned(), ..CameraColumns::default() }
}

impl RecognitionColumns {
    fn push(&mut self, sample: &RecognitionSample) {
        self.results_per_s.push(sample.results_per_s);
        self.queue_ms.push(sample.queue);
        self.detect_ms.push(sample.detect);
        self.landmarks_ms.push(sample.landmarks);
        self.classify_ms.push(sample.classify);
        self.capture_to_result_ms.push(sample.capture_to_result);
    }
}

/// The connections that were there last, in the order in which they came.
fn connections(samples: &[&Sample]) -> Vec<ConnectionColumns> {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (index, sample) in samples.iter().enumerate() {
        last.extend(sample.connections.iter().map(|one| (one.connection.as_str(), index)));
    }
    let mut newest: Vec<(&str, usize)> = last.into_iter().collect();
    newest.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    newest.truncate(CONNECTIONS);
    let mut told: Vec<_> =
        newest.iter().filter_map(|(id, last)| connection(&samples[..=*last], id)).collect();
    told.sort_by(|a, b| (a.from, &a.connection).cmp(&(b.from, &b.connection)));
    told
}

/// The columns of one, from where it came to the end of `samples`.
fn connection(samples: &[&Sample], id: &str) -> Option<ConnectionColumns> {
    let of = |sample: &&Sample| -> Option<ConnectionSample> {
        sample.connections.iter().find(|one| one.connection == id).cloned()
    };
    let from = samples.iter().position(|sample| of(sample).is_some())?;
    let mut told =
        ConnectionColumns { connection: id.to_owned(), from, ..ConnectionColumns::default() };
    for sample in &samples[from..] {
        let one = of(sample);
        told.rendition.push(one.as_ref().and_then(|one| one.rendition));
        told.sent_kbps.push(one.as_ref().map(|one| one.sent_kbps));
        told.loss.push(one.as_ref().and_then(|one| one.loss));
        told.rtt_ms.push(one.as_ref().and_then(|one| one.rtt_ms));
        told.fps.push(one.as_ref().map(|one| one.fps));
        told.session = one.map_or(told.session, |one| one.session);
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::super::ring::CameraSample;
    use super::*;

    fn sample(connections: &[u32]) -> Sample {
        let one = |id: &u32| ConnectionSample {
            session: "s".into(),
            connection: format!("{id:06x}"),
            sent_kbps: *id,
            ..ConnectionSample::default()
        };
        let cameras = vec![CameraSample { fps: Some(30.0), ..CameraSample::default() }];
        let connections = connections.iter().map(one).collect();
        Sample { cameras, connections, ..Sample::default() }
    }

    #[test]
    fn nothing_is_null_and_not_zero() {
        let samples = [sample(&[]), Sample { cameras: vec![], ..sample(&[7]) }];
        let told = columns(5, &[&samples[0], &samples[1]], &["door".into()]);
        assert_eq!((told.first, told.next), (5, 7));
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["cameras"][0]["fps"], serde_json::json!([30.0, null]));
        assert_eq!(json["cameras"][0]["encode_ms"]["median"], serde_json::json!([null, null]));
        assert_eq!(json["recognition"]["queue_ms"]["max"], serde_json::json!([null, null]));
        assert_eq!(json["connections"][0]["from"], 1);
        assert_eq!(json["connections"][0]["sent_kbps"], serde_json::json!([7]));
        assert_eq!(columns(0, &[], &[]).newest_s, None);
    }

    proptest! {
        #[test]
        fn every_value_stands_under_its_sample(
            seen in prop::collection::vec(prop::collection::btree_set(0_u32..40, 0..6), 0..40),
        ) {
            let samples: Vec<Sample> =
                seen.iter().map(|ids| sample(&ids.iter().copied().collect::<Vec<_>>())).collect();
            let told = columns(0, &samples.iter().collect::<Vec<_>>(), &["a".into()]);
            prop_assert_eq!(told.cameras[0].fps.len(), samples.len());
            prop_assert!(told.connections.len() <= CONNECTIONS);
            for one in &told.connections {
                let id = u32::from_str_radix(&one.connection, 16).unwrap();
                prop_assert!(one.sent_kbps[0].is_some() && one.sent_kbps.last().unwrap().is_some());
                for (index, kbps) in one.sent_kbps.iter().enumerate() {
                    let there = seen[one.from + index].contains(&id);
                    prop_assert_eq!(kbps.is_some(), there);
                }
                prop_assert!(!seen[..one.from].iter().any(|ids| ids.contains(&id)));
            }
        }
    }
}
