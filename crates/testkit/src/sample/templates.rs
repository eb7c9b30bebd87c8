//! The texts of the sample log lines.
//!
//! `[a|b]` expands to one template each; `{n}` and similar slots are filled for each line, see
//! `fill` in `lines.rs`.

use lookback::Level::{self, Debug, Error, Info, Warn};

/// Source, level, text.
pub(super) const TEMPLATES: &[(&str, Level, &str)] = &[
    // The gateway.
    (
        "gateway",
        Info,
        "{method} {path} answered [200|201|204|304] in {ms}, {size} sent to {ip}",
    ),
    (
        "gateway",
        Warn,
        "{method} {path} answered [400|401|403|404|409|429] in {ms} to {ip}",
    ),
    (
        "gateway",
        Error,
        "{method} {path} answered [500|502|503] in {ms}: upstream {host}:{port} [closed the connection|sent an incomplete header|did not answer in time]",
    ),
    (
        "gateway",
        Info,
        "TLS handshake with {ip}:{port} finished in {ms}, cipher suite [TLS_AES_128_GCM_SHA256|TLS_CHACHA20_POLY1305_SHA256]",
    ),
    (
        "gateway",
        Warn,
        "TLS handshake with {ip}:{port} failed: [unknown certificate authority|no shared cipher|peer hung up]",
    ),
    (
        "gateway",
        Debug,
        "upstream {host}:{port} taken from pool, {s} idle connections left",
    ),
    (
        "gateway",
        Info,
        "certificate of {host} will expire in {s} days, renewal is [scheduled|under way]",
    ),
    (
        "gateway",
        Warn,
        "request of {ip} throttled: {n} requests within a minute exceed the quota",
    ),
    (
        "gateway",
        Info,
        "route table reloaded, {s} routes and {s} [redirects|rewrites] are active",
    ),
    // Authentication.
    (
        "auth",
        Info,
        "user {user} signed in from {ip} with [a password|a passkey|single sign-on]",
    ),
    (
        "auth",
        Info,
        "session {hex} [opened|renewed|expired|revoked] after {ms}",
    ),
    (
        "auth",
        Warn,
        "failed sign-in for {user} from {ip} port {port}: [wrong password|account locked|unknown device]",
    ),
    (
        "auth",
        Warn,
        "authentication of an unknown user from {ip} port {port} refused",
    ),
    (
        "auth",
        Error,
        "token signature invalid, key {hex} is [unknown|retired], issued for audience {host}",
    ),
    (
        "auth",
        Info,
        "second factor of {user} [confirmed|enrolled|removed]",
    ),
    (
        "auth",
        Debug,
        "permission cache [hit|miss] for subject {n} on resource {n}",
    ),
    (
        "auth",
        Warn,
        "possible credential stuffing: {n} attempts from {ip} within {s} seconds",
    ),
    // The shop's own services.
    (
        "orders",
        Info,
        "order {n} [placed|paid|packed|shipped|delivered|cancelled], {s} items, total {money}",
    ),
    ("orders", Info, "fetched {s} orders of customer {n} in {ms}"),
    (
        "orders",
        Warn,
        "order {n} waits for [stock|payment|an address check] since {s} minutes",
    ),
    (
        "orders",
        Error,
        "cannot reserve {s} units of article {n}: [warehouse is out of stock|reservation timed out|version conflict]",
    ),
    (
        "orders",
        Debug,
        "price of article {n} computed from {s} rules in {ms}",
    ),
    (
        "orders",
        Info,
        "basket {n} [merged|emptied|restored], {s} lines",
    ),
    (
        "billing",
        Info,
        "invoice {n} of {money} [issued|settled|reminded|written off] for customer {n}",
    ),
    (
        "billing",
        Info,
        "payment {hex} [authorised|captured|refunded] by provider, {money}, took {ms}",
    ),
    (
        "billing",
        Warn,
        "payment {hex} declined: [insufficient funds|card expired|suspected fraud|limit exceeded]",
    ),
    (
        "billing",
        Error,
        "provider endpoint {host}:{port} unreachable after {s} attempts: [connection refused|name resolution failed|handshake timed out]",
    ),
    (
        "billing",
        Info,
        "ledger balanced for day {s}, {n} entries, difference 0",
    ),
    (
        "inventory",
        Info,
        "stock of article {n} [raised|lowered|corrected] by {s} in warehouse {s}",
    ),
    (
        "inventory",
        Warn,
        "stock of article {n} fell below its threshold of {s}",
    ),
    (
        "inventory",
        Error,
        "negative stock of article {n} after [a return|a transfer|an import], ledger entry {hex}",
    ),
    (
        "catalog",
        Info,
        "product {n} [published|withdrawn|translated|repriced], revision {s}",
    ),
    (
        "catalog",
        Debug,
        "thumbnail for image {hex} [rendered|served from cache] in {ms}",
    ),
    (
        "catalog",
        Warn,
        "image {hex} has unexpected dimensions, scaled to {n} pixels",
    ),
    (
        "catalog",
        Error,
        "feed of supplier {s} rejected: [missing column|malformed number|unknown currency] at line {n}",
    ),
    (
        "search",
        Info,
        "query answered with {n} hits in {ms}, {s} shards asked",
    ),
    (
        "search",
        Info,
        "index segment {hex} [merged|flushed|opened], {n} documents, {size}",
    ),
    (
        "search",
        Warn,
        "shard {s} [lags behind its primary|is relocating|has no replica], {n} operations pending",
    ),
    (
        "search",
        Error,
        "circuit breaker tripped: request needs {size}, limit is {size}",
    ),
    (
        "mailer",
        Info,
        "message {n} [queued|accepted|delivered] for recipient {n}, relay {host}",
    ),
    (
        "mailer",
        Warn,
        "message {n} deferred: [greylisted|mailbox busy|rate limited] by {host}",
    ),
    (
        "mailer",
        Error,
        "message {n} bounced: [mailbox full|no such recipient|blocked as spam]",
    ),
    // Work in the background.
    (
        "worker",
        Info,
        "job {n} of queue [default|imports|reports|webhooks|thumbnails] [started|finished in {ms}]",
    ),
    (
        "worker",
        Warn,
        "job {n} of queue [default|imports|reports|webhooks] is retried in {s} seconds, attempt {s}",
    ),
    (
        "worker",
        Error,
        "job {n} failed: [deadline exceeded|payload could not be decoded|dependency unavailable|out of memory], moved to dead letters",
    ),
    (
        "worker",
        Info,
        "webhook {uuid} delivered to {host} with status [200|202|204] in {ms}",
    ),
    (
        "worker",
        Warn,
        "webhook {uuid} to {host} answered [404|410|500|503], backing off {s} seconds",
    ),
    (
        "worker",
        Debug,
        "heartbeat of worker {s}, {n} jobs done, {s} waiting",
    ),
    (
        "scheduler",
        Info,
        "task [rotate-logs|refresh-rates|send-reminders|vacuum-carts|sync-stock|export-ledger] [triggered|completed in {ms}]",
    ),
    (
        "scheduler",
        Warn,
        "task [rotate-logs|refresh-rates|send-reminders|sync-stock] overran its window by {ms}",
    ),
    (
        "scheduler",
        Error,
        "leader election lost to node {s}, [stepping down|abandoning {s} tasks]",
    ),
    // Infrastructure.
    (
        "postgres",
        Info,
        "checkpoint complete: wrote {n} buffers in {ms}, {s} files [added|recycled|removed]",
    ),
    (
        "postgres",
        Info,
        "automatic [vacuum|analyze] of table [orders|sessions|events|articles|invoices]: {n} tuples in {ms}",
    ),
    (
        "postgres",
        Warn,
        "slow statement took {ms}: [SELECT from orders|UPDATE of articles|DELETE from sessions|INSERT into events], {n} rows",
    ),
    (
        "postgres",
        Error,
        "[deadlock detected|canceling statement due to lock timeout|could not serialize access|duplicate key value], process {n}",
    ),
    (
        "postgres",
        Error,
        "connection from {ip} rejected: [too many clients already|no matching access rule|password mismatch for {user}]",
    ),
    (
        "postgres",
        Debug,
        "connection received from {ip} port {port}, backend {n}",
    ),
    (
        "redis",
        Info,
        "background saving [started by pid {n}|terminated with success], {size} written",
    ),
    (
        "redis",
        Debug,
        "evicted {n} keys, memory usage {size} of {size}",
    ),
    (
        "redis",
        Warn,
        "replica {ip}:{port} [lost its link|asks for a full resynchronisation], offset {n}",
    ),
    (
        "redis",
        Error,
        "append-only file cannot be [written|synced]: no space left on device {path}",
    ),
    (
        "storage",
        Info,
        "block {hex} [received|replicated|verified|deleted] from {ip}:{port}, {size} in {ms}",
    ),
    (
        "storage",
        Warn,
        "block {hex} is [under-replicated|stale|corrupt] on {host}, copy scheduled",
    ),
    (
        "storage",
        Error,
        "volume {path} is [read-only|full|unreadable], {n} blocks lost",
    ),
    (
        "storage",
        Debug,
        "open handles {n}, cached blocks {n}, pending deletions {s}",
    ),
    (
        "kubelet",
        Info,
        "container {hex} of pod {host} [created|started|killed|pulled] in {ms}",
    ),
    (
        "kubelet",
        Warn,
        "[liveness|readiness|startup] probe of pod {host} failed: status [500|503], attempt {s}",
    ),
    (
        "kubelet",
        Error,
        "container {hex} terminated: [exceeded its memory limit|exit code 1|exit code 137|image cannot be pulled]",
    ),
    (
        "kubelet",
        Info,
        "node reports [memory pressure|disk pressure|ready], {s} pods running, {size} free",
    ),
    (
        "sshd",
        Info,
        "session [opened|closed] for user {user} by uid {s}",
    ),
    (
        "sshd",
        Warn,
        "connection closed by {ip} port {port} before authentication",
    ),
    (
        "sshd",
        Error,
        "too many authentication failures for {user} from {ip} port {port}",
    ),
    (
        "kernel",
        Info,
        "[eth0|eth1]: link is [up at {n} Mbps|down], carrier changes {s}",
    ),
    (
        "kernel",
        Warn,
        "CPU {s} temperature above threshold, clock throttled, {n} events",
    ),
    (
        "kernel",
        Error,
        "I/O error on device nvme{s}n1, sector {n}, [read|write] request",
    ),
    (
        "consensus",
        Info,
        "snapshot {n} [taken|installed|sent to node {s}], {size} in {ms}",
    ),
    (
        "consensus",
        Info,
        "new election round {n}, proposed leader {s}, my state [LOOKING|FOLLOWING|LEADING]",
    ),
    (
        "consensus",
        Warn,
        "[send|receive] worker of peer {s} interrupted, connection {ip}:{port} dropped",
    ),
    (
        "consensus",
        Debug,
        "append of entry {n} acknowledged by {s} peers in {ms}",
    ),
    (
        "batch",
        Info,
        "stage {s}: task {n} [assigned to executor {s}|finished in {ms}, {size} returned]",
    ),
    (
        "batch",
        Info,
        "broadcast variable {n} [stored in memory|read back|dropped], estimated size {size}, free {size}",
    ),
    (
        "batch",
        Warn,
        "executor {s} on {host} [is slow|lost its heartbeat|was excluded], {s} tasks resubmitted",
    ),
    (
        "batch",
        Error,
        "stage {s} aborted: task {n} failed {s} times, [fetch failed|shuffle file missing|executor lost]",
    ),
];

