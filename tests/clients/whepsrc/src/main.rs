//! GStreamer's WHEP player `whepsrc`, as anybody would use it.
//!
//! `signpost-whepsrc watch URL SECONDS [CAPS]` watches for so long from the first
//! picture on and prints what it saw as one line of JSON; `CAPS` are what it offers
//! instead of whepsrc's own choice. `signpost-whepsrc still FILE SECONDS` makes a
//! clip in which nothing moves.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

/// Until the first picture; the device may be busy with its start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ends a pipeline.
const END: [gst::MessageType; 2] = [gst::MessageType::Error, gst::MessageType::Eos];

/// A picture that was decoded.
struct Picture {
    at: Instant,
    width: u32,
    height: u32,
    /// Its luma, without padding.
    luma: Vec<u8>,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    gst::init()?;
    match arguments[..] {
        ["watch", url, seconds] => watch(url, seconds.parse()?, None),
        ["watch", url, seconds, caps] => watch(url, seconds.parse()?, Some(caps)),
        ["still", file, seconds] => still(file, seconds.parse()?),
        _ => bail!("signpost-whepsrc watch URL SECONDS [CAPS] | still FILE SECONDS"),
    }
}

fn watch(url: &str, seconds: u64, caps: Option<&str>) -> anyhow::Result<()> {
    gstwebrtchttp::plugin_register_static()?;
    let source = gst::ElementFactory::make("whepsrc").property("whep-endpoint", url);
    let source = match caps {
        Some(caps) => source
            .property("video-caps", caps.parse::<gst::Caps>()?)
            .property("audio-caps", None::<gst::Caps>),
        None => source,
    };
    let source = source.build()?;
    let (pipeline, pictures) = decoder()?;
    pipeline.add(&source)?;
    let decode = pipeline.by_name("decode").context("the description names it")?;
    source.connect_pad_added(move |_, pad| {
        if let Some(sink) = decode.static_pad("sink") {
            let _ = pad.link(&sink);
        }
    });
    pipeline.set_state(gst::State::Playing)?;
    let seen = look(&pipeline, &pictures, Duration::from_secs(seconds));
    // Ends the session with DELETE.
    pipeline.set_state(gst::State::Null)?;
    println!("{}", seen?);
    Ok(())
}

/// A pipeline that decodes whichever codec was agreed on.
fn decoder() -> anyhow::Result<(gst::Pipeline, Receiver<Picture>)> {
    let pipeline = gst::parse::launch(
        "decodebin name=decode ! videoconvert ! video/x-raw,format=I420 \
         ! appsink name=pictures sync=false async=false",
    )?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline")?;
    let sink = pipeline.by_name("pictures").context("the description names it")?;
    let sink = sink.downcast::<gst_app::AppSink>().ok().context("an appsink")?;
    let (post, pictures) = mpsc::channel();
    let on_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let picture = picture(&sample).ok_or(gst::FlowError::Error)?;
        post.send(picture).map(|()| gst::FlowSuccess::Ok).map_err(|_| gst::FlowError::Eos)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(on_sample).build());
    Ok((pipeline, pictures))
}

fn picture(sample: &gst::Sample) -> Option<Picture> {
    let info = gstreamer_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let map = sample.buffer()?.map_readable().ok()?;
    let rows = map.chunks(*info.stride().first()? as usize).take(info.height() as usize);
    let luma = rows.flat_map(|row| &row[..info.width() as usize]).copied().collect();
    Some(Picture { at: Instant::now(), width: info.width(), height: info.height(), luma })
}

/// What is seen from the first picture on.
fn look(
    pipeline: &gst::Pipeline,
    pictures: &Receiver<Picture>,
    time: Duration,
) -> anyhow::Result<serde_json::Value> {
    let started = Instant::now();
    let first = next(pipeline, pictures, started + PATIENCE)?.context("no picture came")?;
    let (mut count, mut gap, mut moved, mut last) = (1, Duration::ZERO, 0.0, first.at);
    while let Some(picture) = next(pipeline, pictures, first.at + time)? {
        count += 1;
        gap = gap.max(picture.at - last);
        moved = f64::max(moved, changed(&first.luma, &picture.luma));
        last = picture.at;
    }
    let (mean, deviation) = spread(&first.luma);
    Ok(serde_json::json!({
        "first_ms": (first.at - started).as_millis() as u64,
        "pictures": count,
        "longest_gap_ms": gap.max(first.at + time - last).as_millis() as u64,
        "size": [first.width, first.height],
        "mean": mean,
        "deviation": deviation,
        "moved": moved,
    }))
}

/// The next picture, none after `deadline`.
fn next(
    pipeline: &gst::Pipeline,
    pictures: &Receiver<Picture>,
    deadline: Instant,
) -> anyhow::Result<Option<Picture>> {
    const LOOK_AT_THE_BUS: Duration = Duration::from_millis(200);
    let bus = pipeline.bus().context("every pipeline has a bus")?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if let Ok(picture) = pictures.recv_timeout(left.min(LOOK_AT_THE_BUS)) {
            return Ok(Some(picture));
        }
        match bus.pop_filtered(&END).as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => {
                bail!("{}: {}", error.error(), error.debug().unwrap_or_default())
            }
            Some(_) => bail!("the stream ended"),
            None => {}
        }
        if left.is_zero() {
            return Ok(None);
        }
    }
}

/// Share of the luma that changed by more than noise.
fn changed(before: &[u8], after: &[u8]) -> f64 {
    let pairs = before.iter().zip(after);
    pairs.filter(|(a, b)| a.abs_diff(**b) > 16).count() as f64 / before.len().max(1) as f64
}

/// Mean and standard deviation.
fn spread(luma: &[u8]) -> (f64, f64) {
    let mean =
        |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / luma.len().max(1) as f64;
    let middle = mean(&mut luma.iter().map(|value| f64::from(*value)));
    let variance = mean(&mut luma.iter().map(|value| (f64::from(*value) - middle).powi(2)));
    (middle, variance.sqrt())
}

/// Few pictures a second and no change: the fewest bytes that a camera can make.
fn still(file: &str, seconds: u32) -> anyhow::Result<()> {
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc pattern=smpte75 num-buffers={} \
         ! video/x-raw,format=I420,width=640,height=360,framerate=5/1 \
         ! x264enc ! h264parse ! mp4mux ! filesink name=file",
        5 * seconds
    ))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline")?;
    pipeline.by_name("file").context("the description names it")?.set_property("location", file);
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().context("every pipeline has a bus")?;
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &END);
    pipeline.set_state(gst::State::Null)?;
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        other => bail!("the clip was not made: {other:?}"),
    }
}
