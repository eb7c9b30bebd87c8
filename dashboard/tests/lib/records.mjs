// What the tests store: the traffic of a small shop, with requests that fail and their logs.

export const minutesAgo = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
export const trace = (number) => number.toString(16).padStart(32, "0");

const ROUTES = [
  ["GET", "/orders", 200, 12],
  ["GET", "/orders/4711", 200, 8],
  ["POST", "/orders", 201, 34],
  ["GET", "/products", 304, 5],
  ["POST", "/orders/4711/pay", 502, 3001],
  ["GET", "/users/9", 404, 3],
];

/** Requests of the last hour, each with log lines of its trace. */
export async function fill(server, count = 600) {
  const requests = [];
  const logs = [];
  const metrics = new Map();
  for (let number = 1; number <= count; number++) {
    const [method, path, status, ms] = ROUTES[number % ROUTES.length];
    const at = minutesAgo((number / count) * 55);
    requests.push({
      method,
      path,
      status_code: status,
      duration: ms + (number % 7),
      user_id: `u-${number % 11}`,
      geo_country: ["DE", "FR", "US"][number % 3],
      version: number < count / 2 ? "v42" : "v41",
      stage: "prod",
      trace_id: trace(number),
      timestamp: at,
      headers: { accept: "application/json", "x-request-id": String(number) },
      query: {},
      body: method === "POST" ? { order: { id: 4711, note: "two lamps" } } : null,
      response_headers: { "content-type": "application/json" },
      response_body: status >= 500 ? { error: "payment gateway timeout" } : { ok: true, number },
    });
    logs.push({ level: "info", source: "API", message: `${method} ${path} answered ${status} in ${ms} ms`, trace_id: trace(number), created_at: at, meta: { user: { id: number % 11 } } });
    if (status >= 500) {
      logs.push({ level: "error", source: "WORKER", message: `job ${25_000 + number} failed: payment gateway timeout`, trace_id: trace(number), created_at: at, meta: { attempt: number % 3 } });
    }
    if (status === 404) logs.push({ level: "warn", source: "DB", message: `no user ${number}`, trace_id: trace(number), created_at: at });
    const window = at.slice(0, 16);
    const endpoint = `${method} ${path.replace("4711", "{id}").replace("/9", "/{id}")}`;
    const key = `${window} ${endpoint}`;
    const one = metrics.get(key) ?? {
      window_start: `${window}:00Z`,
      window_end: new Date(Date.parse(`${window}:00Z`) + 60_000).toISOString(),
      endpoint,
      traffic_count: 0,
      error_rate: status >= 500 ? 1 : 0,
      p50_latency: ms,
      p95_latency: ms + 5,
      p99_latency: ms + 6,
    };
    one.traffic_count += 1;
    metrics.set(key, one);
  }
  for (const [path, records] of [
    ["/requests", requests],
    ["/logs", logs],
    ["/metrics", [...metrics.values()]],
  ]) {
    const { data } = await server.call("POST", path, records);
    if (data.rejected > 0) throw new Error(`${path}: ${JSON.stringify(data.errors[0])}`);
  }
}

/** Texts that a page may trip over. */
export const HOSTILE = [
  `<script>document.title = "broken"</script><img src=x onerror="document.title='broken'">`,
  `"><svg onload=document.title='broken'>`,
  "\u202egnp.exe\u202c \u2066\u2067 \u061c מ",
  "\u001b[31mred\u001b[0m \u001b]8;;http://elsewhere.example\u0007link\u001b]8;;\u0007",
  "👩‍👩‍👧‍👦 z̶̧̢̛̝̠̀́a̴l̷g̵o̶ \u200b end",
  "{{constructor.constructor('document.title=1')()}} ${document.title} %s %o javascript:alert(1)",
];
