// Sets of points in a plane on which a unit is equally long in both directions, with lines beneath them.

import { s } from "../shell/dom.js";
import { drawAxes, legend, pathThrough, sheet, tickRoom } from "./plot.js";
import { ReadOut, tell, within } from "./read-out.js";
import { squareAxes } from "./scales.js";
import { number, real, visible } from "./words.js";

const COLOURS = 7;
// Points that still get a large dot each.
const LARGE = 300;
// How near a pointer has to come, in pixels.
const REACH = 24;

export function drawPoints(place, figure, element) {
  const [series, lines] = [figure.series, figure.lines].map((list) =>
    list.map((one) => ({ ...one, x: one.x.map(real), y: one.y.map(real) })),
  );
  const axes = squareAxes([...series, ...lines], 5);
  const width = Math.max(place.clientWidth, 160);
  const side = Math.min(width - 60, 460);
  const height = side + 78;
  const { svg, stage } = sheet(place, width, height, `${visible(figure.title)}. Arrow keys go from point to point.`);
  if (!axes) {
    svg.append(s("text", { class: "empty", x: width / 2, y: height / 2, "text-anchor": "middle" }, "no data yet"));
    return;
  }
  const [across, up] = axes;
  const left = tickRoom(up);
  const frame = { left, right: left + side, top: 28, bottom: 28 + side };
  drawAxes(svg, across, up, frame, figure.x_label, figure.y_label, { grid: true });
  const toX = (value) => frame.left + across.place(value) * side;
  const toY = (value) => frame.bottom - up.place(value) * side;
  for (const one of lines) {
    svg.append(s("path", { class: "reference", d: pathThrough(one.x.map((x, i) => [toX(x), toY(one.y[i])])) }));
  }
  const places = [];
  const total = series.reduce((sum, one) => sum + one.x.length, 0);
  const r = total <= LARGE ? 4 : 2.4;
  series.forEach((one, number_) => {
    const group = s("g", { class: `points line-${(number_ % COLOURS) + 1}` });
    one.x.forEach((x, index) => {
      const [px, py] = [toX(x), toY(one.y[index])];
      if (Number.isNaN(px + py)) return;
      group.append(s("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r }));
      places.push({ px, py, x, y: one.y[index], name: one.name, series: number_, index });
    });
    svg.append(group);
  });
  const entries = series.map((one, i) => [one.name, `round line-${(i % COLOURS) + 1}`]);
  if (series.length + lines.length > 1) {
    place.prepend(legend([...entries, ...lines.map((one) => [one.name, "line-muted"])]));
  }
  readable(stage, svg, places, figure, element);
}

function readable(stage, svg, places, figure, element) {
  const ring = s("circle", { class: "ring", r: 8, visibility: "hidden" });
  svg.append(ring);
  const box = new ReadOut(stage);
  let at = -1;

  function show(i, spoken) {
    at = i;
    const point = places[i];
    ring.setAttribute("cx", point.px.toFixed(1));
    ring.setAttribute("cy", point.py.toFixed(1));
    ring.setAttribute("visibility", "visible");
    const lines = [
      ["", visible(point.name), String((point.series % COLOURS) + 1)],
      [visible(figure.x_label), number(point.x), null],
      [visible(figure.y_label), number(point.y), null],
    ];
    box.show(point.px, point.py, lines, spoken);
    tell(element, "lab-look", { series: point.series, index: point.index });
  }

  function hide() {
    ring.setAttribute("visibility", "hidden");
    box.hide();
  }

  function under(event) {
    const [x, y] = within(event, stage);
    let best = -1;
    let least = REACH;
    places.forEach((point, i) => {
      const away = Math.hypot(point.px - x, point.py - y);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }

  const pick = (i) => tell(element, "lab-pick", { series: places[i].series, index: places[i].index });
  stage.addEventListener("pointermove", (event) => {
    const i = under(event);
    if (i < 0) hide();
    else show(i, false);
  });
  stage.addEventListener("pointerleave", hide);
  stage.addEventListener("blur", hide);
  stage.addEventListener("click", (event) => {
    const i = under(event);
    if (i >= 0) pick(i);
  });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step && places.length) {
      event.preventDefault();
      show((at + step + places.length) % places.length, true);
    } else if (event.key === "Enter" && at >= 0) {
      pick(at);
    } else if (event.key === "Escape") {
      hide();
    }
  });
}
