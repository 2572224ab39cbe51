//! The fleet as a list of devices, ranked by the walk that the published design describes.

use super::*;
use crate::{
    faults::model::{History, Twenty, ending, on_the_chain, twenty},
    pools::Speeds,
};
use std::cmp::Reverse;

/// A device with everything that ever happened to it.
#[derive(Clone, Debug)]
struct Listed {
    id: DeviceId,
    account: AccountId,
    /// The processor's part of its score.
    points: u32,
    history: History,
    raised: Vec<Flag>,
}

impl Listed {
    fn new(id: DeviceId, account: AccountId) -> Self {
        Self {
            id,
            account,
            points: 250,
            history: History::default(),
            raised: vec![],
        }
    }

    fn flags(&self, now: Tick) -> Flags {
        Flags::from_iter(self.raised.iter().copied())
            .with(Flag::RepeatedFailures, self.history.is_repeated())
            .with(Flag::Waiting, self.history.is_waiting(now))
    }
}

/// A list, sorted by score; for i = 1 to m the device that stands at index m - i is pushed floor(i R)
/// places towards the bottom, never past the end; each winner, in order from the top, 100 places
/// towards the top, never past it.
fn walk(devices: &[Listed], winners: &BTreeSet<DeviceId>, now: Tick) -> Vec<DeviceId> {
    let without_flag = devices.iter().filter(|it| it.flags(now).is_empty());
    let mut list: Vec<&Listed> = without_flag.collect();
    list.sort_by_key(|it| (Reverse(it.points), it.id));
    for i in 1..=list.len() {
        let at = list.len() - i;
        let it = list.remove(at);
        let pushed_to = at + i * it.history.sixtieths() / 60;
        list.insert(pushed_to.min(list.len()), it);
    }
    let mut ids: Vec<DeviceId> = list.into_iter().map(|it| it.id).collect();
    let from_the_top: Vec<DeviceId> = ids
        .iter()
        .filter(|id| winners.contains(id))
        .copied()
        .collect();
    for winner in from_the_top {
        let at = ids.iter().position(|id| *id == winner).unwrap();
        ids.remove(at);
        ids.insert(at.saturating_sub(100), winner);
    }
    ids
}

/// What happens to a fleet.
#[derive(Clone, Debug)]
enum Happening {
    Admit {
        device: u8,
        account: u8,
    },
    Forget {
        device: u8,
    },
    Measure {
        device: u8,
        points: u32,
    },
    End {
        device: u8,
        ending: Ending,
        times: usize,
    },
    /// The chain is heard of a device's last tasks.
    Tell {
        device: u8,
        tasks: Box<Twenty>,
    },
    /// A log is read that knows a device.
    Recall {
        device: u8,
        account: u8,
    },
    /// A benchmark is sent.
    Owe {
        device: u8,
    },
    Review {
        device: u8,
    },
    Raise {
        device: u8,
        flag: Flag,
        raised: bool,
    },
    Lift {
        winners: Vec<u8>,
    },
    Pass {
        ms: u64,
    },
}

fn points() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), Just(250), Just(500), 1u32..=500]
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let device = || prop_oneof![9 => 0u8..9, 1 => Just(u8::MAX)];
    let flag = prop::sample::select(vec![
        Flag::Disconnected,
        Flag::OutsideHours,
        Flag::Unbonded,
        Flag::Banned,
    ]);
    let winners = prop::collection::vec(device(), 0..4);
    let ms = prop_oneof![
        10 => 0..1_800_000u64,
        4 => 0..200_000_000u64,
        1 => Just(u64::MAX),
    ];
    prop_oneof![
        10 => (device(), 0u8..4).prop_map(|(device, account)| Admit { device, account }),
        2 => device().prop_map(|device| Forget { device }),
        6 => (device(), points()).prop_map(|(device, points)| Measure { device, points }),
        12 => (device(), ending(), 1usize..12)
            .prop_map(|(device, ending, times)| End { device, ending, times }),
        4 => (device(), twenty()).prop_map(|(device, tasks)| Tell {
            device,
            tasks: Box::new(tasks),
        }),
        2 => (device(), 0u8..4).prop_map(|(device, account)| Recall { device, account }),
        2 => device().prop_map(|device| Owe { device }),
        1 => device().prop_map(|device| Review { device }),
        4 => (device(), flag, any::<bool>())
            .prop_map(|(device, flag, raised)| Raise { device, flag, raised }),
        4 => winners.prop_map(|winners| Lift { winners }),
        6 => ms.prop_map(|ms| Pass { ms }),
    ]
}

