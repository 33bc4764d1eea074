// What the colours of a map or of a text mean: the scale between its ends, and its quantity and unit.

import { h } from "../shell/dom.js";
import { shortNumber, visible } from "./words.js";

const STEPS = 48;

/** The key of `colours` (of colours.js) from `low` to `high`. */
export function colourKey(colours, low, high, label) {
  const bar = h("canvas", { width: STEPS, height: 1, "aria-hidden": "true" });
  const pixels = Uint32Array.from({ length: STEPS }, (_, i) => colours.pixel(i / (STEPS - 1)));
  bar.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), STEPS, 1), 0, 0);
  return h(
    "div",
    { class: "colour-key" },
    h("span", {}, shortNumber(low)),
    bar,
    h("span", {}, shortNumber(high)),
    h("span", { class: "label" }, visible(label)),
  );
}
