// A table, as HTML has it. Columns of numbers stand to the right; whatever is wider than the page is scrolled by itself.

import { fill, h } from "../shell/dom.js";
import { tell } from "./read-out.js";
import { cell, visible } from "./words.js";

export function drawTable(place, figure, element) {
  const table = plainTable(figure, (row) => tell(element, "lab-pick", { row }));
  fill(place, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": visible(figure.title) }, table));
}

/** A table element of {title, columns, rows}. picked: told the number of a row that was clicked, where it is given. */
export function plainTable({ title, columns, rows }, picked = null) {
  const numeric = columns.map((_, j) => isNumeric(rows.map((row) => row[j])));
  const kind = (j) => ({ class: numeric[j] ? "number" : null });
  return h(
    "table",
    {},
    h("caption", { class: "visually-hidden" }, visible(title)),
    h("thead", {}, h("tr", {}, columns.map((name, j) => h("th", { scope: "col", ...kind(j) }, visible(name))))),
    h(
      "tbody",
      {},
      rows.map((row, i) =>
        h("tr", picked ? { on: { click: () => picked(i) } } : {}, row.map((content, j) => h("td", kind(j), cell(content)))),
      ),
    ),
  );
}

function isNumeric(column) {
  const held = column.filter((content) => content !== null && content !== undefined);
  return held.length > 0 && !held.some((content) => typeof content === "string");
}
