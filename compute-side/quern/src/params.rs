//! `quern params`: what the council can set, as it is now.

use crate::{
    context::Context,
    output::{Output, patiently, table},
};
use quern_job_rules::value::value_max;
use quern_primitives::{
    Amount, BlockNumber,
    amount::{as_string, display},
    job::Agreement,
    params::{Parameter, Params, Unit},
};
use serde::Serialize;

/// A line of the table with the value there is now.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    unit: Unit,
    #[serde(with = "as_string")]
    value: Amount,
    #[serde(with = "as_string")]
    least: Amount,
    #[serde(with = "as_string")]
    most: Amount,
    #[serde(with = "as_string")]
    first: Amount,
    about: &'static str,
}

/// The most that a task of a job with this agreement may cost.
#[derive(Debug, Serialize)]
struct Bound {
    agreement: Agreement,
    /// In the smallest unit, as a decimal string.
    #[serde(with = "as_string")]
    task: Amount,
}

/// All that the council can set.
#[derive(Debug, Serialize)]
struct Table {
    block: BlockNumber,
    params: Vec<Line>,
    task_cost_max: Vec<Bound>,
}

/// Shows the table with the values of the last final block.
pub(crate) async fn run(context: &Context) -> anyhow::Result<()> {
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        anyhow::Ok((state.block().number, state.params().await?))
    });
    let (block, params) = asked.await?;
    context.show(&Table::new(block, &params))
}

impl Table {
    fn new(block: BlockNumber, params: &Params) -> Self {
        let line = |parameter: Parameter| {
            let row = parameter.row();
            Line {
                name: row.name,
                unit: row.unit,
                value: params.get(parameter),
                least: row.least,
                most: row.most,
                first: row.first,
                about: row.about,
            }
        };
        let bound = |agreement| Bound {
            agreement,
            task: value_max(params, agreement),
        };
        let agreements = [
            Agreement::Single,
            Agreement::Adaptive,
            Agreement::Unanimous,
            Agreement::Majority { replicas: 3 },
        ];
        Self {
            block,
            params: Parameter::ALL.iter().copied().map(line).collect(),
            task_cost_max: agreements.map(bound).into(),
        }
    }
}

fn agreement_name(agreement: Agreement) -> String {
    match agreement {
        Agreement::Single => "single".into(),
        Agreement::Adaptive => "adaptive".into(),
        Agreement::Unanimous => "unanimous".into(),
        Agreement::Majority { replicas } => format!("a majority of {replicas}"),
    }
}

impl Output for Table {
    fn people(&self) -> String {
        let row = |line: &Line| {
            let write = |value| line.unit.write(value);
            vec![
                line.name.to_owned(),
                write(line.value),
                write(line.least),
                write(line.most),
                line.about.to_owned(),
            ]
        };
        let rows: Vec<_> = self.params.iter().map(row).collect();
        let head = ["parameter", ">now", ">least", ">most", "what it decides"];
        let bound = |bound: &Bound| {
            let agreement = agreement_name(bound.agreement);
            format!("{} if {agreement}", display(bound.task))
        };
        let bounds: Vec<_> = self.task_cost_max.iter().map(bound).collect();
        format!(
            "{}\n\na task may cost {}\nas of block {}; the council sets them with `quern council propose set-parameter`",
            table(&head, &rows),
            bounds.join(", "),
            self.block
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_confidence::Stakes;
    use quern_job_rules::value::burnt_of_bond;
    use quern_primitives::amount::BYTECHIP;

    #[test]
    fn every_parameter_is_shown_with_its_value_and_bounds() {
        let params = Params {
            re_execution_permille: 15,
            ..Params::FIRST
        };
        let shown = Table::new(7, &params);
        let text = shown.people();
        for parameter in Parameter::ALL {
            assert!(text.contains(parameter.row().name), "{parameter}: {text}");
        }
        for words in ["15 ‰", "10 BC", "10000 BC", "block 7", "if a majority of 3"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["params"][2]["name"], "re-execution");
        assert_eq!(json["params"][2]["unit"], "permille");
        assert_eq!(json["params"][2]["value"], "15");
        let most = value_max(&params, Agreement::Single);
        assert_eq!(json["task_cost_max"][0]["task"], most.to_string());
    }

    #[test]
    fn the_operators_guide_has_the_table_as_it_is() {
        let guide = include_str!("../../../docs/operator.md");
        for parameter in Parameter::ALL.iter().copied() {
            let row = parameter.row();
            let [least, first, most] =
                [row.least, row.first, row.most].map(|value| row.unit.write(value));
            let line = format!("| `{parameter}` | {least} | {first} | {most} | ");
            assert!(guide.contains(&line), "{line}");
        }
    }

    proptest! {
        /// What the chain bounds in whole numbers is what the formula in floating point says.
        #[test]
        fn the_chain_s_bound_of_a_task_is_what_makes_cheating_lose(
            again in 1u16..=999, winner in 0u16..=900, workers in 500u16..=900, bond in BYTECHIP..=10_000 * BYTECHIP,
            agreement in prop_oneof![
                Just(Agreement::Single), Just(Agreement::Unanimous), Just(Agreement::Adaptive),
                (1u8..=7).prop_map(|half| Agreement::Majority { replicas: 2 * half + 1 }),
            ],
        ) {
            let params = Params {
                re_execution_permille: again,
                winner_permille: winner,
                workers_permille: workers,
                bond_per_device: bond,
                ..Params::FIRST
            };
            let share = f64::from(again) / 1_000.0;
            let replicas = agreement.quorum();
            let pay = |value: Amount| value as f64 * f64::from(workers) / 1_000.0 / f64::from(replicas);
            let least_share = |value: Amount, reward, slash: Amount| {
                let stakes = Stakes::new(replicas, reward, pay(value), slash as f64).unwrap();
                stakes.least_share(value as f64).unwrap().unwrap_or(1.0)
            };
            // Work may cost all that it brings; pay is kept, and of the bond an accomplice gets what is not burnt.
            let kept = |value: Amount| least_share(value, 0.0, burnt_of_bond(&params));
            let most = value_max(&params, agreement);
            for value in [most, most / 2, most / 1_000] {
                prop_assert!(kept(value) <= share * (1.0 + 1e-9), "{value}");
                // Where pay and the whole bond are lost, as in the published formula, it holds all the more.
                prop_assert!(least_share(value, pay(value), bond) <= share * (1.0 + 1e-9), "{value}");
            }
            let dearer = most + most / 100_000 + 10;
            prop_assert!(kept(dearer) > share, "{dearer}");
        }
    }
}
