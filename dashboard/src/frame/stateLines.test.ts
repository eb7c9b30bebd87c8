import { describe, expect, it } from "vitest";
import type { Status } from "../api/status";
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
  const use = (used: number) => ({ used, limit: 100 });
  const well: Status = {
    version: "1.0.0",
    uptime_seconds: 60,
    is_ready: true,
    problem: null,
    limits: { body_bytes: use(10), ingests: use(0), tail_readers: use(1), pool_connections: use(100) },
    refused_bodies: { busy: 5, invalid: 7 },
    syslog: { dropped: 9 },
    maintenance: { is_failing: false, is_behind: false, unsealed_ids: 1000 },
    alert_deliveries: { delivered: 1, failed: 2 },
  };
  it("is empty while all is well, whatever was counted before", () => {
    expect(statusLines(well, well)).toEqual([]);
    expect(statusLines({ ...well, syslog: null, maintenance: null }, well)).toEqual([]);
  });
  it("has the most urgent first", () => {
    const lines = statusLines(
      {
        ...well,
        is_ready: false,
        problem: "the database does not answer",
        syslog: { dropped: 2109 },
        refused_bodies: { busy: 6, invalid: 7 },
        limits: { ...well.limits, ingests: use(90) },
        maintenance: { is_failing: true, is_behind: true, unsealed_ids: 2_000_000 },
        alert_deliveries: { delivered: 1, failed: 3 },
      },
      well,
    );
    expect(lines).toEqual([
      "The server accepts no records: the database does not answer.",
      "2,100 syslog messages were dropped.",
      "1 body was refused because too many arrived at once: clients have to send it again.",
      "Room for bodies is 90.0 % full.",
      "Maintenance fails: the server’s log says why.",
      "Sealing is behind by 2,000,000 records: searches take longer.",
      "1 attempt to notify a webhook failed.",
    ]);
  });
  it("counts from 0 for a process that started again", () => {
    expect(statusLines({ ...well, syslog: { dropped: 3 } }, well)[0]).toContain("3 syslog messages");
  });
});
