// A tree with its root on top and every leaf, a word of a sentence for example, on the bottom line. The arrow keys climb
// it: up to the parent, down to the first child, left and right to the neighbours.

import { h, s } from "../shell/dom.js";
import { sheet, textWidth } from "./plot.js";
import { ReadOut, tell, within } from "./read-out.js";
import { shorten, visible } from "./words.js";

const LEVEL = 46;
const LINE = 20;
const GAP = 14;
// How near a pointer has to come to a label, in pixels.
const REACH = 26;

export function drawTree(place, figure, element) {
  const nodes = laidOut(figure);
  const width = Math.ceil(nodes.width);
  const label = `${visible(figure.title)}: a tree of ${nodes.length} nodes. Arrow keys climb it.`;
  const { svg, stage } = sheet(place, Math.max(width, 120), nodes.height, label);
  // A leaf is reached from straight above, so that no line crosses what is below the leaf's neighbours.
  const lines = nodes
    .filter((node) => node.parent)
    .map(({ x, y, parent }) => `M${parent.x.toFixed(1)} ${parent.y + 6}L${x.toFixed(1)} ${parent.y + LEVEL - 15}V${y - 15}`);
  svg.append(s("path", { class: "branch", d: lines.join("") }));
  const texts = nodes.map(({ x, y, text, leaf }) =>
    s("text", { class: leaf ? "leaf" : "node", x: x.toFixed(1), y, "text-anchor": "middle" }, text),
  );
  svg.append(...texts);
  stage.classList.add("wide");
  place.replaceChildren(h("div", { class: "sideways" }, stage));
  readable(place, stage, nodes, texts, element);
}

/** The nodes with their places, parents, children; width and height of the whole stand on the list. */
function laidOut({ labels, parents }) {
  const nodes = labels.map((label, index) => ({ index, label, text: shorten(visible(label), 30), children: [], depth: 0 }));
  nodes.forEach((node, i) => {
    node.parent = parents[i] < 0 ? null : nodes[parents[i]];
    if (!node.parent) return;
    node.parent.children.push(node);
    node.depth = node.parent.depth + 1;
  });
  const deepest = Math.max(...nodes.map((node) => node.depth));
  let x = 0;
  // Leaves from left to right, each as wide as it needs; the others over the middle of what is below them.
  for (const node of nodes) {
    node.leaf = node.children.length === 0;
    if (!node.leaf) continue;
    const room = Math.max(textWidth(node.text), textWidth(node.parent?.children.length === 1 ? node.parent.text : ""));
    node.x = x + room / 2;
    x += room + GAP;
  }
  for (const node of [...nodes].reverse()) {
    if (!node.leaf) node.x = (node.children[0].x + node.children.at(-1).x) / 2;
    node.y = (node.leaf ? deepest : node.depth) * LEVEL + LINE;
  }
  return Object.assign(nodes, { width: x, height: deepest * LEVEL + LINE + 12 });
}

function readable(place, stage, nodes, texts, element) {
  // Not within what is moved sideways, which would cut it off.
  const box = new ReadOut(place);
  let at = null;

  function show(node, spoken) {
    if (at) texts[at.index].classList.remove("here");
    at = node;
    texts[node.index].classList.add("here");
    const below = node.leaf ? "a leaf" : words(node);
    box.show(node.x - stage.parentElement.scrollLeft, node.y, [["", visible(node.label), null], ["", below, null]], spoken);
    tell(element, "lab-look", { index: node.index });
  }

  function hide() {
    if (at) texts[at.index].classList.remove("here");
    box.hide();
  }

  function under(event) {
    const [x, y] = within(event, stage);
    const away = (node) => Math.hypot(node.x - x, node.y - 5 - y);
    const best = nodes.reduce((near, node) => (away(node) < away(near) ? node : near));
    return away(best) < REACH ? best : null;
  }

  function neighbour(step) {
    if (!at.parent) return at;
    const same = nodes.filter((node) => node.depth === at.depth);
    return same[same.indexOf(at) + step] ?? at;
  }

  stage.addEventListener("pointermove", (event) => {
    const node = under(event);
    if (node) show(node, false);
    else hide();
  });
  stage.addEventListener("pointerleave", hide);
  stage.addEventListener("blur", hide);
  stage.addEventListener("click", (event) => {
    const node = under(event);
    if (node) tell(element, "lab-pick", { index: node.index });
  });
  stage.addEventListener("keydown", (event) => {
    const moves = {
      ArrowUp: () => at.parent ?? at,
      ArrowDown: () => at.children[0] ?? at,
      ArrowLeft: () => neighbour(-1),
      ArrowRight: () => neighbour(1),
    };
    if (event.key in moves) {
      event.preventDefault();
      show(at ? moves[event.key]() : nodes[0], true);
    } else if (event.key === "Enter" && at) {
      tell(element, "lab-pick", { index: at.index });
    } else if (event.key === "Escape") {
      hide();
    }
  });
}

/** The leaves below a node, as one text. */
function words(node) {
  return node.leaf ? node.text : node.children.map(words).join(" ");
}
