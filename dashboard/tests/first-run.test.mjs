import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { page, setUp } from "./lib/setup.mjs";

setUp();

test("an empty store shows how to send the first record, and turns into the page when it arrives", async () => {
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
});
