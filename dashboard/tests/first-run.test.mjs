import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { openPage, logIn, startBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";

let server, browser;
before(async () => {
  browser = await startBrowser();
  server = await startServer();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("an empty store shows how to send the first record, and turns into the page when it arrives", async () => {
  const { page, wrong, close } = await openPage(browser, server.url);
  await logIn(page);
  await page.waitForURL(/\/ui\/start/);
  await page.getByRole("button", { name: /key/i }).first().click();
  const key = page.getByText(/lb_[a-z0-9]{8}_\w+/).first();
  await key.waitFor();
  await page.getByRole("tab", { name: "curl" }).click();
  const command = await page.getByText(/^curl /).first().innerText();
  assert.match(command, /lb_/);
  execFileSync("sh", ["-c", command], { stdio: "pipe" });
  await page.waitForURL((url) => !url.pathname.endsWith("/start"));
  await page.getByText(/hello/).first().waitFor();
  assert.deepEqual(wrong, []);
  await close();
});
