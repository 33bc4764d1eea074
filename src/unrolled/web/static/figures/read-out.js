// What a pointer or the arrow keys have come to, in words: a small box beside the place, said to screen readers too.

import { announce } from "../shell/announce.js";
import { fill, h, properties } from "../shell/dom.js";

/** lines: [[name, value, line number for its colour or null], …]; the first is what all of them are at. */
export class ReadOut {
  constructor(place) {
    this.place = place;
    this.box = h("div", { class: "read-out", hidden: true, "aria-hidden": "true" });
    place.append(this.box);
  }

  /** Show it beside (x, y), in pixels of the place. spoken: whether it is said as well, as for a key that was pressed. */
  show(x, y, lines, spoken) {
    fill(
      this.box,
      lines.map(([name, value, line]) =>
        h(
          "div",
          {},
          line ? h("i", { class: `swatch line-${line}` }) : null,
          name ? h("span", {}, name) : null,
          h("b", {}, value),
        ),
      ),
    );
    this.box.classList.toggle("left", x > this.place.clientWidth / 2);
    properties(this.box, { "--x": `${x}px`, "--y": `${y}px` });
    this.box.hidden = false;
    if (spoken) announce(lines.map(([name, value]) => (name ? `${name} ${value}` : value)).join(", "));
  }

  hide() {
    this.box.hidden = true;
  }
}

/** Tell whoever put the figure there: "lab-look" or "lab-pick". */
export function tell(element, name, detail) {
  element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}

/** The pointer's place within an element, in its pixels. */
export function within(event, element) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
