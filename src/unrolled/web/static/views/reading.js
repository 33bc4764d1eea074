// A text as a network read it: what `inspect reading` gives. Every number that the views of a text show comes with one
// read, so that another unit, another gate or another place asks nothing of the server.

import { act } from "../shell/api.js";

/** Characters that are read at once, at most. */
export const LONGEST = 10_000;
/** Characters of what the run held out, where no text is given. */
const HELD_OUT = 600;
/** Alternatives told at each place. */
const BEST = 8;

export class Reading {
  constructor(event) {
    this.run = event.run;
    this.tokens = event.tokens;
    this.text = event.tokens.join("");
    this.logProbabilities = event.log_probabilities;
    this.others = event.alternatives;
    this.othersLogProbabilities = event.alternative_log_probabilities;
    this.layers = event.layers;
    this.names = event.signals;
    this.signals = new Map();
    this.surprise = Float32Array.from(event.log_probabilities, (one) => (one === null ? NaN : 0 - one));
  }

  /** Take the numbers of a field of the state or of a gate: float16 in base64, unit after unit. */
  take(event) {
    const bytes = Uint8Array.fromBase64(event.float16);
    this.signals.set(event.signal, { units: event.units, values: new Float16Array(bytes.buffer) });
  }

  /** What a unit, from 1, did over the text: one number for each symbol. */
  unit(name, unit) {
    const T = this.tokens.length;
    return this.signals.get(name).values.subarray((unit - 1) * T, unit * T);
  }

  /** What all units did once the symbol at `place`, from 0, was read. */
  at(name, place) {
    const { units, values } = this.signals.get(name);
    return Float32Array.from({ length: units }, (_, j) => values[j * this.tokens.length + place]);
  }

  /** What else might have come at `place`: [{text, probability}], the likeliest first. */
  alternatives(place) {
    return this.others[place].map((text, i) => ({
      text,
      probability: Math.exp(this.othersLogProbabilities[place][i]),
    }));
  }

  /** The place that surprised most. */
  get strangest() {
    let most = 0;
    for (let t = 1; t < this.tokens.length; t += 1) {
      if (!(this.surprise[t] <= this.surprise[most])) most = t;
    }
    return most;
  }

  get meanSurprise() {
    return this.surprise.slice(1).reduce((sum, one) => sum + one, 0) / Math.max(this.tokens.length - 1, 1);
  }
}

/**
 * Let a run read a text; no text is what it held out. told(reading): when the symbols have come, and after each field
 * or gate of the layer.
 */
export async function read({ run, text, layer }, { signal, told }) {
  let reading = null;
  const fields = { run, text, layer, best: BEST, length: text ? Math.min(text.length, LONGEST) : HELD_OUT };
  for await (const event of act("inspect reading", fields, { signal })) {
    if (signal.aborted) return;
    if (event.event === "text-read") reading = new Reading(event);
    else if (event.event === "activity") reading.take(event);
    else continue;
    told(reading);
  }
}
