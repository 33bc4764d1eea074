// A network as small as the lecture's, unrolled over a word: one step at a time, with every number. The numbers are those
// of `inspect numbers` and `inspect weights`; nothing is computed here but the sums that are shown as sums.

import { framed } from "../figures/frame.js";
import { visible } from "../figures/words.js";
import { act, get } from "../shell/api.js";
import { announce } from "../shell/announce.js";
import { fill, h } from "../shell/dom.js";
import { errorBox, isAbort } from "../shell/error.js";
import { choice, slider } from "./controls.js";
import { digits, percent } from "./digits.js";
import { drawUnrolled } from "./unrolled.js";

export const title = "Step by step";

// The network of the package, for whoever has trained none.
const OURS = "hello";
// Milliseconds from step to step while it plays.
const PACE = 1100;

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const view = new Steps(page, lab, runs);
  await view.load();
  return view;
}

class Steps {
  constructor(page, lab, runs) {
    this.lab = lab;
    this.network = null;
    const names = new Set([OURS, ...runs.filter((run) => run.recipe === "hello" && run.weights).map((run) => run.name)]);
    this.run = choice({ label: "Network", options: [...names].map((name) => [name, name]), value: lab.state.run ?? OURS, changed: (run) => this.again({ run, text: "", step: "" }) });
    this.text = h("input", { type: "text", autocomplete: "off", spellcheck: "false", maxlength: 17, size: 12 });
    this.step = slider({ label: "Step", min: 1, max: 1, step: 1, value: 1, words: (t) => `${t} of ${this.network?.steps ?? 1}`, changed: (step) => this.set(step) });
    this.back = h("button", { type: "button", on: { click: () => this.set(this.at - 1) } }, "Back");
    this.next = h("button", { type: "button", class: "primary", on: { click: () => this.set(this.at + 1) } }, "Next step");
    this.play = h("button", { type: "button", "aria-pressed": "false", on: { click: () => this.run_(!this.timer) } }, "Play");
    this.problem = h("div", {});
    this.drawing = h("div", {});
    this.frame = framed(this.drawing);
    this.sums = h("section", { class: "card sums", "aria-label": "The arithmetic of this step" });
    lab.signal.addEventListener("abort", () => clearInterval(this.timer));
    const submit = (event) => {
      event.preventDefault();
      this.again({ text: this.text.value, step: "" });
    };
    fill(
      page,
      h("header", {}, h("h1", {}, title)),
      h("p", { class: "lead" }, "Four letters, three hidden units, one word to learn. Each step reads a letter, mixes it with the state that the step before left, and says what comes next."),
      h(
        "form",
        { class: "controls", on: { submit } },
        this.run.element,
        h("label", { class: "setting" }, h("span", {}, "It reads"), this.text),
        h("button", { type: "submit" }, "Read"),
        this.step.element,
        h("div", { class: "actions" }, this.back, this.next, this.play),
      ),
      this.problem,
      this.frame.element,
      this.sums,
    );
  }

  get at() {
    return Math.min(Math.max(Math.round(Number(this.lab.state.step)) || 1, 1), this.network?.steps ?? 1);
  }

  set(step) {
    this.lab.set({ step: Math.min(Math.max(step, 1), this.network.steps) });
    this.draw(true);
  }

  again(changes) {
    this.lab.set(changes);
    this.load();
  }

