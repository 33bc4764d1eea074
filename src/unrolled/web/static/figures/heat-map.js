// Numbers in rows and columns as colours. The map itself is a canvas with one pixel for each number, which the browser
// enlarges: a large one costs no more than a small one. Labels, paths and the cursor are SVG above it.

import { h, properties, s } from "../shell/dom.js";
import { scale } from "./colours.js";
import { colourKey } from "./colour-key.js";
import { legend, pathThrough, sheet, textWidth } from "./plot.js";
import { ReadOut, tell, within } from "./read-out.js";
import { heatRange } from "./scales.js";
import { number, real, shorten, visible } from "./words.js";

const COLOURS = 7;
// Cells at least this large, in pixels, stand apart by a gap.
const APART = 10;
const LARGEST = 28;
const LABEL = 14;

export function drawHeatMap(place, figure, element) {
  const values = figure.values.map((row) => row.map(real));
  const range = heatRange(values);
  const colours = scale(range.two ? "diverging" : "sequential");
  const share = (value) => (value - range.low) / (range.high - range.low);
  const width = Math.max(place.clientWidth, 160);
  const rows = figure.rows.map((row) => shorten(visible(row), 18));
  const columns = figure.columns.map((column) => shorten(visible(column), 18));
  const left = Math.min(Math.max(0, ...rows.map(textWidth)) + 10, width * 0.4);
  const across = Math.min(LARGEST, (width - left - 2) / Math.max(columns.length, 1));
  const down = across >= APART ? across : Math.min(Math.max(360 / Math.max(rows.length, 1), 3), 14);
  const widest = Math.max(0, ...columns.map(textWidth));
  // Names that would touch are turned; those that would still touch are left out, evenly.
  const turned = widest > across - 2;
  const top = (turned ? widest : LABEL) + 8;
  const frame = { left, top, width: across * columns.length, height: down * rows.length, across, down };
  const label = `${visible(figure.title)}: ${rows.length} rows, ${columns.length} columns. Arrow keys read the values.`;
  const { svg, stage } = sheet(place, width, Math.ceil(top + frame.height + 6), label);
  stage.prepend(painted(values, colours, share, frame));
  names(svg, rows, columns, frame, turned);
  if (across >= APART && down >= APART) svg.append(grid(frame, rows.length, columns.length));
  paths(svg, figure, frame);
  if (figure.paths.length) {
    place.append(legend(figure.paths.map((path, i) => [path.name, `line-${((i + 1) % COLOURS) + 1}`])));
  }
  place.append(colourKey(colours, range.low, range.high, figure.value_label));
  readable(stage, svg, { figure, values, frame, element });
}

function painted(values, colours, share, frame) {
  const across = values[0]?.length ?? 0;
  const canvas = h("canvas", { class: "cells", width: Math.max(across, 1), height: Math.max(values.length, 1) });
  properties(canvas, {
    "--left": `${frame.left}px`,
    "--top": `${frame.top}px`,
    "--width": `${frame.width}px`,
    "--height": `${frame.height}px`,
  });
  if (!across) return canvas;
  const pixels = new Uint32Array(across * values.length);
  values.forEach((row, i) => row.forEach((value, j) => (pixels[i * across + j] = colours.pixel(share(value)))));
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), across, values.length);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function names(svg, rows, columns, { left, top, across, down }, turned) {
  const group = s("g", { class: "axes" });
  for (let j = 0; j < columns.length; j += Math.ceil(LABEL / across)) {
    const x = (left + (j + 0.5) * across).toFixed(1);
    const at = turned
      ? { x, y: top - 6, transform: `rotate(-90 ${x} ${top - 6}) translate(0 4)` }
      : { x, y: top - 6, "text-anchor": "middle" };
    group.append(s("text", at, columns[j]));
  }
  for (let i = 0; i < rows.length; i += Math.ceil(LABEL / down)) {
    group.append(s("text", { x: left - 8, y: (top + (i + 0.5) * down + 4).toFixed(1), "text-anchor": "end" }, rows[i]));
  }
  svg.append(group);
}

function grid({ left, top, width, height, across, down }, rows, columns) {
  const lines = [];
  for (let j = 0; j <= columns; j += 1) lines.push(`M${(left + j * across).toFixed(1)} ${top}v${height.toFixed(1)}`);
  for (let i = 0; i <= rows; i += 1) lines.push(`M${left.toFixed(1)} ${(top + i * down).toFixed(1)}h${width.toFixed(1)}`);
  return s("path", { class: "gaps", d: lines.join("") });
}

function paths(svg, figure, { left, top, width, height, across, down }) {
  if (!figure.paths.length) return;
  // What leads out of the map ends at its edge: a drawing within the drawing cuts it there.
  const inner = s("svg", { x: left, y: top, width, height, viewBox: `0 0 ${width} ${height}` });
  figure.paths.forEach((path, i) => {
    const points = path.x.map((x, k) => [(real(x) + 0.5) * across, (real(path.y[k]) + 0.5) * down]);
    const d = pathThrough(points);
    const style = `line-${((i + 1) % COLOURS) + 1}`;
    inner.append(s("path", { class: "halo", d }), s("path", { class: `curve ${style}`, d }));
    const first = points.find(([x, y]) => !Number.isNaN(x + y));
    if (first) inner.append(s("circle", { class: `dot ${style}`, cx: first[0], cy: first[1], r: 4 }));
  });
  svg.append(inner);
}

function readable(stage, svg, { figure, values, frame, element }) {
  const { left, top, across, down } = frame;
  const cursor = s("rect", { class: "ring", width: across, height: down, visibility: "hidden" });
  svg.append(cursor);
  const box = new ReadOut(stage);
  const last = [figure.rows.length - 1, figure.columns.length - 1];
  if (last[0] < 0 || last[1] < 0) return;
  let at = null;

  function show(i, j, spoken) {
    at = [i, j];
    const [x, y] = [left + j * across, top + i * down];
    cursor.setAttribute("x", x.toFixed(1));
    cursor.setAttribute("y", y.toFixed(1));
    cursor.setAttribute("visibility", "visible");
    const name = `${visible(figure.rows[i])}, ${visible(figure.columns[j])}`;
    box.show(x + across / 2, y, [["", name, null], [visible(figure.value_label), number(values[i][j]), null]], spoken);
    tell(element, "lab-look", { row: i, column: j });
  }

  function hide() {
    cursor.setAttribute("visibility", "hidden");
    box.hide();
  }

  function under(event) {
    const [x, y] = within(event, stage);
    const [i, j] = [Math.floor((y - top) / down), Math.floor((x - left) / across)];
    return i >= 0 && j >= 0 && i <= last[0] && j <= last[1] ? [i, j] : null;
  }

  stage.addEventListener("pointermove", (event) => {
    const cell = under(event);
    if (cell) show(...cell, false);
    else hide();
  });
  stage.addEventListener("pointerleave", hide);
  stage.addEventListener("blur", hide);
  stage.addEventListener("click", (event) => {
    const cell = under(event);
    if (cell) tell(element, "lab-pick", { row: cell[0], column: cell[1] });
  });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) {
      event.preventDefault();
      const next = at ? at.map((value, k) => Math.min(Math.max(value + step[k], 0), last[k])) : [0, 0];
      show(...next, true);
    } else if (event.key === "Enter" && at) {
      tell(element, "lab-pick", { row: at[0], column: at[1] });
    } else if (event.key === "Escape") {
      hide();
    }
  });
}
