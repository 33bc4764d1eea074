// The gates of one unit at one step of a text, as a drawing that fills with their values.

import { figureElement } from "../figures/figure.js";
import { framed } from "../figures/frame.js";
import { visible } from "../figures/words.js";
import { get } from "../shell/api.js";
import { announce } from "../shell/announce.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { choice, oneOf, runChoice, slider } from "./controls.js";
import { digits } from "./digits.js";
import { arithmetic, gateDiagram } from "./gate-diagrams.js";
import { read } from "./reading.js";

export const title = "Gates";

const TEXT = 'def read(self, name):\n    return "a" + name\n';

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const view = new Gates(page, lab, runs);
  view.read();
  return view;
}

class Gates {
  constructor(page, lab, runs) {
    this.lab = lab;
    this.reading = null;
    this.now = new AbortController();
    lab.signal.addEventListener("abort", () => this.now.abort());
    this.run = runChoice(runs, lab.state.run, (run) => this.again({ run, layer: "", unit: "", step: "" }));
    this.text = h("textarea", { rows: 2, spellcheck: "false" });
    this.layer = choice({ label: "Layer", options: [["1", "1"]], value: "1", changed: (layer) => this.again({ layer, unit: "" }) });
    this.unit = oneOf({ label: "Unit", value: 1, max: 1, changed: (unit) => this.set({ unit }) });
    this.step = slider({ label: "Step", min: 1, max: 1, step: 1, value: 1, words: (t) => this.words(t), changed: (step) => this.set({ step }) });
    this.figure = figureElement(null);
    this.figure.addEventListener("lab-pick", ({ detail }) => this.set({ step: detail.index + 1 }));
    this.drawing = h("div", {});
    this.frame = framed(this.drawing);
    this.equations = h("div", { class: "card equations" });
    this.text.value = lab.state.text ?? TEXT;
    const submit = (event) => {
      event.preventDefault();
      this.again({ text: this.text.value === TEXT ? "" : this.text.value, step: "" });
    };
    fill(
      page,
      h("header", {}, h("h1", {}, title)),
      h(
        "form",
        { class: "card text-form", on: { submit } },
        this.run.element,
        h("label", { class: "wide-field" }, h("span", {}, "Text"), this.text),
        h("button", { type: "submit", class: "primary" }, "Read"),
      ),
      h("div", { class: "controls" }, this.layer.element, this.unit.element, this.step.element),
      this.figure,
      this.frame.element,
      this.equations,
    );
  }

  set(changes) {
    this.lab.set(changes);
    this.draw();
  }

  again(changes) {
    this.lab.set(changes);
    this.read();
  }

  change(state) {
    for (const name of Object.keys(this.lab.state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.text.value = state.text ?? TEXT;
    this.read();
  }

  async read() {
    this.now.abort();
    this.now = new AbortController();
    const { signal } = this.now;
    const { text = TEXT, layer = "1" } = this.lab.state;
    try {
      await read({ run: this.run.value, text, layer: Number(layer) }, { signal, told: (reading) => this.take(reading) });
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) this.lab.error(error);
    }
  }

  take(reading) {
    this.reading = reading;
    this.layer.options = Array.from({ length: reading.layers }, (_, i) => [String(i + 1), String(i + 1)]);
    this.layer.value = this.lab.state.layer ?? "1";
    // Drawn once all of the layer is there.
    if (reading.signals.size === reading.names.length) this.draw();
  }

  words(t) {
    const token = this.reading?.tokens[t - 1];
    return token === undefined ? String(t) : `${t}: “${visible(token)}”`;
  }

  draw() {
    const { reading } = this;
    if (!reading || reading.signals.size < reading.names.length) return;
    const T = reading.tokens.length;
    const { units } = reading.signals.get(reading.names[0]);
    const held = (value, most) => Math.min(Math.max(Math.round(Number(value)) || 1, 1), most);
    const [unit, step] = [held(this.lab.state.unit, units), held(this.lab.state.step ?? Math.ceil(T / 2), T)];
    this.unit.max = units;
    this.unit.value = unit;
    this.step.max = T;
    this.step.value = step;
    const column = (t) => Object.fromEntries(reading.names.map((name) => [name, t < 0 ? 0 : reading.unit(name, unit)[t]]));
    const [now, before] = [column(step - 1), column(step - 2)];
    this.colour(reading, unit, step);
    const drawn = gateDiagram(now, before);
    this.frame.element.hidden = !drawn;
    this.frame.title(`Unit ${unit} reads “${visible(reading.tokens[step - 1])}”, step ${step}`);
    if (drawn) fill(this.drawing, drawn);
    fill(this.equations, this.table(now, before), arithmetic(now, before).map(([letters, values]) => this.equation(letters, values)));
    announce(`step ${step}: ${Object.entries(now).map(([name, value]) => `${name} ${digits(value)}`).join(", ")}`);
  }

  colour(reading, unit, step) {
    const name = reading.names.includes("cell") ? "cell" : reading.names[0];
    const values = reading.unit(name, unit);
    const high = Math.max(...values.map(Math.abs), 1e-6);
    this.figure.figure = {
      figure: "coloured-text",
      title: `${visible(reading.run)}: ${name} ${unit} over the text`,
      tokens: reading.tokens,
      values,
      scale: [-high, high],
      value_label: name,
    };
    this.figure.selected = step - 1;
  }

  table(now, before) {
    const rows = Object.keys(now).map((name) =>
      h("tr", {}, h("th", { scope: "row" }, visible(name)), [before, now].map((at) => h("td", { class: "number" }, digits(at[name])))),
    );
    const head = ["", "before", "after"].map((text, i) => h("th", { scope: "col", class: i ? "number" : null }, text));
    return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  }

  equation(letters, values) {
    return h("p", { class: "equation" }, h("span", { class: "muted" }, letters), h("span", {}, values));
  }
}
