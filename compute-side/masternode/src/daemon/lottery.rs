//! The draw of the daily lottery: once a day, tried again until the chain answers. Who won is kept: a
//! masternode that starts again later in the day may have a node that has discarded the state of the
//! day's first block.

use super::{Command, Grid, Shared};
use crate::{core::Event, store::StoreError};
use quern_grid::lottery::{Calendar, Draw};
use quern_jobs_api::LastDraw;
use quern_ledger::{ChainError, State};
use quern_primitives::{BlockNumber, DeviceId, device::Device};
use std::collections::BTreeSet;

/// What came of the draw of a day's lottery.
pub(crate) enum Outcome {
    /// These won, and stand higher until the next day's first block.
    Drawn(BTreeSet<DeviceId>),
    /// The node has discarded the state that it is drawn from, and that does not come back.
    Lost,
    /// The chain did not answer.
    Unanswered,
}

/// Which day's lottery is drawn.
#[derive(Default)]
pub(super) struct Lottery {
    /// Which blocks are of which day.
    calendar: Calendar,
    /// The last of which nothing is left to draw.
    last: Option<LastDraw>,
    is_drawing: bool,
}

impl Lottery {
    /// Nothing is drawn yet.
    pub(super) fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            ..Self::default()
        }
    }

    /// The last one that was drawn or given up, as it is told to everybody.
    pub(super) fn last(&self) -> Option<LastDraw> {
        self.last
    }

    /// Whether this day's is to be drawn now. If so it is drawn until [`Lottery::ended`].
    fn begin(&mut self, today: u32) -> bool {
        // On the first day nobody draws, and there may be no node left that knows the state of the
        // first block.
        let is_left = self.last.is_none_or(|last| last.day != today);
        let is_wanted = today > 0 && !self.is_drawing && is_left;
        self.is_drawing |= is_wanted;
        is_wanted
    }

    /// The draw of a day came to this.
    fn ended(&mut self, day: u32, outcome: &Outcome) {
        self.is_drawing = false;
        let winners = match outcome {
            Outcome::Drawn(winners) => Some(u32::try_from(winners.len()).unwrap_or(u32::MAX)),
            Outcome::Lost => None,
            Outcome::Unanswered => return,
        };
        self.last = Some(LastDraw { day, winners });
    }
}

impl Grid {
    /// Takes up the day's lottery, if it was drawn before this masternode started.
    pub(super) fn take_up_lottery(&mut self) -> Result<(), StoreError> {
        if let Some((day, winners)) = self.shared.store.winners()?
            && day == self.lottery.calendar.day_of(self.block)
        {
            self.drawn(day, Outcome::Drawn(winners));
        }
        Ok(())
    }

    /// Draws the day's lottery, unless that is done. Asked again and again, it tries again.
    pub(super) fn draw_lottery(&mut self) {
        let calendar = self.lottery.calendar;
        let today = calendar.day_of(self.block);
        if !self.lottery.begin(today) {
            return;
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let outcome = draw(&shared, today, calendar).await;
            let drawn = Command::Drawn {
                day: today,
                outcome,
            };
            // An error says that the masternode stops.
            drop(shared.commands.send(drawn).await);
        });
    }

    /// The draw of a day's lottery came to this.
    pub(super) fn drawn(&mut self, day: u32, outcome: Outcome) {
        self.lottery.ended(day, &outcome);
        if let Outcome::Drawn(winners) = outcome {
            let ends_at = self.lottery.calendar.first_block_of(day.saturating_add(1));
            self.step(Event::Lottery { winners, ends_at });
        }
    }
}

/// Draws a day's lottery and remembers who won, and says in the log if it cannot.
async fn draw(shared: &Shared, day: u32, calendar: Calendar) -> Outcome {
    match drawn_from_chain(shared, day, calendar).await {
        Ok(winners) => {
            tracing::info!(day, winners = winners.len(), "the day's lottery is drawn");
            // If that fails the store has the masternode stopped.
            if let Err(error) = shared.store.remember_winners(day, &winners) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot remember who won the day's lottery");
            }
            Outcome::Drawn(winners)
        }
        Err(error) => {
            let is_lost = matches!(error, ChainError::Discarded { .. });
            let error = &error as &dyn std::error::Error;
            tracing::warn!(day, error, "cannot draw the day's lottery");
            match is_lost {
                true => Outcome::Lost,
                false => Outcome::Unanswered,
            }
        }
    }
}

