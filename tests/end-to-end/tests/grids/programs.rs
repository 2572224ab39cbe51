//! Programs on the grid, against the same work done without it.

use super::attribution::{computed_twice, honest, taken_beyond_its_pool};
use anyhow::{Context as _, bail, ensure};
use quern_end_to_end::{
    Bench, Owner, Quern, case, program, repository, run, say, says, write_text,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::Path,
    pin::pin,
    process::{Command, Stdio},
    time::Duration,
};

/// Bytes of the text whose words are counted.
const TEXT_BYTES: u64 = 50_000_000;

/// So many honest workers, each of which is a pool; and of them, counted from zero, the one that is slow once
/// and the one that is not.
const WORKERS: usize = 3;
const SLOW: usize = 0;
const FAST: usize = 1;

/// How the masternode of the capacity pools gives tasks out. Who is late is late soon; from when a device is
/// asked again until it is stale there is time to see that, on any machine. Each device is a pool:
/// it has a point at the least, and so fills the one in which it is the first.
const PUBLISHED_POOLS: &str = "scheduling = \"published-pools\"
pool_size_min = 1
pool_capacity_min = 1
delayed_seconds_min = 5
stale_seconds_min = 23
";

/// Fuel of a task that is stale after as many seconds as it takes at the least, and is taken back after more
/// than a minute.
const STALE_FUEL: u64 = 2_000_000_000;

/// How long it may take until a device is seen as it was measured, once it has nothing to compute: it
/// asks within seconds, and runs the benchmark then if it had no time for it before.
const MEASURED_WITHIN: Duration = Duration::from_secs(60);

/// Also the live test of the capacity pools as published, and of T1 and T2, which where there are backups come
/// too late to show; all other grids are as usual.
#[test]
fn on_published_pools_a_histogram_of_50_mb_is_right_and_what_is_stale_is_helped_out() {
    run(async {
        let folder = tempfile::tempdir()?;
        let own = folder.path();
        let workers: anyhow::Result<Vec<_>> = (0..WORKERS)
            .map(|number| honest(own, number).map(Some))
            .collect();
        let workers = workers?;
        let mut bench = Bench::start_as(|plan| {
            plan.workers = workers;
            plan.masternode_settings = PUBLISHED_POOLS.into();
        })
        .await?;
        let outcome = on_pools(&mut bench, own).await;
        bench.conclude(outcome).await
    });
}

async fn on_pools(bench: &mut Bench, own: &Path) -> anyhow::Result<()> {
    let name = "a histogram is what sort and uniq count";
    case(name, histogram(bench)).await?;
    let name = "who finds nothing more in its own pool computes what others were dealt";
    case(name, taken_beyond_its_pool(bench, own, STALE_FUEL)).await?;
    let name = "what is stale on one device another computes too, and nobody is blamed";
    // After T1, before anybody else could have it, its device is asked again.
    let at_first = Some("delayed");
    let twice = computed_twice(bench, own, [SLOW, FAST], STALE_FUEL, at_first);
    let told = case(name, twice).await?;
    // Nobody backs anything up here: the second replica was opened when the first was stale.
    let (first, second) = (&told["replicas"][0], &told["replicas"][1]);
    says(first, &json!({ "lateness": "stale", "backup": false }))?;
    says(second, &json!({ "backup": false }))?;
    bench.conserves_money().await
}

