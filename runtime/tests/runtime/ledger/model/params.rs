//! What the council sets: a number for each name, within bounds.

use super::{Answer, Fee, Ledger, Sender, need};
use quern_primitives::{Amount, params::Parameter};

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Set { parameter: Parameter, value: Amount },
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "params.set",
        }
    }
}

/// The numbers that hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Thousandths of what a batch spends.
    pub(crate) workers: Amount,
    /// Thousandths of what a batch spends.
    pub(crate) operators: Amount,
    /// Of a thousand tasks.
    pub(crate) again: Amount,
    /// For each device.
    pub(crate) bond: Amount,
    /// Heights of the clock of finality.
    pub(crate) window: Amount,
    /// For each masternode.
    pub(crate) masternode_bond: Amount,
    /// Masternodes of a job.
    pub(crate) group: Amount,
    /// Heights of the clock of finality.
    pub(crate) stall: Amount,
    /// For each dispute.
    pub(crate) dispute_bond: Amount,
    /// Thousandths of what a loser loses.
    pub(crate) winner: Amount,
    /// Heights of the clock of finality.
    pub(crate) answer_time: Amount,
    /// For a GiB and a period.
    pub(crate) storage: Amount,
    /// Heights of the clock of finality.
    pub(crate) period: Amount,
    /// Periods.
    pub(crate) notice: Amount,
    /// Heights of the clock of finality.
    pub(crate) challenge_time: Amount,
    /// For each challenge.
    pub(crate) challenge_bond: Amount,
    /// For each piece.
    pub(crate) missed: Amount,
    /// What is bonded for what is not final, in thousandths.
    pub(crate) per_exposure: Amount,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            workers: 700,
            operators: 200,
            again: 100,
            bond: 10_000_000_000,
            // As in the presets.
            window: 5,
            masternode_bond: 1_000_000_000_000,
            group: 3,
            stall: 150,
            dispute_bond: 5_000_000_000,
            winner: 200,
            answer_time: 300,
            storage: 5_000_000,
            // As in the presets.
            period: 30,
            notice: 2,
            challenge_time: 15,
            challenge_bond: 2_000_000_000,
            missed: 1_000_000_000,
            per_exposure: 1_000,
        }
    }
}

impl Numbers {
    /// The number with its least and most.
    fn place(&mut self, parameter: Parameter) -> (&mut Amount, Amount, Amount) {
        match parameter {
            Parameter::WorkersShare => (&mut self.workers, 500, 900),
            Parameter::OperatorsShare => (&mut self.operators, 50, 400),
            Parameter::ReExecution => (&mut self.again, 1, 1_000),
            Parameter::BondPerDevice => (&mut self.bond, 1, 10_000_000_000_000),
            Parameter::Window => (&mut self.window, 1, 302_400),
            Parameter::BondPerMasternode => (&mut self.masternode_bond, 1, 1_000_000_000_000_000),
            Parameter::GroupSize => (&mut self.group, 1, 7),
            Parameter::Stall => (&mut self.stall, 15, 43_200),
            Parameter::DisputeBond => (&mut self.dispute_bond, 1, 1_000_000_000_000),
            Parameter::WinnersShare => (&mut self.winner, 0, 900),
            Parameter::AnswerTime => (&mut self.answer_time, 15, 43_200),
            Parameter::StoragePrice => (&mut self.storage, 1, 1_000_000_000),
            Parameter::StoragePeriod => (&mut self.period, 15, 302_400),
            Parameter::StorageNotice => (&mut self.notice, 0, 720),
            Parameter::ChallengeTime => (&mut self.challenge_time, 15, 900),
            Parameter::ChallengeBond => (&mut self.challenge_bond, 1, 1_000_000_000_000),
            Parameter::MissedPiece => (&mut self.missed, 1, 10_000_000_000_000),
            Parameter::BondPerExposure => (&mut self.per_exposure, 1_000, 10_000),
        }
    }

    /// Whether a task of this price, which so many replicas decide, is one with which cheating loses: the price, in so
    /// many of a thousand as nobody looks at again, and the workers' part of it in all, are less than what is burnt of
    /// the bonds where somebody looks. A task that costs nothing is worth nothing.
    pub(crate) fn protect(&self, price: Amount, deciding: u8) -> bool {
        let burnt = self.bond - self.bond * self.winner / 1_000;
        let gained = (1_000 - self.again + self.workers) * price;
        let lost = self.again * Amount::from(deciding) * burnt;
        self.again == 0 || price == 0 || gained < lost
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    sender.council()?;
    let Call::Set { parameter, value } = call;
    let mut numbers = ledger.params;
    let (number, least, most) = numbers.place(*parameter);
    need((least..=most).contains(value), "OutOfBounds")?;
    *number = *value;
    let together = numbers.workers + numbers.operators;
    need(together <= 950, "SharesTooLarge")?;
    ledger.params = numbers;
    Ok(Fee::Charged)
}
