// Arrays from the server as colours on canvases.
import { el, told } from "./dom.js";

export function bytes(packed) {
  return Uint8Array.from(atob(packed.data), c => c.charCodeAt(0));
}

const tables = {};

// 256 colours of a scale, as [r, g, b].
export function colours(name) {
  return tables[name] ??= Array.from({ length: 256 }, (_, i) => {
    const stops = told.scales[name], place = i / 255 * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    const [from, to] = [rgb(stops[low]), rgb(stops[low + 1])];
    return from.map((value, k) => Math.round(value + (to[k] - value) * (place - low)));
  });
}

const rgb = code => [1, 3, 5].map(i => Number.parseInt(code.slice(i, i + 2), 16));

// A canvas of its own size in pixels, drawn by colour(i) for each place.
function drawn(canvas, width, height, colour) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set(colour(i), 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export const canvas = (facts = {}) => el("canvas", { width: 1, height: 1, ...facts });

// The face as the network sees it: gray (h, w) or colour (h, w, 3).
export function paintCrop(on, crop) {
  const [height, width, channels = 1] = crop.shape, values = bytes(crop);
  return drawn(on, width, height, i => channels === 1 ? [values[i], values[i], values[i], 255] : [values[3 * i], values[3 * i + 1], values[3 * i + 2], 255]);
}

// One map (h, w), or one channel of a layer (channels, h, w).
export function paintMap(on, packed, { channel = 0, values = bytes(packed), see = 1 } = {}) {
  const [height, width] = packed.shape.slice(-2), from = channel * height * width, table = colours(packed.scale);
  return drawn(on, width, height, i => [...table[values[from + i]], 255 * see]);
}

// Evidence over a face: where there is none, the face shows.
export function paintOver(on, packed, strength = 1) {
  const [height, width] = packed.shape, values = bytes(packed), table = colours(packed.scale);
  const weight = packed.scale === "tide" ? v => Math.abs(v - 127.5) / 127.5 : v => v / 255;
  return drawn(on, width, height, i => [...table[values[i]], Math.min(1, weight(values[i]) * 1.15) * 225 * strength]);
}

// A row of values without places.
export function paintStrip(on, packed) {
  const values = bytes(packed), table = colours(packed.scale);
  return drawn(on, values.length, 1, i => [...table[values[i]], 255]);
}

export function legend(name, from, to) {
  const table = colours(name), strip = drawn(canvas({ "aria-hidden": "true" }), 256, 1, i => [...table[i], 255]);
  return el("p", { class: "scale" }, from, strip, to);
}
