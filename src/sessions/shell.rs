//! Shells around what webrtcbin is lent and never gives back.
//!
//! webrtcbin keeps one reference too many of the element that it gets for a signal: it
//! counts on a floating one, and the bindings know none (GStreamer 1.22; 70 estimators
//! stayed of 70 viewers). So it gets a bin, which is emptied when its pipeline has
//! stopped, and lent again: there are as many as there were viewers at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Pads that a shell and what it is around have in common.
const PADS: [&str; 2] = ["sink", "src"];

/// The empty ones, for all viewers. A clone is of the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Shells(Arc<Mutex<Vec<gst::Bin>>>);

impl Shells {
    /// Puts `element`, which has a sink and a source pad, into a shell.
    pub fn around(&self, element: &gst::Element) -> Result<gst::Bin, gst::glib::BoolError> {
        let shell = self.empty().pop().unwrap_or_default();
        shell.add(element)?;
        for name in PADS {
            let Some(pad) = element.static_pad(name) else {
                return Err(gst::glib::bool_error!("{} has no pad {name}", element.name()));
            };
            shell.add_pad(&gst::GhostPad::with_target(&pad)?)?;
        }
        Ok(shell)
    }

    /// Takes a shell out of its pipeline, which has stopped, and out of it what is in it.
    pub fn give_back(&self, shell: gst::Bin) {
        for pad in shell.pads() {
            let _ = shell.remove_pad(&pad);
        }
        for element in shell.children() {
            let _ = shell.remove(&element);
        }
        let holder = shell.parent().and_downcast::<gst::Bin>();
        let is_free = holder.is_none_or(|holder| holder.remove(&shell).is_ok());
        // One of a pipeline that did not stop is not lent again.
        if is_free && shell.current_state() == gst::State::Null {
            self.empty().push(shell);
        }
    }

    fn empty(&self) -> MutexGuard<'_, Vec<gst::Bin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn element() -> gst::Element {
        gst::init().unwrap();
        gst::ElementFactory::make("identity").build().unwrap()
    }

    #[test]
    fn a_shell_that_was_given_back_is_lent_again_and_is_in_no_pipeline() {
        let (first, shells) = (element(), Shells::default());
        let pipeline = gst::Pipeline::new();
        let shell = shells.around(&first).unwrap();
        pipeline.add(&shell).unwrap();
        assert_eq!((shell.children().len(), shell.pads().len()), (1, 2));
        let other = shells.around(&element()).unwrap();
        assert_ne!(other, shell, "it is lent");
        shells.give_back(shell.clone());
        assert_eq!((shell.children().len(), shell.pads().len()), (0, 0));
        assert_eq!((shell.parent(), first.parent(), first.ref_count()), (None, None, 1));
        let again = shells.around(&element()).unwrap();
        assert_eq!(again, shell);
        assert_eq!((again.children().len(), again.pads().len()), (1, 2));
    }

    #[test]
    fn a_shell_that_still_plays_is_not_lent_again() {
        let shells = Shells::default();
        let shell = shells.around(&element()).unwrap();
        shell.set_state(gst::State::Playing).unwrap();
        shells.give_back(shell.clone());
        assert_ne!(shells.around(&element()).unwrap(), shell);
        shell.set_state(gst::State::Null).unwrap();
    }
}
