// One place of a text that was read: how likely the symbol was that stands there, what else might have come, and what
// the units hold once it is read.

import { figureElement } from "../figures/figure.js";
import { number, visible } from "../figures/words.js";
import { link } from "../shell/address.js";
import { fill, h } from "../shell/dom.js";
import { bars } from "./controls.js";
import { digits, percent } from "./digits.js";

export class Place {
  /** picked(name, unit): a unit was chosen among all of them. */
  constructor(picked, lab) {
    this.lab = lab;
    this.element = h("section", { class: "card place", "aria-label": "The chosen symbol" });
    this.state = figureElement(null, { class: "all-units" });
    this.state.addEventListener("lab-pick", ({ detail }) => picked(this.names[detail.row], detail.column + 1));
  }

  show(reading, at, unit) {
    const token = reading.tokens[at];
    const known = reading.logProbabilities[at];
    const told = known === null ? "nothing stands before it" : `p = ${number(Math.exp(known))}, ${number(0 - known)} nats`;
    fill(
      this.element,
      h("h2", {}, h("span", { class: "mono token" }, `“${visible(token)}”`), ` symbol ${at + 1} of ${reading.tokens.length.toLocaleString("en-GB")}`),
      h("p", { class: "muted told" }, told),
      known === null ? null : [h("h3", {}, "What might have come"), this.others(reading, at)],
      h("h3", {}, `Unit ${unit} here`),
      this.gates(reading, at, unit),
      h("div", { class: "actions" }, this.links(reading, at, unit)),
    );
    this.all(reading, at);
  }

  others(reading, at) {
    return bars(
      reading.alternatives(at).map(({ text, probability }) => ({
        name: text === " " ? "␣" : visible(text),
        share: probability,
        words: percent(probability),
        marked: text === reading.tokens[at],
      })),
    );
  }

  gates(reading, at, unit) {
    const rows = reading.names.filter((one) => reading.signals.has(one)).map((one) => {
      const { units } = reading.signals.get(one);
      const value = unit <= units ? reading.unit(one, unit)[at] : null;
      const before = unit <= units && at > 0 ? reading.unit(one, unit)[at - 1] : null;
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, visible(one)),
        h("td", { class: "number muted" }, before === null ? "" : digits(before)),
        h("td", { class: "number" }, value === null ? "–" : digits(value)),
      );
    });
    const head = ["", "before", "now"].map((text, i) => h("th", { scope: "col", class: i ? "number" : null }, text));
    return h("table", { class: "gates" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  }

  links(reading, at, unit) {
    const run = this.lab.state.run;
    const kept = reading.tokens.slice(0, at + 1).join("");
    const { layer, text } = this.lab.state;
    return [
      h("a", { class: "button", href: link("write", { run, prompt: kept }) }, "Write on from here"),
      h("a", { class: "button", href: link("gates", { run, text, layer, unit, step: at + 1 }) }, "This step’s gates"),
    ];
  }

  /** Every unit at this place, in every field and gate; which of them colours the text changes nothing here. */
  all(reading, at) {
    const shown = `${at} ${reading.signals.size}`;
    if (this.reading === reading && this.shown === shown) return;
    Object.assign(this, { reading, shown });
    this.names = reading.names.filter((one) => reading.signals.has(one));
    this.state.hidden = !this.names.length;
    if (!this.names.length) return;
    const most = Math.max(...this.names.map((one) => reading.signals.get(one).units));
    const values = this.names.map((one) => {
      const row = Array.from(reading.at(one, at));
      return [...row, ...Array(most - row.length).fill(NaN)];
    });
    const columns = Array.from({ length: most }, (_, j) => String(j + 1));
    const title = `All units after “${visible(reading.tokens[at])}”, symbol ${at + 1}`;
    this.state.figure = { figure: "heat-map", title, rows: this.names, columns, values, value_label: "value", paths: [] };
  }
}
