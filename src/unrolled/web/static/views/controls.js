// Controls that several views have: a slider with its value beside it, a choice, a number.

import { number } from "../figures/words.js";
import { link } from "../shell/address.js";
import { fill, h, uniqueId } from "../shell/dom.js";

/** A slider: {element, value}. words: its value as a person reads it. changed(value): while it moves. */
export function slider({ label, min, max, step, value, words = number, changed }) {
  const id = uniqueId("slider");
  const input = h("input", { type: "range", id, min, max, step, value, on: { input: moved } });
  const output = h("output", { for: id });

  function say() {
    output.textContent = words(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  }

  function moved() {
    say();
    changed(Number(input.value));
  }

  say();
  return {
    element: h("div", { class: "setting" }, h("label", { for: id }, label), output, input),
    get value() {
      return Number(input.value);
    },
    set value(to) {
      input.value = to;
      say();
    },
    set max(to) {
      input.max = to;
    },
  };
}

/** A list to choose from: {element, value, options}. options: [[value, label], …]. */
export function choice({ label, options, value, changed }) {
  const id = uniqueId("choice");
  const select = h("select", { id, on: { change: () => changed(select.value) } });

  function offer(list) {
    fill(select, list.map(([name, text]) => h("option", { value: name }, text)));
  }

  offer(options);
  select.value = value;
  return {
    element: h("div", { class: "setting" }, h("label", { for: id }, label), select),
    get value() {
      return select.value;
    },
    set value(to) {
      select.value = to;
    },
    set options(list) {
      const before = select.value;
      offer(list);
      select.value = before;
    },
  };
}

/** A whole number that is typed or stepped: {element, value, max}. What is out of range is brought into it. */
export function whole({ label, min, max, value, changed }) {
  const id = uniqueId("whole");
  const input = h("input", { type: "number", id, min, max, step: 1, value, inputmode: "numeric", on: { input: typed } });

  function held() {
    const wanted = Math.round(Number(input.value));
    return Math.min(Math.max(Number.isFinite(wanted) ? wanted : min, min), Number(input.max || Infinity));
  }

  function typed() {
    if (input.value !== "") changed(held());
  }

  return {
    element: h("div", { class: "setting" }, h("label", { for: id }, label), input),
    get value() {
      return held();
    },
    set value(to) {
      if (document.activeElement !== input || held() !== to) input.value = to;
    },
    set max(to) {
      input.max = to;
    },
  };
}

/** One of many, from 1: a slider to go through them, and a number to name one. {element, value, max}. */
export function oneOf({ label, value, max, changed }) {
  const id = uniqueId("one-of");
  const limits = { min: 1, max, step: 1, value };
  const range = h("input", { type: "range", id, ...limits, on: { input: () => take(range.value) } });
  const box = h("input", { type: "number", "aria-label": label, inputmode: "numeric", ...limits, on: { input: () => take(box.value) } });

  function take(text) {
    const wanted = Math.round(Number(text));
    if (!text || !(wanted >= 1)) return;
    range.value = wanted;
    if (box.value !== range.value && document.activeElement !== box) box.value = range.value;
    changed(Number(range.value));
  }

  return {
    element: h("div", { class: "setting one-of" }, h("label", { for: id }, label), box, range),
    set value(to) {
      range.value = to;
      if (Number(box.value) !== to) box.value = to;
    },
    set max(to) {
      range.max = to;
      box.max = to;
    },
  };
}

/** The run that a view looks into, among those that write and read texts. */
export function runChoice(runs, value, changed) {
  const options = runs.filter((run) => run.writes && run.weights).map((run) => [run.name, run.title]);
  return choice({ label: "Run", options, value: value || (options[0]?.[0] ?? ""), changed });
}

/** What a view shows where no run of these recipes is there: what it would show, and the way to train one. */
export function invitation(words, recipes) {
  const train = (recipe) => h("a", { class: "button", href: link("train", { recipe }) }, `Train ${recipe}`);
  return h("section", { class: "card welcome" }, h("p", { class: "lead" }, words), h("div", { class: "actions" }, recipes.map(train)));
}

/** A list of bars, longest first as they come: [{name, share from 0 to 1, words}]. pressed(index): where they are buttons. */
export function bars(items, pressed = null) {
  return h(
    "ul",
    { class: "bars" },
    items.map(({ name, share, words, marked = false }, i) => {
      const meter = h("i", { class: "bar" });
      meter.style.setProperty("--share", Math.min(Math.max(share, 0), 1));
      const content = [meter, h("span", { class: "mono" }, name), h("b", {}, words)];
      const kind = { class: marked ? "marked" : null, "aria-current": marked ? "true" : null };
      if (!pressed) return h("li", kind, content);
      return h("li", kind, h("button", { type: "button", class: "plain", on: { click: () => pressed(i) } }, content));
    }),
  );
}
