import assert from "node:assert/strict";
import { test } from "node:test";
import { faults } from "./lib/browser.mjs";
import { HOSTILE, minutesAgo } from "./lib/records.mjs";
import { onPage, server, setUp } from "./lib/setup.mjs";

const VIEWS = ["", "logs", "requests", "requests?q=payment&facets=hide", "metrics", "alerts", "storage", "users", "keys", "start", "account"];

setUp({ records: 60, hasPage: false });

test("no serious fault for those who use it without a mouse or without seeing it", async (t) => {
  for (const scheme of ["light", "dark"]) {
    await onPage({ scheme }, async (page) => {
      for (const view of VIEWS) {
        await t.test(`${view || "overview"}, ${scheme}`, async () => {
          await page.goto(`/ui/${view}`);
          await page.waitForLoadState("networkidle");
          assert.deepEqual(await faults(page), []);
        });
      }
    });
  }
});

test("every view fits on a telephone", async (t) => {
  await onPage({ width: 360, height: 640, hasTouch: true, isMobile: true }, async (page) => {
    for (const view of VIEWS) {
      await t.test(view || "overview", async () => {
        await page.goto(`/ui/${view}`);
        await page.waitForLoadState("networkidle");
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= 360, `it is ${wide} pixels wide`);
        // The views and the account, then the search and the range: two rows, and the tools of a view in a third.
        const top = await page.evaluate(() => document.getElementById("view").getBoundingClientRect().top);
        assert.ok(top <= 96, `the view begins at ${top} pixels`);
        const tools = await page.evaluate(() => document.querySelector("[role=toolbar]")?.getBoundingClientRect().height ?? 0);
        assert.ok(tools <= 48, `its tools are ${tools} pixels high`);
      });
    }
  });
});

test("hostile texts in every field are shown as they are, and do nothing", async () => {
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, number) => [`key${number}`, number]));
  await server.call("POST", "/logs", [
    ...HOSTILE.map((text) => ({ level: "error", source: text.slice(0, 60), message: text, meta: { [text]: text }, created_at: minutesAgo(1) })),
    { level: "error", source: "LARGE", message: "x".repeat(1_000_000), meta: many, created_at: minutesAgo(1) },
  ]);
  await server.call(
    "POST",
    "/requests",
    HOSTILE.map((text) => ({
      method: "GET",
      path: `/${text}`,
      status_code: 500,
      duration: 3,
      user_id: text,
      version: text.slice(0, 60),
      stage: "prod",
      timestamp: minutesAgo(1),
      headers: { [text.replace(/[\r\n]/g, "")]: text },
      query: { [text]: text },
      body: { [text]: text },
      response_body: text,
      response_headers: {},
    })),
  );
  await onPage({}, async (page) => {
    for (const view of ["", "logs", "requests"]) {
      await page.goto(`/ui/${view}`);
      await page.waitForLoadState("networkidle");
      if (view !== "") {
        const rows = page.getByRole("option");
        await rows.first().waitFor();
        for (let row = 0; row < Math.min(await rows.count(), 8); row++) {
          await rows.nth(row).click();
          await page.waitForTimeout(100);
        }
      }
      assert.doesNotMatch(await page.title(), /broken/);
      assert.equal(await page.locator("#view script, #view img, #view svg[onload]").count(), 0);
    }
  });
});
