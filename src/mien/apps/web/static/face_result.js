// The result for one face, as elements.
import { describeLabel, el, faceIcon, formatPercent, joinWords, labelColour, sortScores } from "./dom.js";

// All scores, the largest first, as bars with their values.
export function scoreBars(scores) {
  return el("dl", { class: "bars" }, sortScores(scores).map(([label, score]) => [
    el("dt", {}, faceIcon(label), label),
    el("dd", { class: "track", hue: labelColour(label) }, el("i", { style: { width: `${100 * score}%` } })),
    el("dd", { class: "value" }, formatPercent(score)),
  ]));
}

// A function that updates the bars in place, for live video; they keep the order of the first scores.
export function liveBars(container) {
  let rows = null;
  return scores => {
    if (!rows) {
      const list = scoreBars(scores);
      const labels = [...list.querySelectorAll("dt")].map(term => term.textContent);
      rows = Object.fromEntries(labels.map((label, i) => [label, { bar: list.querySelectorAll(".track i")[i], value: list.querySelectorAll(".value")[i] }]));
      container.replaceChildren(list);
    }
    for (const [label, score] of Object.entries(scores)) {
      if (!rows[label]) continue;
      rows[label].bar.style.width = `${100 * score}%`;
      rows[label].value.textContent = formatPercent(score);
    }
  };
}

// The predicted annotator votes (FER+) of ten annotators, as icons and as text.
export function voteIcons(votes) {
  const ten = roundToTen(votes);
  const counts = sortScores(ten.reduce((all, label) => ({ ...all, [label]: (all[label] ?? 0) + 1 }), {}));
  const text = `Predicted annotator votes (FER+), of ten: ${joinWords(counts.map(([label, count]) => `${count} ${label}`))}.`;
  return el("div", {}, el("p", { class: "votes", "aria-hidden": "true" }, ten.map(faceIcon)), el("p", { class: "votes-text" }, text));
}

// Ten labels in proportion to the votes; the largest remainders are rounded up.
function roundToTen(votes) {
  const parts = sortScores(votes), counts = new Map(parts.map(([label, part]) => [label, Math.floor(10 * part)]));
  const remainders = parts.map(([label, part]) => [label, 10 * part - Math.floor(10 * part)]).sort((first, second) => second[1] - first[1]);
  let missing = 10 - [...counts.values()].reduce((sum, count) => sum + count, 0);
  for (const [label] of remainders) if (missing-- > 0) counts.set(label, counts.get(label) + 1);
  return [...counts].sort((first, second) => second[1] - first[1]).flatMap(([label, count]) => Array(count).fill(label));
}

export function headline(reading) {
  return `${reading.uncertain ? "perhaps " : ""}${describeLabel(reading.emotion)}`;
}

// Sentences about quality and uncertainty; none for a clear face with a certain prediction.
export function describeDoubts(reading) {
  const sentences = [];
  if (!reading.quality.ok) sentences.push(`Hard to judge: ${reading.quality.reason ?? "the face is not clear"}.`);
  if (reading.uncertain) sentences.push(`Unsure: ${reading.uncertain}.`);
  return sentences;
}

// The heading of an explanation: its target is not always the predicted label.
export function explanationTitle({ emotion, target, versus }) {
  const title = target === emotion ? `Why it ${describeLabel(target)}` : `Evidence for ${target}`;
  return versus ? `${title} compared with ${versus}` : title;
}

function describeMixture(reading) {
  const parts = sortScores(reading.mixture);
  return parts.length > 1 ? `Mixed expression: ${joinWords(parts.map(([label, part]) => `${formatPercent(part)} ${label}`))} of the predicted annotator votes.` : "";
}

// The only face of an image, in full.
export function faceCard(reading, onExplain) {
  const label = reading.emotion;
  return el("section", { class: "face-card", hue: labelColour(label), "data-number": "1", "aria-label": "Face 1" },
    el("h4", {}, faceIcon(label), el("span", {}, headline(reading), ` · ${formatPercent(reading.scores[label])}`)),
    faceDetails(reading, onExplain));
}

// One of several faces: a line that opens. onExplain(number) opens its explanation.
export function faceLine(reading, number, crop, { onExplain, open }) {
  const label = reading.emotion, doubtful = reading.uncertain || !reading.quality.ok;
  return el("details", { class: "face-card face-line", hue: labelColour(label), "data-number": String(number), "aria-label": `Face ${number}`, open },
    el("summary", {}, el("b", { class: "number" }, String(number)), crop, faceIcon(label),
      el("span", {}, headline(reading), ` · ${formatPercent(reading.scores[label])}`),
      doubtful ? el("small", {}, reading.quality.ok ? "unsure" : "hard to judge") : null),
    faceDetails(reading, () => onExplain(number)));
}

function faceDetails(reading, onExplain) {
  const mixture = describeMixture(reading);
  return el("div", { class: "face-details" },
    describeDoubts(reading).map(sentence => el("p", { class: "doubt" }, sentence)),
    mixture ? el("p", {}, mixture) : null,
    scoreBars(reading.scores),
    reading.votes ? voteIcons(reading.votes) : null,
    el("p", { class: "muted" }, el("small", {}, `Face of ${reading.box[2]} × ${reading.box[3]} pixels, detected with ${formatPercent(reading.detection)}.`)),
    el("button", { type: "button", onclick: onExplain }, "Explain"));
}
