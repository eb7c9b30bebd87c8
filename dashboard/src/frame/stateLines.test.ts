import { describe, expect, it } from "vitest";
import { connectionLine, statusLines } from "./stateLines";

describe("connectionLine", () => {
  it("is empty while the server answers", () => {
    expect(connectionLine({ isLost: false, retries: 0 }, true)).toBeNull();
  });
  it("counts how many times it was tried", () => {
    expect(connectionLine({ isLost: true, retries: 0 }, true)).not.toContain("Tried");
    expect(connectionLine({ isLost: true, retries: 1 }, true)).toContain("Tried once");
    expect(connectionLine({ isLost: true, retries: 12 }, true)).toContain("Tried 12 times");
  });
  it("tells a device without a connection from a server that does not answer", () => {
    expect(connectionLine({ isLost: true, retries: 3 }, false)).toContain("This device");
  });
});

describe("statusLines", () => {
  it("is empty while all is well, and for what a server does not tell", () => {
    expect(statusLines({})).toEqual([]);
    expect(statusLines({ takes_writes: true, dropped: 0, queue: { used: 10, limit: 100 }, maintenance: { is_failing: false, is_behind: false } })).toEqual([]);
  });
  it("has the most urgent first", () => {
    const lines = statusLines({ takes_writes: false, dropped: 2100, queue: { used: 90, limit: 100 }, maintenance: { is_failing: true, is_behind: true } });
    expect(lines).toHaveLength(5);
    expect(lines[0]).toContain("only be read");
    expect(lines[1]).toContain("2,100 records were dropped");
    expect(lines[2]).toContain("90.0 %");
  });
});
