#![allow(clippy::unwrap_used)]

use super::*;
use crate::obj::{ObjError, ObjFault};
use crate::ppm::PpmError;

const CAMERA: &str = "quern-scene 1\ncamera position=0,0,5 look_at=0,0,0\n";
const TRIANGLE: &[u8] = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";

fn load_files(text: &str, more: &[(&str, &[u8])]) -> Result<Scene, SceneError> {
    let mut files = vec![("main.scene", text.as_bytes()), ("a.obj", TRIANGLE)];
    files.extend_from_slice(more);
    Scene::load(&Bundle::from_files(files).unwrap())
}

/// The fault of a statement that follows a sound start, after checking its place.
fn fault(statement: &str) -> SceneFault {
    let text = format!("{CAMERA}material m diffuse\ntexture t checker\n{statement}");
    let error = load_files(&text, &[("bad.ppm", b"P3"), ("bad.obj", b"v 1")]).unwrap_err();
    let last = text.lines().count();
    assert_eq!(
        (error.file.as_str(), error.line),
        ("main.scene", last),
        "{statement}"
    );
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("main.scene:{last}: ")),
        "{message}"
    );
    // Every message goes on to say what to do: after a colon, or with the word `give`.
    let advice = message.split_once(": ").unwrap().1;
    assert!(
        advice.contains(": ") || advice.contains("give"),
        "{message}"
    );
    error.fault
}

#[test]
fn every_statement_of_the_documentation_is_read() {
    let documentation = include_str!("../lib.rs");
    let start = documentation.find("//! quern-scene 1 ").unwrap();
    let end = documentation[start..].find("//! ```").unwrap();
    let text = documentation[start..start + end].replace("//! ", "");
    assert!(text.lines().count() > 15);
    let photo = b"P6 1 1 255 abc";
    let more: [(&str, &[u8]); 3] = [
        ("photo.ppm", photo),
        ("teapot.obj", TRIANGLE),
        ("more.scene", b"# nothing\n"),
    ];
    let scene = load_files(&text, &more).unwrap();
    assert_eq!(scene.materials.len(), 5);
    assert_eq!(scene.lights.list.len(), 1);
}

#[test]
fn statements_that_are_not_understood_name_the_words_that_would_be() {
    let unknown = SceneFault::UnknownDirective {
        word: "cube".into(),
    };
    assert_eq!(fault("cube size=1"), unknown);
    assert_eq!(
        fault("sphere big"),
        SceneFault::UnexpectedWord { word: "big".into() }
    );
    assert!(
        matches!(fault("sphere size=1"), SceneFault::UnknownField { field, .. } if field == "size")
    );
    assert!(
        matches!(fault("material x gold"), SceneFault::UnknownKind { word, .. } if word == "gold")
    );
    assert!(
        matches!(fault("texture x gold"), SceneFault::UnknownKind { word, .. } if word == "gold")
    );
    // A field of another kind of material is not silently ignored.
    assert!(matches!(
        fault("material x diffuse roughness=1"),
        SceneFault::UnknownField { .. }
    ));
    assert_eq!(
        fault("material"),
        SceneFault::MissingName {
            what: "name of the material"
        }
    );
    assert_eq!(
        fault("sphere radius=1 radius=2"),
        SceneFault::RepeatedField {
            field: "radius".into()
        }
    );
    assert_eq!(
        fault("material m metal"),
        SceneFault::RepeatedName { name: "m".into() }
    );
    let camera = "camera position=0,0,1 look_at=0,0,0";
    assert_eq!(
        fault(camera),
        SceneFault::RepeatedDirective {
            directive: "camera"
        }
    );
    assert_eq!(
        fault(&format!("material {} diffuse", "x".repeat(65))),
        SceneFault::NameTooLong
    );
    assert_eq!(
        fault(&format!("# {}", "x".repeat(LINE_BYTES_MAX))),
        SceneFault::LineTooLong
    );
}

#[test]
fn values_that_cannot_be_used_are_named_with_their_range() {
    for value in ["", "x", "nan", "inf", "-1", "1e9", "1,2"] {
        let fault = fault(&format!("sphere centre=0,0,0 material=m radius={value}"));
        assert!(
            matches!(&fault, SceneFault::BadNumber { field: "radius", text, .. } if text == value)
        );
    }
    for value in ["", "1", "1,2", "1,2,3,4", "a,b,c", "1,2,nan", "1,2,1e30"] {
        let fault = fault(&format!("sphere radius=1 material=m centre={value}"));
        assert!(
            matches!(&fault, SceneFault::BadVector { field: "centre", text, .. } if text == value)
        );
    }
    assert!(matches!(
        fault("material x diffuse colour=2"),
        SceneFault::BadVector { .. }
    ));
    let missing = |field| SceneFault::MissingField { field };
    assert_eq!(fault("sphere radius=1 material=m"), missing("centre"));
    assert_eq!(fault("sphere centre=0,0,0 material=m"), missing("radius"));
    assert_eq!(fault("sphere centre=0,0,0 radius=1"), missing("material"));
    assert_eq!(fault("mesh material=m"), missing("file"));
    assert_eq!(fault("material x emissive"), missing("radiance"));
    assert_eq!(fault("material x diffuse bump=t"), missing("bump_depth"));
    let direction = SceneFault::NoDirection { field: "normal" };
    assert_eq!(
        fault("plane point=0,0,0 material=m normal=0,0,0"),
        direction
    );
    let far = "mesh file=a.obj material=m scale=10000,1,1 move=999999,0,0";
    assert!(load_files(&format!("{CAMERA}material m diffuse\n{far}"), &[]).is_ok());
}

