// The frame of every picture: its title, and the buttons that save it as it is seen.

import { h } from "../shell/dom.js";
import { saveAs } from "./save.js";

/**
 * A frame around `place`, the element that holds the picture: {element, title(text)}. below: what stands under it.
 * For figures of figures.py use <lab-figure>, which has one; this is for pictures that a view draws by itself.
 */
export function framed(place, ...below) {
  place.classList.add("picture");
  const caption = h("figcaption", {});
  const buttons = ["svg", "png"].map((format) => {
    const button = h("button", { type: "button", class: "quiet", on: { click: () => save(button, format) } });
    button.textContent = format.toUpperCase();
    return button;
  });
  const element = h("figure", { class: "figure" }, h("div", { class: "head" }, caption, h("div", { class: "save" }, buttons)), place, below);

  async function save(button, format) {
    button.disabled = true;
    try {
      await saveAs(place, caption.textContent, format);
    } catch (error) {
      element.dispatchEvent(new CustomEvent("lab-error", { detail: error, bubbles: true }));
    } finally {
      button.disabled = false;
    }
  }

  function title(text) {
    caption.textContent = text;
    buttons.forEach((button) => button.setAttribute("aria-label", `Save as ${button.textContent}: ${text}`));
  }

  return { element, title };
}
