// Elements are made here and nowhere else, so that what a model wrote, or a file is called, is only ever text: nothing
// parses HTML, no attribute holds code, and no style is set as a string (the content policy would refuse it).

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of HTML. attributes: name → value; null, undefined and false leave one out, true is an empty one;
 * `on` is {event: listener}. children: elements and texts, lists of them; null and undefined are left out.
 */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An element of SVG, in the same way. */
export function s(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (/^(on|style$|srcdoc$)/i.test(name)) {
      throw new TypeError(`attribute ${name}: listeners go into "on", styles into classes and custom properties`);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Put these in the place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** Set CSS custom properties of an element, each by itself: {"--share": 0.5}. */
export function properties(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, String(value));
  return element;
}

let identities = 0;

/** An id that no other element has, for labels and descriptions. */
export function uniqueId(stem = "id") {
  identities += 1;
  return `${stem}-${identities}`;
}
