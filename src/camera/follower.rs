//! Lets the pipeline that plays encode what viewers need.

use std::time::Instant;

use gstreamer_video::VideoInfo;
use tokio::sync::watch;

use super::branch::Spec;
use super::key_units::Wishes;
use super::picture::{Limit, Picture};
use super::pipeline::Pipeline;
use super::renditions::{Demand, Renditions};
use super::requests::Requests;
use super::{Encoding, Form, PerForm};

/// The small picture, for a viewer whose link carries no more.
const LOW: Limit = Limit { width: 640, framerate: 30, ..Limit::NONE };

/// What viewers need of one pipeline, from its first picture on.
pub(super) struct Follower {
    demand: Demand,
    requests: watch::Receiver<Requests>,
    renditions: Renditions,
    encodings: watch::Sender<PerForm<Option<Encoding>>>,
    wishes: Wishes,
    video: Option<VideoInfo>,
    left_out: PerForm<bool>,
}

impl Follower {
    pub(super) fn new(
        demand: &Demand,
        requests: &watch::Receiver<Requests>,
        renditions: &Renditions,
        encodings: &watch::Sender<PerForm<Option<Encoding>>>,
    ) -> Self {
        let mut demand = demand.clone();
        let wishes = Wishes::new(*demand.key_units.borrow_and_update());
        let (requests, renditions) = (requests.clone(), renditions.clone());
        let (encodings, left_out) = (encodings.clone(), PerForm::default());
        Self { demand, requests, renditions, encodings, wishes, video: None, left_out }
    }

    /// What the pipeline shows from now on.
    pub(super) fn picture(&mut self, video: VideoInfo) {
        self.video = Some(video);
    }

    /// Goes on without `form`.
    pub(super) fn leave_out(&mut self, form: Form) {
        self.left_out[form] = true;
    }

    /// Whether there has been a picture.
    pub(super) fn has_begun(&self) -> bool {
        self.video.is_some()
    }

    /// Resolves when there may be something to follow. Cancel safe.
    pub(super) async fn changed(&mut self) {
        let due = self.wishes.due();
        tokio::select! {
            Ok(()) = self.demand.viewers.changed() => {}
            Ok(()) = self.requests.changed() => {}
            Ok(()) = self.demand.key_units.changed() => {
                let wished = *self.demand.key_units.borrow_and_update();
                self.wishes.wish(wished, Instant::now());
            }
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()),
                if due.is_some() => {}
            else => std::future::pending().await,
        }
    }

    /// Lets `pipeline` encode what is needed of its picture now, and publishes it.
    pub(super) fn follow(&mut self, pipeline: &Pipeline) {
        if let Some(video) = self.video.clone() {
            let branches = self.branches(&video);
            pipeline.encode(branches);
            let told =
                PerForm::from_fn(|form| branches[form].map(|spec| Encoding::new(spec, &video)));
            self.encodings.send_if_modified(|published| std::mem::replace(published, told) != told);
        }
        self.wishes.take(Instant::now()).for_each(|form| pipeline.force_key_unit(form));
    }

    fn branches(&mut self, video: &VideoInfo) -> PerForm<Option<Spec>> {
        let viewers = *self.demand.viewers.borrow_and_update();
        let requests = *self.requests.borrow();
        PerForm::from_fn(|form| {
            let limit = if form == Form::Low { LOW.and(requests.most) } else { requests.most };
            let picture = Picture::within(limit, video);
            let bitrate_kbps = requests.bitrate_kbps(form);
            let has = self.renditions.has(form).is_ok() && !self.left_out[form];
            let encoded = viewers[form] > 0 && has;
            encoded.then_some(Spec { picture, bitrate_kbps })
        })
    }
}

impl Drop for Follower {
    /// The pipeline encodes nothing any more. One that never began leaves alone what
    /// another encodes.
    fn drop(&mut self) {
        if self.has_begun() {
            self.encodings.send_replace(PerForm::default());
        }
    }
}
