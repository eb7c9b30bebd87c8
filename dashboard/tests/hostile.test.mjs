// What strangers write into records, and nonsense in the address and the search: the page stays as it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE, minutesAgo } from "./lib/records.mjs";
import { page, server, setUp, wrong } from "./lib/setup.mjs";

setUp({ records: 60, store });

async function store(server) {
  await server.call("POST", "/logs", HOSTILE.map((text) => ({ level: "error", source: text.slice(0, 60), message: text, meta: { [text]: text }, trace_id: text.slice(0, 60), created_at: minutesAgo(1) })));
  await server.call(
    "POST",
    "/requests",
    HOSTILE.map((text) => ({
      method: text.slice(0, 15),
      path: `/${text}${"p".repeat(20_000)}`,
      status_code: 599,
      duration: 2_147_483_647,
      user_id: text,
      version: text.slice(0, 60),
      stage: text.slice(0, 60),
      trace_id: text.slice(0, 60),
      timestamp: minutesAgo(1),
      headers: { [text]: text, ["h".repeat(10_000)]: text, host: text },
      query: { [text]: text },
      body: { [text]: text },
      response_body: text,
      response_headers: { location: text },
    })),
  );
  const window = minutesAgo(5).slice(0, 16);
  await server.call("POST", "/metrics", HOSTILE.map((text) => ({ window_start: `${window}:00Z`, window_end: new Date(Date.parse(`${window}:00Z`) + 60_000).toISOString(), endpoint: `GET /${text}`, traffic_count: 5, error_rate: 0.5, p50_latency: 1, p95_latency: 1_000_000_000, p99_latency: 2_000_000_000 })));
  for (const text of HOSTILE) {
    await server.call("POST", "/keys", { name: text.slice(0, 100), scope: "read" });
    await server.call("POST", "/alerts", { name: text.slice(0, 100), subject: "logs", measure: "count", filter: "level=error", threshold: 1_000_000, period: 60, webhook_url: null });
  }
  await server.call("POST", "/users", { email: "\u202e<b>moc@shop.example", password: "velvet-harbor-78", role: "user" });
}

/** Texts and hints that turn the direction of others, have codes of terminals, or are longer than one reads. */
function harm() {
  // eslint-disable-next-line no-control-regex
  const signs = /[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u001b]/;
  const found = [];
  const texts = document.createTreeWalker(document.body, globalThis.NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) if (signs.test(node.data)) found.push(`${node.parentElement.outerHTML.slice(0, 200)}`);
  for (const element of document.querySelectorAll("[title], [aria-label]")) {
    for (const name of ["title", "aria-label"]) {
      const value = element.getAttribute(name) ?? "";
      if (signs.test(value) || value.length > 1500) found.push(`${name} of ${element.outerHTML.slice(0, 200)}`);
    }
  }
  return found;
}

test("no text of a record turns those beside it, and no hint is longer than one reads", async () => {
  for (const view of ["", "logs?fold=0", "logs?view=patterns", "requests", "metrics", "alerts", "users", "keys"]) {
    await page.goto(`/ui/${view}`);
    await page.waitForLoadState("networkidle");
    assert.deepEqual(await page.evaluate(harm), [], view);
    const rows = page.locator("[role=option]");
    for (let row = 0; row < Math.min(await rows.count(), HOSTILE.length); row++) {
      await rows.nth(row).click();
      await page.waitForTimeout(100);
      const head = await page.evaluate(harm);
      // The tree of values shows them as they are, each isolated from the others.
      assert.deepEqual(head.filter((one) => !/^<bdi/.test(one)), [], view);
    }
  }
  assert.doesNotMatch(await page.title(), /broken/);
  assert.equal(await page.locator("#view script, #view img, #view svg[onload], a[href^='javascript' i]").count(), 0);
});

