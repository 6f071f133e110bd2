import {
  answerShape,
  bodyExample,
  curlOf,
  fieldsOf,
  isFound,
  operationsByTag,
  requestOf,
  typeName,
} from "./request.mjs";

const BODY = " body";
const byId = (id) => document.getElementById(id);

/** An element with text and children. Text never becomes markup. */
function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children);
  return made;
}

async function start() {
  void showNode();
  const openApi = await (await fetch("/openapi.json")).json();
  const rows = [];
  for (const { tag, text, operations } of operationsByTag(openApi)) {
    const section = element("section", {}, element("h2", { textContent: tag }));
    if (text !== "") section.append(element("p", { textContent: text }));
    for (const one of operations) {
      const row = rowOf(openApi, one);
      section.append(row);
      rows.push({ one, row, section });
    }
    byId("operations").append(section);
  }
  const filter = () => showFound(rows, byId("filter").value);
  byId("filter").addEventListener("input", filter);
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  filter();
  openLinked();
  addEventListener("hashchange", openLinked);
}

async function showNode() {
  try {
    const path = "/cosmos/base/tendermint/v1beta1/blocks/latest";
    const { block } = await (await fetch(path)).json();
    const { chain_id, height, time } = block.header;
    byId("node").textContent = `Chain ${chain_id}, height ${height}, ${time}`;
  } catch {
    byId("node").textContent = "The node does not tell its latest block.";
  }
}

function showFound(rows, search) {
  let count = 0;
  for (const { one, row } of rows) {
    row.hidden = !isFound(one, search);
    if (!row.hidden) count += 1;
  }
  for (const { section } of rows) {
    section.hidden = !rows.some((each) => each.section === section && !each.row.hidden);
  }
  byId("count").textContent = `${count} of ${rows.length}`;
}

/** An address such as "/#cosmos_bank_v1beta1_Query_Balance" opens its operation. */
function openLinked() {
  const row = byId(location.hash.slice(1));
  if (row?.matches(".operation") !== true) return;
  row.open = true;
  row.scrollIntoView();
}

function rowOf(openApi, one) {
  const row = byId("operation").content.firstElementChild.cloneNode(true);
  const part = (name) => row.querySelector(`.${name}`);
  row.id = one.operation.operationId;
  part("verb").textContent = one.verb;
  part("path").textContent = one.path;
  part("title").textContent = one.operation.summary;
  part("text").textContent = one.operation.description ?? "";
  // Most are never opened: their forms are made when they are.
  row.addEventListener("toggle", () => fillRow(openApi, one, part), { once: true });
  return row;
}

function fillRow(openApi, one, part) {
  const form = part("try");
  for (const field of fieldsOf(openApi, one)) {
    part("fields").append(...fieldRow(openApi, one, field));
  }
  const body = bodyExample(openApi, one);
  if (body !== undefined) {
    const id = `${one.operation.operationId}${BODY}`;
    part("fields").append(
      element("label", { htmlFor: id, textContent: "body" }),
      element("textarea", { id, name: BODY, value: body, rows: 6, spellcheck: false }),
    );
  }
  const ask = () => {
    const { [BODY]: text, ...values } = Object.fromEntries(new FormData(form));
    return requestOf(openApi, one, { values, body: text, height: byId("height").value });
  };
  const showCurl = () => {
    try {
      part("curl").value = curlOf(location.origin, ask());
    } catch (error) {
      part("curl").value = error.message;
    }
  };
  form.addEventListener("input", showCurl);
  byId("height").addEventListener("input", showCurl);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(ask, part);
  });
  showCurl();
  part("shape").textContent = answerShape(openApi, one) || "{}";
}

function fieldRow(openApi, one, { name, in: place, required, schema, description = "" }) {
  const id = `${one.operation.operationId} ${name}`;
  const label = element("label", { htmlFor: id, textContent: required ? `${name} *` : name });
  const isList = schema.type === "array";
  const choices = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : undefined);
  const options = { id, name, required: required === true };
  const input =
    choices !== undefined
      ? element("select", options, ...["", ...choices].map((value) => new Option(value)))
      : element(isList ? "textarea" : "input", {
          ...options,
          autocomplete: "off",
          spellcheck: false,
        });
  const text = `${typeName(openApi, schema)}${isList ? ", one a line" : ""}, in the ${place}`;
  const hint = element("small", {
    textContent: description === "" ? text : `${text}. ${description}`,
  });
  return [label, element("div", {}, input, hint)];
}

async function send(ask, part) {
  const answer = part("answer");
  const show = (status, result, isFailed) => {
    answer.hidden = false;
    answer.classList.toggle("failed", isFailed);
    part("status").textContent = status;
    part("result").textContent = result;
  };
  show("Waiting…", "", false);
  try {
    const { verb, address, headers, body } = ask();
    const response = await fetch(address, { method: verb, headers, body });
    const text = await response.text();
    const height = response.headers.get("x-cosmos-block-height");
    const at = height === null ? "" : `, height ${height}`;
    show(`HTTP ${response.status}${at}`, indented(text), !response.ok);
  } catch (error) {
    show("No answer", error.message, true);
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

start().catch((error) => {
  byId("operations").textContent = `The document cannot be shown: ${error.message}`;
});
