//! The draw of the daily lottery: once a day, tried again until the chain answers.

use super::{Command, Grid, Shared};
use crate::core::Event;
use quern_grid::lottery::{Draw, day_of, first_block_of};
use quern_ledger::ChainError;
use quern_primitives::{BlockNumber, DeviceId, device::Device};
use std::collections::BTreeSet;

/// What came of the draw of a day's lottery.
pub(crate) enum Outcome {
    /// These won, and stand higher until that block.
    Drawn {
        winners: BTreeSet<DeviceId>,
        ends_at: BlockNumber,
    },
    /// The node has discarded the state that it is drawn from, and that does not come back.
    Lost,
    /// The chain did not answer.
    Unanswered,
}

/// Which day's lottery is drawn.
#[derive(Default)]
pub(super) struct Lottery {
    /// The last day of which nothing is left to draw.
    done: Option<u32>,
    is_drawing: bool,
}

impl Lottery {
    /// Whether this day's is to be drawn now. If so it is drawn until [`Lottery::ended`].
    fn begin(&mut self, today: u32) -> bool {
        // On the first day nobody draws, and there may be no node left that knows the state of the
        // first block.
        let is_wanted = today > 0 && !self.is_drawing && self.done != Some(today);
        self.is_drawing |= is_wanted;
        is_wanted
    }

    /// The draw of a day came to this.
    fn ended(&mut self, day: u32, outcome: &Outcome) {
        self.is_drawing = false;
        match outcome {
            Outcome::Drawn { .. } | Outcome::Lost => self.done = Some(day),
            Outcome::Unanswered => {}
        }
    }
}

impl Grid {
    /// Draws the day's lottery, unless that is done. Asked again and again, it tries again.
    pub(super) fn draw_lottery(&mut self) {
        let today = day_of(self.block);
        if !self.lottery.begin(today) {
            return;
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let outcome = draw(&shared, today).await;
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
        if let Outcome::Drawn { winners, ends_at } = outcome {
            self.step(Event::Lottery { winners, ends_at });
        }
    }
}

/// Draws a day's lottery, and says in the log if it cannot.
async fn draw(shared: &Shared, day: u32) -> Outcome {
    match winners(shared, day).await {
        Ok(drawn) => drawn,
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

/// Draws among all registered devices, from the state of the day's first block. As it follows from
/// that alone, `quern grid lottery` draws the same.
async fn winners(shared: &Shared, day: u32) -> Result<Outcome, ChainError> {
    let state = shared.chain.at_height(first_block_of(day)).await?;
    let seed = state.lottery_seed().await?;
    let draw = Draw { seed, day };
    let mut winners = BTreeSet::new();
    let draws = |id: DeviceId, device: Device| {
        let lot = draw.lot(&id, device.last_task);
        if lot.is_some_and(|lot| lot.wins()) {
            winners.insert(id);
        }
    };
    state.each_device(draws).await?;
    tracing::info!(day, winners = winners.len(), "the day's lottery is drawn");
    let ends_at = draw.ends_at();
    Ok(Outcome::Drawn { winners, ends_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Outcome {
        Outcome::Drawn {
            winners: BTreeSet::new(),
            ends_at: 1,
        }
    }

    #[test]
    fn a_draw_that_the_chain_did_not_answer_is_tried_again_the_same_day() {
        let mut lottery = Lottery::default();
        for _ in 0..10 {
            assert!(lottery.begin(3));
            assert!(!lottery.begin(3), "it is on its way");
            lottery.ended(3, &Outcome::Unanswered);
        }
        assert!(lottery.begin(3));
        lottery.ended(3, &drawn());
        assert!(!lottery.begin(3));
        assert!(lottery.begin(4));
    }

    #[test]
    fn a_day_whose_state_is_discarded_is_given_up_and_the_next_one_drawn() {
        let mut lottery = Lottery::default();
        assert!(!lottery.begin(0), "nobody draws on the first day");
        assert!(lottery.begin(1));
        lottery.ended(1, &Outcome::Lost);
        assert!(!lottery.begin(1));
        assert!(lottery.begin(2));
        // The day ended while it was drawn.
        assert!(!lottery.begin(3));
        lottery.ended(2, &drawn());
        assert!(lottery.begin(3));
    }
}
