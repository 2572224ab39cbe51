//! Reading a block's events: what moved, and what it was for.
//!
//! All that moves is told by the pallet that keeps the balances. What it was for is told by events of
//! other pallets in the same transaction, and only where amount and account fit: a call puts its
//! movements right before the event that tells of them, but for the shares of operators and treasury,
//! which follow the event of their batch. Operators are paid in equal parts, each account one.

use crate::{
    Entry, Finalised, Kind, Movement, Note, Purse, Reason, Settled, Statement, Struck, What,
};
use codec::{Decode, DecodeAll};
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, JobId,
    custody::Place,
    ids::{BatchSequence, ContractId, Period},
    job::JobEnd,
    limits::GROUP_MEMBERS_MAX,
};
use std::collections::VecDeque;

/// An event as a block holds it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The place in the block of the transaction that caused it, unless the block itself did.
    pub transaction: Option<u32>,
    /// The pallet.
    pub pallet: &'a str,
    /// The event's name.
    pub name: &'a str,
    /// Its encoded fields, one after the other.
    pub fields: &'a [u8],
    /// Of an event about held money, the pallet for which it is or was held.
    pub held_for: Option<&'a str>,
}

/// What a block's events tell of money, in their order. Movements of nothing are left out.
pub fn read(events: &[Event<'_>]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for of_one in events.chunk_by(|one, next| one.transaction == next.transaction) {
        let mut reading = Reading::default();
        of_one.iter().for_each(|event| reading.hear(event));
        let transaction = of_one.first().and_then(|event| event.transaction);
        let whats = reading.whats.into_iter();
        entries.extend(whats.map(|what| Entry { transaction, what }));
    }
    entries
}

/// What is read of one transaction.
#[derive(Default)]
struct Reading {
    whats: Vec<What>,
    /// What must be paid out of an escrow next, because of the batch that just became final.
    due: VecDeque<Due>,
    /// What has been taken for the transaction's fee, by whom.
    fee: Option<(AccountId, Amount)>,
}

/// What must be paid next, in one payment or in equal parts.
struct Due {
    kind: Kind,
    /// What is left of it.
    amount: Amount,
    job: JobId,
    batch: BatchSequence,
    /// Who has a part, and how much that is.
    paid: Vec<AccountId>,
    part: Option<Amount>,
}

impl Due {
    /// Whether a payment is of it; it is counted off then. The treasury gets its share at once. The first part of
    /// operators says how large the others are: all of it is so many of them as there can be in a group.
    fn take(&mut self, to: &Purse, amount: Amount) -> bool {
        let fits = match self.kind {
            Kind::OperatorPay => {
                let left = self.amount.checked_rem(amount) == Some(0);
                let parts = self.amount.checked_div(amount).unwrap_or(Amount::MAX);
                let is_part = self.part.map_or(left, |part| part == amount);
                let is_new = to.account().is_some_and(|to| !self.paid.contains(to));
                let paid = Amount::try_from(self.paid.len()).unwrap_or(Amount::MAX);
                is_part && is_new && paid.saturating_add(parts) <= GROUP_MEMBERS_MAX.into()
            }
            _ => self.amount == amount,
        };
        if fits {
            self.amount = self.amount.saturating_sub(amount);
            self.part = Some(amount);
            self.paid.extend(to.account().cloned());
        }
        fits
    }
}

/// What the pallets say in their events.
enum Said {
    Submitted(JobId, AccountId, Amount),
    Settled(Settled),
    Finalised(Finalised),
    Struck(Struck),
    Settling(JobId, Amount),
    Ended(JobId, Amount),
    Unbonded(AccountId, Amount),
    Purchased(Vec<u8>, AccountId, Amount),
    PayoutAsked(u64, AccountId, Amount),
    PayoutMade(u64, AccountId, Amount),
    PayoutReturned(u64, AccountId, Amount),
    FeePaid(AccountId, Amount),
    /// What an account lost of a bond: what was paid to another, and what is gone.
    Slashed(AccountId, Amount, Amount),
    /// What was paid together for data that were kept, or for an answer to a challenge.
    Kept(Amount),
}

