//! The calls that the compute side makes, encoded from the types that the runtime decodes.

use codec::Encode;
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, JobId, SealingKey, TaskIndex,
    batch::Batch,
    device::{Hardware, Region},
    job::{Failure, Prices, Submission},
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
    /// Settle a batch; the job's coordinator.
    Settle(Box<Batch>),
    /// End a job of which a task cannot be settled; the job's coordinator.
    CloseFailed {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// What is wrong with it.
        why: Failure,
    },
    /// Set the prices of later jobs; the council.
    SetPrices(Prices),
    /// Hold money as a bond.
    Bond(Amount),
    /// Begin to take bonded money back.
    Unbond(Amount),
    /// Take back what has waited long enough.
    WithdrawUnbonded,
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
    /// Review a device that is in quarantine; its account.
    ReviewDevice(DeviceId),
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
            Self::Settle(batch) => ("Jobs", "settle", batch.encode()),
            Self::CloseFailed { job, task, why } => {
                ("Jobs", "close_failed", (job, task, why).encode())
            }
            Self::SetPrices(prices) => ("Jobs", "set_prices", prices.encode()),
            Self::Bond(amount) => ("Workforce", "bond", amount.encode()),
            Self::Unbond(amount) => ("Workforce", "unbond", amount.encode()),
            Self::WithdrawUnbonded => ("Workforce", "withdraw_unbonded", vec![]),
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
            Self::Transfer { to, amount } => {
                // `MultiAddress::Id` and a compact amount, as the stock pallet takes them.
                let arguments = (0u8, to, codec::Compact(*amount));
                ("Balances", "transfer_keep_alive", arguments.encode())
            }
        }
    }
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
