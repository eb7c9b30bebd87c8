// A server of its own for the tests: the program, on a private PostgreSQL that nothing else uses.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = process.env.LOOKBACK ?? join(root, "target/debug/lookback");

export const ADMIN = { email: "ada@shop.example", password: "copper-lantern-42" };
export const READER = { email: "bob@shop.example", password: "velvet-harbor-77" };

/** Starts a server on an empty store; `close` ends it and takes the store away. */
export async function startServer(options = []) {
  const folder = mkdtempSync(join(tmpdir(), "lookback-page-"));
  // PostgreSQL, which root starts as another user, has to get there.
  chmodSync(folder, 0o755);
  const data = join(folder, "data");
  const environment = { ...process.env, LOOKBACK_ADMIN_EMAIL: ADMIN.email, LOOKBACK_ADMIN_PASSWORD: ADMIN.password };
  delete environment.DATABASE_URL;
  delete environment.LOOKBACK_DATABASE_URL;
  const run = (...args) => {
    const done = spawnSync(program, [...args, "--data-dir", data], { env: environment, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`lookback ${args.join(" ")}: ${done.stderr}`);
    return done.stdout.trim();
  };
  run("db", "migrate", "--quiet");
  const key = run("keys", "create", "tests", "--scope", "admin", "--quiet");
  const serving = spawn(program, ["serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--otlp-grpc", "off", "--otlp-http", "off", ...options], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  const url = await new Promise((resolve, reject) => {
    const listen = (text) => {
      log += text;
      const found = /listening on (http:\/\/\S+)/.exec(log);
      if (found) resolve(found[1]);
    };
    serving.stdout.setEncoding("utf8").on("data", listen);
    serving.stderr.setEncoding("utf8").on("data", listen);
    serving.on("exit", (status) => reject(new Error(`lookback serve ended with ${status}: ${log}`)));
  });
  const call = async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  };
  return {
    url,
    call,
    run,
    async close() {
      if (serving.exitCode === null) {
        serving.kill("SIGTERM");
        await once(serving, "exit");
      }
      spawnSync(program, ["pg", "stop", "--data-dir", data, "--quiet"]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts another server on this machine; `arrived` has what it was asked. */
export async function startTarget(answer) {
  const arrived = [];
  const listening = http.createServer((request, response) => {
    arrived.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${listening.address().port}`, arrived, close: () => listening.close() };
}

/** An answer of JSON, as a handler of requests. */
export function answering(value) {
  return (_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(value));
  };
}
