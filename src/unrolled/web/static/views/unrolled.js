// The drawing of a small network unrolled over a word, after the lecture's: a column a step, from the letter below to the
// letter that should come, above. Steps that are still to come are pale.

import { fill, h, s } from "../shell/dom.js";
import { visible } from "../figures/words.js";
import { scale } from "../figures/colours.js";
import { digits } from "./digits.js";

const CELL = { width: 62, height: 24 };
const STEP = 150;
const LEFT = 56;
const GAP = 46;

/** Draw `network` (of steps.js) with step `at`, from 0, as the present one. picked(t): a column was clicked. */
export function drawUnrolled(place, network, at, picked) {
  const layers = [
    { letter: "p", vectors: network.probabilities, range: [0, 1], names: network.names },
    { letter: "y", vectors: network.logits, range: spread(network.logits), names: network.names },
    { letter: "h", vectors: network.states, range: [-1, 1] },
    { letter: "x", vectors: network.inputs, range: [0, 1], names: network.names },
  ];
  let top = 40;
  for (const layer of layers) {
    layer.top = top;
    layer.height = layer.vectors[0].length * CELL.height;
    top += layer.height + GAP;
  }
  const height = top - GAP + 40;
  const width = LEFT + network.steps * STEP - (STEP - CELL.width) + 30;
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "unrolled", role: "img", "aria-label": `Step ${at + 1}: reads ${network.letters[at]}; the table below has its numbers` });
  svg.append(names(layers, width, height));
  for (let t = 0; t < network.steps; t += 1) {
    const column = s("g", { class: t === at ? "step now" : t < at ? "step" : "step later" });
    const x = LEFT + t * STEP;
    column.append(arrows(layers, x, t), ...layers.map((layer) => vector(layer, x, t, network)));
    column.append(
      s("text", { class: "letter", x: x + CELL.width / 2, y: height - 12, "text-anchor": "middle" }, visible(network.letters[t])),
      s("text", { class: "letter", x: x + CELL.width / 2, y: 22, "text-anchor": "middle" }, visible(network.targets[t])),
    );
    column.addEventListener("click", () => picked(t));
    svg.append(column);
  }
  const region = h("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "The unrolled network" }, svg);
  fill(place, region);
  // The present step stands in sight.
  region.scrollLeft = LEFT + at * STEP - region.clientWidth / 2;
}

function names(layers, width, height) {
  const group = s("g", { class: "names" });
  for (const { letter, top, height: tall } of layers) {
    group.append(s("text", { x: 10, y: top + tall / 2 + 5 }, letter));
  }
  group.append(s("text", { x: 10, y: height - 12 }, "in"), s("text", { x: 10, y: 22 }, "out"));
  return group;
}

function vector({ letter, vectors, range: [low, high], top, names: labels }, x, t, network) {
  const colours = scale(low < 0 ? "two-highlights" : "highlight");
  const target = letter === "p" ? network.names.indexOf(network.targets[t]) : -1;
  return s(
    "g",
    {},
    vectors[t].map((value, k) => {
      const y = top + k * CELL.height;
      const fills = colours.colour((value - low) / (high - low));
      return s(
        "g",
        {},
        s("rect", { x, y, width: CELL.width, height: CELL.height, fill: fills }),
        s("text", { x: x + CELL.width - 6, y: y + 16.5, "text-anchor": "end" }, letter === "x" ? String(value) : digits(value)),
        labels && letter !== "y" ? s("text", { class: "symbol", x: x + 6, y: y + 16.5 }, visible(labels[k])) : null,
      );
    }),
    target < 0 ? null : s("rect", { class: "target", x, y: top + target * CELL.height, width: CELL.width, height: CELL.height }),
  );
}

function arrows(layers, x, t) {
  const group = s("g", { class: "wire" });
  const middle = x + CELL.width / 2;
  for (let i = 0; i + 1 < layers.length; i += 1) {
    const [to, from] = [layers[i].top + layers[i].height, layers[i + 1].top];
    group.append(arrow(middle, from - 4, middle, to + 5));
    const letter = ["softmax", "V", "U"][i];
    group.append(s("text", { x: middle + 9, y: (from + to) / 2 + 5 }, letter));
  }
  const hidden = layers[2];
  const y = hidden.top + hidden.height / 2;
  if (t) {
    group.append(arrow(x - (STEP - CELL.width) + 4, y, x - 5, y), s("text", { x: x - (STEP - CELL.width) / 2, y: y - 8, "text-anchor": "middle" }, "W"));
  }
  return group;
}

function arrow(x0, y0, x1, y1) {
  const angle = (Math.atan2(y1 - y0, x1 - x0) * 180) / Math.PI;
  return s(
    "g",
    {},
    s("path", { d: `M${x0} ${y0}L${x1} ${y1}` }),
    s("path", { class: "head", d: "M-8 -4.5L0 0L-8 4.5Z", transform: `translate(${x1} ${y1}) rotate(${angle})` }),
  );
}

function spread(vectors) {
  const high = Math.max(...vectors.flat().map(Math.abs), 1e-6);
  return [-high, high];
}
