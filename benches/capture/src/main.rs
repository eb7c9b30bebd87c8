//! What capture costs an application: `make bench-capture`.
//!
//! One axum app (1 KB of JSON in, 4 KB out, a log line for each request) is served by a process of
//! its own: bare, with `tower_http::trace`, with `outlet` and `outlet-postgres`, and with all three
//! captures of Lookback. `wrk` sends as much as it can, to each in turn, and then less, since at full
//! load a latency is that of a queue; in several rounds. Figures are medians of the rounds. The database is healthy, refuses connections, or hangs.
//!
//! `ROUNDS` (5), `SECONDS` of a measurement (5), `CONNECTIONS` (32), `HANG` seconds (60).

mod allocations;
mod app;
mod database;
mod load;

use std::env;
use std::error::Error;
use std::time::Duration;

use testkit::bench::{Report, Target};

use app::Kind;
use database::{Forwarder, State};
use load::{Cores, Measured, Server};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [command, kind, port, url] = arguments.as_slice()
        && command == "serve"
    {
        return app::serve(kind.parse()?, port.parse()?, url).await;
    }
    compare().await
}

fn median(measured: &[Measured], value: fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = measured.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number(name: &str, or: u64) -> Result<u64> {
    Ok(env::var(name).map_or(Ok(or), |value| value.parse())?)
}

/// What is measured: an app, and the state of its database.
const CASES: [(&str, Kind, State); 6] = [
    ("bare", Kind::Bare, State::Healthy),
    ("tower_http::trace", Kind::Trace, State::Healthy),
    ("outlet", Kind::Outlet, State::Healthy),
    ("outlet, dead database", Kind::Outlet, State::Dead),
    ("lookback", Kind::Lookback, State::Healthy),
    ("lookback, dead database", Kind::Lookback, State::Dead),
];

/// The memory of an app above which it is not loaded any longer.
const MOST_MEMORY_MB: f64 = 6_000.0;
/// How often its memory is looked at while the database hangs.
const HANG_SLICE: Duration = Duration::from_secs(5);

async fn compare() -> Result<()> {
    load::check_wrk()?;
    let (rounds, seconds) = (number("ROUNDS", 5)?, number("SECONDS", 5)?);
    let connections = number("CONNECTIONS", 32)?;
    let of_lookback = testkit::database().await;
    let of_outlet = testkit::empty_database().await;
    database::migrate_outlet(&of_outlet.url).await?;
    let url = |kind| match kind {
        Kind::Outlet => &of_outlet.url,
        _ => &of_lookback.url,
    };
    let mut report = Report::new("capture", "what capture costs an application");
    report.note("connections", connections);
    report.note("seconds of each measurement", seconds);

    let mut all: Vec<Vec<Measured>> = vec![Vec::new(); CASES.len()];
    let mut all_in_part = all.clone();
    for round in 0..rounds {
        for (index, (name, kind, state)) in CASES.into_iter().enumerate() {
            let forwarder = Forwarder::start(url(kind)).await?;
            let server = Server::start(kind, &forwarder.url, Cores::All).await?;
            forwarder.set(state);
            server.load(connections, Duration::from_secs(1)).await?;
            let measured = server.load(connections, Duration::from_secs(seconds)).await?;
            println!("round {}, {name}: {measured}", round + 1);
            all[index].push(measured);
            let measured = server.load_in_part(connections, Duration::from_secs(seconds)).await?;
            println!("round {}, {name}, less load: {measured}", round + 1);
            all_in_part[index].push(measured);
        }
    }
    let median = |index: usize, value| median(&all[index], value);
    let median_in_part = |index: usize, value| self::median(&all_in_part[index], value);
    println!("\n| | requests/s | of bare | p99 ms | CPU µs | memory MB | less load: requests/s | p99 ms |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (index, (name, ..)) in CASES.into_iter().enumerate() {
        let rate = median(index, |m| m.per_second);
        println!(
            "| {name} | {rate:.0} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} | {:.2} |",
            rate / median(0, |m| m.per_second),
            median(index, |m| m.p99_ms),
            median(index, |m| m.cpu_us),
            median(index, |m| m.memory_mb),
            median_in_part(index, |m| m.per_second),
            median_in_part(index, |m| m.p99_ms),
        );
    }
    let of_bare = |index| median(index, |m| m.per_second) / median(0, |m| m.per_second);
    report.ratio("throughput of bare, healthy database", of_bare(4), Target::AtLeast(0.9));
    report.ratio("throughput of bare, dead database", of_bare(5), Target::AtLeast(0.9));
    let of_outlet = median(4, |m| m.per_second) / median(2, |m| m.per_second);
    report.ratio("throughput of outlet", of_outlet, Target::AtLeast(1.0));
    let added = median(4, |m| m.p99_ms) / median(0, |m| m.p99_ms);
    report.ratio("p99 of bare, full load", added, Target::AtMost(1.1));
    let added = median_in_part(4, |m| m.p99_ms) / median_in_part(0, |m| m.p99_ms);
    report.ratio("p99 of bare, less load", added, Target::AtMost(1.1));

    for kind in [Kind::Bare, Kind::Outlet, Kind::Lookback] {
        let forwarder = Forwarder::start(url(kind)).await?;
        let server = Server::start(kind, &forwarder.url, Cores::All).await?;
        let allocations = server.allocations(connections).await?;
        report.note(&format!("allocations of a request, {kind}"), format!("{allocations:.1}"));
    }
    let hang = Duration::from_secs(number("HANG", 60)?);
    for kind in [Kind::Lookback, Kind::Outlet] {
        let forwarder = Forwarder::start(url(kind)).await?;
        let server = Server::start(kind, &forwarder.url, Cores::All).await?;
        server.load(connections, Duration::from_secs(2)).await?;
        let before = server.memory_mb()?;
        forwarder.set(State::Hanging);
        // One that is not bounded would take all memory of the machine.
        let (mut hung, mut after) = (Duration::ZERO, before);
        while hung < hang && after < MOST_MEMORY_MB {
            let slice = HANG_SLICE.min(hang - hung);
            after = server.load(connections, slice).await?.memory_mb;
            hung += slice;
        }
        let grown = format!("{before:.0} to {after:.0} MB in {hung:?}");
        report.note(&format!("memory while the database hangs, {kind}"), grown);
    }

    // An application seldom shares its cores with its database.
    database::leave_first_core(&of_lookback.url).await?;
    let mut apart: [Vec<Measured>; 2] = Default::default();
    let mut apart_in_part = apart.clone();
    for round in 0..rounds {
        for (index, kind) in [Kind::Bare, Kind::Lookback].into_iter().enumerate() {
            let forwarder = Forwarder::start(url(kind)).await?;
            let server = Server::start(kind, &forwarder.url, Cores::First).await?;
            server.load(connections, Duration::from_secs(1)).await?;
            let measured = server.load(connections, Duration::from_secs(seconds)).await?;
            println!("round {}, {kind}, database on other cores: {measured}", round + 1);
            apart[index].push(measured);
            let measured = server.load_in_part(connections, Duration::from_secs(seconds)).await?;
            println!("round {}, {kind}, the same, less load: {measured}", round + 1);
            apart_in_part[index].push(measured);
        }
    }
    let ratio = |all: &[Vec<Measured>; 2], value| {
        self::median(&all[1], value) / self::median(&all[0], value)
    };
    let throughput = ratio(&apart, |m| m.per_second);
    report.ratio("throughput of bare, database on other cores", throughput, Target::AtLeast(0.9));
    let p99 = ratio(&apart, |m| m.p99_ms);
    report.ratio("p99 of bare, full load, database on other cores", p99, Target::AtMost(1.1));
    let p99 = ratio(&apart_in_part, |m| m.p99_ms);
    report.ratio("p99 of bare, less load, database on other cores", p99, Target::AtMost(1.1));
    report.finish();
    Ok(())
}
