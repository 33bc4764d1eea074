// What an action says, as it comes: figures, lines, text that is being written.

import { figureElement } from "../figures/figure.js";
import { number, visible } from "../figures/words.js";
import { h } from "../shell/dom.js";
import { progressWords } from "./run-state.js";

const PROGRESS = {
  "study-began": ({ study, jobs, done }) => `${study}: ${done} of ${jobs} jobs done`,
  "job-began": ({ job }) => job,
  "job-progress": ({ job, step, steps, loss }) => `${job}: ${progressWords(step, steps)}, loss ${number(Number(loss))}`,
  "study-stopped": ({ done, jobs }) => `stopped: ${done} of ${jobs} jobs done`,
};

export class Said {
  constructor() {
    this.element = h("div", { class: "said" });
    this.writing = null;
    this.progress = h("p", { class: "muted", role: "status" });
  }

  /** Put one event of an action on the page. Those that say nothing to a person are passed over. */
  add(event) {
    if (event.event === "piece") {
      this.#piece(event);
      return;
    }
    this.writing = null;
    if (event.event === "figure") this.element.append(figureElement(event.figure));
    else if (event.event === "note") this.element.append(h("p", { class: "note" }, lines(event.text)));
    else if (event.event === "evaluated") this.element.append(figureElement(evaluated(event)));
    else if (event.event === "translated") this.element.append(h("p", { class: "card" }, visible(event.text)));
    else if (event.event === "parsed") this.element.append(h("p", { class: "card mono" }, visible(event.tree)));
    else if (event.event === "predicted") this.element.append(figureElement(predicted(event)));
    else if (event.event === "job-ended") this.element.append(h("p", { class: "note" }, jobEnded(event)));
    this.#progress(event);
  }

  // What takes long says where it stands, below what it has found so far.
  #progress(event) {
    const words = PROGRESS[event.event]?.(event);
    if (words === undefined) return;
    this.progress.textContent = visible(words);
    this.element.append(this.progress);
  }

  #piece(event) {
    if (!this.writing || this.number !== event.number) {
      this.number = event.number;
      this.writing = h("pre", { class: "card" });
      this.element.append(this.writing);
    }
    this.writing.append(lines(event.text));
  }
}

function lines(text) {
  return text.split("\n").map(visible).join("\n");
}

function evaluated({ run, part, figures, targets }) {
  const rows = Object.entries(figures).map(([name, value]) => [
    name,
    typeof value === "number" ? value : { number: value },
    targets[name] ?? "",
  ]);
  return { figure: "table", title: `${run}, ${part}`, columns: ["figure", "value", "bar"], rows };
}

// Words with their tags, or a text's classes with their probabilities.
function predicted({ line, answer }) {
  const table = (columns, rows) => ({ figure: "table", title: `Line ${line}`, columns, rows });
  if (answer.probabilities) return table(["class", "probability"], Object.entries(answer.probabilities));
  const { words, word, ...tags } = answer;
  const [columns, list] = [Object.keys(tags), words ?? [word]];
  return table(["word", ...columns], list.map((one, i) => [one, ...columns.map((name) => [tags[name]].flat()[i])]));
}

function jobEnded({ job, state, error }) {
  return visible(error ? `${job}: ${state}: ${error}` : `${job}: ${state}`);
}
