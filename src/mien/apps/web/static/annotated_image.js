// A picture with a box for each face: hover for the bars, click to see inside.
import { el, hue, percent } from "./dom.js";
import { bars, headline } from "./face_result.js";

export function boxed(source, result, { inside, mark }) {
  const [width, height] = result.size;
  const image = el("img", { src: source, width, height, alt: alt(result) });
  const shown = el("figure", { class: "picture" }, image);
  for (const [i, reading] of result.faces.entries()) shown.append(box(reading, i + 1, result, inside, mark));
  return shown;
}

function alt(result) {
  const many = result.faces.length;
  return `${result.source}: ${many === 0 ? "no face found" : many === 1 ? "one face" : `${many} faces`}`;
}

function box(reading, number, result, inside, mark) {
  const [width, height] = result.size;
  let [x, y, w, h] = reading.box;
  const right = Math.min(x + w, width), bottom = Math.min(y + h, height);
  x = Math.max(x, 0); y = Math.max(y, 0);
  const words = `Face ${number} ${headline(reading)}, ${percent(reading.scores[reading.emotion])}. See inside.`;
  const part = (value, whole) => `${100 * value / whole}%`;
  const place = { left: part(x, width), top: part(y, height), width: part(right - x, width), height: part(bottom - y, height) };
  const sides = [y < height * 0.08 && "inward", bottom > height * 0.62 && "upward", right > width * 0.8 && "leftward", x < width * 0.12 && "rightward"];
  return el("button", {
    type: "button", class: ["box", reading.uncertain || !reading.quality.ok ? "unsure" : "", ...sides].filter(Boolean).join(" "), hue: hue(reading.emotion),
    style: place, "aria-label": words, "data-number": String(number), onclick: () => inside(number),
    onmouseenter: () => mark(number, true), onmouseleave: () => mark(number, false), onfocus: () => mark(number, true), onblur: () => mark(number, false),
  }, el("span", { class: "tag", "aria-hidden": "true" }, `${reading.emotion}${reading.uncertain ? "?" : ""} ${percent(reading.scores[reading.emotion])}`),
  el("span", { class: "pop", "aria-hidden": "true" }, bars(reading.scores)));
}
