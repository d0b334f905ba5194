//! A GStreamer video frame as the cascade's borrowed view of it.

use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat};
use gst_video::{VideoFrameExt as _, VideoFrameRef};
use gstreamer as gst;
use gstreamer_video as gst_video;

use crate::cascade::{Colour, Frame, FrameError, Matrix, Plane, Range};

/// The pixel layouts that recognition reads directly, for caps.
pub const FORMATS: [VideoFormat; 2] = [VideoFormat::I420, VideoFormat::Nv12];

/// From this height on, video without a stated matrix is BT.709: GStreamer's own rule.
const HD_HEIGHT: u32 = 720;

/// Why a video frame cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A layout that is not among [`FORMATS`].
    #[error("video frame: format {0} cannot be read; recognition takes I420 and NV12")]
    Format(VideoFormat),
    /// A plane is missing.
    #[error("video frame: plane {0} is missing")]
    Plane(u32),
    /// Its memory is not what its caps say.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Looks at a mapped frame without copying it. Colorimetry is that of its caps.
///
/// # Errors
/// [`PictureError`]; the frame is to be skipped and counted.
pub fn view<'a>(video: &'a VideoFrameRef<&'a gst::BufferRef>) -> Result<Frame<'a>, PictureError> {
    let plane = |index: u32| {
        let data = video.plane_data(index).map_err(|_| PictureError::Plane(index))?;
        let stride = video.plane_stride().get(index as usize).copied().unwrap_or_default();
        let stride = usize::try_from(stride).map_err(|_| PictureError::Plane(index))?;
        Ok::<_, PictureError>(Plane { data, stride })
    };
    let info = video.info();
    let (width, height) = (info.width() as usize, info.height() as usize);
    let colour = colour(info);
    Ok(match info.format() {
        VideoFormat::I420 => Frame::i420(width, height, [plane(0)?, plane(1)?, plane(2)?], colour)?,
        VideoFormat::Nv12 => Frame::nv12(width, height, [plane(0)?, plane(1)?], colour)?,
        other => return Err(PictureError::Format(other)),
    })
}

fn colour(info: &gst_video::VideoInfo) -> Colour {
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc | VideoColorMatrix::Smpte240m => {
            Matrix::Bt601
        }
        VideoColorMatrix::Bt709 | VideoColorMatrix::Bt2020 => Matrix::Bt709,
        _ if info.height() >= HD_HEIGHT => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    Colour { matrix, range }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn info(text: &str) -> gst_video::VideoInfo {
        gst::init().unwrap();
        let caps = format!("video/x-raw,format=I420,framerate=30/1,{text}");
        let caps = caps.parse::<gst::Caps>().unwrap();
        gst_video::VideoInfo::from_caps(&caps).unwrap()
    }

    #[test]
    fn colorimetry_is_that_of_the_caps() {
        let stated = info("width=640,height=480,colorimetry=bt709");
        let expected = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        assert_eq!(colour(&stated), expected);
        let jpeg = info("width=640,height=480,colorimetry=1:4:0:0");
        assert_eq!(colour(&jpeg).range, Range::Full);
    }

    #[test]
    fn colorimetry_that_is_not_stated_goes_by_height() {
        assert_eq!(colour(&info("width=640,height=480")).matrix, Matrix::Bt601);
        assert_eq!(colour(&info("width=1280,height=720")).matrix, Matrix::Bt709);
    }

    #[test]
    fn a_padded_frame_is_seen_with_its_strides() {
        let info = info("width=5,height=4");
        let buffer = gst::Buffer::with_size(info.size()).unwrap();
        let video = gst_video::VideoFrameRef::from_buffer_ref_readable(&buffer, &info).unwrap();
        let frame = view(&video).unwrap();
        assert_eq!((frame.width(), frame.height()), (5, 4));
    }

    #[test]
    fn another_format_is_refused_by_name() {
        gst::init().unwrap();
        let info = gst_video::VideoInfo::builder(VideoFormat::Rgb, 4, 4).build().unwrap();
        let buffer = gst::Buffer::with_size(info.size()).unwrap();
        let video = gst_video::VideoFrameRef::from_buffer_ref_readable(&buffer, &info).unwrap();
        let error = view(&video).unwrap_err().to_string();
        assert_eq!(
            error,
            "video frame: format RGB cannot be read; recognition takes I420 and NV12"
        );
    }
}
