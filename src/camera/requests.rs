//! What may be asked of a running camera; the newest says all.

use super::picture::Limit;
use super::{Form, PerForm};
use crate::config;

/// What the small picture's encoder aims at first, and at most (facts on congestion).
pub const LOW_KBPS: u32 = 400;

/// What it aims at at least: it leaves room on a link of 200 kbit/s.
pub const LEAST_LOW_KBPS: u32 = 150;

/// Whether the camera takes pictures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Capture {
    /// It does.
    On,
    /// Stopped on request.
    Off,
}

/// Everything that was asked; the newest of each kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Requests {
    pub capture: Capture,
    /// As it was asked, for [`Requests::bitrate_kbps`].
    pub wanted_kbps: PerForm<u32>,
    pub bounds: Bounds,
    /// Of the whole picture, in both codecs.
    pub most: Limit,
}

/// The bit rates that the configuration allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bounds {
    least_kbps: u32,
    most_kbps: u32,
}

impl Bounds {
    pub(super) fn of(encoding: &config::Encoder) -> Self {
        let (least_kbps, most_kbps) = (encoding.min_bitrate_kbps, encoding.bitrate_kbps);
        Self { least_kbps, most_kbps: most_kbps.max(least_kbps) }
    }
}

impl Requests {
    /// Before anybody asks for anything.
    pub(super) fn new(encoding: &config::Encoder) -> Self {
        let wanted_kbps = PerForm::from_fn(|_| u32::MAX);
        let bounds = Bounds::of(encoding);
        Self { capture: Capture::On, wanted_kbps, bounds, most: Limit::NONE }
    }

    /// The bit rate nearest to the wanted one that `form` may have. Found at each use:
    /// who asked need not ask again when the bounds change.
    pub(super) fn bitrate_kbps(&self, form: Form) -> u32 {
        let Bounds { least_kbps, most_kbps } = self.bounds;
        let wanted = self.wanted_kbps[form];
        match form {
            Form::Full | Form::Vp8 => wanted.clamp(least_kbps, most_kbps),
            Form::Low => {
                let most = most_kbps.min(LOW_KBPS);
                wanted.clamp(most.min(LEAST_LOW_KBPS), most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoding(min_bitrate_kbps: u32, bitrate_kbps: u32) -> config::Encoder {
        config::Encoder { prefer: None, bitrate_kbps, min_bitrate_kbps, low_rendition: true }
    }

    #[test]
    fn a_wish_outlives_bounds_that_did_not_allow_it() {
        let mut requests = Requests::new(&encoding(300, 2500));
        requests.wanted_kbps[Form::Full] = 2000;
        requests.bounds = Bounds::of(&encoding(300, 1000));
        assert_eq!(requests.bitrate_kbps(Form::Full), 1000);
        requests.bounds = Bounds::of(&encoding(300, 2500));
        assert_eq!(requests.bitrate_kbps(Form::Full), 2000);
        assert_eq!(requests.bitrate_kbps(Form::Vp8), 2500);
    }

    proptest! {
        #[test]
        fn no_form_leaves_what_the_configuration_allows(
            kbps in any::<u32>(), least in 50_u32..20_000, more in 0_u32..20_000,
        ) {
            let most = least + more;
            let first = Requests::new(&encoding(least, most));
            let asked = Requests { wanted_kbps: PerForm::from_fn(|_| kbps), ..first };
            for form in [Form::Full, Form::Vp8] {
                let given = asked.bitrate_kbps(form);
                prop_assert!((least..=most).contains(&given));
                prop_assert!(given == kbps || !(least..=most).contains(&kbps));
            }
            let low = asked.bitrate_kbps(Form::Low);
            prop_assert!(low <= LOW_KBPS && low <= most);
            prop_assert_eq!(first.bitrate_kbps(Form::Full), most);
        }
    }
}
