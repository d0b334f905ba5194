//! The hand-over between camera and recognition, of the product's own source, under loom.
#![cfg(loom)]

#[path = "../../../src/camera/handover.rs"]
pub mod handover;

#[cfg(test)]
mod tests {
    use loom::future::block_on;
    use loom::thread;

    use super::handover::{Missed, channel};

    /// All orders of the steps in which a thread is interrupted up to four times: more find
    /// nothing that these do not (Musuvathi and Qadeer, 2007), and take hours.
    fn check(model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(4);
        builder.check(model);
    }

    /// Takes all that comes; the frames, and how many gave way.
    async fn drain(frames: &super::handover::Receiver<u64>) -> (Vec<u64>, u64) {
        let (mut taken, mut lost) = (Vec::new(), 0);
        loop {
            match frames.recv().await {
                Ok(frame) => taken.push(frame),
                Err(Missed::Lost(more)) => lost += more,
                Err(Missed::Closed) => return (taken, lost),
            }
        }
    }

    #[test]
    fn every_frame_is_taken_in_order_or_counted_and_the_end_is_heard() {
        check(|| {
            let (sender, receiver) = channel(2);
            let camera = thread::spawn(move || (0..3).for_each(|frame| sender.send(frame)));
            let (taken, lost) = block_on(drain(&receiver));
            camera.join().unwrap();
            assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
            assert_eq!(taken.len() as u64 + lost, 3, "{taken:?}");
            assert_eq!(taken.last(), Some(&2), "the newest never gives way");
        });
    }

    #[test]
    fn one_who_goes_on_in_anothers_place_gets_what_comes_then() {
        check(|| {
            let (sender, stuck) = channel(1);
            let camera = thread::spawn(move || {
                sender.send(0);
                sender.send(1);
            });
            let next = stuck.clone();
            let leaving = thread::spawn(move || drop(stuck));
            let (taken, lost) = block_on(drain(&next));
            camera.join().unwrap();
            leaving.join().unwrap();
            assert_eq!(taken.len() as u64 + lost, 2);
        });
    }

    #[test]
    fn a_camera_without_a_reader_goes_on() {
        check(|| {
            let (sender, receiver) = channel(1);
            let leaving = thread::spawn(move || drop(receiver));
            sender.send(0_u64);
            leaving.join().unwrap();
            sender.send(1);
            assert!(sender.is_empty());
        });
    }
}
