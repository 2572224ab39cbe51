//! What shines, and how to aim at it.
//!
//! At each surface point one light is drawn, with a probability in proportion to what it would
//! give there if nothing stood between, and one direction towards it. The density of that choice
//! can be asked for any direction, so that light found by chance along a reflected ray is weighed
//! against light found by aiming (multiple importance sampling, E. Veach 1997).

use crate::math::{PI, Vec3, clamp, max, min, sin_cos_turns};

/// The most light sources of a scene; each triangle of a shining mesh is one.
pub(crate) const LIGHTS_MAX: usize = 32;

/// The angular part of a half-space that no light's importance may fall below, so that lights at
/// grazing angles are still drawn now and then.
const IMPORTANCE_FLOOR: f32 = 0.02;

/// One source of light.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Light {
    Sphere {
        centre: Vec3,
        radius: f32,
        radiance: Vec3,
    },
    Triangle {
        corner: Vec3,
        edges: (Vec3, Vec3),
        normal: Vec3,
        area: f32,
        radiance: Vec3,
    },
    Sun {
        direction: Vec3,
        cos_max: f32,
        radiance: Vec3,
    },
}

/// A direction towards a light.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LightSample {
    pub(crate) direction: Vec3,
    /// Up to where the way must be free.
    pub(crate) distance: f32,
    pub(crate) radiance: Vec3,
    /// Per unit of solid angle, given that this light was drawn.
    pub(crate) density: f32,
}

/// All sources of light of a scene, at most [`LIGHTS_MAX`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Lights {
    pub(crate) list: Vec<Light>,
}

impl Lights {
    /// Draws a light for a point on a surface facing `normal`: its place in the list and the
    /// probability of having drawn it.
    pub(crate) fn pick(&self, point: Vec3, normal: Vec3, random: f32) -> Option<(usize, f32)> {
        let (mut importance, mut total) = ([0.0_f32; LIGHTS_MAX], 0.0);
        for (light, importance) in self.list.iter().zip(&mut importance) {
            *importance = light.importance(point, normal);
            total += *importance;
        }
        if total <= 0.0 {
            return None;
        }
        let (mut left, mut last) = (random * total, None);
        for (index, &importance) in importance.iter().enumerate().take(self.list.len()) {
            if importance > 0.0 {
                last = Some((index, importance / total));
                left -= importance;
                if left < 0.0 {
                    break;
                }
            }
        }
        last
    }

    /// The probability with which [`Lights::pick`] draws a light.
    pub(crate) fn probability(&self, index: usize, point: Vec3, normal: Vec3) -> f32 {
        let total: f32 = self
            .list
            .iter()
            .fold(0.0, |sum, light| sum + light.importance(point, normal));
        match self.list.get(index) {
            Some(light) if total > 0.0 => light.importance(point, normal) / total,
            _ => 0.0,
        }
    }
}

impl Light {
    /// About the light that arrives at an unshadowed point of a surface.
    fn importance(&self, point: Vec3, normal: Vec3) -> f32 {
        let (brightness, cosine) = match self {
            Self::Sphere {
                centre,
                radius,
                radiance,
            } => {
                let to_light = *centre - point;
                let square = to_light.length_squared();
                if square <= radius * radius * 1.0002 {
                    return 0.0;
                }
                let distance = square.sqrt();
                let angle = PI * radius * radius / square;
                let cosine = (to_light.dot(normal) + radius) / distance;
                (radiance.luminance() * min(angle, 2.0 * PI), cosine)
            }
            Self::Triangle {
                corner,
                edges,
                normal: facing,
                area,
                radiance,
            } => {
                let to_light = *corner + (edges.0 + edges.1) * (1.0 / 3.0) - point;
                let square = max(to_light.length_squared(), 1e-12);
                let distance = square.sqrt();
                let facing = max(facing.dot(to_light).abs() / distance, 0.05);
                let angle = min(area * facing / square, 2.0 * PI);
                (
                    radiance.luminance() * angle,
                    to_light.dot(normal) / distance + 0.2,
                )
            }
            Self::Sun {
                direction,
                cos_max,
                radiance,
            } => (
                radiance.luminance() * 2.0 * PI * (1.0 - cos_max),
                direction.dot(normal),
            ),
        };
        brightness * clamp(cosine, IMPORTANCE_FLOOR, 1.0)
    }

