//! What one viewer does with the pictures of its camera's forms.
//!
//! A viewer shows one form and may be on its way to another: then the old one goes
//! on until the first key unit of the new, so that no picture is missing. One that
//! does not keep up misses whole groups of pictures: one lost out of the middle
//! would stay broken until the next key unit, and nobody would ask for it, because
//! RTP shows no gap.

use gstreamer as gst;

use super::Form;

/// The shortest step between two pictures of a viewer. Two encoders take different
/// times, so the first picture of a form can be older than the last of the other.
const LEAST_STEP: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// Where a viewer is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flow {
    /// Takes nothing, and nothing is encoded for it. How a viewer begins and ends.
    Idle(Form),
    /// Takes nothing for a moment, and will go on with this form. Its encoder goes on
    /// too: to start one costs more than the few pictures that nobody sees.
    Paused(Form),
    /// Begins with the next key unit.
    Waiting(Form),
    /// Goes on.
    Running(Form),
    /// Goes on with one until the other has a key unit.
    Moving {
        /// What it shows.
        from: Form,
        /// What it will show.
        to: Form,
    },
    /// Takes nothing: its queue was full, and is still to be emptied. Only then is a
    /// key unit worth its price, which all viewers pay.
    Behind(Form),
}

/// What can be asked of a viewer, or happen to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// It shall show this form.
    Want(Form),
    /// No picture for a moment.
    Pause,
    /// No picture from now on.
    Stop,
    /// Pictures again.
    Resume,
    /// The pictures that follow do not continue those before.
    Interrupt,
}

/// A picture that has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Arrival {
    /// Of this form.
    pub form: Form,
    /// Whether it needs those before it.
    pub unit: Unit,
    /// The viewer's queue as it finds it.
    pub queue: Queue,
}

/// Whether a picture needs those before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    /// It stands by itself.
    Key,
    /// It does.
    Delta,
}

/// How far a viewer's queue of encoded pictures is filled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Queue {
    /// Not at all.
    Empty,
    /// There is room.
    Filling,
    /// There is none.
    Full,
}

/// What is done with a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The viewer gets it.
    Push,
    /// It had to be left out.
    Drop,
    /// Of no use before a key unit of its form, which is to be asked for.
    Wish,
    /// The viewer wants no picture of this form.
    Pass,
}

impl Flow {
    /// The state after `change`.
    pub(super) fn on(self, change: Change) -> Self {
        match (self, change) {
            (Self::Running(from), Change::Want(to)) if from != to => Self::Moving { from, to },
            (Self::Moving { from, .. }, Change::Want(to)) if from != to => {
                Self::Moving { from, to }
            }
            (Self::Running(_) | Self::Moving { .. }, Change::Want(to)) => Self::Running(to),
            (Self::Idle(_), Change::Want(to)) => Self::Idle(to),
            (Self::Paused(_), Change::Want(to)) => Self::Paused(to),
            (Self::Waiting(_), Change::Want(to)) => Self::Waiting(to),
            (Self::Behind(_), Change::Want(to)) => Self::Behind(to),
            (Self::Idle(form), Change::Pause) => Self::Idle(form),
            (flow, Change::Pause) => Self::Paused(flow.target()),
            (flow, Change::Stop) => Self::Idle(flow.target()),
            (Self::Idle(form) | Self::Paused(form), Change::Resume) => Self::Waiting(form),
            (Self::Running(_) | Self::Moving { .. }, Change::Interrupt) => {
                Self::Waiting(self.target())
            }
            (flow, Change::Resume | Change::Interrupt) => flow,
        }
    }

    /// The state after a picture, and what is done with the picture.
    pub(super) fn take(self, arrival: Arrival) -> (Self, Verdict) {
        if self.rests() || !self.needs(arrival.form) {
            return (self, Verdict::Pass);
        }
        let begins = matches!(self, Self::Waiting(_) | Self::Behind(_))
            || matches!(self, Self::Moving { to, .. } if to == arrival.form);
        let stays_behind = matches!(self, Self::Behind(_)) && arrival.queue != Queue::Empty;
        match (arrival.unit, arrival.queue) {
            _ if stays_behind => (self, Verdict::Drop),
            (Unit::Delta, _) if begins => (self.caught_up(), Verdict::Wish),
            (_, Queue::Full) => (Self::Behind(self.target()), Verdict::Drop),
            _ if begins => (Self::Running(arrival.form), Verdict::Push),
            _ => (self, Verdict::Push),
        }
    }

    /// Whether it takes no picture, whichever comes.
    pub(super) fn rests(self) -> bool {
        matches!(self, Self::Idle(_) | Self::Paused(_))
    }

    /// Whether pictures of `form` are encoded for this viewer.
    pub(super) fn needs(self, form: Form) -> bool {
        match self {
            Self::Idle(_) => false,
            Self::Paused(wanted)
            | Self::Waiting(wanted)
            | Self::Running(wanted)
            | Self::Behind(wanted) => wanted == form,
            Self::Moving { from, to } => form == from || form == to,
        }
    }

    /// The form whose next key unit it waits for.
    pub(super) fn awaited(self) -> Option<Form> {
        match self {
            Self::Waiting(form) | Self::Moving { to: form, .. } => Some(form),
            Self::Idle(_) | Self::Paused(_) | Self::Running(_) | Self::Behind(_) => None,
        }
    }

    /// The form that the viewer sees, or would see if pictures came.
    pub(super) fn shown(self) -> Form {
        match self {
            Self::Moving { from, .. } => from,
            other => other.target(),
        }
    }

    /// The form that it is to show.
    pub(super) fn target(self) -> Form {
        match self {
            Self::Idle(form)
            | Self::Paused(form)
            | Self::Waiting(form)
            | Self::Running(form)
            | Self::Behind(form)
            | Self::Moving { to: form, .. } => form,
        }
    }

    /// A queue that is empty again is no longer in the way.
    fn caught_up(self) -> Self {
        match self {
            Self::Behind(form) => Self::Waiting(form),
            other => other,
        }
    }
}

/// The time that a picture of `pts` gets after one of `last`, so that the viewer's
/// time only rises.
pub(super) fn after(last: Option<gst::ClockTime>, pts: gst::ClockTime) -> gst::ClockTime {
    last.map_or(pts, |last| pts.max(last + LEAST_STEP))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
