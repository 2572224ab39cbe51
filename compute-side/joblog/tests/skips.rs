//! The second ancestors of blocks, and the ways that they make.
#![allow(clippy::unwrap_used)]

use quern_joblog::{
    Ancestors, Entry, LogBuilder, LogFault, Replay, SignedBlock, Way, way::ANCESTORS_MAX,
};
use quern_primitives::{
    ids::{Digest, GenesisHash, JobId},
    log::Header,
    payload::NodeSecret,
};

const HERE: GenesisHash = GenesisHash([1; 32]);
const JOB: JobId = JobId([3; 32]);

fn key() -> NodeSecret {
    NodeSecret::from_seed(&[4; 32])
}

/// So many blocks of one entry.
fn log(blocks: u32) -> Vec<SignedBlock> {
    let mut builder = LogBuilder::new(HERE, JOB, key());
    let block = |first| {
        let entry = Entry::Queued { first, tasks: 1 };
        builder.append(entry, 10).unwrap();
        builder.cut(10).unwrap()
    };
    (0..blocks).map(block).collect()
}

fn followed(blocks: &[SignedBlock]) -> Replay {
    let mut replay = Replay::new(HERE, JOB, key().public());
    for block in blocks {
        replay.take(&block.to_bytes()).unwrap();
    }
    replay
}

#[test]
fn a_log_that_goes_on_reads_a_few_headers_and_says_which_one_is_missing() {
    let blocks = log(1_000);
    let last = &blocks[999].header.payload;
    let mut read = Vec::new();
    let ancestors = Ancestors::behind(last, &HERE, |index| {
        read.push(index);
        Ok::<_, u64>(blocks[index as usize].header.payload)
    });
    assert_eq!(ancestors.as_ref(), Ok(followed(&blocks).ancestors()));
    assert!(read.len() < 10 && read.is_sorted_by(|one, next| one > next));
    let missing = Ancestors::behind(last, &HERE, |index| match index > 700 {
        true => Ok(blocks[index as usize].header.payload),
        false => Err(index),
    });
    let missed = read.into_iter().find(|index| *index <= 700);
    assert_eq!(missing.unwrap_err(), missed.unwrap());
}

#[test]
fn each_block_skips_to_the_one_that_its_index_gives() {
    let blocks = log(300);
    let hash = |index: u64| blocks[index as usize].header.payload.hash(&HERE);
    let opening = Header::opening(&HERE, &JOB);
    let first = &blocks[0].header.payload;
    assert_eq!((first.previous, first.skip), (opening, opening));
    for block in &blocks[1..] {
        let header = &block.header.payload;
        assert_eq!(header.skip, hash(Header::skipped_to(header.index)));
    }
}

#[test]
fn a_false_skip_is_not_followed() {
    let blocks = log(40);
    for (place, block) in blocks.iter().enumerate() {
        let hash = |index: usize| blocks[index].header.payload.hash(&HERE);
        let own = block.header.payload.skip;
        let earlier = (0..place).map(hash).filter(|hash| *hash != own);
        for other in earlier.chain([Digest::default(), Digest([7; 32])]) {
            let mut replay = followed(&blocks[..place]);
            let index = place as u64;
            // The coordinator's own signature does not help it.
            let mut header = block.header.payload;
            header.skip = other;
            let false_skip = SignedBlock {
                header: key().sign(header, &HERE),
                entries: block.entries.clone(),
            };
            let refused = replay.take(&false_skip.to_bytes());
            assert_eq!(refused, Err(LogFault::Skipped { index }));
            replay.take(&block.to_bytes()).unwrap();
        }
    }
}

#[test]
fn a_way_leads_from_wherever_the_log_stands_down_to_where_it_began() {
    let blocks = log(200);
    let headers: Vec<_> = blocks.iter().map(|it| it.header.payload).collect();
    for to in [0, 1, 2, 6, 7, 8, 30, 31, 100, 199] {
        let mut way = Way::to(to as u64);
        assert_eq!(way.headers(), []);
        for header in &headers[to + 1..] {
            way.take(header);
            // The same as the way down that is looked for from there.
            let mut down = Vec::new();
            let mut at = header.index;
            while at > to as u64 {
                down.insert(0, headers[at as usize]);
                let skip = Header::skipped_to(at);
                at = if skip >= to as u64 { skip } else { at - 1 };
            }
            assert_eq!(way.headers(), down, "{} to {to}", header.index);
        }
        let end = way.clone();
        way.take(&headers[50]);
        assert_eq!(way, end, "what is not next");
    }
}

#[test]
fn a_follower_remembers_as_few_ancestors_as_an_index_has_parts() {
    let mut ancestors = Ancestors::default();
    assert_eq!(ancestors.skip(), None);
    let hash = |index: u64| {
        let mut hash = Digest::default();
        hash.0[..8].copy_from_slice(&index.to_le_bytes());
        hash
    };
    for index in 0..100_000 {
        ancestors.push(index, hash(index));
        let skip = Header::skipped_to(index + 1);
        assert_eq!(ancestors.skip(), Some(hash(skip)));
    }
    // Each part once, and the smallest twice.
    let most_parts = u64::MAX - 63;
    let indices = std::iter::successors(Some(most_parts), |index| {
        (*index > 0).then(|| Header::skipped_to(*index))
    });
    assert_eq!(indices.count(), ANCESTORS_MAX);
}
