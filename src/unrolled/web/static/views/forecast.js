// What comes next in a series, with its interval, by a run that was trained to forecast it.

import { act, get } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { choice, invitation, whole } from "./controls.js";
import { Said } from "./said.js";

export const title = "Forecast";

const RECIPES = ["forecast", "temperature"];

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const able = runs.filter((run) => RECIPES.includes(run.recipe) && run.weights);
  fill(page, h("header", {}, h("h1", {}, title)));
  if (!able.length) {
    page.append(invitation("A run that was trained on a series says what comes next, and how sure it is. None has been trained here yet.", RECIPES));
    return null;
  }
  return new Forecast(page, lab, able);
}

class Forecast {
  constructor(page, lab, runs) {
    this.lab = lab;
    this.now = new AbortController();
    lab.signal.addEventListener("abort", () => this.now.abort());
    const wanted = runs.some((run) => run.name === lab.state.run) ? lab.state.run : runs[0].name;
    this.run = choice({ label: "Run", options: runs.map((run) => [run.name, run.title]), value: wanted, changed: (run) => this.set({ run }) });
    this.steps = whole({ label: "Steps ahead, 0 is the run’s own", min: 0, max: 10_000, value: lab.state.steps ?? 0, changed: (steps) => this.set({ steps: steps || "" }) });
    this.said = h("div", { class: "outcome" });
    page.append(h("div", { class: "controls" }, this.run.element, this.steps.element), this.said);
    this.ask();
  }

  change(state) {
    for (const name of Object.keys(this.lab.state)) delete this.lab.state[name];
    Object.assign(this.lab.state, state);
    this.steps.value = Number(state.steps ?? 0);
    if (state.run) this.run.value = state.run;
    this.ask();
  }

  set(changes) {
    this.lab.set(changes);
    this.ask();
  }

  async ask() {
    this.now.abort();
    this.now = new AbortController();
    const { signal } = this.now;
    const told = new Said();
    fill(this.said, h("p", { class: "muted waiting" }, "Reading the series …"));
    try {
      const steps = Number(this.lab.state.steps ?? 0);
      for await (const event of act("forecast", { run: this.run.value, ...(steps ? { steps } : {}) }, { signal })) {
        if (signal.aborted) return;
        told.add(event);
      }
      fill(this.said, told.element);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      fill(this.said);
      this.lab.error(error);
    }
  }
}
