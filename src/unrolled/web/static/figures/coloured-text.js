// A text in pieces, each with a number behind it as a colour. The colours are one canvas with a pixel for each place of
// the text, enlarged by the browser; the letters stand over it in a grid of a fixed-width font. Another unit of the same
// text (the same array of tokens) therefore touches no letter: only the pixels are written anew.

import { fill, h, properties } from "../shell/dom.js";
import { colourKey } from "./colour-key.js";
import { scale } from "./colours.js";
import { ReadOut, tell, within } from "./read-out.js";
import { number, real, visible } from "./words.js";

// Rows of pixels that a line has: the last is left free, so that lines stand apart.
const ROWS = 9;
const WIDEST = 110;
const PLAIN = /^[\u0020-\u007e\u00a0-\u024f]*$/;
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;

const layouts = new WeakMap();

export function drawColouredText(place, figure, element) {
  let layout = layouts.get(place);
  if (!layout || layout.tokens !== figure.tokens || layout.width !== place.clientWidth || !place.contains(layout.stage)) {
    layout = new Layout(place, figure.tokens, element);
    layouts.set(place, layout);
  }
  layout.paint(figure);
  layout.select(element.selected ?? -1);
}

class Layout {
  constructor(place, tokens, element) {
    this.tokens = tokens;
    this.element = element;
    this.width = place.clientWidth;
    this.canvas = h("canvas", { class: "cells", "aria-hidden": "true" });
    this.letters = h("div", { class: "letters" });
    this.cursor = h("div", { class: "token-ring", hidden: true });
    this.chosen = h("div", { class: "token-ring chosen", hidden: true });
    this.stage = h(
      "div",
      { class: "stage coloured", tabindex: "0", role: "group", "aria-roledescription": "coloured text" },
      [this.canvas, this.letters, this.cursor, this.chosen],
    );
    this.key = h("div", {});
    fill(place, this.stage, this.key);
    this.em = measured(this.letters);
    this.columns = Math.max(Math.min(Math.floor(this.width / this.em), WIDEST), 12);
    this.place();
    this.write();
    this.box = new ReadOut(this.stage);
    this.at = -1;
    this.listen();
  }

  // line, column and cells of every token, broken after a space where there is one.
  place() {
    const count = this.tokens.length;
    this.shown = this.tokens.map(visible);
    this.line = new Int32Array(count);
    this.column = new Int32Array(count);
    this.cells = Int32Array.from(this.shown, (token) => Math.min(cellsOf(token), this.columns));
    this.starts = [0];
    let column = 0;
    let space = -1;
    for (let i = 0; i < count; i += 1) {
      if (column && column + this.cells[i] > this.columns) {
        const start = space > this.starts.at(-1) ? space : i;
        this.starts.push(start);
        column = 0;
        for (let k = start; k < i; k += 1) column += this.set(k, column);
        space = -1;
      }
      column += this.set(i, column);
      if (/\s$/.test(this.tokens[i])) space = i + 1;
      if (this.tokens[i].includes("\n") && i + 1 < count) {
        this.starts.push(i + 1);
        column = 0;
        space = -1;
      }
    }
    this.lines = count ? this.starts.length : 0;
  }

  set(i, column) {
    this.line[i] = this.starts.length - 1;
    this.column[i] = column;
    return this.cells[i];
  }

  write() {
    const { shown, tokens, starts } = this;
    const lines = starts.map((start, line) => {
      const parts = [];
      let plain = "";
      for (let i = start; i < (starts[line + 1] ?? tokens.length); i += 1) {
        if (PLAIN.test(shown[i])) {
          plain += shown[i];
          continue;
        }
        // A letter that another font may have to give is held to its cells.
        const held = h("span", { class: /^[⏎⇥]$/.test(shown[i]) ? "held unseen" : "held" }, shown[i]);
        parts.push(plain, properties(held, { "--cells": this.cells[i] }));
        plain = "";
      }
      return h("div", {}, [...parts, plain]);
    });
    fill(this.letters, lines);
    this.canvas.width = this.columns;
    this.canvas.height = Math.max(this.lines * ROWS, 1);
    properties(this.stage, { "--em": `${this.em}px`, "--columns": this.columns, "--lines": this.lines });
  }

