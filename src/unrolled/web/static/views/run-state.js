// A run's state as a small sign and a word: told apart by shape as well as by colour.

import { h } from "../shell/dom.js";

const SIGNS = { running: "●", finished: "✓", stopped: "■", damaged: "!", unread: "…" };

/** The element for a state. */
export function stateSign(state) {
  const sign = h("i", { "aria-hidden": "true" }, SIGNS[state] ?? "·");
  return h("span", { class: `state state-${state}` }, sign, state);
}

/** Where a run stands in its budget: "step 1,200 of 2,150". */
export function progressWords(step, steps) {
  const written = (step ?? 0).toLocaleString("en-GB");
  return steps && steps !== step ? `step ${written} of ${steps.toLocaleString("en-GB")}` : `step ${written}`;
}
