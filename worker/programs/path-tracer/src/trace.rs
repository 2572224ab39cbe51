//! Light along one path, from the eye back to where it came from.

use crate::bvh::Stack;
use crate::light::Light;
use crate::material::{Bsdf, Frame, Lobe, Material, MaterialKind, through_glass};
use crate::math::{Vec3, clamp, exp, max, min};
use crate::sampler::Sampler;
use crate::scene::{NO_LIGHT, Scene, Surface};
use crate::shape::Ray;

/// After this many scatterings a path goes on only with the probability of its throughput.
const ROULETTE_FROM: u32 = 1;
/// After a first rough scattering, reflections are at least this rough (as alpha): sharp mirrors
/// seen by a diffuse surface make noise that a preview's worth of samples cannot resolve.
const INDIRECT_ALPHA_MIN: f32 = 0.09;
/// The distance that a ray starts from the surface it leaves, relative to the coordinates.
const OFFSET: f32 = 1e-4;

/// What one path saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PathSample {
    /// Light that arrives along the path.
    pub(crate) light: Vec3,
    /// The colour of the first surface that is no mirror, tinted by the mirrors before.
    pub(crate) albedo: Vec3,
    /// The direction that surface faces; zero for the sky and lamps.
    pub(crate) normal: Vec3,
    /// One over one plus the distance to the first surface; 0 for the sky.
    pub(crate) nearness: f32,
}

/// Where the current ray started, and how likely it was: what weighs the light it meets.
#[derive(Clone, Copy)]
struct Departure {
    point: Vec3,
    normal: Vec3,
    density: f32,
}

struct Path<'a> {
    scene: &'a Scene,
    sampler: &'a mut Sampler,
    stack: &'a mut Stack,
    light: Vec3,
    throughput: Vec3,
    /// `None` when no light could have been aimed at: from the eye, a mirror or glass.
    departure: Option<Departure>,
    /// Scatterings other than by mirrors and glass.
    rough_bounces: u32,
    absorption: Option<Vec3>,
    sample: PathSample,
    has_features: bool,
}

/// Follows one path through the scene.
pub(crate) fn trace(
    scene: &Scene,
    mut ray: Ray,
    sampler: &mut Sampler,
    stack: &mut Stack,
) -> PathSample {
    let mut path = Path {
        scene,
        sampler,
        stack,
        light: Vec3::ZERO,
        throughput: Vec3::ONE,
        departure: None,
        rough_bounces: 0,
        absorption: None,
        sample: PathSample::default(),
        has_features: false,
    };
    for bounce in 0..=scene.render.bounces {
        path.sampler.start_bounce(bounce);
        let Some(hit) = scene.nearest(&ray, path.stack) else {
            path.escape(&ray);
            break;
        };
        let Some(surface) = scene.surface(&ray, &hit) else {
            break;
        };
        let Some(material) = scene.materials.get(surface.material as usize) else {
            break;
        };
        if bounce == 0 {
            path.sample.nearness = 1.0 / (1.0 + hit.distance);
        }
        if let Some(absorption) = path.absorption {
            let through = |c: f32| exp(-c * hit.distance);
            path.throughput *= Vec3::new(
                through(absorption.x),
                through(absorption.y),
                through(absorption.z),
            );
        }
        let is_last = bounce == scene.render.bounces;
        let Some(next) = path.scatter(&ray, &surface, hit.distance, material, is_last) else {
            break;
        };
        if bounce >= ROULETTE_FROM {
            let survival = clamp(path.throughput.max_element(), 0.05, 0.95);
            if path.sampler.next_1d() >= survival {
                break;
            }
            path.throughput = path.throughput * (1.0 / survival);
        }
        ray = next;
    }
    path.sample.light = path.light;
    path.sample
}

