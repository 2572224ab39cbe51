//! What was counted, as pictures: lines are the formulas, bars what was measured, three standard
//! deviations to both sides.

use super::found::Found;
use quern_chart::{Axis, Chart, Limit, Point as Place, Scale, Series};
use quern_simulation::agreement::{
    ACCOUNTS, Claim, Point, Policy, Rate, Setting,
    surprise::{Expected, SIGMAS},
};

/// Of a thousand settled tasks so many are computed again in the pictures: what the parameter is at first.
pub(super) const RE_EXECUTED_PERMILLE: u16 = 100;

const BARS: &str = "lines are formulas, bars what was measured, three sigma to both sides";

/// All pictures, with the names of their files.
pub(super) fn all(found: &[Found]) -> anyhow::Result<Vec<(&'static str, String)>> {
    let stays = [
        Policy::Single,
        Policy::Adaptive { row: 100 },
        Policy::Adaptive { row: 10 },
        Policy::Majority,
        Policy::Unanimous,
    ];
    let caught = [
        Policy::Unanimous,
        Policy::Majority,
        Policy::Adaptive { row: 10 },
        Policy::Adaptive { row: 100 },
        Policy::Single,
        Policy::Careful,
    ];
    Ok(vec![
        (
            "agreement-stays.svg",
            shares(
                found,
                "Wrong answers that are accepted and stay",
                Rate::Stays,
                &stays,
            )?,
        ),
        (
            "agreement-caught.svg",
            shares(
                found,
                "Tasks of which a liar is found out",
                Rate::Caught,
                &caught,
            )?,
        ),
        ("agreement-extra.svg", extra(found)?),
        ("agreement-betrayal.svg", betrayal(found)?),
    ])
}

/// A rate of each policy over the share that colludes.
fn shares(found: &[Found], title: &str, rate: Rate, policies: &[Policy]) -> anyhow::Result<String> {
    let mut series = Vec::new();
    for policy in policies {
        let x = |point: &Point| match point {
            Point::Task(Setting {
                policy: of,
                colluding,
                re_executed_permille: RE_EXECUTED_PERMILLE,
            }) if of == policy => Some(f64::from(*colluding) / f64::from(ACCOUNTS)),
            _ => None,
        };
        series.push(line(found, policy.to_string(), rate, x)?);
    }
    let permille = RE_EXECUTED_PERMILLE;
    let chart = Chart {
        title: title.into(),
        subtitle: format!("{permille} of 1,000 settled tasks are computed again; {BARS}"),
        x: axis("accounts that collude, of all", Scale::Linear),
        y: axis("of all tasks (logarithmic)", Scale::Log),
        series,
        limit: None,
        marks: vec![],
    };
    Ok(chart.svg()?)
}

/// What an honest grid costs, over the answers that were accepted in a row.
fn extra(found: &[Found]) -> anyhow::Result<String> {
    let x = |point: &Point| match point {
        Point::Task(Setting {
            policy: Policy::Adaptive { row },
            colluding: 0,
            re_executed_permille: 0,
        }) => Some(f64::from(*row)),
        _ => None,
    };
    let mut honest = line(found, "honest devices".into(), Rate::Extra, x)?;
    honest
        .points
        .sort_by(|one, other| one.x.total_cmp(&other.x));
    let chart = Chart {
        title: "What it costs that devices are believed alone".into(),
        subtitle: format!("devices beyond the first that compute a task; {BARS}"),
        x: Axis {
            title: "answers accepted in a row (logarithmic)".into(),
            scale: Scale::Log,
            floor: None,
            label: |row| format!("{row:.0}"),
        },
        y: axis(
            "executions beyond the first, for each task (logarithmic)",
            Scale::Log,
        ),
        series: vec![honest],
        limit: Some(Limit {
            y: 0.1,
            label: vec!["at the most".into(), "10 %".into()],
        }),
        marks: vec![],
    };
    Ok(chart.svg()?)
}

/// What a row of honest answers is worth to a member that lies then.
fn betrayal(found: &[Found]) -> anyhow::Result<String> {
    let mut series = Vec::new();
    for permille in quern_simulation::agreement::RE_EXECUTED_PERMILLE {
        let x = |point: &Point| match point {
            Point::Betrayal {
                row,
                colluding: 10,
                re_executed_permille,
            } if *re_executed_permille == permille => Some(f64::from(*row)),
            _ => None,
        };
        let name = format!("{permille} of 1,000 again");
        series.push(line(found, name, Rate::Stays, x)?);
    }
    let label = |value: f64| format!("{value:.0}");
    let chart = Chart {
        title: "Right until it is worth it".into(),
        subtitle: format!("wrong answers that stay before one is found, 10 % collude; {BARS}"),
        x: Axis {
            title: "answers accepted in a row before the first lie (logarithmic)".into(),
            scale: Scale::Log,
            floor: None,
            label,
        },
        y: Axis {
            title: "wrong answers that stay (logarithmic)".into(),
            scale: Scale::Log,
            floor: None,
            label,
        },
        series,
        limit: None,
        marks: vec![],
    };
    Ok(chart.svg()?)
}

/// The points that have an x, as a line of what is expected with bars of what was measured.
fn line(
    found: &[Found],
    name: String,
    rate: Rate,
    x: impl Fn(&Point) -> Option<f64>,
) -> anyhow::Result<Series> {
    let mut points = Vec::new();
    for it in found {
        let Some(x) = x(&it.point) else {
            continue;
        };
        for (of, claim) in it.rates()? {
            if let (true, Claim::Is(expected)) = (of == rate, claim) {
                let spread = bar(it, rate, &expected);
                points.push(Place {
                    x,
                    y: expected.mean,
                    spread,
                });
            }
        }
    }
    Ok(Series { name, points })
}

/// Where a bar would begin below nothing, as it does with no lies at all, there is none.
fn bar(found: &Found, rate: Rate, expected: &Expected) -> Option<(f64, f64)> {
    let measured = found.first.mean(rate);
    let wide = SIGMAS * expected.sigma(found.first.trials);
    (measured > wide).then_some((measured - wide, measured + wide))
}

fn axis(title: &str, scale: Scale) -> Axis {
    Axis {
        title: title.into(),
        scale,
        floor: None,
        label: |share| {
            // Without what binary fractions add.
            let percent = (share * 1e8).round() / 1e6 + 0.0;
            format!("{percent} %")
        },
    }
}
