#![allow(clippy::unwrap_used)]

use super::*;
use crate::bundle::Bundle;
use crate::math::PI;

const SAMPLES: u32 = 4096;

fn load(text: &str, obj: &str) -> Scene {
    let text = format!("quern-scene 1\nrender bounces=64 clamp=1000\n{text}");
    let files = [
        ("test.scene", text.as_bytes()),
        ("mesh.obj", obj.as_bytes()),
    ];
    Scene::load(&Bundle::from_files(files).unwrap()).unwrap()
}

/// The mean light that arrives along one ray.
fn seen(scene: &Scene, origin: [f32; 3], towards: [f32; 3]) -> Vec3 {
    let [origin, towards] = [origin, towards].map(|[x, y, z]| Vec3::new(x, y, z));
    let ray = Ray {
        origin,
        direction: (towards - origin).normalized().unwrap(),
    };
    let mut stack = Stack::new();
    let sum = (0..SAMPLES).fold(Vec3::ZERO, |sum, sample| {
        let mut sampler = Sampler::new(0, sample, SAMPLES, 11);
        sum + trace(scene, ray, &mut sampler, &mut stack).light
    });
    sum * (1.0 / SAMPLES as f32)
}

const CAMERA: &str = "camera position=0,0,5 look_at=0,0,0\n";
const WHITE_SKY: &str = "sky zenith=1 horizon=1 ground=1\n";

#[test]
fn white_things_vanish_in_a_white_furnace() {
    // Each with the least that it may give back: rough metal and a rough coat lose what is
    // scattered between their microscopic mirrors; none may make light.
    for (material, least) in [
        ("diffuse", 0.985),
        ("metal", 0.985),
        ("metal roughness=0.2", 0.93),
        ("metal roughness=0.5", 0.65),
        ("glass ior=1.5", 0.99),
        ("coated", 0.96),
        ("coated roughness=0.3", 0.85),
    ] {
        let scene = load(
            &format!(
                "{CAMERA}{WHITE_SKY}material m {material}\n\
                 sphere centre=0,0,0 radius=1 material=m\n\
                 sphere centre=0,-1.6,0.4 radius=0.6 material=m"
            ),
            "",
        );
        for target in [
            [0.0, 0.0, 0.0],
            [0.5, 0.2, 0.0],
            [0.0, -0.8, 0.6],
            [0.7, -0.6, 0.0],
        ] {
            let light = seen(&scene, [0.0, 0.0, 5.0], target);
            for channel in [light.x, light.y, light.z] {
                assert!((least..1.01).contains(&channel), "{material}: {channel}");
            }
        }
    }
}

#[test]
fn mesh_in_a_white_furnace_vanishes_too_alone_and_placed_twice() {
    let octahedron = "v 1 0 0\nv -1 0 0\nv 0 1 0\nv 0 -1 0\nv 0 0 1\nv 0 0 -1\n\
        f 1 3 5\nf 3 2 5\nf 2 4 5\nf 4 1 5\nf 3 1 6\nf 2 3 6\nf 4 2 6\nf 1 4 6\n";
    let place = "mesh file=mesh.obj material=m scale=1,0.8,1.2 rotate=10,20,30 move=0,0.1,0\n";
    for count in [1, 2] {
        let text = format!(
            "{CAMERA}{WHITE_SKY}material m diffuse\n{}",
            place.repeat(count)
        );
        let light = seen(&load(&text, octahedron), [0.0, 0.0, 5.0], [0.1, 0.1, 0.0]);
        assert!((light.x - 1.0).abs() < 1e-3, "{}", light.x);
    }
}

#[test]
fn floor_under_a_lamp_is_as_bright_as_computed_by_hand() {
    // A sphere of radiance 10 and radius 0.5 at height 3, seen from straight below:
    // irradiance pi L r^2 / d^2; a diffuse floor of albedo 0.6 sends on 0.6 / pi of it.
    let floor = "sky zenith=0 horizon=0 ground=0\nmaterial f diffuse colour=0.6\n\
        plane point=0,0,0 material=f\n";
    let lamp = "material l emissive radiance=10\nsphere centre=0,3,0 radius=0.5 material=l\n";
    let scene = load(&format!("{CAMERA}{floor}{lamp}"), "");
    let exact = 0.6 * 10.0 * 0.25 / 9.0;
    let light = seen(&scene, [4.0, 4.0, 0.0], [0.0, 0.0, 0.0]);
    assert!(
        (light.x / exact - 1.0).abs() < 0.01,
        "{} for {exact}",
        light.x
    );

    // A second lamp of the same light, as a mesh: a small square facing down.
    let square = "v -0.1 3 -0.1\nv 0.1 3 -0.1\nv 0.1 3 0.1\nv -0.1 3 0.1\nf 1 2 3 4\n";
    let lamp = "material l emissive radiance=100\nmesh file=mesh.obj material=l\n";
    let scene = load(&format!("{CAMERA}{floor}{lamp}"), square);
    let exact = 0.6 / PI * 100.0 * 0.04 / 9.0;
    let light = seen(&scene, [4.0, 4.0, 0.0], [0.0, 0.0, 0.0]);
    assert!(
        (light.x / exact - 1.0).abs() < 0.02,
        "{} for {exact}",
        light.x
    );
}

