//! `quern grid lottery`: a day's lottery, drawn again from the chain alone.
//!
//! Days of the lottery are counted in blocks. One takes 24 hours where no block is missing, and longer
//! otherwise; so on a day of the calendar at most one draw begins, and which one is found by when blocks
//! were made.

use super::words::UNKNOWN;
use crate::{
    context::Context,
    output::{Output, fields, patiently, table},
    units::{Day, counted, span_of_blocks},
};
use anyhow::Context as _;
use clap::Args;
use quern_grid::lottery::{Draw, LIFT, day_of, first_block_of};
use quern_ledger::Chain;
use quern_primitives::{BlockNumber, DeviceId, Digest};
use serde::Serialize;

#[derive(Args, Clone, Debug)]
pub(crate) struct LotteryArgs {
    /// The draw of this day in UTC, such as 2026-10-05 [default: the last one]
    #[arg(long, value_name = "DAY")]
    day: Option<Day>,
    /// List no more than this many devices
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    most: u32,
}

/// There is no draw of that day.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum LotteryError {
    /// It is to come.
    #[error("it is {today} on the chain, and {day} is to come; ask for a day until then")]
    ToCome { day: Day, today: Day },
    /// Its draw is to come.
    #[error(
        "no draw has begun on {day} yet: the next is that of block {block}, in {left}; the last began on {last}, and is told without --day"
    )]
    NotBegun {
        day: Day,
        last: Day,
        block: BlockNumber,
        left: String,
    },
    /// There was no chain.
    #[error("the chain began on {first}; ask for a later day than {day}")]
    BeforeTheChain { day: Day, first: Day },
    /// A draw's day took longer, and the next one began the day after.
    #[error(
        "no draw began on {day}: blocks were missing, and the draw of {before} was good until the next, on {after}; ask for one of these"
    )]
    Missed { day: Day, before: Day, after: Day },
}

/// Where a day of the calendar is among the days of the lottery.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// On it this one began.
    At(u32),
    /// It is before all of them; the first began then.
    Before { first: Day },
    /// One began before it and the next after it.
    Between { before: Day, after: Day },
    /// It is behind all of them; the last began then.
    Behind { last: Day },
}

/// What a device drew.
#[derive(Clone, Debug, Serialize)]
struct Drew {
    device: DeviceId,
    /// The block of the last batch that named it.
    last_task: BlockNumber,
    hours: f64,
    chance: f64,
    drawn: f64,
    won: bool,
}

/// A day's lottery.
#[derive(Clone, Debug, Serialize)]
struct Drawn {
    /// The day, counted from the chain's first.
    day: u32,
    /// When it began.
    date: Day,
    /// Its first block, whose state was read.
    block: BlockNumber,
    /// The block until which winners stand higher.
    won_until: BlockNumber,
    /// None on the chain's first day, on which nobody draws.
    seed: Option<Digest>,
    /// Devices that were registered.
    registered: u32,
    /// Those of them that drew.
    drew: u32,
    /// Those of these that won.
    won: u32,
    /// Those that drew, winners first; no more than were asked for.
    devices: Vec<Drew>,
}

pub(super) async fn run(context: &Context, args: &LotteryArgs) -> anyhow::Result<()> {
    let asked = patiently("reading the chain", async {
        let chain = context.chain().await?;
        let now = chain.at_finalised().await?.block().number;
        let day = match args.day {
            Some(day) => day_on(&chain, day, now).await?,
            None => day_of(now),
        };
        draw(&chain, day, args.most).await
    });
    context.show(&asked.await?)
}

/// The day of the lottery that began on a day of the calendar.
async fn day_on(chain: &Chain, day: Day, now: BlockNumber) -> anyhow::Result<u32> {
    let last_day = day_of(now);
    let place = find(day, last_day, async |it| began(chain, it).await).await?;
    Err(match place {
        Place::At(found) => return Ok(found),
        Place::Before { first } => LotteryError::BeforeTheChain { day, first },
        Place::Between { before, after } => LotteryError::Missed { day, before, after },
        Place::Behind { last } => {
            let today = made_on(chain, now).await?;
            let block = first_block_of(last_day.saturating_add(1));
            match today < day {
                true => LotteryError::ToCome { day, today },
                false => LotteryError::NotBegun {
                    day,
                    last,
                    block,
                    left: span_of_blocks(block.saturating_sub(now).into()),
                },
            }
        }
    }
    .into())
}

