import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { startServer } from "./lib/server.mjs";

test("the types of the page are those of the API", async () => {
  const server = await startServer();
  try {
    const options = { cwd: fileURLToPath(new URL("..", import.meta.url)), encoding: "utf8" };
    const done = spawnSync(process.execPath, ["scripts/types.mjs", server.url, "--check"], options);
    assert.equal(done.status, 0, done.stderr);
  } finally {
    await server.close();
  }
});
