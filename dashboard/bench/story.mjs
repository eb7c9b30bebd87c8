// Two hours of a shop, for the pictures: a new version comes out, and payments begin to fail.

/** Numbers that look drawn, and are the same each time (mulberry32). */
function draw(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const next = draw(7);
const pick = (list) => list[Math.floor(next() * list.length)];
const hex = (length) => Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join("");

/** Milliseconds around a usual one: many near it, some far above. */
function latency(usual, spread = 0.5) {
  const normal = Math.sqrt(-2 * Math.log(next() || 1e-9)) * Math.cos(2 * Math.PI * next());
  return Math.max(1, Math.round(usual * Math.exp(spread * normal)));
}

const ENDPOINTS = [
  { share: 34, method: "GET", route: "/products", usual: 24 },
  { share: 26, method: "GET", route: "/products/{id}", usual: 9 },
  { share: 12, method: "GET", route: "/orders/{id}", usual: 14 },
  { share: 10, method: "POST", route: "/orders", usual: 38, status: 201 },
  { share: 8, method: "POST", route: "/orders/{id}/pay", usual: 180 },
  { share: 6, method: "POST", route: "/login", usual: 55 },
  { share: 3, method: "GET", route: "/report", usual: 620 },
  { share: 1, method: "DELETE", route: "/cart/{id}", usual: 11, status: 204 },
];
const LOTS = ENDPOINTS.flatMap((endpoint) => Array.from({ length: endpoint.share }, () => endpoint));
const PLACES = [["DE", "Berlin"], ["DE", "Hamburg"], ["FR", "Lyon"], ["US", "Austin"], ["PL", "Gdańsk"], ["BR", "Recife"]];

/** Stores the story. The new version came out 25 minutes ago. */
export async function store(server, perMinute = 90) {
  const now = Date.now();
  const requests = [];
  const logs = [];
  for (let minute = 118; minute >= 1; minute--) {
    const wave = 1 + 0.35 * Math.sin((118 - minute) / 17) + 0.15 * Math.sin((118 - minute) / 5);
    for (let index = 0; index < perMinute * wave; index++) {
      const time = now - minute * 60_000 + Math.floor(next() * 60_000);
      request(requests, logs, pick(LOTS), time, minute <= 25);
    }
  }
  for (const [path, records] of [["/requests", requests], ["/logs", logs]]) {
    for (let first = 0; first < records.length; first += 5000) await server.call("POST", path, records.slice(first, first + 5000));
  }
  server.run("metrics", "rebuild", "--from", "-3h", "--until", "-1m");
}

function request(requests, logs, { method, route, usual, status = 200 }, time, isNew) {
  const at = new Date(time).toISOString();
  const trace_id = hex(32);
  const span = hex(16);
  const id = 1000 + Math.floor(next() * 4000);
  const path = route.replace("{id}", id);
  const user_id = next() < 0.7 ? `u-${Math.floor(next() * 60)}` : null;
  const [geo_country, geo_city] = pick(PLACES);
  const common = { trace_id, stage: "prod", version: isNew ? "42" : "41" };
  let duration = latency(usual);
  let code = status;
  let answer = method === "GET" ? { id, name: "brass lamp", price: 5400 } : { id, state: "ok" };
  const log = (after, level, source, message, meta) => logs.push({ level, source, message, trace_id, created_at: new Date(time + after).toISOString(), meta });
  if (route === "/orders/{id}/pay") {
    const fails = next() < (isNew ? 0.3 : 0.01);
    const took = fails ? latency(2600, 0.12) : latency(140);
    duration = took + latency(6);
    log(2, "info", "shop::pay", "charging the card", { order: { id }, amount: 5400 });
    if (fails) {
      code = 502;
      answer = { error: "payment gateway timeout" };
      log(took + 3, "error", "shop::pay", `job ${id} failed: payment gateway timeout`, { order: { id }, attempt: 1 + Math.floor(next() * 3), gateway: "payment.example" });
    } else {
      log(took + 3, "info", "shop::pay", `order ${id} paid`, { order: { id } });
    }
    requests.push({
      ...common,
      method: "POST",
      path: "/charges",
      status_code: fails ? 504 : 200,
      duration: took,
      timestamp: new Date(time + 3).toISOString(),
      headers: { direction: "outgoing", host: "payment.example", route: "/charges", parent_span_id: span, span_id: hex(16), "content-type": "application/json", authorization: "[masked]" },
      body: { amount: 5400, card_number: "[masked]" },
      response_body: fails ? { error: "upstream timeout" } : { state: "charged" },
      response_headers: { "content-type": "application/json" },
    });
  } else if (next() < 0.02) {
    code = 404;
    answer = { error: "not found" };
    log(1, "warn", "shop::api", `no record ${id}`, { id });
  } else {
    log(duration, "info", "shop::api", `${method} ${path} answered ${code} in ${duration} ms`, { user: user_id, ms: duration });
  }
  if (next() < 0.004) log(4, "warn", "shop::db", `the pool of connections is ${85 + Math.floor(next() * 15)} % in use`, { pool: "main" });
  requests.push({
    ...common,
    method,
    path,
    status_code: code,
    duration,
    user_id,
    geo_country,
    geo_city,
    geo_source: "header",
    timestamp: at,
    headers: { route, span_id: span, host: "shop.example", accept: "application/json", "user-agent": "Mozilla/5.0", authorization: "[masked]", cookie: "[masked]" },
    query: route === "/products" ? { search: "lamp", page: "2" } : {},
    body: method === "POST" ? (route === "/login" ? { email: "ada@shop.example", password: "[masked]" } : { order: { id, items: [{ product: 7, quantity: 2 }] } }) : null,
    response_headers: { "content-type": "application/json", "x-request-id": hex(12) },
    response_body: answer,
  });
}
