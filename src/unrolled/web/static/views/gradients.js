// How far back a gradient reaches, cell by cell, and what clipping does at a cliff: computed anew by the server whenever
// a slider moves.

import { figureElement } from "../figures/figure.js";
import { act } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { choice, slider } from "./controls.js";
import { digits } from "./digits.js";

export const title = "Gradients";

const CELLS = [
  ["vanilla", "vanilla"],
  ["lstm", "LSTM"],
  ["gru", "GRU"],
  ["leaky", "leaky"],
  ["time-skip", "skips in time"],
  ["exp-rnn", "orthogonal"],
  ["urnn", "unitary"],
];
const VANILLA = { tanh: "elman", ReLU: "elman-relu", sigmoid: "elman-sigmoid" };
// Settings as they start; what is like this does not stand in the address.
const START = { cells: "vanilla,lstm,gru,leaky,time-skip,exp-rnn", phi: "tanh", singular: "", T: "100", hidden: "32", w: "5.5", b: "-2.2", rate: "0.1", norm: "1" };
// Milliseconds that a slider has to rest before the server computes.
const REST = 60;

export async function show(page, lab) {
  const view = new Gradients(page, lab);
  view.flow();
  view.cliff();
  return view;
}

class Gradients {
  constructor(page, lab) {
    this.lab = lab;
    this.curves = figureElement(null, { hidden: true });
    this.bounds = figureElement(null, { hidden: true });
    this.surface = figureElement(null, { hidden: true });
    // The ways down have the colours there that they have on the map.
    this.losses = figureElement(null, { hidden: true, "first-line": 2 });
    this.tasks = { flow: new Latest(lab, [this.curves, this.bounds]), cliff: new Latest(lab, [this.surface, this.losses]) };
    this.surface.addEventListener("lab-pick", ({ detail }) => this.startAt(detail));
    fill(
      page,
      h("header", {}, h("h1", {}, title)),
      h("section", { class: "stack", "aria-label": "Gradient flow" }, this.cells(), this.flowControls(), this.tasks.flow.waiting, this.curves, this.bounds),
      h(
        "section",
        { class: "stack", "aria-label": "Clipping" },
        h("header", { class: "stack" }, h("h2", {}, "The cliff"), h("p", { class: "lead" }, "The loss of a network of one unit over its two weights. Two ways down start at one place and differ in nothing but clipping. Choose a place on the map to start from there.")),
        this.cliffControls(),
        this.tasks.cliff.waiting,
        h("div", { class: "columns" }, this.surface, this.losses),
      ),
    );
    this.fromAddress();
  }

  get state() {
    return { ...START, ...this.lab.state };
  }

  set(changes, task) {
    for (const name of Object.keys(changes)) if (String(changes[name]) === START[name]) changes[name] = "";
    this.lab.set(changes);
    this.fromAddress();
    this[task]();
  }

