//! `alerts`

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::retention::Age;

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List the rules with their states
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Create a rule, which running servers evaluate from then on
    Create(Box<CreateAlertArgs>),

    /// Delete a rule; if it fires, it is resolved
    Delete {
        /// Id of the rule
        id: i64,
    },

    /// Send a test to the webhook of a rule
    Test {
        /// Id of the rule
        id: i64,
    },

    /// List the changes of the rules, the newest first
    History {
        /// Changes of this rule
        id: Option<i64>,

        /// Changes to show
        #[arg(long, value_name = "CHANGES", default_value_t = 20)]
        limit: u32,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("comparison").args(["above", "below"]))]
pub(crate) struct CreateAlertArgs {
    /// What people call it, such as "shop: errors"
    pub(crate) name: String,

    /// The records that it watches
    #[arg(value_enum)]
    pub(crate) subject: SubjectArg,

    /// Only records that match all of these, as for list
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// Only records that have all these words, "phrases" in quotes, and nothing after a `-`
    #[arg(long = "match", value_name = "TEXT")]
    pub(crate) matching: Option<String>,

    /// What is measured [default: count; of metrics: error-rate]
    #[arg(long, value_enum)]
    pub(crate) measure: Option<MeasureArg>,

    /// Fire while it is above this number [default: 0]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) above: Option<f64>,

    /// Fire while it is below this number
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) below: Option<f64>,

    /// The time that is looked back on, from 1m to 1d
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub(crate) period: Age,

    /// How long the condition must hold before the rule fires
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(crate) fire_after: Age,

    /// How long it must not hold before the rule is resolved
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub(crate) resolve_after: Age,

    /// Where changes are sent [default: nowhere; they are stored]
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,

    /// Create it disabled
    #[arg(long)]
    pub(crate) disabled: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SubjectArg {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
    /// Latency windows
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeasureArg {
    /// The number of logs or requests
    Count,
    /// The number of patterns whose first record is of the period
    NewPatterns,
    /// Of windows: the share of requests that failed, from 0 to 1
    ErrorRate,
    /// Of windows: the median latency in milliseconds
    P50Latency,
    /// Of windows: the 95th percentile of the latency
    P95Latency,
    /// Of windows: the 99th percentile of the latency
    P99Latency,
    /// Of windows: the number of requests
    TrafficCount,
}