const VIEWS = ["", "logs", "requests", "metrics", "alerts", "storage", "users", "keys", "start", "account", "none"];
const NAMES = ["range", "q", "open", "tab", "order", "bucket", "endpoint", "live", "around", "view", "fold", "copies", "facets", "deleted", "sort", "do", "find", "rule", "state", "__proto__", "constructor"];
const VALUES = [
  ...["1", "0", "-1", "NaN", "Infinity", "99999999999999999999", "null", "[object Object]", "__proto__", "constructor", "<script>", "javascript:alert(1)", "../../x"],
  ...["1h", "0h", "99999d", "..", "0001-01-01T00:00:00Z..0002-01-01T00:00:00Z", "9999-01-01T00:00:00Z..9999-12-31T23:59:59Z", "2026-13-45T99:99:99Z..2026-11-29T11:00:00Z"],
  ...["level:", "::", "((((", '"open', "-", "*", "meta.a.b:1", "status:5xx", "duration:>>5", "id:99999999999999999999", "created:infinity", "a\u202eb", "👩‍👩‍👧‍👦", "x".repeat(3000)],
  ...["patterns", "newest", "ranked", "trace", "similar", "new", "edit", "change-1", "delete-1", "-state", "only", "with", "GET /orders"],
];

test("nonsense in the address is ignored or said, and never a blank page", async () => {
  let seed = 7;
  const pick = (all) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return all[Math.floor((seed / 2_147_483_648) * all.length)];
  };
  const addresses = Array.from({ length: 30 }, () => `${pick(VIEWS)}?${Array.from({ length: 4 }, () => `${pick(NAMES)}=${encodeURIComponent(pick(VALUES))}`).join("&")}`);
  addresses.push("logs?q=%", "logs?q=%zz&range=%00", "requests?q=%ED%A0%80&open=%E0%A4%A", "logs?=&&&==&q", "%2e%2e/%2e%2e?q=1", `metrics?q=${"a".repeat(6000)}`);
  for (const address of addresses) {
    await page.goto(`/ui/${address}`);
    await page.waitForFunction(() => (document.getElementById("view")?.innerText.trim() ?? "") !== "");
    await page.waitForTimeout(150);
    const text = await page.locator("#view").innerText();
    assert.notEqual(text.trim(), "", address);
    assert.doesNotMatch(text, /is not a function|Cannot read|Invalid Date|RangeError|TypeError/, address);
    assert.deepEqual(wrong, [], address);
  }
});

test("the search takes what is pasted, however much it is", async () => {
  await page.goto("/ui/logs");
  await page.getByRole("option").first().waitFor();
  const search = page.getByRole("combobox", { name: "Search or filter" });
  const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  // Seconds of the thread of the page, which other programs do not lengthen.
  const busy = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
  for (const text of [printable, '"((level:"', "word ".repeat(200_000), "x".repeat(1_000_000), "a:".repeat(300_000), '"'.repeat(300_000), "or(".repeat(100_000), 'level:"a",'.repeat(50_000), "\\".repeat(200_000)]) {
    const before = await busy();
    await search.fill(text);
    await search.press("End");
    await search.press("b");
    assert.equal(await search.inputValue(), `${text}b`);
    const took = (await busy()) - before;
    assert.ok(took < 4, `${text.slice(0, 10)}…: ${took} s`);
  }
  await search.fill("");
});

test("the page is in no frame, and an address of another origin changes nothing", async () => {
  const answer = await fetch(`${server.url}/ui/`);
  assert.match(answer.headers.get("content-security-policy"), /frame-ancestors 'none'/);
  assert.doesNotMatch(answer.headers.get("content-security-policy"), /unsafe|\*/);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.doesNotMatch(await answer.text(), /<style|style=|<script(?![^>]* src=)/);
  const changes = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") changes.push(`${request.method()} ${request.url()}`);
  });
  for (const address of ["users?do=new", "alerts?do=delete-1", "alerts?do=test-1", "requests?open=1&tab=replay", "logs?open=1&deleted=only"]) {
    await page.goto(`/ui/${address}`);
    await page.waitForLoadState("networkidle");
  }
  assert.deepEqual(changes, []);
});
