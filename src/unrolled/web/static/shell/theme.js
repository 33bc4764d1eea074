// Light, dark, or as the system has it. What was chosen is kept by this browser; figures that are painted paint anew.

import { forgetColours } from "../figures/colours.js";

const KEY = "unrolled-theme";
const THEMES = ["auto", "light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");

/** The choice: auto, light or dark. */
export function theme() {
  const kept = localStorage.getItem(KEY);
  return THEMES.includes(kept) ? kept : "auto";
}

/** Take a theme, and keep it. */
export function setTheme(name) {
  if (name === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, name);
  apply();
}

/** Put the theme on the page, now and whenever the system changes its own. */
export function startTheme() {
  system.addEventListener("change", apply);
  apply();
}

function apply() {
  const name = theme();
  document.documentElement.dataset.theme = name === "auto" ? (system.matches ? "dark" : "light") : name;
  forgetColours();
  document.dispatchEvent(new CustomEvent("lab-theme"));
}
