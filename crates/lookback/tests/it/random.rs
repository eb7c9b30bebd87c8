//! Number and seed of the cases of property tests.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Upper limit: `make test-long` asks for more cases than these tests have time for.
const MOST_CASES: u32 = 10_000;

/// Returns a configuration with a fixed seed, so that a test passes everywhere or nowhere.
/// If `PROPTEST_CASES` is set, the seed is another each time.
pub(crate) fn config(cases: u32) -> Config {
    const SEED: u64 = 20_261_123;
    let mut config = Config {
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| config.cases);
    config.cases = asked.unwrap_or(0).clamp(cases, MOST_CASES);
    if config.rng_seed == RngSeed::Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let new = u64::from(now.subsec_nanos()) ^ now.as_secs();
        config.rng_seed = RngSeed::Fixed(asked.map_or(SEED, |_| new));
    }
    config
}

/// Returns a runner for async tests, which draw their cases themselves. Prints the seed.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = config(cases);
    seed_of(&config);
    TestRunner::new(config)
}

/// Returns a number of cases and a seed, for tests with another generator. Prints the
/// seed.
pub(crate) fn cases_and_seed(cases: u32) -> (u32, u64) {
    let config = config(cases);
    (config.cases, seed_of(&config))
}

fn seed_of(config: &Config) -> u64 {
    let RngSeed::Fixed(seed) = config.rng_seed else {
        unreachable!("config() fixes the seed")
    };
    eprintln!(
        "{} cases; again with PROPTEST_RNG_SEED={seed}",
        config.cases
    );
    seed
}
