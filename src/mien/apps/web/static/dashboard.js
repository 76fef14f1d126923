// The dashboard of one explanation: what it said, where it looked, its layers, and what adds up to the answer.
import { el, face, looks, percent, ranked } from "./dom.js";
import { layers } from "./layers.js";
import { canvas, legend, paintCrop, paintOver } from "./canvas.js";
import { bars, doubts, people } from "./face_result.js";

export function board(into, told, photo, size) {
  into.replaceChildren(...[said(told), where(told), parts(told), layers(told), logits(told), channels(told), shape(told)].filter(Boolean));
}

const section = (css, title, ...inside) => el("section", { class: css }, el("h2", {}, title), inside);

function said(told) {
  return section("third", "What it said",
    el("p", { class: "live-looks" }, face(told.emotion), `${told.uncertain ? "perhaps " : ""}${looks(told.emotion)}`),
    doubts({ quality: told.quality ?? { ok: true }, uncertain: told.uncertain }).map(words => el("p", { class: "doubt" }, words)),
    bars(told.scores), told.votes ? people(told.votes) : null);
}

// The face under its evidence; how strongly it covers is the reader's choice.
function where(told) {
  const [shown] = told.arrays.maps;
  const crop = paintCrop(canvas({ class: "pixels", role: "img", "aria-label": "The face as the network sees it, with its evidence" }), told.arrays.crop);
  const over = canvas({ class: "pixels" }), slider = el("input", { type: "range", min: "0", max: "100", value: "80", "aria-label": "How strongly the evidence covers the face" });
  const draw = () => paintOver(over, shown, slider.value / 100);
  slider.addEventListener("input", draw);
  if (shown) draw();
  const ends = shown?.versus ? [shown.versus, shown.target] : ["none", "most"];
  const found = told.maps[0], change = told.counterfactual;
  return section("third", "Where it looked", el("div", { class: "over" }, crop, over),
    shown ? [legend(shown.scale, ...ends), el("p", {}, slider)] : el("p", {}, "This model shows no evidence."),
    found?.method !== shown?.method ? null : el("p", { class: "muted" }, evidence(told, shown)),
    change ? el("p", {}, `If ${percent(change.area)} of the face is covered, the prediction becomes ${change.emotion}.`) : null,
    told.counterfactual_searched && !change ? el("p", {}, "No covered rectangle up to half of the face changes the prediction.") : null,
    told.notes.map(words => el("p", { class: "muted" }, words)));
}

function evidence(told, shown) {
  if (shown?.versus) return `Warm parts speak for ${shown.target}, cold ones for ${shown.versus}.`;
  return told.target === told.emotion ? `Bright parts made it say ${told.target}.` : `Bright parts speak for ${told.target}.`;
}

function parts(told) {
  const [map] = told.maps;
  if (!map || !Object.keys(map.regions.evidence).length) return null;
  const rows = ranked(map.regions.evidence);
  return section("third", "Which part of the face", el("dl", { class: "bars" }, rows.map(([name, part]) => [
    el("dt", {}, name), el("dd", { class: "track", hue: "var(--accent)" }, el("i", { style: { width: `${100 * part}%` } })), el("dd", { class: "part" }, percent(part)),
  ])), el("p", { class: "muted" }, `Shares of the evidence, by ${map.regions.basis === "landmarks" ? "this face's own landmarks" : "where parts of a face usually are"}.`));
}

// What goes into the softmax; what comes out depends on the differences alone.
function logits(told) {
  if (!Object.keys(told.logits).length) return null;
  return section("half", "Logits, before the softmax", axis(ranked(told.logits), (label, value) => value.toFixed(2)),
    el("p", { class: "muted" }, `Divided by the temperature ${told.temperature} and sent through the softmax they become the shares.`));
}

function axis(rows, words) {
  const most = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
  return el("dl", { class: "signed" }, rows.map(([label, value]) => [el("dt", {}, label),
    el("dd", { class: "axis" }, el("i", { class: value < 0 ? "less" : "", style: { left: `${value < 0 ? 50 * (1 + value / most) : 50}%`, width: `${50 * Math.abs(value) / most}%` } })),
    el("dd", {}, words(label, value))]));
}

function channels(told) {
  if (!told.contributions.length) return null;
  const strongest = [...told.contributions].sort((one, other) => Math.abs(other.amount) - Math.abs(one.amount)).slice(0, 9);
  const rest = told.contributions.length - strongest.length;
  return section("half", `What adds up to ${told.target}`, axis(strongest.map(each => [`channel ${each.channel}`, each.amount]), (label, value) => value.toFixed(2)),
    el("p", { class: "muted" }, `The nine strongest of the last layer's channels; ${rest} more and a constant of ${told.bias.toFixed(2)} make up the rest.`));
}

function shape(told) {
  if (!told.costs.length) return null;
  const all = told.costs.reduce((sum, cost) => sum + cost.parameters, 0), work = told.costs.reduce((sum, cost) => sum + cost.multiply_adds, 0);
  const most = Math.max(...told.costs.map(cost => cost.multiply_adds), 1);
  return section("", "Where its numbers and its work are",
    el("p", { class: "muted" }, `${all.toLocaleString("en")} learned numbers, ${(work / 1e6).toFixed(1)} million multiplications for a face.`),
    el("details", {}, el("summary", {}, "Layer by layer"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Layers" }, el("table", {},
      el("thead", {}, el("tr", {}, ["layer", "kind", "numbers", "work"].map(word => el("th", { scope: "col" }, word)))),
      el("tbody", {}, told.costs.map(cost => el("tr", {}, el("td", {}, cost.layer), el("td", {}, cost.kind), el("td", {}, cost.parameters.toLocaleString("en")),
        el("td", {}, el("span", { class: "bar", "aria-hidden": "true" }, el("i", { style: { width: `${100 * cost.multiply_adds / most}%` } })), ` ${(cost.multiply_adds / 1e6).toFixed(2)} M`))))))));
}

