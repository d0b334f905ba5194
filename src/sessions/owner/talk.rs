//! What is said on the viewers' data channels, and what they are told.

use super::Owner;
use crate::recognition::Prediction;
use crate::sessions::ConnectionId;
use crate::sessions::connection::Loss;
use crate::sessions::keepalive::Keepalive;
use crate::sessions::live::overrun;
use crate::sessions::messages::{self, Command};
use crate::sessions::post::Payload;
use crate::sessions::transcript::Start;

impl Owner {
    pub(super) fn greet(&mut self, connection: ConnectionId) -> Option<Loss> {
        let now = self.now();
        let live = self.live.get_mut(&connection)?;
        let camera = self.cameras[live.camera].name();
        let interval = self.settings.keepalive;
        live.keepalive = Some(Keepalive::new(interval, now));
        let hello = messages::hello(live.session, connection, camera, interval);
        let sent = live.link.say(Payload::Text(hello), now);
        live.shown = None;
        live.tell_rendition(&self.cameras[live.camera], now);
        overrun(sent)
    }

    pub(super) fn on_command(
        &mut self,
        connection: ConnectionId,
        payload: Payload,
    ) -> Option<Loss> {
        let now = self.now();
        let live = self.live.get_mut(&connection)?;
        match Command::of(payload)? {
            Command::Alive => {
                let answered = live.keepalive.as_mut()?.answer();
                self.status.keepalives_answered += u64::from(answered);
                None
            }
            Command::Echo(text) => overrun(live.link.say(Payload::Text(text), now)),
            Command::ClearTranscript => {
                let (_, session) = self.table.session_of(connection)?;
                session.transcript = Start::after(self.committed);
                None
            }
        }
    }

    /// Predictions are those of the first camera.
    pub(super) fn on_prediction(&mut self, prediction: &Prediction) {
        let now = self.now();
        self.committed = prediction.committed_total;
        // Nothing is written for a player without the channel, thirty times a second.
        let readers =
            self.live.iter_mut().filter(|(_, l)| l.camera == 0 && l.link.wants_predictions());
        for (id, live) in readers {
            let (true, Some(viewer)) = (self.table.is_live(*id), &live.viewer) else { continue };
            let Some((_, session)) = self.table.session_of(*id) else { continue };
            let transcript = session.transcript.of(&prediction.transcript, self.committed);
            let stamp = viewer.stamp(prediction.captured_at);
            live.link.predict(messages::prediction(prediction, stamp, transcript), now);
        }
    }
}
