use super::*;

fn line(down: Option<u64>, up: Option<u64>, left: Option<u64>) -> Line {
    let mut line = Line::default();
    line.allow(
        Tick(0),
        Allowance {
            down_bytes_per_s: down,
            up_bytes_per_s: up,
            left_bytes: left,
        },
    );
    line
}

#[test]
fn a_rate_is_met_to_the_byte_however_often_it_is_looked_at() {
    for rate in [1, 7, 999, 1_000, 123_457, 10_000_000] {
        let mut line = line(Some(rate), None, None);
        let mut taken = 0;
        // What was saved up goes at once.
        let burst = (rate / 4).max(PART_BYTES_MAX);
        line.take(Tick(0), Way::Down, burst);
        line.moved(Way::Down, burst);
        for ms in 1..=20_000 {
            let now = Tick(ms);
            while line.fits(now, 1.max(rate / 1_000), 0) {
                line.take(now, Way::Down, 1.max(rate / 1_000));
                line.moved(Way::Down, 1.max(rate / 1_000));
                taken += 1.max(rate / 1_000);
            }
        }
        assert!(taken <= rate * 20, "{taken} at {rate}");
        assert!(rate * 20 - taken <= 1 + rate / 1_000, "{taken} at {rate}");
    }
}

#[test]
fn it_says_to_the_millisecond_when_there_is_room() {
    let mut line = line(Some(1_000), Some(500), None);
    line.take(Tick(0), Way::Down, PART_BYTES_MAX);
    line.moved(Way::Down, PART_BYTES_MAX);
    line.take(Tick(0), Way::Up, PART_BYTES_MAX);
    line.moved(Way::Up, PART_BYTES_MAX);
    assert_eq!(line.fits_at(Tick(0), 250, 0), Some(Tick(250)));
    assert_eq!(line.fits_at(Tick(0), 250, 250), Some(Tick(500)));
    assert!(!line.fits(Tick(499), 250, 250));
    assert!(line.fits(Tick(500), 250, 250));
    assert_eq!(line.fits_at(Tick(0), PART_BYTES_MAX + 1, 0), None);
}

#[test]
fn what_is_under_way_counts_until_it_moved_or_is_given_back() {
    let mut line = line(None, None, Some(1_000));
    line.take(Tick(0), Way::Down, 600);
    assert!(line.fits(Tick(0), 200, 200));
    assert!(!line.fits(Tick(0), 201, 200));
    assert!(!line.is_spent(1_000), "it may all be given back");
    line.moved(Way::Down, 100);
    line.give_back(Tick(0), Way::Down, 500);
    assert!(line.fits(Tick(0), 900, 0));
    assert!(!line.fits(Tick(0), 901, 0));
    assert!(line.is_spent(901));
}

#[test]
fn no_more_than_a_second_s_bytes_are_under_way() {
    let mut line = line(Some(2_000_000), None, None);
    let mut now = Tick(0);
    for _ in 0..4 {
        line.take(now, Way::Down, 500_000);
        now = now.plus_ms(250);
    }
    assert_eq!(line.fits_at(now, 1, 0), None, "time alone does not help");
    line.moved(Way::Down, 1);
    assert!(line.fits(now, 1, 0));
}

#[test]
fn a_rate_of_nothing_lets_nothing_through_and_no_time_helps() {
    let mut line = line(Some(0), None, None);
    line.take(Tick(0), Way::Down, PART_BYTES_MAX);
    line.moved(Way::Down, PART_BYTES_MAX);
    assert_eq!(line.fits_at(Tick(1_000_000), 1, 0), None);
}

#[test]
fn another_allowance_keeps_what_is_under_way_and_saves_up_no_more_than_its_own_burst() {
    let mut line = line(None, None, None);
    line.take(Tick(0), Way::Down, 10);
    let allowance = Allowance {
        down_bytes_per_s: Some(8_000_000),
        up_bytes_per_s: None,
        left_bytes: Some(3_000_000),
    };
    line.allow(Tick(5), allowance);
    assert!(line.fits(Tick(5), 2_000_000, 0));
    assert!(
        !line.fits(Tick(5), 2_000_001, 0),
        "that is a quarter of a second"
    );
    assert!(line.fits(Tick(5), 0, 2_999_990));
    assert!(!line.fits(Tick(5), 0, 2_999_991));
}
