// The layers of a network on one face: every map, one of them large, and what each of its places has seen.
import { el } from "./dom.js";
import { bytes, canvas, legend, paintCrop, paintMap, paintStrip } from "./canvas.js";

const KINDS = { conv: "convolution", pool: "pooling", activation: "activation", norm: "normalisation", sum: "sum", views: "mean of all views", dense: "dense layer", softmax: "softmax" };

export function layers(told) {
  const all = told.arrays.layers.map((layer, i) => ({ ...layer, facts: told.layers[i] }));
  if (!all.length) return null;
  const inside = el("div", {}), tabs = el("div", { class: "layer-tabs", role: "group", "aria-label": "Layers" });
  const choose = i => {
    [...tabs.children].forEach((tab, k) => tab.setAttribute("aria-pressed", String(k === i)));
    inside.replaceChildren(...shown(all[i], told));
  };
  tabs.append(...all.map((layer, i) => el("button", { type: "button", "aria-pressed": "false", onclick: () => choose(i) }, layer.name)));
  choose(0);
  return el("section", {}, el("h2", {}, "Layer by layer"), tabs, inside);
}

function shown(layer, told) {
  const flat = layer.shape.length === 1, zero = layer.zero_activation ? `, ${layer.zero_activation} with zero activation on this face` : "";
  const size = flat ? `${layer.of} numbers` : `${layer.of} maps of ${layer.shape[1]} × ${layer.shape[2]}${zero}`;
  const words = el("p", { class: "muted" }, `${KINDS[layer.kind] ?? layer.kind}: ${size}. ${layer.channels.length < layer.of ? `The ${layer.channels.length} strongest are shown.` : ""}`);
  return flat ? [words, strip(layer)] : [words, maps(layer, told)];
}

function strip(layer) {
  const drawn = paintStrip(canvas({ class: "strip", role: "img", "aria-label": `The ${layer.of} numbers of ${layer.name} as colours` }), layer);
  return el("div", {}, drawn, legend(layer.scale, layer.scale === "tide" ? `−${layer.strongest.toFixed(1)}` : "0", layer.strongest.toFixed(1)));
}

function maps(layer, told) {
  const values = bytes(layer), [, height, width] = layer.shape, side = told.arrays.crop.shape[0];
  const large = canvas({ class: "pixels", role: "img" }), words = el("p", { class: "muted", "aria-live": "polite" });
  const face = paintCrop(canvas({ class: "pixels", role: "img", "aria-label": "The face, with what the marked place has seen" }), told.arrays.crop);
  const field = el("div", { class: "field", hidden: true });
  const buttons = layer.channels.map((channel, i) => el("button", { type: "button", "aria-pressed": "false", "aria-label": `Map ${channel}`, onclick: () => choose(i) },
    paintMap(canvas({ class: "pixels", "aria-hidden": "true" }), layer, { channel: i, values })));
  function choose(i) {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(k === i)));
    paintMap(large, layer, { channel: i, values });
    large.setAttribute("aria-label", `Map ${layer.channels[i]} of ${layer.name}, large`);
    const from = i * height * width, own = values.subarray(from, from + height * width), peak = own.indexOf(Math.max(...own));
    words.textContent = `Map ${layer.channels[i]}: its strongest place is in column ${peak % width + 1}, row ${Math.floor(peak / width) + 1}.`;
    mark(peak % width, Math.floor(peak / width));
  }
  // The square of the face that a place has seen; what would lie outside the face is cut off.
  function mark(column, row) {
    if (!layer.receptive_field) return;
    const { size, stride, offset_y, offset_x } = layer.receptive_field;
    const span = (first, place) => [Math.max(first + 0.5 + place * stride - size / 2, 0), Math.min(first + 0.5 + place * stride + size / 2, side)];
    const [[left, right], [top, bottom]] = [span(offset_x, column), span(offset_y, row)], part = value => `${100 * value / side}%`;
    Object.assign(field.style, { left: part(left), top: part(top), width: part(right - left), height: part(bottom - top) });
    field.hidden = false;
  }
  large.addEventListener("pointermove", event => {
    const box = large.getBoundingClientRect();
    mark(Math.min(Math.floor((event.clientX - box.left) / box.width * width), width - 1), Math.min(Math.floor((event.clientY - box.top) / box.height * height), height - 1));
  });
  choose(0);
  return el("div", { class: "layer-in" },
    el("div", { class: "maps" }, buttons),
    el("div", { class: "layer-now" },
      el("div", {}, el("div", { class: "over" }, large), legend(layer.scale, layer.scale === "tide" ? `−${layer.strongest.toFixed(1)}` : "0", layer.strongest.toFixed(1)), words),
      el("div", {}, el("div", { class: "over" }, face, field), el("p", { class: "muted" }, el("small", {}, "The frame is what the strongest place has seen of the face. Move over the map for others.")))));
}
