//! Where the grain lies: heaps, spills and ears, as lines of scene text.

use std::fmt::Write as _;

use quern_path_tracer::math::{Vec3, sin_cos_turns};

use super::shapes::Dice;

const LENGTH: f32 = 0.21;
const RUNNER_TOP: f32 = 1.27;

/// What grain cannot lie in: centre (x, z) and radius of what stands on the table.
const OBSTACLES: [(f32, f32, f32); 4] = [
    (0.0, 0.0, 2.08),
    (3.05, -1.25, 0.62),
    (2.95, 1.35, 0.34),
    (-2.75, 1.55, 0.25),
];

/// The text of the included scene file.
pub(crate) fn scene() -> String {
    let mut field = Field {
        text: String::new(),
        dice: Dice::new(2024),
        taken: Vec::new(),
    };
    field
        .text
        .push_str("# Grain of wheat, scattered by make_scene.\n");
    field.in_the_eye();
    field.in_the_bowl(Vec3::new(3.05, 0.0, -1.25));
    field.flour_specks();
    field.spilled((2.2, 2.1), (0.75, 0.45), 75);
    field.spilled((0.6, 3.1), (1.3, 0.5), 50);
    field.spilled((-2.6, 2.5), (0.8, 0.5), 22);
    field.spilled((2.6, 0.2), (0.45, 0.5), 26);
    field.ear(Vec3::new(-1.55, 0.10, 2.62), 118.0);
    field.ear(Vec3::new(-2.15, 0.11, 3.15), 101.0);
    field.text
}

struct Field {
    text: String,
    dice: Dice,
    taken: Vec<(f32, f32)>,
}

impl Field {
    fn kernel(&mut self, place: Vec3, turn: Vec3, length: f32) {
        let kind = if self.dice.between(0.0, 1.0) < 0.45 {
            "grain"
        } else if self.dice.between(0.0, 1.0) < 0.6 {
            "grain_pale"
        } else {
            "grain_dark"
        };
        let _ = writeln!(
            self.text,
            "mesh file=kernel.obj material={kind} scale={length:.3} rotate={:.0},{:.0},{:.0} \
             move={:.3},{:.3},{:.3}",
            turn.x, turn.y, turn.z, place.x, place.y, place.z
        );
    }

    fn length(&mut self) -> f32 {
        LENGTH * self.dice.between(0.88, 1.12)
    }

    /// A heap over the eye of the upper stone, and a few that rolled off it.
    fn in_the_eye(&mut self) {
        for i in 0..62 {
            let out = ((i as f32 + 0.5) / 62.0).sqrt() * 0.5;
            let turns = i as f32 * 0.381_966;
            let (sin, cos) = sin_cos_turns(turns);
            let height = 1.42 - 0.62 * out * out - 0.12 * out;
            let place = Vec3::new(out * cos, height, out * sin);
            self.lying(place, turns, 0.5 * out);
        }
        for _ in 0..16 {
            let (out, turns) = (self.dice.between(0.62, 1.35), self.dice.between(0.0, 1.0));
            let (sin, cos) = sin_cos_turns(turns);
            let place = Vec3::new(out * cos, RUNNER_TOP + 0.068 - 0.06 * out, out * sin);
            if place.x > -1.45 && self.is_free(place.x, place.z) {
                self.lying(place, turns, 0.0);
            }
        }
    }

    fn in_the_bowl(&mut self, centre: Vec3) {
        for i in 0..135 {
            let out = ((i as f32 + 0.5) / 135.0).sqrt() * 1.0;
            let turns = i as f32 * 0.381_966;
            let (sin, cos) = sin_cos_turns(turns);
            let height = 1.16 - 0.34 * out * out + self.dice.between(-0.02, 0.02);
            self.lying(
                centre + Vec3::new(out * cos, height, out * sin),
                turns,
                0.5 * out,
            );
        }
    }

