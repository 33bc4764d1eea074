// What stands on the page as a picture, as a file: SVG, or PNG at twice its size. It is the picture as it is seen, in the
// colours that it is seen in: drawings are copied with their styles, canvases become images, letters stay letters.

import { s } from "../shell/dom.js";

const EDGE = 20;
const HEAD = 30;
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "stroke-linecap",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "paint-order",
];

/** Save the picture in `place` under its title. format: "svg" or "png". */
export async function saveAs(place, title, format) {
  const svg = new Blob([new XMLSerializer().serializeToString(toSVG(place, title))], { type: "image/svg+xml" });
  const blob = format === "svg" ? svg : await toPNG(svg);
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = `${fileName(title)}.${format}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

function fileName(title) {
  return title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "figure";
}

/** The picture as one SVG element, on a card with its title. */
function toSVG(place, title) {
  const box = place.getBoundingClientRect();
  const width = Math.ceil(Math.max(box.width, 320)) + 2 * EDGE;
  const height = Math.ceil(place.scrollHeight) + HEAD + 2 * EDGE;
  const look = getComputedStyle(place);
  const root = s("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` });
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
  root.append(
    s("title", {}, title),
    s("rect", { width, height, fill: paper }),
    s("text", { x: EDGE, y: EDGE + 14, fill: look.color, "font-family": look.fontFamily, "font-size": 16, "font-weight": 600 }, title),
  );
  copy(place, root, EDGE - box.left, EDGE + HEAD - box.top);
  return root;
}

function copy(element, out, dx, dy) {
  for (const node of element.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) {
      copyText(node, out, dx, dy);
    } else if (node.nodeType === Node.ELEMENT_NODE && node.getClientRects().length && !node.matches(".read-out, .visually-hidden")) {
      const box = node.getBoundingClientRect();
      const [x, y] = [box.left + dx, box.top + dy];
      if (node instanceof SVGSVGElement) {
        out.append(styled(node, { x, y, width: box.width, height: box.height }));
      } else if (node instanceof HTMLCanvasElement) {
        out.append(image(node, x, y, box));
      } else {
        copyBox(node, out, x, y, box);
        copy(node, out, dx, dy);
      }
    }
  }
}

function image(canvas, x, y, { width, height }) {
  const attributes = { x, y, width, height, preserveAspectRatio: "none", "image-rendering": "pixelated" };
  return s("image", { ...attributes, href: canvas.toDataURL("image/png") });
}

function styled(svg, attributes) {
  const twin = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  [twin, ...twin.querySelectorAll("*")].forEach((part, i) => {
    const look = getComputedStyle(originals[i]);
    for (const name of STYLES) {
      const value = look.getPropertyValue(name);
      if (value && value !== "none" && value !== "normal") part.setAttribute(name, value);
      else if (name === "fill" || name === "stroke") part.setAttribute(name, value || "none");
    }
    part.removeAttribute("class");
  });
  for (const [name, value] of Object.entries(attributes)) twin.setAttribute(name, value);
  return twin;
}

// The ground of a box and the lines around it.
function copyBox(node, out, x, y, { width, height }) {
  const look = getComputedStyle(node);
  if (!/, 0\)$|transparent/.test(look.backgroundColor)) {
    out.append(s("rect", { x, y, width, height, rx: parseFloat(look.borderTopLeftRadius) || 0, fill: look.backgroundColor }));
  }
  const sides = { Top: [0, 0, width, 0], Bottom: [0, height, width, 0], Left: [0, 0, 0, height], Right: [width, 0, 0, height] };
  for (const [side, [left, top, across, down]] of Object.entries(sides)) {
    const thick = parseFloat(look[`border${side}Width`]);
    if (!thick || look[`border${side}Style`] === "none") continue;
    const d = `M${x + left} ${y + top}${across ? `h${across}` : `v${down}`}`;
    out.append(s("path", { d, stroke: look[`border${side}Color`], "stroke-width": thick, fill: "none" }));
  }
}

// Each line of a text as it is broken here.
function copyText(node, out, dx, dy) {
  if (!node.data.trim()) return;
  const look = getComputedStyle(node.parentElement);
  const size = parseFloat(look.fontSize);
  const kept = look.whiteSpaceCollapse === "preserve" || look.whiteSpace.startsWith("pre");
  for (const [text, box] of lines(node)) {
    const shown = kept ? text : text.replace(/\s+/g, " ").trim();
    if (!shown.trim()) continue;
    const attributes = {
      x: (box.left + dx).toFixed(1),
      y: (box.top + dy + box.height / 2 + size * 0.34).toFixed(1),
      fill: look.color,
      "font-family": look.fontFamily,
      "font-size": size,
      "font-weight": look.fontWeight,
      "xml:space": "preserve",
      textLength: box.width.toFixed(1),
      lengthAdjust: "spacingAndGlyphs",
    };
    out.append(s("text", attributes, shown));
  }
}

function lines(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const boxes = range.getClientRects();
  if (boxes.length <= 1) return boxes.length ? [[node.data, boxes[0]]] : [];
  const found = [];
  let start = 0;
  let top = null;
  for (const { index, 0: word } of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.trimEnd().length);
    const box = range.getClientRects()[0];
    if (top !== null && box && box.top > top + 2) {
      found.push([start, index]);
      start = index;
    }
    top = box?.top ?? top;
  }
  found.push([start, node.data.length]);
  return found.map(([from, to]) => {
    range.setStart(node, from);
    range.setEnd(node, from + node.data.slice(from, to).trimEnd().length);
    return [node.data.slice(from, to), range.getBoundingClientRect()];
  });
}

async function toPNG(svg) {
  const address = URL.createObjectURL(svg);
  try {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * picture.naturalWidth, 2 * picture.naturalHeight];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for a PNG"))), "image/png");
    });
  } finally {
    URL.revokeObjectURL(address);
  }
}
