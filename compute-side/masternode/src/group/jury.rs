//! Who of a group is asked about a task on which devices differ, and whether what they say decides.

use quern_primitives::log::RefereeReport;

/// Members of a group, in the order in which they are asked, and what each said.
#[derive(Debug)]
pub(super) struct Jury {
    seats: Vec<Seat>,
    /// How many are asked at a time.
    wanted: usize,
    /// How many have to say the same.
    quorum: usize,
}

/// Where one of them stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// It is asked when it is its turn.
    Free,
    /// It is being asked, or computes.
    Asked,
    /// It lacks what comes by itself.
    Lacking,
    /// It has computed the task.
    Said(RefereeReport),
    /// It does not, or lies.
    Refused,
}

impl Jury {
    /// So many members, of whom so many are asked at a time, and so many have to say the same.
    pub(super) fn new(members: usize, wanted: usize, quorum: usize) -> Self {
        Self {
            seats: vec![Seat::Free; members],
            wanted,
            quorum,
        }
    }

    /// How many have to say the same.
    pub(super) fn quorum(&self) -> usize {
        self.quorum
    }

    /// The next one to be asked, if one is to be: as long as fewer than are wanted compute the task, or have.
    pub(super) fn ask_next(&mut self) -> Option<usize> {
        let taken = |seat: &&Seat| matches!(seat, Seat::Asked | Seat::Said(_));
        if self.seats.iter().filter(taken).count() >= self.wanted {
            return None;
        }
        let place = self.seats.iter().position(|seat| *seat == Seat::Free)?;
        self.set(place, Seat::Asked);
        Some(place)
    }

    /// All are asked, and not only as many as are wanted: time runs out, and none certifies that there is no
    /// word who was not asked for it.
    pub(super) fn ask_all(&mut self) {
        self.wanted = self.seats.len().max(self.wanted);
    }

    /// One says what it computed.
    pub(super) fn says(&mut self, place: usize, report: RefereeReport) {
        self.set(place, Seat::Said(report));
    }

    /// One cannot compute the task yet, and others are asked before it is again.
    pub(super) fn lacks(&mut self, place: usize) {
        self.set(place, Seat::Lacking);
    }

    /// One does not compute the task, or does not have what it said that it computed.
    pub(super) fn refuses(&mut self, place: usize) {
        self.set(place, Seat::Refused);
    }

    /// Who could not compute the task may be asked again, if nobody else is left to be asked.
    pub(super) fn ask_again(&mut self) {
        if self.seats.contains(&Seat::Free) {
            return;
        }
        let lacking = self.seats.iter_mut();
        let lacking = lacking.filter(|seat| **seat == Seat::Lacking);
        lacking.for_each(|seat| *seat = Seat::Free);
    }

    /// Those who say the same, if they are enough, in the order in which they are asked; else nobody.
    pub(super) fn agreeing(&self) -> Vec<usize> {
        let alike = |seat: &Seat| -> Vec<usize> {
            let seats = self.seats.iter().enumerate();
            let same = seats.filter(|(_, other)| *other == seat);
            same.map(|(place, _)| place).collect()
        };
        let said = self.seats.iter();
        let said = said.filter(|seat| matches!(seat, Seat::Said(_)));
        let enough = said.map(alike).find(|same| same.len() >= self.quorum);
        enough.unwrap_or_default()
    }

    /// Those who have computed the task.
    pub(super) fn heard(&self) -> usize {
        let said = self.seats.iter();
        said.filter(|seat| matches!(seat, Seat::Said(_))).count()
    }

    /// Whether nobody's word is waited for: as many as are wanted have given theirs, or nobody else will.
    pub(super) fn is_over(&self) -> bool {
        let may_come = |seat: &Seat| matches!(seat, Seat::Free | Seat::Asked | Seat::Lacking);
        self.heard() >= self.wanted || !self.seats.iter().any(may_come)
    }