async fn histogram(bench: &Bench) -> anyhow::Result<()> {
    let text = bench.folder().join("text");
    write_text(&text, TEXT_BYTES, 2_026)?;
    let expected = {
        let text = text.clone();
        tokio::task::spawn_blocking(move || counted_by_tools(&text))
    };
    let (parts, counts) = (bench.folder().join("parts"), bench.folder().join("counts"));
    let [text, parts, counts] = [&text, &parts, &counts].map(|path| path.display().to_string());
    let histogram = program("histogram")?.display().to_string();
    let quern = Quern::new(bench, "//Ferdie")?;
    // Of a job of another level the lowest of three pools would have no part, and three must answer.
    let submit = [
        "job",
        "submit",
        "--yes",
        "--wait",
        "--level",
        "high",
        "--program",
        &histogram,
    ];

    // Each task counts the words of its lines; a second job adds the counts up.
    let job = [
        &submit[..],
        &["--input", &text, "--split", "lines", "--output", &parts],
    ]
    .concat();
    let mut counting = pin!(quern.does(&job));
    tokio::select! {
        seen = seen_in_pools(bench) => seen?,
        ended = &mut counting => bail!("nothing was seen of the job before its end: {ended:?}"),
    }
    let counting = counting.await?;
    seen_measured(bench).await?;
    let merge = [
        "--input", &parts, "--split", "none", "--arg", "--merge", "--output", &counts,
    ];
    let merging = quern
        .does(&[&submit[..], &merge, &["--shard-size", "32MiB"]].concat())
        .await?;
    // What follows counts who is paid: these are paid when their last batches are final.
    for ended in [&counting, &merging] {
        let job = ended["job"].as_str().context("no job is named")?;
        quern.over(job).await?;
    }

    let tasks = counting["quote"]["tasks"]
        .as_u64()
        .context("no number of tasks")?;
    ensure!(tasks > 4, "the text was cut into {tasks} tasks only");
    let (expected, found) = (expected.await??, fs::read(&counts)?);
    let words = expected.split(|byte| *byte == b'\n').count();
    ensure!(words > 40_000, "a text of {words} words shows nothing");
    same_lines(&expected, &found)
}

