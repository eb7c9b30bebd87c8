import assert from "node:assert/strict";
import { test } from "node:test";
import { logIn } from "./lib/browser.mjs";
import { trace } from "./lib/records.mjs";
import { answering, READER } from "./lib/server.mjs";
import { download, page, server, setUp, target } from "./lib/setup.mjs";

// What requests are sent to again has been repaired.
setUp({ records: 600, hasReader: true, answer: answering({ ok: true, paid: true }) });

const rows = () => page.getByRole("listbox", { name: "Requests" }).getByRole("option");

async function open(query = "") {
  await page.goto(`/ui/requests${query}`);
  await rows().first().waitFor();
}

test("several filters at once, each from a click", async () => {
  await open();
  await page.getByRole("region", { name: "Status" }).getByRole("button", { name: /5xx/ }).first().click();
  await page.waitForURL(/5xx/);
  await page.waitForLoadState("networkidle");
  await page.getByRole("region", { name: "Version" }).getByRole("button", { name: /v41/ }).first().click();
  await page.waitForURL(/v41/);
  await page.getByText(/^50 requests/).or(page.getByText("50", { exact: true })).first().waitFor();
  // The list of before stays until the next one is there.
  await rows().filter({ hasText: "v42" }).first().waitFor({ state: "detached" });
  for (const text of await rows().allInnerTexts()) assert.match(text, /502[^]*v41/);
});

test("a failed request with its bodies, log lines and time line", async () => {
  await open("?q=status:5xx");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/open=\d+/);
  await page.getByRole("tab", { name: /Response/ }).click();
  await page.getByText(/payment gateway timeout/).first().waitFor();
  await page.getByRole("tab", { name: /Logs/ }).click();
  await page.getByText(/job \d+ failed/).first().waitFor();
});

test("the trace of a request finds its log lines", async () => {
  await open(`?q=trace:${trace(10)}`);
  await rows().first().click();
  await page.getByRole("tab", { name: /Logs/ }).click();
  await page.getByText(/answered/).first().waitFor();
});

test("a request is shown before it is sent again, sent, and compared", async () => {
  await open("?q=status:502");
  await rows().first().click();
  await page.getByRole("tab", { name: /Replay/ }).click();
  await page.getByLabel("Send it to").fill(target.url);
  // What would be sent, before anything is.
  await page.getByRole("tabpanel").getByText(/\/orders\/4711\/pay/).first().waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  assert.deepEqual(target.arrived, []);
  await page.getByRole("dialog").getByRole("button", { name: "Send POST" }).click();
  const comparison = page.getByRole("region", { name: "Comparison of the responses" });
  await comparison.waitFor();
  assert.deepEqual(target.arrived, ["POST /orders/4711/pay"]);
  await comparison.getByText(/paid/).first().waitFor();
  await comparison.getByText(/payment gateway timeout/).first().waitFor();
});

test("a replay without a masked header says so before it is sent, and beside the answer", async () => {
  await server.call("POST", "/requests", [
    { method: "GET", path: "/secret", status_code: 200, duration: 2, stage: "masked", version: "1", timestamp: new Date().toISOString(), headers: { authorization: "[masked]" }, response_body: { ok: true } },
  ]);
  await open("?q=stage:masked");
  await rows().first().click();
  await page.getByRole("tab", { name: /Replay/ }).click();
  await page.getByLabel("Send it to").fill(target.url);
  const warning = page.getByRole("note").filter({ hasText: /It is sent without authorization/ });
  await warning.waitFor();
  await page.getByLabel(/Header authorization/).fill("Bearer 1");
  await warning.waitFor({ state: "detached" });
  await page.getByLabel(/Header authorization/).fill("");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByText(/Sent without authorization/).waitFor();
});

test("masked values of a body are named and asked about before anything is sent, and the answer stays for who comes back", async () => {
  await server.call("POST", "/requests", [
    { method: "POST", path: "/cards", status_code: 201, duration: 2, stage: "masked-body", version: "1", timestamp: new Date().toISOString(), body: { card: { number: "[masked]", cvc: "[masked]" } }, response_body: { ok: true } },
  ]);
  await open("?q=stage:masked-body");
  await rows().first().click();
  await page.getByRole("tab", { name: /Replay/ }).click();
  await page.getByLabel("Send it to").fill(target.url);
  await page.getByText(/2 values were masked before they were stored: card\.cvc, card\.number/).waitFor();
  const send = page.getByRole("button", { name: "Send", exact: true });
  assert.equal(await send.getAttribute("aria-disabled"), "true");
  await page.getByLabel(/Send masked values/).check();
  await send.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/card\.cvc, card\.number are sent as the text/).waitFor();
  await dialog.getByRole("button", { name: "Send POST" }).click();
  const comparison = page.getByRole("region", { name: "Comparison of the responses" });
  await comparison.getByRole("link", { name: "Its logs" }).click();
  await page.waitForURL(/\/logs\?q=trace/);
  await page.goBack();
  await comparison.waitFor();
});

