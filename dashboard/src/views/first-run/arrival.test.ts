import { describe, expect, it } from "vitest";
import type { Log, RequestSnapshot } from "../../api/client";
import { arrived } from "./arrival";

const none = { log: null, request: null, metric: null };
const log = (id: number) => ({ id }) as Log;

describe("arrived", () => {
  it("waits while nothing is there", () => {
    expect(arrived(none, none)).toMatchObject({ wasEmpty: true, hasArrived: false });
  });

  it("sees the first record of any kind", () => {
    expect(arrived(none, { ...none, log: log(1) })).toMatchObject({ wasEmpty: true, hasArrived: true });
    expect(arrived(none, { ...none, request: { id: 1 } as RequestSnapshot })).toMatchObject({ wasEmpty: true, hasArrived: true });
  });

  it("counts only what is newer than what was there", () => {
    expect(arrived({ ...none, log: log(7) }, { ...none, log: log(7) })).toMatchObject({ wasEmpty: false, hasArrived: false });
    expect(arrived({ ...none, log: log(7) }, { ...none, log: log(8) })).toMatchObject({ wasEmpty: false, hasArrived: true });
  });
});
