// A field's value as text, which is what stands in an input and in the address, and back. A list has spaces between its
// values; where they are texts of several words, each has a line.

/** The text of a value; what is null is empty. */
export function toText(field, value) {
  if (value === null || value === undefined) return field.kind === "switch" ? "false" : "";
  return Array.isArray(value) ? value.map(String).join(field.kind === "words" ? "\n" : " ") : String(value);
}

/** {value} of a text, or {problem}: one line that says what was expected. */
export function fromText(field, text) {
  if (field.many || field.length) {
    const parts = (field.kind === "words" ? text.split("\n") : text.split(/[\s,]+/)).filter(Boolean);
    if (field.length && parts.length !== field.length) {
      return { problem: `expected ${field.length} values with spaces between them; ${parts.length} came` };
    }
    const found = parts.map((part) => single(field, part));
    return found.find((one) => one.problem) ?? { value: found.map((one) => one.value) };
  }
  return single(field, text);
}

function single(field, text) {
  if (field.optional && text.trim() === "") return { value: null };
  if (field.kind === "switch") return { value: text === "true" };
  if (field.kind === "whole" && !/^\s*[-+]?\d+\s*$/.test(text)) return { problem: `expected a whole number; “${text}” came` };
  if (field.kind === "number" && (text.trim() === "" || Number.isNaN(Number(text)))) {
    return { problem: `expected a number; “${text}” came` };
  }
  if (field.kind === "whole" || field.kind === "number") return { value: Number(text) };
  // A list of numbers comes as numbers.
  const chosen = field.choices?.find((choice) => String(choice) === text);
  return { value: chosen ?? text };
}
