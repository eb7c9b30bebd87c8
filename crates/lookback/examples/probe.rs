use lookback::{Filter, Log, Model as _};
use sqlx::Connection as _;
use std::time::Instant;
#[tokio::main]
async fn main() {
    let url = std::env::var("URL").unwrap();
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    let count: usize = std::env::var("N").unwrap_or("120".into()).parse().unwrap();
    let only = std::env::var("ONLY").ok();
    let filters = std::env::var("F").ok();
    let mut times = Vec::new();
    let all: Vec<_> = testkit::made::searches(7, 42, 10_000_000)
        .take(count)
        .collect();
    for (place, search) in all.iter().enumerate() {
        let mut search = search.clone();
        if let Some(words) = &only {
            search.words = words.clone();
            search.filters = filters
                .iter()
                .flat_map(|f| f.split_whitespace().map(str::to_owned))
                .collect();
        }
        let query = Log::records()
            .search(search.words.as_str())
            .limit(20)
            .filter(Filter::parse_all(&search.filters).unwrap());
        let clock = Instant::now();
        let hits = query.hits(&mut conn).await.unwrap();
        let time = clock.elapsed().as_secs_f64() * 1e3;
        times.push(time);
        println!(
            "{time:>8.1} ms {:>3} {:?} of {:?} {} {:?} {:?}",
            place,
            hits.data.len(),
            hits.total,
            search.class,
            search.words,
            search.filters
        );
        if only.is_some() && place == 2 {
            return;
        }
    }
    times.sort_by(f64::total_cmp);
    println!(
        "median {:.1} p95 {:.1}",
        times[times.len() / 2],
        times[times.len() * 95 / 100]
    );
}