/// What anybody may ask of a job that is dealt to pools: its devices, each with its pool, and a task.
async fn seen_in_pools(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, "//Charlie")?;
    let devices = loop {
        let devices = quern.does(&["grid", "devices"]).await?;
        let listed = devices.as_array().context("no list of devices")?;
        // One that is not ranked at the moment fills no pool.
        let is_in_pool = |device: &Value| {
            device["pools"][0]["job"].is_string() && device["byte_rank"].as_u64() > Some(0)
        };
        if listed.len() == WORKERS && listed.iter().all(is_in_pool) {
            break devices;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    // However alike the machines are, no two have one rank; the best stands in the first pool, and all are
    // listed in the order of their ranks.
    for (pool, device) in (1..).zip(devices.as_array().into_iter().flatten()) {
        says(device, &json!({ "byte_rank": pool }))?;
        says(
            &device["pools"][0],
            &json!({ "pool": pool, "pools": WORKERS }),
        )?;
    }
    let job = devices[0]["pools"][0]["job"].as_str().context("no job")?;
    // Its shard may be on its way yet.
    loop {
        let explained = quern.does(&["explain", "task", job, "0"]).await?;
        says(&explained, &json!({ "job": job, "task": 0 }))?;
        let is_told = |field: &str| explained[field].as_array().is_some_and(|it| !it.is_empty());
        // It may have its verdict by then.
        if explained["missing"] == 0 || is_told("replicas") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Waits until a device is seen as it was measured, its processor and its line both ways, and not with
/// the points of one of which nothing is known.
async fn seen_measured(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, "//Charlie")?;
    let is_measured = |device: &Value| {
        let (measured, parts) = (&device["measured"], &device["parts"]);
        let all = ["processor_rate", "down_mbps", "up_mbps", "latency_ms"];
        all.iter().all(|figure| measured[*figure].is_number())
            && parts["processor"] != 250.0
            && parts["network_speed"] != 100.0
    };
    let seen = async {
        loop {
            let devices = quern.does(&["grid", "devices"]).await?;
            if devices.as_array().into_iter().flatten().any(is_measured) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::time::timeout(MEASURED_WITHIN, seen)
        .await
        .context("no device is shown as it was measured")?
}

/// Fails with the first line in which two outputs differ.
fn same_lines(expected: &[u8], found: &[u8]) -> anyhow::Result<()> {
    let lines = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let (expected_lines, found_lines): (Vec<_>, Vec<_>) = (lines(expected), lines(found));
    let differs = expected_lines
        .iter()
        .zip(&found_lines)
        .find(|(expected, found)| expected != found);
    if let Some((expected, found)) = differs {
        bail!("the grid says `{found}` where it should say `{expected}`");
    }
    ensure!(
        expected == found,
        "the grid says {} bytes, not {}",
        found.len(),
        expected.len()
    );
    Ok(())
}

/// The words of a text with their counts, as `sort` and `uniq -c` have them, without the padding.
fn counted_by_tools(text: &Path) -> anyhow::Result<Vec<u8>> {
    let script = "tr -s '[:space:]' '\\n' | sed '/^$/d' | sort | uniq -c | sed 's/^ *//'";
    output(
        Command::new("sh")
            .args(["-c", script])
            .env("LC_ALL", "C")
            .stdin(File::open(text)?),
    )
}

/// The standard output of a command that ends well.
fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}",
        output.status
    );
    Ok(output.stdout)
}

#[test]
fn a_c_program_built_with_clang_and_wasi_libc_runs_unchanged() {
    run(async {
        let folder = tempfile::tempdir()?;
        let source = repository().join("tests/end-to-end/programs/readings.c");
        let (native, wasm) = (
            folder.path().join("readings"),
            folder.path().join("readings.wasm"),
        );
        let compiled = Command::new("clang")
            .args(["--target=wasm32-wasi", "-O2"])
            .arg(&source)
            .arg("-lm")
            .arg("-o")
            .arg(&wasm)
            .output();
        if !compiled
            .as_ref()
            .is_ok_and(|output| output.status.success())
        {
            let why = match compiled {
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            say(&format!(
                "SKIPPED: the C program is not run, because clang with wasi-libc and lld is not \
                 here ({why}); `cargo xtask test` says what to install"
            ));
            return Ok(());
        }
        output(
            Command::new("cc")
                .arg("-O2")
                .arg(&source)
                .arg("-o")
                .arg(&native)
                .arg("-lm"),
        )?;
        let bench = Bench::start(3).await?;
        let outcome = c_program(&bench, &native, &wasm).await;
        bench.conclude(outcome).await
    });
}

async fn c_program(bench: &Bench, native: &Path, wasm: &Path) -> anyhow::Result<()> {
    let (shards, result) = (bench.folder().join("shards"), bench.folder().join("result"));
    fs::create_dir(&shards)?;
    let mut expected = Vec::new();
    for number in 0..4_u32 {
        let path = shards.join(number.to_string());
        let mut readings = String::new();
        for reading in 0..2_000 * (number + 1) {
            let place = (reading * 7 + number) % 13;
            let value = f64::from(reading * 37 % 1_009) / 7.0 - f64::from(place) * 1e3;
            readings.push_str(&format!("place-{place} {value:e}\n"));
        }
        fs::write(&path, readings)?;
        let mut natively = Command::new(native);
        expected.extend(output(
            natively.args(["-p", "6"]).stdin(File::open(&path)?),
        )?);
    }
    let quern = Quern::new(bench, "//Ferdie")?;
    let [wasm, shards, result_path] =
        [wasm, &shards, &result].map(|path| path.display().to_string());
    let submit = [
        "job",
        "submit",
        "--yes",
        "--wait",
        "--program",
        &wasm,
        "--prepared",
        &shards,
    ];
    let job = ["--arg", "-p", "--arg", "6", "--output", &result_path];
    quern.does(&[&submit[..], &job].concat()).await?;
    ensure!(
        expected.len() > 2_000,
        "the program says too little to show anything"
    );
    same_lines(&expected, &fs::read(&result)?)?;

    // A shard further on that it cannot read: the devices agree on that, and there is no result
    // that looks like one.
    fs::remove_file(&result)?;
    fs::write(Path::new(&shards).join("2"), "no reading\n")?;
    let ran = quern
        .run(&[&submit[..], &["--output", &result_path]].concat())
        .await?;
    let end = &ran.answer["end"]["program_failed"];
    ensure!(
        ran.code == 1 && end["task"] == 2 && !result.exists(),
        "the job went on: {}",
        ran.answer
    );

    // Its exit code and what it says of it reach the owner, before anything is spent.
    let money = bench.wallet(&Owner::new(bench, "//Ferdie")?.id()).await?;
    quern
        .refuses(
            1,
            &["exit code 2", "usage: ", "mend the program"],
            &[&submit[..], &["--arg", "-x"]].concat(),
        )
        .await?;
    fs::write(Path::new(&shards).join("0"), "no reading\n")?;
    quern
        .refuses(1, &["exit code 3", "line 1 is no reading"], &submit)
        .await?;
    ensure!(
        bench.wallet(&Owner::new(bench, "//Ferdie")?.id()).await? == money,
        "money went"
    );
    Ok(())
}