  paint(figure) {
    this.figure = figure;
    const [low, high] = figure.scale.map(real);
    const colours = scale(low === -high ? "two-highlights" : "highlight");
    const { columns, line, column, cells } = this;
    const pixels = new Uint32Array(columns * this.canvas.height);
    for (let i = 0; i < this.tokens.length; i += 1) {
      const value = real(figure.values[i]);
      const pixel = colours.pixel((value - low) / (high - low));
      const start = line[i] * ROWS * columns + column[i];
      for (let row = 0; row < ROWS - 1; row += 1) {
        const from = start + row * columns;
        pixels.fill(pixel, from, from + cells[i]);
      }
    }
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), columns, this.canvas.height);
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    fill(this.key, colourKey(colours, low, high, figure.value_label));
    const label = `${visible(figure.title)}: ${this.tokens.length} pieces. Arrow keys read their values.`;
    this.stage.setAttribute("aria-label", label);
    if (this.at >= 0 && !this.box.box.hidden) this.show(this.at, false);
  }

  /** Put the lasting ring around token i; -1 takes it away. */
  select(i) {
    this.ring(this.chosen, i);
  }

  ring(ring, i) {
    ring.hidden = !(i >= 0 && i < this.tokens.length);
    if (!ring.hidden) {
      properties(ring, { "--line": this.line[i], "--column": this.column[i], "--cells": this.cells[i] });
    }
  }

  show(i, spoken) {
    this.at = i;
    this.ring(this.cursor, i);
    const height = this.stage.clientHeight / Math.max(this.lines, 1);
    const value = number(real(this.figure.values[i]));
    const lines = [["", `“${this.shown[i]}”`, null], [visible(this.figure.value_label), value, null]];
    this.box.show((this.column[i] + this.cells[i] / 2) * this.em, this.line[i] * height, lines, spoken);
  }

  hide() {
    this.cursor.hidden = true;
    this.box.hide();
  }

  under(event) {
    const [x, y] = within(event, this.stage);
    const line = Math.floor((y / this.stage.clientHeight) * this.lines);
    const column = Math.floor(x / this.em);
    if (line < 0 || line >= this.lines) return -1;
    for (let i = this.starts[line]; i < (this.starts[line + 1] ?? this.tokens.length); i += 1) {
      if (column >= this.column[i] && column < this.column[i] + this.cells[i]) return i;
    }
    return -1;
  }

  listen() {
    const { stage, element } = this;
    stage.addEventListener("pointermove", (event) => {
      const i = this.under(event);
      if (i < 0) {
        this.hide();
      } else if (i !== this.at || this.cursor.hidden) {
        this.show(i, false);
        tell(element, "lab-look", { index: i });
      }
    });
    stage.addEventListener("pointerleave", () => this.hide());
    stage.addEventListener("blur", () => this.hide());
    stage.addEventListener("click", (event) => {
      const i = this.under(event);
      if (i >= 0 && getSelection().isCollapsed) tell(element, "lab-pick", { index: i });
    });
    stage.addEventListener("keydown", (event) => {
      const next = this.after(event.key);
      if (next !== null) {
        event.preventDefault();
        this.show(next, true);
        tell(element, "lab-look", { index: next });
      } else if (event.key === "Enter" && this.at >= 0) {
        tell(element, "lab-pick", { index: this.at });
      } else if (event.key === "Escape") {
        this.hide();
      }
    });
  }

  // Where a key leads from here; null where it leads nowhere.
  after(key) {
    const last = this.tokens.length - 1;
    if (last < 0) return null;
    if (key === "Home") return 0;
    if (key === "End") return last;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) return this.at < 0 ? 0 : Math.min(Math.max(this.at + step, 0), last);
    const down = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (!down) return null;
    if (this.at < 0) return 0;
    const line = Math.min(Math.max(this.line[this.at] + down, 0), this.lines - 1);
    const end = (this.starts[line + 1] ?? this.tokens.length) - 1;
    let i = this.starts[line];
    while (i < end && this.column[i] + this.cells[i] <= this.column[this.at]) i += 1;
    return i;
  }
}

function cellsOf(shown) {
  if (PLAIN.test(shown)) return shown.length;
  return Array.from(shown).reduce((sum, one) => sum + (WIDE.test(one) ? 2 : /\p{M}|\u200d/u.test(one) ? 0 : 1), 0);
}

/** The width of one letter here, in pixels. */
function measured(letters) {
  const ruler = h("span", {}, "x".repeat(100));
  fill(letters, ruler);
  return ruler.getBoundingClientRect().width / 100 || 9;
}