    /// Flour that fell beside the ring around the lower stone.
    fn flour_specks(&mut self) {
        for _ in 0..170 {
            let (turns, far) = (self.dice.between(0.0, 1.0), self.dice.between(0.0, 1.0));
            let out = 2.2 + 0.75 * far * far;
            let (sin, cos) = sin_cos_turns(turns);
            let radius = self.dice.between(0.007, 0.024) * (1.2 - far);
            let _ = writeln!(
                self.text,
                "sphere centre={:.3},{:.4},{:.3} radius={radius:.4} material=flour",
                out * cos,
                radius * 0.4,
                out * sin
            );
        }
    }

    /// A grain on a slope that falls away from the centre at an angle.
    fn lying(&mut self, place: Vec3, outward_turns: f32, slope: f32) {
        let yaw = self.dice.between(0.0, 360.0);
        // The outward direction seen from the grain decides how far it points down the slope.
        let outward = 90.0 - outward_turns * 360.0;
        let along = sin_cos_turns((yaw - outward) / 360.0).1;
        let pitch = slope * along * 57.0 + self.dice.between(-14.0, 14.0);
        let roll = self.dice.between(0.0, 360.0);
        let length = self.length();
        self.kernel(place, Vec3::new(pitch, yaw, roll), length);
    }

    /// Grain on the table around a place, none on top of another.
    fn spilled(&mut self, centre: (f32, f32), spread: (f32, f32), count: usize) {
        let (mut placed, mut tries) = (0, 0);
        while placed < count && tries < count * 40 {
            tries += 1;
            let x = centre.0 + self.dice.bell() * spread.0;
            let z = centre.1 + self.dice.bell() * spread.1;
            if self.is_free(x, z) {
                placed += 1;
                let (yaw, roll) = (
                    self.dice.between(0.0, 360.0),
                    self.dice.between(-40.0, 40.0),
                );
                let length = self.length();
                let place = Vec3::new(x, length * 0.235, z);
                let pitch = self.dice.between(-4.0, 4.0);
                self.kernel(place, Vec3::new(pitch, yaw, roll), length);
            }
        }
    }

    fn is_free(&mut self, x: f32, z: f32) -> bool {
        let apart = |&(other_x, other_z): &(f32, f32), least: f32| {
            let (dx, dz) = (x - other_x, z - other_z);
            dx * dx + dz * dz > least * least
        };
        let free = self.taken.iter().all(|other| apart(other, LENGTH * 0.78))
            && OBSTACLES
                .iter()
                .all(|(ox, oz, radius)| apart(&(*ox, *oz), radius + 0.1));
        if free {
            self.taken.push((x, z));
        }
        free
    }

    /// An ear of wheat whose stalk ends at a place and points in a direction (0 is along z).
    fn ear(&mut self, end: Vec3, yaw: f32) {
        let (sin, cos) = sin_cos_turns(yaw / 360.0);
        let (forward, side) = (Vec3::new(sin, 0.0, cos), Vec3::new(cos, 0.0, -sin));
        let _ = writeln!(
            self.text,
            "mesh file=stalk.obj material=straw smooth=80 rotate=0,{yaw:.1},0 \
             move={:.3},{:.3},{:.3}",
            end.x, end.y, end.z
        );
        for i in 0..30 {
            let along = i as f32 * 0.036;
            let row = (i % 3) as f32 - 1.0;
            let fat = 1.0 - 0.45 * along;
            let lift = if row == 0.0 { 0.075 } else { 0.015 };
            let place = end
                + forward * along
                + side * (row * 0.085 * fat)
                + Vec3::new(0.0, lift * fat + 0.02, 0.0);
            let (out, up) = (row * 24.0, if row == 0.0 { -20.0 } else { -5.0 });
            let turn = Vec3::new(up, yaw + out, self.dice.between(150.0, 210.0));
            self.kernel(place, turn, 0.25 * fat);
            let length = self.dice.between(0.75, 1.15);
            let (awn_up, awn_out) = (
                self.dice.between(-13.0, -2.0),
                out * self.dice.between(0.35, 0.7),
            );
            let tip = place + forward * (0.09 * fat);
            let _ = writeln!(
                self.text,
                "mesh file=awn.obj material=straw scale={length:.2} rotate={awn_up:.0},{:.0},0 \
                 move={:.3},{:.3},{:.3}",
                yaw + awn_out,
                tip.x,
                tip.y,
                tip.z
            );
        }
    }
}
