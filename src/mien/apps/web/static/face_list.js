// The faces of one image: the image with numbered boxes, which stays in view, and one line for each face.
import { announce, el } from "./dom.js";
import { annotatedImage } from "./annotated_image.js";
import { faceCard, faceLine } from "./face_result.js";
import { cropFace } from "./readings.js";

// So many faces are displayed in full.
const MAX_OPEN = 2;

// photo: { result, tags, image }. onExplain(number) opens the explanation of a face.
export function faceList(photo, onExplain) {
  const { result, image } = photo, count = result.faces.length;
  if (count === 1) {
    const card = faceCard(result.faces[0], () => onExplain(1));
    const mark = (number, marked) => card.classList.toggle("marked", marked);
    return el("div", { class: "photo-body" }, annotatedImage(photo, { onSelect: onExplain, mark, action: "Explain" }), el("div", { class: "face-cards" }, card));
  }
  const lines = result.faces.map((reading, i) => faceLine(reading, i + 1, cropFace(image, reading.box, result.size), { onExplain, open: count <= MAX_OPEN }));
  const picture = annotatedImage(photo, { onSelect: number => select(number, { reveal: true }), mark, action: "Select" });
  const boxes = [...picture.querySelectorAll(".box")];
  for (const box of boxes) box.setAttribute("aria-pressed", "false");
  const body = el("div", { class: "photo-body several" }, el("div", { class: "photo-picture" }, picture),
    el("div", { class: "face-cards" }, listHead(), lines));

  lines.forEach((line, i) => {
    line.addEventListener("mouseenter", () => mark(i + 1, true));
    line.addEventListener("mouseleave", () => mark(i + 1, false));
    line.querySelector("summary").addEventListener("click", () => select(i + 1));
  });

  function mark(number, marked) {
    for (const each of [boxes[number - 1], lines[number - 1]]) each.classList.toggle("marked", marked);
  }

  // With reveal, the line is opened, scrolled to, and has the focus.
  function select(number, { reveal = false } = {}) {
    boxes.forEach((box, i) => box.setAttribute("aria-pressed", String(i === number - 1)));
    lines.forEach((line, i) => i === number - 1 ? line.setAttribute("aria-current", "true") : line.removeAttribute("aria-current"));
    picture.querySelectorAll(".tags g").forEach(tag => tag.classList.toggle("selected", tag.dataset.number === String(number)));
    if (!reveal || !number) return;
    const line = lines[number - 1];
    line.open = true;
    line.querySelector("summary").focus({ preventScroll: true });
    line.scrollIntoView({ block: "nearest" });
  }

  function listHead() {
    const counts = countExpressions(result.faces);
    const filter = el("select", { onchange: () => show(filter.value) }, el("option", { value: "" }, `all ${count} faces`),
      counts.map(([name, number]) => el("option", { value: name }, `${number} ${name}`)));
    return el("div", { class: "list-head" }, el("p", { class: "summary", "data-summary": true }, counts.map(([name, number]) => `${number} ${name}`).join(", ")),
      counts.length > 1 ? el("label", {}, "Show ", filter) : null);
  }

  // The boxes and lines of one expression; all without a name.
  function show(name) {
    const hidden = result.faces.map(reading => name !== "" && expressionName(reading) !== name);
    hidden.forEach((each, i) => { boxes[i].hidden = lines[i].hidden = each; });
    for (const tag of picture.querySelectorAll(".tags g")) tag.toggleAttribute("hidden", hidden[tag.dataset.number - 1]);
    if (hidden.some((each, i) => each && lines[i].hasAttribute("aria-current"))) select(0);
    announce(`${hidden.filter(each => !each).length} of ${count} faces`);
  }

  return body;
}

// Uncertain faces have a group of their own, whatever their leading expression.
const expressionName = reading => reading.uncertain ? "uncertain" : reading.emotion;

// [expression, number of faces] pairs, the most frequent first, uncertain ones last.
export function countExpressions(faces) {
  const counts = new Map();
  for (const name of faces.map(expressionName)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([first, a], [second, b]) => (first === "uncertain") - (second === "uncertain") || b - a);
}
