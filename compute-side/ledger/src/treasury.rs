//! Dollars that come in and go out: who the treasurer is, what they have recorded, and the payouts
//! that wait for them.

use crate::{
    State,
    chain::{ChainError, no_state},
};
use codec::{Decode, DecodeAll};
use quern_primitives::{AccountId, Amount, BlockNumber, Digest};
use subxt::{
    dynamic::{Value, storage},
    ext::frame_decode::storage::{IntoDecodableValues, IntoEncodableValues},
};

/// The pallet that keeps it.
const PALLET: &str = "Bytechip";

/// What is asked, for messages.
const PAYOUTS: &str = "the open payouts";

/// Open payouts that are read at most: those of 65,536 accounts, each of which may have 16.
const PAYOUTS_MAX: usize = 1 << 20;

/// ByteChips that an account wants as dollars, and that are held until the treasurer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Its number.
    pub number: u64,
    /// Whose ByteChips.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
    /// SHA-256 of where the dollars should go, which the account tells the treasurer beside the
    /// chain.
    pub destination: Digest,
    /// The block in which it was asked for.
    pub requested_at: BlockNumber,
}

/// Dollars that came in, and what was minted for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Who got the ByteChips.
    pub buyer: AccountId,
    /// What was paid, in US cents.
    pub cents: u64,
    /// What was minted.
    pub amount: Amount,
    /// The block in which the treasurer recorded it.
    pub recorded_at: BlockNumber,
}

/// A payout that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The payout as it was asked for.
    pub payout: Payout,
    /// The block in which the treasurer marked it as made.
    pub completed_at: BlockNumber,
}

/// What is stored of a payout under its number: account, amount, destination, block.
type PayoutFields = (AccountId, Amount, Digest, BlockNumber);

/// What is stored of a purchase under its reference: buyer, cents, amount, block.
type PurchaseFields = (AccountId, u64, Amount, BlockNumber);

/// What is stored of a transfer under its reference: the payout's number, the payout, block.
type TransferFields = (u64, PayoutFields, BlockNumber);

impl Payout {
    fn new(number: u64, fields: PayoutFields) -> Self {
        let (account, amount, destination, requested_at) = fields;
        Self {
            number,
            account,
            amount,
            destination,
            requested_at,
        }
    }

    /// Reads an entry of the storage. Behind its hash a key holds what was hashed: the number.
    fn read(key: &[u8], mut value: &[u8]) -> Result<Self, codec::Error> {
        let number = key.last_chunk::<8>().ok_or("its key is too short")?;
        let fields = PayoutFields::decode_all(&mut value)?;
        Ok(Self::new(u64::from_le_bytes(*number), fields))
    }
}

impl State {
    /// The treasurer, if the chain has one.
    pub async fn treasurer(&self) -> Result<Option<AccountId>, ChainError> {
        self.kept("the treasurer", "Treasurer", ()).await
    }

    /// All open payouts, in the order in which they were asked for.
    pub async fn payouts(&self) -> Result<Vec<Payout>, ChainError> {
        let block = self.block().number;
        let payouts = storage::<(u64,), Value>(PALLET, "Payouts");
        let mut entries = self
            .at
            .storage()
            .iter(payouts, ())
            .await
            .map_err(no_state(PAYOUTS, block))?;
        let mut payouts = Vec::new();
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(no_state(PAYOUTS, block))?;
            if payouts.len() >= PAYOUTS_MAX {
                return Err(ChainError::TooMany {
                    what: PAYOUTS,
                    most: PAYOUTS_MAX,
                });
            }
            let payout = Payout::read(entry.key_bytes(), entry.value().bytes());
            payouts.push(payout.map_err(|source| ChainError::Foreign {
                what: PAYOUTS,
                source,
            })?);
        }
        payouts.sort_by_key(|payout| payout.number);
        Ok(payouts)
    }

    /// An open payout; none if it was answered, or never asked for.
    pub async fn payout(&self, number: u64) -> Result<Option<Payout>, ChainError> {
        let fields: Option<PayoutFields> = self.kept("a payout", "Payouts", (number,)).await?;
        Ok(fields.map(|fields| Payout::new(number, fields)))
    }

    /// The purchase that is recorded under the reference of a payment.
    pub async fn purchase(&self, reference: &str) -> Result<Option<Purchase>, ChainError> {
        let key = (reference.as_bytes().to_vec(),);
        let fields: Option<PurchaseFields> = self.kept("a purchase", "Purchases", key).await?;
        Ok(fields.map(|(buyer, cents, amount, recorded_at)| Purchase {
            buyer,
            cents,
            amount,
            recorded_at,
        }))
    }

    /// The payout that was made with the transfer of a reference.
    pub async fn transfer(&self, reference: &str) -> Result<Option<Transfer>, ChainError> {
        let key = (reference.as_bytes().to_vec(),);
        let fields: Option<TransferFields> = self.kept("a transfer", "Transfers", key).await?;
        Ok(fields.map(|(number, payout, completed_at)| Transfer {
            payout: Payout::new(number, payout),
            completed_at,
        }))
    }

    /// What the pallet keeps at a place of its storage.
    async fn kept<K, T>(
        &self,
        what: &'static str,
        entry: &str,
        key: K,
    ) -> Result<Option<T>, ChainError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        T: Decode,
    {
        let entry = storage::<K, Value>(PALLET, entry);
        let found = self
            .at
            .storage()
            .try_fetch(entry, key)
            .await
            .map_err(no_state(what, self.block().number))?;
        let read = found.map(|value| T::decode_all(&mut value.bytes()));
        read.transpose()
            .map_err(|source| ChainError::Foreign { what, source })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use codec::Encode as _;

    #[test]
    fn a_payout_is_read_from_the_end_of_its_key_and_the_whole_of_its_value() {
        let account = AccountId::new([3; 32]);
        let fields: PayoutFields = (account, 20, Digest([9; 32]), 44);
        // The storage's own name and the number's hash stand before the number.
        let key = [&[0xff; 40][..], &7u64.encode()].concat();
        let payout = Payout::read(&key, &fields.encode()).unwrap();
        assert_eq!(payout, Payout::new(7, fields.clone()));
        assert_eq!((payout.number, payout.amount), (7, 20));

        assert!(Payout::read(&key[..7], &fields.encode()).is_err());
        let longer = [fields.encode(), vec![0]].concat();
        assert!(Payout::read(&key, &longer).is_err());
    }
}
