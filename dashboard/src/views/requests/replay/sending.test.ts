import { beforeEach, describe, expect, test } from "vitest";
import type { ReplayAnswer, Settings } from "./api";
import { Sender } from "./sending";
import type { Phase } from "./sending";

const SETTINGS: Settings = { target: "http://localhost:3000", headers: {}, query: {}, body: null, sendMasked: false };
const SHOWN: ReplayAnswer = { result: "dry_run", target_is_allowed: true };

describe("a replay that is asked for", () => {
  let phases: Phase["kind"][];
  let sent: Settings[];
  let sender: Sender;
  let show: (answer: ReplayAnswer) => void;
  let fail: () => void;
  let answer: () => void;
  const steps = (isSafe: boolean) => ({
    isSafe,
    preview: () =>
      new Promise<ReplayAnswer>((resolve, reject) => {
        show = resolve;
        fail = () => reject(new Error("no answer"));
      }),
    send: (settings: Settings) => {
      sent.push(settings);
      return new Promise<void>((resolve) => {
        answer = resolve;
      });
    },
  });
  const settle = () => new Promise((done) => setTimeout(done));
  beforeEach(() => {
    [phases, sent] = [[], []];
    sender = new Sender((phase) => phases.push(phase.kind));
  });

  test("waits for its preview, and is sent then", async () => {
    void sender.ask(SETTINGS, steps(true));
    expect([phases, sent]).toEqual([["waiting"], []]);
    show(SHOWN);
    await settle();
    expect([phases, sent]).toEqual([["waiting", "sending"], [SETTINGS]]);
    answer();
    await settle();
    expect(phases.at(-1)).toBe("idle");
  });

  test("is sent once, however often it is asked for", async () => {
    for (let times = 0; times < 3; times++) void sender.ask(SETTINGS, steps(true));
    show(SHOWN);
    await settle();
    void sender.ask(SETTINGS, steps(true));
    await settle();
    expect(sent).toHaveLength(1);
  });

  test("is not sent after it was taken back, also if the preview comes later", async () => {
    void sender.ask(SETTINGS, steps(true));
    sender.cancel();
    show(SHOWN);
    await settle();
    expect([phases, sent]).toEqual([["waiting", "idle"], []]);
  });

  test("of other settings is another wish, whose preview alone counts", async () => {
    void sender.ask(SETTINGS, steps(true));
    const showFirst = show;
    sender.cancel();
    const other = { ...SETTINGS, target: "http://localhost:4000" };
    void sender.ask(other, steps(true));
    showFirst(SHOWN);
    await settle();
    expect(sent).toEqual([]);
    show(SHOWN);
    await settle();
    expect(sent).toEqual([other]);
  });

  test.each<[string, () => void]>([
    ["to a server that is not allowed", () => show({ ...SHOWN, target_is_allowed: false })],
    ["that cannot be built", () => show({ ...SHOWN, result: "not_sent" })],
    ["without a preview", () => fail()],
  ])("%s is not sent, and can be asked for again", async (_, end) => {
    void sender.ask(SETTINGS, steps(true));
    end();
    await settle();
    expect([phases, sent]).toEqual([["waiting", "refused"], []]);
    void sender.ask(SETTINGS, steps(true));
    show(SHOWN);
    await settle();
    expect(sent).toHaveLength(1);
  });

  test("that may change data is asked about, and sent once it is confirmed", async () => {
    void sender.ask(SETTINGS, steps(false));
    show(SHOWN);
    await settle();
    expect([phases, sent]).toEqual([["waiting", "asking"], []]);
    void sender.confirm(steps(false).send);
    void sender.confirm(steps(false).send);
    expect(sent).toEqual([SETTINGS]);
  });

  test("that may change data is not sent without being confirmed", async () => {
    void sender.ask(SETTINGS, steps(false));
    show(SHOWN);
    await settle();
    sender.cancel();
    void sender.confirm(steps(false).send);
    expect([phases.at(-1), sent]).toEqual(["idle", []]);
  });

  test("cannot be taken back while it is sent, so that it is not sent twice", async () => {
    void sender.ask(SETTINGS, steps(true));
    show(SHOWN);
    await settle();
    sender.cancel();
    void sender.ask(SETTINGS, steps(true));
    await settle();
    expect([phases.at(-1), sent.length]).toEqual(["sending", 1]);
  });
});
