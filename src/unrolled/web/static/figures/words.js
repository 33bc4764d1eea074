// Text and numbers as every rendering shows them: what unrolled/workshop/renderings/words.py says, for the browser.

// Control characters, halves of surrogates, and marks that would reorder or hide what stands around them; the joiners
// that families of emoji and several scripts are written with are harmless.
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cs}\p{Cf}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** `text` on one line, with nothing in it that acts instead of being seen. */
export function visible(text) {
  return text.replace(UNSEEN, picture);
}

function picture(character) {
  const code = character.codePointAt(0);
  if (code === 0x0a) return "⏎";
  if (code === 0x09) return "⇥";
  if (code === 0x7f) return "␡";
  return code < 32 ? String.fromCodePoint(0x2400 + code) : "\ufffd";
}

/** At most `width` characters, with … where something is left out. */
export function shorten(text, width) {
  const characters = Array.from(text);
  return characters.length <= width ? text : `${characters.slice(0, Math.max(width - 1, 0)).join("").trimEnd()}…`;
}

/** A number of a figure's JSON, in which "NaN", "Infinity" and "-Infinity" are words. */
export function real(value) {
  return typeof value === "number" ? value : Number(value);
}

/** Four significant digits; numbers that are whole in full: 1.453, 0.02100, 12,500, 3.2e-07. */
export function number(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const digits = 3 - Math.floor(Math.log10(Math.abs(value)));
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return signed(grouped(value, 0));
  if (digits < -3 || digits > 7) return signed(scientific(value, 3));
  return signed(grouped(value, Math.max(digits, 0)));
}

/** As `number`, without zeros that say nothing: for the ends of a scale. */
export function shortNumber(value) {
  const written = number(value);
  return written.includes(".") && !written.includes("e") ? written.replace(/\.?0+$/, "") : written;
}

/** `value` in up to `digits` significant digits, as C's %g writes it. */
export function scientific(value, digits) {
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < digits) return trimmed(value.toFixed(Math.max(digits - 1 - power, 0)));
  return `${trimmed(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** `value` with so many digits after the point, thousands apart. */
export function grouped(value, digits) {
  const exactly = { minimumFractionDigits: digits, maximumFractionDigits: digits, roundingMode: "halfEven" };
  return value.toLocaleString("en-GB", exactly);
}

/** With a minus sign, where it begins with a hyphen. */
export function signed(written) {
  return written.replace(/^-/, "−");
}

/** What stands in a cell of a table: text, a number, or nothing. */
export function cell(content) {
  if (content === null || content === undefined) return "";
  if (typeof content === "object") return number(real(content.number));
  return typeof content === "string" ? visible(content) : number(content);
}

function trimmed(written) {
  return written.includes(".") ? written.replace(/\.?0+$/, "") : written;
}

/** A length of time, as people say it: 40 s, 12 min, 2 h 5 min. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
