//! What the council can decide, as it is typed and as it is told.

use crate::{context::Context, units::Price};
use clap::{Args, Subcommand};
use codec::DecodeAll;
use quern_job_rules::pay::{PricesError, check_prices};
use quern_ledger::{Call, EncodedCall, State};
use quern_primitives::{
    AccountId, Amount, DeviceId,
    amount::display,
    job::Prices,
    params::{Parameter, Params, ParamsError, Unit},
};
use std::num::NonZeroU32;

/// What the council can decide.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Decision {
    /// Verify a device, for owners who ask for --trusted
    VerifyDevice(OfDevice),
    /// Take a device's verification back
    UnverifyDevice(OfDevice),
    /// Empty a device's history of faults, at any time
    ReviewDevice(OfDevice),
    /// Ban an account: its devices get nothing, and it submits no jobs
    Ban(OfAccount),
    /// Lift the ban of an account
    LiftBan(OfAccount),
    /// Admit an operator's masternode
    AddMasternode(OfAccount),
    /// Expel an operator's masternode; its jobs end at their deadlines
    RemoveMasternode(OfAccount),
    /// Give an account a seat in the council
    AddMember(OfAccount),
    /// Take an account's seat in the council
    RemoveMember(OfAccount),
    /// Set prices for jobs submitted from then on; those left out stay as they are
    SetPrices(NewPrices),
    /// Set a parameter, for all that happens and jobs submitted from then on; `quern params` shows them
    SetParameter(NewValue),
    /// Set how many whole ByteChips a dollar buys
    SetRate(NewRate),
    /// Name the treasurer
    SetTreasurer(OfAccount),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct OfDevice {
    /// The device
    device: DeviceId,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct OfAccount {
    /// The account: an address, the name of a key, or a development account
    #[arg(value_name = "ACCOUNT")]
    of: String,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct NewRate {
    /// Whole ByteChips for a dollar
    bytechips: NonZeroU32,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct NewValue {
    /// Its name, as `quern params` shows it
    name: Parameter,
    /// Its value: thousandths, ByteChips where it is money, or blocks
    value: String,
}

/// A parameter cannot be set so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    /// The text is no value of this parameter.
    #[error("`{text}` is no value of {parameter}; write {}", wanted(*.parameter))]
    Unreadable {
        /// The parameter.
        parameter: Parameter,
        /// The text.
        text: String,
    },
    /// The chain would refuse it.
    #[error(transparent)]
    Refused(#[from] ParamsError),
}

fn wanted(parameter: Parameter) -> &'static str {
    match parameter.row().unit {
        Unit::Permille => "a whole number of thousandths, such as 15",
        Unit::Money => "an amount of ByteChips, such as 12 or 0.5",
        Unit::Blocks => "a whole number of blocks, such as 300",
        Unit::Masternodes => "a whole number of masternodes, such as 3",
        Unit::Periods => "a whole number of periods, such as 24",
    }
}

#[derive(Args, Clone, Debug, Default)]
#[group(required = true, multiple = true)]
pub(crate) struct NewPrices {
    /// ByteChips for 10⁹ units of fuel, at level balanced with one replica
    #[arg(long, value_name = "BC")]
    gigafuel: Option<Price>,
    /// The least that a task costs, at level balanced with one replica
    #[arg(long, value_name = "BC")]
    task_min: Option<Price>,
    /// Thousandths that each replica after the first adds to the price
    #[arg(long, value_name = "N")]
    replica_permille: Option<u32>,
    /// Thousandths of the balanced price at level low
    #[arg(long, value_name = "N")]
    low_permille: Option<u32>,
    /// Thousandths of the balanced price at level high
    #[arg(long, value_name = "N")]
    high_permille: Option<u32>,
}

impl Decision {
    /// The call that does it, as of a state.
    pub(super) async fn call(&self, context: &Context, state: &State) -> anyhow::Result<Call> {
        let id = |it: &OfAccount| context.account_id(Some(&it.of));
        Ok(match self {
            Self::VerifyDevice(of) => Call::VerifyDevice(of.device),
            Self::UnverifyDevice(of) => Call::UnverifyDevice(of.device),
            Self::ReviewDevice(of) => Call::ReviewDevice(of.device),
            Self::Ban(of) => Call::Ban(id(of)?),
            Self::LiftBan(of) => Call::LiftBan(id(of)?),
            Self::AddMasternode(of) => Call::AddMasternode(id(of)?),
            Self::RemoveMasternode(of) => Call::RemoveMasternode(id(of)?),
            Self::AddMember(of) => Call::AddMember(id(of)?),
            Self::RemoveMember(of) => Call::RemoveMember(id(of)?),
            Self::SetPrices(new) => Call::SetPrices(new.over(state.prices().await?)?),
            Self::SetParameter(new) => Call::SetParameter {
                parameter: new.name,
                value: new.over(state.params().await?)?,
            },
            Self::SetRate(new) => Call::SetRate(new.bytechips.get()),
            Self::SetTreasurer(of) => Call::SetTreasurer(id(of)?),
        })
    }
}

impl NewValue {
    /// The value. Fails if the chain would refuse it beside the others as they are now.
    pub(super) fn over(&self, now: Params) -> Result<Amount, ValueError> {
        let parameter = self.name;
        let value = parameter.row().unit.read(&self.value);
        let value = value.ok_or_else(|| ValueError::Unreadable {
            parameter,
            text: self.value.clone(),
        })?;
        now.with(parameter, value)?;
        Ok(value)
    }
}

impl NewPrices {
    /// The prices with those that are given in their places. Fails if the chain would refuse them.
    pub(super) fn over(&self, now: Prices) -> Result<Prices, PricesError> {
        let amount = |new: Option<Price>, now| new.map_or(now, |price| price.0);
        let prices = Prices {
            gigafuel: amount(self.gigafuel, now.gigafuel),
            task_min: amount(self.task_min, now.task_min),
            replica_permille: self.replica_permille.unwrap_or(now.replica_permille),
            low_permille: self.low_permille.unwrap_or(now.low_permille),
            high_permille: self.high_permille.unwrap_or(now.high_permille),
        };
        check_prices(&prices).map(|()| prices)
    }
}

/// What a call does, in words. One that is none of the above is told by its name and its encoded
/// arguments.
pub(super) fn in_words(call: &EncodedCall) -> String {
    let known = known_in_words(call);
    known.unwrap_or_else(|| {
        let arguments = hex::encode(call.arguments());
        format!("{}.{}(0x{arguments})", call.pallet, call.name)
    })
}

fn known_in_words(call: &EncodedCall) -> Option<String> {
    let device = |what: &str| {
        let device = DeviceId::decode_all(&mut call.arguments()).ok()?;
        Some(format!("{what} {device}"))
    };
    let account = |what: &str| {
        let account = AccountId::decode_all(&mut call.arguments()).ok()?;
        Some(format!("{what} {account}"))
    };
    // The stock pallets name an account by the kind of its name, of which 0 is itself.
    let member = |what: &str| {
        let (kind, account) = <(u8, AccountId)>::decode_all(&mut call.arguments()).ok()?;
        (kind == 0).then(|| format!("{what} {account}"))
    };
    match (call.pallet.as_str(), call.name.as_str()) {
        ("Roster", "verify_device") => device("verify device"),
        ("Roster", "unverify_device") => device("take back the verification of device"),
        ("Workforce", "review") => device("review device"),
        ("Roster", "ban") => account("ban account"),
        ("Roster", "lift_ban") => account("lift the ban of account"),
        ("Roster", "add_masternode") => account("admit the masternode of account"),
        ("Roster", "remove_masternode") => account("expel the masternode of account"),
        ("CouncilMembers", "add_member") => member("give a seat in the council to account"),
        ("CouncilMembers", "remove_member") => member("take the council's seat of account"),
        ("Bytechip", "set_treasurer") => account("name as treasurer account"),
        ("Bytechip", "set_rate") => {
            let rate = u32::decode_all(&mut call.arguments()).ok()?;
            Some(format!("sell {rate} BC for a dollar"))
        }
        ("Jobs", "set_prices") => {
            let prices = Prices::decode_all(&mut call.arguments()).ok()?;
            Some(prices_in_words(&prices))
        }
        ("Params", "set") => {
            let mut arguments = call.arguments();
            let (parameter, value) = <(Parameter, Amount)>::decode_all(&mut arguments).ok()?;
            let value = parameter.row().unit.write(value);
            Some(format!("set {parameter} to {value}"))
        }
        _ => None,
    }
}

fn prices_in_words(prices: &Prices) -> String {
    format!(
        "set prices: {} for 10⁹ units of fuel, at least {} for a task, {} ‰ more for each further \
         replica, {} ‰ at level low, {} ‰ at level high",
        display(prices.gigafuel),
        display(prices.task_min),
        prices.replica_permille,
        prices.low_permille,
        prices.high_permille
    )
}