#[test]
fn names_and_files_that_are_not_there_are_named() {
    let material = SceneFault::NoSuchMaterial {
        name: "gold".into(),
    };
    assert_eq!(
        fault("sphere centre=0,0,0 radius=1 material=gold"),
        material
    );
    assert_eq!(
        fault("material x diffuse texture=u"),
        SceneFault::NoSuchTexture { name: "u".into() }
    );
    let file = SceneFault::NoSuchFile {
        name: "b.obj".into(),
    };
    assert_eq!(fault("mesh file=b.obj material=m"), file);
    assert_eq!(fault("include file=b.obj"), file);
    let source = PpmError::NotBinaryPpm;
    let image = SceneFault::BadImage {
        name: "bad.ppm".into(),
        source,
    };
    assert_eq!(fault("texture x image file=bad.ppm"), image);
    let source = ObjError {
        line: 1,
        fault: ObjFault::TooFewNumbers { needed: 3 },
    };
    let mesh = SceneFault::BadMesh {
        name: "bad.obj".into(),
        source,
    };
    assert_eq!(fault("mesh file=bad.obj material=m"), mesh);
}

#[test]
fn faults_of_the_whole_file_are_found() {
    let error = |text: &str| load_files(text, &[]).unwrap_err();
    for text in [
        "",
        "# only\n",
        "camera position=0,0,1 look_at=0,0,0",
        "quern-scene 2",
    ] {
        assert_eq!(error(text).fault, SceneFault::MissingHeader, "{text}");
    }
    let lacking = error("quern-scene 1\n\n\n");
    assert_eq!(
        (lacking.fault, lacking.line),
        (SceneFault::MissingCamera, 4)
    );
    let blind = "quern-scene 1\ncamera position=0,1,0 look_at=0,9,0";
    assert_eq!(error(blind).fault, SceneFault::NoView);
    let lines = "\n".repeat(LINES_MAX);
    assert_eq!(
        error(&format!("{CAMERA}{lines}x")).fault,
        SceneFault::TooManyLines
    );
    let bytes = Bundle::from_files([("a", &b"quern-scene 1\n\xff"[..])]).unwrap();
    assert_eq!(Scene::load(&bytes).unwrap_err().fault, SceneFault::NotText);
}

#[test]
fn included_files_are_read_in_place_and_name_themselves_in_errors() {
    let text = format!("{CAMERA}include file=b.scene\nsphere centre=0,0,0 radius=1 material=x\n");
    let good = load_files(&text, &[("b.scene", b"material x glass\n")]).unwrap();
    assert_eq!(good.materials.len(), 1);
    let error = load_files(&text, &[("b.scene", b"\nmaterial x\n")]).unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("b.scene", 2));
    let nested = load_files(&text, &[("b.scene", b"include file=b.scene\n")]).unwrap_err();
    assert_eq!(nested.fault, SceneFault::NestedInclude);
}

#[test]
fn counts_beyond_their_limits_are_refused() {
    let fault = |line: &str, count: usize| {
        let lines = format!("{line}\n").repeat(count);
        let lines: String = lines
            .lines()
            .enumerate()
            .map(|(i, l)| l.replace('%', &i.to_string()) + "\n")
            .collect();
        load_files(
            &format!("{CAMERA}material m emissive radiance=1\n{lines}"),
            &[],
        )
        .unwrap_err()
        .fault
    };
    assert_eq!(
        fault("texture t% noise", TEXTURES_MAX + 1),
        SceneFault::TooManyTextures
    );
    assert_eq!(
        fault("material m% glass", MATERIALS_MAX),
        SceneFault::TooManyMaterials
    );
    let planes = fault("plane point=0,0,0 material=m", PLANES_MAX + 1);
    assert_eq!(planes, SceneFault::TooManyPlanes);
    let lamps = SceneFault::TooManyLights {
        limit: crate::light::LIGHTS_MAX,
    };
    assert_eq!(
        fault("sphere centre=0,%,0 radius=0.1 material=m", 33),
        lamps
    );
    assert_eq!(fault("mesh file=a.obj material=m", 33), lamps);
}

#[test]
fn files_referred_to_are_found_without_reading_the_scene() {
    let text = "texture a image file=a.ppm\nmesh material=x file=b.obj # file=c\ninclude file=d\n";
    let found: Vec<(&str, bool)> = file_references(text)
        .map(|r| (r.name, r.is_scene_text))
        .collect();
    assert_eq!(found, [("a.ppm", false), ("b.obj", false), ("d", true)]);
}

#[test]
fn texture_coordinates_run_around_a_sphere_and_over_a_plane() {
    let text = format!(
        "{CAMERA}material m diffuse\nsphere centre=0,0,0 radius=2 material=m\n\
         plane point=0,-3,0 material=m repeat=0.5\n"
    );
    let scene = load_files(&text, &[]).unwrap();
    let uv = |origin: [f32; 3], direction: [f32; 3]| {
        let [origin, direction] = [origin, direction].map(|[x, y, z]| Vec3::new(x, y, z));
        let ray = Ray { origin, direction };
        let hit = scene.nearest(&ray, &mut Stack::new()).unwrap();
        scene.surface(&ray, &hit).unwrap().uv
    };
    assert_eq!(uv([0.0, 0.0, 9.0], [0.0, 0.0, -1.0]), (0.5, 0.5));
    assert_eq!(uv([0.0, 9.0, 0.0], [0.0, -1.0, 0.0]).1, 1.0);
    assert_eq!(uv([9.0, 0.0, 0.0], [-1.0, 0.0, 0.0]), (0.75, 0.5));
    assert_eq!(uv([7.0, 0.0, 4.0], [0.0, -1.0, 0.0]), (3.5, -2.0));
}
