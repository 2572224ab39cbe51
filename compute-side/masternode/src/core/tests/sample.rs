//! Which devices are looked at to say what keeps a job waiting, found in the list of all that are known.

use super::{
    explain::{crowd, key, of_trusted},
    world::{Habit, JOB, World},
};
use crate::core::{Core, Event};
use proptest::prelude::*;
use quern_primitives::ids::DeviceId;

/// Those that are here are met one by one, the best ranked first, until 256 are met that the job could go
/// to, or 192 and 64 others. Of 256 the others are 64, if so many were met, and more if the job could go
/// to few.
fn looked_at(core: &Core) -> Vec<DeviceId> {
    let (dispatch, fleet) = (&core.scheduler.dispatch, &core.scheduler.fleet);
    let device = |number: u32| fleet.device(number).unwrap();
    let is_here = |number: &u32| {
        let known = core.devices.get(&device(*number));
        known.is_some_and(|known| known.connected)
    };
    let is_suited =
        |number: &u32| dispatch.is_for(JOB, fleet.traits(*number), fleet.rank_of(*number));
    let here: Vec<u32> = fleet.ranking().listed(0).filter(is_here).collect();
    let met = |count: usize| -> (Vec<u32>, Vec<u32>) {
        here[..count].iter().copied().partition(is_suited)
    };
    let is_enough = |count: &usize| {
        let (suited, others) = met(*count);
        suited.len() >= 256 || (suited.len() >= 192 && others.len() >= 64)
    };
    let count = (0..here.len()).find(is_enough).unwrap_or(here.len());
    let (mut suited, mut others) = met(count);
    others.truncate(256usize.saturating_sub(suited.len()).max(64));
    suited.truncate(256 - others.len());
    suited.into_iter().chain(others).map(device).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn who_is_looked_at_stands_first_in_the_list_of_all(
        parts in prop::collection::vec(
            (1u16..140, any::<bool>(), prop::bool::weighted(0.2)),
            1..7,
        ),
    ) {
        let mut world = World::with_preferences(of_trusted(), &[]);
        let like = world.join(201, Habit::Honest);
        let mut first = 1;
        for (count, is_trusted, goes) in parts {
            let numbers = first..first + count;
            crowd(&mut world, like, numbers.clone(), is_trusted);
            if goes {
                numbers.for_each(|number| {
                    world.feed(Event::Gone { device: DeviceId(key(number)) });
                });
            }
            first += count;
        }
        world.wait(1_500);
        world.core.catch_up_jobs(world.now, Some(JOB));
        let sample = world.core.sample_for(JOB).into_iter();
        let sample: Vec<DeviceId> = sample.map(|(device, _)| device).collect();
        prop_assert_eq!(sample, looked_at(&world.core));
    }
}