test("Enter right after typing sends once, when it is known what is sent", async () => {
  await server.call("POST", "/requests", [
    { method: "GET", path: "/report", query: { month: "13" }, status_code: 500, duration: 2, stage: "enter", version: "1", timestamp: new Date().toISOString(), response_body: { error: "no such month" } },
  ]);
  await open("?q=stage:enter");
  await rows().first().click();
  await page.getByRole("tab", { name: /Replay/ }).click();
  const before = target.arrived.length;
  let show;
  const held = new Promise((resolve) => (show = resolve));
  await page.route("**/replay", async (route) => {
    await held;
    await route.continue();
  });
  const address = page.getByLabel("Send it to");
  const waits = page.getByText(/It is sent as soon as/);
  await address.fill(target.url);
  await address.press("Enter");
  await waits.waitFor();
  // Escape takes the wish back, and so does another target.
  await address.press("Escape");
  await waits.waitFor({ state: "detached" });
  await page.getByRole("tab", { name: /Replay/ }).waitFor();
  await address.press("Enter");
  await waits.waitFor();
  await address.fill(`${target.url}/other`);
  await waits.waitFor({ state: "detached" });
  await address.fill(target.url);
  await address.press("Enter");
  await address.press("Enter");
  await waits.waitFor();
  assert.equal(target.arrived.length, before);
  show();
  await page.getByRole("region", { name: "Comparison of the responses" }).waitFor();
  await page.waitForLoadState("networkidle");
  assert.deepEqual(target.arrived.slice(before), ["GET /report?month=13"]);
});

test("the query is in the list, the title and the time line of a request", async () => {
  const at = new Date().toISOString();
  await server.call("POST", "/requests", [
    { method: "GET", path: "/report", query: { month: "13", token: "[masked]" }, status_code: 500, duration: 2, stage: "query", version: "1", timestamp: at, trace_id: trace(999_999) },
  ]);
  await open("?q=stage:query");
  await rows().first().getByText("?month=13&token=[masked]").waitFor();
  await rows().first().click();
  await page.getByRole("region", { name: "Request", exact: true }).locator("header").getByText("?month=13&token=[masked]").waitFor();
  await page.getByRole("tab", { name: /Calls/ }).click();
  await page.getByRole("region", { name: "Time line of the trace" }).getByText("?month=13&token=[masked]").waitFor();
});

test("of what a search found in a body, the row shows the words", async () => {
  const at = new Date().toISOString();
  await server.call("POST", "/requests", [
    { method: "POST", path: `/imports/${"long-name-".repeat(8)}`, query: { step: "3" }, status_code: 422, duration: 2, stage: "excerpt", version: "1", timestamp: at, response_body: { items: Array.from({ length: 200 }, (_, id) => ({ id })), reason: "the zirconium flange is missing" } },
  ]);
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await open("?q=stage:excerpt+flange&facets=hide");
    const mark = rows().first().locator("mark", { hasText: "flange" });
    await mark.waitFor();
    const [found, cell] = [await mark.boundingBox(), await rows().first().locator("[data-field=path]").boundingBox()];
    assert.ok(found.x >= cell.x && found.x + found.width <= cell.x + cell.width, `${width} pixels: ${JSON.stringify([found, cell])}`);
  }
});

test("a request that failed says what failed in it, before all else", async () => {
  await open("?q=status:502");
  await rows().first().click();
  const failed = page.getByRole("region", { name: "What failed" });
  await failed.getByText(/job \d+ failed: payment gateway timeout/).waitFor();
  await page.getByRole("tab", { name: /Logs \(2, 1 error\)/ }).waitFor();
  await failed.getByRole("button").first().click();
  await page.waitForURL(/\/logs\?.*open=/);
});

test("a route is named the same by the facet and by the endpoint, and finds as many requests", async () => {
  const at = new Date().toISOString();
  const one = { method: "GET", status_code: 200, duration: 1, stage: "routes", version: "1", timestamp: at };
  await server.call("POST", "/requests", [
    { ...one, path: "/carts/1", headers: { route: "/carts/{id}" } },
    { ...one, path: "/carts/2", headers: { route: "/carts/{id}" } },
    // Of an access log: its path alone says which route it is of.
    { ...one, path: "/carts/3", headers: {} },
    { ...one, path: "/carts/3/items", headers: {} },
    { ...one, path: "/carts/4", headers: { route: "/carts/{anything}" } },
    { ...one, path: "/carts/5", headers: { direction: "outgoing" } },
  ]);
  await open("?q=stage:routes");
  await page.getByRole("region", { name: "Route" }).getByRole("button", { name: /carts\/\{id\}/ }).first().click();
  await page.waitForURL((url) => url.searchParams.get("q") === "stage:routes route:/carts/{id}");
  await page.waitForFunction(() => document.querySelectorAll("[aria-label=Requests] [role=option]").length === 3);
  await page.goto("/ui/?q=stage:routes");
  await page.getByRole("link", { name: "GET /carts/{id}" }).click();
  await page.waitForURL((url) => url.searchParams.get("q")?.endsWith("method:GET route:/carts/{id}") === true);
});

