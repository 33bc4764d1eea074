// The frame of whatever has axes: grid, ticks, labels, and the SVG on which marks are put.

import { fill, h, s } from "../shell/dom.js";
import { visible } from "./words.js";

/** About how wide `text` is at the size of a tick's label, in pixels, rather more than less. */
export function textWidth(text) {
  return Array.from(text).length * 7.1;
}

/** A drawing of `width` × `height` pixels within `place`, with arrow keys and a pointer: `role` and name for readers. */
export function sheet(place, width, height, label) {
  const svg = s("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
    focusable: "false",
  });
  const stage = h(
    "div",
    { class: "stage", tabindex: "0", role: "group", "aria-roledescription": "figure", "aria-label": label },
    svg,
  );
  fill(place, stage);
  return { svg, stage };
}

/** Put axes on `svg`: frame {left, right, top, bottom}. grid: lines at the ticks across as well. */
export function drawAxes(svg, across, up, frame, xLabel, yLabel, { grid = false } = {}) {
  const { left, right, top, bottom } = frame;
  const marks = s("g", { class: "axes" });
  for (const [value, written] of up.ticks) {
    const y = bottom - up.place(value) * (bottom - top);
    marks.append(s("path", { class: "grid", d: `M${left} ${y.toFixed(1)}H${right}` }));
    marks.append(s("text", { x: left - 8, y: (y + 4).toFixed(1), "text-anchor": "end" }, written));
  }
  // Labels that would touch are left out, evenly.
  const room = Math.max(...across.ticks.map(([, written]) => textWidth(written)), 1) + 10;
  const each = Math.max(1, Math.ceil((room * across.ticks.length) / Math.max(right - left, 1)));
  across.ticks.forEach(([value, written], i) => {
    const x = left + across.place(value) * (right - left);
    const d = grid ? `M${x.toFixed(1)} ${top}V${bottom}` : `M${x.toFixed(1)} ${bottom}v5`;
    marks.append(s("path", { class: grid ? "grid" : "tick", d }));
    if (i % each === 0) marks.append(s("text", { x: x.toFixed(1), y: bottom + 19, "text-anchor": "middle" }, written));
  });
  if (!grid) marks.append(s("path", { class: "tick", d: `M${left} ${bottom}H${right}` }));
  marks.append(s("text", { x: 0, y: 13 }, visible(yLabel)));
  marks.append(s("text", { x: right, y: bottom + 37, "text-anchor": "end" }, visible(xLabel)));
  svg.append(marks);
}

/** How wide the labels of an axis that goes up are. */
export function tickRoom(up) {
  return Math.max(...up.ticks.map(([, written]) => textWidth(written)), 12) + 10;
}

/** A path through points [x, y] in pixels; NaN breaks it. */
export function pathThrough(points) {
  const parts = [];
  let lifted = true;
  for (const [x, y] of points) {
    if (Number.isNaN(x) || Number.isNaN(y)) {
      lifted = true;
      continue;
    }
    parts.push(`${lifted ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`);
    lifted = false;
  }
  return parts.join("");
}

/** The names of the lines, where they do not stand at the lines' ends. entries: [[name, class of its mark], …]. */
export function legend(entries) {
  return h(
    "ul",
    { class: "legend" },
    entries.map(([name, mark]) => h("li", {}, h("i", { class: `swatch ${mark}` }), visible(name))),
  );
}

/** Places near those wanted, `gap` apart, between `low` and `high`: names at the ends of lines that can be read. */
export function apart(wanted, gap, low, high) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const least = Math.min(gap, (high - low) / Math.max(wanted.length - 1, 1));
  const placed = [...wanted];
  let floor = low;
  for (const i of order) {
    placed[i] = Math.max(wanted[i], floor);
    floor = placed[i] + least;
  }
  let ceiling = high;
  for (const i of order.reverse()) {
    placed[i] = Math.min(placed[i], ceiling);
    ceiling = placed[i] - least;
  }
  return placed;
}
