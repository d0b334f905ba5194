//! How every viewer's network is followed, and what the encoders aim at.

use std::time::Duration;

use super::{Followed, Owner, TICK};
use crate::camera::{Camera, Codec, Form, LEAST_LOW_KBPS, LOW_KBPS};
use crate::config;
use crate::sessions::adaptation::{Cause, Change, MUTE, Targets, full_kbps, only_kbps};
use crate::sessions::live::Live;
use crate::sessions::messages::{self, Picture, Shown};
use crate::sessions::post::Payload;

/// The full rendition at less than this share of its bit rate shows less than the
/// low one does.
const LEAST_SHARE: f64 = 0.3;

/// A trial begins with an estimate this much over what it needs.
const TRIAL_HEADROOM: f64 = 1.25;

/// Smaller changes of a bit rate are not worth an encoder's trouble.
const STEP: f64 = 0.03;

/// What one camera's encoders aim at, in kbit/s.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    full: u32,
    low: u32,
    vp8: u32,
}

impl Rates {
    pub fn new(encoder: &config::Encoder) -> Self {
        Self { full: encoder.bitrate_kbps, low: LOW_KBPS, vp8: encoder.bitrate_kbps }
    }
}

impl Owner {
    /// Takes over limits that were changed.
    pub(super) fn follow(&mut self) {
        if !self.followed.has_changed().unwrap_or(false) {
            return;
        }
        let Followed { limits, ice, encoder } = self.followed.borrow_and_update().clone();
        (self.settings, self.ice, self.encoder) = (limits, ice, encoder);
        self.table.set_limit(self.settings.max_viewers);
        self.status.set_places(self.settings.max_viewers);
        let most = self.encoder.bitrate_kbps;
        self.live.values().for_each(|live| live.congestion.limit(most));
    }

    /// One look at all networks.
    pub(super) fn adapt(&mut self, now: Duration) {
        for camera in 0..self.cameras.len() {
            self.move_viewers(camera, now);
            self.aim(camera, now);
            self.tell_renditions(camera, now);
        }
    }

    /// Tells each page of a camera what it is shown, if that has changed.
    fn tell_renditions(&mut self, camera: usize, now: Duration) {
        let pages =
            self.live.values_mut().filter(|live| live.camera == camera && live.keepalive.is_some());
        pages.for_each(|live| live.tell_rendition(&self.cameras[camera], now));
    }

    /// Moves each viewer of a camera to what its network carries.
    fn move_viewers(&mut self, camera: usize, now: Duration) {
        let has_low = self.cameras[camera].renditions().has(Form::Low).is_ok();
        let rates = self.rates[camera];
        let on_full = |live: &Live| live.shows(Codec::H264) && live.adaptation.on_full();
        let all = self.live.values().filter(|live| live.camera == camera && on_full(live)).count();
        let least = self.least_full(has_low);
        for live in self.live.values_mut().filter(|live| live.camera == camera) {
            let low = has_low && live.shows(Codec::H264);
            let full_kbps = if live.shows(Codec::H264) { rates.full } else { rates.vp8 };
            // With nobody else there the encoder begins with little and follows.
            let trial_kbps = if all == 0 { least } else { full_kbps };
            let targets = Targets { full_kbps, low_kbps: low.then_some(rates.low), trial_kbps };
            let Some(reading) = live.reading(now) else { continue };
            for change in live.adaptation.on(reading, targets, now) {
                live.change(change, now);
                if matches!(change, Change::ToFull | Change::Reset) {
                    live.congestion.believe((f64::from(trial_kbps) * TRIAL_HEADROOM) as u32);
                }
            }
        }
    }

