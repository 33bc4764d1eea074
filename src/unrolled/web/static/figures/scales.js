// Axes and colour scales: which ticks, and where a value lies; as unrolled/workshop/renderings/scales.py has them.

import { grouped, scientific, signed } from "./words.js";

const MOST_TICKS = 12;
// Numbers this far from zero are as good as infinite: they have no place on an axis.
const FARTHEST = 1e150;

/** From `low` to `high`, with the values that get a tick and what is written there. */
class Axis {
  constructor(low, high, log, ticks) {
    Object.assign(this, { low, high, log, ticks });
    this.start = log ? Math.log10(low) : low;
    this.length = (log ? Math.log10(high) : high) - this.start;
  }

  /** 0 at `low`, 1 at `high`; NaN where the value has no place on the axis. */
  place(value) {
    if (this.log && !(value > 0)) return NaN;
    const share = ((this.log ? Math.log10(value) : value) - this.start) / this.length;
    return share >= -1e-6 && share <= 1 + 1e-6 ? share : NaN;
  }

  /** The value at a share of the axis: the inverse of `place`. */
  value(share) {
    const value = this.start + share * this.length;
    return this.log ? 10 ** value : value;
  }
}

function hasPlace(value, log) {
  return value < FARTHEST && value > (log ? 1 / FARTHEST : -FARTHEST);
}

/** The lowest and the highest of lists of values that have a place on an axis; null where none has. */
export function extent(lists, log = false) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of lists) {
    for (const value of values) {
      if (!hasPlace(value, log)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** An axis from `low` to `high` with about `ticks` ticks. tight: it ends there; else at the ticks beyond. */
export function axis([low, high], { log = false, ticks = 5, tight = false } = {}) {
  return log ? logAxis(low, high, tight) : linearAxis(low, high, ticks, tight);
}

function linearAxis(low, high, ticks, tight) {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= Math.max(1e-9 * largest, 1 / FARTHEST)) {
    // Values that are all alike get some room.
    const room = largest > 1 / FARTHEST ? largest / 2 : 1;
    [low, high] = [low - room, high + room];
  }
  const step = niceStep((high - low) / Math.max(ticks, 1));
  if (!tight) [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.min(Math.floor(high / step + 1e-9), first + MOST_TICKS);
  const marks = [];
  for (let i = first; i <= last; i += 1) marks.push([i * step, tick(i * step, step)]);
  return new Axis(low, high, false, marks);
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = [1, 2, 5].find((m) => m * power >= rough * (1 - 1e-9));
  return found === undefined ? 10 * power : found * power;
}

function tick(value, step) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e7 || step < 1e-5) return signed(scientific(value, 4));
  return signed(grouped(value, Math.max(0, -Math.floor(Math.log10(step)))));
}

function logAxis(low, high, tight) {
  if (high / low < 1 + 1e-9) [low, high] = [low / 2, high * 2];
  const decades = Math.log10(high / low);
  // Few decades need marks between them; many need some left out.
  const between = decades < 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / 8));
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  let marks = [];
  for (let e = first; e <= last; e += 1) {
    if ((e - first) % every === 0) marks.push(...between.map((m) => m * 10 ** e));
  }
  if (!tight) {
    const below = marks.filter((m) => m <= low * (1 + 1e-9));
    const above = marks.filter((m) => m >= high * (1 - 1e-9));
    if (below.length) low = Math.max(...below);
    if (above.length) high = Math.min(...above);
  }
  marks = marks.filter((m) => m >= low * (1 - 1e-9) && m <= high * (1 + 1e-9));
  return new Axis(low, high, true, marks.map((m) => [m, signed(scientific(m, 6))]));
}

/** Two axes on which a unit is equally long, for all points; null where no point has a place. */
export function squareAxes(series, ticks) {
  const xs = [];
  const ys = [];
  for (const one of series) {
    one.x.forEach((x, i) => {
      if (hasPlace(x, false) && hasPlace(one.y[i], false)) {
        xs.push(x);
        ys.push(one.y[i]);
      }
    });
  }
  if (!xs.length) return null;
  const loose = [extent([xs]), extent([ys])];
  // A little more than they need: what lies at the edge is seen whole.
  const half = (1.08 * Math.max(...loose.map(([low, high]) => high - low))) / 2 || 1;
  return loose.map(([low, high]) => linearAxis((low + high) / 2 - half, (low + high) / 2 + half, ticks, true));
}

/** The ends of a heat map's colours: about zero, where there are values on both sides of it. */
export function heatRange(rows) {
  const held = extent(rows.map((row) => row.filter(Number.isFinite)));
  if (!held) return { low: 0, high: 1, two: false };
  let [low, high] = held;
  if (low < 0 && high > 0) {
    const reach = Math.max(-low, high);
    return { low: -reach, high: reach, two: true };
  }
  if (low === high) high = low + (Math.abs(low) || 1);
  return { low, high, two: false };
}