impl Path<'_> {
    /// The ray left the scene: adds what comes from the sky and the sun.
    fn escape(&mut self, ray: &Ray) {
        let scene = self.scene;
        let sky = scene.sky.radiance(ray.direction);
        self.add(sky * self.throughput);
        if let Some((index, cos_max)) = scene.sun
            && ray.direction.dot(scene.sky.sun_direction) >= cos_max
            && let Some(Light::Sun { radiance, .. }) = scene.lights.list.get(index)
        {
            let weight = self.weight_of_chance(index, ray.direction, 0.0);
            self.add(*radiance * self.throughput * weight);
        }
        self.mark(Vec3::ONE, Vec3::ZERO);
    }

    /// Adds the light that the surface gives, and chooses where to go on.
    fn scatter(
        &mut self,
        ray: &Ray,
        surface: &Surface,
        distance: f32,
        material: &Material,
        is_last: bool,
    ) -> Option<Ray> {
        let alpha_min = if self.rough_bounces > 0 {
            INDIRECT_ALPHA_MIN
        } else {
            0.0
        };
        let lobe = match material.kind {
            MaterialKind::Emissive => {
                self.shine(ray, surface, distance, material.colour);
                return None;
            }
            MaterialKind::Glass { ior, absorption } => {
                return Some(self.pass_glass(ray, surface, ior, absorption));
            }
            MaterialKind::Diffuse => Lobe::Diffuse,
            MaterialKind::Metal { alpha } => Lobe::Metal {
                alpha: max(alpha, alpha_min),
            },
            MaterialKind::Coated { alpha, f0 } => Lobe::Coated {
                alpha: max(alpha, alpha_min),
                f0,
            },
        };
        let bsdf = Bsdf {
            lobe,
            colour: self.scene.colour(material, surface),
        };
        let view = -ray.direction;
        let normal = match &material.bump {
            // Nobody sees the bumps of what is seen only by its light on other things.
            Some(bump) if self.rough_bounces == 0 => self.scene.bumped_normal(bump, surface, view),
            _ => surface.normal,
        };
        let frame = Frame::new(normal);
        let wo = frame.to_local(view);
        if !lobe.is_mirror() {
            self.mark(bsdf.colour, normal);
            self.aim(surface, normal, &frame, &bsdf, wo);
        }
        if is_last {
            return None;
        }
        let scattered = bsdf.sample(wo, self.sampler.next_2d(), self.sampler.next_1d())?;
        let direction = frame.to_world(scattered.direction);
        if direction.dot(surface.geometric) <= 0.0 {
            return None;
        }
        self.throughput *= scattered.weight;
        let point = surface.point;
        self.departure = (!scattered.is_mirror).then_some(Departure {
            point,
            normal,
            density: scattered.density,
        });
        self.rough_bounces += u32::from(!scattered.is_mirror);
        Some(Ray {
            origin: away(point, surface.geometric),
            direction,
        })
    }

    /// Adds the light of one lamp, aimed at.
    fn aim(&mut self, surface: &Surface, normal: Vec3, frame: &Frame, bsdf: &Bsdf, wo: Vec3) {
        let (choice, place) = (self.sampler.next_1d(), self.sampler.next_2d());
        let lights = &self.scene.lights;
        let Some((index, probability)) = lights.pick(surface.point, normal, choice) else {
            return;
        };
        let origin = away(surface.point, surface.geometric);
        let sample = lights
            .list
            .get(index)
            .and_then(|light| light.sample(origin, place));
        let Some(sample) = sample else { return };
        if sample.direction.dot(surface.geometric) <= 0.0 {
            return;
        }
        let (value, chance) = bsdf.evaluate(wo, frame.to_local(sample.direction));
        if value.max_element() <= 0.0 {
            return;
        }
        let ray = Ray {
            origin,
            direction: sample.direction,
        };
        if self.scene.is_blocked(&ray, sample.distance, self.stack) {
            return;
        }
        let density = probability * sample.density;
        let weight = power_heuristic(density, chance) / density;
        self.add(sample.radiance * value * self.throughput * weight);
    }

    /// A lamp was met by chance.
    fn shine(&mut self, ray: &Ray, surface: &Surface, distance: f32, radiance: Vec3) {
        let weight = if surface.light == NO_LIGHT {
            1.0
        } else {
            self.weight_of_chance(surface.light as usize, ray.direction, distance)
        };
        self.add(radiance * self.throughput * weight);
        self.mark(Vec3::ONE, Vec3::ZERO);
    }

    fn weight_of_chance(&self, light: usize, direction: Vec3, distance: f32) -> f32 {
        let Some(from) = self.departure else {
            return 1.0;
        };
        let lights = &self.scene.lights;
        let probability = lights.probability(light, from.point, from.normal);
        let aimed = lights.list.get(light).map_or(0.0, |light| {
            probability * light.density(from.point, direction, distance)
        });
        power_heuristic(from.density, aimed)
    }

    fn pass_glass(&mut self, ray: &Ray, surface: &Surface, ior: f32, absorption: Vec3) -> Ray {
        let eta = if surface.is_outside { 1.0 / ior } else { ior };
        let on = through_glass(ray.direction, surface.normal, eta, self.sampler.next_1d());
        let side = if on.is_refracted {
            -surface.geometric
        } else {
            surface.geometric
        };
        if on.is_refracted {
            let enters = surface.is_outside && absorption.max_element() > 0.0;
            self.absorption = enters.then_some(absorption);
        }
        self.departure = None;
        let direction = on.direction.normalized_or(ray.direction);
        Ray {
            origin: away(surface.point, side),
            direction,
        }
    }

    /// Adds light, cut where it would make a speck that no neighbour shares.
    fn add(&mut self, light: Vec3) {
        let limit = self.scene.render.clamp;
        let brightest = light.max_element();
        if !light.is_finite() {
            return;
        }
        let is_speck = self.rough_bounces > 0 && brightest > limit;
        self.light += if is_speck {
            light * (limit / brightest)
        } else {
            light
        };
    }

    /// Notes what the noise filter shall tell apart.
    fn mark(&mut self, albedo: Vec3, normal: Vec3) {
        if !self.has_features {
            self.has_features = true;
            self.sample.albedo = (albedo * self.throughput).min(Vec3::ONE);
            self.sample.normal = normal;
        }
    }
}

/// The weight of a direction drawn with one density when another way could have drawn it too.
#[inline]
fn power_heuristic(own: f32, other: f32) -> f32 {
    if own <= 0.0 {
        return 0.0;
    }
    // The quotient keeps squares of large densities finite.
    let ratio = min(other / own, 1e6);
    1.0 / (1.0 + ratio * ratio)
}

#[inline]
fn away(point: Vec3, side: Vec3) -> Vec3 {
    point + side * (OFFSET * max(1.0, point.abs().max_element()))
}

#[cfg(test)]
mod tests;
