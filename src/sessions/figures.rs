//! What is measured of one connection, for the status.

use std::time::Duration;

use gstreamer as gst;
use gstreamer_webrtc::WebRTCStatsType;
use serde::Serialize;

use super::meter::Counted;

/// The path that ICE has chosen.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Pair {
    /// Type of our candidate (RFC 8445): host, srflx, prflx or relay.
    pub local: String,
    /// Type of the peer's candidate.
    pub remote: String,
    /// udp or tcp.
    pub protocol: String,
}

/// One connection's figures of the last second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Round trip as the last receiver report tells it.
    pub rtt_ms: Option<f64>,
    pub pair: Option<Pair>,
    /// RTP sent, repeats included.
    pub sent_kbps: u32,
    /// Pictures handed to the connection a second.
    pub fps: f64,
    /// Share of packets lost, as fed back; `None` without feedback.
    pub loss: Option<f64>,
    marked: Option<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    at: Duration,
    counted: Counted,
    pictures: u64,
}

impl Figures {
    /// Marks all counts at `now`; the figures are those since the last mark.
    pub fn mark(&mut self, counted: Counted, pictures: u64, now: Duration) {
        let mark = Mark { at: now, counted, pictures };
        let Some(before) = self.marked.replace(mark) else { return };
        let seconds = now.saturating_sub(before.at).as_secs_f64().max(0.001);
        let bytes = counted.sent_bytes.saturating_sub(before.counted.sent_bytes);
        self.sent_kbps = (bytes as f64 * 8e-3 / seconds).round() as u32;
        let shown = pictures.saturating_sub(before.pictures) as f64 / seconds;
        self.fps = (shown * 10.0).round() / 10.0;
        let arrived = counted.arrived.saturating_sub(before.counted.arrived);
        let lost = counted.lost.saturating_sub(before.counted.lost);
        let fed_back = arrived + lost;
        self.loss = (fed_back > 0).then(|| lost as f64 / fed_back as f64);
    }

    /// Takes what webrtcbin reports: a structure of structures by their names.
    pub fn report(&mut self, stats: &gst::StructureRef) {
        let named = |name: &str| stats.get::<gst::Structure>(name).ok();
        let all = || stats.iter().filter_map(|(_, value)| value.get::<gst::Structure>().ok());
        let of = |kind| all().find(|s| s.get::<WebRTCStatsType>("type") == Ok(kind));
        let rtt = of(WebRTCStatsType::RemoteInboundRtp)
            .and_then(|report| report.get::<f64>("round-trip-time").ok());
        self.rtt_ms = rtt.filter(|rtt| *rtt > 0.0).map(|rtt| (rtt * 1e4).round() / 10.0);
        // By the pair's ids: GStreamer 1.22 mixes the two candidates' types up.
        let pair = of(WebRTCStatsType::CandidatePair);
        let candidate = |id: &str| pair.as_ref()?.get::<String>(id).ok().and_then(|id| named(&id));
        let (local, remote) = (candidate("local-candidate-id"), candidate("remote-candidate-id"));
        let (Some(local), Some(remote)) = (local, remote) else { return };
        let text = |of: &gst::Structure, name| of.get::<String>(name).unwrap_or_default();
        self.pair = Some(Pair {
            local: text(&local, "candidate-type"),
            remote: text(&remote, "candidate-type"),
            protocol: text(&local, "protocol"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_since_the_last_mark() {
        let mut figures = Figures::default();
        let counted =
            |sent_bytes, arrived, lost| Counted { sent_bytes, arrived, lost, ..Counted::default() };
        figures.mark(counted(1_000_000, 500, 20), 100, Duration::from_secs(10));
        assert_eq!((figures.sent_kbps, figures.loss), (0, None));
        figures.mark(counted(1_500_000, 590, 30), 160, Duration::from_secs(12));
        assert_eq!((figures.sent_kbps, figures.fps, figures.loss), (2000, 30.0, Some(0.1)));
        figures.mark(counted(1_500_000, 590, 30), 160, Duration::from_secs(13));
        assert_eq!((figures.sent_kbps, figures.fps, figures.loss), (0, 0.0, None));
    }
}
