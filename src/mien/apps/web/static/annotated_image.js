// An image with a box for each face: the scores when the pointer is over it, a click opens the explanation.
import { el, formatPercent, labelColour } from "./dom.js";
import { headline, scoreBars } from "./face_result.js";

export function annotatedImage(source, result, { onExplain, mark }) {
  const [width, height] = result.size;
  const image = el("img", { src: source, width, height, alt: alternativeText(result) });
  const figure = el("figure", { class: "annotated" }, image);
  for (const [i, reading] of result.faces.entries()) figure.append(faceBox(reading, i + 1, result, onExplain, mark));
  return figure;
}

function alternativeText(result) {
  const count = result.faces.length;
  return `${result.source}: ${count === 0 ? "no face" : count === 1 ? "one face" : `${count} faces`}`;
}

function faceBox(reading, number, result, onExplain, mark) {
  const [width, height] = result.size;
  let [x, y, w, h] = reading.box;
  const right = Math.min(x + w, width), bottom = Math.min(y + h, height);
  x = Math.max(x, 0); y = Math.max(y, 0);
  const name = `Face ${number} ${headline(reading)}, ${formatPercent(reading.scores[reading.emotion])}. Explain.`;
  const part = (value, whole) => `${100 * value / whole}%`;
  const style = { left: part(x, width), top: part(y, height), width: part(right - x, width), height: part(bottom - y, height) };
  // Near an edge the tag and the popup move to the side where there is room.
  const sides = [y < height * 0.08 && "inward", bottom > height * 0.62 && "upward", right > width * 0.8 && "leftward", x < width * 0.12 && "rightward"];
  return el("button", {
    type: "button", class: ["box", reading.uncertain || !reading.quality.ok ? "uncertain" : "", ...sides].filter(Boolean).join(" "), hue: labelColour(reading.emotion),
    style, "aria-label": name, "data-number": String(number), onclick: () => onExplain(number),
    onmouseenter: () => mark(number, true), onmouseleave: () => mark(number, false), onfocus: () => mark(number, true), onblur: () => mark(number, false),
  }, el("span", { class: "tag", "aria-hidden": "true" }, `${reading.emotion}${reading.uncertain ? "?" : ""} ${formatPercent(reading.scores[reading.emotion])}`),
  el("span", { class: "popup", "aria-hidden": "true" }, scoreBars(reading.scores)));
}
