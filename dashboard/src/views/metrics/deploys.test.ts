import { describe, expect, it } from "vitest";
import { deploys } from "./deploys";

const row = (version: string | null, text: string | null) => ({ by: { version }, of: { count: 1, timestamp__min: text } });
const from = new Date("2026-11-29T10:00:00Z").getTime();

describe("deploys", () => {
  it("are versions first seen in the period", () => {
    expect(deploys([row("v41", "2026-11-29T10:30:00Z"), row("v40", "2026-11-29T09:00:00Z")], from)).toEqual([{ at: new Date("2026-11-29T10:30:00Z").getTime(), name: "v41", requests: 1, note: "first seen" }]);
  });
  it("do not have the version that the records begin with", () => {
    expect(deploys([row("v40", "2026-11-29T10:10:00Z"), row("v41", "2026-11-29T10:30:00Z")], from).map(({ name }) => name)).toEqual(["v41"]);
  });
  it("leave out requests without a version", () => {
    expect(deploys([row(null, "2026-11-29T10:10:00Z"), row("v1", "2026-11-29T09:00:00Z")], from)).toEqual([]);
  });
});
