//! Tests of what the treasurer's commands refuse, understand and tell.

use super::*;
use clap::Parser;

fn account(n: u8) -> AccountId {
    AccountId::new([n; 32])
}

fn payout(number: u64) -> Payout {
    Payout {
        number,
        account: account(5),
        amount: 20 * BYTECHIP,
        destination: digest("account 7"),
        requested_at: 44,
    }
}

#[test]
fn only_the_treasurer_records_and_answers() {
    assert_eq!(check_treasurer(Some(account(1)), account(1)), Ok(()));
    let error = check_treasurer(Some(account(1)), account(2)).unwrap_err();
    let words = error.to_string();
    let treasurer = account(1).to_string();
    assert!(
        words.contains(&treasurer) && words.contains("--account"),
        "{words}"
    );
    let error = check_treasurer(None, account(2)).unwrap_err().to_string();
    assert!(error.contains("set-treasurer"), "{error}");
}

#[test]
fn a_payment_and_a_transfer_count_once() {
    assert_eq!(check_payment("bank-1", None), Ok(()));
    let purchase = Purchase {
        buyer: account(5),
        cents: 1_005,
        amount: 2_010 * BYTECHIP / 100,
        recorded_at: 9,
    };
    let error = check_payment("bank-1", Some(purchase)).unwrap_err();
    let words = error.to_string();
    assert!(
        words.contains("$10.05 of ") && words.contains("in block 9"),
        "{words}"
    );

    assert_eq!(check_transfer("bank-2", None), Ok(()));
    let transfer = Transfer {
        payout: payout(3),
        completed_at: 50,
    };
    let error = check_transfer("bank-2", Some(transfer)).unwrap_err();
    assert!(error.to_string().contains("payout 3 since block 50"));
}

#[test]
fn a_payout_is_worth_whole_cents_at_the_rate() {
    let cents = |amount, rate| worth(amount, rate).cents;
    assert_eq!(cents(20 * BYTECHIP, 200), 10);
    assert_eq!(cents(3 * BYTECHIP, 200), 1);
    assert_eq!(cents(2 * BYTECHIP - 1, 200), 0);
    assert_eq!(cents(Amount::MAX, 1), u64::MAX);
    assert_eq!(cents(BYTECHIP, 0), 0);
}

#[test]
fn a_destination_has_the_digest_that_other_programs_make_of_it() {
    let empty = "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest("").to_string(), empty);
}

#[test]
fn open_payouts_are_told_with_their_worth() {
    let treasury = Treasury {
        block: 60,
        treasurer: Some(account(1)),
        bytechips_per_dollar: 200,
        held: 20 * BYTECHIP,
        destination_digest: None,
        payouts: vec![Open::new(payout(3), 200)],
    };
    let text = treasury.people();
    let shown = &digest("account 7").to_string()[..14];
    for words in [
        "200 BC a dollar",
        "20 BC for all open payouts",
        "$0.10",
        &format!("{shown}…"),
        &account(5).to_string(),
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = serde_json::to_value(&treasury).unwrap();
    assert_eq!(json["payouts"][0]["payout"], 3);
    assert_eq!(json["payouts"][0]["amount"], "20000000000");
    assert_eq!(json["payouts"][0]["cents"], 10);
    let none = Treasury {
        treasurer: None,
        payouts: vec![],
        ..treasury
    };
    assert!(none.people().ends_with("no payout is open"));
    let elsewhere = Treasury {
        destination_digest: Some(digest("account 8")),
        ..none
    };
    assert!(elsewhere.people().contains("to the letter"));
}

#[test]
fn an_answer_tells_where_the_money_is() {
    let answered = Answered {
        answer: Answer::Paid,
        payout: 3,
        account: account(5),
        amount: 20 * BYTECHIP,
        reference: Some("bank-2".to_owned()),
        block: 50,
        transaction: String::new(),
    };
    let text = answered.people();
    assert!(text.contains("burnt") && text.contains("bank-2"), "{text}");
    let json = serde_json::to_value(&answered).unwrap();
    assert_eq!(json["answer"], "paid");
    let returned = Answered {
        answer: Answer::Returned,
        reference: None,
        ..answered
    };
    let text = returned.people();
    assert!(
        text.contains("went back") && !text.contains("reference"),
        "{text}"
    );
}

#[derive(Parser, Debug)]
struct Line {
    #[command(subcommand)]
    command: TreasuryCommand,
}

#[test]
fn what_names_no_payment_is_not_understood() {
    let understood = |line: &str| {
        let words = std::iter::once("treasury").chain(line.split(' '));
        Line::try_parse_from(words).is_ok()
    };
    assert!(understood("record //Eve --dollars 5 --reference bank-1"));
    assert!(!understood("record //Eve --dollars 5"));
    assert!(!understood("record //Eve --dollars 5 --reference "));
    assert!(!understood("record //Eve --reference bank-1"));
    assert!(understood("pay 3 --reference bank-2"));
    assert!(!understood("pay 3"));
    assert!(understood("return 3"));
    assert!(!understood("return all"));
}
