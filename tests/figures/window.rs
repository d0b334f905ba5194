//! Ten million random operations on the frame window, of random shapes out of the whole range of
//! a manifest: it never gives another number of elements than T, none that is not the one of its
//! time, and none out of its place.
//!
//! Prints what was done beside the goal; `--seed N` repeats a run.

use std::ops::RangeInclusive;
use std::time::Duration;

use signpost::recognition::window::{Fill, Shape, Window};

const OPERATIONS: u64 = 10_000_000;
/// Operations on one window before the next shape has its turn.
const TURN: u64 = 20_000;
/// The format's (src/model/manifest/check.rs): elements, and in thousandths of a hertz.
const ELEMENTS: u64 = 120;
const RATES: RangeInclusive<u64> = 1_000..=60_000;

/// xorshift64 (Marsaglia, 2003).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}

/// An element that knows its time, twice: a torn one would differ from itself.
type Element = [u64; 2];

#[derive(Default)]
struct Seen {
    shapes: u64,
    pushes: u64,
    restarts: u64,
    snapshots: u64,
    slow: u64,
    wrong: Vec<String>,
}

/// A shape and its camera's frames in a second: mostly enough for it, and never more than 60.
fn draw(chance: &mut Chance) -> (Shape, f64) {
    // Few are long: what a push costs grows with the square of it.
    let elements = match chance.below(16) {
        0 => ELEMENTS,
        1..=3 => 1 + chance.below(ELEMENTS),
        _ => 1 + chance.below(ELEMENTS / 4),
    };
    let rate = match chance.below(4) {
        // A whole number, as most are; the first and the last one, too.
        0 => 1_000 * (1 + chance.below(60)),
        _ => RATES.start() + chance.below(RATES.end() - RATES.start() + 1),
    };
    let least = if chance.below(8) == 0 { 1_000 } else { rate };
    let camera = least + chance.below(RATES.end() - least + 1);
    let shape = Shape::new(elements as usize, rate as f64 / 1e3).expect("it is in the range");
    let shape = if chance.below(2) == 0 { shape } else { shape.thinned() };
    (shape, camera as f64 / 1e3)
}

fn turn(chance: &mut Chance, seen: &mut Seen) {
    let (shape, fps) = draw(chance);
    let mut window: Window<Element> = Window::new(shape);
    let camera = Duration::from_secs_f64(1.0 / fps);
    // Long windows have the time to fill.
    let filling = (shape.elements as f64 * shape.period.as_secs_f64() * fps) as u64;
    let quiet = 1_000 + 8 * filling;
    let mut at = Duration::from_secs(1);
    seen.shapes += 1;
    for _ in 0..TURN {
        match chance.below(quiet) {
            0 => {
                window.restart();
                seen.restarts += 1;
            }
            // Up to four periods, of which two make a hole.
            1 => at += shape.period * chance.below(64) as u32 / 16,
            // A camera that starts anew.
            2 => at = Duration::from_millis(chance.below(5000)),
            _ => {}
        }
        let jitter = chance.below(camera.as_nanos() as u64 / 2);
        at += camera * 3 / 4 + Duration::from_nanos(jitter);
        let time = at.as_nanos() as u64;
        let mut element = window.spare().unwrap_or_default();
        element.fill(time);
        let fill = window.push(at, element);
        seen.pushes += 1;
        if matches!(fill, Fill::TooSlow { .. }) {
            seen.slow += 1;
        }
        if let Some(problem) = check(&window, shape, at, fill) {
            seen.wrong.push(problem);
            return;
        }
        seen.snapshots += u64::from(fill == Fill::Ready);
    }
}

/// What is wrong with what the window gives after a push at `at`.
fn check(window: &Window<Element>, shape: Shape, at: Duration, fill: Fill) -> Option<String> {
    if window.held() > shape.capacity() {
        return Some(format!("{} held of {}", window.held(), shape.capacity()));
    }
    let (Some(snapshot), Some(times)) = (window.snapshot(), window.times()) else {
        return (fill == Fill::Ready).then(|| "ready, and there is nothing".to_owned());
    };
    if fill != Fill::Ready || snapshot.len() != shape.elements || times.len() != shape.elements {
        return Some(format!("{fill:?} with {} of {}", snapshot.len(), shape.elements));
    }
    for (place, (element, time)) in snapshot.zip(times).enumerate() {
        let age = shape.period * (shape.elements - 1 - place) as u32;
        let off = (at - time).abs_diff(age);
        if *element != [time.as_nanos() as u64; 2] || off * 2 >= shape.period {
            return Some(format!("element {place} is {element:?} for {time:?}, {off:?} off"));
        }
    }
    None
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|argument| argument == "--seed");
    let seed = given.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(20_261_122);
    let (mut chance, mut seen) = (Chance(seed), Seen::default());
    while seen.pushes + seen.restarts < OPERATIONS && seen.wrong.is_empty() {
        turn(&mut chance, &mut seen);
    }
    let Seen { shapes, pushes, restarts, snapshots, slow, wrong } = seen;
    println!(
        "seed {seed}: {shapes} shapes, {pushes} pushes, {restarts} restarts, {slow} of them too slow a camera"
    );
    println!("{:<52}{:>14}{:>14}", "", "measured", "goal");
    println!("{:<52}{:>14}{:>14}", "random operations", pushes + restarts, OPERATIONS);
    println!(
        "{:<52}{:>14}{:>14}",
        "snapshots of exactly T elements, each in its place", snapshots, "-"
    );
    println!("{:<52}{:>14}{:>14}", "others, or torn ones", wrong.len(), 0);
    for problem in &wrong {
        println!("{problem}");
    }
    std::process::exit(i32::from(!wrong.is_empty() || snapshots == 0));
}
