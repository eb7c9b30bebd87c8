import assert from "node:assert/strict";
import { test } from "node:test";
import { store } from "../bench/story.mjs";
import { answering } from "./lib/server.mjs";
import { page, setUp, target } from "./lib/setup.mjs";

setUp({ store: (server) => store(server, 40), answer: answering({ id: 1, state: "paid" }) });

test("from the overview to the route that fails, its log line and its replay in ten clicks", async () => {
  let clicks = 0;
  const click = async (control) => {
    clicks++;
    await control.click();
  };
  // The endpoint that changed most is the first.
  const first = page.getByRole("table").getByRole("link", { name: /(GET|POST|DELETE) \// }).first();
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
  // The address has the focus.
  await page.locator("input[type=url]:focus").waitFor();
  await page.keyboard.type(target.url);
  await click(page.getByRole("button", { name: "Send", exact: true }));
  await click(page.getByRole("dialog").getByRole("button", { name: "Send POST" }));
  const comparison = page.getByRole("region", { name: "Comparison of the responses" });
  await comparison.getByText(/paid/).first().waitFor();
  if (process.env.IMAGES) await page.screenshot({ path: `${process.env.IMAGES}/page-replay.png` });
  assert.ok(clicks <= 10, `${clicks} clicks`);
});
