// What a run wrote while it learnt, on a slider from noise to sentences.

import { visible } from "../figures/words.js";
import { h } from "../shell/dom.js";

export class Samples {
  /** samples: [{step, text}], the first first. The step that is looked at stands in the address; none is the newest. */
  constructor(samples, lab) {
    this.lab = lab;
    this.samples = [...samples];
    this.follows = lab.state.sample === undefined;
    this.slider = h("input", { type: "range", min: 0, step: 1, id: "sample", on: { input: () => this.#moved() } });
    this.step = h("output", { for: "sample" });
    this.text = h("pre", { class: "sample", tabindex: "0", "aria-label": "What it wrote" });
    this.element = h(
      "section",
      { class: "card samples" },
      h("div", { class: "slider" }, h("h2", {}, h("label", { for: "sample" }, "What it wrote")), this.slider, this.step),
      this.text,
    );
    const wanted = Number(lab.state.sample);
    const at = this.samples.findLastIndex((one) => one.step <= wanted);
    this.at = this.follows ? this.samples.length - 1 : Math.max(at, 0);
    this.#show();
  }

  /** Samples that came while it trains. */
  add(samples) {
    if (!samples.length) return;
    for (const sample of samples) {
      // A run that went back writes anew what it wrote before.
      while (this.samples.length && this.samples.at(-1).step >= sample.step) this.samples.pop();
      this.samples.push(sample);
    }
    this.at = this.follows ? this.samples.length - 1 : Math.min(this.at, this.samples.length - 1);
    this.#show();
  }

  #moved() {
    this.at = Number(this.slider.value);
    this.follows = this.at === this.samples.length - 1;
    this.lab.set({ sample: this.follows ? "" : this.samples[this.at].step });
    this.#show();
  }

  #show() {
    const sample = this.samples[this.at];
    this.element.hidden = !sample;
    if (!sample) return;
    this.slider.max = this.samples.length - 1;
    this.slider.value = this.at;
    const words = `step ${sample.step.toLocaleString("en-GB")}`;
    this.slider.setAttribute("aria-valuetext", words);
    this.step.textContent = words;
    // Line breaks stay what they are; everything else that cannot be seen is shown as a sign.
    this.text.textContent = sample.text.split("\n").map(visible).join("\n");
  }
}
