//! How holders are paid for a period that the group certified.

use crate::{Config, Error, Event, Holdings, Pallet, holdings::key};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{
    ensure,
    pallet_prelude::{DispatchError, DispatchResult},
};
use quern_custody_rules::pay::{self, Payment, Split};
use quern_primitives::{
    AccountId, Amount,
    batch::Words,
    custody::{Contract, Place, Proved},
    group::Group,
};
use sp_runtime::ArithmeticError;

/// What holders, operators and treasury get together.
#[derive(Default)]
struct Sums {
    holdings: u32,
    of_accounts: BTreeMap<AccountId, Amount>,
    split: Split,
}

impl Sums {
    /// Adds what is paid for one holding; none if that is more than can exist.
    fn add(&mut self, account: &AccountId, split: &Split) -> Option<()> {
        let of_account = self.of_accounts.entry(account.clone()).or_default();
        *of_account = of_account.checked_add(split.holder)?;
        self.split = Split {
            holder: self.split.holder.checked_add(split.holder)?,
            operators: self.split.operators.checked_add(split.operators)?,
            treasury: self.split.treasury.checked_add(split.treasury)?,
        };
        self.holdings = self.holdings.saturating_add(1);
        Some(())
    }
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_prove(
        by: &AccountId,
        proved: &Proved,
        certificates: &Words,
    ) -> DispatchResult {
        let id = proved.contract;
        let contract = Self::existing(&id)?;
        let (group, _) = Self::member(&id, by)?;
        ensure!(
            proved.holders.is_sorted_by(|one, next| one < next),
            Error::<T>::HoldersUnsorted
        );
        Self::check_certificates(&group, proved, certificates)?;
        let before = contract.escrow;
        let (after, sums) = Self::pay_holders(contract, proved)?;
        ensure!(sums.holdings > 0, Error::<T>::NothingToPay);
        for (account, amount) in &sums.of_accounts {
            Self::pay(&after.owner, account, *amount)?;
        }
        let promised = sums.split.operators;
        let operators = Self::pay_operators(&after.owner, &group, certificates, promised)?;
        // What does not divide equally is the treasury's.
        let rest = promised.checked_sub(operators);
        let treasury = rest.and_then(|rest| sums.split.treasury.checked_add(rest));
        let treasury = treasury.ok_or(ArithmeticError::Overflow)?;
        Self::pay_treasury(&after.owner, treasury)?;
        Self::deposit_event(Event::PeriodPaid {
            contract: id,
            period: proved.period,
            holdings: sums.holdings,
            holders: sums.split.holder,
            operators,
            treasury,
        });
        Self::keep(id, &before, after)
    }

    /// Notes for each holder that is to be paid that it is, and says what all get. Who is not, because it is
    /// paid already or gone, is passed over: if it could refuse, it would keep all others from their pay.
    fn pay_holders(
        mut contract: Contract,
        proved: &Proved,
    ) -> Result<(Contract, Sums), DispatchError> {
        let (mut sums, now) = (Sums::default(), Self::clock());
        for held in &proved.holders {
            let place = Place {
                contract: proved.contract,
                piece: held.piece,
                holder: held.device,
            };
            let Some(holding) = Holdings::<T>::get(key(&place)) else {
                continue;
            };
            let Ok(payment) = pay::pay(&contract, &holding, proved.period, now) else {
                continue;
            };
            let Payment {
                contract: after,
                holding,
                split,
            } = payment;
            let added = sums.add(&holding.account, &split);
            added.ok_or(ArithmeticError::Overflow)?;
            Self::put_holding(&place, holding);
            contract = after;
        }
        Ok((contract, sums))
    }

    /// Pays those who certified an equal part each, and says what they got together.
    fn pay_operators(
        owner: &AccountId,
        group: &Group,
        certificates: &Words,
        promised: Amount,
    ) -> Result<Amount, DispatchError> {
        let places = certificates.iter().map(|(place, _)| *place);
        let members: Vec<_> = places.filter_map(|place| group.member(place)).collect();
        let count = Amount::try_from(members.len()).unwrap_or(Amount::MAX);
        let each = promised.checked_div(count).unwrap_or(0);
        for member in members {
            Self::pay(owner, &member.account, each)?;
        }
        let all = each.checked_mul(count);
        Ok(all.ok_or(ArithmeticError::Overflow)?)
    }
}
