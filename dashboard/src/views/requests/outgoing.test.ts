import { expect, test } from "vitest";
import { countSent, NOT_OUTGOING, searchFor, sentOf, withoutOutgoing } from "./outgoing";

test("a search says which requests it asks for", () => {
  expect(["", "status:5xx", "-direction:outgoing", "direction:outgoing status:5xx", "direction:null", "headers.direction:outgoing"].map(sentOf)).toEqual(["both", "both", "received", "sent", "received", "sent"]);
});

test("a choice takes the place of the one before, and what was typed stays", () => {
  const received = searchFor("status:5xx payment", "received");
  expect(received).toBe("status:5xx payment -direction:outgoing");
  expect(searchFor(received, "sent")).toBe("status:5xx payment direction:outgoing");
  expect(searchFor(received, "both")).toBe("status:5xx payment");
  expect(searchFor("", "both")).toBe("");
});

test("those sent are counted", () => {
  const group = (direction: string | null, count: number) => ({ by: { "headers.direction": direction }, of: { count } });
  expect(countSent([group(null, 5), group("outgoing", 3)])).toBe(3);
  expect(countSent([])).toBe(0);
});

test("calls that the application sent are left out, unless they are asked for or the search decides", () => {
  expect(withoutOutgoing("status:5xx", false)).toEqual([NOT_OUTGOING]);
  expect(withoutOutgoing("status:5xx", true)).toEqual([]);
  for (const text of ["direction:outgoing", "-direction:outgoing", "direction:null", "trace:0af7651916cd43dd8448eb211c80319c", "id:7"]) expect(withoutOutgoing(text, false), text).toEqual([]);
  expect(withoutOutgoing("direction", false)).toEqual([NOT_OUTGOING]);
});