    /// Draws a direction from a point towards the light.
    pub(crate) fn sample(&self, point: Vec3, (u, v): (f32, f32)) -> Option<LightSample> {
        match *self {
            Self::Sphere {
                centre,
                radius,
                radiance,
            } => {
                let (axis, height) = cone(point, centre, radius)?;
                let direction = in_cone(axis, height, u, v);
                let along = (centre - point).dot(direction);
                let aside = (centre - point - direction * along).length_squared();
                let distance = along - max(radius * radius - aside, 0.0).sqrt();
                let density = 1.0 / (2.0 * PI * height);
                Some(LightSample {
                    direction,
                    distance: distance * 0.999,
                    radiance,
                    density,
                })
            }
            Self::Triangle {
                corner,
                edges,
                normal,
                area,
                radiance,
            } => {
                let root = u.sqrt();
                let on_light = corner + edges.0 * (root * (1.0 - v)) + edges.1 * (root * v);
                let to_light = on_light - point;
                let direction = to_light.normalized()?;
                let facing = normal.dot(direction).abs();
                if facing < 1e-4 {
                    return None;
                }
                let density = to_light.length_squared() / (facing * area);
                let distance = to_light.length() * 0.999;
                Some(LightSample {
                    direction,
                    distance,
                    radiance,
                    density,
                })
            }
            Self::Sun {
                direction,
                cos_max,
                radiance,
            } => {
                let height = 1.0 - cos_max;
                let density = 1.0 / (2.0 * PI * height);
                let direction = in_cone(direction, height, u, v);
                Some(LightSample {
                    direction,
                    distance: 1e9,
                    radiance,
                    density,
                })
            }
        }
    }

    /// The density with which [`Light::sample`] draws a direction that is known to meet the light
    /// at `distance`.
    pub(crate) fn density(&self, point: Vec3, direction: Vec3, distance: f32) -> f32 {
        match *self {
            Self::Sphere { centre, radius, .. } => {
                cone(point, centre, radius).map_or(0.0, |(_, height)| 1.0 / (2.0 * PI * height))
            }
            Self::Triangle { normal, area, .. } => {
                distance * distance / max(normal.dot(direction).abs() * area, 1e-12)
            }
            Self::Sun { cos_max, .. } => 1.0 / (2.0 * PI * (1.0 - cos_max)),
        }
    }
}

/// The cone under which a sphere is seen: its axis, and one minus the cosine of its half angle.
fn cone(point: Vec3, centre: Vec3, radius: f32) -> Option<(Vec3, f32)> {
    let to_centre = centre - point;
    let sin_squared = radius * radius / to_centre.length_squared();
    if sin_squared >= 0.9998 {
        return None;
    }
    // The direct difference would lose all its digits for a small or distant sphere.
    let height = sin_squared / (1.0 + (1.0 - sin_squared).sqrt());
    to_centre.normalized().map(|axis| (axis, max(height, 1e-9)))
}

fn in_cone(axis: Vec3, height: f32, u: f32, v: f32) -> Vec3 {
    let fall = u * height;
    let sine = max(fall * (2.0 - fall), 0.0).sqrt();
    let (sin, cos) = sin_cos_turns(v);
    let (tangent, bitangent) = basis(axis);
    let direction = tangent * (sine * cos) + bitangent * (sine * sin) + axis * (1.0 - fall);
    direction.normalized_or(axis)
}

