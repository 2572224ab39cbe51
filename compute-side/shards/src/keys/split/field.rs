//! GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, without tables: a table tells by the cache what was looked up.

/// What of the modulus stays when x^8 is taken away.
const REDUCTION: u8 = 0x1b;

/// A product. It takes a time that depends on the factor alone, which is never a secret: a member's
/// point, or what follows from such points.
pub(super) fn times(value: u8, factor: u8) -> u8 {
    let (mut value, mut factor, mut product) = (value, factor, 0);
    while factor != 0 {
        product ^= value & mask(factor & 1);
        value = (value << 1) ^ (REDUCTION & mask(value >> 7));
        factor >>= 1;
    }
    product
}

/// Eight ones for a one, eight zeros for a zero.
fn mask(bit: u8) -> u8 {
    bit.wrapping_neg()
}

/// The inverse, as the power 254 = 2 + 4 + … + 128; zero has none, and gives zero.
fn inverse(of: u8) -> u8 {
    let (mut power, mut product) = (of, 1);
    for _ in 1..8 {
        power = times(power, power);
        product = times(product, power);
    }
    product
}

/// What the value at `point` counts in that at zero, of the polynomial that is given at all `points`,
/// of which no two are equal.
pub(super) fn weight_at_zero(points: &[u8], point: u8) -> u8 {
    let others = points.iter().filter(|other| **other != point);
    others.fold(1, |weight, other| {
        times(weight, times(*other, inverse(other ^ point)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By long multiplication and division of polynomials, a bit at a time.
    fn by_hand(left: u8, right: u8) -> u8 {
        let mut product = 0u16;
        for bit in 0..8 {
            if right >> bit & 1 == 1 {
                product ^= u16::from(left) << bit;
            }
        }
        for bit in (8..16).rev() {
            if product >> bit & 1 == 1 {
                product ^= 0x11b << (bit - 8);
            }
        }
        u8::try_from(product).unwrap_or(u8::MAX)
    }

    #[test]
    fn every_product_is_the_one_by_hand_and_every_number_but_zero_has_an_inverse() {
        for left in 0..=255 {
            for right in 0..=255 {
                assert_eq!(times(left, right), by_hand(left, right), "{left} {right}");
            }
            let expected = if left == 0 { 0 } else { 1 };
            assert_eq!(by_hand(left, inverse(left)), expected, "{left}");
        }
    }
}
