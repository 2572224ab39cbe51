//! Evidence that names a batch, and hangs on its tree and on its log.

use super::{
    Attempts, NO_BATCH, NO_JOB, NO_TASK, judged, not_in_batch, not_in_log, of_no_job, questions,
};
use crate::disputes::Error;
use quern_dispute_rules::{
    Evidence,
    evidence::{Certified, Input, Leaf, Logged, Withheld},
};
use quern_primitives::{log::SignedAcknowledgement, receipt::SignedReceipt};

impl Attempts<'_> {
    pub(super) fn verdicts(&mut self) {
        let case = self.case;
        let batch = case.name();
        for place in [0, 1] {
            let leaf = case.leaf(place);
            for leaf in not_in_batch(&leaf) {
                self.refused(Evidence::Verdict { batch, leaf }, Error::NotInBatch);
            }
            self.in_order(Evidence::Verdict { batch, leaf });
        }
    }

    pub(super) fn receipts(&mut self) {
        let case = self.case;
        let batch = case.name();
        let shown = |leaf: Leaf, receipt: &SignedReceipt, input: Option<Input>| {
            let receipt = Box::new(receipt.clone());
            Evidence::Receipt {
                batch,
                leaf,
                receipt,
                input,
            }
        };
        let (leaf, own) = (case.leaf(0), &case.receipts[0]);
        self.in_order(shown(leaf.clone(), own, None));
        self.in_order(shown(leaf.clone(), own, Some(case.input(0))));
        for leaf in not_in_batch(&leaf) {
            self.refused(shown(leaf, own, None), Error::NotInBatch);
        }
        self.refused(shown(case.leaf(1), own, None), Error::Unrelated);
        let mut unsigned = own.clone();
        unsigned.signature.0[3] ^= 1;
        self.refused(shown(leaf.clone(), &unsigned, None), Error::Unrelated);
        let mut other = case.input(0);
        other.root.0[0] ^= 1;
        for input in [case.input(1), other] {
            let evidence = shown(leaf.clone(), own, Some(input));
            self.refused(evidence, Error::Unrelated);
        }
    }

    pub(super) fn unassigned(&mut self) {
        let case = self.case;
        let batch = case.name();
        let shown = |leaf: Leaf, receipt: &SignedReceipt, entry: Certified| {
            let (receipt, entry) = (Box::new(receipt.clone()), Box::new(entry));
            Evidence::Unassigned {
                batch,
                leaf,
                receipt,
                entry,
            }
        };
        let (leaf, own) = (case.leaf(0), &case.receipts[0]);
        let at = own.payload.log_position;
        let given = case.in_log(at);
        self.in_order(shown(leaf.clone(), own, given.clone()));
        for leaf in not_in_batch(&leaf) {
            self.refused(shown(leaf, own, given.clone()), Error::NotInBatch);
        }
        let branches = [self.forged.in_log(at), self.elsewhere.in_log(at)];
        for entry in not_in_log(&given).into_iter().chain(branches) {
            self.refused(shown(leaf.clone(), own, entry), Error::NotInLog);
        }
        let other = &case.receipts[1];
        self.refused(shown(case.leaf(1), own, given.clone()), Error::Unrelated);
        self.refused(shown(leaf.clone(), other, given), Error::Unrelated);
        let revealed = case.in_log(at + 1);
        self.refused(shown(leaf, own, revealed), Error::Unrelated);
    }

    pub(super) fn other_verdicts(&mut self) {
        let case = self.case;
        let batch = case.name();
        let shown = |leaf: Leaf, entry: Certified| {
            let entry = Box::new(entry);
            Evidence::OtherVerdict { batch, leaf, entry }
        };
        let (leaf, at) = (case.leaf(0), judged(case, 0));
        let same = case.in_log(at);
        self.in_order(shown(leaf.clone(), same.clone()));
        for leaf in not_in_batch(&leaf) {
            self.refused(shown(leaf, same.clone()), Error::NotInBatch);
        }
        let branches = [self.forged.in_log(at), self.elsewhere.in_log(at)];
        for entry in not_in_log(&same).into_iter().chain(branches) {
            self.refused(shown(leaf.clone(), entry), Error::NotInLog);
        }
        for position in [0, judged(case, 1)] {
            let entry = case.in_log(position);
            self.refused(shown(leaf.clone(), entry), Error::Unrelated);
        }
    }

    pub(super) fn omissions(&mut self) {
        let case = self.case;
        let batch = case.name();
        let shown =
            |acknowledgement: SignedAcknowledgement, leaf: Option<Leaf>| Evidence::Omission {
                batch,
                acknowledgement,
                leaf,
            };
        let receipt = &case.receipts[0];
        let own = case.acknowledge(receipt);
        self.in_order(shown(own.clone(), None));
        self.in_order(shown(own.clone(), Some(case.leaf(0))));
        for leaf in not_in_batch(&case.leaf(0)) {
            self.refused(shown(own.clone(), Some(leaf)), Error::NotInBatch);
        }
        self.refused(shown(own.clone(), Some(case.leaf(1))), Error::Unrelated);
        let mut unsigned = own.clone();
        unsigned.signature.0[3] ^= 1;
        let (forged, elsewhere) = (
            self.forged.acknowledge(receipt),
            self.elsewhere.acknowledge(receipt),
        );
        for acknowledgement in [unsigned, forged, elsewhere] {
            for leaf in [None, Some(case.leaf(0))] {
                self.refused(shown(acknowledgement.clone(), leaf), Error::NotSigned);
            }
        }
        let (mut of_no_job, mut of_no_task) = (own.clone(), own);
        of_no_job.payload.job = NO_JOB;
        of_no_task.payload.task = NO_TASK;
        self.refused(shown(of_no_job, None), Error::OtherJob);
        self.refused(shown(of_no_task, None), Error::NotInBatch);
    }

    pub(super) fn withheld(&mut self) {
        let case = self.case;
        let batch = case.name();
        let shown = |what: Withheld| Evidence::Withheld { batch, what };
        for evidence in questions(case) {
            let Evidence::Withheld { what, .. } = &evidence else {
                continue;
            };
            // What is asked at another place, and what there is nothing to be asked of.
            let (misplaced, unasked) = match what {
                Withheld::Verdict { .. } => (vec![Withheld::Verdict { task: NO_TASK }], None),
                Withheld::Receipt { leaf, finding } => {
                    let misplaced = not_in_batch(leaf).map(|leaf| Withheld::Receipt {
                        leaf,
                        finding: *finding,
                    });
                    let unasked = Withheld::Receipt {
                        leaf: leaf.clone(),
                        finding: 9,
                    };
                    (misplaced.to_vec(), Some(unasked))
                }
                Withheld::Report { leaf } => {
                    let misplaced = not_in_batch(leaf).map(|leaf| Withheld::Report { leaf });
                    let leaf = case.leaf(0);
                    (misplaced.to_vec(), Some(Withheld::Report { leaf }))
                }
            };
            for what in misplaced {
                self.refused(shown(what), Error::NotInBatch);
            }
            if let Some(what) = unasked {
                self.refused(shown(what), Error::Unrelated);
            }
            self.in_order(evidence);
        }
    }

    pub(super) fn assignments(&mut self) {
        let batch = self.case.name();
        self.given(|entry| Evidence::Assignment { batch, entry });
        self.given(|entry| Evidence::OtherLane { batch, entry });
    }

    /// What is shown of an entry that gives a replica to a device.
    fn given(&mut self, of: impl Fn(Box<Certified>) -> Evidence) {
        let case = self.case;
        let shown = |entry: Certified| of(Box::new(entry));
        let at = case.receipts[0].payload.log_position;
        let given = case.in_log(at);
        self.in_order(shown(given.clone()));
        let branches = [self.forged.in_log(at), self.elsewhere.in_log(at)];
        for entry in not_in_log(&given).into_iter().chain(branches) {
            self.refused(shown(entry), Error::NotInLog);
        }
        for position in [0, at + 1, judged(case, 0)] {
            self.refused(shown(case.in_log(position)), Error::Unrelated);
        }
    }

    pub(super) fn other_batches(&mut self) {
        let case = self.case;
        let batch = case.name();
        let shown = |entry: Logged| {
            let entry = Box::new(entry);
            Evidence::OtherBatch { batch, entry }
        };
        let settled = case.whole_batch();
        let same = case.written_down(settled.clone());
        self.in_order(shown(same.clone()));
        let (mut moved, mut later) = (same.clone(), settled.clone());
        moved.place ^= 1;
        self.refused(shown(moved), Error::NotInLog);
        later.sequence = NO_BATCH;
        for unrelated in [case.logged(0), case.written_down(later)] {
            self.refused(shown(unrelated), Error::Unrelated);
        }
        let (mut changed, mut of_another) = (same.clone(), same);
        changed.header.payload.time_ms += 1;
        of_another.header = of_no_job(of_another.header);
        self.refused(shown(of_another), Error::OtherJob);
        let mut other = settled;
        other.spent += 1;
        // What the batch's own coordinator did not sign for this chain, whatever it says.
        let [forged, elsewhere] =
            [&self.forged, &self.elsewhere].map(|it| it.written_down(other.clone()));
        for entry in [changed, forged, elsewhere] {
            self.refused(shown(entry), Error::NotSigned);
        }
    }
}
