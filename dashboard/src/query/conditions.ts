/** Conditions as the API takes them: parameters, and groups of them. */
import { quote } from "./lex";

export interface Condition {
  /** The field, with its lookup: `level__in`. */
  name: string;
  /** As the API reads it: with quotes where these belong to the form. */
  text: string;
  isList: boolean;
}

export interface Group {
  how: "and" | "or" | "not";
  of: Node[];
}

export type Node = Condition | Group;

const OPPOSITES = new Map(
  [
    ["", "__ne"],
    ["__in", "__notin"],
    ["__between", "__notbetween"],
    ["__ilike", "__notilike"],
    ["__isnull", "__isnotnull"],
  ].flatMap(([a = "", b = ""]): [string, string][] => [
    [a, b],
    [b, a],
  ]),
);

/** A condition on a field. */
export function condition(field: string, lookup: string, text: string, isList = false): Condition {
  return { name: lookup === "" ? field : `${field}__${lookup}`, text, isList };
}

/** All records for which a condition is not true, NULL or not. */
export function not(node: Node): Node {
  if (!("how" in node)) {
    const [, field = "", lookup = ""] = /^(.*?)((?:__[a-z]+)?)$/s.exec(node.name) ?? [];
    const opposite = OPPOSITES.get(lookup);
    if (opposite !== undefined && node.text !== "false") return { ...node, name: `${field}${opposite}` };
  } else if (node.how === "not" && node.of[0]) return node.of[0];
  return { how: "not", of: [node] };
}

export function join(how: "and" | "or", nodes: Node[]): Node {
  return nodes.length === 1 && nodes[0] ? nodes[0] : { how, of: nodes };
}

/** The parameter of a condition or a group. */
export function asParameter(node: Node): [name: string, value: string] {
  return "how" in node ? [node.how, `(${node.of.map(inGroup).join(",")})`] : [node.name, node.text];
}

function inGroup(node: Node): string {
  if ("how" in node) return `${node.how}(${node.of.map(inGroup).join(",")})`;
  if (node.isList) return `${node.name}=(${node.text})`;
  return `${node.name}=${/^(".*"|[^\s,()"\\]+)$/s.test(node.text) ? node.text : quote(node.text)}`;
}

/** A value that is meant letter by letter: one that begins with a quote stands in quotes. */
export function literal(text: string): string {
  return text.startsWith('"') ? quote(text) : text;
}

/** A value as an item of a list. */
export function item(text: string): string {
  return /^[^\s",\\()]+$/.test(text) ? text : quote(text);
}
