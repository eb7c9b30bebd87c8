//! Masking bodies on one core, against parsing the same bytes into `serde_json::Value`.
//!
//! `make bench-mask`; `cargo bench -p lookback-json --bench mask -- orders` measures the cases whose
//! name contains the word. Each figure is the median of the runs; in each, both are measured. The
//! bodies are made. The target is 0.7.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use lookback_json::Json;
use lookback_json::secrets::Masking;

const LENGTH: usize = 64 * 1024;
const REPEATS: usize = 200;
const RUNS: usize = 9;

/// Bodies of a kind.
struct Case {
    name: &'static str,
    /// Writes an object of the list.
    write: fn(&mut String, u64),
}

const CASES: [Case; 3] = [
    Case {
        name: "orders",
        write: order,
    },
    Case {
        name: "users with secrets",
        write: user,
    },
    Case {
        name: "articles, mostly text",
        write: article,
    },
];

fn order(out: &mut String, n: u64) {
    write!(
        out,
        "{{\"id\":\"0192e4a6-5b1c-7d3e-8f90-{:012x}\",\"number\":\"ORD-2026-{n:06}\",\"status\":\"awaiting shipment\",\
         \"createdAt\":\"2026-10-11T12:{:02}:{:02}.{:03}Z\",\"customer\":{{\"id\":{n},\"displayName\":\"Anna Example {n}\",\
         \"email\":\"anna.{n}@shop.example\",\"city\":\"Example Town\"}},\"currency\":\"EUR\",\"total\":{}.90,\
         \"items\":[{{\"sku\":\"SKU-{:05}-BLUE\",\"title\":\"Stainless steel bottle, 750 ml\",\"quantity\":{},\"price\":17.90}},\
         {{\"sku\":\"SKU-{:05}-RED\",\"title\":\"Replacement lid with a strap\",\"quantity\":1,\"price\":4.50}}],\
         \"note\":\"Please leave it at the door of the neighbours\",\"giftWrap\":false,\"couponCode\":null}}",
        n * 7_919,
        n / 60 % 60,
        n % 60,
        n % 1000,
        n % 500,
        n % 977,
        n % 5 + 1,
        n % 877
    )
    .unwrap();
}

fn user(out: &mut String, n: u64) {
    write!(
        out,
        "{{\"id\":{n},\"userName\":\"anna.{n}\",\"email\":\"anna.{n}@shop.example\",\"password\":\"correct horse {n}\",\
         \"apiKey\":\"k-{:016x}\",\"session\":{{\"token\":\"t{:016x}\",\"createdAt\":\"2026-10-11T12:00:00Z\"}},\
         \"avatarUrl\":\"https://images.shop.example/avatars/{n}.png?size=64\",\"roles\":[\"customer\",\"reviewer\"],\
         \"bio\":\"Likes long walks, and short lists of things to do\"}}",
        n * 7_919,
        n * 104_729
    )
    .unwrap();
}

fn article(out: &mut String, n: u64) {
    write!(
        out,
        "{{\"slug\":\"how-to-keep-a-garden-{n}\",\"title\":\"How to keep a garden, part {n}\",\
         \"body\":\"Water it in the morning: the soil is cool then, and less is lost. Part {n} of this series \
         is about tools = the few that you need. Write to us (garden@shop.example) if you know better ones, \
         or look at https://garden.example/tools/{n} for pictures.\"}}"
    )
    .unwrap();
}

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let is_wanted = |case: &&Case| wanted.as_ref().is_none_or(|word| case.name.contains(word));
    println!("| what | serde_json, MB/s | parsed and masked, MB/s | ratio | masking alone, MB/s |");
    println!("|---|---:|---:|---:|---:|");
    let masking = Masking::new();
    for case in CASES.iter().filter(is_wanted) {
        let body = body(case.write);
        let (mut parsing, mut masked, mut ratios, mut alone) = (vec![], vec![], vec![], vec![]);
        for _ in 0..RUNS {
            let value = || serde_json::from_slice::<serde_json::Value>(body.as_bytes()).unwrap();
            let json = || Json::from_slice(body.as_bytes()).unwrap();
            let theirs = timed(|| drop(value()));
            let parsed = timed(|| drop(json()));
            let ours = timed(|| {
                let mut json = json();
                masking.mask(&mut json);
            });
            parsing.push(rate(body.len(), theirs));
            masked.push(rate(body.len(), ours));
            ratios.push(theirs.as_secs_f64() / ours.as_secs_f64());
            alone.push(rate(body.len(), ours.saturating_sub(parsed)));
        }
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.0} |",
            case.name,
            median(&mut parsing),
            median(&mut masked),
            median(&mut ratios),
            median(&mut alone)
        );
    }
}

fn body(write: fn(&mut String, u64)) -> String {
    let mut out = "[".to_owned();
    let mut n = 1;
    while out.len() < LENGTH {
        write(&mut out, n);
        out.push(',');
        n += 1;
    }
    out.pop();
    out.push(']');
    out
}

/// The rate, in MB/s.
fn rate(bytes: usize, time: Duration) -> f64 {
    (bytes * REPEATS) as f64 / 1e6 / time.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn timed(work: impl Fn()) -> Duration {
    let clock = Instant::now();
    for _ in 0..REPEATS {
        work();
    }
    clock.elapsed()
}
