//! What the masternodes of a job say of whether more corrections may come, and for how long the silent are waited
//! for.
//!
//! Each drawn task is computed by the coordinator and by one other member, so that none may come is known only when
//! all have said so. Who does not answer shall not hold up its owner for good: it is waited for a while, and then
//! named as one that was not heard.

use quern_jobs_api::Corrections;
use quern_primitives::AccountId;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long a masternode is waited for that does not answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a masternode answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// It may still find that an accepted answer is wrong.
    MayCome,
    /// It has told all that it will ever find.
    NoMore,
    /// It has nothing of the job, has nothing of it computed again, or tells this owner nothing; asked again it says the same.
    Nothing,
    /// It does not answer, or not now.
    Silent,
}

impl Voice {
    /// What an answer of a masternode says of itself.
    pub(super) fn of(told: &Corrections) -> Self {
        match (told.may_come, told.re_executes) {
            (true, _) => Self::MayCome,
            (false, true) => Self::NoMore,
            // It had nothing computed again, so it has not found that all is right.
            (false, false) => Self::Nothing,
        }
    }
}

/// What each said last.
#[derive(Debug, Default)]
pub(super) struct Voices(BTreeMap<AccountId, Said>);

#[derive(Clone, Copy, Debug)]
struct Said {
    voice: Voice,
    /// Since when it says so.
    since: Instant,
}

impl Said {
    /// Whether it is not to be asked any more: it has said all, or was silent for too long.
    fn is_over(&self, now: Instant) -> bool {
        match self.voice {
            Voice::MayCome => false,
            Voice::NoMore | Voice::Nothing => true,
            Voice::Silent => now.saturating_duration_since(self.since) >= SILENCE_MAX,
        }
    }
}

impl Voices {
    /// A masternode says something now.
    pub(super) fn hear(&mut self, account: &AccountId, voice: Voice, now: Instant) {
        let said = Said { voice, since: now };
        match self.0.get_mut(account) {
            // It is silent since it was first.
            Some(before) if before.voice == voice => {}
            Some(before) => *before = said,
            None => drop(self.0.insert(account.clone(), said)),
        }
    }

    /// Whether a masternode is asked: as long as what it says may change.
    pub(super) fn is_asked(&self, account: &AccountId, now: Instant) -> bool {
        let said = self.0.get(account);
        said.is_none_or(|said| !said.is_over(now))
    }

    /// Whether one has said that more may come.
    pub(super) fn may_come(&self) -> bool {
        let mut said = self.0.values();
        said.any(|said| said.voice == Voice::MayCome)
    }

    /// Whether one has said what it knows.
    pub(super) fn is_heard(&self, account: &AccountId) -> bool {
        let said = self.0.get(account);
        said.is_some_and(|said| matches!(said.voice, Voice::MayCome | Voice::NoMore))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    /// Three masternodes, of whom some said this at the same time.
    fn voices(said: &[(u8, Voice)], now: Instant) -> Voices {
        let mut voices = Voices::default();
        for (number, voice) in said {
            voices.hear(&account(*number), *voice, now);
        }
        voices
    }

    fn asked(voices: &Voices, now: Instant) -> Vec<u8> {
        let asked = (0..3).filter(|number| voices.is_asked(&account(*number), now));
        asked.collect()
    }

    #[test]
    fn who_computes_nothing_again_has_not_said_that_all_is_right() {
        let told = |may_come, re_executes| Corrections {
            corrections: vec![],
            may_come,
            re_executes,
        };
        assert_eq!(Voice::of(&told(true, true)), Voice::MayCome);
        assert_eq!(Voice::of(&told(false, true)), Voice::NoMore);
        assert_eq!(Voice::of(&told(false, false)), Voice::Nothing);
        let now = Instant::now();
        let voices = voices(&[(0, Voice::of(&told(false, false)))], now);
        assert!(!voices.is_heard(&account(0)) && !voices.is_asked(&account(0), now));
    }

    #[test]
    fn all_are_asked_until_each_has_said_that_none_may_come() {
        let now = Instant::now();
        let mut voices = voices(&[(0, Voice::NoMore), (1, Voice::MayCome)], now);
        assert_eq!(asked(&voices, now), [1, 2]);
        assert!(voices.may_come());
        let late = now + 100 * SILENCE_MAX;
        assert_eq!(asked(&voices, late), [1, 2], "it computes for long");
        voices.hear(&account(1), Voice::NoMore, late);
        voices.hear(&account(2), Voice::NoMore, late);
        assert!(asked(&voices, late).is_empty() && !voices.may_come());
        assert!((0..3).all(|number| voices.is_heard(&account(number))));
    }

    #[test]
    fn who_is_silent_is_waited_for_a_while_from_when_it_was_heard_last() {
        let now = Instant::now();
        let mut voices = voices(&[(0, Voice::NoMore), (1, Voice::NoMore)], now);
        voices.hear(&account(2), Voice::MayCome, now);
        let later = now + 10 * SILENCE_MAX;
        voices.hear(&account(2), Voice::Silent, later);
        assert!(!voices.may_come(), "what it said before may be over");
        let soon = later + SILENCE_MAX / 2;
        voices.hear(&account(2), Voice::Silent, soon);
        assert_eq!(asked(&voices, soon), [2]);
        let over = later + SILENCE_MAX;
        assert!(asked(&voices, over).is_empty());
        assert!(!voices.is_heard(&account(2)));
    }

    #[test]
    fn who_has_nothing_of_the_job_is_not_waited_for_and_not_taken_to_have_looked() {
        let now = Instant::now();
        let voices = voices(&[(0, Voice::NoMore), (1, Voice::Nothing)], now);
        assert_eq!(asked(&voices, now), [2], "who was not asked yet is");
        assert!(!voices.is_heard(&account(1)) && !voices.is_heard(&account(2)));
    }
}