impl Reading {
    fn hear(&mut self, event: &Event<'_>) {
        if event.pallet == "Balances" {
            match moved(event) {
                Ok(Some((from, to, amount))) => self.hear_movement(from, to, amount),
                Ok(None) => {}
                Err(Unread) => self.whats.push(unread(event)),
            }
            return;
        }
        match said(event) {
            Ok(Some(said)) => self.hear_said(said),
            Ok(None) => {}
            Err(Unread) => self.whats.push(unread(event)),
        }
    }

    fn hear_movement(&mut self, from: Purse, to: Purse, amount: Amount) {
        if amount == 0 {
            return;
        }
        let mut movement = Movement {
            kind: Kind::of(&from, &to),
            from,
            to,
            amount,
            job: None,
            batch: None,
            note: None,
        };
        match (movement.kind, &movement.from) {
            // What an owner is paid for a part of the own job looks like what is released; a payment is
            // due, or its batch is yet to come.
            (Kind::EscrowPaid | Kind::EscrowReleased, _) => {
                if let Some(due) = self.due.front_mut()
                    && due.take(&movement.to, amount)
                {
                    movement.kind = due.kind;
                    movement.job = Some(due.job);
                    movement.batch = Some(due.batch);
                }
                self.due.pop_front_if(|due| due.amount == 0);
            }
            (Kind::FeeTaken, Purse::Free(account)) if self.fee.is_none() => {
                self.fee = Some((account.clone(), amount));
            }
            _ => {}
        }
        self.whats.push(What::Moved(movement));
    }

    fn hear_said(&mut self, said: Said) {
        match said {
            Said::Submitted(job, owner, escrow) => {
                self.explain(Kind::EscrowHeld, &owner, escrow, |it| it.job = Some(job));
                self.say(Statement::Submitted { job, owner, escrow });
            }
            Said::Settled(settled) => self.say(Statement::Settled(settled)),
            Said::Finalised(finalised) => self.hear_finalised(finalised),
            Said::Struck(struck) => self.say(Statement::Struck(struck)),
            Said::Settling(job, refunded) => {
                self.explain_refund(job, refunded);
                self.say(Statement::Settling { job, refunded });
            }
            Said::Ended(job, refunded) => {
                self.explain_refund(job, refunded);
                self.say(Statement::Ended { job, refunded });
            }
            Said::Unbonded(account, amount) => self.say(Statement::Unbonded { account, amount }),
            Said::Purchased(reference, buyer, amount) => {
                self.explain(Kind::Minted, &buyer, amount, |it| {
                    it.kind = Kind::Purchase;
                    it.note = Some(Note::Reference(reference));
                });
            }
            Said::PayoutAsked(number, account, amount) => {
                self.explain_payout(Kind::PayoutHeld, number, &account, amount);
            }
            Said::PayoutMade(number, account, amount) => {
                self.explain_payout(Kind::PayoutBurnt, number, &account, amount);
            }
            Said::PayoutReturned(number, account, amount) => {
                self.explain_payout(Kind::PayoutReleased, number, &account, amount);
            }
            Said::FeePaid(who, paid) => self.explain_fee(&who, paid),
            Said::Kept(paid) => self.explain_kept(paid),
            Said::Slashed(who, paid, burnt) => {
                self.explain_slash(Kind::SlashPaid, &who, paid);
                self.explain_slash(Kind::SlashBurnt, &who, burnt);
            }
        }
    }

    /// The workers of a batch are paid before its event, operators and treasury behind it.
    fn hear_finalised(&mut self, finalised: Finalised) {
        let unexplained = |movement: &&mut Movement| {
            matches!(movement.kind, Kind::EscrowPaid | Kind::EscrowReleased)
                && movement.from.is_escrow()
                && movement.job.is_none()
        };
        let paid: Vec<_> = self.movements().filter(unexplained).collect();
        let owner = paid.first().map(|first| first.from.clone());
        let of_one = paid.iter().all(|it| Some(&it.from) == owner.as_ref());
        let sum = crate::snapshot::sum(paid.iter().map(|it| it.amount));
        if of_one && sum == Some(finalised.workers) {
            for movement in paid {
                movement.kind = Kind::WorkerPay;
                movement.job = Some(finalised.job);
                movement.batch = Some(finalised.sequence);
            }
        }
        let due = |kind, amount| Due {
            kind,
            amount,
            job: finalised.job,
            batch: finalised.sequence,
            paid: Vec::new(),
            part: None,
        };
        let shares = [
            due(Kind::OperatorPay, finalised.operators),
            due(Kind::TreasuryShare, finalised.treasury),
        ];
        self.due = shares.into_iter().filter(|due| due.amount > 0).collect();
        self.say(Statement::Finalised(finalised));
    }

