//! Entries far from the head that was certified, and ways that lead nowhere.

use crate::{
    honest::ruled,
    lies::assert_batch_struck,
    world::{HERE, JOB, World, honest},
};
use quern_dispute_rules::{
    Evidence, Refusal, Ruling,
    evidence::{Certified, LINKS_MAX},
    ruling::Offence,
};
use quern_joblog::{Ancestors, Entry, Header, Way};
use quern_primitives::{ids::Digest, job::Agreement};

/// Blocks between an entry and the head.
const FAR: usize = 100_000;

/// Blocks of a log, the headers alone.
struct Headers {
    all: Vec<Header>,
    ancestors: Ancestors,
}

impl Headers {
    /// Those of a world's log.
    fn of(world: &World) -> Self {
        let mut headers = Self {
            all: vec![],
            ancestors: Ancestors::default(),
        };
        for block in &world.blocks {
            headers.push(block.header.payload);
        }
        headers
    }

    fn push(&mut self, header: Header) {
        self.ancestors.push(header.index, header.hash(&HERE));
        self.all.push(header);
    }

    /// The header that would be next, of a block with one entry.
    fn next(&self) -> Header {
        let last = self.all.last().unwrap();
        Header {
            job: JOB,
            index: last.index + 1,
            previous: last.hash(&HERE),
            skip: self.ancestors.skip().unwrap(),
            time_ms: last.time_ms + 10,
            first: last.first + u64::from(last.count),
            count: 1,
            bytes: 1,
            entries_root: Digest([77; 32]),
        }
    }

    /// Goes on for so many blocks.
    fn grow(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.push(self.next());
        }
    }

    fn head(&self) -> Digest {
        self.all.last().unwrap().hash(&HERE)
    }

    /// The way from the head down to a block.
    fn way(&self, to: u64) -> Vec<Header> {
        let mut way = Way::to(to);
        let above = self.all.iter().skip_while(|it| it.index <= to);
        above.for_each(|header| way.take(header));
        way.headers().to_vec()
    }
}

/// A log with an assignment of a task that the job does not have, and the position of that.
fn lying() -> (World, u64) {
    let mut world = honest(Agreement::Unanimous, 6, 11);
    let position = assignment(&world);
    if let Entry::Assigned { task, .. } = &mut world.entries[position as usize] {
        *task = 60;
    }
    world.rebuild();
    (world, position)
}

fn assignment(world: &World) -> u64 {
    world
        .position(|it| matches!(it, Entry::Assigned { .. }))
        .unwrap()
}

fn shown(world: &World, position: u64, links: Vec<Header>) -> Result<Ruling, Refusal> {
    let entry = Certified {
        logged: world.logged(position),
        links: links.try_into().unwrap(),
    };
    let evidence = Evidence::Assignment {
        batch: world.name(),
        entry: Box::new(entry),
    };
    ruled(world, &evidence)
}

fn certify(world: &mut World, head: Digest) {
    world.facts.batch.as_mut().unwrap().heads = vec![head];
}

#[test]
fn a_lie_a_hundred_thousand_blocks_before_the_certified_head_is_shown_and_convicts() {
    let (mut world, position) = lying();
    let mut headers = Headers::of(&world);
    headers.grow(FAR);
    certify(&mut world, headers.head());
    let links = headers.way(world.logged(position).header.payload.index);
    assert!(links.len() < 3 * 17, "{} headers", links.len());
    assert_batch_struck(shown(&world, position, links), Offence::Assignment);
}

#[test]
fn an_honest_entry_as_far_away_convicts_nobody() {
    let mut world = honest(Agreement::Unanimous, 6, 11);
    let mut headers = Headers::of(&world);
    headers.grow(FAR);
    certify(&mut world, headers.head());
    let position = assignment(&world);
    let links = headers.way(world.logged(position).header.payload.index);
    let ruling = shown(&world, position, links);
    assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
}

#[test]
fn a_way_that_lacks_a_header_or_has_one_of_another_job_leads_nowhere() {
    let (mut world, position) = lying();
    let mut headers = Headers::of(&world);
    headers.grow(1_000);
    certify(&mut world, headers.head());
    let links = headers.way(world.logged(position).header.payload.index);
    assert!(shown(&world, position, links.clone()).is_ok());
    for place in 0..links.len() {
        let mut without = links.clone();
        without.remove(place);
        let mut of_another = links.clone();
        of_another[place].job.0[0] ^= 1;
        let mut earlier = links.clone();
        earlier[place].first = 0;
        for links in [without, of_another, earlier] {
            assert_eq!(shown(&world, position, links), Err(Refusal::NotInLog));
        }
    }
}

#[test]
fn a_way_by_skips_over_another_branch_does_not_convict() {
    // What was certified is honest; the coordinator alone signed a branch with a lie.
    let mut world = honest(Agreement::Unanimous, 6, 11);
    let mut certified = Headers::of(&world);
    certified.grow(1_000);
    certify(&mut world, certified.head());
    let (mut branch, position) = lying();
    branch.facts = world.facts.clone();
    let index = branch.logged(position).header.payload.index;
    let mut other = Headers::of(&branch);
    other.grow(1_000);
    let (below, above) = (other.way(index), certified.way(index));
    assert_eq!(below.len(), above.len());
    for place in 0..=below.len() {
        // From the branch into the log that was certified, by the headers as they are.
        let crossed = [&below[..place], &above[place..]].concat();
        let ruling = shown(&branch, position, crossed.clone());
        assert_eq!(ruling, Err(Refusal::NotInLog));
        // And by one that names the branch's block as the one that it skips to, or follows.
        let lower = match place.checked_sub(1) {
            Some(before) => below[before].hash(&HERE),
            None => branch.logged(position).header.payload.hash(&HERE),
        };
        for change in [
            (|header, hash| header.skip = hash) as fn(&mut Header, Digest),
            |header, hash| header.previous = hash,
        ] {
            let mut forged = crossed.clone();
            if let Some(header) = forged.get_mut(place) {
                change(header, lower);
            }
            let ruling = shown(&branch, position, forged);
            assert_eq!(ruling, Err(Refusal::NotInLog));
        }
    }
}

#[test]
fn a_skip_to_another_index_than_the_rule_gives_leads_nowhere_though_it_was_certified() {
    let (mut world, position) = lying();
    let own = world.logged(position).header.payload;
    for length in 1..70 {
        let mut headers = Headers::of(&world);
        headers.grow(length);
        let mut last = headers.next();
        last.skip = own.hash(&HERE);
        certify(&mut world, last.hash(&HERE));
        let is_right = Header::skipped_to(last.index) == own.index;
        let ruling = shown(&world, position, vec![last]);
        assert_eq!(ruling.is_ok(), is_right, "{}", last.index);
        if !is_right {
            assert_eq!(ruling, Err(Refusal::NotInLog));
        }
    }
}

#[test]
fn evidence_has_room_for_the_longest_way_in_a_log_of_less_than_two_to_the_33_blocks() {
    let way = |from: u64, to: u64| {
        let down = |at: &u64| {
            let skip = Header::skipped_to(*at);
            (*at > to).then_some(if skip >= to { skip } else { *at - 1 })
        };
        std::iter::successors(Some(from), down).count() - 1
    };
    // The parts below 2^32, the smallest twice, behind one of which the first block is the target.
    let parts: u64 = (1..=31).map(|k| (1u64 << k) - 1).sum();
    let longest = way((1u64 << 32) - 1 + parts + 1, 1);
    assert_eq!(longest, 94);
    assert!(longest <= LINKS_MAX as usize);
}