    /// Tells a camera's encoders what their viewers' networks carry.
    fn aim(&mut self, camera: usize, now: Duration) {
        let has_low = self.cameras[camera].renditions().has(Form::Low).is_ok();
        let config::Encoder { bitrate_kbps: most, min_bitrate_kbps: least, .. } = self.encoder;
        let of = |form: Form| {
            let of = move |live: &&Live| live.camera == camera && live.form() == Some(form);
            self.live.values().filter(of)
        };
        let seen = |form: Form| of(form).filter_map(move |live| live.estimate_kbps(now));
        // During an outage nothing is fed back, and what comes after it is no better.
        let silent = |form: Form| {
            seen(form).next().is_none()
                && of(form).any(|live| live.congestion.meter.fed_back_ever())
        };
        let least_full = self.least_full(has_low);
        let full = if has_low {
            full_kbps(seen(Form::Full), least_full, most)
        } else {
            only_kbps(seen(Form::Full), least_full, most)
        };
        let now_at = self.rates[camera];
        let kept =
            |form: Form, now_at: u32, wanted: u32| if silent(form) { now_at } else { wanted };
        let low = full_kbps(seen(Form::Low), LEAST_LOW_KBPS, LOW_KBPS);
        let wanted = Rates {
            full: kept(Form::Full, now_at.full.min(most), full),
            low: kept(Form::Low, now_at.low, low),
            vp8: kept(Form::Vp8, now_at.vp8.min(most), only_kbps(seen(Form::Vp8), least, most)),
        };
        let rates = &mut self.rates[camera];
        let camera = &self.cameras[camera];
        for (form, rate, wanted) in [
            (Form::Full, &mut rates.full, wanted.full),
            (Form::Low, &mut rates.low, wanted.low),
            (Form::Vp8, &mut rates.vp8, wanted.vp8),
        ] {
            if f64::from(rate.abs_diff(wanted)) > STEP * f64::from(*rate) {
                *rate = wanted;
                camera.set_bitrate(form, wanted);
            }
        }
    }

    fn least_full(&self, has_low: bool) -> u32 {
        let config::Encoder { bitrate_kbps, min_bitrate_kbps, .. } = self.encoder;
        let worth = (f64::from(bitrate_kbps) * LEAST_SHARE) as u32;
        if has_low { worth.max(min_bitrate_kbps) } else { min_bitrate_kbps }
    }
}

impl Live {
    /// Tells the page which rendition it is shown, unless it was told so last; one that
    /// does not listen is told by its keepalives.
    pub(super) fn tell_rendition(&mut self, camera: &Camera, now: Duration) {
        let Some(current) = self.form() else { return };
        let available: &[Form] = match current {
            Form::Vp8 => &[Form::Vp8],
            _ if camera.renditions().has(Form::Low).is_ok() => &[Form::Full, Form::Low],
            _ => &[Form::Full],
        };
        let picture = camera.encodings().borrow()[current].map(Picture::from);
        let shown = Shown { current, available, reason: self.cause, picture };
        if self.shown.replace(shown) != Some(shown) {
            self.link.say(Payload::Text(messages::renditions(&shown)), now);
        }
    }

    fn change(&mut self, change: Change, now: Duration) {
        let Some(viewer) = &self.viewer else { return };
        match change {
            Change::Pause => {
                viewer.feed().pause();
                self.congestion.meter.mute(now + MUTE);
            }
            Change::Resume => viewer.feed().resume(),
            Change::ToLow(cause) => self.move_to(Form::Low, Some(cause)),
            Change::ToFull => self.move_to(Form::Full, None),
            Change::Reset => {}
            Change::Probe(kbps) => self.fill(kbps, now),
        }
    }

    /// Sends packets again until what was sent since the probe began is `kbps`.
    fn fill(&mut self, kbps: u32, now: Duration) {
        let sent = self.congestion.meter.counted().sent_bytes;
        let probe = self.probe.take();
        if kbps == 0 {
            return;
        }
        let step = f64::from(kbps) * TICK.as_secs_f64() * 125.0;
        let (sent_before, owed) = probe.unwrap_or((sent, 0.0));
        // What could not be sent in the last tick is not caught up with a burst.
        let owed = (owed - (sent - sent_before) as f64).clamp(-step, step) + step;
        self.probe = Some((sent, owed));
        if !self.congestion.meter.is_muted(now) && owed > 0.0 {
            let congestion = self.congestion.clone();
            // webrtcbin's own threads may hold what the requests need.
            tokio::task::spawn_blocking(move || congestion.fill(owed as u64));
        }
    }

    fn move_to(&mut self, form: Form, cause: Option<Cause>) {
        let Some(viewer) = &self.viewer else { return };
        match viewer.feed().want(form) {
            Ok(()) => self.cause = cause,
            // Asked only for what the camera has and the viewer can decode.
            Err(error) => log::debug!("a viewer stays with its rendition: {error}"),
        }
    }
}