    fn set(&mut self, place: usize, to: Seat) {
        if let Some(seat) = self.seats.get_mut(place) {
            *seat = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{
        Digest, JobId,
        receipt::{Answer, Exit},
    };

    /// What comes out of the task, and for each other number something else.
    fn report(value: u8) -> RefereeReport {
        RefereeReport {
            job: JobId([1; 32]),
            task: 2,
            question: Digest([46; 32]),
            answer: Answer {
                result_commitment: Digest([value; 32]),
                result_bytes: 3,
                fuel: 4,
                exit: Exit::Success,
            },
        }
    }

    /// All who are asked next.
    fn asked(jury: &mut Jury) -> Vec<usize> {
        std::iter::from_fn(|| jury.ask_next()).collect()
    }

    #[test]
    fn one_is_asked_after_the_other_where_one_word_is_enough() {
        let mut jury = Jury::new(3, 1, 1);
        assert_eq!(asked(&mut jury), [0]);
        jury.refuses(0);
        assert_eq!(asked(&mut jury), [1]);
        jury.lacks(1);
        assert_eq!(asked(&mut jury), [2]);
        assert!(jury.agreeing().is_empty() && !jury.is_over());
        jury.says(2, report(0));
        assert_eq!((jury.agreeing(), jury.is_over()), (vec![2], true));
        assert!(asked(&mut jury).is_empty());
    }

    #[test]
    fn when_time_runs_out_all_are_asked_and_the_first_word_is_enough() {
        let mut jury = Jury::new(4, 1, 1);
        assert_eq!(asked(&mut jury), [0]);
        jury.ask_all();
        assert_eq!(asked(&mut jury), [1, 2, 3]);
        assert!(jury.agreeing().is_empty() && !jury.is_over());
        jury.says(2, report(0));
        assert_eq!(jury.agreeing(), [2]);
        let mut few = Jury::new(2, 3, 2);
        few.ask_all();
        assert_eq!(asked(&mut few), [0, 1]);
    }

    #[test]
    fn three_are_asked_at_a_time_and_two_who_say_the_same_decide() {
        let mut jury = Jury::new(6, 3, 2);
        assert_eq!(asked(&mut jury), [0, 1, 2]);
        jury.says(1, report(0));
        assert!(jury.agreeing().is_empty());
        jury.says(0, report(7));
        assert!(jury.agreeing().is_empty() && !jury.is_over());
        jury.says(2, report(0));
        assert_eq!((jury.agreeing(), jury.is_over()), (vec![1, 2], true));
    }

    #[test]
    fn the_third_may_still_be_waited_for_when_two_have_decided() {
        let mut jury = Jury::new(3, 3, 2);
        assert_eq!(asked(&mut jury), [0, 1, 2]);
        jury.says(0, report(0));
        jury.says(2, report(0));
        assert_eq!((jury.agreeing(), jury.is_over()), (vec![0, 2], false));
        jury.refuses(1);
        assert_eq!((jury.agreeing(), jury.is_over()), (vec![0, 2], true));
    }

    #[test]
    fn in_the_place_of_who_refuses_the_next_one_is_asked_and_three_who_differ_decide_nothing() {
        let mut jury = Jury::new(5, 3, 2);
        assert_eq!(asked(&mut jury), [0, 1, 2]);
        jury.refuses(1);
        assert_eq!(asked(&mut jury), [3]);
        for place in [0, 2, 3] {
            jury.says(place, report(place as u8));
        }
        assert!(jury.agreeing().is_empty() && jury.is_over());
        assert!(asked(&mut jury).is_empty());
        assert_eq!(jury.heard(), 3);
        // One of them does not have the result that it said it has.
        jury.refuses(2);
        assert_eq!(asked(&mut jury), [4]);
        jury.says(4, report(0));
        assert_eq!(jury.agreeing(), [0, 4]);
    }

    #[test]
    fn the_word_of_one_of_two_who_are_left_decides_nothing() {
        let mut jury = Jury::new(2, 3, 2);
        assert_eq!(asked(&mut jury), [0, 1]);
        jury.says(0, report(0));
        jury.refuses(1);
        assert!(jury.agreeing().is_empty() && jury.is_over());
        let nobody = Jury::new(0, 3, 2);
        assert!(nobody.agreeing().is_empty() && nobody.is_over());
    }

    #[test]
    fn who_lacks_something_is_asked_again_once_nobody_else_is_left() {
        let mut jury = Jury::new(3, 2, 2);
        assert_eq!(asked(&mut jury), [0, 1]);
        jury.lacks(0);
        jury.ask_again();
        assert_eq!(asked(&mut jury), [2]);
        jury.lacks(2);
        assert!(asked(&mut jury).is_empty() && !jury.is_over());
        jury.ask_again();
        assert_eq!(asked(&mut jury), [0]);
    }
}
