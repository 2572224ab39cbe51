//! How surfaces scatter light.
//!
//! Directions are given in the surface's own frame: z along the shading normal, on the side the
//! ray came from. Rough reflections follow the GGX distribution of microscopic mirrors (B. Walter
//! and others, 2007), sampled by those that are visible from the ray (J. Dupuy and A. Benyoub,
//! *Sampling Visible GGX Normals with Spherical Caps*, 2023).

use crate::light::basis;
use crate::math::{PI, Vec3, clamp, max, sin_cos_turns};

/// Below this roughness a reflection is treated as a perfect mirror: single precision could not
/// tell the directions of its lobe apart.
const MIRROR_ALPHA: f32 = 0.002;

/// A surface as the scene describes it. Texture numbers refer to the scene's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Material {
    pub(crate) kind: MaterialKind,
    /// Multiplies the texture, if there is one.
    pub(crate) colour: Vec3,
    pub(crate) texture: Option<u32>,
    pub(crate) bump: Option<Bump>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum MaterialKind {
    /// Scatters evenly to all sides.
    Diffuse,
    /// Reflects, coloured; `alpha` is the square of the roughness.
    Metal { alpha: f32 },
    /// Reflects and refracts; light is absorbed per unit of way inside.
    Glass { ior: f32, absorption: Vec3 },
    /// Shines with its colour as radiance, and scatters nothing.
    Emissive,
    /// Diffuse under a clear coat that reflects `f0` of the light met head-on.
    Coated { alpha: f32, f0: f32 },
}

/// A texture whose height bends the normal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bump {
    pub(crate) texture: u32,
    /// In units of length, for a height difference of one.
    pub(crate) depth: f32,
}

/// Scattering at one point: everything but glass and lamps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bsdf {
    pub(crate) lobe: Lobe,
    pub(crate) colour: Vec3,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Lobe {
    Diffuse,
    Metal { alpha: f32 },
    Coated { alpha: f32, f0: f32 },
}

/// A direction drawn from a [`Bsdf`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scattered {
    pub(crate) direction: Vec3,
    /// The share of light scattered this way, times the cosine, over the density.
    pub(crate) weight: Vec3,
    /// Per unit of solid angle; meaningless for a mirror's.
    pub(crate) density: f32,
    pub(crate) is_mirror: bool,
}

/// The frame of a surface point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    tangent: Vec3,
    bitangent: Vec3,
    normal: Vec3,
}

impl Frame {
    #[inline]
    pub(crate) fn new(normal: Vec3) -> Self {
        let (tangent, bitangent) = basis(normal);
        Self {
            tangent,
            bitangent,
            normal,
        }
    }

    #[inline]
    pub(crate) fn to_local(self, v: Vec3) -> Vec3 {
        Vec3::new(
            v.dot(self.tangent),
            v.dot(self.bitangent),
            v.dot(self.normal),
        )
    }

    #[inline]
    pub(crate) fn to_world(self, v: Vec3) -> Vec3 {
        self.tangent * v.x + self.bitangent * v.y + self.normal * v.z
    }
}

impl Lobe {
    /// Whether aiming at lights is in vain.
    #[inline]
    pub(crate) fn is_mirror(&self) -> bool {
        matches!(self, Self::Metal { alpha } if *alpha < MIRROR_ALPHA)
    }
}

