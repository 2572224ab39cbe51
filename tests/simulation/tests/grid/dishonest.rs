//! Coordinators that lie in the logs they sign: whoever holds a log to the rules finds each lie.

use super::small;
use quern_simulation::grid::{Config, Dishonesty, Faults, run_and_lie};
use std::collections::BTreeMap;

#[test]
fn whoever_holds_a_log_to_the_rules_finds_what_its_coordinator_lies_about() {
    let mut found: BTreeMap<Dishonesty, u32> = BTreeMap::new();
    for (seed, faults) in (980..).zip([Faults::NONE, Faults::MILD, Faults::SEVEN_WAYS]) {
        let config = Config {
            devices: 30,
            replicas: 2,
            jobs: 1,
            trusted: 0,
            asking: 0,
            ..small(seed, faults)
        };
        let (outcome, said) = run_and_lie(&config).unwrap();
        // The log as it was written holds.
        assert_eq!(outcome.violation, None, "{config}: {outcome}");
        for (dishonesty, fault) in said {
            let fault = fault.unwrap_or_else(|| panic!("{config}: {dishonesty:?} passes"));
            let dispute = fault.dispute();
            assert_eq!(
                dispute,
                Some(dishonesty.dispute()),
                "{config}: {dishonesty:?}: {fault}"
            );
            *found.entry(dishonesty).or_default() += 1;
        }
    }
    assert_eq!(found.len(), Dishonesty::ALL.len(), "{found:?}");
}
