import { expect, test } from "vitest";
import { commandOf } from "./exports";

test("a command is copied without the comments above it, which a shell may run", () => {
  const exported = "# request 7, 2026-11-29T10:00:00Z: GET /;touch x\n# masked: header cookie;touch y\ncurl -X GET http://shop.example/ \\\n  --data-raw '\n# a body\n'\n\n";
  expect(commandOf(exported)).toBe("curl -X GET http://shop.example/ \\\n  --data-raw '\n# a body\n'\n");
});

test("a request that cannot be sent says why", () => {
  expect(() => commandOf("# request 7, 2026-11-29T10:00:00Z: GET / cannot be sent: x; cannot be sent: its host is not known\n\n")).toThrow("It cannot be sent: its host is not known.");
  expect(() => commandOf("")).toThrow("There is no such command.");
});
