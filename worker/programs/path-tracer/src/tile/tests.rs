use super::*;

const FRAME: Frame = Frame {
    width: 100,
    height: 60,
    samples: 4,
    seed: 9,
};

fn tile(x: u32, y: u32, width: u32, height: u32) -> Tile {
    Tile {
        x,
        y,
        width,
        height,
    }
}

#[test]
fn request_is_read_back_with_what_follows_it() {
    let request = TileRequest::new(FRAME, tile(10, 20, 30, 40)).unwrap();
    let input = tile_input(b"bundle", &request);
    assert_eq!(
        TileRequest::parse(&input).unwrap(),
        (request, &b"bundle"[..])
    );
    for end in 8..REQUEST_BYTES {
        assert_eq!(TileRequest::parse(&input[..end]), Err(TileError::Truncated));
    }
    assert_eq!(TileRequest::parse(b"QRNTILE"), Err(TileError::NotARequest));
}

#[test]
fn sizes_outside_their_limits_are_refused() {
    let error = |frame, tile| TileRequest::new(frame, tile).unwrap_err();
    for tile in [
        tile(0, 0, 0, 1),
        tile(0, 0, 101, 1),
        tile(100, 0, 1, 1),
        tile(u32::MAX, 0, 2, 1),
        tile(0, 59, 1, 2),
    ] {
        assert_eq!(
            error(FRAME, tile),
            TileError::OutsideFrame { tile, frame: FRAME }
        );
    }
    let wide = Frame {
        width: FRAME_SIDE_MAX + 1,
        ..FRAME
    };
    let size = TileError::BadFrameSize {
        width: wide.width,
        height: 60,
    };
    assert_eq!(error(wide, wide.whole()), size);
    for samples in [0, SAMPLES_MAX + 1] {
        let frame = Frame { samples, ..FRAME };
        assert_eq!(
            error(frame, frame.whole()),
            TileError::BadSamples { samples }
        );
    }
    let big = Frame {
        width: 4096,
        height: 4096,
        ..FRAME
    };
    assert_eq!(
        error(big, big.whole()),
        TileError::TooManyPixels { pixels: 1 << 24 }
    );
}

#[test]
fn tiles_cover_every_pixel_once_and_assemble_in_any_order() {
    for (width, height, tile_width, tile_height) in [
        (100, 60, 16, 9),
        (7, 5, 7, 5),
        (7, 5, 100, 1),
        (3, 2, 1, 1),
        (5, 5, 0, 0),
    ] {
        let cut = tiles(width, height, tile_width, tile_height);
        // Each pixel holds its own place, so that a wrong one would show.
        let pixels = |t: &Tile| -> Vec<u8> {
            let row = |y| (t.x..t.x + t.width).flat_map(move |x| [x as u8, y as u8, 7]);
            (t.y..t.y + t.height).flat_map(row).collect()
        };
        let whole = pixels(&tile(0, 0, width, height));
        let pieces: Vec<_> = cut.iter().rev().map(|t| (*t, pixels(t))).collect();
        assert_eq!(assemble(width, height, pieces).unwrap(), whole);
    }
    assert!(tiles(0, 5, 2, 2).is_empty());
}

#[test]
fn tiles_that_make_no_picture_are_refused() {
    let left = (tile(0, 0, 1, 2), vec![0; 6]);
    let right = (tile(1, 0, 1, 2), vec![0; 6]);
    assert!(assemble(2, 2, [left.clone(), right.clone()]).is_ok());
    assert_eq!(
        assemble(2, 2, [left.clone()]),
        Err(AssembleError::Missing { pixels: 2 })
    );
    let twice = assemble(2, 2, [left.clone(), right.clone(), left.clone()]);
    assert_eq!(twice, Err(AssembleError::Overlap { tile: left.0 }));
    let outside = assemble(2, 1, [right.clone()]);
    assert_eq!(outside, Err(AssembleError::OutsideFrame { tile: right.0 }));
    let short = assemble(2, 2, [(left.0, vec![0; 5])]);
    let (tile, expected_bytes, found_bytes) = (left.0, 6, 5);
    assert_eq!(
        short,
        Err(AssembleError::WrongLength {
            tile,
            expected_bytes,
            found_bytes
        })
    );
    assert!(matches!(
        assemble::<Vec<u8>>(0, 9, []),
        Err(AssembleError::Frame(_))
    ));
}
