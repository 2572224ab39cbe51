//! The calls that the compute side makes, encoded from the types that the runtime decodes.

use crate::{
    CustodyCall,
    council::{CallWeight, EncodedCall, length_of},
    session::SessionKeys,
};
use codec::{Compact, Encode};
use quern_dispute_rules::{Evidence, Reply, open::DisputeId, sum::Step};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, JobId, SealingKey,
    batch::{Certified, CertifiedEnd},
    device::{Hardware, Region},
    ids::BatchSequence,
    job::{Prices, Submission},
    params::Parameter,
    payload::DeviceSignature,
};
use subxt::ext::scale_encode::{self, EncodeAsFields};

/// What a masternode publishes of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The Ed25519 key its connections are authenticated by.
    pub network_key: DeviceId,
    /// The X25519 key to which owners seal their delegated job keys.
    pub sealing_key: SealingKey,
    /// Where devices reach it: multiaddrs.
    pub device_addresses: Vec<String>,
    /// Where owners reach its Jobs API: a URL.
    pub jobs_api: String,
}

/// A call of the chain.
#[derive(Clone, Debug)]
pub enum Call {
    /// Submit a job, with its escrow.
    SubmitJob(Box<Submission>),
    /// Cancel a job of one's own.
    CancelJob(JobId),
    /// Return what is left of a job that is past its deadline. Anyone may.
    RefundJob(JobId),
    /// Make a batch of a job final that is due.
    Finalise(JobId, BatchSequence),
    /// Settle a batch; the job's coordinator, with the words of its group.
    Settle(Box<Certified>),
    /// Go on with a job of which nothing was settled for too long; a later member of its group.
    TakeOver(JobId),
    /// End a job of which a task cannot be settled; the job's coordinator, with the words of its group.
    CloseFailed(Box<CertifiedEnd>),
    /// Set the prices of later jobs; the council.
    SetPrices(Prices),
    /// Set one parameter; the council.
    SetParameter {
        /// Which.
        parameter: Parameter,
        /// To what.
        value: Amount,
    },
    /// Hold money as a bond.
    Bond(Amount),
    /// Begin to take bonded money back.
    Unbond(Amount),
    /// Take back what has waited long enough.
    WithdrawUnbonded,
    /// Hold money as a masternode's bond; its operator.
    BondMasternode(Amount),
    /// Begin to take money back out of a masternode's bond.
    UnbondMasternode(Amount),
    /// Take back what has waited long enough of a masternode's bond.
    WithdrawMasternodeBond,
    /// Register a device.
    RegisterDevice {
        /// The device.
        device: DeviceId,
        /// The key to which its data keys are sealed.
        sealing_key: SealingKey,
        /// Where it stands.
        region: Region,
        /// What kind of machine it is.
        hardware: Hardware,
        /// The device's signature over [`quern_primitives::device::Possession`].
        possession: DeviceSignature,
    },
    /// Retire a device.
    RetireDevice(DeviceId),
    /// Review a device: its account one that is in quarantine, the council any.
    ReviewDevice(DeviceId),
    /// Mark a device as verified; the council.
    VerifyDevice(DeviceId),
    /// Take a device's verification back; the council.
    UnverifyDevice(DeviceId),
    /// Ban an account; the council.
    Ban(AccountId),
    /// Lift the ban of an account; the council.
    LiftBan(AccountId),
    /// Admit an operator's masternode; the council.
    AddMasternode(AccountId),
    /// Expel an operator's masternode; the council.
    RemoveMasternode(AccountId),
    /// Give an account a seat in the council; the council.
    AddMember(AccountId),
    /// Take an account's seat in the council; the council.
    RemoveMember(AccountId),
    /// Set how many whole ByteChips a dollar buys; the council.
    SetRate(u32),
    /// Name the treasurer; the council.
    SetTreasurer(AccountId),
    /// Propose a motion; a member of the council. With a threshold of 1 its call is made at once.
    ProposeMotion {
        /// The members that must vote for it.
        threshold: u32,
        /// The call that is made if they do.
        call: EncodedCall,
    },
    /// Vote on a motion; a member of the council.
    VoteOnMotion {
        /// The digest of the motion's call.
        motion: Digest,
        /// The motion's number.
        number: u32,
        /// For it, or against it.
        aye: bool,
    },
    /// End a motion that is decided, and make its call if it is accepted. Anyone may.
    CloseMotion {
        /// The motion's number.
        number: u32,
        /// Its call.
        call: EncodedCall,
        /// What that may take of a block.
        weight: CallWeight,
    },
    /// Record a purchase; the treasurer.
    RecordPurchase {
        /// The payment's reference; each is taken once.
        reference: Vec<u8>,
        /// Who bought.
        buyer: AccountId,
        /// What was paid, in US cents.
        cents: u64,
    },
    /// Ask for money to be paid out.
    RequestPayout {
        /// How much.
        amount: Amount,
        /// Digest of where to, which is told to the treasurer beside the chain.
        destination: Digest,
    },
    /// Mark a payout as made; the treasurer.
    CompletePayout {
        /// The payout.
        payout: u64,
        /// The payment's reference.
        reference: Vec<u8>,
    },
    /// Send a payout's money back; the treasurer.
    ReturnPayout(u64),
    /// Publish where a masternode is reached; the masternode.
    PublishEndpoints(Endpoints),
    /// Say by which keys a validator takes part in consensus; the operator.
    SetSessionKeys(SessionKeys),
    /// Show the chain a lie. It takes the bond of a dispute, and keeps it if nothing is wrong.
    Dispute(Box<Evidence>),
    /// Add the next verdicts of a batch to a dispute that adds up; who began it.
    AddToDispute {
        /// The dispute.
        dispute: DisputeId,
        /// The verdicts' bytes, in the order of the batch's tree.
        verdicts: Step,
    },
    /// Answer what a dispute asks. Anyone may.
    AnswerDispute {
        /// The dispute.
        dispute: DisputeId,
        /// The answer.
        reply: Box<Reply>,
    },
    /// End a dispute whose time is over. Anyone may.
    ExpireDispute(DisputeId),
    /// What is done about data that are kept.
    Custody(Box<CustodyCall>),
    /// Send money.
    Transfer {
        /// To whom.
        to: AccountId,
        /// How much.
        amount: Amount,
    },
}