/// Finds a day of the calendar among the lottery's days 0 to `last`, of which each begins later than
/// the one before.
async fn find<E>(
    wanted: Day,
    last: u32,
    began: impl AsyncFn(u32) -> Result<Day, E>,
) -> Result<Place, E> {
    let first = began(0).await?;
    if wanted < first {
        return Ok(Place::Before { first });
    }
    // The lowest did not begin later than is wanted, and those above the highest did.
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = high - (high - low) / 2;
        match began(middle).await? <= wanted {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    let found = began(low).await?;
    Ok(match found == wanted {
        true => Place::At(low),
        false if low == last => Place::Behind { last: found },
        false => Place::Between {
            before: found,
            after: began(low + 1).await?,
        },
    })
}

/// When a day of the lottery began.
async fn began(chain: &Chain, day: u32) -> anyhow::Result<Day> {
    // The chain's first block has no time.
    made_on(chain, first_block_of(day).max(1)).await
}

async fn made_on(chain: &Chain, block: BlockNumber) -> anyhow::Result<Day> {
    let made_at = chain.made_at(block).await?;
    let ms = made_at.with_context(|| {
        format!("block {block} does not tell when it was made; is this a node of Quern?")
    })?;
    Ok(Day::of_ms(ms))
}

/// Draws a day's lottery from the state of its first block.
async fn draw(chain: &Chain, day: u32, most: u32) -> anyhow::Result<Drawn> {
    let mut drawn = Drawn::new(day, began(chain, day).await?);
    if day > 0 {
        let state = chain.at_height(drawn.block).await?;
        let seed = state.lottery_seed().await?;
        drawn.seed = Some(Digest(seed));
        let draw = Draw::new(seed, day);
        state
            .each_device(|id, device| drawn.add(&draw, id, device.last_task))
            .await?;
        drawn.list(most as usize);
    }
    Ok(drawn)
}

impl Drawn {
    fn new(day: u32, date: Day) -> Self {
        let block = first_block_of(day);
        Self {
            day,
            date,
            block,
            won_until: first_block_of(day.saturating_add(1)),
            seed: None,
            registered: 0,
            drew: 0,
            won: 0,
            devices: vec![],
        }
    }

    /// Has a registered device draw, if it does.
    fn add(&mut self, draw: &Draw, device: DeviceId, last_task: BlockNumber) {
        self.registered = self.registered.saturating_add(1);
        let Some(lot) = draw.lot(&device, last_task) else {
            return;
        };
        self.drew = self.drew.saturating_add(1);
        self.won = self.won.saturating_add(lot.wins().into());
        self.devices.push(Drew {
            device,
            last_task,
            hours: lot.hours,
            chance: lot.chance,
            drawn: lot.drawn,
            won: lot.wins(),
        });
    }

    /// Sorts those that drew, winners first and then by their chance, and keeps so many.
    fn list(&mut self, most: usize) {
        self.devices.sort_by(|one, other| {
            let by_luck = other.won.cmp(&one.won);
            let by_chance = other.chance.total_cmp(&one.chance);
            by_luck
                .then(by_chance)
                .then_with(|| one.device.cmp(&other.device))
        });
        self.devices.truncate(most);
    }

    /// What came of it, in a line.
    fn in_sum(&self) -> String {
        let Self { won_until, .. } = self;
        if self.seed.is_none() {
            return format!(
                "nobody draws on the chain's first day, before which no device had a task; the first draw is that of block {won_until}"
            );
        }
        let more = match self.devices.len() < self.drew as usize {
            true => "; there are more: list them with --most",
            false => "",
        };
        let of = counted(self.registered, "registered device");
        format!(
            "{} of the {} that drew, of {of}; winners stand {LIFT} places higher until block {won_until}{more}",
            counted(self.won, "winner"),
            self.drew,
        )
    }
}

/// A share in percent with two decimals, such as `4.98 %`.
fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

impl Output for Drawn {
    fn people(&self) -> String {
        let mut facts = vec![
            ("day", format!("{} of the chain, {}", self.day, self.date)),
            ("block", self.block.to_string()),
        ];
        facts.extend(self.seed.map(|seed| ("seed", seed.to_string())));
        let mut parts = vec![fields(&facts)];
        if !self.devices.is_empty() {
            let row = |it: &Drew| {
                vec![
                    format!("{:.1}", it.hours),
                    percent(it.chance),
                    percent(it.drawn),
                    match it.won {
                        true => self.won_until.to_string(),
                        false => UNKNOWN.into(),
                    },
                    it.device.to_string(),
                ]
            };
            let rows: Vec<_> = self.devices.iter().map(row).collect();
            parts.push(table(
                &[">hours", ">chance", ">drawn", ">won to", "device"],
                &rows,
            ));
        }
        parts.push(self.in_sum());
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{cell::Cell, convert::Infallible};

    const DRAW: Draw = Draw::new([7; 32], 12);

    /// Half a day before [`DRAW`].
    const IDLE: BlockNumber = 12 * 43_200 - 21_600;

    fn device(n: u16) -> DeviceId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&n.to_le_bytes());
        DeviceId(id)
    }

    fn date(text: &str) -> Day {
        text.parse().unwrap()
    }

    /// A draw of so many devices that had their last task half a day before, one that had it just now,
    /// and one that never had any.
    fn drawn(idle: u16, most: usize) -> Drawn {
        let mut drawn = Drawn::new(DRAW.day, date("2026-10-17"));
        drawn.seed = Some(Digest(DRAW.seed));
        drawn.add(&DRAW, device(u16::MAX), 0);
        drawn.add(&DRAW, device(u16::MAX - 1), DRAW.block() - 1);
        (0..idle).for_each(|n| drawn.add(&DRAW, device(n), IDLE));
        drawn.list(most);
        drawn
    }

    #[test]
    fn a_draw_is_listed_with_its_winners_first_in_a_hundred_columns() {
        let drawn = drawn(200, 100);
        assert_eq!((drawn.registered, drawn.drew), (202, 201));
        // Ten are expected.
        assert!((1..30).contains(&drawn.won), "{}", drawn.won);
        let wins = |n: &u16| DRAW.lot(&device(*n), IDLE).unwrap().wins();
        let won: Vec<_> = (0..200).filter(wins).map(device).collect();
        let listed = &drawn.devices[..drawn.won as usize];
        assert!(listed.iter().all(|it| it.won && won.contains(&it.device)));
        assert_eq!(listed.len(), won.len());
        let text = drawn.people();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "day    12 of the chain, 2026-10-17");
        assert_eq!(lines[1], "block  518400");
        assert!(lines[2].starts_with("seed   0x0707"), "{text}");
        assert!(lines[4].starts_with("hours  chance    drawn"), "{text}");
        assert!(lines[5].starts_with(" 12.0  5.00 %  "), "{text}");
        assert!(lines[5].contains(" %") && lines[5].contains("  561600  0x"));
        assert!(lines[104].contains("       -  0x"), "{text}");
        assert!(
            text.ends_with(
                "of the 201 that drew, of 202 registered devices; winners stand 100 places higher until block 561600; there are more: list them with --most"
            ),
            "{text}"
        );
        let table = &lines[4..lines.len() - 2];
        assert!(table.iter().all(|it| it.chars().count() <= 100), "{text}");
    }

    #[test]
    fn programs_are_told_all_that_a_draw_follows_from() {
        let json = serde_json::to_value(drawn(1, 10)).unwrap();
        assert_eq!(json["day"], 12);
        assert_eq!(json["date"], "2026-10-17");
        assert_eq!(json["block"], 518_400);
        assert_eq!(json["won_until"], 561_600);
        assert_eq!(json["seed"], Digest([7; 32]).to_string());
        assert_eq!(json["registered"], 3);
        assert_eq!(json["drew"], 2);
        let devices = json["devices"].as_array().unwrap();
        let idle = devices.iter().find(|it| it["last_task"] == IDLE).unwrap();
        assert_eq!(idle["hours"], 12.0);
        assert_eq!(idle["device"], device(0).to_string());
        let lot = DRAW.lot(&device(0), IDLE).unwrap();
        assert_eq!(idle["chance"], lot.chance);
        assert_eq!(idle["drawn"], lot.drawn);
        assert_eq!(idle["won"], lot.wins());
    }

    #[test]
    fn on_the_chain_s_first_day_nobody_draws() {
        let text = Drawn::new(0, date("2026-10-05")).people();
        assert!(
            text.starts_with("day    0 of the chain, 2026-10-05"),
            "{text}"
        );
        assert!(
            text.ends_with("the first draw is that of block 43200"),
            "{text}"
        );
        assert!(!text.contains("seed"), "{text}");
        let json = serde_json::to_value(Drawn::new(0, date("2026-10-05"))).unwrap();
        assert_eq!(json["seed"], serde_json::Value::Null);
        assert_eq!(json["devices"], serde_json::json!([]));
    }

    /// Days of a lottery that began on these days of October 2026.
    async fn place(began: &[u8], wanted: &str) -> (Place, u32) {
        let asked = Cell::new(0);
        let day = async |it: u32| {
            asked.set(asked.get() + 1);
            Ok::<_, Infallible>(date(&format!("2026-10-{:02}", began[it as usize])))
        };
        let found = find(date(wanted), began.len() as u32 - 1, day).await;
        (found.unwrap(), asked.get())
    }

    #[tokio::test]
    async fn the_draw_of_a_day_is_found_by_when_blocks_were_made() {
        // Over the 8th blocks were missing.
        let began = [5, 6, 7, 9, 10];
        for (at, day) in (0..).zip(began) {
            let (found, _) = place(&began, &format!("2026-10-{day:02}")).await;
            assert_eq!(found, Place::At(at));
        }
        let (before, after) = (date("2026-10-07"), date("2026-10-09"));
        let (found, _) = place(&began, "2026-10-08").await;
        assert_eq!(found, Place::Between { before, after });
        let first = date("2026-10-05");
        assert_eq!(place(&began, "2026-10-04").await.0, Place::Before { first });
        let last = date("2026-10-10");
        assert_eq!(place(&began, "2026-10-11").await.0, Place::Behind { last });
        assert_eq!(place(&[5], "2026-10-05").await.0, Place::At(0));
    }

    #[tokio::test]
    async fn few_blocks_are_looked_at_however_old_the_chain_is() {
        let began: Vec<u8> = (1..=31).collect();
        for day in 1..=31 {
            let (found, asked) = place(&began, &format!("2026-10-{day:02}")).await;
            assert_eq!(found, Place::At(day - 1));
            assert!(asked <= 7, "{asked}");
        }
    }

    #[test]
    fn that_there_is_no_draw_says_what_to_ask_for() {
        let (day, other) = (date("2026-10-08"), date("2026-10-07"));
        let errors = [
            (LotteryError::ToCome { day, today: other }, "until then"),
            (LotteryError::BeforeTheChain { day, first: other }, "later"),
            (
                LotteryError::Missed {
                    day,
                    before: other,
                    after: date("2026-10-09"),
                },
                "2026-10-07 was good until the next, on 2026-10-09",
            ),
            (
                LotteryError::NotBegun {
                    day,
                    last: other,
                    block: 86_400,
                    left: span_of_blocks(900),
                },
                "block 86400, in about 30 min",
            ),
        ];
        for (error, part) in errors {
            let text = error.to_string();
            assert!(text.contains(part) && text.contains("2026-10-08"), "{text}");
        }
    }
}
