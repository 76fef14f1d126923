// An image with a box for each face and its label: the scores when the pointer is over it, a click selects the face.
import { el, formatPercent, labelColour, svg } from "./dom.js";
import { headline, scoreBars } from "./face_result.js";

// onSelect(number) after a click; mark(number, true or false) while the pointer or the focus is on a box.
export function annotatedImage({ result, tags, image }, { onSelect, mark = () => {}, action }) {
  const [width, height] = result.size;
  image.width = width;
  image.height = height;
  image.alt = alternativeText(result);
  const figure = el("figure", { class: "annotated" }, image);
  for (const [i, reading] of result.faces.entries()) figure.append(faceBox(reading, i + 1, result, { onSelect, mark, action }));
  if (tags.length) figure.append(svg("svg", { class: "tags", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, tags.map((tag, i) => faceTag(tag, result.faces[i], i + 1))));
  return figure;
}

function alternativeText(result) {
  const count = result.faces.length;
  return `${result.source}: ${count === 0 ? "no face" : count === 1 ? "one face" : `${count} faces`}`;
}

function faceBox(reading, number, result, { onSelect, mark, action }) {
  const [width, height] = result.size;
  let [x, y, w, h] = reading.box;
  const right = Math.min(x + w, width), bottom = Math.min(y + h, height);
  x = Math.max(x, 0); y = Math.max(y, 0);
  const name = `Face ${number} ${headline(reading)}, ${formatPercent(reading.scores[reading.emotion])}. ${action}.`;
  const part = (value, whole) => `${100 * value / whole}%`;
  const style = { left: part(x, width), top: part(y, height), width: part(right - x, width), height: part(bottom - y, height) };
  // Near an edge the popup moves to the side where there is room.
  const sides = [bottom > height * 0.62 && "upward", right > width * 0.8 && "leftward", x < width * 0.12 && "rightward"];
  return el("button", {
    type: "button", class: ["box", reading.uncertain || !reading.quality.ok ? "uncertain" : "", ...sides].filter(Boolean).join(" "), hue: labelColour(reading.emotion),
    style, "aria-label": name, "data-number": String(number), onclick: () => onSelect(number),
    onmouseenter: () => mark(number, true), onmouseleave: () => mark(number, false), onfocus: () => mark(number, true), onblur: () => mark(number, false),
  }, el("span", { class: "popup", "aria-hidden": "true" }, scoreBars(reading.scores)));
}

// The text at the position that the server has computed; it fills its width with every font.
function faceTag(tag, reading, number) {
  if (!tag) return [];
  const [x, y, width, height] = tag.box, group = svg("g", { "data-number": number }), size = tag.text_height;
  group.style.setProperty("--hue", labelColour(reading.emotion));
  const text = tag.text.split("\n")[0], inner = width - size;
  group.append(svg("rect", { x, y, width, height, rx: 0.3 * size }),
    svg("text", { x: x + width / 2, y: y + height / 2, "font-size": size, textLength: inner, lengthAdjust: "spacingAndGlyphs" }, text));
  return group;
}
