// What the tests of a file have: a server with records, a browser, and for each test a page of its
// own. The names are those of the test that runs; a test file is a process of its own.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import { logIn, openPage, startBrowser } from "./browser.mjs";
import { fill } from "./records.mjs";
import { ADMIN, READER, startServer, startTarget } from "./server.mjs";

export let server, browser, page;
/** Errors of scripts and of the policy on the page; there are none at the end of a test. */
export let wrong;
/** Where requests are sent again: `url` is its address, `arrived` has what came. */
export let target;

/**
 * Sets up all tests of a file, and ends after each of them what it began.
 *
 * - `records`: how many requests the store has, each with its log lines; by default none.
 * - `store`: stores more, given the server.
 * - `hasReader`: whether there is a user who may only read.
 * - `answer`: answers requests that are sent again, as a handler of `node:http`.
 * - `user`: who is logged in; null for nobody.
 * - `at`: the view that is open, by its address below `/ui/`, until `isReady` of the page.
 * - `hasPage`: whether each test has a page; else it opens its own by `onPage`.
 */
export function setUp({ records = 0, store, hasReader = false, answer, user = ADMIN, at, isReady, hasPage = true } = {}) {
  before(async () => {
    if (answer) target = await startTarget(answer);
    browser = await startBrowser();
    server = await startServer(target ? ["--replay-targets", target.url] : []);
    if (records > 0) await fill(server, records);
    if (hasReader) await server.call("POST", "/users", { ...READER, role: "user" });
    await store?.(server);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    target?.close();
  });
  if (!hasPage) return;
  let opened;
  beforeEach(async () => {
    opened = await openPage(browser, server.url);
    ({ page, wrong } = opened);
    if (user) await logIn(page, user);
    if (at !== undefined) await page.goto(`/ui/${at}`);
    await isReady?.();
  });
  afterEach(async () => {
    assert.deepEqual(wrong, []);
    await opened.close();
  });
}

/** Runs a part of a test on a page of its own, such as one of a telephone, as an admin. Nothing goes wrong on it. */
export async function onPage(options, run) {
  const opened = await openPage(browser, server.url, options);
  await logIn(opened.page);
  await run(opened.page);
  assert.deepEqual(opened.wrong, []);
  await opened.close();
}

/** The whole text of what a click downloads. */
export async function download(click) {
  const [file] = await Promise.all([page.waitForEvent("download"), click()]);
  return (await (await file.createReadStream()).toArray()).join("");
}
