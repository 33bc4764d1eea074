// One unit of an LSTM and of a GRU as a drawing that fills with the real values of one step. What is drawn follows the
// equations of unrolled/cells/lstm.py and gru.py, letter by letter.

import { h, s } from "../shell/dom.js";
import { digits } from "./digits.js";

const VIEW = "0 42 820 276";
// Half the width of a gate.
const R = 25;

/**
 * The drawing for a step: now, before: name → value of the unit's fields and gates after this step and the one before.
 * null where the cell is neither an LSTM nor a GRU.
 */
export function gateDiagram(now, before) {
  const kind = kindOf(now);
  return kind ? kind(now, before) : null;
}

/** The same in words and numbers: [[equation with letters, with values], …]. */
export function arithmetic(now, before) {
  const d = digits;
  if (kindOf(now) === lstm) {
    const { forget: f, input: i, candidate: g, output: o, cell: c, hidden } = now;
    return [
      ["c = f · c′ + i · c̃", `${d(f)} · ${d(before.cell)} + ${d(i)} · ${d(g)} = ${d(c)}`],
      ["h = o · tanh c", `${d(o)} · tanh ${d(c)} = ${d(hidden)}`],
    ];
  }
  if (kindOf(now) === gru) {
    const { update: z, candidate: g, hidden } = now;
    return [["h = z · h′ + (1 − z) · h̃", `${d(z)} · ${d(before.hidden)} + ${d(1 - z)} · ${d(g)} = ${d(hidden)}`]];
  }
  return [];
}

function kindOf(values) {
  const has = (...names) => names.every((name) => name in values);
  if (has("hidden", "cell", "input", "forget", "candidate", "output")) return lstm;
  if (has("hidden", "reset", "update", "candidate")) return gru;
  return null;
}

function lstm(now, before) {
  const { forget: f, input: i, candidate: g, output: o, cell: c, hidden } = now;
  const [F, I, G, O] = [[165, 225], [305, 225], [440, 225], [580, 225]];
  const [timesF, timesI, plus, tanh, timesO] = [[165, 75], [372, 150], [372, 75], [695, 150], [695, 225]];
  return sheet("An LSTM’s unit at this step", [
    wire([[70, 75], timesF, plus, [750, 75]], true),
    wire([F, timesF]),
    wire([I, timesI]),
    wire([G, timesI]),
    wire([timesI, plus]),
    wire([[695, 75], tanh, timesO], false, false),
    wire([O, timesO]),
    wire([timesO, [750, 225]], true),
    bus([F, I, G, O]),
    end([64, 75], "c′", before.cell, "end"),
    end([758, 75], "c", c),
    end([758, 225], "h", hidden),
    gate(F, "f", "forget", f),
    gate(I, "i", "input", i),
    gate(G, "c̃", "candidate", g),
    gate(O, "o", "output", o),
    node(timesF, "×", f * before.cell),
    node(timesI, "×", i * g, [26, 5]),
    node(plus, "+"),
    node(tanh, "tanh", Math.tanh(c), [30, 5]),
    node(timesO, "×"),
  ]);
}

function gru(now, before) {
  const { update: z, reset: r, candidate: g, hidden } = now;
  const [Z, Rs, G] = [[165, 225], [345, 225], [540, 225]];
  const [timesZ, less, timesG, plus] = [[165, 75], [345, 150], [540, 150], [540, 75]];
  return sheet("A GRU’s unit at this step", [
    wire([[70, 75], timesZ, plus, [750, 75]], true),
    wire([Z, timesZ]),
    wire([Z, [240, 150], less, timesG]),
    wire([Rs, G]),
    wire([G, timesG]),
    wire([timesG, plus]),
    bus([Z, Rs, G]),
    end([64, 75], "h′", before.hidden, "end"),
    end([758, 75], "h", hidden),
    gate(Z, "z", "update", z),
    gate(Rs, "r", "reset", r),
    gate(G, "h̃", "candidate", g),
    node(timesZ, "×", z * before.hidden),
    node(less, "1 −", 1 - z, [0, -24]),
    node(timesG, "×", (1 - z) * g, [26, 5]),
    node(plus, "+"),
  ]);
}

function sheet(label, parts) {
  const svg = s("svg", { viewBox: VIEW, class: "gate-diagram", role: "img", "aria-label": label }, parts);
  return h("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": label }, svg);
}

/** A line through points; wide: what carries the state; arrow: whether it ends in one. */
function wire(points, wide = false, arrow = true) {
  const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("");
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const angle = (Math.atan2(y1 - y0, x1 - x0) * 180) / Math.PI;
  // The head stands before the round node that the line leads to.
  const back = wide ? 0 : 15;
  const head = s("path", { class: "head", d: "M-9 -5L0 0L-9 5Z", transform: `translate(${x1} ${y1}) rotate(${angle}) translate(${-back} 0)` });
  return s("g", { class: wide ? "wire wide" : "wire" }, s("path", { d }), arrow ? head : null);
}

// What every gate reads: the output of the step before, and the input.
function bus(gates) {
  const y = 300;
  const last = gates.at(-1)[0];
  return s(
    "g",
    { class: "wire" },
    s("path", { d: `M70 ${y}H${last}` }),
    gates.map(([x, top]) => s("path", { d: `M${x} ${y}V${top + R}` })),
    s("text", { x: 64, y: y + 5, "text-anchor": "end" }, "h′, x"),
  );
}

function end([x, y], letter, value, anchor = "start") {
  return s(
    "g",
    { class: "value" },
    s("text", { x, y: y - 4, "text-anchor": anchor }, letter),
    s("text", { x, y: y + 16, "text-anchor": anchor, class: "number" }, digits(value)),
  );
}

/** A gate as a disc, filled as far as it is open; what may be below zero, in the other colour. */
function gate([x, y], letter, name, value) {
  const r = R * Math.sqrt(Math.min(Math.abs(value), 1));
  return s(
    "g",
    { class: `gate ${value < 0 ? "negative" : "positive"}` },
    s("circle", { class: "rim", cx: x, cy: y, r: R }),
    s("circle", { class: "level", cx: x, cy: y, r: r.toFixed(1) }),
    s("text", { x: x + R + 6, y: y - 7 }, `${letter}  ${name}`),
    s("text", { x: x + R + 6, y: y + 17, class: "number" }, digits(value)),
  );
}

function node([x, y], sign, value = null, [dx, dy] = [20, 24]) {
  const r = sign.length > 2 ? 19 : 13;
  return s(
    "g",
    { class: "node" },
    s("circle", { cx: x, cy: y, r }),
    s("text", { x, y: y + 4.5, "text-anchor": "middle" }, sign),
    value === null ? null : s("text", { class: "number", x: x + dx, y: y + dy }, digits(value)),
  );
}
