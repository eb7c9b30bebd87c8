# Commands of this repository. `make help` lists them.

CARGO ?= cargo
LOOKBACK = $(or $(CARGO_TARGET_DIR),./target)/up/lookback

.DEFAULT_GOAL := help
.PHONY: help up page demo down test test-page test-long test-anywhere test-older test-citus test-loggers test-openapi test-exporters lint lint-long deny package bench bench-ingest bench-create bench-unsealed bench-scale bench-list bench-cold bench-match bench-citus bench-rollups bench-retention bench-generate bench-search bench-encode bench-decode bench-mask bench-capture bench-import bench-server bench-page page-pictures fuzz train-encoder

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-15s %s\n", $$1, $$2}'

up: ## Build, start store and server, migrate, load a small sample and search it (LISTEN=127.0.0.1:4000)
	@sh scripts/page.sh --try
	$(CARGO) build --profile up --locked -p lookback-cli
	@LISTEN="$(LISTEN)" sh scripts/up.sh $(LOOKBACK)

page: ## Build the web page, which the next build of the program has (needs Node.js 20.19 and npm)
	@sh scripts/page.sh

demo: ## Run the example shop with some customers, and look at what was captured, also on the page (SECONDS=20 STAY=no)
	@sh scripts/page.sh --try
	$(CARGO) build --profile up --locked -p lookback-cli -p shop
	@SECONDS=$(or $(SECONDS),20) sh scripts/demo.sh $(LOOKBACK) $(dir $(LOOKBACK))shop $(dir $(LOOKBACK))traffic

down: ## Stop the server and the private PostgreSQL, and keep the data
	@if [ -x $(LOOKBACK) ]; then sh scripts/down.sh $(LOOKBACK); else echo "nothing to stop: make up has not been run here"; fi

test: ## Run the tests on a real PostgreSQL, started for them, and those of the page if Chromium is there
	@sh scripts/page.sh --try
	$(CARGO) test --workspace --locked
	@sh scripts/test-demo.sh $(or $(CARGO_TARGET_DIR),target)/debug
	@LOOKBACK=$(or $(CARGO_TARGET_DIR),target)/debug/lookback sh scripts/test-page.sh
	@CARGO="$(CARGO)" LOOKBACK_TEST_CITUS_URL="$(CITUS_URL)" sh scripts/test-citus.sh

test-page: ## Test the page in Chromium (needs Node.js 20.19, npm and Chromium; FILTER=logs)
	CARGO="$(CARGO)" FILTER="$(FILTER)" PAGE=required sh scripts/test-page.sh

test-long: test-anywhere test-older test-loggers test-openapi test-exporters ## Run the property tests with many more cases, and the other test-… commands
	PROPTEST_CASES=20000 PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-$$(date +%s)} $(CARGO) test --workspace --locked

test-anywhere: ## Run the tests with other dates, time zones, under load, as another user (ON="load user")
	CARGO="$(CARGO)" sh scripts/test-anywhere.sh $(ON)

test-older: ## Run the tests against PostgreSQL 16 (FILTER=maintenance::)
	CARGO="$(CARGO)" FILTER="$(FILTER)" sh scripts/postgresql-16.sh

test-citus: ## Run the tests of queries, search, storage and writer on a cluster of Citus (CITUS_URL=postgres://… THREADS=4)
	CARGO="$(CARGO)" LOOKBACK_TEST_CITUS_URL="$(CITUS_URL)" sh scripts/test-citus.sh

test-loggers: ## Decode what real loggers of Node.js and Python write (needs Node.js 20, npm and Python 3.11)
	CARGO="$(CARGO)" sh scripts/loggers/run.sh

test-openapi: ## Check answers of the server against its OpenAPI document (needs Python 3.11; EXAMPLES=20)
	CARGO="$(CARGO)" sh scripts/schemathesis/run.sh

test-exporters: ## Send by exporters, loggers and clients of others, find it again, ask by agents (needs Node.js 20, npm, Python 3.11)
	CARGO="$(CARGO)" sh scripts/exporters/run.sh

lint: ## Check formatting, lints, documentation and the dependencies between crates
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) check --quiet --locked -p lookback --no-default-features
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	sh scripts/check-arrows.sh
	sh scripts/check-rooms.sh
	sh scripts/check-words.sh
	sh scripts/check-rust-version.sh
	CARGO="$(CARGO)" sh scripts/deny.sh licenses bans sources
	$(CARGO) run --quiet --locked -p lookback-cli -- db check --offline
	$(CARGO) run --quiet --locked -p shop --bin db -- check --offline --dir examples/shop/migrations

