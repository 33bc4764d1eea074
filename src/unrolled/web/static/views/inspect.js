// Any diagnostic: its form, made of what the server says of it, and the figures that it gives. A new one is here by
// itself. The same page serves what has no view of its own: data sets, studies, measuring.

import { FieldForm } from "../forms/form.js";
import { shorten, visible } from "../figures/words.js";
import { go, link } from "../shell/address.js";
import { act, get, LabError } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { isAbort } from "../shell/error.js";
import { announce } from "../shell/announce.js";
import { Said } from "./said.js";

export const title = "Diagnostics";

const FIRST = "inspect ranking";
const KIND = "inspect ";
// Of the other actions, those that views of their own do better.
const ELSEWHERE = /^(train|resume|sample|runs .*)$/;

export async function show(page, lab) {
  const [{ actions }, { runs }, { data }] = await Promise.all(
    ["actions", "runs", "data"].map((path) => get(path, { signal: lab.signal })),
  );
  const name = lab.path.length ? lab.path.join(" ") : FIRST;
  const action = actions.find((one) => one.name === name || one.name === KIND + name);
  if (!action) throw new LabError(`No diagnostic is called “${name}”.`);
  lab.title(spoken(action));
  const said = h("div", { class: "outcome" });
  const form = new FieldForm(action.fields, {
    values: lab.state,
    lists: { runs, data },
    button: action.long ? "Start" : "Show",
    submitted: (fields) => run(fields),
  });
  // The picture comes first: once it is asked for, its settings are folded into one line.
  const chosen = h("span", { class: "muted" });
  const settings = h(
    "details",
    { class: "card settings", open: !lab.state.shown },
    h("summary", {}, h("h2", {}, spoken(action)), chosen),
    h("p", { class: "muted" }, visible(action.summary)),
    form.element,
  );
  fill(
    page,
    h("header", {}, h("h1", {}, "Diagnostics")),
    h("div", { class: "with-list" }, chooser(actions, action, lab), h("div", { class: "look" }, settings, said)),
  );
  let now = new AbortController();
  lab.signal.addEventListener("abort", () => now.abort());

  async function run(fields) {
    now.abort();
    now = new AbortController();
    const { signal } = now;
    const texts = Object.entries(form.texts()).filter(([, text]) => text);
    lab.set({ ...form.texts(), shown: "yes" });
    chosen.textContent = texts.map(([name, text]) => `${name.replaceAll("_", " ")} ${shorten(visible(text), 40)}`).join(" · ");
    if (settings.open && settings.contains(document.activeElement)) settings.firstChild.focus();
    settings.open = false;
    const told = new Said();
    fill(said, h("p", { class: "muted waiting" }, "Computing …"));
    form.busy(true);
    try {
      for await (const event of act(action.name, fields, { signal })) {
        if (signal.aborted) return;
        if (event.event === "waiting") continue;
        if (!told.element.isConnected) fill(said, told.element);
        told.add(event);
      }
      if (!told.element.isConnected) fill(said, told.element);
      announce(`${spoken(action)}: shown`);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      fill(said, told.element);
      settings.open = true;
      form.wrong(error);
    } finally {
      if (!signal.aborted) form.busy(false);
    }
  }

  if (lab.state.shown) {
    const fields = form.values();
    if (fields) run(fields);
    else settings.open = true;
  }
}

function chooser(actions, chosen, lab) {
  const looks = actions.filter((one) => one.name.startsWith(KIND));
  const others = actions.filter((one) => !one.name.startsWith(KIND) && !ELSEWHERE.test(one.name));
  const { run } = lab.state;
  const address = (one) => link(["inspect", ...shortName(one).split(" ")], one.fields.some((field) => field.name === "run") ? { run } : {});
  const item = (one) =>
    h("li", {}, h("a", { href: address(one), "aria-current": one === chosen ? "page" : null }, spoken(one)));
  // Where there is little room, one list to choose from stands in the place of the links.
  const select = h(
    "select",
    { on: { change: (event) => go(event.target.value) } },
    [["Look inside", looks], ["Further", others]].map(([label, list]) =>
      h("optgroup", { label }, list.map((one) => h("option", { value: address(one), selected: one === chosen }, spoken(one)))),
    ),
  );
  return h(
    "div",
    { class: "chooser" },
    h("label", { class: "narrow" }, "Diagnostic", select),
    h("div", { class: "wide" }, h("ul", { "aria-label": "Diagnostics" }, looks.map(item)), h("h2", {}, "Further"), h("ul", { "aria-label": "Further actions" }, others.map(item))),
  );
}

function spoken(action) {
  const words = shortName(action).replaceAll("-", " ");
  return words[0].toUpperCase() + words.slice(1);
}

function shortName(action) {
  return action.name.startsWith(KIND) ? action.name.slice(KIND.length) : action.name;
}
