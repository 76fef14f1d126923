// The layers of a network on one face: all feature maps, one of them enlarged, and receptive fields on the face.
import { el } from "./dom.js";
import { createCanvas, decodeArray, drawCrop, drawFeatureMap, drawStrip, valueLegend } from "./canvas.js";

const KINDS = { conv: "convolution", pool: "pooling", activation: "activation", norm: "normalisation", sum: "sum", views: "mean over views (test-time augmentation)", dense: "dense layer", softmax: "softmax" };

export function layerSection(explanation) {
  const layers = explanation.arrays.layers;
  if (!layers.length) return null;
  const content = el("div", {}), tabs = el("div", { class: "layer-tabs", role: "group", "aria-label": "Layers" });
  const select = i => {
    [...tabs.children].forEach((tab, k) => tab.setAttribute("aria-pressed", String(k === i)));
    content.replaceChildren(...layerContent(layers[i], explanation.arrays.crop));
  };
  tabs.append(...layers.map((layer, i) => el("button", { type: "button", "aria-pressed": "false", onclick: () => select(i) }, layer.name)));
  select(0);
  return el("section", {}, el("h2", {}, "Layer by layer"), tabs, content);
}

function layerContent(layer, crop) {
  const flat = layer.shape.length === 1, zero = layer.zero_activation ? `, ${layer.zero_activation} with zero activation on this face` : "";
  const size = flat ? `${layer.channel_count} values` : `${layer.channel_count} feature maps of ${layer.shape[1]} × ${layer.shape[2]}${zero}`;
  const rest = layer.channels.length < layer.channel_count ? ` The ${layer.channels.length} strongest are displayed.` : "";
  const text = el("p", { class: "muted" }, `${KINDS[layer.kind] ?? layer.kind}: ${size}.${rest}`);
  return flat ? [text, valueStrip(layer)] : [text, featureMaps(layer, crop)];
}

function valueStrip(layer) {
  const name = `The ${layer.channel_count} values of ${layer.name} as colours`;
  return el("div", {}, drawStrip(createCanvas({ class: "strip", role: "img", "aria-label": name }), layer), valueLegend(layer));
}

function featureMaps(layer, crop) {
  const values = decodeArray(layer), [, height, width] = layer.shape, side = crop.shape[0];
  const large = createCanvas({ class: "pixels", role: "img" }), text = el("p", { class: "muted", "aria-live": "polite" });
  const face = drawCrop(createCanvas({ class: "pixels", role: "img", "aria-label": "The network input, with the receptive field of the selected position" }), crop);
  const field = el("div", { class: "field", hidden: true });
  const buttons = layer.channels.map((channel, i) => el("button", { type: "button", "aria-pressed": "false", "aria-label": `Feature map ${channel}`, onclick: () => select(i) },
    drawFeatureMap(createCanvas({ class: "pixels", "aria-hidden": "true" }), layer, { channel: i, values })));

  function select(i) {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(k === i)));
    drawFeatureMap(large, layer, { channel: i, values });
    large.setAttribute("aria-label", `Feature map ${layer.channels[i]} of ${layer.name}, enlarged`);
    const offset = i * height * width, map = values.subarray(offset, offset + height * width), peak = map.indexOf(Math.max(...map));
    const column = peak % width, row = Math.floor(peak / width);
    text.textContent = `Feature map ${layer.channels[i]}: the maximum is in column ${column + 1}, row ${row + 1}.`;
    markField(column, row);
  }

  // The receptive field of a position, cut off at the edges of the crop.
  function markField(column, row) {
    if (!layer.receptive_field) return;
    const { size, stride, offset_y, offset_x } = layer.receptive_field;
    const span = (offset, position) => [Math.max(offset + 0.5 + position * stride - size / 2, 0), Math.min(offset + 0.5 + position * stride + size / 2, side)];
    const [[left, right], [top, bottom]] = [span(offset_x, column), span(offset_y, row)], part = value => `${100 * value / side}%`;
    Object.assign(field.style, { left: part(left), top: part(top), width: part(right - left), height: part(bottom - top) });
    field.hidden = false;
  }

  large.addEventListener("pointermove", event => {
    const box = large.getBoundingClientRect();
    markField(Math.min(Math.floor((event.clientX - box.left) / box.width * width), width - 1), Math.min(Math.floor((event.clientY - box.top) / box.height * height), height - 1));
  });
  select(0);
  return el("div", { class: "layer" },
    el("div", { class: "maps" }, buttons),
    el("div", { class: "layer-details" },
      el("div", {}, el("div", { class: "overlay" }, large), valueLegend(layer), text),
      el("div", {}, el("div", { class: "overlay" }, face, field), el("p", { class: "muted" }, el("small", {}, "The square is the receptive field of the maximum: the part of the face on which the value depends. Move the pointer over the map for other positions.")))));
}