    /// Tells what the last movement of this kind, account and amount was for, if nothing told it before.
    fn explain(
        &mut self,
        kind: Kind,
        account: &AccountId,
        amount: Amount,
        tell: impl FnOnce(&mut Movement),
    ) {
        let fits = |movement: &&mut Movement| {
            let purse = match movement.to.account() {
                Some(_) => &movement.to,
                None => &movement.from,
            };
            movement.kind == kind
                && movement.amount == amount
                && purse.account() == Some(account)
                && movement.job.is_none()
                && movement.note.is_none()
        };
        if let Some(movement) = self.movements().rev().find(fits) {
            tell(movement);
        }
    }

    /// A refund goes to whoever owns the job, whom the event does not name: it is the last that was
    /// released.
    fn explain_refund(&mut self, job: JobId, refunded: Amount) {
        let fits = |movement: &&mut Movement| {
            movement.kind == Kind::EscrowReleased
                && movement.amount == refunded
                && movement.job.is_none()
        };
        if let Some(movement) = self.movements().rev().find(fits) {
            movement.job = Some(job);
        }
    }

    fn explain_payout(&mut self, kind: Kind, number: u64, account: &AccountId, amount: Amount) {
        self.explain(kind, account, amount, |it| {
            it.note = Some(Note::Payout(number));
        });
    }

    /// What an account lost of a bond: who gets it is told by the movement alone.
    fn explain_slash(&mut self, kind: Kind, who: &AccountId, amount: Amount) {
        let fits = |movement: &&mut Movement| {
            movement.kind == kind
                && movement.amount == amount
                && movement.from.account() == Some(who)
                && movement.note.is_none()
        };
        if let Some(movement) = self.movements().rev().find(fits) {
            movement.note = Some(Note::Lost);
        }
    }

    /// All that was paid out of what is held for stored data since such an event came last is what this one
    /// tells; part of it may have gone to who owns it. Where it is another sum nothing is explained.
    fn explain_kept(&mut self, paid: Amount) {
        let of_it = |movement: &&mut Movement| {
            matches!(movement.kind, Kind::CustodyPaid | Kind::CustodyReleased)
                && movement.note.is_none()
        };
        let moved: Vec<_> = self.movements().filter(of_it).collect();
        if crate::snapshot::sum(moved.iter().map(|it| it.amount)) == Some(paid) {
            for movement in moved {
                movement.kind = Kind::CustodyPaid;
                movement.note = Some(Note::Kept);
            }
        }
    }

    /// What was taken beforehand and is more than the fee comes back to who paid; the first that does
    /// is it. The author of the block may be who pays as well.
    fn explain_fee(&mut self, who: &AccountId, paid: Amount) {
        let Some((payer, taken)) = self.fee.take() else {
            return;
        };
        let back = taken.checked_sub(paid).filter(|_| payer == *who);
        let fits = |movement: &&mut Movement| {
            movement.kind == Kind::FeeShared
                && Some(movement.amount) == back
                && movement.to.account() == Some(who)
        };
        if let Some(movement) = self.movements().find(fits) {
            movement.kind = Kind::FeeReturned;
        }
    }

    fn movements(&mut self) -> impl DoubleEndedIterator<Item = &mut Movement> {
        self.whats.iter_mut().filter_map(|what| match what {
            What::Moved(movement) => Some(movement),
            What::Said(_) => None,
        })
    }

    fn say(&mut self, statement: Statement) {
        self.whats.push(What::Said(statement));
    }
}

/// An event that is not understood.
struct Unread;

fn unread(event: &Event<'_>) -> What {
    What::Said(Statement::Unread {
        event: format!("{}.{}", event.pallet, event.name),
    })
}

