// All runs, the newest first, with their curves. Several can be chosen and compared.

import { figureElement } from "../figures/figure.js";
import { number, visible } from "../figures/words.js";
import { go, link } from "../shell/address.js";
import { get, post } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { VIEWS } from "./index.js";
import { curves } from "./run-log.js";
import { progressWords, stateSign } from "./run-state.js";

export const title = "Runs";

const EVERY = 2000;

export async function show(page, lab) {
  const list = new RunList(lab);
  const first = await get("lab", { signal: lab.signal });
  const welcome = h("div", {});
  fill(
    page,
    h("header", {}, h("h1", {}, "Runs"), h("div", { class: "actions" }, list.compare, h("a", { class: "button primary", href: link("train") }, "New run"))),
    welcome,
    list.element,
  );
  let timer = 0;
  lab.signal.addEventListener("abort", () => clearTimeout(timer));
  async function refresh() {
    try {
      const { runs } = await get("runs", { signal: lab.signal });
      const own = runs.filter((run) => !run.bundled);
      if (own.length) fill(welcome);
      else if (!welcome.firstChild) welcome.append(welcomeCard(first.demo, lab));
      list.update(runs);
    } catch (error) {
      lab.error(error);
    }
    if (!lab.signal.aborted) timer = setTimeout(refresh, EVERY);
  }
  await refresh();
}

function welcomeCard(demo, lab) {
  const look = VIEWS.find((view) => view.ofRun);
  const start = async (event) => {
    event.currentTarget.disabled = true;
    try {
      const { name } = await post("runs", demo, { signal: lab.signal });
      go(link(["run", name]));
    } catch (error) {
      event.target.disabled = false;
      lab.error(error);
    }
  };
  return h(
    "section",
    { class: "card welcome" },
    h("h2", {}, "Nothing has been trained here yet"),
    h(
      "p",
      { class: "lead" },
      "The demo run learns to write Python from the standard library’s own source, in about two minutes; you can watch " +
        "it learn. The model called tiny, below, was trained before, and is there to look into at once.",
    ),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "primary", on: { click: start } }, "Start the demo run"),
      h("a", { class: "button", href: link(look.name, { run: "tiny" }) }, "Look into tiny"),
    ),
  );
}

class RunList {
  constructor(lab) {
    this.lab = lab;
    this.rows = new Map();
    this.chosen = new Set((lab.state.chosen ?? "").split(",").filter(Boolean));
    this.element = h("ul", { class: "run-list", "aria-label": "Runs" });
    this.compare = h("button", { type: "button", on: { click: () => go(link("compare", { runs: [...this.chosen].join(",") })) } });
    this.#label();
  }

  update(runs) {
    const names = new Set(runs.map((run) => run.name));
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      row.element.remove();
      this.rows.delete(name);
    }
    runs.forEach((run, place) => {
      const row = this.rows.get(run.name) ?? this.#add(run);
      // Only what is in another place is moved, so that the keyboard stays where it is.
      if (this.element.children[place] !== row.element) this.element.insertBefore(row.element, this.element.children[place] ?? null);
      row.update(run);
    });
  }

  #add(run) {
    const row = new RunRow(run, this.chosen.has(run.name), (on) => {
      if (on) this.chosen.add(run.name);
      else this.chosen.delete(run.name);
      this.#label();
      this.lab.set({ chosen: [...this.chosen].join(",") });
    });
    this.rows.set(run.name, row);
    return row;
  }

  #label() {
    this.compare.disabled = this.chosen.size < 2;
    this.compare.textContent = this.chosen.size < 2 ? "Choose two to compare" : `Compare ${this.chosen.size} runs`;
  }
}

class RunRow {
  constructor(run, chosen, choose) {
    const name = visible(run.title);
    const box = h("input", { type: "checkbox", "aria-label": `Compare ${name}`, on: { change: (event) => choose(event.target.checked) } });
    box.checked = chosen;
    this.about = h("p", { class: "muted small" });
    this.state = h("p", {});
    this.numbers = h("dl", {});
    this.curve = figureElement(curves(`Loss of ${name}`, [], "loss"), { compact: true });
    this.element = h(
      "li",
      { class: "card run-row" },
      box,
      h("div", { class: "name" }, h("h2", {}, h("a", { href: link(["run", run.name]) }, name)), this.about),
      this.curve,
      this.numbers,
      this.state,
    );
    this.said = "";
  }

  update(run) {
    const said = JSON.stringify(run);
    if (said === this.said) return;
    this.said = said;
    const made = run.bundled ? "part of the package" : run.created ? new Date(run.created).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : "";
    this.about.textContent = [run.recipe, made].filter(Boolean).map(visible).join(" · ");
    fill(this.state, stateSign(run.state), run.problem ? h("span", { class: "problem" }, ` ${visible(run.problem)}`) : null);
    const { step = [], loss = [] } = run.curve ?? {};
    this.curve.hidden = !step.length; // a model that came without its log
    this.curve.figure = curves(`Loss of ${run.title}`, [{ name: "loss", x: step, y: loss }], "loss");
    const numbers = run.step ? [["steps", progressWords(run.step, run.steps).replace("step ", "")]] : [];
    if (run.loss !== null && run.loss !== undefined) numbers.push(["loss", number(Number(run.loss))]);
    for (const [label, figures] of [["validation", run.validated], ["test", run.evaluated]]) {
      const [value] = Object.values(figures ?? {});
      if (value !== undefined) numbers.push([label, number(Number(value))]);
    }
    fill(this.numbers, numbers.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
  }
}
