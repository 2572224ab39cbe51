use super::*;

fn read(text: &str) -> Result<Mesh, ObjError> {
    Mesh::from_obj(text.as_bytes())
}

const SQUARE: &str = "v 0 0 0\nv 1 0 0\nv 1 0 1\nv 0 0 1\n";

#[test]
fn polygon_becomes_a_fan_of_triangles() {
    let mesh = read(&format!("{SQUARE}f 1 4 3 2\n")).unwrap();
    let triangles = mesh.triangles(None);
    assert_eq!(triangles.len(), 2);
    assert_eq!(triangles[0].positions[0], triangles[1].positions[0]);
    assert_eq!(triangles[0].positions[2], triangles[1].positions[1]);
    assert!(
        triangles
            .iter()
            .all(|t| t.normals == [Vec3::new(0.0, 1.0, 0.0); 3])
    );
}

#[test]
fn negative_indices_count_back_from_the_newest() {
    let by_end = read(&format!("{SQUARE}f -4 -1 -2\n")).unwrap();
    let by_start = read(&format!("{SQUARE}f 1 4 3\n")).unwrap();
    assert_eq!(by_end.triangles(None), by_start.triangles(None));
}

#[test]
fn every_form_of_corner_is_read() {
    let lists = format!("{SQUARE}vt 0.5 0.25\nvt 1\nvn 0 0 2\n");
    let full = read(&format!("{lists}f 1/1/1 2/2/1 3//1\n"))
        .unwrap()
        .triangles(None);
    assert_eq!(full[0].uvs, [(0.5, 0.25), (1.0, 0.0), (0.0, 0.0)]);
    assert_eq!(full[0].normals, [Vec3::new(0.0, 0.0, 1.0); 3]);
    let plain = read(&format!("{lists}f 1/1 2/1 3/1\n"))
        .unwrap()
        .triangles(None);
    assert_eq!(plain[0].normals[0].y.abs(), 1.0);
}

#[test]
fn names_comments_and_groups_are_skipped() {
    let text = format!("# c\nmtllib a.mtl\no x\ng y\ns 1\r\nusemtl z\n\n{SQUARE}f 1 2 3 # t\n");
    assert_eq!(read(&text).unwrap().triangle_count(), 1);
}

#[test]
fn smoothing_joins_gentle_edges_and_keeps_sharp_ones() {
    // Two triangles that meet at the z axis at an angle of 90 degrees.
    let text = "v 0 0 0\nv 0 0 1\nv 1 -1 0\nv -1 -1 0\nf 1 2 3\nf 2 1 4\n";
    let mesh = read(text).unwrap();
    let sharp = mesh.triangles(Some(60.0));
    assert_eq!(sharp[0].normals[0], mesh.triangles(None)[0].normals[0]);
    let round = mesh.triangles(Some(100.0));
    assert!((round[0].normals[0].y - 1.0).abs() < 1e-5);
    assert_eq!(round[0].normals[2], sharp[0].normals[2]);
}

#[test]
fn faults_name_their_line_and_what_stands_there() {
    let fault = |text: &str| {
        let error = read(&format!("{SQUARE}{text}")).unwrap_err();
        assert_eq!(error.line, 5);
        assert!(error.to_string().starts_with("line 5: "));
        error.fault
    };
    assert_eq!(
        fault("w 1"),
        ObjFault::UnknownStatement { word: "w".into() }
    );
    assert_eq!(fault("v 1 2"), ObjFault::TooFewNumbers { needed: 3 });
    assert_eq!(fault("v 1 2 x"), ObjFault::BadNumber { text: "x".into() });
    assert_eq!(
        fault("v 1 2 nan"),
        ObjFault::BadNumber { text: "nan".into() }
    );
    assert_eq!(
        fault("v 1 2 1e30"),
        ObjFault::BadNumber {
            text: "1e30".into()
        }
    );
    assert_eq!(fault("f 1 2"), ObjFault::BadCornerCount { corners: 2 });
    assert_eq!(
        fault("f 1 2 5"),
        ObjFault::NoSuchIndex {
            index: 5,
            defined: 4
        }
    );
    assert_eq!(
        fault("f 1 2 0"),
        ObjFault::NoSuchIndex {
            index: 0,
            defined: 4
        }
    );
    assert_eq!(
        fault("f 1 2 -5"),
        ObjFault::NoSuchIndex {
            index: -5,
            defined: 4
        }
    );
    assert_eq!(fault("f 1 2 /"), ObjFault::BadCorner { text: "/".into() });
    assert_eq!(
        fault("f 1 2 3/a"),
        ObjFault::BadCorner { text: "3/a".into() }
    );
    assert_eq!(
        fault("f 1 2 3/////"),
        ObjFault::BadCorner {
            text: "3/////".into()
        }
    );
    assert_eq!(fault(&"f 1 2 3".replace("1 2 3", &"1 ".repeat(99))), {
        ObjFault::BadCornerCount {
            corners: FACE_CORNERS_MAX + 1,
        }
    });
    let extreme = ObjFault::NoSuchIndex {
        index: i64::MIN,
        defined: 4,
    };
    assert_eq!(fault("f 1 2 -9223372036854775808"), extreme);
    assert_eq!(
        Mesh::from_obj(b"v \xff").unwrap_err().fault,
        ObjFault::NotText
    );
}
