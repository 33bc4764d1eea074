// Runs side by side: their curves over each other, the options that differ, their figures.

import { figureElement } from "../figures/figure.js";
import { visible } from "../figures/words.js";
import { act, get } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";

export const title = "Compare";

export async function show(page, lab) {
  const { runs } = await get("runs", { signal: lab.signal });
  const known = new Set(runs.map((run) => run.name));
  const chosen = new Set((lab.state.runs ?? "").split(",").filter((name) => known.has(name)));
  const outcome = h("div", { class: "outcome", "aria-live": "off" });
  const boxes = runs.map((run) => {
    const box = h("input", { type: "checkbox", on: { change: () => choose(run.name, box.checked) } });
    box.checked = chosen.has(run.name);
    return h("label", { class: "choice" }, box, visible(run.title));
  });
  fill(
    page,
    h("header", {}, h("h1", {}, "Compare")),
    h("fieldset", { class: "choices" }, h("legend", { class: "visually-hidden" }, "Runs to compare"), boxes),
    outcome,
  );
  let now = new AbortController();
  lab.signal.addEventListener("abort", () => now.abort());

  function choose(name, on) {
    if (on) chosen.add(name);
    else chosen.delete(name);
    lab.set({ runs: [...chosen].join(",") });
    compare();
  }

  async function compare() {
    now.abort();
    now = new AbortController();
    const { signal } = now;
    if (chosen.size < 2) {
      fill(outcome, h("p", { class: "lead" }, runs.length < 2 ? "There are no two runs yet." : "Choose two runs or more."));
      return;
    }
    const figures = [];
    try {
      for await (const event of act("runs compare", { names: [...chosen] }, { signal })) {
        if (event.event === "figure") figures.push(event.figure);
      }
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) lab.error(error);
      return;
    }
    // The curves first; tables beneath, side by side.
    const [pictures, tables] = [figures.filter((one) => one.figure !== "table"), figures.filter((one) => one.figure === "table")];
    fill(
      outcome,
      pictures.map((one) => figureElement(one)),
      h("div", { class: "columns" }, tables.map((one) => figureElement(one))),
    );
  }

  await compare();
}
