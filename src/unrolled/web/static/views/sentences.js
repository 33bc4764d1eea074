// A sentence of one's own, and what a run makes of it: a translation with where it looked, a tree, a class with the words
// that speak for it, tags. What is shown are the figures of the run's own action.

import { visible } from "../figures/words.js";
import { act, get } from "../shell/api.js";
import { announce } from "../shell/announce.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { choice, invitation } from "./controls.js";
import { Said } from "./said.js";

export const title = "Sentences";

// Recipe → the action that reads a sentence with its runs; without a line here, the action that is called like it.
const ACTIONS = { sentiment: "inspect saliency", tagging: "predict" };
const RECIPES = ["translate", "parse", "sentiment", "tagging"];
// What is asked for beyond the sentence: a map of where it looked, unless it has no attention; a drawing.
const mapped = (options) => (options.attention === "none" ? {} : { maps: 1 });
const FURTHER = { translate: mapped, parse: (options) => ({ draw: 1, ...mapped(options) }) };
const WORDS = { translate: "translation", parse: "tree", sentiment: "feeling", tagging: "tags" };

export async function show(page, lab) {
  const [{ runs }, { actions }] = await Promise.all(["runs", "actions"].map((path) => get(path, { signal: lab.signal })));
  const named = new Map(actions.map((one) => [one.name, one]));
  const reads = (recipe) => named.get(ACTIONS[recipe] ?? recipe);
  const reading = runs.filter((run) => RECIPES.includes(run.recipe) && run.weights && reads(run.recipe));
  fill(page, h("header", {}, h("h1", {}, title)));
  if (!reading.length) {
    page.append(invitation("A run that translates a sentence, draws its tree, tags its words or feels its mood is asked here. None has been trained yet.", RECIPES.filter(reads)));
    return null;
  }
  return new Sentences(page, lab, reading, reads);
}

class Sentences {
  constructor(page, lab, runs, reads) {
    this.lab = lab;
    this.reads = reads;
    this.runs = new Map(runs.map((run) => [run.name, run]));
    this.now = new AbortController();
    lab.signal.addEventListener("abort", () => this.now.abort());
    const options = runs.map((run) => [run.name, `${run.title} (${WORDS[run.recipe]})`]);
    const wanted = this.runs.has(lab.state.run) ? lab.state.run : runs[0].name;
    this.run = choice({ label: "Run", options, value: wanted, changed: (run) => this.again({ run }) });
    this.text = h("textarea", { rows: 2, placeholder: "A sentence, in the language that the run reads" });
    this.text.value = lab.state.text ?? "";
    this.said = h("div", { class: "outcome" });
    const submit = (event) => {
      event.preventDefault();
      this.again({ text: this.text.value });
    };
    page.append(
      h(
        "form",
        { class: "card text-form", on: { submit } },
        this.run.element,
        h("label", { class: "wide-field" }, h("span", {}, "Sentence"), this.text),
        h("button", { type: "submit", class: "primary" }, "Read"),
      ),
      this.said,
    );
    this.ask();
  }

  change(state) {
    this.run.value = this.runs.has(state.run) ? state.run : this.run.value;
    this.text.value = state.text ?? "";
    for (const name of Object.keys(this.lab.state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.ask();
  }

  again(changes) {
    this.lab.set({ run: this.run.value, ...changes });
    this.ask();
  }

  async ask() {
    this.now.abort();
    this.now = new AbortController();
    const { signal } = this.now;
    const text = (this.lab.state.text ?? "").trim();
    if (!text) {
      fill(this.said, h("p", { class: "muted" }, "Write a sentence, and see what it makes of it."));
      return;
    }
    const { name, recipe } = this.runs.get(this.run.value);
    const action = this.reads(recipe);
    const field = action.fields.find((one) => one.kind === "words").name;
    const told = new Said();
    fill(this.said, h("p", { class: "muted waiting" }, "Reading …"));
    try {
      const { options } = await get(`runs/${encodeURIComponent(name)}`, { signal });
      const fields = { run: name, [field]: text, ...FURTHER[recipe]?.(options ?? {}) };
      for await (const event of act(action.name, fields, { signal })) {
        if (signal.aborted) return;
        told.add(event);
      }
      fill(this.said, told.element);
      announce(`${visible(this.run.value)} has read the sentence`);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      fill(this.said);
      this.lab.error(error);
    }
  }
}