/// Lines that contain one of many rare words.
pub(super) const RARE: &[(&str, Level, &str)] = &[
    (
        "config",
        Info,
        "feature flag {rare} switched on for {s} percent of the customers",
    ),
    (
        "config",
        Warn,
        "unknown setting {rare} ignored, {s} settings read from {path}",
    ),
    (
        "plugins",
        Info,
        "plugin {rare} version 1.{s}.{s} loaded in {ms}",
    ),
    (
        "plugins",
        Error,
        "plugin {rare} crashed with signal {s} and was disabled",
    ),
    (
        "partners",
        Info,
        "partner {rare} sent a catalogue of {n} articles",
    ),
    (
        "partners",
        Warn,
        "partner {rare} exceeds its contract: {n} calls today",
    ),
];

/// The first lines of stack traces: an exception and its message.
pub(super) const FAULTS: &[(&str, &str)] = &[
    (
        "NullReferenceFault",
        "attribute shippingAddress of nothing was read",
    ),
    (
        "ConnectionResetFault",
        "the peer at {ip}:{port} reset the connection",
    ),
    (
        "IllegalStateFault",
        "transition from PACKED to PLACED is not allowed for order {n}",
    ),
    (
        "NumberFormatFault",
        "cannot read a quantity from the given text, {n} characters",
    ),
    ("TimeoutFault", "no permit of the bulkhead within {ms}"),
    (
        "ArithmeticFault",
        "rounding is necessary for the amount {money}",
    ),
    ("EncodingFault", "malformed sequence at byte {n}"),
    (
        "ConcurrentChangeFault",
        "revision {s} was expected, revision {s} found",
    ),
];

