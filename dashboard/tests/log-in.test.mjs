import assert from "node:assert/strict";
import { test } from "node:test";
import { faults, logIn } from "./lib/browser.mjs";
import { ADMIN, READER } from "./lib/server.mjs";
import { page, setUp } from "./lib/setup.mjs";

// Who logs in, and how, is what is tried.
setUp({ records: 60, hasReader: true, user: null });

test("a wrong password says so, keeps the e-mail, and the right one opens the page", async () => {
  await page.goto("/");
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByLabel("E-mail").inputValue(), ADMIN.email);
  assert.deepEqual(await faults(page), []);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Views" }).waitFor();
});

test("logging out ends the session on the server, too", async () => {
  await logIn(page);
  await page.getByRole("button", { name: /^ada/ }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await page.getByLabel("E-mail").waitFor();
  assert.equal(await page.evaluate(async () => (await fetch("/api/v1/logs")).status), 401);
  await page.goto("/ui/logs");
  await page.getByLabel("E-mail").waitFor();
});

test("who logs out in one tab is logged out in all, and nothing that was read stays", async () => {
  await logIn(page);
  await page.goto("/ui/logs");
  await page.getByRole("option").first().waitFor();
  const other = await page.context().newPage();
  await other.goto("/ui/requests");
  await other.getByRole("link", { name: "Logs" }).click();
  await other.getByRole("button", { name: /^ada/ }).click();
  await other.getByRole("menuitem", { name: "Log out" }).click();
  for (const tab of [other, page]) {
    await tab.getByLabel("E-mail").waitFor();
    assert.equal(await tab.getByRole("option").count(), 0);
  }
  await other.goBack();
  await other.getByLabel("E-mail").waitFor();
  assert.equal(await other.getByRole("option").count(), 0);
  const kept = await page.evaluate(() => JSON.stringify([Object.keys(globalThis.localStorage), Object.entries(globalThis.sessionStorage)]));
  assert.doesNotMatch(kept, /orders|payment/);
  // Another user of the other tab is the one of this tab.
  await logIn(other, READER);
  await page.getByRole("button", { name: /^bob/ }).waitFor();
});

test("a log-out that fails shows that, and can be tried again", async () => {
  await logIn(page);
  await page.route("**/api/v1/session", (route) => (route.request().method() === "DELETE" ? route.abort() : route.continue()));
  await page.getByRole("button", { name: /^ada/ }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  const dialog = page.getByRole("dialog", { name: "Not logged out" });
  await dialog.getByRole("button", { name: "Log out" }).click();
  await dialog.getByRole("alert").waitFor();
  await page.unroute("**/api/v1/session");
  await dialog.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("E-mail").waitFor();
});

test("a page that the browser kept is shown again only to those who are logged in", async () => {
  await logIn(page);
  await page.goto("/ui/logs");
  await page.getByRole("option").first().waitFor();
  const comeBack = () => page.evaluate(() => globalThis.dispatchEvent(new globalThis.PageTransitionEvent("pageshow", { persisted: true })));
  await comeBack();
  await page.getByRole("option").first().waitFor();
  await page.context().clearCookies();
  await comeBack();
  await page.getByLabel("E-mail").waitFor();
  assert.equal(await page.getByRole("option").count(), 0);
});

test("a session that ends meanwhile leads to the log-in, and back to the same view", async () => {
  await logIn(page);
  await page.goto("/ui/logs?q=level%3Aerror");
  await page.context().clearCookies();
  await page.keyboard.press("r");
  await page.getByLabel("E-mail").waitFor();
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  assert.match(page.url(), /\/ui\/logs\?q=level%3Aerror/);
});

test("a user who may only read is not offered what admins do", async () => {
  await logIn(page, READER);
  await page.getByRole("button", { name: /^bob/ }).click();
  assert.equal(await page.getByRole("menuitem", { name: "Users" }).count(), 0);
  assert.equal(await page.getByRole("menuitem", { name: "API keys" }).count(), 0);
  for (const view of ["users", "keys"]) {
    await page.goto(`/ui/${view}`);
    await page.getByText(/admin/i).first().waitFor();
    assert.equal(await page.getByRole("button", { name: /create|new/i }).count(), 0, view);
  }
});
