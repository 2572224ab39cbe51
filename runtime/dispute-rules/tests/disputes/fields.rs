//! Things with one field other than it was.

use crate::world::{DEVICES, Dice, ELSEWHERE, HERE, account, device_key, node};
use quern_dispute_rules::{
    Evidence, Reply,
    evidence::{BatchName, Certified, FalseReport, Input, Leaf, Logged, Withheld, WrongAnswer},
};
use quern_joblog::Fork;
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, Digest, JobId, NodeKey, ProgramHash, RevealSalt},
    log::{Acknowledgement, Certificate, Header, RefereeReport, SignedAcknowledgement},
    merkle::Proof,
    payload::{DeviceSignature, NodeSignature, NodeSigned, Signed, SignedPayload},
    receipt::{Answer, Exit, Receipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use sp_core::{Get, bounded::BoundedVec};

/// Masternodes of a world's group, and one that is none.
const NODES: usize = 4;

/// A thing that can be other than it is.
pub(crate) trait Changed: Sized {
    /// Copies of it, each other in one field; how, is chance's to say.
    fn changed(&self, dice: &mut Dice) -> Vec<Self>;
}

/// Which of these there is beside this one.
fn others<T: PartialEq>(of: &T, all: impl IntoIterator<Item = T>) -> Vec<T> {
    all.into_iter().filter(|it| it != of).collect()
}

/// With one bit changed.
fn flipped<const N: usize>(of: &[u8; N], dice: &mut Dice) -> [u8; N] {
    let mut bytes = *of;
    bytes[dice.below(N)] ^= 1 << dice.below(8);
    bytes
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Changed for $number {
            fn changed(&self, dice: &mut Dice) -> Vec<Self> {
                let bit: $number = 1 << dice.below(<$number>::BITS as usize);
                vec![self.wrapping_add(1), *self ^ bit]
            }
        }
    )*};
}

numbers!(u8, u32, u64, u128);

macro_rules! bytes {
    ($($name:ident),*) => {$(
        impl Changed for $name {
            fn changed(&self, dice: &mut Dice) -> Vec<Self> {
                vec![Self(flipped(&self.0, dice))]
            }
        }
    )*};
}

bytes!(
    Digest,
    JobId,
    ProgramHash,
    RevealSalt,
    DeviceSignature,
    NodeSignature
);

impl Changed for DeviceId {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let another = device_key(dice.below(DEVICES)).id();
        others(self, [Self(flipped(&self.0, dice)), another])
    }
}

impl Changed for NodeKey {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let all = (0..NODES).map(|it| node(it).public());
        others(self, all.chain([Self(flipped(&self.0, dice))]))
    }
}

impl Changed for AccountId {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let bytes: &[u8; 32] = self.as_ref();
        let flipped = Self::new(flipped(bytes, dice));
        others(self, [flipped, account(dice.below(DEVICES))])
    }
}

macro_rules! choices {
    ($($name:ident: $($choice:expr),*;)*) => {$(
        impl Changed for $name {
            fn changed(&self, _: &mut Dice) -> Vec<Self> {
                others(self, [$($choice),*])
            }
        }
    )*};
}

choices! {
    Class: Self::Pinned, Self::Portable;
    Exit: Self::Success, Self::Code(1), Self::Trap, Self::OutOfFuel;
    Ground: Self::Unanimous, Self::Majority, Self::Trusted, Self::Referee, Self::Vote;
    Finding: Self::Accepted, Self::Incorrect, Self::Failed, Self::Delayed;
}

impl<T: Changed> Changed for Box<T> {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        T::changed(self, dice).into_iter().map(Self::new).collect()
    }
}

impl<T: Changed> Changed for Option<T> {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let Some(it) = self else {
            return vec![];
        };
        let there = it.changed(dice).into_iter().map(Some);
        there.chain([None]).collect()
    }
}

impl<A: Changed + Clone, B: Changed + Clone> Changed for (A, B) {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let (one, other) = self;
        let ones = one.changed(dice).into_iter();
        let mut all: Vec<_> = ones.map(|it| (it, other.clone())).collect();
        let rest = other.changed(dice).into_iter();
        all.extend(rest.map(|it| (one.clone(), it)));
        all
    }
}

/// One fewer, one twice, all turned, and one changed.
impl<T: Changed + Clone> Changed for Vec<T> {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        if self.is_empty() {
            return vec![];
        }
        let at = dice.below(self.len());
        let [mut fewer, mut more, mut turned] = [self.clone(), self.clone(), self.clone()];
        fewer.remove(at);
        more.insert(at, self[at].clone());
        turned.rotate_left(1);
        let mut all = vec![fewer, more, turned];
        for other in self[at].changed(dice) {
            let mut copy = self.clone();
            copy[at] = other;
            all.push(copy);
        }
        all
    }
}

impl<T: Changed + Clone, S: Get<u32>> Changed for BoundedVec<T, S> {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let all = self.to_vec().changed(dice).into_iter();
        all.filter_map(|it| it.try_into().ok()).collect()
    }
}

