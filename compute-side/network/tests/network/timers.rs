//! The timers that the networking libraries are given: `stand-ins/futures-timer`.

use std::time::{Duration, Instant};

use futures::{FutureExt as _, executor::block_on, future::join_all};
use futures_timer::Delay;
use tokio::runtime::Builder;

fn of<T: Send + Sync + Unpin>(_: &T) {}

#[test]
fn a_delay_is_over_when_its_time_has_passed_and_not_before_without_any_runtime() {
    let begun = Instant::now();
    let mut delay = Delay::new(Duration::from_millis(20));
    of(&delay);
    block_on(&mut delay);
    assert!(begun.elapsed() >= Duration::from_millis(20));
    // Asked again, it is still over.
    block_on(delay);
}

#[test]
fn a_delay_is_made_in_one_runtime_and_awaited_after_its_end() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let delay = {
        let _entered = runtime.enter();
        Delay::new(Duration::from_millis(5))
    };
    drop(runtime);
    block_on(delay);
}

#[test]
fn a_delay_that_is_reset_is_over_at_its_new_time_earlier_or_later() {
    let begun = Instant::now();
    let mut earlier = Delay::new(Duration::from_secs(3600));
    earlier.reset(Duration::from_millis(5));
    block_on(earlier);
    let mut later = Delay::new(Duration::from_millis(1));
    later.reset(Duration::from_millis(30));
    block_on(&mut later);
    assert!(begun.elapsed() >= Duration::from_millis(30));
    later.reset(Duration::MAX);
    assert!((&mut later).now_or_never().is_none());
    later.reset(Duration::ZERO);
    block_on(later);
}

#[test]
fn ten_thousand_delays_at_once_are_all_over_in_the_end() {
    block_on(join_all(
        (0..10_000).map(|number| Delay::new(Duration::from_millis(number % 50))),
    ));
}
