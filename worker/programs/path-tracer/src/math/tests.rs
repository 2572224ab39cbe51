use super::*;

/// Evenly spaced numbers over an interval, ends included.
fn spread(low: f32, high: f32) -> impl Iterator<Item = f32> {
    (0..=20_000).map(move |i| low + (high - low) * (i as f32 / 20_000.0))
}

fn worst(values: impl Iterator<Item = f32>, error: impl Fn(f32) -> f64) -> f64 {
    values.map(error).fold(0.0, f64::max)
}

#[test]
fn sine_and_cosine_keep_their_stated_error() {
    let turn = std::f64::consts::TAU;
    let sine = |x| (f64::from(sin_cos_turns(x).0) - (f64::from(x) * turn).sin()).abs();
    let cosine = |x| (f64::from(sin_cos_turns(x).1) - (f64::from(x) * turn).cos()).abs();
    assert!(worst(spread(-1.0, 1.0), sine) < 3e-7);
    assert!(worst(spread(-1.0, 1.0), cosine) < 3e-7);
    assert!(
        worst(spread(-6.2, 6.2), |x| (f64::from(sin(x))
            - f64::from(x).sin())
        .abs())
            < 1e-6
    );
}

#[test]
fn arc_tangent_keeps_its_stated_error_all_around() {
    let error = |turns: f32| {
        let (s, c) = (f64::from(turns) * std::f64::consts::TAU).sin_cos();
        let (s, c) = (s as f32 * 3.0, c as f32 * 3.0);
        let exact = f64::from(s).atan2(f64::from(c)) / std::f64::consts::TAU;
        (f64::from(atan2_turns(s, c)) - exact).abs()
    };
    assert!(worst(spread(-0.499, 0.499), error) < 1e-7);
    assert_eq!(atan2_turns(0.0, 0.0), 0.0);
    assert_eq!(atan2_turns(0.0, -1.0), 0.5);
}

#[test]
fn exponentials_keep_their_stated_errors() {
    let two = |x: f32| (f64::from(exp2(x)) / f64::from(x).exp2() - 1.0).abs();
    assert!(worst(spread(-30.0, 30.0), two) < 3e-7);
    let e = |x: f32| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs();
    assert!(worst(spread(-20.0, 20.0), e) < 3e-6);
    assert_eq!(exp2(0.0), 1.0);
    assert_eq!(exp2(10.0), 1024.0);
    assert!(exp2(-1e9) > 0.0 && exp2(1e9).is_finite());
}

#[test]
fn logarithm_and_power_keep_their_stated_errors() {
    let error = |x: f32| {
        let exact = f64::from(x).log2();
        (f64::from(log2(x)) - exact).abs() / exact.abs().max(1.0)
    };
    assert!(worst(spread(1e-4, 100.0), error) < 4e-7);
    let power = |x: f32| (f64::from(pow(x, 2.4)) / f64::from(x).powf(2.4) - 1.0).abs();
    assert!(worst(spread(0.004, 300.0), power) < 3e-6);
    assert_eq!(pow(0.0, 0.5), 0.0);
    assert!(log2(0.0).is_finite());
}

#[test]
fn floor_agrees_with_the_standard_library() {
    for x in spread(-50.0, 50.0) {
        assert_eq!(floor(x) as f32, x.floor());
        assert!((0.0..1.0).contains(&fract(x)));
    }
    assert_eq!(floor(f32::NAN), 0);
    assert_eq!(floor(1e20), i32::MAX);
    assert_eq!(floor(-1e20), i32::MIN);
}

#[test]
fn a_vector_too_short_or_too_long_has_no_direction() {
    assert_eq!(Vec3::ZERO.normalized(), None);
    assert_eq!(Vec3::splat(f32::MAX).normalized(), None);
    let unit = Vec3::new(3.0, 4.0, 12.0).normalized().map(Vec3::length);
    assert!(unit.is_some_and(|length| (length - 1.0).abs() < 1e-6));
}
