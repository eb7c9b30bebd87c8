import { describe, expect, test } from "vitest";
import { parse, pathWith, withFilter, withoutTerm } from "./parse";
import type { Model } from "./parse";

const NOW = new Date(2026, 10, 29, 12, 0);

function filters(text: string, model: Model = "requests"): string[] {
  return parse(text, model, NOW).filters.map(([name, value]) => `${name}=${value}`);
}

function words(text: string, model: Model = "logs"): string {
  return parse(text, model, NOW).words;
}

describe("filters", () => {
  test.each<[Model, string, string]>([
    ["logs", "level:error", "level=error"],
    ["logs", "LEVEL:Error", "level=error"],
    ["logs", "level:error,warn", "level__in=error,warn"],
    ["logs", "level:error,", "level=error"],
    ["logs", "-level:error,warn", "level__notin=error,warn"],
    ["logs", "level:>=warn", "level__gte=warn"],
    ["logs", "level>=warn", "level__gte=warn"],
    ["logs", "level!=debug", "level__ne=debug"],
    ["logs", "level:*r*", "level__in=warn,error"],
    ["logs", "-source:API", "source__ne=API"],
    ["logs", 'source:"a b"', "source=a b"],
    ["logs", 'source:API,"a, b",""', 'source__in=API,"a, b",""'],
    ["logs", 'source:"\\"q\\""', 'source="\\"q\\""'],
    ["logs", "source:a..b", "source=a..b"],
    ["logs", "source:50%*", "source__ilike=50\\%%"],
    ["logs", 'source:"50*"', "source=50*"],
    ["logs", "source:null", "source__isnull=true"],
    ["logs", 'source:"null"', "source=null"],
    ["logs", "-source:*", "source__isnull=true"],
    ["logs", "trace:null,abc", "or=(trace_id__isnull=true,trace_id=abc)"],
    ["logs", "message:timeout", "message__icontains=timeout"],
    ["logs", 'message:"slow query"', "message__icontains=slow query"],
    ["logs", "-message:timeout", "not=(message__icontains=timeout)"],
    ["logs", "msg:slow*query", "message__ilike=%slow%query%"],
    ["logs", "time:>-1h", "created_at__gt=-1h"],
    ["logs", "time:>=now", "created_at__gte=now"],
    ["requests", "status:5xx", "status_code__between=500,599"],
    ["requests", "-status:5xx", "status_code__notbetween=500,599"],
    ["requests", "status:404,5xx", "or=(status_code=404,status_code__between=(500,599))"],
    ["requests", "-status:4xx,5xx", "not=(or(status_code__between=(400,499),status_code__between=(500,599)))"],
    ["requests", "status:404,409,5xx", "or=(status_code__in=(404,409),status_code__between=(500,599))"],
    ["requests", "status:>=5xx", "status_code__gte=500"],
    ["requests", "status:>4xx", "status_code__gt=499"],
    ["requests", "status:null", "status_code__isnull=true"],
    ["requests", "duration:>500", "duration__gt=500"],
    ["requests", "duration:>1.5s", "duration__gt=1500"],
    ["requests", "-duration:>500", "not=(duration__gt=500)"],
    ["requests", "duration:100..500", "duration__between=100,500"],
    ["requests", "duration:100..", "duration__gte=100"],
    ["requests", "duration:..500", "duration__lte=500"],
    ["requests", "-duration:100..500", "duration__notbetween=100,500"],
    ["requests", "path:/orders/*", "path__ilike=/orders/%"],
    ["requests", "path=/orders/*", "path=/orders/*"],
    ["requests", "path:/a/*,/b", "or=(path__ilike=/a/%,path=/b)"],
    ["requests", "path:/a/../b", "path=/a/../b"],
    ["requests", "method:get", "method=GET"],
    ["requests", 'method:"get"', "method=get"],
    ["requests", "country:de,fr", "geo_country__in=DE,FR"],
    ["requests", "geo_source:none", "geo_source=none"],
    ["requests", "user:null", "user_id__isnull=true"],
    ["requests", "user:none", "user_id__isnull=true"],
    ["requests", "-user:none", "user_id__isnotnull=true"],
    ["requests", 'user:"none"', "user_id=none"],
    ["requests", "direction:none", "headers.direction__isnull=true"],
    ["requests", "headers.Content-Type:text/html", "headers.Content-Type=text/html"],
    ["requests", "-direction:outgoing", "headers.direction__ne=outgoing"],
    // By its full name it is what capture noted, and nothing else.
    ["requests", "headers.route:/orders/{id}", "headers.route=/orders/{id}"],
    ["requests", "route=/orders/{id}", "headers.route=/orders/{id}"],
    ["requests", "route:null", "headers.route__isnull=true"],
    ["requests", "route:/orders", "or=(headers.route=/orders,and(headers.route__isnull=true,headers.direction__ne=outgoing,path=/orders))"],
    ["requests", "route:/a/*", "or=(headers.route__ilike=/a/%,and(headers.route__isnull=true,headers.direction__ne=outgoing,path__ilike=/a/%))"],
    ["metrics", "errors:>5%", "error_rate__gt=0.05"],
    ["metrics", 'endpoint:"GET /orders"', "endpoint=GET /orders"],
    ["logs", "meta.user.id:42", "meta.user.id=42"],
    ["logs", 'meta.user.id:"42"', 'meta.user.id="42"'],
    ["logs", "meta.user.id:42,43", "meta.user.id__in=42,43"],
    ["logs", 'meta.id:42,"a b"', 'meta.id__in=42,"a b"'],
    ["logs", 'meta."http.route":/orders', 'meta."http.route"=/orders'],
    ["logs", 'meta."a b".c:x', 'meta."a b".c=x'],
    ["logs", "meta.ms:>500", "meta.ms__gt=500"],
    ["logs", "meta.ms:1..5", "meta.ms__between=1,5"],
    ["logs", "meta.name:a*", "meta.name__ilike=a%"],
    ["logs", "meta.x:null", "meta.x__isnull=true"],
    ["logs", "-meta.x:*", "meta.x__isnull=true"],
    ["logs", 'meta.ms>"10ms"', 'meta.ms__gt="10ms"'],
    ["logs", "meta:*", "meta__isnotnull=true"],
  ])("%s: %s", (model, text, expected) => {
    expect(filters(text, model)).toEqual([expected]);
    expect(parse(text, model).problems).toEqual([]);
    expect(words(text, model)).toBe("");
  });

  test.each<[Model, string, string[]]>([
    ["logs", "level__in=warn,error", ["level__in=warn,error"]],
    ["logs", 'source__in="a, b",c', ['source__in="a, b",c']],
    ["logs", "-level__in=warn,error", ["level__notin=warn,error"]],
    ["logs", "-meta.a__exists=true", ["not=(meta.a__exists=true)"]],
    ["logs", "level__in=warn,error&created_at__gte=-15m&source=API", ["level__in=warn,error", "created_at__gte=-15m", "source=API"]],
    ["logs", 'or=(level=error,and(source="a )",id__in=(1,2)))', ['or=(level=error,and(source="a )",id__in=(1,2)))']],
    ["logs", "not(level=error)", ["not=(level=error)"]],
    ["requests", "path__startswith=/api status_code__gte=500", ["path__startswith=/api", "status_code__gte=500"]],
    ["requests", "user_id__isnull=true", ["user_id__isnull=true"]],
    ["metrics", "p99_latency__gt__field=p50_latency", ["p99_latency__gt__field=p50_latency"]],
  ])("as for the API, %s: %s", (model, text, expected) => {
    expect(filters(text, model)).toEqual(expected);
    expect(parse(text, model).problems).toEqual([]);
  });

  test("several conditions on one field are sent as several parameters", () => {
    expect(filters("duration:>100 duration:<500 -path:/a -path:/b")).toEqual(["duration__gt=100", "duration__lt=500", "path__ne=/a", "path__ne=/b"]);
  });

  test("days are days of the local zone", () => {
    const iso = (year: number, month: number, day: number, hours = 0, minutes = 0) => new Date(year, month, day, hours, minutes).toISOString();
    expect(filters("time:2026-11-29")).toEqual([`and=(timestamp__gte=${iso(2026, 10, 29)},timestamp__lt=${iso(2026, 10, 30)})`]);
    expect(filters("time:>2026-11-29")).toEqual([`timestamp__gte=${iso(2026, 10, 30)}`]);
    expect(filters("time:<=2026-11-29")).toEqual([`timestamp__lt=${iso(2026, 10, 30)}`]);
    expect(filters('time:"2026-11-29 10:00".."2026-11-29 11:00"')).toEqual([`and=(timestamp__gte=${iso(2026, 10, 29, 10)},timestamp__lt=${iso(2026, 10, 29, 11, 1)})`]);
    expect(filters("time:>10:30")).toEqual([`timestamp__gte=${iso(2026, 10, 29, 10, 31)}`]);
  });
});

