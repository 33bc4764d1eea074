// One run: its curves, live while it trains; what it wrote at each step; what was measured; how it was made.

import { figureElement } from "../figures/figure.js";
import { duration, number, visible } from "../figures/words.js";
import { link } from "../shell/address.js";
import { act, follow, get, post } from "../shell/api.js";
import { fill, h } from "../shell/dom.js";
import { VIEWS } from "./index.js";
import { RunLog } from "./run-log.js";
import { progressWords, stateSign } from "./run-state.js";
import { Samples } from "./samples.js";

export const title = "Run";

export async function show(page, lab) {
  const [name] = lab.path;
  const address = `runs/${encodeURIComponent(name)}`;
  const [run, { samples }] = await Promise.all([
    get(address, { signal: lab.signal }),
    get(`${address}/samples`, { signal: lab.signal }),
  ]);
  lab.title(visible(run.title));
  const log = new RunLog();
  log.take({ event: "history", ...run.history });
  const head = new Head(run, address, lab);
  const plots = new Plots(run);
  const written = new Samples(samples, lab);
  const measured = h("div", { class: "columns" });
  const measure = () => fill(measured, evaluations(run.evaluations), options(run));
  measure();
  fill(page, head.element, plots.element, written.element, measured);
  head.measured = async () => {
    Object.assign(run, await get(address, { signal: lab.signal }));
    measure();
  };
  head.update(log);
  plots.update(log);
  if (!run.bundled) watch(`${address}/events`, { log, head, plots, written }, lab);
}

// The stream runs for as long as the view stands; what comes within one frame is drawn once.
function watch(address, { log, head, plots, written }, lab) {
  let due = 0;
  const draw = () => {
    due = 0;
    head.update(log);
    plots.update(log);
  };
  const told = (message) => {
    written.add(log.take(message));
    due ||= requestAnimationFrame(draw);
  };
  follow(address, told, { signal: lab.signal, state: (connected) => head.connected(connected) }).catch(lab.error);
}

class Head {
  constructor(run, address, lab) {
    this.run = run;
    this.lab = lab;
    this.measured = () => {};
    this.state = h("span", {});
    this.words = h("p", { class: "muted progress-words" });
    this.bar = h("progress", { "aria-label": "Progress" });
    this.lost = h("p", { class: "problem", role: "status", hidden: true }, "The connection broke off; trying again.");
    this.stop = this.#button("Stop", () => post(`${address}/stop`));
    this.resume = this.#button("Go on", () => post(`${address}/resume`));
    this.test = this.#button("Measure on the test part", () => this.#evaluate());
    const looks = VIEWS.filter((view) => view.ofRun && (view.name === "inspect" || run.writes));
    const looking = run.weights
      ? looks.map((view) => h("a", { class: "button", href: link(view.name, { run: run.name }) }, view.label))
      : [];
    this.element = h(
      "div",
      { class: "run-head" },
      h("header", { class: "title" }, h("h1", {}, visible(run.title)), this.state),
      h("p", { class: "muted" }, visible([run.recipe, run.config?.data?.summary].filter(Boolean).join(" · "))),
      this.words,
      this.bar,
      this.lost,
      h("div", { class: "actions" }, this.stop, this.resume, looking, run.weights && !run.bundled ? this.test : null),
    );
  }

  #button(label, pressed) {
    const button = h("button", { type: "button" }, label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await pressed();
      } catch (error) {
        this.lab.error(error);
      } finally {
        button.disabled = false;
      }
    });
    return button;
  }

  async #evaluate() {
    for await (const event of act("evaluate", { run: this.run.name }, { signal: this.lab.signal })) {
      if (event.event === "evaluated") await this.measured();
    }
  }

  connected(on) {
    this.lost.hidden = on;
  }

  update(log) {
    const running = log.state === "running";
    fill(this.state, stateSign(log.state));
    const { step, per_second, seconds_left } = log.last;
    const words = [progressWords(step, log.steps)];
    if (running && per_second) words.push(`${number(Math.round(per_second))} ${visible(log.unit || "units")} a second`);
    if (running && seconds_left > 0) words.push(`${duration(seconds_left)} left`);
    this.words.textContent = step || running ? words.join(" · ") : "";
    this.bar.hidden = !running;
    if (log.steps) {
      this.bar.max = log.steps;
      this.bar.value = step;
    }
    this.stop.hidden = !running;
    this.resume.hidden = log.state !== "stopped";
  }
}

class Plots {
  constructor(run) {
    this.unit = run.unit;
    this.loss = figureElement(null);
    this.norm = figureElement(null);
    this.rate = figureElement(null);
    this.others = new Map();
    this.columns = h("div", { class: "columns" }, this.norm, this.rate);
    this.happenings = h("ul", { class: "happenings" });
    this.element = h("section", { class: "plots", "aria-label": "Curves" }, this.loss, this.happenings, this.columns);
  }

  update(log) {
    // A model that came without its log has nothing to draw.
    this.element.hidden = log.state !== "running" && !log.curves.step.length;
    const marks = log.markLines;
    this.loss.figure = log.loss(this.unit);
    this.norm.figure = log.gradientNorm();
    this.rate.figure = log.rate();
    for (const figure of log.others()) {
      if (!this.others.has(figure.title)) {
        this.others.set(figure.title, figureElement(figure));
        this.columns.append(this.others.get(figure.title));
      }
      this.others.get(figure.title).figure = figure;
    }
    for (const element of [this.loss, this.norm, this.rate]) element.marks = marks;
    fill(this.happenings, log.happenings.slice(0, 8).map((text) => h("li", {}, visible(text))));
  }
}

function evaluations(list = []) {
  const rows = list.flatMap((one) =>
    Object.entries(one.figures).map(([figure, value]) => [one.part, figure, typeof value === "number" ? value : { number: value }]),
  );
  if (!rows.length) return null;
  return figureElement({ figure: "table", title: "Measured", columns: ["part", "figure", "value"], rows });
}

function options(run) {
  const rows = Object.entries(run.options ?? {}).map(([name, value]) => [
    `--${name.replaceAll("_", "-")}`,
    Array.isArray(value) ? value.join(" ") : String(value),
  ]);
  if (run.config?.command) rows.push(["command", run.config.command]);
  return figureElement({ figure: "table", title: "Options", columns: ["option", "value"], rows });
}