impl Call {
    /// Pallet and call as the runtime names them, and the encoded arguments.
    pub(crate) fn parts(&self) -> (&'static str, &'static str, Vec<u8>) {
        match self {
            Self::SubmitJob(submission) => ("Jobs", "submit", submission.encode()),
            Self::CancelJob(job) => ("Jobs", "cancel", job.encode()),
            Self::RefundJob(job) => ("Jobs", "refund", job.encode()),
            Self::Finalise(job, sequence) => ("Jobs", "finalise", (job, sequence).encode()),
            Self::Settle(certified) => ("Jobs", "settle", certified.encode()),
            Self::TakeOver(job) => ("Jobs", "take_over", job.encode()),
            Self::Dispute(evidence) => ("Disputes", "dispute", evidence.encode()),
            Self::AddToDispute { dispute, verdicts } => {
                ("Disputes", "step", (dispute, verdicts).encode())
            }
            Self::AnswerDispute { dispute, reply } => {
                ("Disputes", "answer", (dispute, reply).encode())
            }
            Self::ExpireDispute(dispute) => ("Disputes", "expire", dispute.encode()),
            Self::CloseFailed(end) => ("Jobs", "close_failed", end.encode()),
            Self::SetPrices(prices) => ("Jobs", "set_prices", prices.encode()),
            Self::SetParameter { parameter, value } => {
                ("Params", "set", (parameter, value).encode())
            }
            Self::Bond(amount) => ("Workforce", "bond", amount.encode()),
            Self::Unbond(amount) => ("Workforce", "unbond", amount.encode()),
            Self::WithdrawUnbonded => ("Workforce", "withdraw_unbonded", vec![]),
            Self::BondMasternode(amount) => ("Roster", "bond", amount.encode()),
            Self::UnbondMasternode(amount) => ("Roster", "unbond", amount.encode()),
            Self::WithdrawMasternodeBond => ("Roster", "withdraw_unbonded", vec![]),
            Self::RegisterDevice {
                device,
                sealing_key,
                region,
                hardware,
                possession,
            } => (
                "Workforce",
                "register_device",
                (device, sealing_key, region, hardware, possession).encode(),
            ),
            Self::RetireDevice(device) => ("Workforce", "retire_device", device.encode()),
            Self::ReviewDevice(device) => ("Workforce", "review", device.encode()),
            Self::VerifyDevice(device) => ("Roster", "verify_device", device.encode()),
            Self::UnverifyDevice(device) => ("Roster", "unverify_device", device.encode()),
            Self::Ban(account) => ("Roster", "ban", account.encode()),
            Self::LiftBan(account) => ("Roster", "lift_ban", account.encode()),
            Self::AddMasternode(account) => ("Roster", "add_masternode", account.encode()),
            Self::RemoveMasternode(account) => ("Roster", "remove_masternode", account.encode()),
            Self::AddMember(account) => ("CouncilMembers", "add_member", by_id(account)),
            Self::RemoveMember(account) => ("CouncilMembers", "remove_member", by_id(account)),
            Self::SetRate(bytechips) => ("Bytechip", "set_rate", bytechips.encode()),
            Self::SetTreasurer(account) => ("Bytechip", "set_treasurer", account.encode()),
            Self::ProposeMotion { threshold, call } => {
                let mut arguments = Compact(*threshold).encode();
                arguments.extend_from_slice(&call.bytes);
                Compact(length_of(&call.bytes)).encode_to(&mut arguments);
                ("Council", "propose", arguments)
            }
            Self::VoteOnMotion {
                motion,
                number,
                aye,
            } => ("Council", "vote", (motion, Compact(*number), aye).encode()),
            Self::CloseMotion {
                number,
                call,
                weight,
            } => {
                let weight = (Compact(weight.ref_time), Compact(weight.proof_size));
                let length = Compact(length_of(&call.bytes));
                let arguments = (call.hash, Compact(*number), weight, length);
                ("Council", "close", arguments.encode())
            }
            Self::RecordPurchase {
                reference,
                buyer,
                cents,
            } => (
                "Bytechip",
                "record_purchase",
                (reference, buyer, cents).encode(),
            ),
            Self::RequestPayout {
                amount,
                destination,
            } => ("Bytechip", "request_payout", (amount, destination).encode()),
            Self::CompletePayout { payout, reference } => {
                ("Bytechip", "complete_payout", (payout, reference).encode())
            }
            Self::ReturnPayout(payout) => ("Bytechip", "return_payout", payout.encode()),
            Self::PublishEndpoints(endpoints) => {
                let addresses: Vec<&[u8]> = endpoints
                    .device_addresses
                    .iter()
                    .map(|address| address.as_bytes())
                    .collect();
                let arguments = (
                    endpoints.network_key,
                    endpoints.sealing_key,
                    addresses,
                    endpoints.jobs_api.as_bytes(),
                );
                ("Roster", "publish_endpoints", arguments.encode())
            }
            Self::SetSessionKeys(SessionKeys { keys, proof }) => {
                let arguments = [&keys[..], &proof.encode()].concat();
                ("Session", "set_keys", arguments)
            }
            Self::Custody(call) => {
                let (name, arguments) = call.parts();
                ("Custody", name, arguments)
            }
            Self::Transfer { to, amount } => {
                let mut arguments = by_id(to);
                Compact(*amount).encode_to(&mut arguments);
                ("Balances", "transfer_keep_alive", arguments)
            }
        }
    }
}

