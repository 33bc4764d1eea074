// A new run, from a form made of the recipe's own options.

import { FieldForm } from "../forms/form.js";
import { visible } from "../figures/words.js";
import { go, link } from "../shell/address.js";
import { get, post, upload } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";

export const title = "New run";

const USUAL = "char-lm";
const OPEN = ["data", "cell", "sizes", "minutes", "steps", "seed", "name", "from_run"];

export async function show(page, lab) {
  const [{ recipes }, { data }, { limits }, { runs }] = await Promise.all(
    ["recipes", "data", "lab", "runs"].map((path) => get(path, { signal: lab.signal })),
  );
  const lists = { data, runs };
  const choice = h(
    "select",
    { id: "recipe", on: { change: () => choose(choice.value) } },
    recipes.map((one) => h("option", { value: one.name }, one.name)),
  );
  const about = h("div", { class: "recipe-about" });
  const place = h("div", { class: "card" });
  const files = uploadCard(limits.upload, lab, (entry) => {
    lists.data = [entry, ...lists.data.filter((one) => one.value !== entry.value)];
    choose(choice.value, { ...form.texts(), data: entry.value });
  });
  let form = null;
  fill(
    page,
    h("header", {}, h("h1", {}, "New run")),
    h("div", { class: "controls" }, h("label", { for: "recipe" }, "Recipe", choice)),
    about,
    files,
    place,
  );

  async function choose(name, values = {}) {
    const recipe = recipes.find((one) => one.name === name);
    lab.set({ recipe: name === USUAL ? "" : name, ...values });
    fill(about, h("p", {}, visible(recipe.summary)), h("p", { class: "muted small" }, visible(recipe.source)), bars(recipe));
    try {
      const { fields } = await get(`recipes/${encodeURIComponent(name)}/form`, { signal: lab.signal });
      files.hidden = !fields.some((field) => field.kind === "data");
      form = new FieldForm(fields, {
        values: { ...lab.state, ...values },
        lists,
        open: OPEN,
        button: "Start training",
        submitted: (chosen) => start(name, chosen),
      });
      form.element.addEventListener("change", () => lab.set(form.texts()));
      fill(place, form.element);
    } catch (error) {
      lab.error(error);
    }
  }

  async function start(recipe, fields) {
    form.busy(true);
    try {
      const { name } = await post("runs", { recipe, fields }, { signal: lab.signal });
      go(link(["run", name]));
    } catch (error) {
      form.wrong(error);
    } finally {
      form.busy(false);
    }
  }

  const wanted = recipes.some((one) => one.name === lab.state.recipe) ? lab.state.recipe : USUAL;
  choice.value = wanted;
  await choose(wanted);
}

function bars(recipe) {
  const targets = Object.entries(recipe.target ?? {});
  if (!targets.length) return null;
  return h("p", { class: "muted small" }, `Bar: ${targets.map(([name, bar]) => `${name} ${bar.replace("<=", "≤").replace(">=", "≥")} ${recipe.unit}`).join(", ")}`);
}

// A file of one's own: sent to the lab, which keeps it under its name, and then chosen as the data.
function uploadCard(limit, lab, uploaded) {
  const said = h("p", { class: "muted small", role: "status" }, `A text, or a table (CSV), in UTF-8, of ${megabytes(limit)} at most. It stays on this machine.`);
  const input = h("input", { type: "file", id: "own-file", accept: ".txt,.csv,.tsv,.md,.py,.json,text/*", on: { change: send } });

  async function send() {
    const [file] = input.files;
    if (!file) return;
    if (file.size > limit) {
      said.textContent = `${visible(file.name)} has ${megabytes(file.size)}; ${megabytes(limit)} is the most`;
      return;
    }
    said.textContent = `Sending ${visible(file.name)} …`;
    try {
      const entry = await upload(`uploads?name=${encodeURIComponent(file.name)}`, file, { signal: lab.signal });
      said.textContent = `${visible(entry.name)}: ${entry.bytes.toLocaleString("en-GB")} bytes, chosen as the data`;
      uploaded({ ...entry, here: true, upload: true });
    } catch (error) {
      said.textContent = "";
      lab.error(error);
    }
  }

  return h("div", { class: "card upload" }, h("label", { for: "own-file" }, "A file of your own"), input, said);
}

function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toLocaleString("en-GB", { maximumFractionDigits: 1 })} MB`;
}
