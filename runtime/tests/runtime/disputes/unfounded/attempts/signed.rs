//! Evidence of what somebody signed beside what a batch says: masternodes twice, devices wrongly.

use super::{Attempts, ELSEWHERE, NO_DEVICE, NO_JOB, judged, not_in_log, of_no_job};
use crate::disputes::{
    Error,
    case::{answer, device, node},
    other_answer,
};
use quern_dispute_rules::{
    Evidence,
    evidence::{FalseReport, Logged, WrongAnswer},
};
use quern_joblog::{Certificate, Fork, Header, SignedCertificate, SignedHeader};
use quern_primitives::{
    Digest, NodeKey,
    log::RefereeReport,
    payload::NodeSignature,
    receipt::{Receipt, SignedReceipt},
};

impl Attempts<'_> {
    pub(super) fn blocks(&mut self) {
        let shown = |node: NodeKey, first: SignedHeader, second: SignedHeader| {
            let place = 0;
            let fork = Box::new(Fork {
                place,
                first,
                second,
            });
            Evidence::Blocks { node, fork }
        };
        let (own, next) = (self.case.blocks[0].header, self.case.blocks[1].header);
        let (forged, elsewhere) = (
            self.forged.blocks[0].header,
            self.elsewhere.blocks[0].header,
        );
        let writer = self.writer().public();
        self.refused(shown(writer, own, own), Error::Unrelated);
        self.refused(shown(writer, own, next), Error::Unrelated);
        self.refused(shown(writer, own, forged), Error::NotSigned);
        self.refused(shown(writer, own, elsewhere), Error::NotSigned);
        self.refused(shown(writer, own, of_no_job(own)), Error::OtherJob);
        self.refused(shown(writer, of_no_job(own), own), Error::JobUnknown);
        let stranger = Self::stranger().public();
        self.refused(shown(stranger, own, forged), Error::NobodyAnswers);
    }

    pub(super) fn certificates(&mut self) {
        let genesis = self.case.genesis;
        let (writer, stranger) = (self.writer(), Self::stranger());
        let accused = writer.public();
        // Both branches are the stranger's, and so are the certificates.
        let first = self.forged.blocks[0].header;
        let payload = Header {
            time_ms: first.payload.time_ms + 1,
            ..first.payload
        };
        let second = stranger.sign(payload, &genesis);
        let fork = |first: SignedHeader, second: SignedHeader| {
            let place = 0;
            Box::new(Fork {
                place,
                first,
                second,
            })
        };
        let said = |header: &SignedHeader| Certificate {
            job: header.payload.job,
            sequence: 0,
            index: 0,
            head: header.payload.hash(&genesis),
            batch: Digest::default(),
        };
        let shown = |member: NodeKey, fork: Box<Fork>, words: [SignedCertificate; 2]| {
            let [first, second] = words;
            Evidence::Certificates {
                member,
                node: stranger.public(),
                fork,
                first,
                second,
            }
        };
        let [one, other] = [said(&first), said(&second)];
        let words = [one, other].map(|said| stranger.sign(said, &genesis));
        let forks = || fork(first, second);
        self.refused(shown(accused, forks(), words), Error::NotSigned);
        // Of one branch, or of another chain's, it is no lie.
        for own in [writer.sign(one, &genesis), writer.sign(one, &ELSEWHERE)] {
            let evidence = shown(accused, forks(), [own, words[1]]);
            self.refused(evidence, Error::NotSigned);
        }
        let swapped = [words[1], words[0]];
        self.refused(shown(accused, forks(), swapped), Error::Unrelated);
        let same = fork(first, first);
        self.refused(shown(accused, same, words), Error::Unrelated);
        let of_two = fork(first, self.case.blocks[0].header);
        self.refused(shown(accused, of_two, words), Error::NotSigned);
        let payload = Certificate { job: NO_JOB, ..one };
        let of_another_job = [stranger.sign(payload, &genesis), words[1]];
        self.refused(shown(accused, forks(), of_another_job), Error::OtherJob);
        let crossed = fork(first, of_no_job(second));
        self.refused(shown(accused, crossed, words), Error::OtherJob);
        let nowhere = fork(of_no_job(first), second);
        self.refused(shown(accused, nowhere, words), Error::JobUnknown);
        let evidence = shown(stranger.public(), forks(), words);
        self.refused(evidence, Error::NobodyAnswers);
    }

    pub(super) fn entries(&mut self) {
        let case = self.case;
        let shown = |node: NodeKey, first: &Logged, second: &Logged| {
            let (first, second) = (Box::new(first.clone()), Box::new(second.clone()));
            Evidence::Entries {
                node,
                first,
                second,
            }
        };
        let at = judged(case, 0);
        let own = case.logged(at);
        let writer = self.writer().public();
        for other in [own.clone(), case.logged(judged(case, 1)), case.logged(0)] {
            self.refused(shown(writer, &own, &other), Error::Unrelated);
        }
        let (forged, elsewhere) = (self.forged.logged(at), self.elsewhere.logged(at));
        self.refused(shown(writer, &own, &forged), Error::NotSigned);
        self.refused(shown(writer, &own, &elsewhere), Error::NotSigned);
        let mut moved = own.clone();
        moved.place += 1;
        self.refused(shown(writer, &own, &moved), Error::NotInLog);
        let mut nowhere = own.clone();
        nowhere.header = of_no_job(own.header);
        self.refused(shown(writer, &own, &nowhere), Error::OtherJob);
        self.refused(shown(writer, &nowhere, &own), Error::JobUnknown);
        let stranger = Self::stranger().public();
        self.refused(shown(stranger, &own, &forged), Error::NobodyAnswers);
    }

    pub(super) fn answers(&mut self) {
        let case = self.case;
        let shown = |first: &SignedReceipt, second: &SignedReceipt| {
            let (first, second) = (Box::new(first.clone()), Box::new(second.clone()));
            Evidence::Answers { first, second }
        };
        let own = &case.receipts[0];
        let said = &own.payload;
        let lie = Receipt {
            result_commitment: other_answer().result_commitment,
            ..said.clone()
        };
        // What another device signed, and what its own did for another chain.
        let forged = device(1).sign(lie.clone(), &case.genesis);
        let elsewhere = device(0).sign(lie.clone(), &ELSEWHERE);
        for second in [&forged, &elsewhere] {
            self.refused(shown(own, second), Error::NotSigned);
            self.refused(shown(second, own), Error::NotSigned);
        }
        let again = Receipt {
            log_position: said.log_position + 1,
            ..lie.clone()
        };
        let again = device(1).sign(again, &case.genesis);
        for second in [own, &case.receipts[1], &case.receipts[3], &again] {
            self.refused(shown(own, second), Error::Unrelated);
        }
        let nowhere = Receipt { job: NO_JOB, ..lie };
        let nowhere = device(1).sign(nowhere, &case.genesis);
        self.refused(shown(own, &nowhere), Error::OtherJob);
        self.refused(shown(&nowhere, own), Error::JobUnknown);
        let [one, other] = [answer(0), other_answer()]
            .map(|said_so| case.receipt(0, NO_DEVICE, said.log_position, said_so));
        self.refused(shown(&one, &other), Error::NobodyAnswers);
    }

    pub(super) fn wrong_answers(&mut self) {
        let case = self.case;
        let receipt = case.receipts[3].clone();
        let said = receipt.payload.clone();
        let truth = case.report(said.task, answer(said.task));
        let lie = case.report(said.task, other_answer());
        let [of_truth, of_lie] = [truth, lie].map(|report| self.words(report));
        let base = WrongAnswer {
            batch: case.name(),
            receipt,
            input: case.input(said.task),
            assignment: case.in_log(said.log_position),
            report: truth,
            referees: of_truth.to_vec().try_into().unwrap(),
        };
        let but = |change: &dyn Fn(&mut WrongAnswer)| {
            let mut it = base.clone();
            change(&mut it);
            Evidence::WrongAnswer(Box::new(it))
        };
        self.in_order(but(&|_| {}));
        // The device gave another answer than this report; who would have to say so did not.
        let [first, second] = of_lie;
        let unsigned = NodeSignature([0; 64]);
        let referees = [
            vec![],
            vec![first],
            vec![first, first],
            vec![second, first],
            vec![first, (2, second.1)],
            vec![first, (70, second.1)],
            vec![first, (1, unsigned)],
            of_truth.to_vec(),
        ];
        for referees in referees {
            let evidence = but(&|it| {
                it.report = lie;
                it.referees = referees.clone().try_into().unwrap();
            });
            self.refused(evidence, Error::NotSigned);
        }
        self.refused(but(&|it| it.receipt.signature.0[3] ^= 1), Error::NotSigned);
        let elsewhere = device(0).sign(said, &ELSEWHERE);
        let evidence = but(&|it| it.receipt = elsewhere.clone());
        self.refused(evidence, Error::NotSigned);
        self.refused(but(&|it| it.report.job = NO_JOB), Error::OtherJob);
        let evidence = but(&|it| it.receipt.payload.job = NO_JOB);
        self.refused(evidence, Error::OtherJob);
        let changes: [fn(&mut WrongAnswer); 7] = [
            |it| it.receipt.payload.replica += 1,
            |it| it.receipt.payload.program.0[0] ^= 1,
            |it| it.receipt.payload.engine.0[0] ^= 1,
            |it| it.receipt.payload.log_position += 1,
            |it| it.report.task += 1,
            |it| it.report.question.0[0] ^= 1,
            |it| it.input.root.0[0] ^= 1,
        ];
        for change in changes {
            self.refused(but(&change), Error::Unrelated);
        }
        let evidence = but(&|it| it.input = case.input(0));
        self.refused(evidence, Error::Unrelated);
        let evidence = but(&|it| it.assignment = case.in_log(judged(case, 1)));
        self.refused(evidence, Error::Unrelated);
        for assignment in not_in_log(&base.assignment) {
            let evidence = but(&|it| it.assignment = assignment.clone());
            self.refused(evidence, Error::NotInLog);
        }
    }

    pub(super) fn false_reports(&mut self) {
        let case = self.case;
        let truth = case.report(0, answer(0));
        // The group's third says something else than came out at the first two.
        let accused = node(&self.group.member(2).unwrap().account);
        let said = accused.sign(case.report(0, other_answer()), &case.genesis);
        let own = (2, accused.sign(truth, &case.genesis).signature);
        let [first, second] = self.words(truth);
        let base = FalseReport {
            node: accused.public(),
            said,
            answer: truth.answer,
            referees: vec![first, second].try_into().unwrap(),
        };
        let but = |change: &dyn Fn(&mut FalseReport)| {
            let mut it = base.clone();
            change(&mut it);
            Evidence::FalseReport(Box::new(it))
        };
        let unsigned = NodeSignature([0; 64]);
        let referees = [
            vec![],
            vec![first],
            vec![first, first],
            vec![second, first],
            vec![first, (70, second.1)],
            vec![first, (1, unsigned)],
            vec![first, own],
            vec![first, second, own],
            self.words(said.payload).to_vec(),
        ];
        for referees in referees {
            let evidence = but(&|it| it.referees = referees.clone().try_into().unwrap());
            self.refused(evidence, Error::NotSigned);
        }
        // They were asked something else, or about another task.
        let changes: [fn(&mut RefereeReport); 2] = [|it| it.task += 1, |it| it.question.0[0] ^= 1];
        for change in changes {
            let mut other = truth;
            change(&mut other);
            let words = self.words(other).to_vec();
            let evidence = but(&|it| it.referees = words.clone().try_into().unwrap());
            self.refused(evidence, Error::NotSigned);
        }
        self.refused(but(&|it| it.said.signature.0[3] ^= 1), Error::NotSigned);
        let elsewhere = accused.sign(said.payload, &ELSEWHERE);
        self.refused(but(&|it| it.said = elsewhere), Error::NotSigned);
        let first = node(&self.group.member(0).unwrap().account).public();
        self.refused(but(&|it| it.node = first), Error::NotSigned);
        // What it says is what came out.
        let evidence = but(&|it| it.answer = said.payload.answer);
        self.refused(evidence, Error::Unrelated);
        let stranger = Self::stranger();
        let evidence = but(&|it| {
            it.node = stranger.public();
            it.said = stranger.sign(said.payload, &case.genesis);
        });
        self.refused(evidence, Error::NobodyAnswers);
        let evidence = but(&|it| it.said.payload.job = NO_JOB);
        self.refused(evidence, Error::JobUnknown);
    }

    /// A report with the words of the group's first two.
    fn words(&self, report: RefereeReport) -> [(u8, NodeSignature); 2] {
        [0, 1].map(|place| {
            let referee = node(&self.group.member(place).unwrap().account);
            (place, referee.sign(report, &self.case.genesis).signature)
        })
    }
}
