import { describe, expect, it } from "vitest";
import { generatePassword, LETTERS } from "./password";

describe("generatePassword", () => {
  it("has four groups of six letters of the alphabet", () => {
    for (let i = 0; i < 100; i++) expect(generatePassword()).toMatch(new RegExp(`^[${LETTERS}]{6}(-[${LETTERS}]{6}){3}$`));
  });

  it("has another alphabet than letters that look alike", () => {
    expect(new Set(LETTERS).size).toBe(32);
    for (const letter of "lo01") expect(LETTERS).not.toContain(letter);
  });

  it("makes each letter from equally many bytes", () => {
    const counts = new Map<string, number>();
    for (let byte = 0; byte < 256; byte++) {
      const letter = generatePassword((bytes) => bytes.fill(byte))[0] ?? "";
      counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    expect(counts.size).toBe(32);
    expect(new Set(counts.values())).toEqual(new Set([8]));
  });

  it("is another one each time", () => {
    expect(new Set(Array.from({ length: 1000 }, () => generatePassword())).size).toBe(1000);
  });
});
