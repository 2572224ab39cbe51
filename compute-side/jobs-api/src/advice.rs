//! What can be done about what keeps something waiting: a sentence for each rule and each reader, here
//! and nowhere else.

use crate::Rule;

/// Who reads an explanation, and may do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The owner of the job or the task.
    Owner,
    /// The one whose device it is.
    Worker,
}

/// What is left to an owner where it is a device's worker who can do something.
const WAIT_FOR_DEVICES: &str = "wait for it, or for other devices";

/// What passes without anybody.
const PASSES: &str = "nothing: it passes by itself";

impl Rule {
    /// What this reader can do about it, in a sentence. None for a rule that this version does not know
    /// by name.
    pub fn next(self, reader: Reader) -> Option<&'static str> {
        let (owner, worker) = self.next_of_each()?;
        Some(match reader {
            Reader::Owner => owner,
            Reader::Worker => worker,
        })
    }

    /// What owner and worker can do about it.
    fn next_of_each(self) -> Option<(&'static str, &'static str)> {
        // Of a job or a task there is nothing for a worker to do.
        let of_job = |owner| (owner, PASSES);
        let of_device = |worker| (WAIT_FOR_DEVICES, worker);
        Some(match self {
            Self::CoordinatorNotDrawn => of_job(
                "wait for the next block; if none is drawn for a minute, take the job back with \
                 `quern job cancel`",
            ),
            Self::Upload => of_job(
                "nothing while the upload goes on; where it was interrupted, `quern job resume` goes on with it",
            ),
            Self::NoDevices => {
                of_job("wait until a device connects, or take the job back with `quern job cancel`")
            }
            Self::Accounts => of_job(
                "wait for devices of more accounts, or `quern job cancel` it and submit it anew for \
                 fewer devices of each task, with --replicas or --single",
            ),
            Self::Chain => of_job("nothing: the chain finalises it within some blocks"),
            Self::Failed => {
                of_job("`quern job show` says what is wrong; mend that, and submit the job anew")
            }
            Self::Deadline => of_job(
                "get back what is left once the deadline has passed, with `quern job refund`, and \
                 submit the job anew with a later --deadline",
            ),
            Self::Cancelled => {
                of_job("get back what is left once that block has passed, with `quern job refund`")
            }
            Self::Running => of_job("nothing: its device computes it"),
            Self::Certain => of_job("nothing: what is sure is decided without the rest soon"),
            Self::SecondOpinion => {
                of_job("nothing: it is decided as it stands if no trusted device is heard")
            }
            Self::Referee => of_job("nothing: it is decided by what the masternode finds"),
            Self::Commitments => of_job("nothing: it is revealed once the others have computed it"),
            Self::Unopened => of_job(
                "nothing yet; should the job end with it, prepare the input anew with \
                 `quern job submit`",
            ),
            Self::Resting => of_job("tell the masternode's operator, whose log says why"),
            Self::Batch => of_job("nothing: it is settled with the next batch"),

            Self::Disconnected => of_device(
                "start its worker, `quern-worker run`; if it runs, its log says why it reaches no \
                 masternode",
            ),
            Self::RepeatedFailures => of_device(
                "mend the machine, then bring it out of quarantine with `quern device review`",
            ),
            Self::WaitingAfterFaults => of_device(
                "see in its worker's log what went wrong, and mend that before its wait is over",
            ),
            Self::BatteryLow => of_device("plug it in"),
            Self::TooHot => of_device(
                "let it cool down; a lower `availability.cpu_percent` in worker.toml keeps it \
                 cooler",
            ),
            Self::OutsideHours => {
                of_device("wait for its hours, or change `availability.hours` in worker.toml")
            }
            Self::NetworkNotAllowed => {
                of_device("change the network, or `availability.networks` in worker.toml")
            }
            Self::DataCapReached => of_device(
                "wait for the next month, or raise `availability.data_mb_per_month` in worker.toml",
            ),
            Self::InUse => of_device(
                "leave the machine alone for a while, with nothing joined by Bluetooth, or change \
                 `availability.only_when_idle` in worker.toml",
            ),
            Self::Unbonded => of_device("add to the bond: `quern device bond AMOUNT`"),
            Self::Banned => of_device("ask the council, which bans accounts and lifts bans"),
            Self::HandsFull => of_device("nothing: it gets more when it has done what it holds"),
            Self::Pausing => of_device(
                "see in its worker's log why it gives tasks back or fails; it gets others when its \
                 pause is over",
            ),
            Self::Contradicted => of_device(
                "find out why the machine computes wrongly, faulty memory perhaps, before it is given \
                 tasks again",
            ),
            Self::Unjudged => of_device(
                "see in its worker's log why it fails; it gets more of the job once one of these has its \
                 verdict, after an hour at the latest",
            ),
            Self::AwaitingVerdicts => of_device(
                "nothing: others compute the same tasks, and it gets more once its answers are judged",
            ),
            Self::Benchmarked => {
                of_device("nothing: the benchmark takes some seconds, once no task runs")
            }
            Self::BenchmarkOwed => of_device(
                "see in its worker's log why it did not answer; the next comes within hours, when no \
                 task runs",
            ),
            Self::ReadingNotBelieved => {
                of_device("see to the machine's sensors; nothing is kept from it for that")
            }

            Self::NoJob => of_device("nothing: a job will come"),
            Self::NothingOpen => (
                "nothing: all of it is given out",
                "nothing: more is opened where a device is late, and other jobs come",
            ),
            Self::Pool => (
                "wait for the devices of the pools above, which take it first; others do when those may not",
                "nothing: a higher score brings it into a higher pool",
            ),
            Self::Level => (
                "wait for devices of other pools, or submit the job anew with a higher --level",
                "nothing: jobs of other levels come",
            ),
            Self::Account => (
                "wait for devices of other accounts",
                "nothing: other accounts have to compute these",
            ),
            Self::FailedBefore => {
                of_device("see in its worker's log why it lost the task; it gets others")
            }
            Self::Lane | Self::KeptForFast | Self::KeptForTrusted => (PASSES, PASSES),
            Self::OthersSooner => (
                "nothing: faster devices will have it done sooner",
                "nothing: faster devices will have these done sooner, and other jobs come",
            ),
            Self::FasterFirst => (
                "nothing: faster devices compute again what runs long, and others once none of them comes",
                "nothing: faster devices compute these again where it is worth it, and other jobs come",
            ),
            Self::OthersFirst => (
                "wait for what is served before; a job of a higher --level is served sooner",
                "nothing: it gets that first",
            ),
            Self::NotAsked => (
                "nothing: it is given out when the device asks next",
                "nothing: it gets it when it asks next",
            ),
            Self::Hardware => (
                "wait for such machines, or submit the job anew with another --hardware",
                "if it was registered as another kind of machine than it is, retire it and register \
                 it anew: `quern device register --hardware KIND`",
            ),
            Self::Region => (
                "wait for devices there, or submit the job anew with more regions: --region",
                "if it was registered as standing elsewhere than it does, retire it and register it \
                 anew: `quern device register --region REGION`",
            ),
            Self::Line => (
                "wait for such devices, or submit the job anew with more kinds of line: --line",
                "if it has such a line, say so with `availability.line` in worker.toml",
            ),
            Self::Trusted => (
                "wait for devices that the council verified, or submit the job anew without \
                 --trusted",
                "ask the council to verify the device",
            ),
            Self::Gpu => (
                "wait for devices with a GPU, or submit the job anew without --gpu",
                "nothing: the job is for machines with a GPU",
            ),
            Self::Class => (
                "wait for such machines, or submit the job anew with --class portable, which any \
                 machine computes",
                "nothing: pinned jobs need an x86-64 processor",
            ),
            Self::Version => (
                "wait for newer workers, or submit the job anew with a lower --worker-version-min",
                "update the worker",
            ),
            Self::Processor => (
                "wait for faster devices, or submit the job anew with a lower --processor-points-min",
                "nothing: the job is for faster processors",
            ),
            Self::Memory => (
                "wait for larger machines, or submit the job anew with less --memory",
                "raise `limits.memory_mib` or `availability.memory_percent` in worker.toml",
            ),
            Self::Bond => (
                "wait for larger bonds, or submit the job anew with more and smaller tasks, or less \
                 --fuel for each",
                "add to the bond: `quern device bond AMOUNT`",
            ),

            Self::Other => return None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every rule by its name, as in JSON.
    const NAMES: &str = "coordinator_not_drawn upload no_devices accounts chain failed deadline \
        cancelled running certain second_opinion referee commitments unopened resting batch disconnected repeated_failures \
        waiting_after_faults battery_low too_hot outside_hours network_not_allowed \
        data_cap_reached in_use unbonded banned hands_full pausing contradicted unjudged awaiting_verdicts benchmarked \
        benchmark_owed reading_not_believed no_job \
        nothing_open pool level account failed_before lane kept_for_fast kept_for_trusted others_sooner \
        faster_first others_first not_asked hardware region line trusted gpu class version processor memory \
        bond";

    #[test]
    fn every_rule_says_in_a_short_sentence_what_each_reader_can_do() {
        let names: BTreeSet<_> = NAMES.split_whitespace().collect();
        assert_eq!(names.len(), Rule::Other as usize, "it is the last");
        for name in NAMES.split_whitespace() {
            let rule: Rule = serde_json::from_value(name.into()).unwrap();
            assert_ne!(rule, Rule::Other, "{name}");
            for reader in [Reader::Owner, Reader::Worker] {
                let next = rule.next(reader).unwrap();
                assert!(!next.ends_with('.') && !next.contains("  "), "{next}");
                assert!((8..=140).contains(&next.len()), "{name}: {next}");
            }
        }
        assert_eq!(Rule::Other.next(Reader::Owner), None);
    }

    #[test]
    fn owner_and_worker_are_told_what_is_theirs_to_do() {
        let owner = |rule: Rule| rule.next(Reader::Owner).unwrap();
        let worker = |rule: Rule| rule.next(Reader::Worker).unwrap();
        assert!(owner(Rule::Upload).contains("quern job resume"));
        assert!(owner(Rule::Region).contains("--region"));
        assert!(worker(Rule::RepeatedFailures).contains("quern device review"));
        assert_eq!(owner(Rule::RepeatedFailures), WAIT_FOR_DEVICES);
        assert!(owner(Rule::Bond).contains("--fuel"));
        assert!(worker(Rule::Bond).contains("quern device bond"));
    }
}
