//! Tests of what the council's commands refuse, understand and tell.

use super::*;
use clap::Parser;
use codec::Encode;
use quern_job_rules::pay::{PRICES_AT_GENESIS, PricesError};
use quern_ledger::EncodedCall;
use quern_primitives::{
    DeviceId,
    amount::BYTECHIP,
    params::{Parameter, Params},
};

const DEVICE: DeviceId = DeviceId([7; 32]);

fn account(n: u8) -> AccountId {
    AccountId::new([n; 32])
}

fn call(pallet: &str, name: &str, arguments: &[u8]) -> EncodedCall {
    EncodedCall {
        pallet: pallet.to_owned(),
        name: name.to_owned(),
        bytes: [&[13, 5][..], arguments].concat(),
        hash: Digest([9; 32]),
    }
}

/// A motion of a council of four to verify a device, which three must vote for.
fn motion(ayes: &[u8], nays: &[u8]) -> Motion {
    Motion {
        number: 4,
        threshold: 3,
        ayes: ayes.iter().copied().map(account).collect(),
        nays: nays.iter().copied().map(account).collect(),
        ends_at: 1_000,
        call: call("Roster", "verify_device", &DEVICE.encode()),
    }
}

#[test]
fn more_than_half_of_the_council_must_vote_for_a_motion() {
    let needed: Vec<_> = (1..=5).map(majority).collect();
    assert_eq!(needed, [1, 2, 2, 3, 3]);
}

#[test]
fn only_members_propose_and_vote() {
    let members = [account(1), account(2)];
    assert_eq!(member(&members, &account(2)), Ok(()));
    let error = member(&members, &account(3)).unwrap_err().to_string();
    assert!(error.contains("no member") && error.contains("--account"));
}

#[test]
fn a_motion_is_closed_when_nothing_can_change_it_or_its_time_is_over() {
    assert!(check_close(&motion(&[1, 2, 3], &[]), 4, 10).is_ok());
    assert!(check_close(&motion(&[1], &[2, 3]), 4, 10).is_ok());
    let open = motion(&[1, 2], &[3]);
    let error = check_close(&open, 4, 10).unwrap_err();
    assert!(matches!(
        error,
        CouncilError::Undecided {
            missing: 1,
            from: 1_000,
            ..
        }
    ));
    assert!(error.to_string().contains("in about 33 min"), "{error}");
    // In the block after this one its time is over.
    assert!(check_close(&open, 4, 998).is_err());
    assert!(check_close(&open, 4, 999).is_ok());
}

#[test]
fn a_vote_that_changes_nothing_is_not_sent() {
    let motion = motion(&[1], &[2]);
    let error = CouncilError::Voted { number: 4 };
    assert_eq!(check_vote(&motion, &account(1), Vote::Yes), Err(error));
    assert_eq!(check_vote(&motion, &account(1), Vote::No), Ok(()));
    assert_eq!(check_vote(&motion, &account(2), Vote::Yes), Ok(()));
    assert_eq!(check_vote(&motion, &account(3), Vote::No), Ok(()));
}

#[test]
fn a_motion_that_is_not_open_is_not_found() {
    let motions = || vec![motion(&[], &[])];
    assert_eq!(find(motions(), 4), Ok(motion(&[], &[])));
    let error = find(motions(), 5).unwrap_err().to_string();
    assert!(error.contains("no motion 5") && error.contains("council show"));
}

#[test]
fn what_a_motion_does_is_told_in_words() {
    let told = decision::in_words(&motion(&[], &[]).call);
    assert_eq!(told, format!("verify device {DEVICE}"));
    let seat = (0u8, account(3)).encode();
    let told = decision::in_words(&call("CouncilMembers", "add_member", &seat));
    assert!(told.ends_with(&format!("to account {}", account(3))));
    let told = decision::in_words(&call("Bytechip", "set_rate", &250u32.encode()));
    assert_eq!(told, "sell 250 BC for a dollar");
    let prices = PRICES_AT_GENESIS.encode();
    let told = decision::in_words(&call("Jobs", "set_prices", &prices));
    assert!(told.contains("0.01 BC for 10⁹ units"), "{told}");
}

