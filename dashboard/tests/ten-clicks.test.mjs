import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { store } from "../bench/story.mjs";
import { openPage, logIn, startBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";

let server, browser, shop;
before(async () => {
  shop = http.createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: 1, state: "paid" }));
  });
  await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
  browser = await startBrowser();
  server = await startServer(["--replay-targets", `http://127.0.0.1:${shop.address().port}`]);
  await store(server, 40);
});
after(async () => {
  await browser?.close();
  await server?.close();
  shop?.close();
});

test("from the overview to the route that fails, its log line and its replay in ten clicks", async () => {
  const { page, wrong, close } = await openPage(browser, server.url);
  await logIn(page);
  let clicks = 0;
  const click = async (target) => {
    clicks++;
    await target.click();
  };
  // The endpoint that changed most is the first.
  const first = page.getByRole("link", { name: /(GET|POST|DELETE) \// }).first();
  await first.waitFor();
  assert.match(await first.innerText(), /POST \/orders\/\{id\}\/pay/);
  await click(first);
  await click(page.getByRole("link", { name: "Its failed requests" }));
  const rows = page.getByRole("listbox", { name: "Requests" }).getByRole("option");
  await rows.first().waitFor();
  assert.match(await rows.first().innerText(), /502/);
  await click(rows.first());
  await click(page.getByRole("tab", { name: /Logs/ }));
  await page.getByText(/failed: payment gateway timeout/).first().waitFor();
  await click(page.getByRole("tab", { name: /Replay/ }));
  await click(page.getByLabel("Send it to"));
  await page.keyboard.type(`http://127.0.0.1:${shop.address().port}`);
  await click(page.getByRole("button", { name: "Send", exact: true }));
  await click(page.getByRole("dialog").getByRole("button", { name: "Send POST" }));
  const comparison = page.getByRole("region", { name: "Comparison of the responses" });
  await comparison.getByText(/paid/).first().waitFor();
  if (process.env.IMAGES) await page.screenshot({ path: `${process.env.IMAGES}/page-replay.png` });
  assert.ok(clicks <= 10, `${clicks} clicks`);
  assert.deepEqual(wrong, []);
  await close();
});
