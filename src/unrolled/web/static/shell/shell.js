// The page around the views: navigation, theme, errors, and which view stands there.
//
// A view is a module in views/ and a line in views/index.js. It exports
//
//     export const title = "Runs";
//     export async function show(page, lab) { … }
//
// page: the empty element that it fills. lab:
//     path     the words of the address after the view's name: ["book"] for /run/book
//     state    its settings, text by name, from the address: {sample: "300"}
//     set      lab.set({sample: "400"}) changes settings in the address, in place; lab.set(…, {step: true}) makes a step
//              in the history. An empty text takes one away. `show` is not called again for it.
//     signal   aborted when the view is left: hand it to every request
//     title    lab.title("book") names the page
//     error    lab.error(error) shows it above the page; aborts are passed over
// What `show` returns may have `change(state)`: called when back or forward change the settings. Without it the view is
// made anew.

import { announce, liveRegion } from "./announce.js";
import { followLinks, link, read } from "./address.js";
import { LabError } from "./api.js";
import { fill, h, s } from "./dom.js";
import { errorBox, isAbort } from "./error.js";
import { setTheme, startTheme, theme } from "./theme.js";
import { FIRST, GROUPS, VIEWS } from "../views/index.js";

const THEMES = [
  ["auto", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];

class Shell {
  #page = h("div", { class: "page" });
  #errors = h("div", { class: "errors" });
  #main = h("main", { id: "main", tabindex: "-1" }, this.#errors, this.#page);
  #links = new Map();
  #nav = h("nav", { "aria-label": "Views", id: "views" });
  #menu = h(
    "button",
    { type: "button", class: "menu", "aria-expanded": "false", "aria-controls": "views", on: { click: () => this.#toggle() } },
    "Menu",
  );
  #leave = new AbortController();
  #shown = null;
  #view = null;

  start(body) {
    startTheme();
    const region = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
    liveRegion(region);
    this.#fillNav();
    fill(
      body,
      h("a", { class: "skip", href: "#main", on: { click: (event) => this.#skip(event) } }, "To the content"),
      h("header", { class: "side" }, h("a", { class: "brand", href: link(FIRST) }, mark(), "unrolled"), this.#menu, this.#nav),
      this.#main,
      region,
    );
    document.addEventListener("lab-address", () => this.#go());
    document.addEventListener("lab-error", (event) => this.#error(event.detail));
    followLinks();
    this.#go();
  }

  // By hand: a hash would be a step in the history.
  #skip(event) {
    event.preventDefault();
    this.#main.focus();
  }

  #fillNav() {
    for (const group of GROUPS) {
      const items = VIEWS.filter((view) => view.group === group).map((view) => {
        const anchor = h("a", { href: link(view.name) }, view.label);
        this.#links.set(view.name, anchor);
        return h("li", {}, anchor);
      });
      if (items.length) this.#nav.append(h("h2", {}, group), h("ul", {}, items));
    }
    const choices = THEMES.map(([name, label]) =>
      h("option", { value: name, selected: theme() === name }, label),
    );
    const select = h("select", { on: { change: (event) => setTheme(event.target.value) } }, choices);
    this.#nav.append(h("label", { class: "theme" }, h("span", {}, "Colours"), select));
  }

  #toggle(open = this.#menu.getAttribute("aria-expanded") !== "true") {
    this.#menu.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("menu-open", open);
  }

  async #go() {
    const { view: name, path, state } = read();
    const view = VIEWS.find((one) => one.name === (name || FIRST));
    const where = JSON.stringify([name, path]);
    if (where === this.#shown && this.#view?.change) {
      this.#view.change(state);
      return;
    }
    this.#leave.abort();
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const first = this.#shown === null;
    this.#shown = where;
    this.#view = null;
    this.#toggle(false);
    this.#markLinks(view, path, state);
    fill(this.#errors);
    delete document.documentElement.dataset.shown;
    // The old view stands until the new one has loaded its script: no flash of an empty page.
    const page = h("div", { class: `page view-${view?.name ?? "none"}` });
    try {
      if (!view) throw new LabError(`No view is called “${name}”.`);
      const module = await view.load();
      if (signal.aborted) return;
      this.#page.replaceWith(page);
      this.#page = page;
      this.#title(module.title);
      if (!first) {
        scrollTo(0, 0);
        this.#main.focus({ preventScroll: true });
        announce(module.title);
      }
      const shown = await module.show(page, this.#handle(view, path, state, signal));
      if (!signal.aborted) this.#view = shown ?? null;
    } catch (error) {
      if (!view) fill(this.#page, h("p", {}, h("a", { href: link(FIRST) }, "To the runs")));
      if (!signal.aborted) this.#error(error);
    } finally {
      if (!signal.aborted) document.documentElement.dataset.shown = view?.name ?? "";
    }
  }

  #handle(view, path, state, signal) {
    const now = { ...state };
    return {
      path,
      state: now,
      signal,
      set: (changes, { step = false } = {}) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value === "" || value === null || value === undefined) delete now[name];
          else now[name] = String(value);
        }
        history[step ? "pushState" : "replaceState"](null, "", link([view.name, ...path], now));
        this.#markLinks(view, path, now);
      },
      title: (text) => this.#title(text),
      error: (error) => {
        if (!signal.aborted) this.#error(error);
      },
    };
  }

  // Views that look into a run open on the one that is being looked at.
  #markLinks(view, path, state) {
    const run = view?.name === "run" ? path[0] : state.run;
    for (const one of VIEWS) {
      const anchor = this.#links.get(one.name);
      if (!anchor) continue;
      anchor.href = link(one.name, one.ofRun ? { run } : {});
      if (one.name === (view?.within ?? view?.name)) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
  }

  #title(text) {
    document.title = `${text} · unrolled`;
  }

  #error(error) {
    if (isAbort(error)) return;
    const close = h("button", { type: "button", class: "quiet", on: { click: () => box.remove() } }, "Dismiss");
    const box = errorBox(error);
    box.append(close);
    fill(this.#errors, box);
  }
}

// Three steps of a network, unrolled.
function mark() {
  return s(
    "svg",
    { viewBox: "0 0 34 14", width: 34, height: 14, "aria-hidden": "true" },
    s("path", { d: "M7 7h20", stroke: "currentColor", "stroke-width": 2 }),
    [5, 17, 29].map((cx, i) => s("circle", { cx, cy: 7, r: 4.2, class: `bead bead-${i + 1}` })),
  );
}

/** Build the page and show what the address says. */
export function startShell() {
  new Shell().start(document.body);
}
