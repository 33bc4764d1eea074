// What changes without a reader of the screen being there is said in one live region.

let region = null;
let waiting = 0;

/** The region, once, for the shell to put on the page. */
export function liveRegion(element) {
  region = element;
}

/** Say `text`; what was to be said a moment ago is dropped, so that a pointer that moves is not a flood. */
export function announce(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (region) region.textContent = text;
  }, 120);
}
