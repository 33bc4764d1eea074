// Write with a network: symbols as they are drawn, each with what else it might have been; from any of them the text can
// go on another way.

import { figureElement } from "../figures/figure.js";
import { number, visible } from "../figures/words.js";
import { act, get } from "../shell/api.js";
import { announce } from "../shell/announce.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { bars, runChoice, slider, whole } from "./controls.js";
import { percent } from "./digits.js";

export const title = "Write";

// Settings of `sample`: what they start as here, and what stands in the address where they differ.
const DEFAULTS = { prompt: "", length: 400, temperature: 0.8, top_k: 0, top_p: 1, min_p: 0, beam: 0, seed: 0, stop: "" };
const off = (at, words) => (value) => (value === at ? "off" : words(value));

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const view = new Write(page, lab, runs);
  view.write();
  return view;
}

class Write {
  constructor(page, lab, runs) {
    this.lab = lab;
    this.pieces = [];
    this.now = new AbortController();
    lab.signal.addEventListener("abort", () => this.now.abort());
    this.run = runChoice(runs, lab.state.run, (run) => this.lab.set({ run }));
    this.prompt = h("textarea", { rows: 2, spellcheck: "false", placeholder: "Empty: as a text begins" });
    // A text area: a line's end is what one stops at most often.
    this.stop = h("textarea", { rows: 1, spellcheck: "false", class: "mono" });
    this.controls = this.settings();
    this.start = h("button", { type: "submit", class: "primary" }, "Write");
    this.halt = h("button", { type: "button", hidden: true, on: { click: () => this.now.abort() } }, "Stop");
    this.figure = figureElement(null);
    this.figure.addEventListener("lab-pick", ({ detail }) => this.choose(detail.index));
    this.choices = h("section", { class: "card place", "aria-label": "What else it might have been" });
    this.fromAddress();
    fill(
      page,
      h("header", {}, h("h1", {}, title)),
      h(
        "form",
        { class: "card text-form", on: { submit: (event) => this.submit(event) } },
        this.run.element,
        h("label", { class: "wide-field" }, h("span", {}, "Begin with"), this.prompt),
        h("div", { class: "actions" }, this.start, this.halt),
        h("div", { class: "controls all-columns" }, Object.values(this.controls).map((one) => one.element), this.stopField()),
      ),
      h("div", { class: "beside" }, this.figure, this.choices),
    );
  }

  settings() {
    const changed = () => {};
    const two = (value) => value.toFixed(2);
    return {
      temperature: slider({ label: "Temperature", min: 0, max: 2, step: 0.05, value: 0, words: (t) => (t ? two(t) : "always the likeliest"), changed }),
      top_p: slider({ label: "Top-p", min: 0.05, max: 1, step: 0.05, value: 1, words: off(1, two), changed }),
      min_p: slider({ label: "Min-p", min: 0, max: 0.5, step: 0.01, value: 0, words: off(0, two), changed }),
      top_k: whole({ label: "Top-k, 0 is off", min: 0, max: 1000, value: 0, changed }),
      length: whole({ label: "Symbols", min: 1, max: 10_000, value: 0, changed }),
      seed: whole({ label: "Seed", min: 0, max: 2 ** 31, value: 0, changed }),
      beam: whole({ label: "Beam, 0 draws", min: 0, max: 64, value: 0, changed }),
    };
  }

  stopField() {
    return h("label", { class: "setting" }, h("span", {}, "Stop at"), this.stop);
  }

  fromAddress() {
    const state = { ...DEFAULTS, ...this.lab.state };
    this.prompt.value = state.prompt;
    this.stop.value = state.stop;
    for (const [name, control] of Object.entries(this.controls)) control.value = Number(state[name]);
  }

  toAddress() {
    const values = { prompt: this.prompt.value, stop: this.stop.value };
    for (const [name, control] of Object.entries(this.controls)) values[name] = control.value;
    for (const name of Object.keys(values)) if (values[name] === DEFAULTS[name]) values[name] = "";
    return { run: this.run.value, ...values };
  }

