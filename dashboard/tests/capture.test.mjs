// Clients as people have them, in front of an application that is captured: Chromium and curl. And an
// archive of what was captured, which a browser reads.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import Ajv from "ajv";
import schemas from "har-schema";
import { startBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";

const program = join(dirname(process.env.LOOKBACK ?? ""), "shop");
const folder = mkdtempSync(join(tmpdir(), "lookback-capture-"));
let server, browser, shop, address;

/** Starts the example shop, whose requests are captured. */
async function open() {
  const url = server.run("pg", "url");
  const environment = { ...process.env, LOOKBACK_DATABASE_URL: url, DATABASE_URL: url.replace(/\/[^/?]*(\?|$)/, "/shop$1"), ADDRESS: "127.0.0.1:0", NO_COLOR: "1" };
  shop = spawn(program, [], { env: environment, stdio: ["ignore", "pipe", "inherit"] });
  let log = "";
  address = await new Promise((resolve, reject) => {
    shop.stdout.setEncoding("utf8").on("data", (text) => {
      log += text;
      const found = /the shop is open: (http:\/\/\S+)/.exec(log);
      if (found) resolve(found[1]);
    });
    shop.on("exit", (status) => reject(new Error(`the shop ended with ${status}: ${log}`)));
  });
}

async function close() {
  if (shop?.exitCode !== null) return;
  shop.kill("SIGTERM");
  await once(shop, "exit");
}

/** What is captured of a path, the oldest first, once there is as much. */
async function captured(path, count = 1, filter = "") {
  for (let tries = 0; tries < 200; tries++) {
    const { data } = await server.call("GET", `/requests?path=${encodeURIComponent(path)}&order_by=id${filter}`);
    if (data.length >= count) {
      assert.equal(data.length, count, JSON.stringify(data));
      return Promise.all(data.map(async ({ id }) => (await server.call("GET", `/requests/${id}`)).data));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing of ${path} is captured`);
}

/** What the published schema of HAR 1.2 finds in an archive. */
function faultsOf(archive) {
  const ajv = new Ajv({ allErrors: true, schemaId: "auto" });
  ajv.addMetaSchema(createRequire(import.meta.url)("ajv/lib/refs/json-schema-draft-06.json"));
  for (const [name, schema] of Object.entries(schemas)) if (name !== "har") ajv.addSchema(schema);
  const isValid = ajv.compile(schemas.har);
  return isValid(archive) ? [] : isValid.errors.map(({ dataPath, message }) => `${dataPath} ${message}`);
}

const skip = existsSync(program) ? false : "the example shop is not built";

before(async () => {
  if (skip) return;
  browser = await startBrowser();
  server = await startServer();
  await open();
});
after(async () => {
  await browser?.close();
  await close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a browser gets what the application sends, and is captured", { skip }, async () => {
  const page = await browser.newPage({ baseURL: address });
  const shown = await page.goto("/products?search=lamp");
  assert.equal(shown.status(), 200);
  const body = await shown.json();
  const trace = shown.headers().traceparent;
  assert.match(trace, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
  const [request] = await captured("/products");
  assert.equal(request.trace_id, trace.slice(3, 35));
  assert.deepEqual(request.response_body, body);
  assert.deepEqual(request.query, { search: "lamp" });
  assert.equal(request.status_code, 200);
  assert.equal(request.headers["sec-fetch-mode"], "navigate");
  assert.match(request.headers["user-agent"], /Chrome/);

  // A script logs in, with a cookie.
  const token = await page.evaluate(async () => {
    document.cookie = "session=planted-secret-77";
    const log_in = { email: "ada@shop.test", password: "correct horse" };
    const response = await fetch("/login", { method: "POST", body: JSON.stringify(log_in), headers: { "content-type": "application/json" } });
    return (await response.json()).token;
  });
  const [login] = await captured("/login");
  assert.equal(login.user_id, "ada@shop.test");
  assert.equal(login.body.email, "ada@shop.test");
  for (const secret of ["correct horse", "planted-secret-77", token]) {
    assert.ok(!JSON.stringify(login).includes(secret), secret);
  }

  // One that is given up before its answer.
  await page.evaluate(async () => {
    const given_up = new globalThis.AbortController();
    const waiting = fetch("/report?given=up", { signal: given_up.signal }).catch((error) => error.name);
    setTimeout(() => given_up.abort(), 50);
    return waiting;
  });
  // Some reports fail at once.
  const [given_up] = await captured("/report", 1, "&query.given=up");
  assert.ok([null, 500].includes(given_up.status_code), String(given_up.status_code));
  // A large one, whose body the application refuses.
  const status = await page.evaluate(async () => {
    const text = JSON.stringify({ email: "x".repeat(1_000_000), password: "" });
    return (await fetch("/login", { method: "POST", body: text, headers: { "content-type": "application/json" } })).status;
  });
  const [, large] = await captured("/login", 2);
  assert.equal(large.status_code, status);
  assert.ok(JSON.stringify(large.body).length < 100_000);
  await page.context().close();
});

const hasCurl = spawnSync("curl", ["--version"]).status === 0;

test("curl gets what the application sends, and is captured", { skip: skip || (hasCurl ? false : "there is no curl") }, async () => {
  const curl = (...args) => {
    const done = spawnSync("curl", ["-sS", "--max-time", "30", ...args], { encoding: "utf8", input: args.includes("-") || args.includes("@-") ? `{"email":"bob@shop.test","password":"correct horse"}` : undefined });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout;
  };
  const json = ["-H", "content-type: application/json"];
  const posts = [
    ["-d", "@-"],
    ["-d", "@-", "-H", "transfer-encoding: chunked"],
    ["-d", "@-", "-H", "expect: 100-continue"],
    ["-X", "POST", "-T", "-"],
    ["-d", "@-", "--compressed"],
    ["-d", "@-", "--http1.0"],
  ];
  for (const post of posts) assert.match(curl(...json, ...post, `${address}/login?by=curl`), /^\{"token":"[0-9a-f]{32}"\}$/, post.join(" "));
  const requests = await captured("/login", posts.length, "&query.by=curl");
  for (const request of requests) {
    assert.equal(request.body.email, "bob@shop.test");
    assert.equal(request.user_id, "bob@shop.test");
    assert.equal(request.status_code, 200);
    assert.deepEqual(request.query, { by: "curl" });
  }
  // Without a body, of the other methods, and of two on one connection.
  assert.match(curl("-I", `${address}/health`), /^HTTP\/1.1 200/);
  assert.match(curl("-i", "-X", "OPTIONS", `${address}/health`), /^HTTP\/1.1 405/);
  assert.equal(curl(`${address}/health`, `${address}/health`), "openopen");
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  assert.match(curl("-i", "-H", `traceparent: 00-${trace}-00f067aa0ba902b7-01`, `${address}/products/1`), new RegExp(`traceparent: 00-${trace}-`));
  const [traced] = await captured("/products/1");
  assert.equal(traced.trace_id, trace);
});

test("an archive of all that was captured is valid", { skip }, () => {
  const path = join(folder, "all.har");
  server.run("requests", "export", "--format", "har", "--out", path, "--quiet");
  const archive = JSON.parse(readFileSync(path, "utf8"));
  assert.ok(archive.log.entries.length >= 4, `${archive.log.entries.length} entries`);
  assert.deepEqual(faultsOf(archive), []);
  // It does find faults.
  delete archive.log.entries[0].request.method;
  archive.log.entries[1].startedDateTime = "yesterday";
  assert.ok(faultsOf(archive).length >= 2);
});

test("a browser reads the archive of what was captured", { skip }, async () => {
  const [request] = await captured("/products");
  const archive = join(folder, "shop.har");
  server.run("requests", "export", `id=${request.id}`, "--format", "har", "--out", archive, "--quiet");
  assert.equal(JSON.parse(readFileSync(archive, "utf8")).log.version, "1.2");
  await close();
  const page = await browser.newPage();
  await page.routeFromHAR(archive, { notFound: "abort" });
  const shown = await page.goto(`${address}/products?search=lamp`);
  assert.equal(shown.status(), 200);
  assert.deepEqual(await shown.json(), request.response_body);
  await assert.rejects(page.goto(`${address}/products?search=table`));
  await page.context().close();
});
