// A form made from fields as the server lists them (docs/lab-api.md): any action's, any recipe's.
//
//     const form = new FieldForm(fields, { values: lab.state, lists });
//     form.values()                 only those that differ from their default, as the server takes them
//     form.texts()                  the same as texts, for the address
//     form.wrong(error)             shows a LabError at its field, or above the form
//
// values: texts by name, from the address. lists: {runs, data}, what the server listed, for the fields of those kinds.

import { get } from "../shell/api.js";
import { errorBox } from "../shell/error.js";
import { fill, h, uniqueId } from "../shell/dom.js";
import { fromText, toText } from "./values.js";

// Fields that stand in the open; the others can be unfolded.
const OPEN = 6;
// Where the command takes files and modules as well, which the lab does not, its own help would promise too much.
const HELP = {
  "data data": "A data set that is here, or a file of your own.",
  "cell cell": "Any cell, by its name.",
  "run run": "A trained model: a run, or tiny, which is part of the package.",
  "run run-or-cell": "A run, or a cell by its name, as it starts.",
};

// Kinds of names that are typed, with those that the server knows offered (GET /api/names).
const OFFERED = { cell: "cells", "run-or-cell": "cells", kernel: "kernels" };
let names = null;

export class FieldForm {
  /** open: names of fields that stand in the open; null takes the first few. button: what it says. */
  constructor(fields, { values = {}, lists = {}, open = null, button = "Show", submitted = () => {} } = {}) {
    this.fields = fields;
    this.rows = new Map();
    this.errors = h("div", {});
    const shown = open ?? fields.slice(0, OPEN).map((field) => field.name);
    const [first, rest] = [fields.filter((f) => shown.includes(f.name)), fields.filter((f) => !shown.includes(f.name))];
    this.button = h("button", { type: "submit", class: "primary" }, button);
    // An empty text is none: the address has none either.
    const row = (field) => this.#row(field, values[field.name] || toText(field, field.default), lists);
    const changed = rest.some((field) => values[field.name]);
    this.more = rest.length
      ? h("details", { open: changed }, h("summary", {}, `${rest.length} more options`), h("div", { class: "fields" }, rest.map(row)))
      : null;
    this.element = h(
      "form",
      { class: "field-form", novalidate: true, on: { submit: (event) => this.#submit(event, submitted) } },
      this.errors,
      h("div", { class: "fields" }, first.map(row)),
      this.more,
      h("div", { class: "actions" }, this.button),
    );
  }

  /** Name → value of what differs from the default. Where a text is no such value, that is shown, and null comes back. */
  values() {
    this.#clear();
    const found = {};
    for (const [name, { field, input }] of this.rows) {
      const text = field.kind === "switch" ? String(input.checked) : input.value;
      if (text === toText(field, field.default) && !field.required) continue;
      const { value, problem } = fromText(field, text);
      if (problem) {
        this.wrong({ message: problem, field: name });
        return null;
      }
      found[name] = value;
    }
    return found;
  }

  /** Name → text of what differs from the default; "" for all others, so that the address forgets them. */
  texts() {
    const found = {};
    for (const [name, { field, input }] of this.rows) {
      const text = field.kind === "switch" ? String(input.checked) : input.value;
      found[name] = text === toText(field, field.default) ? "" : text;
    }
    return found;
  }

  /** Show what is wrong: at its field, if it names one of these, else above. */
  wrong(error) {
    const row = this.rows.get(error.field);
    if (!row) {
      fill(this.errors, errorBox(error));
      return;
    }
    if (this.more?.contains(row.input)) this.more.open = true;
    row.problem.textContent = error.message;
    row.problem.hidden = false;
    row.input.setAttribute("aria-invalid", "true");
    row.input.focus();
  }

  /** While something runs, the button says so and cannot be pressed again. */
  busy(on) {
    this.button.disabled = on;
    this.element.setAttribute("aria-busy", String(on));
  }

  #clear() {
    fill(this.errors);
    for (const { problem, input } of this.rows.values()) {
      problem.hidden = true;
      input.removeAttribute("aria-invalid");
    }
  }

  #submit(event, submitted) {
    event.preventDefault();
    const values = this.values();
    if (values) submitted(values);
  }

  #row(field, text, lists) {
    const id = uniqueId("field");
    const input = control(field, id, lists);
    if (field.kind === "switch") input.checked = text === "true";
    else input.value = text;
    const problem = h("p", { class: "problem", id: `${id}-problem`, role: "alert", hidden: true });
    const said = helpOf(field);
    const help = said ? h("p", { class: "help", id: `${id}-help` }, said) : null;
    input.setAttribute("aria-describedby", help ? `${id}-help ${id}-problem` : `${id}-problem`);
    this.rows.set(field.name, { field, input, problem });
    const label = h("label", { for: id }, field.name.replaceAll("_", " "));
    return h("div", { class: `field kind-${field.kind}` }, label, input, offered(field, input, lists), help, problem);
  }
}

/** The names that a text may be, to choose from while it is typed; null for any other field. */
function offered(field, input, { runs = [] }) {
  if (!OFFERED[field.kind] || field.many) return null;
  const list = h("datalist", { id: `${input.id}-names` });
  input.setAttribute("list", list.id);
  const offer = (found) => {
    const own = field.kind === "run-or-cell" ? runs.map((run) => run.name) : [];
    fill(list, [...own, ...found[OFFERED[field.kind]]].map((value) => h("option", { value })));
  };
  // Asked for once, when a person first comes to such a field. Without an answer there is nothing to offer; the field
  // takes any name all the same, and whether it is one is said when it is sent.
  const ask = () => {
    names ??= get("names");
    names.then(offer, () => (names = null));
  };
  input.addEventListener("focus", ask, { once: true });
  return list;
}

function helpOf(field) {
  const said = HELP[`${field.name} ${field.kind}`] ?? field.help ?? "";
  return said.replace(/a file, - for standard input, or words/i, "Words");
}

function control(field, id, lists) {
  const named = { id, name: field.name };
  if (field.kind === "switch") return h("input", { ...named, type: "checkbox" });
  const choices = choicesOf(field, lists);
  if (choices) {
    return h("select", named, choices.map(([value, label]) => h("option", { value }, label)));
  }
  if (field.kind === "words") return h("textarea", { ...named, rows: 3, spellcheck: "false" });
  const input = h("input", { ...named, type: "text", autocomplete: "off", spellcheck: "false" });
  if (!field.many && (field.kind === "whole" || field.kind === "number")) {
    input.setAttribute("inputmode", field.kind === "whole" ? "numeric" : "decimal");
  }
  return input;
}

/** [[value, label], …] for what is chosen from a list; null for what is typed. */
function choicesOf(field, { runs = [], data = [] }) {
  if (field.many) return null;
  if (field.kind === "choice" || field.choices) {
    const none = field.optional ? [["", "–"]] : [];
    return [...none, ...field.choices.map((value) => [String(value), String(value)])];
  }
  if (field.kind === "run") return [["", field.name === "run" ? "the newest" : "none"], ...runs.map((run) => [run.name, run.title])];
  if (field.kind === "data") {
    return [["", "the recipe’s own"], ...data.filter((one) => one.here).map((one) => [one.value, one.name])];
  }
  return null;
}
