//! What came of what was to be done.

use super::Keeping;
use crate::{Order, OrderId, Outcome, limits::AGAIN_PERMILLE, piece::Stage};
use quern_primitives::ids::{BlockNumber, DeviceId, PieceIndex};

impl Keeping {
    pub(super) fn done(&mut self, id: OrderId, outcome: Outcome) {
        let Some(order) = self.orders.remove(&id) else {
            return;
        };
        let again = self.again();
        match order {
            Order::Take { piece, device } => {
                self.moves_on(piece, device, outcome, Stage::Has, again);
            }
            Order::Sign {
                piece,
                device,
                since,
            } => self.moves_on(piece, device, outcome, Stage::Signed(since), again),
            Order::Hold { piece, device, .. } => {
                self.moves_on(piece, device, outcome, Stage::Told, again);
            }
            Order::Prove { held, period, .. } => {
                let proving = self.proving.as_mut().filter(|it| it.period == period);
                if let Some(proving) = proving {
                    proving.asked.remove(&held);
                    match outcome {
                        Outcome::Done => {
                            proving.proved.insert(held);
                        }
                        Outcome::Refused | Outcome::Failed => {
                            proving.rests.insert(held, again);
                        }
                    }
                }
            }
            Order::Certify { period, .. } => {
                let proving = self.proving.as_mut().filter(|it| it.period == period);
                let paid = proving.and_then(|it| it.paying.remove(&id));
                if let (Outcome::Done, Some(paid), Some(proving)) =
                    (outcome, paid, self.proving.as_mut())
                {
                    for held in paid {
                        proving.proved.remove(&held);
                        proving.paid.insert(held);
                    }
                }
                if outcome != Outcome::Done {
                    self.certify_from = again;
                }
            }
            Order::Fetch { piece, .. } | Order::Make { piece, .. } => {
                if let Some(known) = self.pieces.get_mut(piece as usize) {
                    known.bringing = None;
                }
                if outcome != Outcome::Done {
                    self.bring_from.insert(piece, again);
                }
            }
            Order::Challenge(_) | Order::Release(_) | Order::Erase(_) => {}
        }
    }

    /// When something is tried again.
    fn again(&self) -> BlockNumber {
        let part = self.now().map_or(1, |now| now.part(AGAIN_PERMILLE));
        self.clock.saturating_add(part)
    }

    /// A device that is to hold a piece is a stage further, or is left alone with it for a while or for good.
    fn moves_on(
        &mut self,
        piece: PieceIndex,
        device: DeviceId,
        outcome: Outcome,
        next: Stage,
        again: BlockNumber,
    ) {
        let clock = self.clock;
        let Some(known) = self.pieces.get_mut(piece as usize) else {
            return;
        };
        match outcome {
            Outcome::Done => {
                if let Some(taker) = known.takers.get_mut(&device) {
                    taker.stage = next;
                    taker.since = clock;
                }
            }
            Outcome::Refused => {
                known.takers.remove(&device);
                known.refuse(device);
            }
            Outcome::Failed => {
                // Another one may take it sooner. One that has it already is asked again like any other, and says so.
                known.rest(device, clock, again);
                known.takers.remove(&device);
            }
        }
    }
}