#[test]
fn a_motion_that_is_none_of_ours_is_told_as_it_stands_on_the_chain() {
    let told = decision::in_words(&call("System", "remark", &[4, 0xab]));
    assert_eq!(told, "System.remark(0x04ab)");
    // Arguments that are not what they should be are not guessed at.
    let told = decision::in_words(&call("Roster", "verify_device", &[1, 2]));
    assert_eq!(told, "Roster.verify_device(0x0102)");
    let odd = (2u8, account(3)).encode();
    let told = decision::in_words(&call("CouncilMembers", "add_member", &odd));
    assert!(told.starts_with("CouncilMembers.add_member(0x02"), "{told}");
}

#[derive(Parser, Debug)]
struct Line {
    #[command(subcommand)]
    decision: Decision,
}

fn typed(line: &str) -> Option<Decision> {
    let words = std::iter::once("propose").chain(line.split(' '));
    Line::try_parse_from(words).ok().map(|line| line.decision)
}

#[test]
fn prices_that_are_left_out_stay_as_they_are() {
    let Some(Decision::SetPrices(new)) = typed("set-prices --gigafuel 0.02 --low-permille 700")
    else {
        panic!("it is not understood");
    };
    let prices = new.over(PRICES_AT_GENESIS).unwrap();
    assert_eq!(prices.gigafuel, BYTECHIP / 50);
    assert_eq!(prices.low_permille, 700);
    assert_eq!(prices.task_min, PRICES_AT_GENESIS.task_min);
    assert_eq!(prices.high_permille, PRICES_AT_GENESIS.high_permille);
    let Some(Decision::SetPrices(new)) = typed("set-prices --low-permille 1001") else {
        panic!("it is not understood");
    };
    assert_eq!(new.over(PRICES_AT_GENESIS), Err(PricesError::Low));
}

#[test]
fn a_parameter_is_set_by_its_name_to_a_value_that_the_chain_takes() {
    let over = |line: &str| match typed(line) {
        Some(Decision::SetParameter(new)) => new.over(Params::FIRST),
        other => panic!("{line} is understood as {other:?}"),
    };
    assert_eq!(over("set-parameter re-execution 15"), Ok(15));
    let bond = over("set-parameter bond-per-device 12.5");
    assert_eq!(bond, Ok(25 * BYTECHIP / 2));
    for (line, words) in [
        ("set-parameter re-execution 1.5", "no value of re-execution"),
        ("set-parameter bond-per-device much", "ByteChips"),
        ("set-parameter re-execution 1001", "between 1 ‰ and 1000 ‰"),
        (
            "set-parameter workers-share 800",
            "leave the treasury a part",
        ),
    ] {
        let error = over(line).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(typed("set-parameter day 5").is_none());
    let arguments = (Parameter::ReExecution, 15u128).encode();
    let told = decision::in_words(&call("Params", "set", &arguments));
    assert_eq!(told, "set re-execution to 15 ‰");
}

#[test]
fn a_decision_that_says_nothing_is_not_understood() {
    assert!(typed("set-prices").is_none());
    assert!(typed("set-rate 0").is_none());
    assert!(typed("set-rate 250").is_some());
    assert!(typed("verify-device //Alice").is_none());
    assert!(typed(&format!("verify-device {DEVICE}")).is_some());
}

#[test]
fn the_council_is_shown_with_what_can_be_done_about_each_motion() {
    let shown = |motion: &Motion| Shown::new(motion, 4, 100);
    let council = Council {
        block: 100,
        members: (1..=4).map(account).collect(),
        majority: 3,
        motions: vec![shown(&motion(&[1], &[])), shown(&motion(&[1, 2, 3], &[4]))],
    };
    let text = council.people();
    assert!(text.contains("4 members; a motion needs 3"), "{text}");
    assert!(text.contains("quern council vote 4 yes|no, until block 1000"));
    assert!(text.contains("3/3") && text.contains("quern council close 4"));
    let json = serde_json::to_value(&council).unwrap();
    assert_eq!(json["motions"][0]["decided"], false);
    assert_eq!(json["motions"][1]["decided"], true);
    assert_eq!(json["motions"][1]["call"], "Roster.verify_device");
    let empty = Council {
        motions: vec![],
        ..council
    };
    assert!(empty.people().contains("no motion is open"));
}