async fn drawn_from_chain(
    shared: &Shared,
    day: u32,
    calendar: Calendar,
) -> Result<BTreeSet<DeviceId>, ChainError> {
    let state = shared.chain.at_height(calendar.first_block_of(day)).await?;
    winners(&state, day, calendar).await
}

/// The registered devices that win a day's lottery, drawn from the state of the day's first block. As
/// they follow from that alone, `quern grid lottery` finds the same.
pub async fn winners(
    state: &State,
    day: u32,
    calendar: Calendar,
) -> Result<BTreeSet<DeviceId>, ChainError> {
    let seed = state.lottery_seed().await?;
    let draw = Draw {
        seed,
        day,
        calendar,
    };
    winners_of(state, draw).await
}

/// The devices registered in a state of the chain that win a draw.
pub async fn winners_of(state: &State, draw: Draw) -> Result<BTreeSet<DeviceId>, ChainError> {
    let mut winners = BTreeSet::new();
    let draws = |id: DeviceId, device: Device| {
        if wins(&draw, &id, device.last_task) {
            winners.insert(id);
        }
    };
    state.each_device(draws).await?;
    Ok(winners)
}

/// Whether a device that had its last task in this block draws, and wins.
fn wins(draw: &Draw, device: &DeviceId, last_task: BlockNumber) -> bool {
    let lot = draw.lot(device, last_task);
    lot.is_some_and(|lot| lot.wins())
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_grid::lottery::first_block_of;

    fn drawn() -> Outcome {
        Outcome::Drawn(BTreeSet::from([DeviceId([1; 32])]))
    }

    fn told(lottery: &Lottery) -> Option<(u32, Option<u32>)> {
        lottery.last().map(|last| (last.day, last.winners))
    }

    #[test]
    fn a_draw_that_the_chain_did_not_answer_is_tried_again_the_same_day() {
        let mut lottery = Lottery::default();
        for _ in 0..10 {
            assert!(lottery.begin(3));
            assert!(!lottery.begin(3), "it is on its way");
            lottery.ended(3, &Outcome::Unanswered);
        }
        assert_eq!(told(&lottery), None);
        assert!(lottery.begin(3));
        lottery.ended(3, &drawn());
        assert!(!lottery.begin(3));
        assert!(lottery.begin(4));
        assert_eq!(told(&lottery), Some((3, Some(1))), "it is the last one yet");
    }

    #[test]
    fn a_day_whose_state_is_discarded_is_given_up_and_the_next_one_drawn() {
        let mut lottery = Lottery::default();
        assert!(!lottery.begin(0), "nobody draws on the first day");
        assert!(lottery.begin(1));
        lottery.ended(1, &Outcome::Lost);
        assert!(!lottery.begin(1));
        assert_eq!(told(&lottery), Some((1, None)));
        assert!(lottery.begin(2));
        // The day ended while it was drawn.
        assert!(!lottery.begin(3));
        lottery.ended(2, &drawn());
        assert!(lottery.begin(3));
    }

    #[test]
    fn of_those_that_had_a_task_half_a_day_before_one_in_twenty_wins() {
        let draw = Draw::new([7; 32], 3);
        let won = |last_task| {
            let devices = (0u8..200).map(|n| DeviceId([n; 32]));
            devices.filter(|id| wins(&draw, id, last_task)).count()
        };
        let noon = first_block_of(2) + first_block_of(1) / 2;
        assert!((1..30).contains(&won(noon)), "{}", won(noon));
        assert_eq!((won(0), won(first_block_of(3))), (0, 0));
    }

    #[test]
    fn what_was_drawn_before_the_masternode_started_is_not_drawn_again() {
        let mut lottery = Lottery::default();
        lottery.ended(5, &drawn());
        assert!(!lottery.begin(5));
        assert!(lottery.begin(6));
    }
}