/// From where to where an event of the balances moves how much; none if it moves nothing.
fn moved(event: &Event<'_>) -> Result<Option<(Purse, Purse, Amount)>, Unread> {
    use Purse::{Free, Held, Nowhere, Passing};
    let (from, to, amount) = match event.name {
        "Transfer" => {
            let (from, to, amount) = all::<(AccountId, AccountId, Amount)>(event)?;
            (Free(from), Free(to), amount)
        }
        "Withdraw" => {
            let (who, amount) = all::<(AccountId, Amount)>(event)?;
            (Free(who), Passing, amount)
        }
        "Deposit" => {
            let (who, amount) = all::<(AccountId, Amount)>(event)?;
            (Passing, Free(who), amount)
        }
        "Minted" => {
            let (who, amount) = all::<(AccountId, Amount)>(event)?;
            (Nowhere, Free(who), amount)
        }
        "Burned" => {
            let (who, amount) = all::<(AccountId, Amount)>(event)?;
            (Free(who), Nowhere, amount)
        }
        "Issued" | "MintedCredit" => (Nowhere, Passing, all(event)?),
        "Rescinded" | "BurnedDebt" => (Passing, Nowhere, all(event)?),
        "Reserved" => {
            let (who, amount) = all::<(AccountId, Amount)>(event)?;
            (Free(who.clone()), Held(who, Reason::Deposit), amount)
        }
        "Unreserved" => {
            let (who, amount) = all::<(AccountId, Amount)>(event)?;
            (Held(who.clone(), Reason::Deposit), Free(who), amount)
        }
        "ReserveRepatriated" => {
            let (from, to, amount, status) = all::<(AccountId, AccountId, Amount, u8)>(event)?;
            let to = match status {
                0 => Free(to),
                _ => Held(to, Reason::Deposit),
            };
            (Held(from, Reason::Deposit), to, amount)
        }
        "Held" => {
            let (who, amount, reason) = held(event)?;
            (Free(who.clone()), Held(who, reason), amount)
        }
        "Released" => {
            let (who, amount, reason) = held(event)?;
            (Held(who.clone(), reason), Free(who), amount)
        }
        "BurnedHeld" => {
            let (who, amount, reason) = held(event)?;
            (Held(who, reason), Nowhere, amount)
        }
        "TransferOnHold" => {
            let (from, to, amount, reason) = held_for_another(event)?;
            (Held(from, reason), Free(to), amount)
        }
        "TransferAndHold" => {
            let (from, to, amount, reason) = held_for_another(event)?;
            (Free(from), Held(to, reason), amount)
        }
        "Endowed" | "Upgraded" | "Locked" | "Unlocked" | "Frozen" | "Thawed" => return Ok(None),
        _ => return Err(Unread),
    };
    Ok(Some((from, to, amount)))
}

/// Account, amount and reason of an event about held money. Its first field is the reason, as the
/// numbers of a pallet and of one of its reasons.
fn held(event: &Event<'_>) -> Result<(AccountId, Amount, Reason), Unread> {
    let (_reason, who, amount) = all::<([u8; 2], AccountId, Amount)>(event)?;
    Ok((who, amount, reason(event)?))
}

/// The same where it goes from one account to another.
fn held_for_another(event: &Event<'_>) -> Result<(AccountId, AccountId, Amount, Reason), Unread> {
    let (_reason, from, to, amount) = all::<([u8; 2], AccountId, AccountId, Amount)>(event)?;
    Ok((from, to, amount, reason(event)?))
}

fn reason(event: &Event<'_>) -> Result<Reason, Unread> {
    event.held_for.map(Reason::of_pallet).ok_or(Unread)
}

