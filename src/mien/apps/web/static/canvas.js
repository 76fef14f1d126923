// Arrays from the server, drawn on canvases in the colours of their scale.
import { el, pageData } from "./dom.js";

export function decodeArray(array) {
  return Uint8Array.from(atob(array.data), c => c.charCodeAt(0));
}

const tables = {};

// The 256 colours of a scale, as [r, g, b].
function colourTable(scale) {
  return tables[scale] ??= Array.from({ length: 256 }, (_, i) => {
    const stops = pageData.scales[scale], position = i / 255 * (stops.length - 1), low = Math.min(Math.floor(position), stops.length - 2);
    const [from, to] = [parseColour(stops[low]), parseColour(stops[low + 1])];
    return from.map((value, k) => Math.round(value + (to[k] - value) * (position - low)));
  });
}

const parseColour = code => [1, 3, 5].map(i => Number.parseInt(code.slice(i, i + 2), 16));

// Resize the canvas to the array and set each pixel to colour(i) = [r, g, b, a].
function drawPixels(canvas, width, height, colour) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set(colour(i), 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export const createCanvas = (attributes = {}) => el("canvas", { width: 1, height: 1, ...attributes });

// The network input: gray (h, w) or colour (h, w, 3).
export function drawCrop(canvas, crop) {
  const [height, width, channels = 1] = crop.shape, values = decodeArray(crop);
  return drawPixels(canvas, width, height, i => channels === 1 ? [values[i], values[i], values[i], 255] : [values[3 * i], values[3 * i + 1], values[3 * i + 2], 255]);
}

// One channel of a layer (channels, h, w).
export function drawFeatureMap(canvas, layer, { channel = 0, values = decodeArray(layer) } = {}) {
  const [height, width] = layer.shape.slice(-2), offset = channel * height * width, table = colourTable(layer.scale);
  return drawPixels(canvas, width, height, i => [...table[values[offset + i]], 255]);
}

// An evidence map (h, w) as a layer over the face: transparent where there is no evidence.
export function drawEvidence(canvas, map, opacity = 1) {
  const [height, width] = map.shape, values = decodeArray(map), table = colourTable(map.scale);
  const weight = map.scale === "tide" ? v => Math.abs(v - 127.5) / 127.5 : v => v / 255;
  return drawPixels(canvas, width, height, i => [...table[values[i]], Math.min(1, weight(values[i]) * 1.15) * 225 * opacity]);
}

// Values without spatial positions, as one row.
export function drawStrip(canvas, layer) {
  const values = decodeArray(layer), table = colourTable(layer.scale);
  return drawPixels(canvas, values.length, 1, i => [...table[values[i]], 255]);
}

// The colour scale, with a text at each end.
export function scaleLegend(scale, from, to) {
  const table = colourTable(scale), strip = drawPixels(createCanvas({ "aria-hidden": "true" }), 256, 1, i => [...table[i], 255]);
  return el("p", { class: "scale" }, from, strip, to);
}

// The legend of an array: from its smallest to its largest value.
export function valueLegend({ scale, strongest }) {
  return scaleLegend(scale, scale === "tide" ? `−${strongest.toFixed(1)}` : "0", strongest.toFixed(1));
}
