//! The time of capture, drawn into the test picture as a bar code.
//!
//! A viewer on the same machine reads it from the picture and knows how old the
//! picture is. The picture is 40 squares wide; the code takes squares 4 to 35 (from
//! 0) of the second row from the top, black for 0 and white for 1,
//! most significant bit first: 24 bits of UNIX time in milliseconds (modulo 2^24),
//! then 8 bits of check: the sum of the three bytes, exclusive-or 0x5a.

use std::time::{SystemTime, UNIX_EPOCH};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

/// Squares in the picture's width.
const COLUMNS: usize = 40;
/// The first square of the code.
const FIRST: usize = 4;
/// Luma of a black and a white square, limited range (BT.601).
const LUMA: [u8; 2] = [16, 235];

/// Draws the time into every picture that leaves `element`, which sends I420.
pub(super) fn stamp(element: &gst::Element) {
    let Some(pad) = element.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let caps = pad.current_caps();
        if let (Some(buffer), Some(caps)) = (info.buffer_mut(), caps)
            && let Ok(video) = gst_video::VideoInfo::from_caps(&caps)
        {
            draw_into(buffer.make_mut(), &video, code(SystemTime::now()));
        }
        gst::PadProbeReturn::Ok
    });
}

fn draw_into(buffer: &mut gst::BufferRef, video: &gst_video::VideoInfo, code: u32) {
    let Ok(mut frame) = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, video) else {
        return;
    };
    let (width, stride) = (video.width() as usize, frame.plane_stride()[0] as usize);
    if let Ok(luma) = frame.plane_data_mut(0) {
        draw(luma, width, stride, code);
    }
}

/// The code for a moment.
fn code(now: SystemTime) -> u32 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let [.., a, b, c] = (since.as_millis() as u64).to_be_bytes();
    u32::from_be_bytes([a, b, c, a.wrapping_add(b).wrapping_add(c) ^ 0x5a])
}

/// Draws `code` into a luma plane with `stride` bytes a row.
fn draw(luma: &mut [u8], width: usize, stride: usize, code: u32) {
    let side = width / COLUMNS;
    for row in luma.chunks_mut(stride).skip(side).take(side) {
        for bit in 0..32 {
            let value = LUMA[(code >> (31 - bit)) as usize & 1];
            let start = (FIRST + bit) * side;
            if let Some(square) = row.get_mut(start..start + side) {
                square.fill(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_drawn_code_reads_back_as_the_time() {
        let now = UNIX_EPOCH + Duration::from_millis(1_790_000_123_456);
        let mut luma = vec![128; 640 * 480];
        draw(&mut luma, 640, 640, code(now));
        let read = (0..32).fold(0_u32, |code, bit| {
            let square = luma[24 * 640 + (4 + bit) * 16 + 8];
            code << 1 | u32::from(square > 128)
        });
        let [a, b, c, check] = read.to_be_bytes();
        assert_eq!(check, a.wrapping_add(b).wrapping_add(c) ^ 0x5a);
        assert_eq!(read >> 8, (1_790_000_123_456_u64 % (1 << 24)) as u32);
    }

    #[test]
    fn a_picture_that_is_too_small_is_left_alone() {
        let mut luma = vec![128; 100];
        draw(&mut luma, 10, 10, 0xffff_ffff);
        assert_eq!(luma, vec![128; 100]);
    }
}
