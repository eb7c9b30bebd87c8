// Makes the pictures of the page in docs/images: `make page-pictures`.
import { fileURLToPath } from "node:url";
import { store } from "./story.mjs";
import { openPage, logIn, startBrowser } from "../tests/lib/browser.mjs";
import { startServer } from "../tests/lib/server.mjs";

const images = fileURLToPath(new URL("../../docs/images", import.meta.url));
const server = await startServer(["--replay-targets", "https://staging.example.com"]);
const browser = await startBrowser();
try {
  await store(server, 240);
  const { page } = await openPage(browser, server.url, { width: 1280, height: 760, deviceScaleFactor: 1 });
  await logIn(page);
  const take = async (name) => {
    await page.waitForLoadState("networkidle");
    await page.waitForTimeout(800);
    await page.screenshot({ path: `${images}/page-${name}.png` });
  };
  await page.goto("/ui/");
  await take("overview");
  await page.goto("/ui/logs");
  await page.getByRole("option").filter({ hasText: "payment gateway timeout" }).first().click();
  await take("logs");
  await page.goto("/ui/requests?q=status%3A502");
  await page.getByRole("option").first().click();
  await page.getByRole("tab", { name: /Logs/ }).click();
  await take("request");
  await page.setViewportSize({ width: 1280, height: 1060 });
  await page.goto("/ui/metrics");
  await page.getByRole("button", { name: /pay/ }).or(page.getByRole("link", { name: /pay/ })).first().click();
  await page.getByRole("button", { name: "Log scale" }).click();
  await take("metrics");
} finally {
  await browser.close();
  await server.close();
}