describe("problems", () => {
  test.each<[Model, string, string, string | null]>([
    ["logs", "level:verbose", "level is one of debug, info, warn, error.", null],
    ["logs", "level:warning", "level is one of debug, info, warn, error.", "level:warn"],
    ["logs", "-level:eror", "level is one of debug, info, warn, error.", "-level:error"],
    ["logs", "level:", "level needs a value.", null],
    ["logs", "source:,", "source needs a value.", null],
    ["logs", 'source:"a b', "A quotation mark is not closed.", 'source:"a b"'],
    ["logs", "level__im=error", "There is no lookup im of level.", "level__in=error"],
    ["logs", "meta:x", "Name a part of meta, such as meta.id:42.", null],
    ["logs", "meta.ms:>10ms", "10ms is not a number; in quotes it is compared as text.", 'meta.ms:>"10ms"'],
    ["requests", "status:abc", "status is a whole number, such as 502 or 5xx.", null],
    ["requests", "duration:>fast", "duration is a number, such as 500 (milliseconds) or 2s.", null],
    ["requests", "duration:>99999999999", "duration is never so large.", null],
    ["requests", "time:later", "time is a time, such as -15m, 10:30 or 2026-11-29.", null],
    ["metrics", "errors:>5", "errors is a share from 0 to 1.", "errors:>5%"],
  ])("%s: %s", (model, text, problem, instead) => {
    const query = parse(text, model, NOW);
    expect(query.filters).toEqual([]);
    expect(query.problems.map((term) => term.problem)).toEqual([{ text: problem, instead }]);
    if (instead !== null) expect(parse(instead, model, NOW).problems).toEqual([]);
  });

  test("a field that there is not is searched for as a word, with the nearest one", () => {
    const query = parse("staus:500", "requests");
    expect(query.words).toBe("staus:500");
    expect(query.problems[0]?.problem).toEqual({ text: "There is no field staus: “staus:500” is searched for as text.", instead: "status:500" });
  });

  test("the note of a field has no codes that turn the words around it", () => {
    expect(parse("staus:a\u202eb", "requests").problems[0]?.problem?.text).toBe("There is no field staus: “staus:ab” is searched for as text.");
  });

  test("a field that another model may have is named, with its view", () => {
    expect(parse("statsu:500", "requests").problems[0]?.problem?.instead).toBe("status:500");
    for (const model of ["logs", "metrics"] as const) {
      const { problems, words: sent } = parse("statsu:500", model);
      expect(sent).toBe("statsu:500");
      expect(problems[0]?.problem).toEqual({ text: "There is no field statsu: “statsu:500” is searched for as text. Requests have status.", instead: null, elsewhere: { model: "requests", text: "status:500" } });
    }
    expect(parse("levle:error", "requests").problems[0]?.problem?.elsewhere).toEqual({ model: "logs", text: "level:error" });
    for (const text of ["session:x", "port:5432", "error:EOF", "code:500", "http://x"]) expect(parse(text, "logs").problems, text).toEqual([]);
  });

  test("a word that is too long is reported, and finds nothing by itself", () => {
    const alone = parse("a".repeat(5000), "logs");
    expect(alone.problems.map((term) => term.problem?.text)).toEqual(["This word is too long to be searched for."]);
    expect([alone.filters, alone.words]).toEqual([[["id", "-1"]], ""]);
    const beside = parse(`timeout ${"a".repeat(5000)}`, "logs");
    expect([beside.filters, beside.words]).toEqual([[], "timeout"]);
  });

  test("of many words, the number that is left out is reported once", () => {
    const { problems } = parse(Array.from({ length: 1000 }, (_, index) => `w${index}`).join(" "), "logs");
    expect(problems.map((term) => term.problem?.text)).toEqual(["Only 24 words are searched for: 976 are left out."]);
  });

  test.each<[Model, string, string, string | null]>([
    ["requests", "status:500 OR", "“OR” is searched for as a word. Several values of a field are written status:404,500.", null],
    ["logs", "level:error OR source:API", "“OR” is searched for as a word. Several values of a field are written level:warn,error.", null],
    ["logs", "level:error AND timeout", "“AND” is searched for as a word. Leave it out: all parts of a search are meant.", null],
    ["logs", "level:error NOT timeout", "“NOT” is searched for as a word. Put a - before what is to be left out.", null],
    ["requests", "(status:500", "Brackets are searched for as text, and what is in them is no filter.", "status:500"],
    ["requests", "(path:/a) x", "Brackets are searched for as text, and what is in them is no filter.", "path:/a"],
    ["logs", '"unbalanced', "A quotation mark is not closed: the words behind it are searched for each by itself.", '"unbalanced"'],
    ["logs", '"payment gateway', "A quotation mark is not closed: the words behind it are searched for each by itself.", null],
  ])("marks of other languages are said to be words: %s: %s", (model, text, problem, instead) => {
    expect(parse(text, model, NOW).problems.map((term) => term.problem)).toEqual([{ text: problem, instead }]);
  });

  test("the bracket behind a filter is named, too", () => {
    expect(parse("(status:500 status:404)", "requests").problems.map((term) => term.problem?.instead)).toEqual(["status:500", "status:404"]);
  });

  test("what is pasted is no mistake", () => {
    for (const text of ["SELECT a FROM b WHERE c OR d AND e", "f(x) failed", '{"level":"error"}', "to be or not to be", "READ AND WRITE", '5" disk']) expect(parse(text, "logs").problems, text).toEqual([]);
  });

  test("a field of another model waits", () => {
    const query = parse("level:error path:/x", "requests");
    expect(query.terms.map((term) => term.isOfAnotherModel)).toEqual([true, false]);
    expect([query.filters, query.words]).toEqual([[["path", "/x"]], ""]);
  });

  test("words above the number that the API takes are left out, the shortest first", () => {
    const text = Array.from({ length: 30 }, (_, index) => `word${"x".repeat(index)}`).join(" ");
    const query = parse(text, "logs");
    expect(query.words.split(" ")).toHaveLength(24);
    expect(query.problems.map((term) => term.problem?.text)).toEqual(["Only 24 words are searched for: 6 are left out."]);
    expect(query.words).toContain("x".repeat(29));
  });
});

