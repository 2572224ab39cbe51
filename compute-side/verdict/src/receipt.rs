//! Whether a receipt is about the replica it should be about, and signed by its device.

use quern_primitives::{
    device::Class,
    ids::{DeviceId, Digest, GenesisHash, JobId, ProgramHash, ReplicaIndex, TaskIndex},
    receipt::{Exit, Receipt, SignedReceipt},
};

/// What a receipt must state, because it was so assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device it was given to.
    pub device: DeviceId,
    /// The program it was to run.
    pub program: ProgramHash,
    /// The chunk root of the shard.
    pub input_root: Digest,
    /// The commitment to the arguments and limits that it was to be run with; none where they are not known.
    pub question: Option<Digest>,
    /// The class to run in.
    pub class: Class,
    /// The engine the device said it has for this class.
    pub engine: Digest,
    /// The place in the job log of the assignment.
    pub log_position: u64,
    /// Fuel it may have used.
    pub fuel_max: u64,
    /// Bytes its result may have.
    pub result_bytes_max: u64,
}

/// What is wrong with a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// It is about something else than what was assigned.
    #[error("the receipt's {field} is not the assigned one")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// It states more than the limits allow.
    #[error("the receipt's {field} is over the limit of the task")]
    OverLimit {
        /// Which field.
        field: &'static str,
    },
    /// The signature is not the device's over this receipt for this chain.
    #[error("the signature does not hold")]
    Signature,
}

/// Checks a receipt against what was assigned. The signature comes last because it costs most.
pub fn check_receipt(
    signed: &SignedReceipt,
    expected: &Expected,
    genesis: &GenesisHash,
) -> Result<(), ReceiptFault> {
    check_statement(&signed.payload, expected)?;
    match signed.is_signed_by(&expected.device, genesis) {
        true => Ok(()),
        false => Err(ReceiptFault::Signature),
    }
}

/// Checks what a receipt states against what was assigned, and not who signed it.
pub fn check_statement(receipt: &Receipt, expected: &Expected) -> Result<(), ReceiptFault> {
    let same = [
        ("job", receipt.job == expected.job),
        ("task", receipt.task == expected.task),
        ("replica", receipt.replica == expected.replica),
        ("device", receipt.device == expected.device),
        ("program", receipt.program == expected.program),
        ("input root", receipt.input_root == expected.input_root),
        (
            "question",
            expected.question.is_none_or(|it| it == receipt.question),
        ),
        ("class", receipt.class == expected.class),
        ("engine", receipt.engine == expected.engine),
        (
            "log position",
            receipt.log_position == expected.log_position,
        ),
    ];
    if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
        return Err(ReceiptFault::Field { field });
    }
    if receipt.fuel > expected.fuel_max {
        return Err(ReceiptFault::OverLimit { field: "fuel" });
    }
    let result_bytes_max = match receipt.exit {
        Exit::Success => expected.result_bytes_max,
        _ => 0,
    };
    if receipt.result_bytes > result_bytes_max {
        return Err(ReceiptFault::OverLimit {
            field: "result length",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::payload::DeviceKey;

    const HERE: GenesisHash = GenesisHash([9; 32]);

    /// A field's name, and how to falsify it.
    type Change = (&'static str, fn(&mut Receipt));

    fn key() -> DeviceKey {
        DeviceKey::from_seed(&[3; 32])
    }

    fn receipt() -> Receipt {
        Receipt {
            job: JobId([1; 32]),
            task: 4,
            replica: 1,
            device: key().id(),
            program: ProgramHash([2; 32]),
            input_root: Digest([3; 32]),
            question: Digest([46; 32]),
            result_commitment: Digest([4; 32]),
            output_root: Digest([5; 32]),
            result_bytes: 10,
            fuel: 1000,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: Digest([6; 32]),
            log_position: 77,
            salt: [90; 32].into(),
        }
    }

    fn expected() -> Expected {
        let receipt = receipt();
        Expected {
            job: receipt.job,
            task: receipt.task,
            replica: receipt.replica,
            device: receipt.device,
            program: receipt.program,
            input_root: receipt.input_root,
            question: Some(receipt.question),
            class: receipt.class,
            engine: receipt.engine,
            log_position: receipt.log_position,
            fuel_max: 1000,
            result_bytes_max: 10,
        }
    }

    #[test]
    fn an_honest_receipt_holds() {
        assert_eq!(
            check_receipt(&key().sign(receipt(), &HERE), &expected(), &HERE),
            Ok(())
        );
    }

    #[test]
    fn a_receipt_about_something_else_is_named_by_its_field() {
        let changes: [Change; 10] = [
            ("job", |r| r.job.0[0] ^= 1),
            ("task", |r| r.task += 1),
            ("replica", |r| r.replica += 1),
            ("device", |r| r.device.0[0] ^= 1),
            ("program", |r| r.program.0[0] ^= 1),
            ("input root", |r| r.input_root.0[0] ^= 1),
            ("question", |r| r.question.0[0] ^= 1),
            ("class", |r| r.class = Class::Portable),
            ("engine", |r| r.engine.0[0] ^= 1),
            ("log position", |r| r.log_position += 1),
        ];
        for (field, change) in changes {
            let mut receipt = receipt();
            change(&mut receipt);
            assert_eq!(
                check_receipt(&key().sign(receipt, &HERE), &expected(), &HERE),
                Err(ReceiptFault::Field { field })
            );
        }
    }

    #[test]
    fn a_receipt_over_the_tasks_limits_does_not_hold() {
        let changes: [Change; 3] = [
            ("fuel", |r| r.fuel += 1),
            ("result length", |r| r.result_bytes += 1),
            ("result length", |r| r.exit = Exit::Trap),
        ];
        for (field, change) in changes {
            let mut receipt = receipt();
            change(&mut receipt);
            assert_eq!(
                check_receipt(&key().sign(receipt, &HERE), &expected(), &HERE),
                Err(ReceiptFault::OverLimit { field })
            );
        }
    }

    #[test]
    fn a_receipt_of_another_chain_or_signer_does_not_hold() {
        let elsewhere = key().sign(receipt(), &GenesisHash([8; 32]));
        assert_eq!(
            check_receipt(&elsewhere, &expected(), &HERE),
            Err(ReceiptFault::Signature)
        );
        let other = DeviceKey::from_seed(&[4; 32]).sign(receipt(), &HERE);
        assert_eq!(
            check_receipt(&other, &expected(), &HERE),
            Err(ReceiptFault::Signature)
        );
    }
}
