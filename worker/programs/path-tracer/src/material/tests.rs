use super::*;
use crate::sampler::Sampler;

const SAMPLES: u32 = 4096;

fn bsdfs() -> Vec<(Bsdf, f32)> {
    let white = |lobe| Bsdf {
        lobe,
        colour: Vec3::ONE,
    };
    // Each with the least share of the light that it may give back. Single scattering between
    // microscopic mirrors loses up to this much on rough metal.
    vec![
        (white(Lobe::Diffuse), 0.999),
        (white(Lobe::Metal { alpha: 0.0 }), 0.999),
        (white(Lobe::Metal { alpha: 0.04 }), 0.98),
        (white(Lobe::Metal { alpha: 0.25 }), 0.8),
        (
            white(Lobe::Coated {
                alpha: 0.0,
                f0: 0.04,
            }),
            0.98,
        ),
        (
            white(Lobe::Coated {
                alpha: 0.1,
                f0: 0.04,
            }),
            0.95,
        ),
    ]
}

fn rays() -> impl Iterator<Item = Vec3> {
    [0.1, 0.3, 0.6, 0.9, 1.0].into_iter().map(|z: f32| {
        let side = (1.0 - z * z).sqrt();
        Vec3::new(side * 0.6, side * 0.8, z)
    })
}

fn samples() -> impl Iterator<Item = ((f32, f32), f32)> {
    (0..SAMPLES).map(|i| {
        let mut sampler = Sampler::new(0, i, SAMPLES, 9);
        (sampler.next_2d(), sampler.next_1d())
    })
}

#[test]
fn white_surfaces_give_back_all_light_and_never_more() {
    for (bsdf, least) in bsdfs() {
        for wo in rays() {
            let scattered = samples().filter_map(|(uv, c)| bsdf.sample(wo, uv, c));
            let sum: f32 = scattered.map(|s| s.weight.x).sum();
            let albedo = sum / SAMPLES as f32;
            // At grazing angles rough mirrors hide and shade each other, and more is lost.
            let least = if wo.z < 0.2 { least - 0.3 } else { least };
            assert!(
                (least..1.02).contains(&albedo),
                "{bsdf:?} at {}: {albedo}",
                wo.z
            );
        }
    }
}

#[test]
fn sampled_weight_is_value_over_density() {
    for (bsdf, _) in bsdfs() {
        for (wo, (uv, choice)) in rays().zip(samples().skip(17)) {
            let Some(s) = bsdf.sample(wo, uv, choice).filter(|s| !s.is_mirror) else {
                continue;
            };
            let (value, density) = bsdf.evaluate(wo, s.direction);
            assert!((density / s.density - 1.0).abs() < 1e-3);
            assert!((value.x / density - s.weight.x).abs() < 1e-3 * s.weight.x);
            assert!((s.direction.length() - 1.0).abs() < 1e-4);
        }
    }
}

#[test]
fn densities_integrate_to_one() {
    for (bsdf, _) in bsdfs() {
        if bsdf.lobe.is_mirror() || matches!(bsdf.lobe, Lobe::Coated { alpha: 0.0, .. }) {
            continue;
        }
        for wo in rays().skip(2) {
            // Over the hemisphere, uniformly; lobes are wide enough for this many samples.
            let sum: f32 = samples()
                .map(|((u, v), _)| {
                    let z = 1.0 - u;
                    let (sin, cos) = sin_cos_turns(v);
                    let side = (1.0 - z * z).sqrt();
                    bsdf.evaluate(wo, Vec3::new(side * cos, side * sin, z)).1
                })
                .sum();
            let integral = sum * 2.0 * PI / SAMPLES as f32;
            assert!(
                (0.93..1.03).contains(&integral),
                "{bsdf:?} at {}: {integral}",
                wo.z
            );
        }
    }
}

#[test]
fn scattering_is_the_same_both_ways() {
    let (a, b) = (Vec3::new(0.6, 0.0, 0.8), Vec3::new(-0.48, 0.64, 0.6));
    for (bsdf, _) in bsdfs() {
        let (there, back) = (bsdf.evaluate(a, b).0.x / b.z, bsdf.evaluate(b, a).0.x / a.z);
        assert!(
            (there - back).abs() <= 1e-4 * there.abs(),
            "{bsdf:?}: {there} and {back}"
        );
    }
}

#[test]
fn glass_obeys_the_law_of_refraction_and_reflects_totally() {
    let normal = Vec3::new(0.0, 0.0, 1.0);
    let down = Vec3::new(0.6, 0.0, -0.8);
    let refracted = through_glass(down, normal, 1.0 / 1.5, 0.99);
    assert!(refracted.is_refracted && refracted.direction.z < 0.0);
    assert!((refracted.direction.x - 0.4).abs() < 1e-5);
    assert!((refracted.direction.length() - 1.0).abs() < 1e-5);
    let mirrored = through_glass(down, normal, 1.0 / 1.5, 0.0);
    assert!(!mirrored.is_refracted && (mirrored.direction.z - 0.8).abs() < 1e-6);
    let steep = Vec3::new(0.9, 0.0, -(1.0_f32 - 0.81).sqrt());
    assert!(!through_glass(steep, normal, 1.5, 0.999).is_refracted);
    // Head-on, glass reflects ((n - 1) / (n + 1))^2 = 4 %.
    let head_on = Vec3::new(0.0, 0.0, -1.0);
    assert!(!through_glass(head_on, normal, 1.0 / 1.5, 0.0399).is_refracted);
    assert!(through_glass(head_on, normal, 1.0 / 1.5, 0.0401).is_refracted);
}

#[test]
fn disc_is_covered_evenly() {
    let inside = samples().filter(|(uv, _)| {
        let (x, y) = disc(*uv);
        assert!(x * x + y * y < 1.0001);
        x * x + y * y < 0.5
    });
    let share = inside.count() as f32 / SAMPLES as f32;
    assert!((share - 0.5).abs() < 0.01);
}
