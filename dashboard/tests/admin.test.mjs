import assert from "node:assert/strict";
import { test } from "node:test";
import { startTarget } from "./lib/server.mjs";
import { page, server, setUp } from "./lib/setup.mjs";

setUp({ records: 60 });

test("a user is added, given a role, deleted and restored", async () => {
  await page.goto("/ui/users");
  await page.getByRole("button", { name: /Add/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail").fill("eve@shop.example");
  await dialog.locator("button[type=submit]").click();
  await page.getByText(/shown this once/).waitFor();
  await page.getByRole("button", { name: "I have it" }).click();
  await page.getByRole("row", { name: /eve@shop\.example/ }).waitFor();
  const [eve] = (await server.call("GET", "/users?email=eve@shop.example")).data;
  await page.getByRole("row", { name: /eve@shop\.example/ }).getByRole("button").first().click();
  await page.getByRole("menuitem", { name: /Delete/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("row", { name: /eve@shop\.example/ }).waitFor({ state: "detached" });
  assert.equal((await server.call("GET", "/users?deleted=only")).data[0].id, eve.id);
  await page.getByRole("button", { name: /Show deleted/ }).or(page.getByLabel(/Show deleted/)).first().click();
  await page.getByRole("button", { name: /Restore eve/ }).or(page.getByRole("menuitem", { name: /Restore/ })).first().click();
  await page.getByRole("row", { name: /eve@shop\.example/ }).first().waitFor();
  for (let tries = 0; (await server.call("GET", "/users?email=eve@shop.example")).data.length === 0; tries++) {
    assert.ok(tries < 50, "not restored");
    await page.waitForTimeout(100);
  }
});

test("rows of a table are reached by j and k, and open by Enter", async () => {
  await page.goto("/ui/users");
  const row = page.getByRole("row", { name: /ada@shop\.example/ });
  await row.waitFor();
  await page.keyboard.press("j");
  await page.waitForFunction(() => document.activeElement?.tagName === "TR");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Change a user" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("a key is shown once, works, and stops when it is revoked", async () => {
  await page.goto("/ui/keys");
  await page.getByRole("button", { name: /Make|New/ }).first().click();
  await page.getByRole("dialog").getByLabel("Name").fill("shop of the test");
  await page.getByRole("dialog").locator("button[type=submit]").click();
  await page.getByText(/shown this once/).waitFor();
  const key = /lb_[a-z0-9]{8}_\w+/.exec(await page.getByRole("dialog").innerText())[0];
  const send = () =>
    fetch(`${server.url}/api/v1/logs`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body: '{"level":"info","source":"k","message":"by key"}' });
  assert.equal((await send()).status, 200);
  await page.getByRole("button", { name: "I have it" }).click();
  assert.doesNotMatch(await page.locator("body").innerText(), new RegExp(key));
  await page.getByRole("button", { name: /Revoke shop of the test/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("row", { name: /shop of the test/ }).waitFor({ state: "detached" });
  assert.equal((await send()).status, 401);
});

test("a rule is shown in words, made, and calls its webhook when it fires", async () => {
  const calls = [];
  const hook = await startTarget((request, response) => {
    request.setEncoding("utf8").on("data", (text) => calls.push(text));
    request.on("end", () => response.end("ok"));
  });
  try {
    await page.goto("/ui/alerts");
    await page.getByRole("button", { name: "New rule" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("payments fail");
    await dialog.getByLabel("Threshold").fill("1");
    await dialog.getByLabel("Address").fill(`${hook.url}/hook`);
    await dialog.getByText(/more than 1/i).first().waitFor();
    await dialog.locator("button[type=submit]").click();
    const row = page.getByRole("row", { name: /payments fail/ });
    await row.waitFor();
    await server.call("POST", "/logs", Array.from({ length: 5 }, (_, number) => ({ level: "error", source: "PAY", message: `payment ${number} failed` })));
    await row.getByText(/firing/).waitFor({ timeout: 60_000 });
    for (let tries = 0; calls.length === 0; tries++) {
      assert.ok(tries < 300, "the webhook was not called");
      await page.waitForTimeout(100);
    }
    assert.match(calls[0], /payments fail/);
  } finally {
    hook.close();
  }
});

test("storage says what the tables hold", async () => {
  await page.goto("/ui/storage");
  for (const table of ["logs", "requests", "metrics"]) await page.getByText(new RegExp(table, "i")).first().waitFor();
  await page.getByText(/kB|MB|B\b/).first().waitFor();
});