  change(state) {
    for (const name of Object.keys(this.lab.state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.fromAddress();
    this.flow();
    this.cliff();
  }

  cells() {
    this.boxes = new Map();
    const labels = CELLS.map(([name, label]) => {
      const box = h("input", { type: "checkbox", on: { change: () => this.chooseCells() } });
      this.boxes.set(name, box);
      return h("label", { class: "choice" }, box, label);
    });
    return h("fieldset", { class: "choices" }, h("legend", { class: "visually-hidden" }, "Cells"), labels);
  }

  chooseCells() {
    const chosen = CELLS.map(([name]) => name).filter((name) => this.boxes.get(name).checked);
    // The last one stays: no cell would be no picture.
    if (chosen.length) this.set({ cells: chosen.join(",") }, "flow");
    else this.fromAddress();
  }

  flowControls() {
    const changed = (name) => (value) => this.set({ [name]: value }, "flow");
    this.phi = choice({ label: "Vanilla’s nonlinearity", options: Object.keys(VANILLA).map((name) => [name, name]), value: "tanh", changed: changed("phi") });
    this.singular = slider({ label: "Largest singular value of W", min: 0.45, max: 2, step: 0.05, value: 0.45, words: (v) => (v < 0.475 ? "as it starts" : v.toFixed(2)), changed: (v) => this.set({ singular: v < 0.475 ? "" : v.toFixed(2) }, "flow") });
    this.T = slider({ label: "Steps T", min: 5, max: 300, step: 5, value: 100, changed: changed("T") });
    this.hidden = slider({ label: "Hidden units", min: 4, max: 96, step: 4, value: 32, changed: changed("hidden") });
    return h("div", { class: "controls" }, [this.phi, this.singular, this.T, this.hidden].map((one) => one.element));
  }

  cliffControls() {
    const changed = (name) => (value) => this.set({ [name]: value }, "cliff");
    this.norm = slider({ label: "Clipped to norm", min: 0.05, max: 5, step: 0.05, value: 1, words: (v) => v.toFixed(2), changed: changed("norm") });
    this.rate = slider({ label: "Learning rate", min: 0.01, max: 0.5, step: 0.01, value: 0.1, words: (v) => v.toFixed(2), changed: changed("rate") });
    this.w = slider({ label: "Start, w", min: 4, max: 6.2, step: 0.05, value: 5.5, words: (v) => v.toFixed(2), changed: changed("w") });
    this.b = slider({ label: "Start, b", min: -3, max: -1.8, step: 0.05, value: -2.2, words: digits, changed: changed("b") });
    return h("div", { class: "controls" }, [this.norm, this.rate, this.w, this.b].map((one) => one.element));
  }

  fromAddress() {
    const { state } = this;
    const cells = state.cells.split(",");
    for (const [name, box] of this.boxes) box.checked = cells.includes(name);
    this.phi.value = state.phi;
    this.singular.value = state.singular || 0.45;
    for (const name of ["T", "hidden", "norm", "rate", "w", "b"]) this[name].value = state[name];
  }

  flow() {
    const { cells, phi, singular, T, hidden } = this.state;
    const vanilla = VANILLA[phi] ?? "elman";
    const [run, ...beside] = cells.split(",").map((name) => (name === "vanilla" ? vanilla : name));
    const fields = { run, beside, length: Number(T), hidden: Number(hidden), ...(singular ? { singular_value: Number(singular) } : {}) };
    this.tasks.flow.run("inspect gradient-flow", fields);
  }

  cliff() {
    const { w, b, rate, norm } = this.state;
    const fields = { start: [Number(w), Number(b)], rate: Number(rate), norm: Number(norm) };
    this.tasks.cliff.run("inspect cliff", fields);
  }

  startAt({ row, column }) {
    const { rows, columns } = this.surface.figure;
    const value = (text) => Number(text.split("= ")[1].replace("−", "-"));
    this.set({ w: value(columns[column]), b: value(rows[row]) }, "cliff");
  }
}

// Cells have their names of this page: elman is vanilla here.
function calledAsHere(figure) {
  const names = new Map([...CELLS, ...Object.entries(VANILLA).map(([phi, name]) => [name, phi === "tanh" ? "vanilla" : `vanilla, ${phi}`])]);
  const called = (name) => {
    const [, cell, rest] = name.match(/^(.*?)(, bound)?$/);
    return (names.get(cell) ?? cell) + (rest ?? "");
  };
  if (figure.figure === "table") return { ...figure, rows: figure.rows.map(([name, ...rest]) => [called(name), ...rest]) };
  if (figure.figure !== "curves") return figure;
  const series = figure.series.map((one) => ({ ...one, name: called(one.name), ...(one.beside ? { beside: called(one.beside) } : {}) }));
  return { ...figure, series };
}

/** Runs an action with the newest fields alone, and puts its figures into `elements`: an earlier answer is let go. */
class Latest {
  constructor(lab, elements) {
    this.lab = lab;
    this.elements = elements;
    this.waiting = h("p", { class: "muted waiting" }, "Computing …");
    this.now = new AbortController();
    lab.signal.addEventListener("abort", () => this.stop());
  }

  stop() {
    clearTimeout(this.due);
    this.now.abort();
  }

  run(name, fields) {
    this.stop();
    const { signal } = (this.now = new AbortController());
    this.due = setTimeout(async () => {
      const figures = [];
      try {
        for await (const event of act(name, fields, { signal })) if (event.event === "figure") figures.push(event.figure);
        if (signal.aborted) return;
        this.elements.forEach((element, i) => {
          element.hidden = false;
          element.figure = calledAsHere(figures[i]);
        });
      } catch (error) {
        if (!isAbort(error) && !signal.aborted) this.lab.error(error);
      } finally {
        if (!signal.aborted) this.waiting.hidden = true;
      }
    }, REST);
  }
}
