//! `replay`

use std::path::PathBuf;

use clap::Args;
use lookback::replay::{IgnoreRule, Target};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Ids of requests, or filters as for `requests list`: 42 43, status_code__gte=500,
    /// timestamp__gte=-1h
    #[arg(value_name = "ID|FILTER", required = true)]
    pub(crate) what: Vec<String>,

    /// Server to send the requests to: http://localhost:3000, https://staging.example.com/base
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<Target>,

    /// Send nothing; print each request as a command of curl
    #[arg(long, conflicts_with_all = ["json", "junit", "store"])]
    pub(crate) dry_run: bool,

    /// Send also methods that may change data: all but GET, HEAD and OPTIONS
    #[arg(long)]
    pub(crate) unsafe_methods: bool,

    /// The newest requests that match, in the order in which they came
    #[arg(long, value_name = "RECORDS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    /// Header to send in place of the captured one; 'NAME:' leaves it out
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Request")]
    pub(crate) header: Vec<String>,

    /// Parameter of the query to send in place of the captured one
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Request")]
    pub(crate) set_query: Vec<String>,

    /// Body to send in place of the captured one, or @FILE
    #[arg(
        long,
        value_name = "TEXT|@FILE",
        allow_hyphen_values = true,
        help_heading = "Request"
    )]
    pub(crate) set_body: Option<String>,

    /// Send the captured header `host`
    #[arg(long, help_heading = "Request")]
    pub(crate) keep_host: bool,

    /// Send masked values as they are, as the text [masked]
    #[arg(long, help_heading = "Request")]
    pub(crate) send_masked: bool,

    /// Place of the response that is not compared: status, headers.NAME, $.items[*].updated_at,
    /// $..id, body
    #[arg(long, value_name = "PLACE", help_heading = "Response")]
    pub(crate) ignore: Vec<IgnoreRule>,

    /// Longest time for a response: 500ms, 30s, 5m
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        help_heading = "Response"
    )]
    pub(crate) response_timeout: String,

    /// Requests that are sent at a time
    #[arg(long, value_name = "REQUESTS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000), help_heading = "Pace")]
    pub(crate) concurrency: u16,

    /// Most requests per second [default: no limit]
    #[arg(long, value_name = "REQUESTS", value_parser = rate, help_heading = "Pace")]
    pub(crate) rate: Option<f64>,

    /// Write the results to this file in the format of JUnit, for CI
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Store each request and its response as a record, with the stage `replay`
    #[arg(long)]
    pub(crate) store: bool,

    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok();
    rate.filter(|rate| (0.001..=100_000.0).contains(rate))
        .ok_or("expected requests per second, such as 5 or 0.5")
}
