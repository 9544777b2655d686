//! Taking turns: what is compared is measured in short slices, one after the other, several times round.

use std::time::Duration;

use super::load::{Load, Sample};
use super::server::Running;

/// How often each has its turn.
const ROUNDS: u32 = 5;

/// One that is measured: what it does for so long.
pub type Subject<'s> = Box<dyn FnMut(Duration) -> anyhow::Result<Sample> + 's>;

/// A load on a server as a subject.
pub fn subject<'s>(load: &'s Load, on: &'s Running) -> Subject<'s> {
    Box::new(move |time| load.run(on, time))
}

/// Measures all of them for `time` each, in turns.
pub fn take<const N: usize>(time: Duration, mut subjects: [Subject<'_>; N]) -> anyhow::Result<[Sample; N]> {
    let mut samples = std::array::from_fn(|_| Sample::default());
    for _ in 0..ROUNDS {
        for (subject, sample) in subjects.iter_mut().zip(&mut samples) {
            sample.add_turn(subject(time / ROUNDS)?);
        }
    }
    Ok(samples)
}
