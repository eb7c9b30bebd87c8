import assert from "node:assert/strict";
import { test } from "node:test";
import { download, page, server, setUp } from "./lib/setup.mjs";

setUp({ records: 600, at: "logs", isReady: () => rows().first().waitFor() });

const rows = () => page.getByRole("listbox", { name: "Log lines" }).getByRole("option");
const search = () => page.getByRole("combobox", { name: "Search or filter" });

async function ask(text) {
  await page.keyboard.press("/");
  await search().fill(text);
  await search().press("Escape");
  await search().press("Enter");
}

test("words and filters restrict the lines, and stay in the address", async () => {
  await ask("payment timeout level:error");
  await page.waitForURL(/q=payment/);
  await page.getByText(/^100 lines|100 lines/).first().waitFor();
  await page.getByRole("button", { name: "Newest" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("[role=option]")].every((row) => /payment gateway timeout/.test(row.textContent)));
  const address = page.url();
  const other = await page.context().newPage();
  await other.goto(address);
  await other.getByText(/100 lines/).first().waitFor();
  assert.equal(await other.getByRole("combobox", { name: "Search or filter" }).inputValue(), "payment timeout level:error");
  await other.close();
});

test("a field that there is not is reported under the word, with the nearest one to take by Tab", async () => {
  await page.keyboard.press("/");
  await search().fill("levle:error");
  await page.getByText(/There is no field/).waitFor();
  await search().press("Tab");
  assert.match(await search().inputValue(), /^level:error/);
});

test("a search with a field that there is not says what it searches for, and offers the nearest one", async () => {
  await ask("levle:error");
  await page.waitForURL(/q=levle/);
  await page.getByText("“levle:error” is searched for as text.").waitFor();
  // It covers nothing: the tools of the view take clicks.
  await page.getByRole("button", { name: "Patterns" }).click();
  await page.getByRole("button", { name: "Lines", exact: true }).click();
  await page.getByRole("button", { name: "Search for level:error" }).click();
  await page.waitForURL(/q=level%3Aerror/);
  await page.getByText(/100 lines/).first().waitFor();
  assert.equal(await page.getByText(/There is no field/).count(), 0);
});

test("a filter that only another view has is named as unused", async () => {
  await page.goto("/ui/logs?q=status%3A500");
  await page.getByText(/Not used here, as log lines have no such field/).waitFor();
});

test("the list of keys has those that open and close, and the palette finds actions by other words", async () => {
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard" });
  await help.getByText("Open the row").waitFor();
  await help.getByText("Close what is open").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("sign out");
  await page.getByRole("option", { name: /Log out/ }).waitFor();
  await page.keyboard.press("Escape");
});

test("values complete from what is stored", async () => {
  await page.keyboard.press("/");
  await search().pressSequentially("source:W");
  await page.getByRole("listbox", { name: "Completions" }).getByRole("option", { name: /WORKER/ }).waitFor();
  await search().press("Tab");
  assert.match(await search().inputValue(), /^source:WORKER\s*$/);
  await search().press("Enter");
  await page.waitForURL(/source%3AWORKER/);
});

test("dragging over the histogram zooms into a part of the range", async () => {
  const chart = page.getByRole("region", { name: "Lines over time" }).locator(".u-over");
  await chart.waitFor();
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/range=20\d\d-/);
  const [from, until] = new URL(page.url()).searchParams.get("range").split("..").map(Date.parse);
  assert.ok(until - from > 8 * 60_000 && until - from < 16 * 60_000, `${(until - from) / 60_000} minutes`);
});

test("a click on a facet filters", async () => {
  await page.getByRole("region", { name: "level" }).getByRole("button", { name: /error/ }).first().click();
  await page.waitForURL(/level%3Aerror/);
  await page.getByText(/100 lines/).first().waitFor();
});

test("ranked search forgives misspelling, and folds copies", async () => {
  await ask("paymnt gatway");
  await rows().getByText(/gateway timeout/).first().waitFor();
  await rows().getByText(/×\s?\d+|\d+ ×/).first().waitFor();
  // No line has the words as they are typed: that is in the place of zeros.
  await page.getByText("No line has all the words; the list shows the nearest.").waitFor();
  assert.equal(await page.getByText(/^0 lines/).count(), 0);
  await page.getByRole("button", { name: "Newest" }).click();
  await page.waitForURL(/order=newest/);
  // By time, only lines with the words as they are typed.
  await page.getByText(/No line/).first().waitFor();
});

test("a line opens by key, with its fields, its trace, similar ones, and those around it", async () => {
  await ask("level:error");
  await page.getByText(/100 lines/).first().waitFor();
  await rows().first().getByText(/failed/).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/open=\d+/);
  const detail = page.getByRole("region", { name: "Log line", exact: true });
  await detail.getByText(/job \d+ failed: payment gateway timeout/).first().waitFor();
  for (const [tab, expected] of [
    [/trace/i, /answered 502/],
    [/similar/i, /job \d+ failed/],
    [/around/i, /answered/],
  ]) {
    await page.getByRole("tab", { name: tab }).click();
    await page.getByRole("tabpanel").getByText(expected).first().waitFor();
  }
  await page.keyboard.press("Escape");
  await page.waitForURL((url) => !url.searchParams.has("open"));
});

