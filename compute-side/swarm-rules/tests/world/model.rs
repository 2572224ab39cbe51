//! The published model: `n` pieces, `m` peers that each draw one of the missing pieces at random, in rounds.

/// The rounds that the model takes:
/// `E(n,m) = 1 + Σ_{j=1}^{min(m,n-1)} S(m,j) n!/(n-j)! E(n-j,m) / n^m`, and `E(1,m) = 1`, with the numbers
/// of Stirling of the second kind: with `S(m,j) n!/(n-j)! / n^m` the peers draw `j` different pieces.
pub(crate) fn rounds(pieces: usize, peers: usize) -> f64 {
    let mut rounds = vec![0.0, 1.0];
    for n in 2..=pieces {
        let drawn = different(n, peers);
        let rest: f64 = (1..=peers.min(n - 1))
            .map(|j| drawn[j] * rounds[n - j])
            .sum();
        rounds.push(1.0 + rest);
    }
    rounds[pieces]
}

/// How likely it is that so many of `n` things are drawn, if each of `m` draws one: reckoned one peer after
/// the other, which is the recursion of the numbers of Stirling without their size.
fn different(n: usize, m: usize) -> Vec<f64> {
    let mut likely = vec![0.0; m + 1];
    likely[0] = 1.0;
    for _ in 0..m {
        for j in (1..=m).rev() {
            let (all, drawn) = (n as f64, j as f64);
            likely[j] =
                likely[j] * drawn / all + likely[j - 1] * (all - drawn + 1.0).max(0.0) / all;
        }
        likely[0] = 0.0;
    }
    likely
}

#[test]
fn the_model_gives_the_published_table() {
    let table = [
        (64, [17.859, 9.991, 7.271, 5.962]),
        (128, [34.117, 18.275, 12.952, 10.205]),
        (192, [50.268, 26.450, 18.443, 14.402]),
    ];
    for (pieces, row) in table {
        for (peers, published) in [4, 8, 12, 16].into_iter().zip(row) {
            let found = rounds(pieces, peers);
            assert!(
                (found - published).abs() < 0.000_6,
                "{pieces} {peers}: {found}"
            );
        }
    }
}