#[test]
fn sun_lights_a_floor_by_its_irradiance_and_height() {
    let text = "sky zenith=0 horizon=0 ground=0 sun_direction=0,1,1 sun_irradiance=3 sun_size=1\n\
        material f diffuse colour=0.5\nplane point=0,0,0 material=f\n";
    let scene = load(&format!("{CAMERA}{text}"), "");
    let exact = 0.5 / PI * 3.0 * 0.5_f32.sqrt();
    let light = seen(&scene, [0.0, 3.0, 0.0], [1.0, 0.0, 0.0]);
    assert!(
        (light.x / exact - 1.0).abs() < 0.01,
        "{} for {exact}",
        light.x
    );
    let shaded = load(
        &format!("{CAMERA}{text}sphere centre=0,5,5 radius=1 material=f\n"),
        "",
    );
    // In its shadow there is only what the sphere's sunny side sends back, which is little.
    assert!(seen(&shaded, [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]).x < 0.01 * exact);
}

#[test]
fn lamp_is_as_bright_whether_aimed_at_or_met_by_chance() {
    // Mirror-like and rough reflections of a lamp: the two ways of finding it must share the
    // work, not do it twice. A perfect mirror only meets it by chance.
    let lamp = "sky zenith=0 horizon=0 ground=0\nmaterial l emissive radiance=4\n\
        sphere centre=0,6,0 radius=5 material=l\n";
    let reflected = |roughness: f32| {
        let metal =
            format!("material m metal roughness={roughness}\nplane point=0,0,0 material=m\n");
        let scene = load(&format!("{CAMERA}{lamp}{metal}"), "");
        seen(&scene, [0.3, 0.9, 0.0], [0.0, 0.0, 0.0]).x
    };
    assert!((reflected(0.0) - 4.0).abs() < 1e-3);
    // The lamp fills nearly all of a narrow lobe.
    assert!((reflected(0.2) - 4.0).abs() < 0.1, "{}", reflected(0.2));
}

#[test]
fn light_through_tinted_glass_fades_with_the_way_inside() {
    let text = format!(
        "{CAMERA}{WHITE_SKY}material g glass ior=1.01 absorption=0.5,0,1\n\
         sphere centre=0,0,0 radius=1 material=g\n"
    );
    let light = seen(&load(&text, ""), [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]);
    // Two units of glass straight through; so weak a refraction reflects next to nothing.
    let exact = [(-1.0_f32).exp(), 1.0, (-2.0_f32).exp()];
    for (channel, exact) in [light.x, light.y, light.z].into_iter().zip(exact) {
        assert!((channel - exact).abs() < 0.01, "{channel} for {exact}");
    }
}

#[test]
fn features_are_those_of_the_first_surface_behind_mirrors() {
    let text = format!(
        "{CAMERA}{WHITE_SKY}material m metal colour=0.5\nmaterial d diffuse colour=0.2,0.4,0.8\n\
         plane point=0,0,0 material=m\nplane point=0,9,0 normal=0,-1,0 material=d\n"
    );
    let scene = load(&text, "");
    let direction = Vec3::new(0.0, -1.0, 0.0);
    let ray = Ray {
        origin: Vec3::new(0.0, 1.0, 0.0),
        direction,
    };
    let mut stack = Stack::new();
    let sample = trace(&scene, ray, &mut Sampler::new(0, 0, 1, 0), &mut stack);
    assert!((sample.albedo - Vec3::new(0.1, 0.2, 0.4)).length() < 1e-3);
    assert_eq!(sample.normal, Vec3::new(0.0, -1.0, 0.0));
    assert_eq!(sample.nearness, 0.5);
}
