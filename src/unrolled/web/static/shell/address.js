// The address holds the whole state of the page, so that every view can be linked to: `/run/book?sample=300`. Its first
// word is the view, further words are the view's own path, and what follows the question mark are its settings, as text.
// Long texts stand behind a # instead: that part stays in the browser, while a server bounds what it is asked for.

/** Characters of a setting that are still sent to the server. */
const LONGEST = 2000;

/** The address now: {view, path, state}. */
export function read() {
  const [view = "", ...path] = location.pathname.split("/").filter(Boolean).map(decoded);
  const settings = [location.search, location.hash.slice(1)].flatMap((part) => [...new URLSearchParams(part)]);
  // A # that leads to a place of the page, as the one to the content does, has no value.
  return { view, path, state: Object.fromEntries(settings.filter(([, value]) => value !== "")) };
}

/** The link to a view: `path` a word or a list of words; settings that are empty, null or undefined are left out. */
export function link(path, state = {}) {
  const kept = Object.entries(state).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const part = (long) => kept.map(([name, value]) => [name, String(value)]).filter(([, value]) => value.length > LONGEST === long);
  const [query, fragment] = [false, true].map((long) => new URLSearchParams(part(long)).toString());
  return `/${[path].flat().map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}${fragment ? `#${fragment}` : ""}`;
}

/** Go to an address that `link` made. replace: in the place of this one, without a step in the history. */
export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  document.dispatchEvent(new CustomEvent("lab-address"));
}

/** Let links within the lab, and the browser's own back and forward, change the address without a new page. */
export function followLinks() {
  addEventListener("popstate", () => document.dispatchEvent(new CustomEvent("lab-address")));
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest?.("a[href]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!anchor || !plain || event.defaultPrevented || anchor.origin !== location.origin) return;
    if (anchor.target || anchor.hasAttribute("download") || anchor.pathname.startsWith("/static/")) return;
    if (anchor.hash && !anchor.hash.includes("=") && anchor.pathname === location.pathname) return;
    event.preventDefault();
    go(anchor.pathname + anchor.search + anchor.hash);
  });
}

function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // a lone % that someone typed
  }
}
