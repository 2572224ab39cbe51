//! Whatever bytes come in, the program answers with pixels or with a typed error.

#![allow(clippy::unwrap_used)]

use quern_path_tracer::bundle::Bundle;
use quern_path_tracer::program;
use quern_path_tracer::tile::{Frame, Tile, TileRequest, tile_input};

/// Random numbers from a seed.
struct Dice(u32);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        let mut x = self.0;
        x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
        x = (x ^ (x >> 15)).wrapping_mul(0x735a_2d97);
        (x ^ (x >> 15)) as usize % end
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const SCENE: &str = "quern-scene 1
render filter=2 bounces=12
camera position=0,2,6 look_at=0,0.8,0 fov=40 aperture=0.3
sky sun_direction=1,2,1 sun_irradiance=3 sun_size=4
texture t image file=t.ppm repeat=2,2,1
texture w wood plank=0.7
material m coated texture=w roughness=0.3 bump=w bump_depth=0.02
material n diffuse texture=t
material g glass absorption=0.2,0.1,0.4
material l emissive radiance=20,12,6
plane point=0,0,0 material=n
sphere centre=-1.1,1,0 radius=1 material=g
sphere centre=-3,4,2 radius=0.5 material=l
mesh file=a.obj material=m rotate=0,20,15 smooth=30
";
const OBJ: &str = "v 1 0 0\nv -1 0 0\nv 0 1 0\nvt 0 1\nvn 0 0 1\nf 1/1/1 2/1/1 3//1\nf -1 -2 -3\n";
const PPM: &[u8] = b"P6 2 2 255 abcdefghijkl";

fn input(scene: &str, obj: &[u8], ppm: &[u8]) -> Vec<u8> {
    let files = [
        ("a.scene", scene.as_bytes()),
        ("a.obj", obj),
        ("t.ppm", ppm),
    ];
    let bundle = Bundle::from_files(files).unwrap().to_bytes();
    let frame = Frame {
        width: 9,
        height: 7,
        samples: 1,
        seed: 0,
    };
    let tile = Tile {
        x: 2,
        y: 1,
        width: 5,
        height: 4,
    };
    tile_input(&bundle, &TileRequest::new(frame, tile).unwrap())
}

/// Runs the program; the answer must be one or the other.
fn answer(bytes: &[u8]) -> bool {
    match program::run([] as [&str; 0], bytes) {
        Ok(pixels) => pixels.len().is_multiple_of(3),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn sound_input_is_rendered() {
    assert!(answer(&input(SCENE, OBJ.as_bytes(), PPM)));
}

#[test]
fn every_truncation_is_refused() {
    let whole = input(SCENE, OBJ.as_bytes(), PPM);
    for end in 0..whole.len() {
        assert!(!answer(&whole[..end]), "the first {end} bytes");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let whole = input(SCENE, OBJ.as_bytes(), PPM);
    let mut dice = Dice(1);
    let mut rendered = 0;
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..=dice.below(3) {
            // Not in the frame's numbers: a huge one would be rendered faithfully, for hours.
            let place = 40 + dice.below(bytes.len() - 40);
            // Digits mostly become digits, so that some scenes stay sound.
            bytes[place] = if bytes[place].is_ascii_digit() && dice.below(4) > 0 {
                b'0' + dice.below(10).to_le_bytes()[0]
            } else if dice.below(4) == 0 {
                dice.below(256).to_le_bytes()[0]
            } else {
                continue;
            };
        }
        rendered += u32::from(answer(&bytes));
    }
    assert!(
        rendered > 300,
        "only {rendered} survived: the flips prove little"
    );
}

#[test]
fn random_bytes_never_panic() {
    let mut dice = Dice(2);
    for length in 0..600 {
        let noise: Vec<u8> = (0..length)
            .map(|_| dice.below(256).to_le_bytes()[0])
            .collect();
        assert!(!answer(&noise));
        assert!(!answer(&[&b"QRNTILE1"[..], &noise].concat()));
        assert!(!answer(&[&b"QRNBNDL1"[..], &noise].concat()));
        answer(&input(SCENE, &noise, PPM));
        answer(&input(
            SCENE,
            OBJ.as_bytes(),
            &[b"P6 2 2 255 ", &noise[..]].concat(),
        ));
    }
}

#[test]
fn extreme_but_well_formed_scenes_never_panic() {
    const NUMBERS: &[&str] = &[
        "0", "-0", "1", "-1", "0.5", "1e-30", "-1e-30", "1e6", "-1e6", "999999", "1e-4", "10000",
        "180", "64", "1e-40", "3",
    ];
    let mut dice = Dice(3);
    let mut rendered = 0;
    for _ in 0..4000 {
        let mut scene = String::new();
        for line in SCENE.lines() {
            // Some lines are dropped, some come twice, some have their numbers exchanged.
            for _ in 0..if dice.below(30) > 0 { 1 } else { dice.below(3) } {
                if dice.below(4) == 0 {
                    let mut mutated = line.to_owned();
                    for digit in ["0.3", "0,0", "6", "1", "2", "40", "20", "0.5", "0.7"] {
                        if dice.below(8) == 0 {
                            mutated = mutated.replacen(digit, dice.pick(NUMBERS), 1);
                        }
                    }
                    scene.push_str(&mutated);
                } else {
                    scene.push_str(line);
                }
                scene.push('\n');
            }
        }
        let mut obj = String::new();
        for _ in 0..3 {
            let mut number = || dice.pick(NUMBERS);
            obj += &format!("v {} {} {}\n", number(), number(), number());
        }
        obj += "f 1 2 3\nf 3 2 1\nf 1 1 2\n";
        rendered += u32::from(answer(&input(&scene, obj.as_bytes(), PPM)));
    }
    assert!(
        rendered > 300,
        "only {rendered} were sound: the scenes prove little"
    );
}
