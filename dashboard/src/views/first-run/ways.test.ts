import { describe, expect, it } from "vitest";
import { WAYS } from "./ways";

const all = (key: string | null) => WAYS.flatMap((way) => way.steps("https://lookback.example.com", key).map((step) => step.text ?? ""));

describe("WAYS", () => {
  it("has the address and the key filled in", () => {
    const file = WAYS.find((way) => way.id === "file")?.steps("https://lookback.example.com", "lb_x")[0]?.text;
    expect(file).toBe('curl https://lookback.example.com/api/v1/logs \\\n    -H "Authorization: Bearer lb_x" \\\n    --data-binary @app.log');
    expect(all("lb_x").join("\n")).not.toMatch(/null|undefined/);
  });

  it("sends no key to a server that asks for none", () => {
    expect(all(null).join("\n")).not.toMatch(/Bearer (null|none|lb_)|null/);
  });
});
