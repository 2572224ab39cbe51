//! The eye, and the sky behind everything.

use crate::material::disc;
use crate::math::{Vec3, max, sin_cos_turns, smoothstep};
use crate::shape::Ray;

/// A thin lens: what lies in the plane of focus is sharp, all else becomes a disc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Camera {
    position: Vec3,
    right: Vec3,
    up: Vec3,
    forward: Vec3,
    half_height: f32,
    lens_radius: f32,
    focus_distance: f32,
}

/// How a scene describes its camera.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CameraSettings {
    pub(crate) position: Vec3,
    pub(crate) look_at: Vec3,
    pub(crate) up: Vec3,
    /// From the bottom to the top of the picture.
    pub(crate) fov_degrees: f32,
    /// The diameter of the lens; zero makes everything sharp.
    pub(crate) aperture: f32,
    /// From the camera to the plane of focus; `None` focuses on `look_at`.
    pub(crate) focus_distance: Option<f32>,
}

impl Camera {
    /// `None` when the camera looks nowhere, or along its own up direction.
    pub(crate) fn new(settings: CameraSettings) -> Option<Self> {
        let view = settings.look_at - settings.position;
        let forward = view.normalized()?;
        let across = forward.cross(settings.up);
        let right = across.normalized().filter(|_| across.length() > 1e-5)?;
        let (sin, cos) = sin_cos_turns(settings.fov_degrees / 720.0);
        Some(Self {
            position: settings.position,
            right,
            up: right.cross(forward),
            forward,
            half_height: sin / cos,
            lens_radius: settings.aperture * 0.5,
            focus_distance: settings.focus_distance.unwrap_or_else(|| view.length()),
        })
    }

    /// The ray through a point of the picture: x from -aspect (left) to aspect, y from -1 (bottom)
    /// to 1, leaving the lens at `lens`.
    #[inline]
    pub(crate) fn ray(&self, x: f32, y: f32, lens: (f32, f32)) -> Ray {
        let towards =
            self.forward + self.right * (x * self.half_height) + self.up * (y * self.half_height);
        let (lens_x, lens_y) = disc(lens);
        let offset =
            self.right * (lens_x * self.lens_radius) + self.up * (lens_y * self.lens_radius);
        let direction = towards * self.focus_distance - offset;
        Ray {
            origin: self.position + offset,
            direction: direction.normalized_or(self.forward),
        }
    }
}

/// Light from beyond everything, except for the sun's disc, which is a light of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sky {
    pub(crate) zenith: Vec3,
    pub(crate) horizon: Vec3,
    pub(crate) ground: Vec3,
    /// Around the sun.
    pub(crate) glow: Vec3,
    pub(crate) sun_direction: Vec3,
}

impl Sky {
    #[inline]
    pub(crate) fn radiance(&self, direction: Vec3) -> Vec3 {
        let height = direction.y;
        let gradient = if height > 0.0 {
            let rest = (1.0 - height) * (1.0 - height);
            self.zenith.lerp(self.horizon, rest * rest)
        } else {
            self.horizon
                .lerp(self.ground, smoothstep(0.0, 0.12, -height))
        };
        let towards = max(direction.dot(self.sun_direction), 0.0);
        let towards = towards * towards * towards * towards;
        gradient + self.glow * (towards * towards * towards)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings() -> CameraSettings {
        CameraSettings {
            position: Vec3::new(0.0, 1.0, 4.0),
            look_at: Vec3::new(0.0, 1.0, 0.0),
            up: Vec3::new(0.0, 1.0, 0.0),
            fov_degrees: 90.0,
            aperture: 0.5,
            focus_distance: None,
        }
    }

    #[test]
    fn rays_from_all_over_the_lens_meet_in_the_plane_of_focus() {
        let camera = Camera::new(settings()).unwrap();
        let at_focus = |lens| {
            let ray = camera.ray(0.5, 0.25, lens);
            ray.at((0.0 - ray.origin.z) / ray.direction.z)
        };
        let centre = at_focus((0.5, 0.5));
        assert!((centre - Vec3::new(2.0, 2.0, 0.0)).length() < 1e-4);
        for lens in [(0.1, 0.9), (0.99, 0.5), (0.3, 0.0)] {
            assert!((at_focus(lens) - centre).length() < 1e-4);
        }
    }

    #[test]
    fn camera_without_a_view_is_none() {
        assert!(
            Camera::new(CameraSettings {
                look_at: settings().position,
                ..settings()
            })
            .is_none()
        );
        assert!(
            Camera::new(CameraSettings {
                up: Vec3::new(0.0, 0.0, 3.0),
                ..settings()
            })
            .is_none()
        );
    }
}