/// What a device signed: beside what is in it, by another device and for another chain.
impl<P: Changed + Clone + SignedPayload> Changed for Signed<P> {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let signature = self.signature;
        let payloads = self.payload.changed(dice).into_iter();
        let mut all: Vec<_> = payloads
            .map(|payload| Self { payload, signature })
            .collect();
        let said = || self.payload.clone();
        let forged = signature.changed(dice).into_iter().map(|signature| Self {
            payload: said(),
            signature,
        });
        all.extend(forged);
        let is_signer = |it: &usize| self.is_signed_by(&device_key(*it).id(), &HERE);
        if let Some(signer) = (0..DEVICES).find(is_signer) {
            let another = (signer + 1 + dice.below(DEVICES - 1)) % DEVICES;
            all.push(device_key(another).sign(said(), &HERE));
            all.push(device_key(signer).sign(said(), &ELSEWHERE));
        }
        all
    }
}

/// The same of what a masternode signed.
impl<P: Changed + Clone + SignedPayload> Changed for NodeSigned<P> {
    fn changed(&self, dice: &mut Dice) -> Vec<Self> {
        let signature = self.signature;
        let payloads = self.payload.changed(dice).into_iter();
        let mut all: Vec<_> = payloads
            .map(|payload| Self { payload, signature })
            .collect();
        let said = || self.payload.clone();
        let forged = signature.changed(dice).into_iter().map(|signature| Self {
            payload: said(),
            signature,
        });
        all.extend(forged);
        let is_signer = |it: &usize| self.is_signed_by(&node(*it).public(), &HERE);
        if let Some(signer) = (0..NODES).find(is_signer) {
            let another = (signer + 1 + dice.below(NODES - 1)) % NODES;
            all.push(node(another).sign(said(), &HERE));
            all.push(node(signer).sign(said(), &ELSEWHERE));
        }
        all
    }
}

/// A struct, by all of its fields: one that is missing here does not compile.
macro_rules! fields {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Changed for $name {
            fn changed(&self, dice: &mut Dice) -> Vec<Self> {
                let Self { $($field),* } = self;
                let mut all = vec![];
                $(
                    for other in $field.changed(dice) {
                        all.push(Self { $field: other, ..Clone::clone(self) });
                    }
                )*
                all
            }
        }
    )*};
}

fields! {
    BatchName { job, sequence }
    Leaf { bytes, place, siblings }
    Input { root, siblings }
    Logged { header, entry, place, siblings }
    Certified { logged, links }
    WrongAnswer { batch, receipt, input, assignment, report, referees }
    FalseReport { node, said, answer, referees }
    Fork { place, first, second }
    Header { job, index, previous, skip, time_ms, first, count, bytes, entries_root }
    Certificate { job, sequence, index, head, batch }
    Acknowledgement { job, task, replica, device, receipt, position }
    SignedAcknowledgement { payload, proof, signature }
    Proof { index, count, siblings }
    RefereeReport { job, task, question, answer }
    Answer { result_commitment, result_bytes, fuel, exit }
    Receipt {
        job, task, replica, device, program, input_root, question, result_commitment, output_root,
        result_bytes, fuel, exit, class, engine, log_position, salt
    }
    ReplicaFinding { replica, device, account, finding, receipt, pay }
    Verdict { job, task, answer, ground, price, replicas }
}

/// An enum, by all fields of all of its variants: one that is missing here does not compile. Behind the
/// semicolon are those without names for their fields.
macro_rules! variants {
    ($($name:ident {
        $($variant:ident { $($field:ident),* })*
        $(; $($whole:ident)*)?
    })*) => {$(
        impl Changed for $name {
            fn changed(&self, dice: &mut Dice) -> Vec<Self> {
                let mut all = vec![];
                match self {
                    $(Self::$variant { $($field),* } => {
                        $(
                            for other in $field.changed(dice) {
                                let mut copy = self.clone();
                                if let Self::$variant { $field, .. } = &mut copy {
                                    *$field = other;
                                }
                                all.push(copy);
                            }
                        )*
                    })*
                    $($(Self::$whole(it) => {
                        all.extend(it.changed(dice).into_iter().map(Self::$whole));
                    })*)?
                }
                all
            }
        }
    )*};
}

variants! {
    Evidence {
        Verdict { batch, leaf }
        Receipt { batch, leaf, receipt, input }
        Unassigned { batch, leaf, receipt, entry }
        OtherVerdict { batch, leaf, entry }
        Blocks { node, fork }
        Certificates { member, node, fork, first, second }
        Entries { node, first, second }
        Payouts { batch }
        Omission { batch, acknowledgement, leaf }
        Withheld { batch, what }
        Assignment { batch, entry }
        Answers { first, second }
        OtherBatch { batch, entry }
        OtherLane { batch, entry }
        ; WrongAnswer FalseReport
    }
    Withheld {
        Verdict { task }
        Receipt { leaf, finding }
        Report { leaf }
    }
    Reply {
        Report { report, node }
        Reports { report, signed }
        ; Verdict Receipt
    }
}
