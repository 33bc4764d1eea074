// Errors have one shape wherever they come from: one line, where the reader looks, said to screen readers.

import { h } from "./dom.js";
import { LabError } from "./api.js";

/** A box that says what went wrong; a bug of the page itself, which is no LabError, goes to the console as well. */
export function errorBox(error) {
  if (!(error instanceof LabError)) console.error(error);
  return h("div", { class: "error", role: "alert" }, h("p", {}, error.message || String(error)));
}

/** Whether it is only that the view was left. */
export function isAbort(error) {
  return error?.name === "AbortError";
}
