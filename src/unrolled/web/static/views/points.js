// Points that one sets and drags, and what a pointer network makes of them: a hull, a tour, triangles. The line follows
// the points at once; the network's answer, as soon as it comes.

import { framed } from "../figures/frame.js";
import { visible } from "../figures/words.js";
import { act, get } from "../shell/api.js";
import { announce } from "../shell/announce.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { choice, invitation } from "./controls.js";
import { hull, sameLoop } from "./hull.js";
import { Plane } from "./plane.js";

export const title = "Points";

const RECIPES = { "convex-hull": "the hull", salesman: "a tour", delaunay: "triangles" };
const FEWEST = 3;
const MOST = 100;

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const pointing = runs.filter((run) => run.recipe in RECIPES && run.weights);
  fill(page, h("header", {}, h("h1", {}, title)));
  if (!pointing.length) {
    page.append(invitation("A pointer network answers with places of its input: the corners of a hull, the order of a tour. None has been trained here yet; a small one takes some minutes.", Object.keys(RECIPES)));
    return null;
  }
  return new Points(page, lab, pointing);
}

class Points {
  constructor(page, lab, runs) {
    this.lab = lab;
    this.runs = new Map(runs.map((run) => [run.name, run]));
    this.numbers = [];
    this.asking = false;
    this.answers = 0;
    const wanted = this.runs.has(lab.state.run) ? lab.state.run : runs[0].name;
    const options = runs.map((run) => [run.name, `${run.title} (${RECIPES[run.recipe]})`]);
    this.run = choice({ label: "Run", options, value: wanted, changed: (run) => this.another(run) });
    this.plane = new Plane({ changed: () => this.changed(), settled: () => this.settled() });
    this.said = h("p", { class: "muted" });
    const button = (label, pressed) => h("button", { type: "button", on: { click: pressed } }, label);
    this.frame = framed(this.plane.element, h("p", { class: "muted small" }, "Click to set a point, drag to move it. On the keyboard: Tab to a point, arrow keys move it, Delete takes it away."));
    page.append(
      h(
        "div",
        { class: "controls" },
        this.run.element,
        h("div", { class: "actions" }, button("Add a point", () => this.add()), button("Ten at random", () => this.random(10)), button("Take all away", () => this.plane.set([]))),
      ),
      this.frame.element,
      this.said,
    );
    this.plane.set(fromText(lab.state.points) ?? scattered(10, 4));
  }

  get recipe() {
    return this.runs.get(this.run.value).recipe;
  }

  change(state) {
    this.run.value = this.runs.has(state.run) ? state.run : this.run.value;
    this.plane.set(fromText(state.points) ?? scattered(10, 4));
  }

  another(run) {
    this.numbers = [];
    this.lab.set({ run });
    this.ask();
  }

  add() {
    if (this.plane.points.length < MOST) this.plane.set([...this.plane.points, [Math.random(), Math.random()]]);
  }

  random(count) {
    this.plane.set(scattered(count, Math.random() * 1e9));
  }

  // While a point is dragged: the lines go with it, and the network is asked as often as it answers.
  changed() {
    this.numbers = this.numbers.filter((number) => number <= this.plane.points.length);
    this.draw();
    this.ask();
  }

  settled() {
    this.lab.set({ run: this.run.value, points: toText(this.plane.points) });
  }

  async ask() {
    this.stale = true;
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.stale && !this.lab.signal.aborted) {
        this.stale = false;
        await this.answer(this.plane.points);
      }
    } catch (error) {
      if (!isAbort(error)) this.lab.error(error);
    } finally {
      this.asking = false;
    }
  }

  async answer(points) {
    if (points.length < FEWEST) {
      this.numbers = [];
      this.draw();
      return;
    }
    const file = points.map(([x, y]) => `${x} ${y}`).join("\n");
    for await (const event of act("point", { run: this.run.value, file }, { signal: this.lab.signal })) {
      if (event.event !== "pointed") continue;
      this.answers += 1;
      this.numbers = event.numbers.filter((number) => number <= this.plane.points.length);
      this.draw();
      if (!this.stale) announce(this.said.textContent);
    }
  }

  draw() {
    const { points } = this.plane;
    const corners = this.recipe === "delaunay" ? 3 : this.numbers.length;
    const loops = [];
    for (let first = 0; corners && first + corners <= this.numbers.length; first += corners) {
      loops.push(this.numbers.slice(first, first + corners).map((number) => points[number - 1]));
    }
    const truth = this.recipe === "convex-hull" && points.length >= FEWEST ? hull(points) : [];
    this.plane.join(loops, truth.map((i) => points[i]));
    this.frame.title(`${visible(this.run.value)}: ${RECIPES[this.recipe]} of ${points.length} points`);
    this.said.textContent = this.words(truth);
    // For whoever measures how soon an answer comes.
    this.plane.element.dataset.answers = this.answers;
  }

  words(truth) {
    if (this.plane.points.length < FEWEST) return `Set ${FEWEST} points or more.`;
    if (!this.numbers.length) return "The network points at nothing yet.";
    const answer = `It points at ${this.numbers.join(", ")}.`;
    if (!truth.length) return answer;
    const right = sameLoop(this.numbers.map((number) => number - 1), truth);
    return `${answer} ${right ? "That is the hull." : "The dotted line is the hull."}`;
  }
}

function toText(points) {
  return points.map((point) => point.map((value) => value.toFixed(3)).join(" ")).join(",");
}

/** Points of an address; null where it has none that can be read. */
function fromText(text) {
  if (text === undefined) return null;
  const points = text.split(",").filter(Boolean).slice(0, MOST).map((one) => one.trim().split(/\s+/).map(Number));
  return points.every(([x, y]) => x >= 0 && x <= 1 && y >= 0 && y <= 1) ? points.map(([x, y]) => [x, y]) : null;
}

/** Points that look drawn at random, the same every time for one seed. */
function scattered(count, seed) {
  let state = Math.imul(Math.floor(seed) + 1, 2654435761) >>> 0 || 1;
  const next = () => {
    // xorshift32 (Marsaglia 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return 0.05 + (0.9 * state) / 2 ** 32;
  };
  for (let i = 0; i < 8; i += 1) next();
  return Array.from({ length: count }, () => [next(), next()]);
}