  change(state) {
    for (const name of Object.keys(this.lab.state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.run.value = state.run ?? OURS;
    this.load();
  }

  run_(on) {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.setAttribute("aria-pressed", String(on));
    this.play.textContent = on ? "Pause" : "Play";
    if (!on) return;
    if (this.at === this.network.steps) this.set(1);
    this.timer = setInterval(() => {
      if (this.at >= this.network.steps) this.run_(false);
      else this.set(this.at + 1);
    }, PACE);
  }

  async load() {
    const { run = OURS, text = "" } = this.lab.state;
    this.text.value = text;
    fill(this.problem);
    try {
      const [numbers, weights] = await Promise.all([
        figures("inspect numbers", text ? { run, text } : { run }, this.lab.signal),
        figures("inspect weights", { run }, this.lab.signal),
      ]);
      this.network = new Network(numbers[0], weights);
    } catch (error) {
      if (!isAbort(error)) fill(this.problem, errorBox(error));
      return;
    }
    if (!text) this.text.value = this.network.letters.join("") + this.network.targets.at(-1);
    this.step.max = this.network.steps;
    this.draw(false);
  }

  draw(spoken) {
    const { network, at } = this;
    this.step.value = at;
    this.back.disabled = at === 1;
    this.next.disabled = at === network.steps;
    this.frame.title(`Unrolled over “${visible(this.text.value)}”: ${network.title}`);
    drawUnrolled(this.drawing, network, at - 1, (t) => this.set(t + 1));
    fill(this.sums, this.hidden(at - 1), this.output(at - 1));
    if (!spoken) return;
    const t = at - 1;
    const p = network.probabilities[t][network.names.indexOf(network.targets[t])];
    announce(`step ${at}: reads ${network.letters[t]}, should say ${network.targets[t]}, gives it ${percent(p)}`);
  }

  // h_t = tanh(W h_{t−1} + U x_t + b), where that is what the cell does: another cell's weights have other places.
  hidden(t) {
    const parts = this.network.recurrence(t);
    if (!parts) return null;
    const rows = parts.map(({ recurrent, input, bias, sum, result }, j) => [`h ${j + 1}`, ...[recurrent, input, bias, sum, result].map(digits)]);
    return sumTable("h = tanh(W h′ + U x + b)", ["", "W h′", "U x", "b", "sum", "tanh"], rows);
  }

  output(t) {
    const { network } = this;
    const rows = network.names.map((name, k) => {
      const target = name === network.targets[t];
      const cells = [`${name}${target ? " ←" : ""}`, digits(network.logits[t][k]), digits(Math.exp(network.logits[t][k])), digits(network.probabilities[t][k])];
      return target ? Object.assign(cells, { marked: true }) : cells;
    });
    const loss = h("p", { class: "told" }, `−ln p[${network.targets[t]}] = ${digits(network.losses[t])} nats`);
    return h("div", { class: "stack" }, sumTable("y = V h + c, p = softmax(y)", ["", "y", "exp y", "p"], rows), loss);
  }
}

function sumTable(caption, columns, rows) {
  const kind = (j) => (j ? "number" : null);
  return h(
    "table",
    {},
    h("caption", {}, h("h2", {}, caption)),
    h("thead", {}, h("tr", {}, columns.map((name, j) => h("th", { scope: "col", class: kind(j) }, name)))),
    h(
      "tbody",
      {},
      rows.map((row) => h("tr", { class: row.marked ? "marked" : null }, row.map((cell, j) => h(j ? "td" : "th", { class: kind(j), scope: j ? null : "row" }, cell)))),
    ),
  );
}

async function figures(name, fields, signal) {
  const found = [];
  for await (const event of act(name, fields, { signal })) if (event.event === "figure") found.push(event.figure);
  return found;
}

/** The numbers of the two actions by what they are: rows of the table by their letter, matrices by theirs. */
class Network {
  constructor(numbers, weights) {
    this.title = numbers.title;
    this.steps = numbers.columns.length - 1;
    const row = (name) => numbers.rows.find((one) => one[0] === name).slice(1);
    const rows = (letter) => numbers.rows.filter((one) => one[0].startsWith(`${letter}  `));
    const columns = (letter) => Array.from({ length: this.steps }, (_, t) => rows(letter).map((one) => one[t + 1]));
    this.names = rows("x").map((one) => one[0].slice(3));
    this.letters = row("input letter");
    this.targets = row("target letter");
    this.inputs = columns("x");
    this.states = columns("h");
    this.logits = columns("y");
    this.probabilities = columns("p");
    this.losses = row("−ln p[target]");
    this.weights = Object.fromEntries(weights.map((one) => [one.title.split(":")[0], one.rows.map((r) => r.slice(1))]));
  }

  /** The parts of each unit's sum; null unless they give what the network's own numbers say. */
  recurrence(t) {
    const { U, W, b } = this.weights;
    const h = this.states[t];
    if (!U || !W || !b || W.length !== h.length || U[0].length !== this.names.length) return null;
    const before = t ? this.states[t - 1] : h.map(() => 0);
    const times = (row, vector) => row.reduce((sum, weight, k) => sum + weight * vector[k], 0);
    const parts = h.map((_, j) => {
      const [recurrent, input, bias] = [times(W[j], before), times(U[j], this.inputs[t]), b[j][0]];
      const sum = recurrent + input + bias;
      return { recurrent, input, bias, sum, result: Math.tanh(sum) };
    });
    return parts.every(({ result }, j) => Math.abs(result - h[j]) < 1e-4) ? parts : null;
  }
}
