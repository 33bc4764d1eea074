// Lines over one pair of axes. However many points a line has, no more are drawn than the picture is wide can show.

import { fill, s } from "../shell/dom.js";
import { apart, drawAxes, legend, pathThrough, sheet, textWidth, tickRoom } from "./plot.js";
import { ReadOut, tell, within } from "./read-out.js";
import { axis, extent } from "./scales.js";
import { number, real, shorten, visible } from "./words.js";

const COLOURS = 7;
// Points of a line that still get a dot each.
const DOTTED = 16;
// From this width on, names stand at the ends of the lines.
const NAMES_AT_ENDS = 600;

export function drawCurves(place, figure, element) {
  const compact = element.hasAttribute("compact");
  const width = Math.max(place.clientWidth, 120);
  const height = compact ? 56 : Math.round(Math.min(Math.max(width * 0.5, 220), 360));
  const series = figure.series.map((one) => ({ ...one, x: one.x.map(real), y: one.y.map(real) }));
  const styles = lineStyles(series, Number(element.getAttribute("first-line") ?? 1));
  const x = extent([...series, ...(figure.bands ?? [])].map((one) => one.x.map(real)), figure.x_log);
  const bands = (figure.bands ?? []).map((one) => ({
    ...one,
    x: one.x.map(real),
    low: one.low.map(real),
    high: one.high.map(real),
  }));
  const y = extent([...series.map((one) => one.y), ...bands.flatMap((one) => [one.low, one.high])], figure.y_log);
  const { svg, stage } = sheet(place, width, height, `${visible(figure.title)}. Left and right read the values.`);
  if (compact) fill(place, svg);
  if (!x || !y) {
    svg.append(s("text", { class: "empty", x: width / 2, y: height / 2, "text-anchor": "middle" }, "no data yet"));
    return;
  }
  const across = axis(x, { log: figure.x_log, ticks: Math.round(Math.max(width / 110, 3)), tight: true });
  const up = axis(y, { log: figure.y_log, ticks: 5 });
  const names = series.map((one) => shorten(visible(one.name), 30));
  const atEnds = !compact && series.length > 1 && series.length <= 10 && width >= NAMES_AT_ENDS;
  const margin = atEnds ? Math.max(...names.map(textWidth)) + 14 : 8;
  const frame = compact
    ? { left: 1, right: width - 1, top: 3, bottom: height - 3 }
    : { left: tickRoom(up), right: width - margin, top: 28, bottom: height - 42 };
  if (!compact) drawAxes(svg, across, up, frame, figure.x_label, figure.y_label);
  const toX = (value) => frame.left + across.place(value) * (frame.right - frame.left);
  const toY = (value) => frame.bottom - up.place(value) * (frame.bottom - frame.top);

  for (const band of bands) {
    const about = series.findIndex((one) => one.name === band.about);
    svg.append(s("path", { class: `band ${about < 0 ? "line-muted" : colourOf(styles[about])}`, d: area(band, toX, toY) }));
  }
  for (const mark of element.marks) drawMark(svg, toX(mark.x), mark.label, frame);
  const ends = [];
  series.forEach((one, i) => {
    const points = thinned(one.x, one.y, toX, toY);
    svg.append(s("path", { class: `curve ${styles[i]}`, d: pathThrough(points) }));
    const seen = points.filter(([px, py]) => !Number.isNaN(px + py));
    const dots = seen.length <= DOTTED ? seen : seen.slice(-1);
    if (!compact) dots.forEach(([cx, cy]) => svg.append(dot(cx, cy, styles[i])));
    if (seen.length) ends.push([seen.at(-1)[1], names[i], styles[i]]);
  });
  if (atEnds) {
    const heights = apart(ends.map(([at]) => at), 16, frame.top, frame.bottom);
    ends.forEach(([, name, style], i) =>
      svg.append(s("text", { class: `end ${style}`, x: frame.right + 12, y: (heights[i] + 4).toFixed(1) }, name)),
    );
  } else if (!compact && series.length > 1) {
    place.prepend(legend(names.map((name, i) => [name, styles[i]])));
  }
  if (!compact) readable(stage, svg, { series, bands, styles, names, across, frame, toX, toY, figure, element });
}

/**
 * Classes of each line: its colour, from that of number `start` on, and how it is dashed. Beyond the colours there are,
 * dashes tell lines apart.
 */
function lineStyles(series, start = 1) {
  const colours = new Map();
  let own = start - 1;
  const first = series.map((one) => {
    if (one.beside) return null;
    const style = `line-${(own % COLOURS) + 1}${own >= COLOURS ? " dashed" : ""}`;
    colours.set(one.name, `line-${(own % COLOURS) + 1}`);
    own += 1;
    return style;
  });
  return series.map((one, i) => first[i] ?? `${colours.get(one.beside) ?? "line-muted"} dotted`);
}

function colourOf(style) {
  return style.split(" ")[0];
}

