// Elements made of words: el("p", { class: "lead" }, "text", other). No HTML is ever parsed from what came in.
export const told = JSON.parse(document.getElementById("told").textContent);

export function el(name, facts = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(facts)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "hue") made.style.setProperty("--hue", value);
    else if (key === "style") Object.assign(made.style, value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...inside.flat(Infinity).filter(each => each !== null && each !== undefined && each !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, facts = {}, ...inside) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
  made.append(...inside.flat(Infinity));
  return made;
}

// The small face of an expression; a plain disc for labels that are not ours.
export function face(label) {
  const known = document.getElementById(`face-${label}`);
  const drawn = known ? svg("use", { href: `#face-${label}` }) : svg("circle", { cx: 16, cy: 16, r: 15.5, fill: hue(label) });
  return svg("svg", { class: "icon", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" }, drawn);
}

const SPARE = ["#2a9d8f", "#c77dff", "#ff7f51", "#4895ef", "#b5838d", "#90a955", "#f15bb5", "#8d6e63"];

export function hue(label) {
  return told.colours[label] ?? SPARE[[...label].reduce((sum, c) => sum + c.codePointAt(0), 0) % SPARE.length];
}

export const looks = label => `looks ${told.looks[label] ?? label}`;
export const percent = part => `${Math.round(100 * part)}\u00a0%`;
export const ranked = shares => Object.entries(shares).sort((one, other) => other[1] - one[1]);

export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

// Said by screen readers, seen by nobody.
export function say(words) {
  document.getElementById("said").textContent = words;
}

export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function clock(seconds) {
  const tenths = Math.round(seconds * 10), minutes = Math.floor(tenths / 600), rest = (tenths % 600) / 10;
  return minutes ? `${minutes}:${rest < 10 ? "0" : ""}${rest.toFixed(1)}` : `${rest.toFixed(1)} s`;
}
