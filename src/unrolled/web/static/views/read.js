// Read a text through a network: each symbol coloured by what one unit or gate did, by surprise, or by what a forecast
// hangs on. The text is read once; everything that is chosen afterwards is drawn from what came then.

import { figureElement } from "../figures/figure.js";
import { number, visible } from "../figures/words.js";
import { act, get } from "../shell/api.js";
import { announce } from "../shell/announce.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { choice, oneOf, runChoice } from "./controls.js";
import { Followers } from "./followers.js";
import { Place } from "./place.js";
import { LONGEST, read } from "./reading.js";

export const title = "Read a text";

const BY_UNIT = "unit";
const COLOURINGS = [
  [BY_UNIT, "one unit"],
  ["surprise", "surprise"],
  ["strength", "saliency"],
  ["product", "for and against"],
];
// Symbols that saliency goes back over: gradients through more take seconds.
const BACK = 400;

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const view = new Read(page, lab, runs);
  view.read();
  return view;
}

class Read {
  constructor(page, lab, runs) {
    this.lab = lab;
    this.reading = null;
    this.salient = null;
    this.now = new AbortController();
    this.going = new AbortController();
    lab.signal.addEventListener("abort", () => [this.now, this.going].forEach((one) => one.abort()));
    const { state } = lab;
    this.run = runChoice(runs, state.run, () => this.again({ run: this.run.value, unit: "", signal: "", layer: "" }));
    this.by = choice({ label: "Coloured by", options: COLOURINGS, value: state.by ?? BY_UNIT, changed: (by) => this.set({ by }) });
    this.layer = choice({ label: "Layer", options: [["1", "1"]], value: "1", changed: (layer) => this.again({ layer, signal: "", unit: "" }) });
    this.signal = choice({ label: "Gate or state", options: [], value: "", changed: (signal) => this.set({ signal, by: "" }) });
    this.unit = oneOf({ label: "Unit", value: 1, max: 1, changed: (unit) => this.set({ unit, by: "" }) });
    this.text = h("textarea", { rows: 3, maxlength: LONGEST, spellcheck: "false", placeholder: "Empty: a text that the run held out" });
    this.text.value = state.text ?? "";
    this.figure = figureElement(null);
    this.figure.addEventListener("lab-pick", ({ detail }) => this.set({ place: detail.index + 1 }));
    this.place = new Place((name, unit) => this.set({ signal: name, unit, by: "" }), lab);
    this.followers = new Followers(lab, ({ layer, signal, unit }) => this.follow(layer, signal, unit));
    this.waiting = h("p", { class: "muted waiting" }, "Reading …");
    fill(
      page,
      h("header", {}, h("h1", {}, title)),
      this.form(),
      h(
        "div",
        { class: "beside" },
        h("div", { class: "stack" }, h("div", { class: "controls" }, this.settings()), this.waiting, this.figure, this.place.state),
        h("div", { class: "stack" }, this.place.element, this.followers.element),
      ),
    );
  }

  form() {
    const submit = (event) => {
      event.preventDefault();
      this.again({ text: this.text.value, place: "" });
    };
    const label = h("label", { class: "wide-field" }, h("span", {}, "Text"), this.text);
    const button = h("button", { type: "submit", class: "primary" }, "Read");
    return h("form", { class: "card text-form", on: { submit } }, this.run.element, label, button);
  }

  settings() {
    return [this.by, this.layer, this.signal, this.unit].map((one) => one.element);
  }

  // Settings of the address, and what is drawn from them; nothing is read anew.
  set(changes) {
    this.lab.set(changes);
    this.draw();
  }

