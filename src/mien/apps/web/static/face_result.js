// What was read of a face, as elements.
import { el, face, hue, listed, looks, percent, ranked } from "./dom.js";

// All shares, largest first, as bars with their numbers.
export function bars(scores) {
  return el("dl", { class: "bars" }, ranked(scores).map(([label, part]) => [
    el("dt", {}, face(label), label),
    el("dd", { class: "track", hue: hue(label) }, el("i", { style: { width: `${100 * part}%` } })),
    el("dd", { class: "part" }, percent(part)),
  ]));
}

// New numbers in bars that are there: for moving pictures, in the order of the labels.
export function liveBars(into) {
  let rows = null;
  return scores => {
    if (!rows) {
      const list = bars(scores);
      const labels = [...list.querySelectorAll("dt")].map(term => term.textContent);
      rows = Object.fromEntries(labels.map((label, i) => [label, { bar: list.querySelectorAll(".track i")[i], part: list.querySelectorAll(".part")[i] }]));
      into.replaceChildren(list);
    }
    for (const [label, part] of Object.entries(scores)) {
      if (!rows[label]) continue;
      rows[label].bar.style.width = `${100 * part}%`;
      rows[label].part.textContent = percent(part);
    }
  };
}

// Ten small faces: what ten people would say.
export function people(votes) {
  const ten = ofTen(votes);
  const counts = ranked(ten.reduce((all, label) => ({ ...all, [label]: (all[label] ?? 0) + 1 }), {}));
  const words = `Of ten people, ${listed(counts.map(([label, count]) => `${count} would say ${label}`))}.`;
  return el("div", {}, el("p", { class: "people", "aria-hidden": "true" }, ten.map(face)), el("p", { class: "people-told" }, words));
}

function ofTen(votes) {
  const parts = ranked(votes), counts = new Map(parts.map(([label, part]) => [label, Math.floor(10 * part)]));
  const rest = parts.map(([label, part]) => [label, 10 * part - Math.floor(10 * part)]).sort((one, other) => other[1] - one[1]);
  let missing = 10 - [...counts.values()].reduce((sum, count) => sum + count, 0);
  for (const [label] of rest) if (missing-- > 0) counts.set(label, counts.get(label) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]).flatMap(([label, count]) => Array(count).fill(label));
}

// What is seen first, in a sentence.
export function headline(reading) {
  const top = reading.emotion;
  return `${reading.uncertain ? "perhaps " : ""}${looks(top)}`;
}

export function doubts(reading) {
  const words = [];
  if (!reading.quality.ok) words.push(`Hard to judge: ${reading.quality.reason ?? "the face is not clear"}.`);
  if (reading.uncertain) words.push(`Unsure: ${reading.uncertain}.`);
  return words;
}

// The heading over an explanation: what was asked for is not always what it said.
export function why({ emotion, target, versus }) {
  const asked = target === emotion ? `Why it ${looks(target)}` : `Evidence for ${target}`;
  return versus ? `${asked} rather than ${versus}` : asked;
}

export function mixture(reading) {
  const mixed = ranked(reading.mixture);
  return mixed.length > 1 ? `A mixture: people would see ${listed(mixed.map(([label, part]) => `${percent(part)} ${label}`))}.` : "";
}

// One face in full. inside(number) opens the network on it.
export function card(reading, number, many, inside) {
  const top = reading.emotion, mixed = mixture(reading);
  return el("section", { class: "someone", hue: hue(top), "data-number": String(number), "aria-label": `Face ${number}` },
    el("h4", {}, face(top), el("span", {}, many > 1 ? el("small", { class: "muted" }, `Face ${number} `) : "", headline(reading), ` · ${percent(reading.scores[top])}`)),
    doubts(reading).map(words => el("p", { class: "doubt" }, words)),
    mixed ? el("p", {}, mixed) : null,
    bars(reading.scores),
    reading.votes ? people(reading.votes) : null,
    el("button", { type: "button", onclick: () => inside(number) }, "See inside"));
}
