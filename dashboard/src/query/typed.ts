/** Filters of the API as one would type them: `endpoint__ilike=%pay%` is `endpoint:*pay*`. */
import { filterFor, withFilter } from "./edit";
import { ALIASES, OFFERED } from "./fields";
import type { Model } from "./fields";
import { lex, quote, unquote } from "./lex";
import { parse } from "./parse";
import { ROUTE_FIELD } from "./route";

type Pairs = [name: string, value: string][];

/** The parameters that a text asks for. */
function pairsOf(text: string, model: Model): Pairs {
  const { filters, words } = parse(text, model);
  return words === "" ? filters : [...filters, ["match", words]];
}

function isSame(a: Pairs, b: Pairs): boolean {
  const written = (all: Pairs) => all.map((pair) => pair.join("=")).sort().join("&");
  return written(a) === written(b);
}

/** The text of the search box that asks for the same as some parameters, or null if there is none. */
export function typedOf(pairs: Pairs, model: Model): string | null {
  const parts = pairs.map(([name, value]) => typedPart(name, value, model));
  const text = parts.join(" ").trim();
  return !parts.includes(null) && isSame(pairsOf(text, model), pairs) ? text : null;
}

function typedPart(name: string, value: string, model: Model): string | null {
  if (name === "match") return value;
  return candidates(name, value, model).find((text) => isSame(pairsOf(text, model), [[name, value]])) ?? null;
}

/** How it could be typed, the shortest first. The last is the form of the command line, which has all lookups. */
function candidates(name: string, value: string, model: Model): string[] {
  const route = name === "or" ? /^\(headers\.route=("(?:[^"\\]|\\.)*"|[^,()]+),/.exec(value)?.[1] : undefined;
  if (route !== undefined) return [filterFor("route", route.startsWith('"') ? unquote(route) : route)];
  const [, field = "", lookup = ""] = /^(.*?)(?:__([a-z]+))?$/s.exec(name) ?? [];
  const asIs = `${name}=${/[\s"]/.test(value) ? quote(value) : value}`;
  return [...namesOf(field, model).flatMap((one) => typedForms(one, lookup, value)), asIs];
}

/** The names of a field, those that are offered while one types first. */
function namesOf(field: string, model: Model): string[] {
  const offered = OFFERED[model].map(([name]) => name);
  const others = Object.entries(ALIASES[model]).filter(([alias, of]) => of === field && offered.includes(alias) && field !== ROUTE_FIELD).map(([alias]) => alias);
  return [...others, field];
}

function typedForms(field: string, lookup: string, value: string): string[] {
  const glob = () => {
    const text = globOf(value);
    return text === null ? [] : [`${field}:${text}`];
  };
  switch (lookup) {
    case "":
      return [filterFor(field, value)];
    case "ne":
      return [filterFor(field, value, true)];
    case "in":
      return [`${field}:${value}`];
    case "notin":
      return [`-${field}:${value}`];
    case "ilike":
      return glob();
    case "notilike":
      return glob().map((text) => `-${text}`);
    case "gt":
    case "gte":
    case "lt":
    case "lte":
      return [`${field}:${{ gt: ">", gte: ">=", lt: "<", lte: "<=" }[lookup]}${value}`];
    case "between": {
      const [from = "", until = ""] = value.split(",");
      const isClass = /^[1-5]00$/.test(from) && until === `${from[0] ?? ""}99`;
      return [...(isClass ? [`${field}:${from[0] ?? ""}xx`] : []), `${field}:${from}..${until}`];
    }
    case "isnull":
      return [`${field}:null`];
    case "isnotnull":
      return [`${field}:*`];
    default:
      return [];
  }
}

/** A pattern of SQL with stars for its gaps, or null if stars cannot say it. */
export function globOf(pattern: string): string | null {
  if (pattern.includes("*")) return null;
  let text = "";
  for (const [part] of pattern.matchAll(/\\?./gsu)) {
    if (part === "_") return null;
    text += part === "%" ? "*" : part.length > 1 && part.startsWith("\\") ? part.slice(1) : part;
  }
  return text;
}

/** A search with what another model has of it, and what is left out. */
export function searchForModel(text: string, model: Model): { text: string; leftOut: string[] } {
  const translated = model === "metrics" ? withEndpoint(text) : text;
  const { terms } = parse(translated, model);
  const isUsed = (term: (typeof terms)[number]) => !term.isOfAnotherModel && (model !== "metrics" || term.word === "");
  const of = (term: (typeof terms)[number]) => translated.slice(term.start, term.end);
  return { text: terms.filter(isUsed).map(of).join(" "), leftOut: terms.filter((term) => !isUsed(term)).map(of) };
}

/** Windows have the method and the route of requests as one, by the name of the endpoint. */
export function withEndpoint(text: string): string {
  const tokens = lex(text);
  const one = (name: string) => {
    const found = tokens.filter((token) => token.kind === "filter" && token.name.toLowerCase() === name);
    const [token] = found;
    return found.length === 1 && token?.kind === "filter" && token.sign === ":" && token.isWhole && !token.hasMinus && token.pieces.length === 1 ? token : null;
  };
  const route = one("route");
  const name = route?.pieces[0]?.text ?? "";
  if (route === null || !name.startsWith("/")) return text;
  const method = one("method");
  const verb = method?.pieces[0]?.text.toUpperCase();
  // A pattern says nothing of a method before it.
  const whole = verb === undefined || name.includes("*") ? null : `${verb} ${name}`;
  const kept = tokens.filter((token) => token !== route && (whole === null || token !== method)).map((token) => token.text).join(" ");
  return whole === null ? `${kept} endpoint:*${name}`.trim() : withFilter(kept, "endpoint", whole);
}
