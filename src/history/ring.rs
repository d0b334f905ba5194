//! The last ten minutes, a sample every two seconds. Pure.

use std::collections::VecDeque;

use crate::spread::Summary;

/// Seconds from one sample to the next: short enough to see a connection waver.
pub const SAMPLE_S: u64 = 2;

/// Samples that are held: ten minutes, which a technician who has come to look still sees.
pub const SAMPLES: usize = 300;

/// Connections of one sample, and of an answer: more than may look at most by default. A
/// connection's figures of ten minutes are 30 kB of an answer.
pub const CONNECTIONS: usize = 32;

/// One camera's figures. `None`: there was nothing to measure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraSample {
    /// Pictures captured a second.
    pub fps: Option<f64>,
    /// Encoded bits a second of each form: full, low, vp8.
    pub kbps: [Option<u32>; 3],
    /// From a picture's capture until it is here.
    pub capture: Option<Summary>,
    /// From then until it is encoded.
    pub encode: Option<Summary>,
}

/// Recognition's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RecognitionSample {
    /// Results a second.
    pub results_per_s: Option<f64>,
    /// A picture's wait for its turn.
    pub queue: Option<Summary>,
    /// Palm detection, where it ran.
    pub detect: Option<Summary>,
    /// Landmarks of all hands.
    pub landmarks: Option<Summary>,
    /// Window and model.
    pub classify: Option<Summary>,
    /// All of it, from the capture.
    pub capture_to_result: Option<Summary>,
}

/// One connection's figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionSample {
    /// Short form of its session's id.
    pub session: String,
    /// Short form of its own.
    pub connection: String,
    /// full, low or vp8.
    pub rendition: Option<&'static str>,
    /// RTP sent.
    pub sent_kbps: u32,
    /// Share of packets lost, 0 to 1.
    pub loss: Option<f64>,
    /// Round trip.
    pub rtt_ms: Option<f64>,
    /// Pictures handed to it a second.
    pub fps: f64,
}

/// What was measured in two seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When it ended, in seconds since 1970.
    pub at_s: f64,
    /// In the order of the configuration.
    pub cameras: Vec<CameraSample>,
    /// Of the first camera's pictures.
    pub recognition: RecognitionSample,
    /// At most [`CONNECTIONS`], the longest there first.
    pub connections: Vec<ConnectionSample>,
}

/// The newest [`SAMPLES`].
#[derive(Clone, Debug, Default)]
pub struct Ring {
    samples: VecDeque<Sample>,
    /// Number of the oldest that is held; the first of all is 0.
    first: u64,
}

impl Ring {
    /// Adds a sample; the oldest gives way, and what is too much of one is left out.
    pub fn push(&mut self, mut sample: Sample) {
        sample.connections.truncate(CONNECTIONS);
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
            self.first += 1;
        }
        self.samples.push_back(sample);
    }

    /// The number of the first sample from `from` on that is held, and all from there on.
    #[must_use]
    pub fn since(&self, from: u64) -> (u64, Vec<&Sample>) {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let skip = skip.min(self.samples.len());
        (self.first + skip as u64, self.samples.range(skip..).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(at_s: u64) -> Sample {
        Sample { at_s: at_s as f64, ..Sample::default() }
    }

    #[test]
    fn a_sample_holds_so_many_connections_and_no_more() {
        let mut ring = Ring::default();
        let connections = vec![ConnectionSample::default(); CONNECTIONS + 1];
        ring.push(Sample { connections, ..sample(0) });
        assert_eq!(ring.since(0).1[0].connections.len(), CONNECTIONS);
    }

    proptest! {
        #[test]
        fn what_is_held_and_what_gave_way_is_what_came(
            pushed in 0..(2 * SAMPLES as u64), from in 0..(3 * SAMPLES as u64),
        ) {
            let mut ring = Ring::default();
            (0..pushed).for_each(|at| ring.push(sample(at)));
            prop_assert_eq!(ring.first + ring.samples.len() as u64, pushed);
            prop_assert!(ring.samples.len() <= SAMPLES);
            let (first, held) = ring.since(from);
            let told: Vec<u64> = held.iter().map(|sample| sample.at_s as u64).collect();
            let expected: Vec<u64> = (from.max(ring.first)..pushed).collect();
            prop_assert_eq!(&told, &expected);
            prop_assert!(expected.is_empty() || first == expected[0]);
            prop_assert!(first <= pushed);
        }
    }
}
