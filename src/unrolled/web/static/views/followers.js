// Units ranked by what they follow: `inspect ranking`, each row a button that shows its unit.

import { number, visible } from "../figures/words.js";
import { act } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";

// Characters of each of the two texts: one to choose units on, one to confirm them on.
const LENGTH = 4000;
const PLACE = /^layer (\d+), (.+) (\d+)$/;

export class Followers {
  /** picked({layer, signal, unit}): a unit was chosen. */
  constructor(lab, picked) {
    this.lab = lab;
    this.picked = picked;
    this.button = h("button", { type: "button", on: { click: () => this.find() } }, "Find them");
    this.list = h("div", {});
    this.element = h(
      "section",
      { class: "card followers" },
      h("h2", {}, "Units that follow something"),
      h("p", { class: "muted small" }, "Brackets, strings, indentation, the place in a line: found on text that was held out, beside the best unit of the same network before training."),
      h("div", { class: "actions" }, this.button),
      this.list,
    );
  }

  async find() {
    this.button.disabled = true;
    fill(this.list, h("p", { class: "muted waiting" }, "Comparing every unit with every label …"));
    try {
      const { run = "", text = "" } = this.lab.state;
      const fields = { run, length: LENGTH, ...(text.length > LENGTH ? { text } : {}) };
      for await (const event of act("inspect ranking", fields, { signal: this.lab.signal })) {
        if (event.event !== "figure" || event.figure.figure !== "table") continue;
        this.show(event.figure.rows);
        break;
      }
    } catch (error) {
      fill(this.list);
      if (!isAbort(error)) this.lab.error(error);
    } finally {
      this.button.disabled = false;
    }
  }

  show(rows) {
    fill(
      this.list,
      h(
        "ol",
        { class: "ranked" },
        rows.map(([label, place, measure, , confirmed, untrained]) => {
          const [, layer, signal, unit] = place.match(PLACE);
          const pressed = () => this.picked({ layer: Number(layer), signal, unit: Number(unit) });
          return h(
            "li",
            {},
            h(
              "button",
              { type: "button", class: "plain", on: { click: pressed } },
              h("span", {}, visible(label)),
              h("b", {}, `${measure} ${number(confirmed)}`),
              h("small", {}, `${visible(place)} · untrained ${number(untrained)}`),
            ),
          );
        }),
      ),
    );
  }
}