  submit(event) {
    event.preventDefault();
    this.lab.set(this.toAddress(), { step: true });
    this.write();
  }

  change(state) {
    for (const name of Object.keys(this.lab.state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.fromAddress();
    this.write();
  }

  async write() {
    this.now.abort();
    this.now = new AbortController();
    const { signal } = this.now;
    this.given = Array.from(this.prompt.value);
    this.pieces = [];
    this.chosen = -1;
    this.draw();
    this.busy(true);
    try {
      for await (const event of act("sample", this.fields(), { signal })) {
        if (signal.aborted) return;
        if (event.event === "piece" && event.text) this.add(event);
      }
      announce(`Written: ${this.pieces.length} symbols`);
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) this.lab.error(error);
    } finally {
      if (this.now.signal === signal) this.busy(false);
    }
  }

  fields() {
    const { run, beam, temperature, top_k, top_p, min_p, length, seed } = { run: this.run.value, ...this.values() };
    const common = { run, prompt: this.prompt.value, length };
    if (beam) return { ...common, beam };
    const stop = this.stop.value ? { stop: [this.stop.value] } : {};
    return { ...common, temperature, top_k, top_p, min_p, seed, log_probabilities: true, ...stop };
  }

  values() {
    return Object.fromEntries(Object.entries(this.controls).map(([name, control]) => [name, control.value]));
  }

  busy(on) {
    this.halt.hidden = !on;
    this.start.disabled = on;
  }

  add(piece) {
    this.pieces.push(piece);
    this.due ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.due = 0;
    const tokens = [...this.given, ...this.pieces.map((piece) => piece.text)];
    const surprise = this.pieces.map((piece) => (piece.log_probability === null ? NaN : 0 - piece.log_probability));
    this.figure.figure = {
      figure: "coloured-text",
      title: `${visible(this.run.value)} writes`,
      tokens,
      values: [...this.given.map(() => NaN), ...surprise],
      scale: [0, Math.max(...surprise.filter((one) => one > 0), 1)],
      value_label: "surprise of what was drawn, nats; grey was given",
    };
    this.figure.selected = this.chosen < 0 ? -1 : this.given.length + this.chosen;
    this.show();
  }

  choose(index) {
    this.chosen = Math.max(index - this.given.length, -1);
    this.draw();
    // Once the key is up: the same press of Enter must not choose an alternative as well.
    if (this.chosen >= 0) setTimeout(() => this.choices.querySelector("button")?.focus());
  }

  show() {
    const piece = this.pieces[this.chosen];
    if (!piece?.alternatives?.length) {
      const said = this.chosen < 0 ? "Choose a symbol, by a click or with the arrow keys and Enter, to see what else it might have been." : "What was searched for has no alternatives.";
      fill(this.choices, h("h2", {}, "What else?"), h("p", { class: "muted" }, said));
      return;
    }
    const others = piece.alternatives.map((one) => ({ ...one, probability: Math.exp(one.log_probability) }));
    fill(
      this.choices,
      h("h2", {}, h("span", { class: "mono token" }, `“${visible(piece.text)}”`), ` symbol ${this.given.length + this.chosen + 1}`),
      h("p", { class: "muted told" }, `p = ${number(Math.exp(piece.log_probability))}, ${number(0 - piece.log_probability)} nats`),
      h("h3", {}, "Go on from here with"),
      bars(
        others.map((one) => ({
          name: one.text === " " ? "␣" : visible(one.text),
          share: one.probability,
          words: percent(one.probability),
          marked: one.text === piece.text,
        })),
        (i) => this.goOn(others[i].text),
      ),
      h("p", { class: "muted small" }, "Under the model itself, before temperature and what is left out. Back takes you to the text as it was."),
    );
  }

  // Another way: what stands before the chosen symbol is given, and what was chosen in its place.
  goOn(text) {
    const before = this.pieces.slice(0, this.chosen).map((piece) => piece.text).join("");
    this.prompt.value = `${this.given.join("")}${before}${text}`;
    this.lab.set(this.toAddress(), { step: true });
    this.write();
    this.figure.querySelector("[tabindex]")?.focus({ preventScroll: true });
  }
}