/// Two directions that make a right-handed system with a third of length one (T. Duff and others,
/// *Building an Orthonormal Basis, Revisited*, 2017).
#[inline]
pub(crate) fn basis(n: Vec3) -> (Vec3, Vec3) {
    let sign = if n.z < 0.0 { -1.0 } else { 1.0 };
    let a = -1.0 / (sign + n.z);
    let b = n.x * n.y * a;
    let tangent = Vec3::new(1.0 + sign * n.x * n.x * a, sign * b, -sign * n.x);
    (tangent, Vec3::new(b, sign + n.y * n.y * a, -n.y))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sampler::Sampler;
    use crate::shape::{Primitive, Ray};

    fn lamp() -> Light {
        let centre = Vec3::new(1.0, 3.0, -1.0);
        Light::Sphere {
            centre,
            radius: 0.8,
            radiance: Vec3::splat(2.0),
        }
    }

    fn panel() -> Light {
        let corner = Vec3::new(-1.0, 2.0, 0.0);
        let edges = (Vec3::new(2.0, 0.0, 0.0), Vec3::new(0.0, 0.0, 3.0));
        let normal = Vec3::new(0.0, -1.0, 0.0);
        Light::Triangle {
            corner,
            edges,
            normal,
            area: 3.0,
            radiance: Vec3::ONE,
        }
    }

    /// The irradiance at the origin of a floor, by sampling.
    fn irradiance(light: &Light) -> f32 {
        let up = Vec3::new(0.0, 1.0, 0.0);
        let sum: f32 = (0..4096)
            .filter_map(|i| light.sample(Vec3::ZERO, Sampler::new(0, i, 4096, 1).next_2d()))
            .map(|s| s.radiance.x * max(s.direction.dot(up), 0.0) / s.density)
            .sum();
        sum / 4096.0
    }

    #[test]
    fn sampled_irradiance_equals_the_closed_form() {
        // A sphere wholly above the horizon: pi L sin^2(half angle) cos(direction).
        let exact = 2.0 * PI * (0.64 / 11.0) * (3.0 / 11.0_f32.sqrt());
        assert!((irradiance(&lamp()) / exact - 1.0).abs() < 1e-3);
        // A triangle: Lambert's sum over its edges.
        let corners = [[-1.0, 2.0, 0.0], [1.0, 2.0, 0.0], [-1.0, 2.0, 3.0]];
        let corners = corners.map(|[x, y, z]: [f32; 3]| Vec3::new(x, y, z).normalized().unwrap());
        let edge = |a: Vec3, b: Vec3| {
            let across = a.cross(b).normalized().unwrap();
            a.dot(b).acos() * across.y
        };
        let [a, b, c] = corners;
        let exact = 0.5 * (edge(a, b) + edge(b, c) + edge(c, a)).abs();
        assert!((irradiance(&panel()) / exact - 1.0).abs() < 1e-2);
    }

    #[test]
    fn density_of_a_sampled_direction_is_the_one_it_was_sampled_with() {
        let sun = Light::Sun {
            direction: Vec3::new(0.6, 0.8, 0.0),
            cos_max: 0.99,
            radiance: Vec3::ONE,
        };
        for light in [lamp(), panel(), sun] {
            for i in 0..200 {
                let sample = light
                    .sample(Vec3::ZERO, Sampler::new(0, i, 256, 5).next_2d())
                    .unwrap();
                let distance = sample.distance / 0.999;
                let density = light.density(Vec3::ZERO, sample.direction, distance);
                assert!((density / sample.density - 1.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn every_sampled_direction_meets_the_sphere() {
        let sphere = Primitive::sphere(Vec3::new(1.0, 3.0, -1.0), 0.80001);
        for i in 0..1000 {
            let sample = lamp()
                .sample(Vec3::ZERO, Sampler::new(3, i, 1024, 5).next_2d())
                .unwrap();
            let ray = Ray {
                origin: Vec3::ZERO,
                direction: sample.direction,
            };
            let distance = sphere.intersect(&ray, 100.0).unwrap().distance;
            assert!((sample.distance - distance).abs() < 0.02);
        }
    }

    #[test]
    fn lights_are_drawn_as_often_as_their_probability_says() {
        let lights = Lights {
            list: vec![lamp(), panel()],
        };
        let up = Vec3::new(0.0, 1.0, 0.0);
        let mut counts = [0.0_f32; 2];
        for i in 0..1000 {
            let (index, probability) = lights
                .pick(Vec3::ZERO, up, (i as f32 + 0.5) / 1000.0)
                .unwrap();
            assert_eq!(probability, lights.probability(index, Vec3::ZERO, up));
            counts[index] += 1.0;
        }
        for (index, count) in counts.into_iter().enumerate() {
            let share: f32 = count / 1000.0;
            assert!((share - lights.probability(index, Vec3::ZERO, up)).abs() < 2e-3);
        }
        assert!(lights.pick(Vec3::new(1.0, 3.0, -1.0), up, 0.0).is_some());
        assert!(Lights::default().pick(Vec3::ZERO, up, 0.5).is_none());
    }
}
