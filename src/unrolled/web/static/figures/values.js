// The values of any figure as a table: for whoever does not see the picture, or wants the numbers.

import { real } from "./words.js";

// Rows beyond this many are left out, evenly, and said to be.
const MOST = 500;

/** {table: {title, columns, rows}, note} of a figure's JSON. */
export function tableOf(figure) {
  const [columns, rows] = LISTS[figure.figure]?.(figure) ?? [[], []];
  const every = Math.ceil(rows.length / MOST);
  const kept = every > 1 ? rows.filter((_, i) => i % every === 0 || i === rows.length - 1) : rows;
  const note = every > 1 ? `Each ${every}th of ${rows.length.toLocaleString("en-GB")} rows.` : "";
  return { table: { title: figure.title, columns, rows: kept }, note };
}

const LISTS = {
  curves: (figure) => [
    ["line", figure.x_label, figure.y_label],
    listed([...figure.series, ...(figure.bands ?? []).flatMap(edges)]),
  ],
  points: (figure) => [["set", figure.x_label, figure.y_label], listed([...figure.series, ...figure.lines])],
  "heat-map": (figure) => [
    ["", ...figure.columns],
    figure.values.map((row, i) => [figure.rows[i], ...row.map(held)]),
  ],
  "coloured-text": (figure) => [
    ["piece", figure.value_label],
    figure.tokens.map((token, i) => [token, held(figure.values[i])]),
  ],
  tree: (figure) => [
    ["node", "below"],
    figure.labels.map((label, i) => [label, figure.parents[i] < 0 ? null : figure.labels[figure.parents[i]]]),
  ],
  table: (figure) => [figure.columns, figure.rows],
};

function listed(series) {
  return series.flatMap((one) => one.x.map((x, i) => [one.name, held(x), held(one.y[i])]));
}

// A band as its two lines.
function edges({ name, x, low, high }) {
  return [
    { name: `${name}, low`, x, y: low },
    { name: `${name}, high`, x, y: high },
  ];
}

// What is a word in JSON is a number all the same, and stands in a table as one.
function held(value) {
  return typeof value === "number" ? value : { number: real(value) };
}
