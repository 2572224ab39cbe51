//! The code a second time, as `docs/format.md` has it: by polynomials through points, a symbol after the
//! other, without transforms, tables or a word of the crate's.

/// Beside the 17th bit: x^16 + x^5 + x^3 + x^2 + 1.
const REDUCTION: u16 = 0x002d;

const BASIS: [u16; 16] = [
    0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900,
    0xfdb8, 0xfb34, 0xff38, 0x991e,
];

fn times(left: u16, right: u16) -> u16 {
    let (mut left, mut product) = (left, 0);
    for bit in 0..16 {
        if right >> bit & 1 == 1 {
            product ^= left;
        }
        let carries = left >> 15 == 1;
        left <<= 1;
        if carries {
            left ^= REDUCTION;
        }
    }
    product
}

/// The inverse, as the power 2^16 - 2 = 2 + 4 + … + 2^15.
fn inverse(of: u16) -> u16 {
    let (mut power, mut product) = (of, 1);
    for _ in 1..16 {
        power = times(power, power);
        product = times(product, power);
    }
    product
}

/// What stands for a number.
fn element(number: u16) -> u16 {
    let bits = BASIS.iter().enumerate();
    bits.filter(|(bit, _)| number >> bit & 1 == 1)
        .fold(0, |sum, (_, basis)| sum ^ basis)
}

/// The number that an element stands for, by elimination: what has made the rows of the basis say which
/// bits of the number are set.
struct Numbers([(u16, u16); 16]);

impl Numbers {
    fn new() -> Self {
        let mut rows: Vec<(u16, u16)> = (0..16).map(|bit| (BASIS[bit], 1 << bit)).collect();
        for bit in 0..16 {
            let pivot = (bit..16).find(|row| rows[*row].0 >> bit & 1 == 1).unwrap();
            rows.swap(bit, pivot);
            let (basis, number) = rows[bit];
            for (row, it) in rows.iter_mut().enumerate() {
                if row != bit && it.0 >> bit & 1 == 1 {
                    *it = (it.0 ^ basis, it.1 ^ number);
                }
            }
        }
        Self(rows.try_into().unwrap())
    }

    fn of(&self, element: u16) -> u16 {
        let bits = self.0.iter().enumerate();
        bits.filter(|(bit, _)| element >> bit & 1 == 1)
            .fold(0, |sum, (_, (_, number))| sum ^ number)
    }
}

/// What a symbol counts in the value at `at` of the polynomial through `points`.
fn weight(points: &[u16], one: usize, at: u16) -> u16 {
    let others = points.iter().enumerate().filter(|(place, _)| *place != one);
    let (above, below) = others.fold((1, 1), |(above, below), (_, point)| {
        (times(above, at ^ point), times(below, points[one] ^ point))
    });
    times(above, inverse(below))
}

fn symbols(bytes: &[u8]) -> Vec<u16> {
    let mut symbols = Vec::new();
    for stretch in bytes.chunks(64) {
        let (low, high) = stretch.split_at(stretch.len() / 2);
        let pairs = low.iter().zip(high);
        symbols.extend(pairs.map(|(low, high)| u16::from_le_bytes([*low, *high])));
    }
    symbols
}

fn bytes(symbols: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for stretch in symbols.chunks(32) {
        bytes.extend(stretch.iter().map(|symbol| symbol.to_le_bytes()[0]));
        bytes.extend(stretch.iter().map(|symbol| symbol.to_le_bytes()[1]));
    }
    bytes
}

/// The parity of shards of any lengths.
pub(super) fn parity(shards: &[Vec<u8>], count: usize) -> Vec<Vec<u8>> {
    let longest = shards.iter().map(Vec::len).max().unwrap();
    let filled = shards.iter().map(|shard| {
        let mut filled = shard.clone();
        filled.resize(longest.next_multiple_of(2), 0);
        symbols(&filled)
    });
    let filled: Vec<Vec<u16>> = filled.collect();
    let (group, numbers) = (count.next_power_of_two(), Numbers::new());
    let piece = |place: usize| {
        let weights = (0..shards.len()).map(|shard| {
            let first = group * (shard / group + 1);
            let points: Vec<u16> = (first..first + group)
                .map(|point| element(u16::try_from(point).unwrap()))
                .collect();
            let at = element(u16::try_from(place).unwrap());
            weight(&points, shard % group, at)
        });
        let weights: Vec<u16> = weights.collect();
        let symbol = |which: usize| {
            let shards = filled.iter().zip(&weights);
            let sum = shards.fold(0, |sum, (symbols, weight)| {
                sum ^ times(*weight, element(symbols[which]))
            });
            numbers.of(sum)
        };
        bytes(&(0..longest.div_ceil(2)).map(symbol).collect::<Vec<_>>())
    };
    (0..count).map(piece).collect()
}
