//! The closed loop: so many connections, each sending its next request when it has its answer.

use crate::connection::Connection;
use crate::server::{Program, Running, Target};
use crate::workloads::{self, Workload};
use anyhow::{Result, ensure};
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

/// How long to measure.
pub(crate) struct Effort {
    warm_up: Duration,
    measured: Duration,
    /// How often a workload is measured; the round with the median p50 counts.
    pub(crate) rounds: usize,
    /// Starts of an existing data folder, and other things that are done rather than repeated in a loop.
    pub(crate) starts: usize,
    /// Calls before memory is looked at again.
    calls: u64,
}

impl Effort {
    pub(crate) fn full() -> Effort {
        Effort {
            warm_up: Duration::from_millis(700),
            measured: Duration::from_secs(3),
            rounds: 3,
            starts: 10,
            calls: 100_000,
        }
    }

    pub(crate) fn quick() -> Effort {
        Effort {
            warm_up: Duration::from_millis(50),
            measured: Duration::from_millis(200),
            rounds: 1,
            starts: 2,
            calls: 1_000,
        }
    }
}

/// What one round of a workload gave.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
    pub(crate) per_second: f64,
    /// Bytes of the body of an answer.
    pub(crate) bytes: usize,
    /// Microseconds of processor time of the server for one request, where its process is known.
    pub(crate) processor: Option<f64>,
}

/// Numbers requests; no number is given twice in a run, so no created item repeats another.
#[derive(Clone)]
pub(crate) struct Counter(Rc<Cell<u64>>);

impl Counter {
    pub(crate) fn new() -> Counter {
        Counter(Rc::new(Cell::new(0)))
    }

    fn next(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// When a loop ends.
#[derive(Clone, Copy)]
enum End {
    At(Instant),
    After(u64),
}

/// Warms up and measures one round.
///
/// # Errors
/// When an answer is not the expected one.
pub(crate) async fn round(
    workload: &Workload,
    target: &Target,
    running: Option<&Running>,
    connections: usize,
    counter: &Counter,
    effort: &Effort,
) -> Result<Measured> {
    let mut connection = Connection::open(target.address).await?;
    let answer = connection
        .call(&(workload.request)(target, counter.next()))
        .await?;
    workload.check(&answer)?;
    let bytes = answer.body.len();
    drop(connection);

    drive(
        workload,
        target,
        connections,
        counter,
        End::At(Instant::now() + effort.warm_up),
    )
    .await?;
    let used_before = running.map(Running::processor_time).transpose()?;
    let began = Instant::now();
    let mut times = drive(
        workload,
        target,
        connections,
        counter,
        End::At(began + effort.measured),
    )
    .await?;
    let seconds = began.elapsed().as_secs_f64();
    let used_after = running.map(Running::processor_time).transpose()?;
    ensure!(!times.is_empty(), "{}: no answer in time", workload.name);

    times.sort_unstable();
    let count = times.len() as f64;
    let used = used_before
        .zip(used_after)
        .map(|(before, after)| after.saturating_sub(before));
    Ok(Measured {
        p50: milliseconds(times[times.len() / 2]),
        p99: milliseconds(times[times.len() * 99 / 100]),
        per_second: count / seconds,
        bytes,
        processor: used.map(|used| used.as_secs_f64() * 1e6 / count),
    })
}

/// Repeats a workload on one server, one connection, and answers with the median round.
///
/// # Errors
/// When an answer is not the expected one.
pub(crate) async fn alone(
    workload: &Workload,
    running: &Running,
    counter: &Counter,
    effort: &Effort,
) -> Result<Measured> {
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push(round(workload, &running.target, Some(running), 1, counter, effort).await?);
    }
    Ok(median(rounds))
}

/// The round with the median p50.
///
/// # Panics
/// Without rounds.
pub(crate) fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|a, b| a.p50.total_cmp(&b.p50));
    rounds.swap_remove(rounds.len() / 2)
}

/// Runs the loop and answers with the time that each request took.
async fn drive(
    workload: &Workload,
    target: &Target,
    connections: usize,
    counter: &Counter,
    end: End,
) -> Result<Vec<Duration>> {
    let left = Rc::new(Cell::new(match end {
        End::At(_) => u64::MAX,
        End::After(count) => count,
    }));
    // One thread drives all connections: more would take the processor from the server.
    let here = LocalSet::new();
    let mut loops = JoinSet::new();
    for _ in 0..connections {
        let (workload, target, counter) = (workload.clone(), target.clone(), counter.clone());
        let left = Rc::clone(&left);
        let drive_one = async move {
            let mut connection = Connection::open(target.address).await?;
            let mut times = Vec::with_capacity(16 * 1024);
            while left.get() > 0 && !matches!(end, End::At(until) if Instant::now() >= until) {
                left.set(left.get() - 1);
                let request = (workload.request)(&target, counter.next());
                let sent = Instant::now();
                let answer = connection.call(&request).await?;
                times.push(sent.elapsed());
                if !workloads::succeeded(&answer) {
                    workload.check(&answer)?;
                }
            }
            anyhow::Ok(times)
        };
        loops.spawn_local_on(drive_one, &here);
    }
    let mut all = Vec::new();
    here.run_until(async {
        while let Some(times) = loops.join_next().await {
            all.append(&mut times??);
        }
        anyhow::Ok(())
    })
    .await?;
    Ok(all)
}

/// What a server takes of the machine, apart from the time of its answers.
pub(crate) struct ProcessFigures {
    /// Milliseconds from the start of the process on existing data to the whole first answer; the median.
    pub(crate) cold_start: f64,
    /// Bytes, after the first answer.
    pub(crate) idle: u64,
    /// Bytes, after [`ProcessFigures::calls`].
    pub(crate) after_calls: u64,
    /// How many calls: one list for three reads by key, 32 connections.
    pub(crate) calls: u64,
    /// Bytes of the program.
    pub(crate) binary: u64,
}

/// Measures starts and memory on a folder that holds data, with no server running on it.
///
/// # Errors
/// When a start fails or an answer is not the expected one.
pub(crate) async fn process_figures(
    program: &Program,
    folder: &Path,
    articles: u64,
    effort: &Effort,
) -> Result<ProcessFigures> {
    let cold_start = cold_start(program, folder, effort).await?;
    let running = program.start(folder).await?;
    let idle = running.resident()?;
    let counter = Counter::new();
    for (workload, share) in [
        (workloads::read_by_key(articles), 3),
        (workloads::list_with_relations(articles), 1),
    ] {
        let calls = End::After(effort.calls * share / 4);
        drive(&workload, &running.target, 32, &counter, calls).await?;
    }
    let after_calls = running.resident()?;
    running.stop().await?;
    Ok(ProcessFigures {
        cold_start,
        idle,
        after_calls,
        calls: effort.calls,
        binary: std::fs::metadata(&program.path)?.len(),
    })
}

/// The median start on existing data, in milliseconds.
///
/// # Errors
/// When a start fails.
pub(crate) async fn cold_start(program: &Program, folder: &Path, effort: &Effort) -> Result<f64> {
    let mut starts = Vec::new();
    for _ in 0..effort.starts {
        let running = program.start(folder).await?;
        starts.push(running.started_in);
        running.stop().await?;
    }
    starts.sort_unstable();
    Ok(milliseconds(starts[starts.len() / 2]))
}

/// A duration in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
