/** Hints for a search that has marks of other search languages: they are letters here. */
import { fieldOf } from "./fields";
import type { Model } from "./fields";
import { quote } from "./lex";
import type { Token } from "./lex";

export interface Hint {
  text: string;
  instead: string | null;
}

/** How several values of a field are written, by an example. */
const VALUES: Record<Model, string> = { logs: "level:warn,error", requests: "status:404,500", metrics: 'endpoint:"GET /a","GET /b"' };
/** A statement that was pasted has these words as its own. */
const SQL = /\b(SELECT|INSERT|UPDATE|DELETE|WHERE)\b/;

/** The hint for each token that is not read as it looks. */
export function hintsFor(text: string, tokens: readonly Token[], model: Model): Map<Token, Hint> {
  const hints = new Map<Token, Hint>();
  const add = (token: Token, said: string, instead: string | null = null) => hints.set(token, { text: said, instead });
  const hasFilters = tokens.some((token) => token.kind === "filter" || isFilterInBrackets(token, model));
  for (const [index, token] of tokens.entries()) {
    if (token.kind === "phrase" || token.kind === "group") continue;
    if (/^(OR|\|\|)$/.test(token.text) && !SQL.test(text)) add(token, `“${token.text}” is searched for as a word. Several values of a field are written ${VALUES[model]}.`);
    else if (/^(AND|&&)$/.test(token.text) && hasFilters) add(token, `“${token.text}” is searched for as a word. Leave it out: all parts of a search are meant.`);
    else if (token.text === "NOT" && hasFilters) add(token, "“NOT” is searched for as a word. Put a - before what is to be left out.");
    else if (isFilterInBrackets(token, model)) add(token, "Brackets are searched for as text, and what is in them is no filter.", token.text.replace(/[()]/g, ""));
    else if (isOpenBracket(token, tokens, index)) add(token, "A bracket is part of the value.", token.text.replace(/\)+$/, ""));
    else if (token.kind === "word" && /^-?"/.test(token.text) && isQuoteOpen(token.text)) {
      const isLast = index === tokens.length - 1;
      add(token, "A quotation mark is not closed: the words behind it are searched for each by itself.", isLast && /[\p{L}\p{N}]/u.test(token.text) ? quote(token.text.replace(/^-?"/, "")) : null);
    }
  }
  return hints;
}

/** `(status:500` */
function isFilterInBrackets(token: Token, model: Model): boolean {
  const name = /^-?\(+([A-Za-z_][\w.]*)[:=<>]\S/.exec(token.text)?.[1];
  return token.kind === "word" && name !== undefined && fieldOf(name, model) !== null;
}

/** `source:API)`, where a word before has the bracket that opens. */
function isOpenBracket(token: Token, tokens: readonly Token[], index: number): boolean {
  return token.kind === "filter" && /^[^("]*\)+$/.test(token.value) && tokens.slice(0, index).some((one) => one.kind === "word" && one.text.startsWith("("));
}

function isQuoteOpen(text: string): boolean {
  return (text.replace(/\\./g, "").match(/"/g)?.length ?? 0) % 2 === 1;
}