test("a value of the tree filters", async () => {
  await ask("source:WORKER");
  await page.getByText(/100 lines/).first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  const value = page.getByRole("treeitem").filter({ hasText: "attempt" }).last();
  await value.hover();
  await value.locator("[data-key=f]").click();
  // A number stays one: the text "1" would find nothing.
  await page.waitForURL(/meta\.attempt%3A1$|meta\.attempt%3A1&/);
  await page.getByRole("region", { name: "Lines over time" }).getByText("100 lines", { exact: true }).waitFor();
});

test("patterns are counted, and lead to their lines", async () => {
  await page.getByRole("button", { name: "Patterns" }).click();
  await page.getByText(/payment gateway timeout/).first().waitFor();
});

test("a live tail shows what arrives, and pauses", async () => {
  await page.keyboard.press("l");
  await page.waitForURL(/live=1/);
  await page.waitForTimeout(500);
  await server.call("POST", "/logs", [{ level: "error", source: "TAIL", message: "the first line of the tail" }]);
  await page.getByText("the first line of the tail").first().waitFor({ timeout: 10_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await server.call("POST", "/logs", [{ level: "error", source: "TAIL", message: "the second line of the tail" }]);
  await page.waitForTimeout(1500);
  assert.equal(await page.getByText("the second line of the tail").count(), 0);
  await page.getByRole("button", { name: /Pause|Resume/ }).click();
  await page.getByText("the second line of the tail").first().waitFor({ timeout: 10_000 });
});

test("counts follow the lines that arrive, sooner than the window goes on", async () => {
  await page.goto("/ui/logs?q=source%3ACOUNTED&live=1");
  const counted = page.getByRole("region", { name: "Lines over time" });
  await counted.getByText("0 lines", { exact: true }).waitFor();
  await page.getByText("Live.", { exact: true }).waitFor();
  for (const [total, errors] of [
    ["1 line", "1 error"],
    ["2 lines", "2 errors"],
  ]) {
    await server.call("POST", "/logs", [{ level: "error", source: "COUNTED", message: "one that is counted" }]);
    await counted.getByText(total, { exact: true }).waitFor({ timeout: 4000 });
    await counted.getByText(errors, { exact: true }).waitFor({ timeout: 1000 });
  }
  await page.getByRole("region", { name: "Source" }).getByRole("button", { name: /COUNTED.*2/ }).waitFor({ timeout: 2000 });
});

test("the share of a value is read beside the button that excludes it", async () => {
  const value = page.getByRole("region", { name: "Level" }).getByRole("listitem").first();
  await value.hover();
  const [not, share] = await Promise.all([value.getByRole("button", { name: /^not / }).boundingBox(), value.getByText(/%$/).boundingBox()]);
  assert.ok(not.x >= share.x + share.width, "the button is on the share");
});

test("of a long line one sees what was found, its beginning and its end", async () => {
  const filler = "/and/so/on ".repeat(60);
  await server.call("POST", "/logs", [{ level: "error", source: "LONG", message: `GET /very/long ${filler}needle ${filler} HTTP/1.1" 502 17` }]);
  for (const query of ["source%3ALONG+needle&order=newest", "source%3ALONG+needle"]) {
    await page.goto(`/ui/logs?q=${query}`);
    const row = rows().filter({ hasText: "502 17" }).first();
    await row.waitFor();
    assert.match(await row.textContent(), /GET \/very.* … .*needle.* … .*502 17/);
    const [message, mark] = await Promise.all([row.locator("[data-cell=message]").boundingBox(), row.locator("mark").first().boundingBox()]);
    assert.ok(mark.x >= message.x && mark.x + mark.width <= message.x + message.width, "what was found is not in sight");
  }
});

test("a search that finds nothing says which of its terms is why, and what finds more", async () => {
  await ask("level:error source:work");
  await page.getByText("source:work finds nothing.").waitFor();
  assert.equal(await page.getByText("level:error finds nothing.").count(), 0);
  await page.getByRole("link", { name: "source:*work*" }).click();
  await page.waitForURL(/source%3A\*work\*|source%3A%2Awork%2A/);
  await rows().first().getByText("WORKER").waitFor();
  await ask("customer:4711");
  await page.getByText(/no field customer/).first().waitFor();
});

test("a part of a value is offered while one types", async () => {
  await page.keyboard.press("/");
  await search().pressSequentially("source:ORK");
  await page.getByRole("listbox", { name: "Completions" }).getByRole("option", { name: /\*ORK\*/ }).waitFor();
});

test("another search begins at the top, and going back finds the list where it was", async () => {
  await page.goto("/ui/logs");
  await rows().first().waitFor();
  const list = page.getByRole("listbox", { name: "Log lines" });
  await list.evaluate((element) => element.parentElement.scrollTo({ top: 1200 }));
  await rows().nth(20).click();
  await page.waitForURL(/open=\d+/);
  const left = await list.evaluate((element) => element.parentElement.scrollTop);
  const isAt = (top) => page.waitForFunction((expected) => document.querySelector("[role=listbox][aria-label='Log lines']")?.parentElement.scrollTop === expected, top);
  await page.getByRole("region", { name: "Level" }).getByRole("button", { name: /info/ }).first().click();
  await page.waitForURL(/level%3Ainfo/);
  await isAt(0);
  await page.goBack();
  await page.waitForURL((url) => !url.searchParams.has("q"));
  await isAt(left);
});

test("a range until now goes on with another view, and all of a view ends at the same moment", async () => {
  await page.goto("/ui/requests");
  await page.getByRole("listbox", { name: "Requests" }).getByRole("option").first().waitFor();
  await server.call("POST", "/logs", [{ level: "info", source: "LATE", message: "written while another view was shown" }]);
  const ends = new Set();
  const note = (request) => {
    const url = new URL(request.url());
    if (url.pathname.startsWith("/api/v1/logs")) ends.add(url.searchParams.get("created_at__lt"));
  };
  page.on("request", note);
  await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Logs" }).click();
  await rows().getByText("written while another view was shown").first().waitFor();
  await page.waitForLoadState("networkidle");
  page.off("request", note);
  assert.equal(ends.size, 1, [...ends].join(", "));
  assert.ok(!ends.has(null), "a call has no end");
});

test("opening and closing copies keeps the place", async () => {
  await page.goto("/ui/logs?fold=1&q=source%3AWORKER");
  await rows().first().waitFor();
  const chosen = () => page.getByRole("option", { selected: true });
  const at = async () => Number(await chosen().getAttribute("aria-posinset"));
  await page.keyboard.press("j");
  const head = await chosen().textContent();
  await page.keyboard.press("o");
  await page.waitForURL(/copies=\d+/);
  for (let times = 0; times < 3; times++) await page.keyboard.press("j");
  assert.equal(await at(), 4);
  // Closed from one of the copies, the cursor is on the line that stands for them.
  await page.keyboard.press("o");
  await page.waitForURL((url) => !url.searchParams.has("copies"));
  assert.equal(await at(), 1);
  assert.equal((await chosen().textContent()).replace(/[▸▾]/, ""), head.replace(/[▸▾]/, ""));
});

test("a search is saved under a name, renamed, opened, and deleted", async () => {
  await ask("source:WORKER");
  await page.getByText(/100 lines/).first().waitFor();
  await page.getByRole("button", { name: /^Saved/ }).click();
  await page.getByRole("menuitem", { name: /Save this search/ }).click();
  await page.getByRole("dialog").getByText("source:WORKER").waitFor();
  await page.getByRole("textbox", { name: "Name" }).fill("of the worker");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByText("Saved as “of the worker”").waitFor();
  const [saved] = (await server.call("GET", "/saved_searches")).data;
  assert.deepEqual([saved.name, saved.view, new URL(`?${saved.parameters}`, server.url).searchParams.get("q")?.trim()], ["of the worker", "logs", "source:WORKER"]);
  await page.getByRole("button", { name: /^Saved/ }).click();
  await page.getByRole("menuitem", { name: /All saved/ }).click();
  await page.getByRole("button", { name: "Rename of the worker" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("worker");
  await page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  // It is renamed before the page is left.
  await page.getByRole("button", { name: "Rename worker" }).waitFor();
  await page.goto("/ui/metrics");
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /Find a view/ }).waitFor();
  await page.keyboard.type("worker");
  await page.getByRole("option", { name: /Saved search worker/ }).click();
  await page.waitForURL(/logs\?.*source%3AWORKER/);
  await page.getByRole("button", { name: /^Saved/ }).click();
  await page.getByRole("menuitem", { name: /All saved/ }).click();
  await page.getByRole("button", { name: "Delete worker" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("None is saved.").waitFor();
  assert.equal((await server.call("GET", "/saved_searches")).data.length, 0);
});

test("what is shown is exported", async () => {
  await ask("level:error source:WORKER");
  await page.getByText(/100 lines/).first().waitFor();
  await page.getByRole("button", { name: /Export/ }).click();
  const lines = (await download(() => page.getByRole("menuitem", { name: /JSON lines/ }).click())).trim().split("\n");
  assert.equal(lines.length, 100);
  assert.ok(lines.every((line) => JSON.parse(line).source === "WORKER"));
});

test("CSV is exported for spreadsheets, in which a text is no formula", async () => {
  await server.call("POST", "/logs", [{ level: "error", source: "FORMULA", message: "=cmd|'/c calc'!A1" }]);
  await page.goto("/ui/logs?q=source%3AFORMULA");
  await rows().first().waitFor();
  await page.getByRole("button", { name: /Export/ }).click();
  assert.match(await download(() => page.getByRole("menuitem", { name: /CSV/ }).click()), /,'=cmd\|/);
});
