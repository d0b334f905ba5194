//! What viewers are told in place of a picture, as words and as luma.

use std::time::{Duration, Instant};

use gstreamer::glib;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Luma of the ground and of the letters, limited range (BT.601).
const GROUND: u8 = 36;
const INK: u8 = 225;

/// A clock that shows less was never set: this program did not exist yet.
const FIRST_YEAR: i32 = 2026;

/// A title, and a line or a few below it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Notice {
    /// What there is to know.
    pub title: Title,
    /// Why, and what to do.
    pub text: String,
}

/// What there is to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Title {
    /// Just so.
    Only(&'static str),
    /// And since when.
    Since(&'static str, Instant),
}

impl Title {
    /// As the device's clock says now, which may have been set since: "no camera since
    /// 12:03", with the date where that was another day; a clock that was never set says
    /// how long it has been instead.
    pub(super) fn in_words(self) -> String {
        match (self, glib::DateTime::now_local()) {
            (Self::Since(what, since), Ok(now)) => since_at(what, since.elapsed(), &now),
            (Self::Only(what) | Self::Since(what, _), _) => what.to_owned(),
        }
    }
}

fn since_at(what: &str, elapsed: Duration, now: &glib::DateTime) -> String {
    let began = now.add_seconds(-elapsed.as_secs_f64()).ok().filter(|_| now.year() >= FIRST_YEAR);
    let Some(began) = began else {
        return format!("{what} for {} min", elapsed.as_secs() / 60);
    };
    let today = began.ymd() == now.ymd();
    let form = if today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let words = began.format(form).ok().map(|time| format!("{what} since {time}"));
    words.unwrap_or_else(|| what.to_owned())
}

/// A size of letters.
#[derive(Clone, Copy, Debug)]
struct Face {
    weight: FontWeight,
    height: RasterHeight,
    /// Each of its pixels is a square of so many.
    zoom: usize,
}

impl Face {
    fn width(self) -> usize {
        get_raster_width(self.weight, self.height) * self.zoom
    }

    fn line(self) -> usize {
        self.height.val() * self.zoom * 5 / 4
    }
}

/// Title and text in a picture of this height.
fn faces(height: usize) -> [Face; 2] {
    let zoom = (height / 540).max(1);
    let heights = match height {
        ..360 => [RasterHeight::Size16, RasterHeight::Size16],
        _ => [RasterHeight::Size32, RasterHeight::Size24],
    };
    let [title, text] = heights;
    [
        Face { weight: FontWeight::Bold, height: title, zoom },
        Face { weight: FontWeight::Regular, height: text, zoom },
    ]
}

/// Fills a luma plane with title and text in its middle. `stride`: bytes of a row. What
/// finds no room is left out.
pub(super) fn draw(
    words: [&str; 2],
    luma: &mut [u8],
    (width, height): (usize, usize),
    stride: usize,
) {
    luma.fill(GROUND);
    let [title, text] = faces(height);
    let room = width * 9 / 10;
    let gap = title.line() / 2;
    let lines = |words: &str, face: Face| -> Vec<(String, Face)> {
        wrap(words, room / face.width()).into_iter().map(|line| (line, face)).collect()
    };
    let (titles, texts) = (lines(words[0], title), lines(words[1], text));
    let tall = titles.len() * title.line() + gap + texts.len() * text.line();
    let mut y = height.saturating_sub(tall) / 2;
    let first_text = titles.len();
    for (index, (line, face)) in titles.into_iter().chain(texts).enumerate() {
        if index == first_text {
            y += gap;
        }
        if y + face.line() > height {
            return;
        }
        let x = width.saturating_sub(line.chars().count() * face.width()) / 2;
        write(&line, face, luma, stride, (x, y));
        y += face.line();
    }
}

/// Lines of at most `columns` characters, broken between words where that is possible.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        let line = lines.last_mut().expect("there is always a line");
        let used = line.chars().count();
        if used > 0 && used + 1 + rest.len() > columns {
            lines.push(String::new());
        } else if used > 0 {
            line.push(' ');
        }
        while !rest.is_empty() {
            let line = lines.last_mut().expect("there is always a line");
            let free = columns - line.chars().count();
            line.extend(rest.drain(..free.min(rest.len())));
            if !rest.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn write(line: &str, face: Face, luma: &mut [u8], stride: usize, (x, y): (usize, usize)) {
    let Face { weight, height, zoom } = face;
    for (index, letter) in line.chars().enumerate() {
        let known = get_raster(letter, weight, height);
        let Some(raster) = known.or_else(|| get_raster('?', weight, height)) else { continue };
        let left = x + index * face.width();
        for (row, pixels) in (0..).zip(raster.rows()) {
            for dy in 0..zoom {
                let start = (y + row * zoom + dy) * stride + left;
                for (column, intensity) in pixels.iter().enumerate() {
                    let at = start + column * zoom;
                    if let Some(place) = luma.get_mut(at..at + zoom) {
                        place.fill(shade(*intensity));
                    }
                }
            }
        }
    }
}

/// Between ground and ink.
fn shade(intensity: u8) -> u8 {
    let span = u16::from(INK - GROUND) * u16::from(intensity) / 255;
    GROUND + span as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn at(year: i32, month: i32, day: i32, hour: i32, minute: i32) -> glib::DateTime {
        glib::DateTime::from_utc(year, month, day, hour, minute, 0.0).unwrap()
    }

    #[test]
    fn the_beginning_is_told_by_the_clock() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let now = at(2026, 11, 22, 12, 10);
        assert_eq!(since_at("no camera", minutes(7), &now), "no camera since 12:03");
        assert_eq!(
            since_at("no camera", minutes(24 * 60), &now),
            "no camera since 2026-11-21 12:10"
        );
        let unset = at(1970, 1, 1, 0, 10);
        assert_eq!(since_at("no camera", minutes(7), &unset), "no camera for 7 min");
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("is it switched on?", 9), ["is it", "switched", "on?"]);
        assert_eq!(
            wrap("/dev/v4l/by-id/camera gone", 8),
            ["/dev/v4l", "/by-id/c", "amera", "gone"]
        );
        assert_eq!(wrap("  ", 8), Vec::<String>::new());
    }

    #[test]
    fn letters_are_in_the_middle() {
        let (width, height) = (640, 360);
        let mut luma = vec![0; width * height];
        draw(["No camera since 12:03", "is it on?"], &mut luma, (width, height), width);
        let inked = |row: &[u8]| row.contains(&INK);
        let rows: Vec<usize> =
            (0..height).filter(|row| inked(&luma[row * width..(row + 1) * width])).collect();
        let (top, bottom) = (rows[0], *rows.last().unwrap());
        assert!(top > height / 3 && bottom < height * 2 / 3, "{top} {bottom}");
        assert!(luma[..width * height / 3].iter().all(|pixel| *pixel == GROUND));
    }

    proptest! {
        #[test]
        fn any_words_fit_any_picture(
            title in ".{0,80}", text in ".{0,400}",
            width in 16_usize..400, height in 16_usize..800, more in 0_usize..20,
        ) {
            let stride = width + more;
            let mut luma = vec![0; stride * height];
            draw([&title, &text], &mut luma, (width, height), stride);
            prop_assert!(luma.iter().all(|pixel| (GROUND..=INK).contains(pixel)));
        }

        #[test]
        fn no_line_is_too_long_and_no_letter_is_lost(text in "[a-z ]{0,200}", columns in 1_usize..40) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| (1..=columns).contains(&line.chars().count())));
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