test("calls that the application sent are left out as in the overview, and can be shown", async () => {
  const one = { method: "POST", path: "/pay", status_code: 502, duration: 1, stage: "sent", version: "1", timestamp: new Date().toISOString() };
  await server.call("POST", "/requests", [one, one, { ...one, path: "/charges", headers: { direction: "outgoing" } }]);
  await open("?q=stage:sent");
  await page.getByText("Without 1 outgoing call").waitFor();
  await page.waitForFunction(() => document.querySelectorAll("[aria-label=Requests] [role=option]").length === 2);
  await page.getByRole("button", { name: "With outgoing calls" }).click();
  await page.waitForURL((url) => url.searchParams.get("outgoing") === "1" && url.searchParams.get("q") === "stage:sent");
  await page.getByText(/With 1 outgoing call, 1 of them 5xx/).waitFor();
  await page.waitForFunction(() => document.querySelectorAll("[aria-label=Requests] [role=option]").length === 3);
  await page.getByRole("link", { name: "1 outgoing call" }).click();
  await page.waitForURL((url) => url.searchParams.get("q") === "stage:sent direction:outgoing");
  await page.waitForFunction(() => document.querySelectorAll("[aria-label=Requests] [role=option]").length === 1);
});

test("a country that nobody knows says how it is found", async () => {
  await server.call("POST", "/requests", [{ method: "GET", path: "/", status_code: 200, duration: 1, stage: "nowhere", version: "1", timestamp: new Date().toISOString() }]);
  await open("?q=stage:nowhere&chart=country");
  const link = page.getByRole("link", { name: /Where a request comes from/ });
  assert.match(await link.getAttribute("href"), /docs\/guide\/capture\.md#where-a-request-comes-from$/);
});

test("who may only read cannot send requests again", async () => {
  await logIn(page, READER);
  await open("?q=status:502");
  await rows().first().click();
  await page.getByRole("tab", { name: /Replay/ }).click();
  await page.getByText(/admin/i).first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Send/ }).count(), 0);
});

test("what is shown is exported as HAR", async () => {
  await open("?q=status:502");
  await page.getByRole("button", { name: /Export/ }).first().click();
  const har = JSON.parse(await download(() => page.getByRole("menuitem", { name: /HAR/ }).first().click()));
  const { metadata } = await server.call("GET", "/requests?status_code=502&headers.direction__ne=outgoing&limit=1&total=exact");
  assert.ok(metadata.total >= 100);
  assert.equal(har.log.entries.length, metadata.total);
  assert.ok(har.log.entries.every((entry) => entry.response.status === 502));
});

test("shares of a facet are of all requests, also where it shows the most frequent values", async () => {
  await server.call(
    "POST",
    "/requests",
    Array.from({ length: 100 }, (_, number) => ({ method: "GET", path: `/items/${number}`, status_code: 200, duration: 1, user_id: `once-${number}`, stage: "shares", version: "1", timestamp: new Date().toISOString() })),
  );
  await open("?q=stage:shares");
  await page.getByText("100", { exact: true }).first().waitFor();
  // Each path is of one in a hundred.
  await page.getByRole("region", { name: "Path" }).getByText("1.0 %").first().waitFor();
});

test("counts follow the requests that arrive while the view is live", async () => {
  await page.goto("/ui/requests?q=stage:counted&live=1");
  await page.getByText("Live.", { exact: true }).waitFor();
  await server.call("POST", "/requests", [{ method: "GET", path: "/counted", status_code: 502, duration: 1, stage: "counted", version: "1", timestamp: new Date().toISOString() }]);
  await rows().getByText("/counted").first().waitFor({ timeout: 4000 });
  await page.getByRole("region", { name: "Status" }).getByRole("button", { name: /5xx.*1/ }).waitFor({ timeout: 4000 });
});

test("an empty range of a store that has requests leads to a longer one, and not to the first record", async () => {
  for (const [more, title] of [["", /No requests in/], ["&deleted=only", /No deleted requests in/]]) {
    await page.goto(`/ui/requests?range=2001-01-01T00:00:00Z..2001-01-02T00:00:00Z${more}`);
    await page.getByText(title).waitFor();
    await page.getByRole("button", { name: "Look at the last 7 days" }).waitFor();
    await page.waitForLoadState("networkidle");
    assert.equal(await page.getByRole("link", { name: "send the first" }).count(), 0);
  }
});

test("a search that finds nothing says which of its terms is why", async () => {
  await page.goto("/ui/requests?q=path:ders+method:GET");
  await page.getByText("path:ders finds nothing.").waitFor();
  await page.getByRole("link", { name: "path:*ders*" }).click();
  await rows().first().getByText("/orders").first().waitFor();
});
