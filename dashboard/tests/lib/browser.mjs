// Chromium of the machine, and pages that fail their test when something on them goes wrong.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { ADMIN } from "./server.mjs";

const paths = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function startBrowser() {
  const executablePath = paths.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("there is no Chromium; set CHROMIUM to its path");
  // Containers have little shared memory, and often no sandbox; the pages here are our own.
  const args = ["--disable-dev-shm-usage"];
  if (process.getuid?.() !== 0) {
    try {
      return await chromium.launch({ executablePath, args });
    } catch (error) {
      if (!/sandbox/i.test(String(error))) throw error;
    }
  }
  return chromium.launch({ executablePath, args: [...args, "--no-sandbox"] });
}

/** Opens a page of a context of its own. `wrong` collects errors of scripts and of the policy. */
export async function openPage(browser, url, { width = 1280, height = 800, scheme = "light", ...context } = {}) {
  const page = await (await browser.newContext({ viewport: { width, height }, colorScheme: scheme, baseURL: url, ...context })).newPage();
  page.setDefaultTimeout(30_000);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.stack ?? error.message));
  page.on("console", (message) => {
    // The browser reports each answer that is no success by itself.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("blob:")) wrong.push(`it loads ${request.url()}`);
  });
  return { page, wrong, close: () => page.context().close() };
}

/** Logs somebody in, in the place of who is logged in. */
export async function logIn(page, { email, password } = ADMIN) {
  await page.context().clearCookies();
  await page.goto("/ui/");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Views" }).waitFor();
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds on a page that is serious or critical. */
export async function faults(page) {
  // The page lets no script in; the browser itself runs it.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`));
}