pub(super) const MODULES: &[&str] = &[
    "shop.checkout.PaymentStep",
    "shop.checkout.AddressForm",
    "shop.stock.Reservation",
    "shop.stock.Ledger",
    "shop.http.RequestPipeline",
    "shop.http.BodyReader",
    "shop.db.UnitOfWork",
    "shop.db.RowMapper",
    "shop.queue.Consumer",
    "shop.queue.RetryPolicy",
    "runtime.pool.Worker",
    "runtime.pool.ForkJoin",
    "runtime.io.Selector",
    "shop.pricing.RuleEngine",
    "shop.mail.Renderer",
];

pub(super) const FUNCTIONS: &[&str] = &[
    "handle",
    "invoke",
    "apply",
    "commit",
    "flush",
    "decode",
    "render",
    "reserve",
    "dispatch",
    "runOnce",
    "acquire",
    "readFully",
    "lambda$0",
    "validate",
];

pub(super) const USERS: &[&str] = &[
    "root",
    "admin",
    "deploy",
    "backup",
    "amina",
    "bjarne",
    "carlotta",
    "dmitri",
    "eleni",
    "farid",
    "greta",
    "hiroshi",
    "ingrid",
    "joao",
    "katya",
    "lorenzo",
    "maeve",
    "nkechi",
    "oskar",
    "priya",
    "quentin",
    "rosalind",
    "sanjay",
    "tomasz",
    "ulrike",
    "valentina",
    "wanjiru",
    "ximena",
    "yusuf",
    "zoltan",
    "guest",
    "monitor",
];