impl Bsdf {
    /// The share of light from `wi` that is scattered to `wo`, times the cosine at `wi`, and the
    /// density with which [`Bsdf::sample`] draws `wi`. Mirrors give zero.
    pub(crate) fn evaluate(&self, wo: Vec3, wi: Vec3) -> (Vec3, f32) {
        if wo.z <= 0.0 || wi.z <= 0.0 {
            return (Vec3::ZERO, 0.0);
        }
        match self.lobe {
            Lobe::Diffuse => (self.colour * (wi.z / PI), wi.z / PI),
            Lobe::Metal { alpha } if alpha < MIRROR_ALPHA => (Vec3::ZERO, 0.0),
            Lobe::Metal { alpha } => {
                let (reflected, density, cosine) = reflection(alpha, wo, wi);
                (fresnel_colour(self.colour, cosine) * reflected, density)
            }
            Lobe::Coated { alpha, f0 } => {
                let coat = self.coat_probability(f0, wo.z);
                let mut value = self.under_coat(f0, wo.z, wi.z) * (wi.z / PI);
                let mut density = (1.0 - coat) * wi.z / PI;
                if alpha >= MIRROR_ALPHA {
                    let (reflected, reflected_density, cosine) = reflection(alpha, wo, wi);
                    value += Vec3::splat(fresnel(f0, cosine) * reflected);
                    density += coat * reflected_density;
                }
                (value, density)
            }
        }
    }

    /// Draws the direction that light came from.
    pub(crate) fn sample(&self, wo: Vec3, uv: (f32, f32), choice: f32) -> Option<Scattered> {
        if wo.z <= 0.0 {
            return None;
        }
        match self.lobe {
            Lobe::Diffuse => {
                let direction = cosine_direction(uv);
                let density = direction.z / PI;
                Some(Scattered {
                    direction,
                    weight: self.colour,
                    density,
                    is_mirror: false,
                })
            }
            Lobe::Metal { alpha } if alpha < MIRROR_ALPHA => {
                Some(mirrored(wo, fresnel_colour(self.colour, wo.z)))
            }
            Lobe::Metal { alpha } => self.scattered(wo, reflected_direction(alpha, wo, uv)?),
            Lobe::Coated { alpha, f0 } => {
                let coat = self.coat_probability(f0, wo.z);
                if choice >= coat {
                    return self.scattered(wo, cosine_direction(uv));
                }
                if alpha < MIRROR_ALPHA {
                    return Some(mirrored(wo, Vec3::splat(fresnel(f0, wo.z) / coat)));
                }
                self.scattered(wo, reflected_direction(alpha, wo, uv)?)
            }
        }
    }

    fn scattered(&self, wo: Vec3, direction: Vec3) -> Option<Scattered> {
        let (value, density) = self.evaluate(wo, direction);
        let weight = value * (1.0 / density);
        (density > 0.0).then_some(Scattered {
            direction,
            weight,
            density,
            is_mirror: false,
        })
    }

    /// How often to draw from the coat rather than from what lies under it.
    #[inline]
    fn coat_probability(&self, f0: f32, cosine: f32) -> f32 {
        let coat = fresnel(f0, cosine);
        let under = (1.0 - coat) * self.colour.luminance();
        clamp(coat / max(coat + under, 1e-6), 0.1, 0.9)
    }

    /// Light that passes the coat both ways, normalised so that a white base under a clear coat
    /// loses nothing: the cosine-weighted mean of Schlick's transmittance is 20/21 (1 - f0).
    #[inline]
    fn under_coat(&self, f0: f32, cos_out: f32, cos_in: f32) -> Vec3 {
        let through = (1.0 - fresnel(f0, cos_out)) * (1.0 - fresnel(f0, cos_in));
        self.colour * (through * 21.0 / (20.0 * (1.0 - f0)))
    }
}

/// Where a ray goes on from the surface of glass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GlassPath {
    pub(crate) direction: Vec3,
    pub(crate) is_refracted: bool,
}

/// Draws reflection or refraction, each as often as its share of the light.
///
/// `normal` faces the ray; `eta` is the refractive index on the ray's side over that beyond. The
/// change of radiance with the refractive index is left out: it cancels when light leaves again.
pub(crate) fn through_glass(direction: Vec3, normal: Vec3, eta: f32, choice: f32) -> GlassPath {
    let cos_in = clamp(-direction.dot(normal), 0.0, 1.0);
    let reflected = GlassPath {
        direction: direction + normal * (2.0 * cos_in),
        is_refracted: false,
    };
    let sin_squared = eta * eta * (1.0 - cos_in * cos_in);
    if sin_squared >= 1.0 {
        return reflected;
    }
    let cos_out = (1.0 - sin_squared).sqrt();
    let parallel = (cos_in - eta * cos_out) / (cos_in + eta * cos_out);
    let crossed = (eta * cos_in - cos_out) / (eta * cos_in + cos_out);
    let share = 0.5 * (parallel * parallel + crossed * crossed);
    if choice < share {
        return reflected;
    }
    let direction = direction * eta + normal * (eta * cos_in - cos_out);
    GlassPath {
        direction,
        is_refracted: true,
    }
}

