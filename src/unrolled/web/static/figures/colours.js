// Colours for what is painted rather than styled: canvases. They stand in style/tokens.css, for light and dark; here
// they are read, and mixed in OKLab (Ottosson 2020), where equal steps look equal.

/** Steps between the ends of a scale. */
const SHADES = 128;

const cache = new Map();

/** The custom property `name` as it stands now. */
export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Forget the scales: another theme has others. */
export function forgetColours() {
  cache.clear();
}

/**
 * A scale by name (sequential, diverging, highlight, two-highlights) as SHADES + 2 colours of canvas pixels: the last
 * is for what has no value. `pixel(share)` gives one, share from 0 to 1, held there; NaN gives the last.
 */
export function scale(name) {
  if (!cache.has(name)) cache.set(name, new Scale(name));
  return cache.get(name);
}

class Scale {
  constructor(name) {
    const stops = token(`--scale-${name}`).split(/\s+/);
    this.colours = [];
    for (let i = 0; i <= SHADES; i += 1) this.colours.push(mix(stops, i / SHADES));
    this.colours.push(token("--absent"));
    // As the bytes of a pixel, red first, opaque.
    this.pixels = new Uint32Array(new Uint8ClampedArray(this.colours.flatMap((one) => [...rgb(one), 255])).buffer);
  }

  pixel(share) {
    return this.pixels[shade(share)];
  }

  /** The same for a drawing. */
  colour(share) {
    return this.colours[shade(share)];
  }
}

function shade(share) {
  return Number.isNaN(share) ? SHADES + 1 : Math.round(Math.min(Math.max(share, 0), 1) * SHADES);
}

function mix(stops, share) {
  const place = share * (stops.length - 1);
  const left = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [oklab(stops[left]), oklab(stops[left + 1])];
  return hex(a.map((value, i) => value + (b[i] - value) * (place - left)));
}

function rgb(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}

function oklab(colour) {
  const [r, g, b] = rgb(colour).map((c) => toLinear(c / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const k = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * k,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * k,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * k,
  ];
}

function hex([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const k = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * k,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * k,
    -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * k,
  ];
  const bytes = linear.map((c) => Math.round(255 * fromLinear(Math.min(Math.max(c, 0), 1))));
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function toLinear(c) {
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}

function fromLinear(c) {
  return c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
}
