import { expect, test } from "vitest";
import { oneLine, shortLine, withoutCodes } from "./text";

test("codes of terminals and marks of direction are taken out", () => {
  expect(withoutCodes("\u001b[31mred\u001b[0m \u001b]8;;http://evil\u0007link\u001b]8;;\u0007 \u001b[2J.")).toBe("red link .");
  expect(withoutCodes("\u202eevil\u2066")).toBe("evil");
  expect(withoutCodes("\u0001\u007f\u0000")).toBe("␁␡␀");
});

test("a message is one line, and a long one keeps both ends", () => {
  expect(oneLine("a\r\n  b\tc\n")).toBe("a ↵   b c ↵");
  const long = oneLine(`start${"x".repeat(1_000_000)}end`);
  expect(long.length).toBeLessThan(4100);
  expect(long.startsWith("start") && long.endsWith("end")).toBe(true);
});

test("a short line has no more than its characters", () => {
  expect(shortLine("\u001b[31mred\u001b[0m\n\tnext\u0000\u0007 line")).toBe("red ↵  next␀␇ line");
  expect(shortLine("\u001b]8;;http://x\u0007link\u001b]8;;\u0007")).toBe("link");
  expect(shortLine("a".repeat(1_000_000))).toHaveLength(300);
  expect(shortLine("abcdef", 4)).toBe("abc…");
});