pub(super) const HOSTS: &[&str] = &[
    "api-{s}.shop.example",
    "db-{s}.internal",
    "cache-{s}.internal",
    "hooks.partner-{s}.example",
    "mx{s}.mail.example",
    "checkout-{s}",
    "worker-{s}",
];

pub(super) const PATHS: &[&str] = &[
    "/orders/{n}",
    "/orders",
    "/customers/{n}/orders",
    "/products/{n}",
    "/products?page={s}",
    "/baskets/{uuid}",
    "/login",
    "/invoices/{n}.pdf",
    "/images/{hex}.webp",
    "/health",
    "/search?limit={s}",
    "/var/lib/shop/blocks/{n}",
    "/var/log/shop/{s}.log",
    "/etc/shop/routes.toml",
];

pub(super) const METHODS: &[&str] = &["GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"];

/// Parts of rare words.
pub(super) const SYLLABLES: &[&str] = &[
    "ba", "cor", "di", "fen", "gla", "hu", "jor", "ka", "lem", "mi", "no", "pra", "qui", "ros",
    "sel", "tu", "vex", "wim", "yas", "zol",
];

/// Questions with other words than those of the lines.
pub(super) const PARAPHRASES: &[&str] = &[
    "could not log in",
    "login attempts rejected",
    "database too slow",
    "machine ran out of space",
    "customer got their money back",
    "parcel sent",
    "mail came back",
    "certificate about to run out",
    "server overloaded",
    "disk broken",
    "service unhealthy",
    "goods not available",
    "credit card refused",
    "background task died",
    "two transactions blocked each other",
    "network cable unplugged",
    "processor too hot",
    "picture resized",
    "password incorrect",
    "leader changed",
    "import has bad data",
    "cache emptied",
    "call to partner timed out",
    "bill not paid yet",
    "brute force attack",
    "replication behind",
    "process killed for using too much memory",
    "cannot resolve name",
    "old data cleaned up",
    "stock count wrong",
];