/** There along the low edge, back along the high one. */
function area({ x, low, high }, toX, toY) {
  const [there, back] = [thinned(x, low, toX, toY), thinned(x, high, toX, toY)].map((points) =>
    points.filter(([px, py]) => !Number.isNaN(px + py)),
  );
  return there.length ? `${pathThrough([...there, ...back.reverse()])}Z` : "";
}

function drawMark(svg, x, label, frame) {
  if (Number.isNaN(x)) return;
  const end = x > (frame.left + frame.right) / 2;
  svg.append(
    s("path", { class: "event", d: `M${x.toFixed(1)} ${frame.top - 6}V${frame.bottom}` }),
    s("text", { class: "event", x: x + (end ? -5 : 5), y: frame.top + 4, "text-anchor": end ? "end" : "start" }, label),
  );
}

function dot(cx, cy, style) {
  return s("circle", { class: `dot ${style}`, cx: cx.toFixed(1), cy: cy.toFixed(1), r: 3.2 });
}

/** The points in pixels; where several fall on one column, the first, the lowest, the highest and the last of them. */
function thinned(xs, ys, toX, toY) {
  const points = [];
  let column = NaN;
  let kept = [];
  const flush = () => {
    kept.sort((a, b) => a[2] - b[2]);
    let before = -1;
    for (const point of kept) {
      if (point[2] !== before) points.push(point);
      before = point[2];
    }
    kept = [];
  };
  for (let i = 0; i < xs.length; i += 1) {
    const point = [toX(xs[i]), toY(ys[i]), i];
    const at = Math.round(point[0]);
    if (at !== column || Number.isNaN(point[1])) {
      flush();
      column = Number.isNaN(point[1]) ? NaN : at;
      kept = [point, point, point, point];
      continue;
    }
    if (point[1] > kept[1][1]) kept[1] = point;
    if (point[1] < kept[2][1]) kept[2] = point;
    kept[3] = point;
  }
  flush();
  return points;
}

function readable(stage, svg, drawn) {
  const { series, bands, styles, names, across, frame, toX, toY, figure, element } = drawn;
  const cursor = s("g", { class: "cursor" });
  svg.append(cursor);
  const box = new ReadOut(stage);
  // Where the arrow keys stop: the places of the line that has most.
  const stops = series.reduce((most, one) => (one.x.length > most.length ? one.x : most), []);
  let at = -1;

  function show(value, spoken) {
    const lines = [[visible(figure.x_label), number(value), null]];
    cursor.replaceChildren(s("path", { d: `M${toX(value).toFixed(1)} ${frame.top}V${frame.bottom}` }));
    let high = frame.bottom;
    series.forEach((one, i) => {
      const j = nearest(one.x, value, across);
      if (j < 0 || Number.isNaN(one.y[j])) return;
      lines.push([names[i], number(one.y[j]), colourOf(styles[i]).slice("line-".length)]);
      for (const band of bands.filter((other) => other.about === one.name)) {
        const k = nearest(band.x, value, across);
        if (k >= 0) lines.push([shorten(visible(band.name), 30), `${number(band.low[k])} to ${number(band.high[k])}`, null]);
      }
      const [px, py] = [toX(one.x[j]), toY(one.y[j])];
      if (Number.isNaN(px + py)) return;
      cursor.append(dot(px, py, styles[i]));
      high = Math.min(high, py);
    });
    box.show(toX(value), Math.max(high - 12, frame.top), lines, spoken);
    tell(element, "lab-look", { x: value });
  }

  function hide() {
    cursor.replaceChildren();
    box.hide();
  }

  function under(event) {
    const [x] = within(event, stage);
    const share = Math.min(Math.max((x - frame.left) / (frame.right - frame.left), 0), 1);
    at = nearest(stops, across.value(share), across);
    return stops[at];
  }

  stage.addEventListener("pointermove", (event) => show(under(event), false));
  stage.addEventListener("pointerleave", hide);
  stage.addEventListener("blur", hide);
  stage.addEventListener("click", (event) => tell(element, "lab-pick", { x: under(event) }));
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (step) at = Math.min(Math.max(at < 0 ? 0 : at + step, 0), stops.length - 1);
    else if (event.key === "Home") at = 0;
    else if (event.key === "End") at = stops.length - 1;
    else if (event.key === "Enter" && at >= 0) tell(element, "lab-pick", { x: stops[at] });
    else if (event.key === "Escape") hide();
    if (!step && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    show(stops[at], true);
  });
}

/** The place in `xs` of what lies nearest to `value` on the axis; -1 where there is none. */
function nearest(xs, value, across) {
  let best = -1;
  let least = Infinity;
  const wanted = across.place(value);
  for (let i = 0; i < xs.length; i += 1) {
    const away = Math.abs(across.place(xs[i]) - wanted);
    if (away < least) [best, least] = [i, away];
  }
  return best;
}