test("of JSON without blanks, the first words are sent", () => {
  const query = parse(`{${Array.from({ length: 40 }, (_, index) => `"key${index}":"v"`).join(",")}}`, "logs");
  expect(query.words.split(" ")).toHaveLength(24);
  expect(query.words).toMatch(/^key0 v key1 v .* key11 v$/);
  expect(query.problems).toHaveLength(1);
});

describe("words", () => {
  test.each([
    "http://x",
    "12:30:01",
    "error:",
    "foo::bar",
    "C:\\x",
    "connection refused",
    '"connection refused"',
    "timeout -gateway",
    'timeout -"slow query"',
    "job#42",
    "a=b",
    "x->y",
    "拒否",
    "user@host:22",
    "at com.example.Shop.create(Shop.java:42)",
  ])("%s is sent as it is", (text) => {
    expect(words(text)).toBe(text);
    expect(parse(text, "logs").filters).toEqual([]);
    expect(parse(text, "logs").problems).toEqual([]);
  });

  test.each([
    ["curl -X GET https://x/orders", "curl X GET https://x/orders"],
    ["kubectl get pods -n shop --watch", "kubectl get pods n shop watch"],
    ["java -jar app.jar -Dmode=x", "java jar app.jar Dmode=x"],
    ["exit code -1", 'exit code "-1"'],
    ["level: error in source: API", "level: error in source: API"],
    ["path::Path level::error", '"path::Path" "level::error"'],
    ['{"level":"error","n":1}', "level error n 1"],
    ['"level":"error"', "level error"],
    ['x"level:error', "x level error"],
    ['5" disk', "5 disk"],
    ['"', ""],
    ['"" -', ""],
  ])("%s is sent as %s", (text, expected) => {
    const query = parse(text, "logs");
    expect(query.words).toBe(expected);
    expect(query.filters).toEqual([]);
    expect(query.terms.some((term) => term.isExcluded)).toBe(false);
  });

  test("an exclusion is known as one", () => {
    expect(parse('a -b2 -"c d" -level:error -X', "logs").terms.map((term) => term.isExcluded)).toEqual([false, false, false, true, false]);
    expect(parse('a -bc -"c d" -level:error', "logs").terms.map((term) => term.isExcluded)).toEqual([false, true, true, true]);
  });
});

