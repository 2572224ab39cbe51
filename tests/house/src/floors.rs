//! Arrows point down only.

use anyhow::{Context, Result, ensure};

use crate::{Finding, graph::Graph};

/// A row of the floor table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How far up the rooms are.
    pub floor: u8,
    /// The rooms' folders; `*` at the end stands for any one folder.
    pub rooms: Vec<String>,
    /// Whether the rooms do no input or output and know neither clock nor chance.
    pub pure: bool,
}

/// Reads the table that begins with the heads `floor`, `room`, ..., `pure`.
///
/// # Errors
///
/// If there is no such table, or a row of it has no floor or room.
pub fn read_table(markdown: &str) -> Result<Vec<Row>> {
    let mut lines = markdown
        .lines()
        .skip_while(|line| !line.starts_with("| floor | room |"));
    let heads = lines
        .next()
        .context("there is no table that begins `| floor | room |`")?;
    let pure = cells(heads)
        .iter()
        .position(|&head| head == "pure")
        .context("the floor table has no column `pure`")?;
    let mut rows = Vec::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let cells = cells(line);
        let floor = cells[0]
            .parse()
            .with_context(|| format!("the floor table's row `{line}` begins with no floor"))?;
        let named = cells.get(1).copied().unwrap_or_default();
        let rooms: Vec<String> = named
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        ensure!(
            !rooms.is_empty(),
            "the floor table's row `{line}` names no `room`"
        );
        rows.push(Row {
            floor,
            rooms,
            pure: cells.get(pure).is_some_and(|&cell| cell == "yes"),
        });
    }
    ensure!(!rows.is_empty(), "the floor table has no rows");
    Ok(rows)
}

fn cells(line: &str) -> Vec<&str> {
    line.trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect()
}

/// The row that a room belongs to: the one that names it, else the one whose `*` covers it.
#[must_use]
pub fn row_of<'a>(rows: &'a [Row], room: &str) -> Option<&'a Row> {
    rows.iter()
        .find(|row| row.rooms.iter().any(|named| named == room))
        .or_else(|| {
            rows.iter()
                .find(|row| row.rooms.iter().any(|named| covers(named, room)))
        })
}

fn covers(pattern: &str, room: &str) -> bool {
    let Some(folder) = pattern.strip_suffix('*') else {
        return pattern == room;
    };
    room.strip_prefix(folder)
        .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
}

/// Every member has a row, every row a member, and every dependency, also that of a test or of a
/// build script, leads to a lower floor. There is no exception for neighbours on one floor: they
/// know nothing of each other.
#[must_use]
pub fn check(graph: &Graph, rows: &[Row]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for named in rows.iter().flat_map(|row| &row.rooms) {
        if !graph.members().any(|(_, _, room)| covers(named, room)) {
            findings.push(format!(
                "ARCHITECTURE.md has a row for `{named}`, but no member of the workspace is there; \
                 remove the row or mend its name"
            ));
        }
    }
    for (_, package, room) in graph.members() {
        let Some(row) = row_of(rows, room) else {
            findings.push(format!(
                "`{room}` ({}) is on no floor; give it a row in the floor table of ARCHITECTURE.md",
                package.name
            ));
            continue;
        };
        for (&needed, kinds) in &package.needs {
            let needed = &graph.packages[needed];
            let Some(below) = needed.room.as_deref() else {
                continue;
            };
            let Some(row_below) = row_of(rows, below) else {
                continue;
            };
            if row_below.floor >= row.floor {
                findings.push(format!(
                    "`{room}` (floor {}) depends on `{below}` (floor {}), {kinds:?}; arrows point \
                     down only, so move the shared part below both",
                    row.floor, row_below.floor
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Kind;

    const TABLE: &str = "
prose

| floor | room | one responsibility | pure |
| --- | --- | --- | --- |
| 0 | `words` | words | yes |
| 1 | `rules/*` | rules | yes |
| 1 | `rules/special` | not like its neighbours | |
| 2 | `tests/*`, `xtask` | the top | |

| floor | room | of another table |
";

    fn rows() -> Vec<Row> {
        read_table(TABLE).unwrap_or_default()
    }

    fn rooms() -> Vec<(&'static str, Option<&'static str>)> {
        vec![
            ("words", Some("words")),
            ("a", Some("rules/a")),
            ("special", Some("rules/special")),
            ("house", Some("tests/house")),
            ("xtask", Some("xtask")),
            ("serde", None),
        ]
    }

    #[test]
    fn the_table_is_read_as_people_read_it() {
        let rows = rows();
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[3].rooms, ["tests/*", "xtask"]);
        assert!(row_of(&rows, "rules/a").is_some_and(|row| row.pure));
        assert!(
            row_of(&rows, "rules/special").is_some_and(|row| !row.pure),
            "the name goes first"
        );
        assert_eq!(row_of(&rows, "rules/a/deeper"), None);
        assert_eq!(row_of(&rows, "rules/"), None);
    }

    #[test]
    fn a_table_without_floors_is_refused() {
        assert!(read_table("no table").is_err());
        assert!(read_table("| floor | room | pure |\n| --- | --- | --- |\n").is_err());
        assert!(
            read_table("| floor | room | pure |\n| --- | --- | --- |\n| x | `a` | |\n").is_err()
        );
        assert!(read_table("| floor | room | pure |\n| --- | --- | --- |\n| 1 | a | |\n").is_err());
    }

    #[test]
    fn arrows_down_and_out_are_fine() {
        let graph = Graph::made_up(
            &rooms(),
            &[
                ("a", "words", Kind::Normal),
                ("house", "a", Kind::Dev),
                ("xtask", "words", Kind::Build),
                ("words", "serde", Kind::Normal),
            ],
        );
        assert_eq!(check(&graph, &rows()), Vec::<Finding>::new());
    }

    #[test]
    fn arrows_up_and_sideways_are_found_whatever_they_are_for() {
        for kind in [Kind::Normal, Kind::Build, Kind::Dev] {
            let up = Graph::made_up(&rooms(), &[("words", "a", kind)]);
            assert_eq!(check(&up, &rows()).len(), 1, "{kind:?}");
            let sideways = Graph::made_up(&rooms(), &[("a", "special", kind)]);
            assert_eq!(check(&sideways, &rows()).len(), 1, "{kind:?}");
        }
    }

    #[test]
    fn rooms_without_a_row_and_rows_without_a_room_are_found() {
        let mut rooms = rooms();
        rooms.retain(|(name, _)| *name != "words");
        rooms.push(("new", Some("new")));
        let findings = check(&Graph::made_up(&rooms, &[]), &rows());
        assert_eq!(findings.len(), 2);
        assert!(findings[0].contains("row for `words`"));
        assert!(findings[1].contains("`new`"));
    }
}