/// What an event of another pallet says about money; none if it says nothing.
fn said(event: &Event<'_>) -> Result<Option<Said>, Unread> {
    Ok(Some(match (event.pallet, event.name) {
        ("Jobs", "JobSubmitted") => {
            let (job, owner, escrow) = all(event)?;
            Said::Submitted(job, owner, escrow)
        }
        ("Jobs", "BatchSettled") => {
            let (job, sequence, tasks, spent, workers, operators, treasury, _due) =
                all::<(
                    JobId,
                    BatchSequence,
                    u32,
                    Amount,
                    Amount,
                    Amount,
                    Amount,
                    BlockNumber,
                )>(event)?;
            Said::Settled(Settled {
                job,
                sequence,
                tasks,
                spent,
                workers,
                operators,
                treasury,
            })
        }
        ("Jobs", "BatchFinalised") => {
            let (job, sequence, tasks, workers, operators, treasury) = all(event)?;
            Said::Finalised(Finalised {
                job,
                sequence,
                tasks,
                workers,
                operators,
                treasury,
            })
        }
        ("Jobs", "BatchStruck") => {
            let (job, sequence, tasks, spent) = all(event)?;
            Said::Struck(Struck {
                job,
                sequence,
                tasks,
                spent,
            })
        }
        ("Jobs", "JobSettling") => {
            let (job, _end, refunded) = all::<(JobId, JobEnd, Amount)>(event)?;
            Said::Settling(job, refunded)
        }
        ("Jobs", "JobEnded") => {
            let (job, _end, refunded) = all::<(JobId, JobEnd, Amount)>(event)?;
            Said::Ended(job, refunded)
        }
        ("Workforce", "Unbonded") => {
            let (account, amount, _at) = all::<(AccountId, Amount, BlockNumber)>(event)?;
            Said::Unbonded(account, amount)
        }
        ("Workforce", "BondSlashed") => {
            let (account, _device, _winner, paid, burnt) =
                all::<(AccountId, DeviceId, AccountId, Amount, Amount)>(event)?;
            Said::Slashed(account, paid, burnt)
        }
        ("Roster", "BondSlashed") => {
            let (account, amount, _winner, burnt) =
                all::<(AccountId, Amount, AccountId, Amount)>(event)?;
            let paid = amount.checked_sub(burnt).ok_or(Unread)?;
            Said::Slashed(account, paid, burnt)
        }
        ("Disputes", "DisputeLost") => {
            let (disputer, _batch, (paid, burnt)) =
                all::<(AccountId, (JobId, BatchSequence), (Amount, Amount))>(event)?;
            Said::Slashed(disputer, paid, burnt)
        }
        ("Custody", "PeriodPaid") => {
            let (_contract, _period, _holdings, holders, operators, treasury) =
                all::<(ContractId, Period, u32, Amount, Amount, Amount)>(event)?;
            let paid = crate::snapshot::sum([holders, operators, treasury]);
            Said::Kept(paid.ok_or(Unread)?)
        }
        ("Custody", "ChallengeAnswered") => {
            let (_place, paid, treasury, bond) = all::<(Place, Amount, Amount, Amount)>(event)?;
            let paid = crate::snapshot::sum([paid, treasury, bond]);
            Said::Kept(paid.ok_or(Unread)?)
        }
        ("Bytechip", "PurchaseRecorded") => {
            let (reference, buyer, _cents, amount) =
                all::<(Vec<u8>, AccountId, u64, Amount)>(event)?;
            Said::Purchased(reference, buyer, amount)
        }
        ("Bytechip", "PayoutRequested") => {
            let (number, account, amount, _to) = all::<(u64, AccountId, Amount, Digest)>(event)?;
            Said::PayoutAsked(number, account, amount)
        }
        ("Bytechip", "PayoutCompleted") => {
            let (number, account, amount, _reference) =
                all::<(u64, AccountId, Amount, Vec<u8>)>(event)?;
            Said::PayoutMade(number, account, amount)
        }
        ("Bytechip", "PayoutReturned") => {
            let (number, account, amount) = all(event)?;
            Said::PayoutReturned(number, account, amount)
        }
        ("TransactionPayment", "TransactionFeePaid") => {
            let (who, fee, _tip) = all::<(AccountId, Amount, Amount)>(event)?;
            Said::FeePaid(who, fee)
        }
        _ => return Ok(None),
    }))
}

/// All of an event's fields, and nothing behind them.
fn all<T: Decode>(event: &Event<'_>) -> Result<T, Unread> {
    let mut fields = event.fields;
    T::decode_all(&mut fields).map_err(|_| Unread)
}

#[cfg(test)]
mod tests;
