// The dashboard of an explanation: prediction, evidence, regions, layers, logits, contributions, costs.
import { describeLabel, el, faceIcon, formatPercent, sortScores } from "./dom.js";
import { createCanvas, drawCrop, drawEvidence, scaleLegend } from "./canvas.js";
import { describeDoubts, scoreBars, voteIcons } from "./face_result.js";
import { layerSection } from "./layers.js";

export function renderDashboard(container, explanation) {
  const sections = [prediction, evidence, regions, layerSection, logits, contributions, costs];
  container.replaceChildren(...sections.map(section => section(explanation)).filter(Boolean));
}

const section = (css, title, ...children) => el("section", { class: css }, el("h2", {}, title), children);

function prediction(explanation) {
  const { emotion, quality, uncertain, scores, votes } = explanation;
  return section("third", "Prediction",
    el("p", { class: "live-label" }, faceIcon(emotion), `${uncertain ? "perhaps " : ""}${describeLabel(emotion)}`),
    describeDoubts({ quality: quality ?? { ok: true }, uncertain }).map(sentence => el("p", { class: "doubt" }, sentence)),
    scoreBars(scores), votes ? voteIcons(votes) : null);
}

// The network input under its evidence map, with a slider for the opacity.
function evidence(explanation) {
  const [map] = explanation.arrays.maps, { counterfactual } = explanation;
  const crop = drawCrop(createCanvas({ class: "pixels", role: "img", "aria-label": "The network input with its evidence map" }), explanation.arrays.crop);
  const overlay = createCanvas({ class: "pixels" }), slider = el("input", { type: "range", min: "0", max: "100", value: "80", "aria-label": "Opacity of the evidence map" });
  const draw = () => drawEvidence(overlay, map, slider.value / 100);
  slider.addEventListener("input", draw);
  if (map) draw();
  const ends = map?.versus ? [map.versus, map.target] : ["none", "most"];
  return section("third", "Evidence map", el("div", { class: "overlay" }, crop, overlay),
    map ? [scaleLegend(map.scale, ...ends), el("p", {}, slider), el("p", { class: "muted" }, describeEvidence(explanation, map))] : el("p", {}, "This model has no evidence maps."),
    counterfactual ? el("p", {}, `If ${formatPercent(counterfactual.area)} of the face is covered, the prediction becomes ${counterfactual.emotion}.`) : null,
    explanation.counterfactual_searched && !counterfactual ? el("p", {}, "No covered rectangle up to half of the face changes the prediction.") : null,
    explanation.notes.map(note => el("p", { class: "muted" }, note)));
}

function describeEvidence({ target, emotion }, map) {
  if (map.versus) return `Warm colours are evidence for ${map.target}, cold ones for ${map.versus}.`;
  return target === emotion ? `Bright regions are evidence for the prediction ${target}.` : `Bright regions are evidence for ${target}.`;
}

function regions({ maps: [map] }) {
  if (!map || !Object.keys(map.regions.evidence).length) return null;
  const basis = map.regions.basis === "landmarks" ? "the landmarks of this face" : "average positions of the parts of a face";
  return section("third", "Regions of the face", el("dl", { class: "bars" }, sortScores(map.regions.evidence).map(([name, part]) => [
    el("dt", {}, name), el("dd", { class: "track", hue: "var(--accent)" }, el("i", { style: { width: `${100 * part}%` } })), el("dd", { class: "value" }, formatPercent(part)),
  ])), el("p", { class: "muted" }, `The part of the evidence in each region, by ${basis}.`));
}

function logits({ logits: values, temperature }) {
  if (!Object.keys(values).length) return null;
  return section("half", "Logits, the input of the softmax", signedBars(sortScores(values)),
    el("p", { class: "muted" }, `Divided by the temperature ${temperature}, then passed to the softmax, which returns the probabilities.`));
}

function signedBars(rows) {
  const largest = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
  return el("dl", { class: "signed" }, rows.map(([label, value]) => [el("dt", {}, label),
    el("dd", { class: "axis" }, el("i", { class: value < 0 ? "negative" : "", style: { left: `${value < 0 ? 50 * (1 + value / largest) : 50}%`, width: `${50 * Math.abs(value) / largest}%` } })),
    el("dd", {}, value.toFixed(2))]));
}

function contributions({ contributions: channels, target, bias }) {
  if (!channels.length) return null;
  const strongest = [...channels].sort((first, second) => Math.abs(second.amount) - Math.abs(first.amount)).slice(0, 9);
  return section("half", `Contributions to the logit of ${target}`, signedBars(strongest.map(each => [`channel ${each.channel}`, each.amount])),
    el("p", { class: "muted" }, `The nine strongest channels of the last layer. The other ${channels.length - strongest.length} channels and the bias of ${bias.toFixed(2)} complete the sum.`));
}

function costs({ costs: layers }) {
  if (!layers.length) return null;
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0), work = layers.reduce((sum, layer) => sum + layer.multiply_adds, 0);
  const largest = Math.max(...layers.map(layer => layer.multiply_adds), 1);
  return section("", "Parameters and multiply-adds",
    el("p", { class: "muted" }, `${parameters.toLocaleString("en")} parameters, ${(work / 1e6).toFixed(1)} million multiply-adds for a face.`),
    el("details", {}, el("summary", {}, "Layer by layer"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Layers" }, el("table", {},
      el("thead", {}, el("tr", {}, ["layer", "kind", "parameters", "multiply-adds"].map(title => el("th", { scope: "col" }, title)))),
      el("tbody", {}, layers.map(layer => el("tr", {}, el("td", {}, layer.layer), el("td", {}, layer.kind), el("td", {}, layer.parameters.toLocaleString("en")),
        el("td", {}, el("span", { class: "bar", "aria-hidden": "true" }, el("i", { style: { width: `${100 * layer.multiply_adds / largest}%` } })), ` ${(layer.multiply_adds / 1e6).toFixed(2)} M`))))))));
}
