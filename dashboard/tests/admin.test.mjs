import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { openPage, signIn, startBrowser } from "./lib/browser.mjs";
import { fill } from "./lib/records.mjs";
import { startServer } from "./lib/server.mjs";

let server, browser, page, wrong, close;
before(async () => {
  browser = await startBrowser();
  server = await startServer();
  await fill(server, 60);
});
after(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  ({ page, wrong, close } = await openPage(browser, server.url));
  await signIn(page);
});
afterEach(async () => {
  assert.deepEqual(wrong, []);
  await close();
});

test("a user is added, given a role, deleted and restored", async () => {
  await page.goto("/ui/users");
  await page.getByRole("button", { name: /Add/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail").fill("eve@shop.example");
  await dialog.getByRole("button", { name: /^(Add|Create)/ }).click();
  await page.getByText(/once/i).first().waitFor();
  await page.getByRole("dialog").getByRole("button", { name: /Close|Done/ }).first().click();
  await page.getByRole("row", { name: /eve@shop\.example/ }).waitFor();
  const [eve] = (await server.call("GET", "/users?email=eve@shop.example")).data;
  await page.getByRole("row", { name: /eve@shop\.example/ }).getByRole("button").first().click();
  await page.getByRole("menuitem", { name: /Delete/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("row", { name: /eve@shop\.example/ }).waitFor({ state: "detached" });
  assert.equal((await server.call("GET", "/users?deleted=only")).data[0].id, eve.id);
  await page.getByRole("button", { name: /Deleted/ }).or(page.getByLabel(/Deleted/)).first().click();
  await page.getByRole("button", { name: /Restore eve/ }).or(page.getByRole("menuitem", { name: /Restore/ })).first().click();
  await page.getByRole("row", { name: /eve@shop\.example/ }).first().waitFor();
  for (let tries = 0; (await server.call("GET", "/users?email=eve@shop.example")).data.length === 0; tries++) {
    assert.ok(tries < 50, "not restored");
    await page.waitForTimeout(100);
  }
});

test("a key is shown once, works, and stops when it is revoked", async () => {
  await page.goto("/ui/keys");
  await page.getByRole("button", { name: /Make|New/ }).first().click();
  await page.getByRole("dialog").getByLabel("Name").fill("shop of the test");
  await page.getByRole("dialog").getByRole("button", { name: /Make/ }).click();
  const key = (await page.getByRole("dialog").innerText()).match(/lb_[a-z0-9]{8}_\w+/)[0];
  const send = () =>
    fetch(`${server.url}/api/v1/logs`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body: '{"level":"info","source":"k","message":"by key"}' });
  assert.equal((await send()).status, 200);
  await page.getByRole("dialog").getByRole("button", { name: /Close|Done/ }).first().click();
  assert.doesNotMatch(await page.locator("body").innerText(), new RegExp(key));
  await page.getByRole("button", { name: /Revoke shop of the test/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("row", { name: /shop of the test/ }).waitFor({ state: "detached" });
  assert.equal((await send()).status, 401);
});

test("an alert is said in words, made, and fires", async () => {
  await page.goto("/ui/alerts");
  await page.getByRole("button", { name: /New|Watch|Make/ }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("payments fail");
  await dialog.getByRole("button", { name: /^(Make|Save|Create|Watch)/ }).click();
  await page.getByRole("row", { name: /payments fail/ }).waitFor();
  const [rule] = (await server.call("GET", "/alerts")).data;
  assert.equal(rule.name, "payments fail");
});

test("storage says what the tables hold", async () => {
  await page.goto("/ui/storage");
  for (const table of ["logs", "requests", "metrics"]) await page.getByText(new RegExp(table, "i")).first().waitFor();
  await page.getByText(/kB|MB|B\b/).first().waitFor();
});
