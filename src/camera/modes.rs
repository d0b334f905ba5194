//! The sizes and frame rates that a device offers, from its caps.

use gstreamer as gst;
use serde::Serialize;
use utoipa::ToSchema;

/// Modes that are told: webcams list each size for each of several formats.
const MOST: usize = 64;

/// Frame rates of one mode that are told.
const MOST_RATES: usize = 16;

/// A size that a camera gives, in whatever format.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Mode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whole frames a second, the highest first.
    pub framerates: Vec<u32>,
}

/// Sizes in `caps` with their rates, the largest first, each once.
#[must_use]
pub fn modes(caps: &gst::CapsRef) -> Vec<Mode> {
    let mut modes: Vec<Mode> = Vec::new();
    for structure in caps.iter() {
        let size = |name| structure.get::<i32>(name).ok().and_then(|size| u32::try_from(size).ok());
        // A range of sizes has no end of modes.
        let (Some(width), Some(height)) = (size("width"), size("height")) else { continue };
        let rates = rates(structure);
        match modes.iter_mut().find(|mode| (mode.width, mode.height) == (width, height)) {
            Some(mode) => mode.framerates.extend(rates),
            None => modes.push(Mode { width, height, framerates: rates }),
        }
    }
    for mode in &mut modes {
        mode.framerates.sort_unstable_by(|a, b| b.cmp(a));
        mode.framerates.dedup();
        mode.framerates.truncate(MOST_RATES);
    }
    modes.sort_by_key(|mode| std::cmp::Reverse((mode.width * mode.height, mode.width)));
    modes.truncate(MOST);
    modes
}

/// Of a range its ends.
fn rates(structure: &gst::StructureRef) -> Vec<u32> {
    let whole = |rate: gst::Fraction| {
        let rate = f64::from(rate.numer()) / f64::from(rate.denom().max(1));
        (1.0..=1000.0).contains(&rate).then_some(rate.round() as u32)
    };
    if let Ok(rate) = structure.get::<gst::Fraction>("framerate") {
        return whole(rate).into_iter().collect();
    }
    if let Ok(list) = structure.get::<gst::List>("framerate") {
        return list.iter().filter_map(|rate| whole(rate.get().ok()?)).collect();
    }
    match structure.get::<gst::FractionRange>("framerate") {
        Ok(range) => [range.min(), range.max()].into_iter().filter_map(whole).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn a_size_of_several_formats_is_told_once_with_all_its_rates() {
        gst::init().unwrap();
        let caps = gst::Caps::from_str(
            "video/x-raw,format=YUY2,width=640,height=480,framerate={ (fraction)30/1, (fraction)15/1 };\
             image/jpeg,width=1280,height=720,framerate=(fraction)30/1;\
             image/jpeg,width=640,height=480,framerate=[ 5/1, 60/1 ];\
             video/x-raw,width=[ 16, 4096 ],height=[ 16, 4096 ],framerate=30/1;\
             image/jpeg,width=320,height=240",
        );
        let mode = |width, height, framerates: &[u32]| Mode {
            width,
            height,
            framerates: framerates.to_vec(),
        };
        let expected =
            [mode(1280, 720, &[30]), mode(640, 480, &[60, 30, 15, 5]), mode(320, 240, &[])];
        assert_eq!(modes(&caps.unwrap()), expected);
    }

    #[test]
    fn a_device_that_lists_without_end_is_cut() {
        gst::init().unwrap();
        let sizes = (1..200).map(|n| format!("image/jpeg,width={},height=10", n * 2));
        let caps = gst::Caps::from_str(&sizes.collect::<Vec<_>>().join(";")).unwrap();
        let told = modes(&caps);
        assert_eq!((told.len(), told[0].width), (MOST, 398));
    }
}
