use super::*;

#[test]
fn what_is_packed_is_read_back() {
    let files = [
        ("a.scene", &b"quern-scene 1"[..]),
        ("meshes/b.obj", b""),
        ("c.ppm", b"P6"),
    ];
    let bundle = Bundle::from_files(files).unwrap();
    let bytes = bundle.to_bytes();
    assert_eq!(Bundle::parse(&bytes).unwrap(), bundle);
    assert_eq!(bundle.scene(), ("a.scene", &b"quern-scene 1"[..]));
    assert_eq!(bundle.file("meshes/b.obj"), Some(&b""[..]));
    assert_eq!(bundle.file("b.obj"), None);
}

#[test]
fn every_truncation_of_a_bundle_is_refused() {
    let bytes = Bundle::from_files([("a", &b"xyz"[..]), ("b", b"uvw")])
        .unwrap()
        .to_bytes();
    for end in 0..bytes.len() {
        assert!(
            Bundle::parse(&bytes[..end]).is_err(),
            "the first {end} bytes"
        );
    }
    let longer = [bytes, vec![0]].concat();
    assert_eq!(
        Bundle::parse(&longer),
        Err(BundleError::TrailingBytes { bytes: 1 })
    );
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for name in [
        "", "../a", "/a", "a//b", "a/..", "a b", "a\\b", "\u{e4}", "./a",
    ] {
        let error = Bundle::from_files([("a", &b""[..]), (name, b"")]).unwrap_err();
        assert_eq!(error, BundleError::BadName { file: 1 }, "{name}");
    }
    let long = "x".repeat(FILE_NAME_BYTES_MAX + 1);
    assert!(Bundle::from_files([(long.as_str(), &b""[..])]).is_err());
    let error = Bundle::from_files([("a", &b""[..]), ("a", b"")]).unwrap_err();
    assert_eq!(error, BundleError::RepeatedName { name: "a".into() });
    let none = Bundle::from_files(std::iter::empty());
    assert_eq!(none, Err(BundleError::BadFileCount { files: 0 }));
}

#[test]
fn announced_counts_and_lengths_are_not_believed() {
    let with = |tail: &[u8]| [&BUNDLE_MAGIC[..], tail].concat();
    let error = |tail: &[u8]| Bundle::parse(&with(tail)).unwrap_err();
    assert_eq!(
        error(&[255; 4]),
        BundleError::BadFileCount {
            files: u32::MAX as usize
        }
    );
    assert_eq!(
        error(&[2, 0, 0, 0, 255, 255]),
        BundleError::Truncated { file: 0 }
    );
    let huge = [1, 0, 0, 0, 1, 0, b'a', 255, 255, 255, 255, 7];
    assert_eq!(error(&huge), BundleError::Truncated { file: 0 });
    assert_eq!(
        Bundle::parse(b"QRNBNDL2").unwrap_err(),
        BundleError::NotABundle
    );
}

#[test]
fn packing_a_scene_that_is_not_there_names_the_file() {
    let error = pack(Path::new("/nowhere/a.scene")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/a.scene"));
}
