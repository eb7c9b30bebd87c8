import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, logIn, startBrowser } from "./lib/browser.mjs";
import { fill } from "./lib/records.mjs";
import { startServer } from "./lib/server.mjs";

let server, browser;
before(async () => {
  browser = await startBrowser();
  server = await startServer();
  await fill(server, 60);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("a search is saved with a name, opened by it, found by the palette, and deleted", async () => {
  const { page, wrong, close } = await openPage(browser, server.url);
  await logIn(page);
  await page.goto("/ui/logs?range=6h&q=source%3AWORKER+%22a+%26+b%22");
  await page.getByRole("button", { name: "Saved ▾" }).click();
  await page.getByRole("menuitem", { name: /Save this search/ }).click();
  const dialog = page.getByRole("dialog", { name: "Save this search" });
  await dialog.getByLabel("Name of the search").fill("<b>workers</b>");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });

  await page.goto("/ui/logs?q=level%3Aerror");
  await page.getByRole("button", { name: "Saved ▾" }).click();
  await page.getByRole("menuitem", { name: "<b>workers</b>" }).click();
  await page.waitForURL((url) => url.searchParams.get("q") === 'source:WORKER "a & b"' && url.searchParams.get("range") === "6h");

  await page.goto("/ui/metrics");
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /Find a view/ }).fill("workers");
  await page.getByRole("option", { name: /Saved search/ }).click();
  await page.waitForURL((url) => url.pathname === "/ui/logs" && url.searchParams.get("q") === 'source:WORKER "a & b"');

  await page.getByRole("button", { name: "Saved ▾" }).click();
  await page.getByRole("menuitem", { name: /Delete one/ }).click();
  await page.getByRole("button", { name: "Delete <b>workers</b>" }).click();
  await page.getByRole("button", { name: "Delete <b>workers</b>" }).waitFor({ state: "detached" });
  assert.deepEqual((await server.call("GET", "/saved_searches")).data, []);
  assert.deepEqual(wrong, []);
  await close();
});
