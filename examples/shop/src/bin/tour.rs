//! A tour of the shop: `cargo run --bin tour -- coffe grindr`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a person at a terminal"
)]

use std::error::Error;

use lookback::migrate::{self, ApplyOptions};
use sqlx::{Connection as _, PgConnection, PgPool};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to a PostgreSQL")?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words = if words.is_empty() {
        "coffe grindr".to_owned()
    } else {
        words.join(" ")
    };

    // Applies pending migrations at the start, as `cargo db migrate` does.
    let mut connection = PgConnection::connect(&url).await?;
    let mut tell = |event| eprintln!("{event}");
    let options = ApplyOptions::default();
    migrate::apply(&mut connection, &shop::migrations(), &options, &mut tell).await?;
    connection.close().await?;

    let pool = PgPool::connect(&url).await?;
    shop::stock_shelves(&pool).await?;

    println!("for \"{words}\":");
    let found = shop::find(&pool, &words).await?;
    for product in &found {
        let (units, cents) = (product.price / 100, product.price % 100);
        println!("  {} for {units}.{cents:02}", product.name);
    }

    if let Some(best) = found.first() {
        shop::place(&pool, "ada", best.id, 2).await?;
        // A rejection by the database has the message of the model.
        if let Err(refusal) = shop::place(&pool, "ada", best.id, 0).await {
            println!("refused: {refusal}");
        }
    }
    let waiting = shop::open_orders(&pool, "ada").await?;
    println!("open orders of ada: {}", waiting.len());
    Ok(())
}