/// An account as the stock pallets take it: `MultiAddress::Id`.
fn by_id(account: &AccountId) -> Vec<u8> {
    (0u8, account).encode()
}

/// Arguments that are encoded already.
pub(crate) struct Encoded(pub(crate) Vec<u8>);

impl EncodeAsFields for Encoded {
    fn encode_as_fields_to<R: scale_encode::TypeResolver>(
        &self,
        _fields: &mut dyn scale_encode::FieldIter<'_, R::TypeId>,
        _types: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), scale_encode::Error> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_keys_stand_as_they_are_before_the_proof_and_its_length() {
        let made = SessionKeys {
            keys: vec![1, 2],
            proof: vec![3],
        };
        let expected = ("Session", "set_keys", vec![1, 2, 4, 3]);
        assert_eq!(Call::SetSessionKeys(made).parts(), expected);
    }

    #[test]
    fn a_motion_carries_its_call_as_it_is_and_tells_its_length() {
        let call = EncodedCall {
            pallet: "Roster".into(),
            name: "ban".into(),
            bytes: vec![13, 3, 9],
            hash: Digest([7; 32]),
        };
        assert_eq!(call.arguments(), [9]);
        let propose = Call::ProposeMotion {
            threshold: 2,
            call: call.clone(),
        };
        // Numbers are compact: four times themselves.
        let proposed = ("Council", "propose", vec![8, 13, 3, 9, 12]);
        assert_eq!(propose.parts(), proposed);
        let close = Call::CloseMotion {
            number: 5,
            call,
            weight: CallWeight {
                ref_time: 10,
                proof_size: 0,
            },
        };
        let closed = [&[7; 32][..], &[20, 40, 0, 12]].concat();
        assert_eq!(close.parts(), ("Council", "close", closed));
        let vote = Call::VoteOnMotion {
            motion: Digest([7; 32]),
            number: 5,
            aye: true,
        };
        let voted = [&[7; 32][..], &[20, 1]].concat();
        assert_eq!(vote.parts(), ("Council", "vote", voted));
    }
}
