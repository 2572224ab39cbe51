//! How likely a loss is found: draws as they are made, against 1 - C(n - m, k) / C(n, k).

use quern_custody_rules::{audit, drawn};
use quern_primitives::{custody::Audit, ids::Digest};
use sha2::{Digest as _, Sha256};

const DRAWS: u32 = 10_000;
/// Chunks of a shard of 32 MiB.
const CHUNKS: u32 = 8_192;
const BYTES: u64 = CHUNKS as u64 * 4_096;

fn random(label: &str, number: u32) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(label);
    hasher.update(number.to_le_bytes());
    hasher.finalize().into()
}

/// Which chunks are lost: so many in one stretch, or scattered.
fn lost(count: u32, is_scattered: bool) -> Vec<bool> {
    let mut lost = vec![false; CHUNKS as usize];
    let mut left = count;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let at = match is_scattered {
            true => {
                let bytes = random("scattered", number);
                u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) % CHUNKS
            }
            false => 1_234 + number,
        };
        if !std::mem::replace(&mut lost[at as usize], true) {
            left -= 1;
        }
    }
    lost
}

/// C(n - m, k) / C(n, k), factor by factor.
fn missed(n: u32, m: u32, k: u32) -> f64 {
    (0..k)
        .map(|i| f64::from(n.saturating_sub(m + i)) / f64::from(n - i))
        .product()
}

fn is_within_three_sigma(found: u32, probability: f64) -> bool {
    let draws = f64::from(DRAWS);
    let sigma = (draws * probability * (1.0 - probability)).sqrt();
    (f64::from(found) - draws * probability).abs() <= 3.0 * sigma
}

#[test]
fn a_loss_is_found_as_often_as_the_formula_says_wherever_it_is() {
    for permille in [10, 50, 100, 500] {
        for is_scattered in [false, true] {
            let count = CHUNKS * permille / 1_000;
            let lost = lost(count, is_scattered);
            let found = (0..DRAWS)
                .filter(|number| {
                    let seed = Digest(random("public", *number));
                    let chunks = drawn::chunks(&seed, CHUNKS);
                    chunks.iter().any(|chunk| lost[*chunk as usize])
                })
                .count() as u32;
            let probability = 1.0 - missed(CHUNKS, count, 32);
            assert!(
                is_within_three_sigma(found, probability),
                "{permille} thousandths: {found} of {DRAWS}, expected {probability}"
            );
        }
    }
}

#[test]
fn every_chunk_is_drawn_as_often_as_any_other() {
    let count = 40;
    let mut drawn_times = [0u32; 40];
    for number in 0..DRAWS {
        for chunk in drawn::chunks(&Digest(random("even", number)), count) {
            drawn_times[chunk as usize] += 1;
        }
    }
    // 32 of 40, so each four times out of five. Five sigma, for there are 40 of them.
    let draws = f64::from(DRAWS);
    let sigma = (draws * 0.8 * 0.2).sqrt();
    for times in drawn_times {
        assert!(
            (f64::from(times) - 0.8 * draws).abs() <= 5.0 * sigma,
            "{times}"
        );
    }
}

/// The share of places at which a section may begin and touches what is lost.
fn touched(lost: &[bool], section_bytes: u64) -> f64 {
    let starts = BYTES - section_bytes + 1;
    let mut touching = 0;
    // A section that begins up to its length less one before a lost chunk touches it.
    let mut free_from = 0;
    for (chunk, _) in lost.iter().enumerate().filter(|(_, is_lost)| **is_lost) {
        let first = (chunk as u64 * 4_096)
            .saturating_sub(section_bytes - 1)
            .max(free_from);
        let end = ((chunk as u64 + 1) * 4_096).min(starts);
        touching += end.saturating_sub(first);
        free_from = end;
    }
    touching as f64 / starts as f64
}

#[test]
fn a_private_audit_finds_a_loss_as_often_as_its_sections_touch_it() {
    let (sections, section_bytes) = (64, 16);
    for permille in [10, 50, 100, 500] {
        for is_scattered in [false, true] {
            let lost = lost(CHUNKS * permille / 1_000, is_scattered);
            let found = (0..DRAWS)
                .filter(|number| {
                    let audit = Audit {
                        salt: [0; 32],
                        seed: random("private", *number),
                        sections,
                        section_bytes,
                    };
                    let starts = audit::sections(&audit, BYTES).unwrap();
                    starts.iter().any(|start| {
                        let last = start + u64::from(section_bytes) - 1;
                        [*start, last].iter().any(|at| lost[(at / 4_096) as usize])
                    })
                })
                .count() as u32;
            let share = touched(&lost, section_bytes.into());
            let probability = 1.0 - (1.0 - share).powi(sections.into());
            assert!(
                is_within_three_sigma(found, probability),
                "{permille} thousandths: {found} of {DRAWS}, expected {probability}"
            );
        }
    }
}

#[test]
fn thirty_two_chunks_miss_the_loss_of_half_twice_in_ten_billion_times() {
    assert!((missed(CHUNKS, CHUNKS / 2, 32) - 2.19e-10).abs() < 0.1e-10);
    assert!((missed(CHUNKS, CHUNKS / 10, 32) - 0.0341).abs() < 0.000_5);
    // Six periods of a tenth.
    assert!((missed(CHUNKS, CHUNKS / 10, 32).powi(6) - 1.6e-9).abs() < 0.1e-9);
}
