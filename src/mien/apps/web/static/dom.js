// Elements built from text: el("p", { class: "lead" }, "text", child). Text from elsewhere is never parsed as HTML.
export const pageData = JSON.parse(document.getElementById("page-data").textContent);

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "hue") element.style.setProperty("--hue", value);
    else if (key === "style") Object.assign(element.style, value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(Infinity));
  return element;
}

// A function that finds the element of a page by its data attribute: find("progress") for [data-progress].
export const finder = root => name => root.querySelector(`[data-${name}]`);

// The icon of a label; a disc in the label's colour for labels without one.
export function faceIcon(label) {
  const symbol = document.getElementById(`face-${label}`);
  const shape = symbol ? svg("use", { href: `#face-${label}` }) : svg("circle", { cx: 16, cy: 16, r: 15.5, fill: labelColour(label) });
  return svg("svg", { class: "icon", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" }, shape);
}

const OTHER_COLOURS = ["#2a9d8f", "#c77dff", "#ff7f51", "#4895ef", "#b5838d", "#90a955", "#f15bb5", "#8d6e63"];

export function labelColour(label) {
  return pageData.colours[label] ?? OTHER_COLOURS[[...label].reduce((sum, c) => sum + c.codePointAt(0), 0) % OTHER_COLOURS.length];
}

export const describeLabel = label => `looks ${pageData.adjectives[label] ?? label}`;
export const formatPercent = value => `${Math.round(100 * value)}\u00a0%`;
// [label, score] pairs, the largest score first.
export const sortScores = scores => Object.entries(scores).sort((first, second) => second[1] - first[1]);

export function joinWords(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

// Hide one part of the page and show another. The focus does not stay in the hidden part.
export function replaceSection(before, after, focus) {
  const hadFocus = before.contains(document.activeElement) || document.activeElement === document.body;
  before.hidden = true;
  after.hidden = false;
  if (hadFocus) focus.focus({ preventScroll: true });
}

// For screen readers only.
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function formatTime(seconds) {
  const tenths = Math.round(seconds * 10), minutes = Math.floor(tenths / 600), rest = (tenths % 600) / 10;
  return minutes ? `${minutes}:${rest < 10 ? "0" : ""}${rest.toFixed(1)}` : `${rest.toFixed(1)} s`;
}
