// Shows the document of the API, and sends requests. It builds elements and never HTML, so that no
// text of an answer is taken for markup.
"use strict";

const operationsElement = document.getElementById("operations");
const stateElement = document.getElementById("state");
const keyElement = document.getElementById("key");
let api;

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property === "class") made.className = value;
    else made[property] = value;
  }
  made.append(...children);
  return made;
}

function resolve(value) {
  let found = value;
  while (found && found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((at, name) => at[name], api);
  }
  return found;
}

// The schema with its references followed, to a depth that a person reads.
function unfolded(schema, depth = 3) {
  const of = resolve(schema);
  if (typeof of !== "object" || of === null) return of;
  if (Array.isArray(of)) return of.map((item) => unfolded(item, depth));
  if (schema.$ref && depth === 0) return { $ref: schema.$ref };
  const next = schema.$ref ? depth - 1 : depth;
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, unfolded(value, next)]));
}

function schemaElement(title, schema) {
  const shown = element("details", {}, element("summary", { class: "dim" }, title));
  shown.addEventListener("toggle", () => {
    if (shown.open && shown.childElementCount === 1) {
      shown.append(element("pre", {}, JSON.stringify(unfolded(schema), null, 2)));
    }
  });
  return shown;
}

function typeOf(schema) {
  const of = resolve(schema) ?? {};
  if (of.enum) return of.enum.join(" | ");
  if (of.anyOf) return of.anyOf.map(typeOf).join(" | ");
  if (of.type === "array") return `${typeOf(of.items)}, …`;
  return [of.format ?? of.type ?? "any", of.default === undefined ? "" : `= ${of.default}`].join(" ").trim();
}

function parameterRow(parameter) {
  const input = element("input", { name: parameter.name, placeholder: typeOf(parameter.schema) });
  input.dataset.place = parameter.in;
  const name = element("code", {}, parameter.name + (parameter.required ? " *" : ""));
  return element("label", { class: "row" }, name, input,
    element("span", { class: "about" }, parameter.description ?? ""));
}

// Filters are many: a name is chosen, and gets a row.
function filterChooser(filters) {
  const id = `filters-${Math.random().toString(36).slice(2)}`;
  const names = element("datalist", { id });
  names.append(...filters.map((filter) => element("option", { value: filter.name })));
  const chosen = element("input", { placeholder: "field__lookup" });
  chosen.setAttribute("list", id);
  const rows = element("div");
  const add = element("button", { type: "button" }, "Add filter");
  add.addEventListener("click", () => {
    const name = chosen.value.trim();
    if (!name) return;
    const known = filters.find((filter) => filter.name === name);
    rows.append(parameterRow(known ?? { name, in: "query", schema: { type: "string" } }));
    chosen.value = "";
    rows.lastElementChild.querySelector("input").focus();
  });
  return element("div", {}, element("h3", {}, `Filters (${filters.length})`), names, chosen, " ", add, rows);
}

function urlOf(path, form) {
  const query = [];
  let url = path;
  for (const input of form.querySelectorAll("input[name]")) {
    if (input.value === "") continue;
    if (input.dataset.place === "path") {
      url = url.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else {
      query.push(`${encodeURIComponent(input.name)}=${encodeURIComponent(input.value)}`);
    }
  }
  return query.length > 0 ? `${url}?${query.join("&")}` : url;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function send(method, url, contentType, body, output) {
  const headers = {};
  if (keyElement.value) headers.authorization = `Bearer ${keyElement.value}`;
  if (body !== undefined) headers["content-type"] = contentType;
  const curl = [`curl -X ${method.toUpperCase()} ${quoted(new URL(url.slice(1), document.baseURI).href)}`,
    "-H \"Authorization: Bearer $KEY\""];
  if (body !== undefined) curl.push(`-H ${quoted(`content-type: ${contentType}`)}`, `-d ${quoted(body)}`);
  output.replaceChildren(element("pre", {}, curl.join(" \\\n  ")), element("p", { class: "dim" }, "waiting …"));
  const begun = performance.now();
  try {
    const response = await fetch(url.slice(1), { method: method.toUpperCase(), headers, body });
    let text = await response.text();
    if (/json$/.test((response.headers.get("content-type") ?? "").split(";")[0])) {
      try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
    }
    const most = 200_000;
    const cut = text.length > most ? `${text.slice(0, most)}\n… ${text.length - most} more characters` : text;
    const took = Math.round(performance.now() - begun);
    output.lastElementChild.replaceWith(
      element("p", {}, `${response.status} ${response.statusText}, ${took} ms, ` +
        (response.headers.get("content-type") ?? "no body")),
      element("pre", {}, cut));
  } catch (error) {
    output.lastElementChild.replaceWith(element("p", {}, `no answer: ${error.message}`));
  }
}

function bodyElements(operation) {
  const contents = resolve(operation.requestBody)?.content;
  if (!contents) return [];
  const types = element("select", { class: "content-type" });
  types.append(...Object.keys(contents).map((type) => element("option", {}, type)));
  const schemas = Object.entries(contents).map(([type, content]) => schemaElement(type, content.schema));
  return [element("h3", {}, "Body"), types, element("textarea", { class: "content", spellcheck: false }), ...schemas];
}

function contentOf(path, method, operation) {
  const parameters = (operation.parameters ?? []).map((parameter) =>
    [resolve(parameter), Boolean(parameter.$ref)]);
  const own = parameters.filter(([, isFilter]) => !isFilter).map(([parameter]) => parameter);
  const filters = parameters.filter(([, isFilter]) => isFilter).map(([parameter]) => parameter);
  const output = element("div");
  const form = element("form", {}, ...own.map(parameterRow));
  if (filters.length > 0) form.append(filterChooser(filters));
  form.append(...bodyElements(operation), element("p", {}, element("button", {}, "Send")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const content = form.querySelector(".content");
    const type = form.querySelector(".content-type");
    send(method, urlOf(path, form), type?.value, content?.value, output);
  });
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const of = resolve(answer);
    const contents = Object.entries(of.content ?? {});
    return element("div", {}, element("code", {}, status), ` ${of.description}`,
      ...contents.map(([type, content]) => schemaElement(type, content.schema)));
  });
  const about = (operation.description ?? "").split("\n\n").map((text) => element("p", {}, text));
  return element("div", { class: "body" }, ...about, form, output, element("h3", {}, "Answers"), ...answers);
}

function show() {
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const shown = element("details", {}, element("summary", {},
        element("span", { class: "method" }, method), element("span", { class: "path" }, path),
        element("span", { class: "about" }, operation.summary)));
      shown.dataset.words = `${method} ${path} ${operation.summary}`.toLowerCase();
      shown.addEventListener("toggle", () => {
        if (shown.open && shown.childElementCount === 1) shown.append(contentOf(path, method, operation));
      });
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, element("section", {}, element("h2", {}, tag)));
      groups.get(tag).append(shown);
    }
  }
  operationsElement.replaceChildren(...groups.values());
}

document.getElementById("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const section of operationsElement.children) {
    let any = false;
    for (const shown of section.querySelectorAll(":scope > details")) {
      shown.hidden = !words.every((word) => shown.dataset.words.includes(word));
      any ||= !shown.hidden;
    }
    section.hidden = !any;
  }
});

fetch("api/v1/openapi.json").then((response) => response.json()).then((document) => {
  api = document;
  show();
  stateElement.textContent = `version ${api.info.version}; ${operationsElement.querySelectorAll("details").length} operations`;
}).catch((error) => {
  stateElement.textContent = `the document cannot be loaded: ${error.message}`;
});
