// <lab-figure>: one figure of unrolled/figures.py with its title, its picture, its values as a table, and the buttons
// that save it.
//
//     const element = document.createElement("lab-figure");
//     element.figure = data;                      // what Figure.to_json() wrote; set it again to show another
//     element.marks = [{ x: 300, label: "rolled back" }];      // curves alone: lines across, at places of the x axis
//     element.selected = 12;                      // coloured text alone: the piece that has a ring; -1 is none
//     element.addEventListener("lab-pick", (event) => event.detail);   // a click, or Enter: what was chosen
//     element.addEventListener("lab-look", (event) => event.detail);   // the pointer or the arrow keys came to it
//
// detail: {x} for curves; {series, index} for points; {row, column} for a heat map; {index} for a coloured text or a
// tree; {row} for a table. `compact` (an attribute) leaves out the title and the buttons: for small ones in a list.

import { fill, h } from "../shell/dom.js";
import { drawColouredText } from "./coloured-text.js";
import { drawCurves } from "./curves.js";
import { framed } from "./frame.js";
import { drawHeatMap } from "./heat-map.js";
import { drawPoints } from "./points.js";
import { drawTable, plainTable } from "./table.js";
import { drawTree } from "./tree.js";
import { tableOf } from "./values.js";
import { visible } from "./words.js";

// kind → draw(place, figure, element): puts the picture into `place`, as wide as that is.
const KINDS = {
  curves: drawCurves,
  points: drawPoints,
  "heat-map": drawHeatMap,
  "coloured-text": drawColouredText,
  table: drawTable,
  tree: drawTree,
};

class LabFigure extends HTMLElement {
  #figure = null;
  #marks = [];
  #selected = -1;
  #place = h("div", { class: "picture" });
  #frame = null;
  #values = null;
  #width = 0;
  #due = 0;
  #sizes = new ResizeObserver(() => this.#resized());
  #themed = () => this.#redraw();

  get figure() {
    return this.#figure;
  }

  set figure(data) {
    this.#figure = data;
    this.#redraw();
  }

  get marks() {
    return this.#marks;
  }

  set marks(list) {
    this.#marks = list;
    this.#redraw();
  }

  get selected() {
    return this.#selected;
  }

  set selected(index) {
    this.#selected = index;
    this.#redraw();
  }

  connectedCallback() {
    if (!this.firstChild) this.#build();
    this.#sizes.observe(this.#place);
    document.addEventListener("lab-theme", this.#themed);
    this.#redraw();
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    document.removeEventListener("lab-theme", this.#themed);
    cancelAnimationFrame(this.#due);
    this.#due = 0;
  }

  #build() {
    if (this.hasAttribute("compact")) {
      this.append(this.#place);
      return;
    }
    const opened = { toggle: () => this.#fillValues() };
    this.#values = h("details", { class: "values", on: opened }, h("summary", {}, "Values"));
    this.#frame = framed(this.#place, this.#values);
    this.append(this.#frame.element);
  }

  // Several changes within one frame are drawn once.
  #redraw() {
    if (!this.isConnected || !this.#figure || this.#due) return;
    this.#due = requestAnimationFrame(() => {
      this.#due = 0;
      this.#draw();
    });
  }

  #resized() {
    if (Math.abs(this.#place.clientWidth - this.#width) >= 1) this.#redraw();
  }

  #draw() {
    const figure = this.#figure;
    this.#width = this.#place.clientWidth;
    this.dataset.kind = figure.figure;
    if (this.#frame) {
      this.#frame.title(visible(figure.title));
      this.#values.hidden = figure.figure === "table"; // which is its own
    }
    const draw = KINDS[figure.figure];
    if (!draw) {
      fill(this.#place, h("p", { class: "muted" }, `This page cannot draw a ${visible(String(figure.figure))} yet.`));
      return;
    }
    // What is drawn anew while someone reads it by the keyboard stays the place where the keyboard is.
    const reading = this.#place.contains(document.activeElement);
    draw(this.#place, figure, this);
    if (reading) this.#place.querySelector("[tabindex]")?.focus({ preventScroll: true });
    this.#fillValues();
  }

  #fillValues() {
    if (!this.#values?.open) return;
    const { table, note } = tableOf(this.#figure);
    fill(
      this.#values,
      this.#values.firstChild,
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values" }, plainTable(table)),
      note ? h("p", { class: "muted small" }, note) : null,
    );
  }
}

customElements.define("lab-figure", LabFigure);

/** A figure's element, with the figure in it. */
export function figureElement(data, attributes = {}) {
  const element = h("lab-figure", attributes);
  element.figure = data;
  return element;
}