/// The fleet and the list, to which the same happens.
#[derive(Default)]
struct Pair {
    fleet: Fleet,
    list: Vec<Listed>,
    winners: BTreeSet<DeviceId>,
    now: Tick,
}

impl Pair {
    /// A device's number, or one that no device has; and the device in the list.
    fn find(&mut self, n: u8) -> (u32, Option<&mut Listed>) {
        let id = device(n);
        let number = self.fleet.number(&id).unwrap_or(u32::MAX);
        (number, self.list.iter_mut().find(|it| it.id == id))
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Admit {
                device: n,
                account: of,
            } => {
                self.admit(device(n), account(of));
            }
            Happening::Forget { device: n } => {
                self.fleet.forget(&device(n));
                self.list.retain(|it| it.id != device(n));
            }
            Happening::Measure { device: n, points } => {
                let (number, listed) = self.find(n);
                if let Some(listed) = listed {
                    listed.points = points;
                }
                self.measure(number, points);
            }
            Happening::End {
                device: n,
                ending,
                times,
            } => {
                for _ in 0..times {
                    let (number, listed) = self.find(n);
                    if let Some(listed) = listed {
                        listed.history.note(now, ending);
                    }
                    self.fleet.note(number, now, ending);
                }
            }
            Happening::Tell { device: n, tasks } => {
                let (number, listed) = self.find(n);
                if let Some(listed) = listed {
                    listed.history.told(now, &tasks);
                }
                let known = self.fleet.faults(number).copied();
                let told = known.map(|faults| faults.corrected(now, &on_the_chain(&tasks)));
                if let Some(told) = told {
                    self.fleet.restore_faults(number, now, told);
                }
            }
            Happening::Recall {
                device: n,
                account: of,
            } => {
                self.fleet.recall(device(n), &account(of)).unwrap();
                if self.list.iter().all(|it| it.id != device(n)) {
                    let mut listed = Listed::new(device(n), account(of));
                    listed.raised.push(Flag::Disconnected);
                    self.list.push(listed);
                }
            }
            // Until it answers its processor counts least.
            Happening::Owe { device: n } => {
                let (number, listed) = self.find(n);
                if let Some(listed) = listed {
                    listed.points = 1;
                }
                self.fleet.owes_benchmark(number);
            }
            Happening::Review { device: n } => {
                let (number, listed) = self.find(n);
                if let Some(listed) = listed {
                    listed.history = History::default();
                }
                self.fleet.review(number);
            }
            Happening::Raise {
                device: n,
                flag,
                raised,
            } => {
                let (number, listed) = self.find(n);
                if let Some(listed) = listed {
                    listed.raised.retain(|it| *it != flag);
                    listed.raised.extend(raised.then_some(flag));
                }
                self.fleet.set_flags(number, [(flag, raised)]);
            }
            Happening::Lift { winners } => self.lift(winners.into_iter().map(device).collect()),
            Happening::Pass { ms } => self.now = now.plus_ms(ms),
        }
    }

    fn admit(&mut self, id: DeviceId, account: AccountId) -> u32 {
        let number = self.fleet.admit(id, &account, &profile()).unwrap();
        match self.list.iter_mut().find(|it| it.id == id) {
            Some(listed) => listed.account = account,
            None => self.list.push(Listed::new(id, account)),
        }
        number
    }

    /// At the benchmark's rate that is worth so many points.
    fn measure(&mut self, number: u32, points: u32) {
        let per_point = f64::from(FleetSettings::default().reference_rate) / 250.0;
        let readings = rate(per_point * f64::from(points));
        self.fleet.update(number, self.now, &readings);
    }

    fn lift(&mut self, winners: BTreeSet<DeviceId>) {
        self.fleet.lift(winners.clone());
        self.winners = winners;
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let (fleet, list, now) = (&mut self.fleet, &self.list, self.now);
        let winners = &self.winners;
        fleet.rank(now);
        let ranked = fleet.ranking().devices();
        let ranked: Vec<_> = ranked.filter_map(|number| fleet.device(number)).collect();
        prop_assert_eq!(&ranked, &walk(list, winners, now));
        let mut points: Vec<u32> = list
            .iter()
            .filter(|it| it.flags(now).is_empty())
            .map(|it| 500 + it.points)
            .collect();
        points.sort_unstable();
        let median = points.get(points.len().saturating_sub(1) / 2);
        let found = fleet.ranking().median().points();
        prop_assert_eq!(found, f64::from(median.copied().unwrap_or_default()));
        // What is counted while devices come and change, as if each that is ranked were counted now.
        let mut speeds = Speeds::default();
        fleet
            .ranking()
            .abilities()
            .for_each(|it| speeds.add(it.speed));
        prop_assert_eq!(
            fleet.ranking().speed_of_the_slow(),
            speeds.exceeded_by_nine_in_ten()
        );
        prop_assert_eq!(fleet.len(), list.len());
        let accounts: BTreeSet<_> = list.iter().map(|it| &it.account).collect();
        prop_assert_eq!(fleet.accounts() as usize, accounts.len());
        for it in list {
            let number = fleet.number(&it.id).unwrap();
            let account = fleet.account(number).map(|(_, account)| account);
            prop_assert_eq!(account, Some(&it.account));
            let flags = it.flags(now);
            prop_assert_eq!(fleet.flags(number, now), flags);
            let in_hand_max = if flags.is_empty() {
                it.history.in_hand_max(now)
            } else {
                0
            };
            prop_assert_eq!(fleet.in_hand_max(number, now), in_hand_max);
            let report = fleet.report(number, now).unwrap();
            let place = ranked.iter().position(|id| *id == it.id);
            let byte_rank = place.map_or(0, |place| place + 1);
            prop_assert_eq!(report.byte_rank as usize, byte_rank);
            prop_assert_eq!(report.score.points(), f64::from(500 + it.points));
            let sixtieths = usize::from(report.fault_rate.sixtieths());
            prop_assert_eq!(sixtieths, it.history.sixtieths());
            prop_assert_eq!(report.is_lifted, winners.contains(&it.id));
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn any_history_of_a_fleet_ranks_it_as_the_published_walk(
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let mut pair = Pair::default();
        pair.compare()?;
        for happening in happenings {
            pair.happen(happening);
            pair.compare()?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn winners_stand_a_hundred_places_higher_in_order_from_the_top(
        devices in prop::collection::vec(
            (points(), ending(), 0usize..3, prop::bool::weighted(0.2)),
            0..350,
        ),
    ) {
        let mut pair = Pair::default();
        let mut winners = BTreeSet::new();
        for (n, (points, ending, times, wins)) in (0u16..).zip(devices) {
            // Ids in another order than the numbers.
            let mut id = DeviceId::default();
            id.0[..2].copy_from_slice(&n.wrapping_mul(40_503).to_be_bytes());
            let number = pair.admit(id, account(1));
            pair.measure(number, points);
            let listed = pair.list.last_mut().unwrap();
            listed.points = points;
            for _ in 0..times {
                pair.fleet.note(number, Tick(0), ending);
                listed.history.note(Tick(0), ending);
            }
            if wins {
                winners.insert(id);
            }
        }
        pair.lift(winners);
        pair.compare()?;
        pair.lift(BTreeSet::new());
        pair.compare()?;
    }
}