/** A small generator of texts, the same in each run. */
function* texts(count: number, alphabet: string[]): Generator<string> {
  let state = 7;
  const next = (most: number) => (state = (state * 48_271) % 2_147_483_647) % most;
  for (let index = 0; index < count; index++) yield Array.from({ length: next(9) }, () => alphabet[next(alphabet.length)]).join("");
}
const ODD = ['"', "\\", ",", "*", "-", " ", "\t", "\n", "a", "B", "null", "none", "..", ">", "<", "=", ":", "/", "//", "&", "(", ")", "%", "_", "1", "x:", "é", "拒", "level:error", ".", "'", "true", "#", "%41"];

/** A value as the API reads it. */
function decode(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(["\\])/g, "$1") : value;
}

describe("a filter for a value", () => {
  test("is read as this value, whatever it is", () => {
    for (const value of texts(4000, ODD)) {
      for (const before of ["", "some words", '"open', 'source:"open', "-x"]) {
        const text = withFilter(before, "user_id", value);
        const parameters = parse(text, "requests").filters;
        expect(parameters.map(([name, sent]) => [name, decode(sent)]), text).toContainEqual(["user_id", value]);
        const excluded = parse(withFilter(text, "user_id", value, true), "requests").filters;
        expect(excluded.map(([name, sent]) => [name, decode(sent)]), text).toContainEqual(["user_id__ne", value]);
        expect(excluded, text).not.toContainEqual(["user_id", value]);
      }
    }
  });

  test("in JSON keeps the type of the value", () => {
    for (const value of [42, -1.5, true, false]) expect(filters(withFilter("", "meta.a", value), "logs")).toEqual([`meta.a=${String(value)}`]);
    for (const value of ["42", "-1.5", "true", "null", "", ".5"]) expect(filters(withFilter("", "meta.a", value), "logs")).toEqual([`meta.a="${value}"`]);
    expect(filters(withFilter("", "meta.a", null), "logs")).toEqual(["meta.a__isnull=true"]);
    for (const value of texts(2000, ODD)) {
      const [[name, sent] = ["", ""]] = parse(withFilter("", "meta.a", value), "logs").filters;
      expect([name, decode(sent)]).toEqual(["meta.a", value]);
    }
  });

  test("takes any key", () => {
    for (const key of texts(2000, ODD)) {
      const path = pathWith("meta", key);
      const sent = parse(withFilter("word", path, "v"), "logs").filters;
      expect(sent, path).toEqual([[path, "v"]]);
    }
    expect(pathWith("meta.user", "id")).toBe("meta.user.id");
    expect(pathWith("meta", "a__gt")).toBe('meta."a__gt"');
  });

  test("comes once, and takes the place of its opposite", () => {
    expect(withFilter("a level:error b", "level", "error")).toBe("a level:error b");
    expect(withFilter("a level:error b", "level", "error", true)).toBe("a b -level:error");
    expect(withFilter("-level:error", "level", "error")).toBe("level:error");
  });
});

test("every letter of a text is in a term, or a blank between terms", () => {
  for (const text of texts(5000, ODD)) {
    for (const model of ["logs", "requests", "metrics"] as const) {
      const { terms } = parse(text, model);
      let at = 0;
      for (const term of terms) {
        expect(text.slice(at, term.start).replace("&", "").trim(), text).toBe("");
        expect(term.end, text).toBeGreaterThan(term.start);
        at = term.end;
      }
      expect(text.slice(at).replace("&", "").trim(), text).toBe("");
    }
  }
});

test("a term is taken out, and the others stay", () => {
  const text = 'a  level:error "b  c" -source:API';
  const { terms } = parse(text, "logs");
  expect(terms.map((term) => withoutTerm(text, term))).toEqual(['level:error "b  c" -source:API', 'a "b  c" -source:API', "a  level:error -source:API", 'a  level:error "b  c"']);
});

test("a long text is read to its end", () => {
  const long = `${"a".repeat(50_000)} ${'"'.repeat(5000)} ${"(".repeat(5000)} ${"a.".repeat(20_000)}:x`;
  expect(parse(long, "logs").terms.at(-1)?.end).toBe(long.length);
});