  change(state) {
    const read = ["run", "text", "layer"].some((name) => (state[name] ?? "") !== (this.lab.state[name] ?? ""));
    for (const name of Object.keys(this.lab.state)) if (!(name in state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.text.value = state.text ?? "";
    if (read) this.read();
    else this.draw();
  }

  again(changes) {
    this.lab.set(changes);
    this.read();
  }

  follow(layer, signal, unit) {
    const other = String(layer) !== (this.lab.state.layer ?? "1");
    this.lab.set({ layer, signal, unit, by: "" });
    if (other) this.read();
    else this.draw();
  }

  async read() {
    this.now.abort();
    this.now = new AbortController();
    const { signal } = this.now;
    const { text = "", layer = "1" } = this.lab.state;
    this.waiting.hidden = false;
    this.figure.closest(".stack").setAttribute("aria-busy", "true");
    try {
      await read({ run: this.run.value, text, layer: Number(layer) }, { signal, told: (reading) => this.take(reading) });
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) this.lab.error(error);
    } finally {
      if (!signal.aborted) {
        this.waiting.hidden = true;
        this.figure.closest(".stack").removeAttribute("aria-busy");
      }
    }
  }

  take(reading) {
    const first = reading !== this.reading;
    this.reading = reading;
    this.salient = null;
    if (first) announce(`${reading.tokens.length} symbols, ${number(reading.meanSurprise)} nats each`);
    this.layer.options = Array.from({ length: reading.layers }, (_, i) => [String(i + 1), String(i + 1)]);
    this.layer.value = this.lab.state.layer ?? "1";
    this.signal.options = reading.names.map((name) => [name, visible(name)]);
    this.draw();
  }

  /** The chosen symbol, from 0: that of the address, else the one that surprised most. */
  get at() {
    const wanted = Number(this.lab.state.place) - 1;
    return wanted >= 0 && wanted < this.reading.tokens.length ? wanted : this.reading.strangest;
  }

  get chosen() {
    const { reading } = this;
    const name = reading.names.includes(this.lab.state.signal) ? this.lab.state.signal : reading.names[0];
    const units = reading.signals.get(name)?.units ?? 1;
    return { name, units, unit: Math.min(Math.max(Math.round(Number(this.lab.state.unit)) || 1, 1), units) };
  }

  draw() {
    if (!this.reading) return;
    const { name, unit, units } = this.chosen;
    const by = this.lab.state.by ?? BY_UNIT;
    this.by.value = by;
    this.signal.value = name;
    this.unit.max = units;
    this.unit.value = unit;
    const figure = by === BY_UNIT ? this.byUnit(name, unit) : by === "surprise" ? this.bySurprise() : this.bySaliency(by);
    if (figure) {
      this.figure.figure = figure;
      this.figure.selected = this.at;
    }
    this.place.show(this.reading, this.at, unit);
  }

  byUnit(name, unit) {
    if (!this.reading.signals.has(name)) return null;
    const values = this.reading.unit(name, unit);
    const title = `${visible(this.reading.run)}: layer ${this.lab.state.layer ?? 1}, ${name} ${unit}`;
    return this.coloured(title, values, spread(values), name);
  }

  bySurprise() {
    const nats = number(this.reading.meanSurprise);
    const { surprise } = this.reading;
    const highest = surprise.reduce((most, one) => (one > most ? one : most), 0.1);
    return this.coloured(`What surprised ${visible(this.reading.run)}: ${nats} nats a symbol`, surprise, [0, highest], "surprise, nats");
  }

  coloured(title, values, scale, label) {
    return { figure: "coloured-text", title, tokens: this.reading.tokens, values, scale, value_label: label };
  }

  // The gradient of one forecast: asked for once for each place.
  bySaliency(by) {
    const { at, salient } = this;
    if (salient?.at === at) return salient[by] ?? null;
    this.going.abort();
    this.going = new AbortController();
    this.salient = { at };
    this.goBack(at, this.going.signal).catch((error) => {
      if (!isAbort(error)) this.lab.error(error);
    });
    return null;
  }

  async goBack(at, signal) {
    const { reading } = this;
    const place = Math.max(at, 1);
    const first = Math.max(place - BACK, 0);
    const text = reading.tokens.slice(first, place + 1).join("");
    const found = [];
    for await (const event of act("inspect saliency", { run: this.run.value, text, length: text.length }, { signal })) {
      if (event.event === "figure") found.push(event.figure);
    }
    if (signal.aborted || this.reading !== reading) return;
    const [strength, product] = found.map((one) => {
      const values = new Float32Array(reading.tokens.length).fill(NaN);
      one.values?.forEach((value, i) => {
        values[first + i] = Number(value);
      });
      return { ...one, tokens: reading.tokens, values };
    });
    this.salient = { at, strength, product };
    this.draw();
  }
}

/** The ends of a unit's colours: as far below zero as above, where it is on both sides. */
function spread(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low < 0 && high > 0) return [-Math.max(-low, high), Math.max(-low, high)];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