lint-long: lint package ## Check packages and all combinations of features, too
	CARGO="$(CARGO)" sh scripts/check-features.sh

deny: ## Check dependencies by deny.toml, advisories from the network among them
	CARGO="$(CARGO)" sh scripts/deny.sh advisories licenses bans sources

package: ## Make the package of each crate, and compile it as who adds it would
	$(CARGO) package --workspace --exclude testkit --exclude shop --locked --allow-dirty --quiet

bench: bench-ingest bench-create bench-unsealed bench-import bench-server bench-scale bench-list bench-match bench-rollups bench-retention bench-generate bench-encode bench-decode bench-mask bench-capture ## Run the benchmarks, each against a competitor in the same run

bench-ingest: ## Measure the writer against raw COPY, alone and during sealing (ROWS=200000 SEALED=10000000)
	$(CARGO) bench --locked -p lookback --bench ingest
	$(if $(SEALED),ROWS=$(SEALED) )$(CARGO) bench --locked -p lookback --bench sealing

bench-create: ## Measure records created one at a time, against the same INSERT by the driver (ROWS=5000)
	$(CARGO) bench --locked -p lookback --bench create

bench-unsealed: ## Measure search over rows that are not sealed, against ILIKE (ROWS=10000)
	$(CARGO) bench --locked -p lookback --bench unsealed

bench-import: ## Measure the import of files and of a stream against raw COPY (ROWS=2000000)
	$(CARGO) bench --locked -p lookback-cli --bench import

bench-server: ## Measure the server against the library's writer, and under too much load (ROWS=200000)
	$(CARGO) bench --locked -p lookback-cli --bench server

bench-page: ## Measure the page in Chromium: what it loads, paints, and keeps (ROWS=100000 MINUTES=10)
	CARGO="$(CARGO)" PAGE=required sh scripts/test-page.sh bench/figures.mjs

page-pictures: ## Make the pictures of the page in docs/images
	CARGO="$(CARGO)" PAGE=required sh scripts/test-page.sh bench/pictures.mjs

bench-decode: ## Measure decoding the lines of other programs against parsing JSON
	$(CARGO) bench --locked -p lookback-formats --bench decode

bench-capture: ## Measure what capture costs an axum app, beside others (needs wrk; ROUNDS=5 SECONDS=5 HANG=60)
	cd benches/capture && $(CARGO) build --release --locked && ./target/release/capture-bench

bench-mask: ## Measure masking the bodies of requests against parsing JSON
	$(CARGO) bench --locked -p lookback-json --bench mask

bench-generate: ## Measure generating migrations for 10 to 800 tables
	$(CARGO) bench --locked -p lookback --bench generate

bench-search: ## Measure search on judged logs (LOGS=folder JUDGMENTS=folder)
	LOGS="$(LOGS)" JUDGMENTS="$(JUDGMENTS)" $(CARGO) bench --locked -p lookback --bench search

bench-scale: ## Measure search in a large table against reading every row (ROWS=10000000)
	$(CARGO) bench --locked -p lookback --bench scale

bench-citus: ## Measure tables that Citus distributes against those of one server (CITUS_URL=postgres://…)
	LOOKBACK_TEST_CITUS_URL=$(CITUS_URL) $(CARGO) bench --locked -p lookback --features migrate --bench cluster

bench-match: ## Measure words as a filter against ILIKE and a trigram index (ROWS=1000000)
	$(CARGO) bench --locked -p lookback --bench matching

bench-retention: ## Measure dropping a partition against DELETE and VACUUM (ROWS=1000000)
	$(CARGO) bench --locked -p lookback --bench retention

bench-rollups: ## Measure aggregates from roll-ups against reading all rows (ROWS=10000000)
	$(CARGO) bench --locked -p lookback --bench rollups

bench-list: ## Measure pages of a growing table (ROWS=1000000)
	$(CARGO) bench --locked -p lookback --bench list

bench-cold: ## Measure what log lines take on disk, in rows and in chunks (ROWS=400000 LOGS=folder)
	$(if $(LOGS),LOGS=$(abspath $(LOGS)) )$(CARGO) bench --locked -p lookback --bench cold

bench-encode: ## Measure the encoder, messages per second and instructions (LOGS=a folder of *.jsonl)
	$(if $(LOGS),LOGS=$(abspath $(LOGS)) )$(CARGO) bench --locked -p lookback --bench encode

fuzz: ## Fuzz the decoders in turn (SECONDS=300 TARGET=decoder)
	CARGO="$(CARGO)" sh scripts/fuzz.sh $(or $(SECONDS),300) $(TARGET)

train-encoder: ## Train the table of the encoder again, from pinned packages
	sh tools/train-encoder/run.sh
