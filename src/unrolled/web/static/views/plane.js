// A square in which points are set, dragged and taken away, with a pointer or the keyboard, and lines between them.

import { h, s } from "../shell/dom.js";
import { digits } from "./digits.js";

const SIDE = 520;
const EDGE = 16;
const INNER = SIDE - 2 * EDGE;
const RADIUS = 8;
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Plane {
  /** changed(): the points are others now. settled(): a change is complete, a drag at its end. */
  constructor({ changed, settled }) {
    this.points = [];
    this.changed = changed;
    this.settled = settled;
    this.lines = s("g", {});
    this.dots = s("g", {});
    this.dragged = -1;
    const listeners = { pointerdown: (e) => this.#down(e), pointermove: (e) => this.#move(e), pointerup: (e) => this.#up(e), pointercancel: (e) => this.#up(e) };
    this.svg = s(
      "svg",
      { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "plane", role: "group", "aria-label": "Points", on: listeners },
      s("rect", { class: "ground", x: 0.5, y: 0.5, width: SIDE - 1, height: SIDE - 1, rx: 4 }),
      this.lines,
      this.dots,
    );
    this.element = h("div", {}, this.svg);
  }

  /** Other points [x, y], from 0 to 1, y upwards. */
  set(points) {
    this.points = points;
    this.#place();
    this.changed();
    this.settled();
  }

  /** Draw closed lines through points, and `truth`, dotted beneath them. */
  join(loops, truth) {
    const path = (loop) => `${loop.map(([x, y], i) => `${i ? "L" : "M"}${toX(x)} ${toY(y)}`).join("")}Z`;
    this.lines.replaceChildren(
      ...(truth.length ? [s("path", { class: "truth", d: path(truth) })] : []),
      ...loops.map((loop) => s("path", { class: "loop", d: path(loop) })),
    );
  }

  // One dot a point, kept where it was, so that the keyboard stays with it.
  #place() {
    while (this.dots.childElementCount > this.points.length) this.dots.lastChild.remove();
    while (this.dots.childElementCount < this.points.length) {
      const number = this.dots.childElementCount;
      const label = s("text", { "text-anchor": "middle", y: -13, "aria-hidden": "true" }, String(number + 1));
      const dot = s("g", { class: "dot-point", tabindex: 0, role: "button", on: { keydown: (event) => this.#key(event, number) } }, s("circle", { r: RADIUS }), label);
      this.dots.append(dot);
    }
    this.points.forEach(([x, y], i) => {
      this.dots.children[i].setAttribute("transform", `translate(${toX(x)} ${toY(y)})`);
      this.dots.children[i].setAttribute("aria-label", `Point ${i + 1}: ${digits(x)}, ${digits(y)}. Arrow keys move it, Delete takes it away`);
    });
  }

  #within(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (value) => Math.min(Math.max(value, 0), 1);
    const [px, py] = [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
    return [share((px - EDGE) / INNER), share(1 - (py - EDGE) / INNER)];
  }

  #down(event) {
    if (event.button) return;
    const dot = event.target.closest(".dot-point");
    event.preventDefault();
    if (dot) {
      this.dragged = [...this.dots.children].indexOf(dot);
    } else {
      this.points = [...this.points, this.#within(event)];
      this.dragged = this.points.length - 1;
      this.#place();
      this.changed();
    }
    this.dots.children[this.dragged].focus({ preventScroll: true });
    this.svg.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (this.dragged < 0) return;
    this.#put(this.dragged, this.#within(event));
  }

  #up(event) {
    if (this.dragged < 0) return;
    this.dragged = -1;
    this.svg.releasePointerCapture(event.pointerId);
    this.settled();
  }

  #put(number, point) {
    this.points = this.points.map((one, i) => (i === number ? point : one));
    this.#place();
    this.changed();
  }

  #key(event, number) {
    const step = STEPS[event.key];
    if (step) {
      const far = event.shiftKey ? 0.1 : 0.01;
      const moved = this.points[number].map((value, k) => Math.min(Math.max(value + far * step[k], 0), 1));
      this.#put(number, moved);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.points = this.points.filter((_, i) => i !== number);
      this.#place();
      this.dots.children[Math.min(number, this.points.length - 1)]?.focus();
      this.changed();
    } else {
      return;
    }
    event.preventDefault();
    this.settled();
  }
}

function toX(x) {
  return (EDGE + x * INNER).toFixed(1);
}

function toY(y) {
  return (SIDE - EDGE - y * INNER).toFixed(1);
}
