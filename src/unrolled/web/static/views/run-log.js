// What a run has said so far, as figures: from its history and from what comes while it trains.

const MARKED = {
  "rolled-back": () => "rolled back",
  skipped: () => "batch skipped",
  resumed: () => "resumed",
};

export class RunLog {
  constructor() {
    this.#clear();
    this.state = "";
    this.last = {};
  }

  #clear() {
    this.curves = { step: [], loss: [], loss_low: [], loss_high: [], gradient_norm: [], rate: [], per_second: [] };
    this.validations = [];
    this.marks = [];
    this.steps = null;
    this.unit = "";
  }

  /** Take an object of the run's stream. Gives the samples that came with it. */
  take(message) {
    if (message.event === "history") this.#history(message);
    else if (message.event === "state") this.state = message.state;
    else if (message.event === "events") return message.events.flatMap((event) => this.#event(event));
    return [];
  }

  #history({ state, steps, step, curves, validations, marks }) {
    this.#clear();
    Object.assign(this, { state, steps, validations: [...validations] });
    for (const name of Object.keys(this.curves)) this.curves[name] = [...(curves[name] ?? [])];
    for (const mark of marks) this.#event(mark);
    this.last = { step };
  }

  #event(event) {
    if (event.step !== undefined) this.last.step = event.step;
    if (event.event === "updated") this.#updated(event);
    else if (event.event === "validated") this.validations.push(event);
    else if (event.event === "planned") Object.assign(this, { steps: event.steps, unit: event.unit });
    else if (event.event === "sampled") return [{ step: event.step, text: event.text }];
    if (event.event === "resumed") this.#forget(event.step);
    if (event.event === "finished") this.last = { ...this.last, seconds_left: 0 };
    if (event.event in MARKED) this.marks.push(event);
    return [];
  }

  #updated(event) {
    const { curves } = this;
    curves.step.push(event.step);
    for (const name of ["loss", "gradient_norm", "rate", "per_second"]) curves[name].push(event[name]);
    curves.loss_low.push(event.loss);
    curves.loss_high.push(event.loss);
    this.last = event;
  }

  // What was said of steps after a checkpoint is void once training goes on from there.
  #forget(step) {
    const keep = this.curves.step.filter((one) => one <= step).length;
    for (const list of Object.values(this.curves)) list.length = Math.min(list.length, keep);
    this.validations = this.validations.filter((one) => one.step <= step);
  }

  /** Lines across the curves: where training went back, passed a batch over, or went on. */
  get markLines() {
    return this.marks.map((event) => ({ x: event.step, label: MARKED[event.event]() }));
  }

  /** In words: what the marks are, the latest first. */
  get happenings() {
    return this.marks.map(words).reverse();
  }

  /** The loss, of training and held out. */
  loss(unit) {
    const { step, loss } = this.curves;
    const series = step.length ? [{ name: "training", x: step, y: loss }] : [];
    const first = this.validations[0] && firstFigure(this.validations[0].figures);
    if (first) series.push(this.#validation(first, `validation, ${first}`));
    const figure = curves("Loss", series, unit ? `loss, ${unit}` : "loss");
    // A point that is the mean over many updates has the lowest and the highest of them about it.
    const { loss_low: low, loss_high: high } = this.curves;
    const wide = low.some((one, i) => one !== high[i]);
    return { ...figure, bands: wide ? [{ name: "lowest to highest", x: step, low, high, about: "training" }] : [] };
  }

  /** What else was measured on the held-out part, each by itself. */
  others() {
    const names = new Set(this.validations.flatMap((one) => Object.keys(one.figures)));
    if (this.validations.length) names.delete(firstFigure(this.validations[0].figures));
    return [...names].map((name) => curves(`Validation: ${name}`, [this.#validation(name, name)], name));
  }

  #validation(figure, name) {
    const held = this.validations.filter((one) => one.figures[figure] !== undefined);
    return { name, x: held.map((one) => one.step), y: held.map((one) => one.figures[figure]) };
  }

  gradientNorm() {
    const { step, gradient_norm } = this.curves;
    const series = [{ name: "gradient norm", x: step, y: gradient_norm }];
    return curves("Gradient norm, before clipping", series, "norm", true);
  }

  rate() {
    const { step, rate } = this.curves;
    return curves("Learning rate", [{ name: "rate", x: step, y: rate }], "rate");
  }
}

/** The figure that a validation is judged by: the one called loss, else its first. */
function firstFigure(figures) {
  return "loss" in figures ? "loss" : Object.keys(figures)[0];
}

/** A figure of curves against steps. */
export function curves(title, series, label, logarithmic = false) {
  return { figure: "curves", title, series, x_label: "step", y_label: label, x_log: false, y_log: logarithmic };
}

function words(event) {
  const step = event.step.toLocaleString("en-GB");
  if (event.event === "rolled-back") {
    return `Step ${step}: rolled back to step ${event.to_step.toLocaleString("en-GB")}, rates × ${event.rate_factor}: ${event.reason}`;
  }
  if (event.event === "skipped") return `Step ${step}: a batch was passed over: ${event.reason}`;
  return `Step ${step}: resumed from ${event.checkpoint}`;
}