/// A point on the unit disc, evenly distributed, with neighbours mapped to neighbours.
pub(crate) fn disc((u, v): (f32, f32)) -> (f32, f32) {
    let (x, y) = (2.0 * u - 1.0, 2.0 * v - 1.0);
    if x == 0.0 && y == 0.0 {
        return (0.0, 0.0);
    }
    let (radius, turns) = if x.abs() > y.abs() {
        (x, 0.125 * (y / x))
    } else {
        (y, 0.25 - 0.125 * (x / y))
    };
    let (sin, cos) = sin_cos_turns(turns);
    (radius * cos, radius * sin)
}

fn cosine_direction(uv: (f32, f32)) -> Vec3 {
    let (x, y) = disc(uv);
    Vec3::new(x, y, max(1.0 - x * x - y * y, 1e-6).sqrt())
}

fn mirrored(wo: Vec3, weight: Vec3) -> Scattered {
    let direction = Vec3::new(-wo.x, -wo.y, wo.z);
    Scattered {
        direction,
        weight,
        density: 1.0,
        is_mirror: true,
    }
}

/// Reflects `wo` on a microscopic mirror visible from it.
fn reflected_direction(alpha: f32, wo: Vec3, (u, v): (f32, f32)) -> Option<Vec3> {
    let stretched = Vec3::new(alpha * wo.x, alpha * wo.y, wo.z).normalized()?;
    let (sin, cos) = sin_cos_turns(u);
    let z = (1.0 - v) * (1.0 + stretched.z) - stretched.z;
    let radius = max(1.0 - z * z, 0.0).sqrt();
    let half = Vec3::new(radius * cos, radius * sin, z) + stretched;
    let mirror = Vec3::new(alpha * half.x, alpha * half.y, max(half.z, 1e-6)).normalized()?;
    let direction = mirror * (2.0 * wo.dot(mirror)) - wo;
    if direction.z > 0.0 {
        Some(direction)
    } else {
        None
    }
}

/// A rough mirror's reflectance for perfect mirrors times the cosine, its density, and the cosine
/// between ray and microscopic mirror.
fn reflection(alpha: f32, wo: Vec3, wi: Vec3) -> (f32, f32, f32) {
    let Some(mirror) = (wo + wi).normalized() else {
        return (0.0, 0.0, 1.0);
    };
    let square = alpha * alpha;
    let spread = mirror.x * mirror.x + mirror.y * mirror.y + square * mirror.z * mirror.z;
    let distribution = square / (PI * spread * spread);
    let shade = |cosine: f32| (square + (1.0 - square) * cosine * cosine).sqrt();
    let (shade_out, shade_in) = (shade(wo.z), shade(wi.z));
    let visible = 2.0 * wo.z / (wo.z + shade_out);
    let both = 2.0 * wo.z * wi.z / (wo.z * shade_in + wi.z * shade_out);
    let common = distribution / (4.0 * wo.z);
    (common * both, common * visible, wo.dot(mirror))
}

/// Schlick's approximation of the share of light reflected at an angle.
#[inline]
fn fresnel(f0: f32, cosine: f32) -> f32 {
    let rest = clamp(1.0 - cosine, 0.0, 1.0);
    let square = rest * rest;
    f0 + (1.0 - f0) * (square * square * rest)
}

#[inline]
fn fresnel_colour(f0: Vec3, cosine: f32) -> Vec3 {
    let rest = clamp(1.0 - cosine, 0.0, 1.0);
    let square = rest * rest;
    f0 + (Vec3::ONE - f0) * (square * square * rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
