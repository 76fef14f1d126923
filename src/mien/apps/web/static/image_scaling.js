// Large photos, as of phones with 50 megapixels, are scaled down in the browser before they are sent.
import { pageData } from "./dom.js";

// Photos with more pixels are scaled down, to so many: faces stay readable, and Safari on phones has no larger canvas.
const LARGE_PIXELS = 25_000_000, SCALED_PIXELS = 16_000_000;
const QUALITY = 0.92;

// The file itself, or a smaller JPEG with the size of the original in `originalSize`; what the browser cannot decode is
// sent as it is.
export async function shrinkImage(file) {
  if (!file.type.startsWith("image/") || file.type === "image/gif") return file;
  try {
    const { width, height } = await imageSize(file);
    const isLarge = width * height > Math.min(LARGE_PIXELS, pageData.maxPixels);
    if (!isLarge && file.size <= pageData.maxBytes) return file;
    let pixels = Math.min(width * height, SCALED_PIXELS, pageData.maxPixels), scaled = null;
    // A file that still has too many bytes is scaled again.
    for (let i = 0; i < 4 && (!scaled || scaled.size > pageData.maxBytes); i++) {
      const scale = Math.sqrt(pixels / (width * height));
      scaled = await encode(file, Math.max(Math.floor(width * scale), 1), Math.max(Math.floor(height * scale), 1));
      if (!scaled) return file;
      pixels *= Math.min(0.9 * pageData.maxBytes / scaled.size, 1);
    }
    const name = `${file.name.replace(/\.[^.]*$/, "")}.jpg`;
    return Object.assign(new File([scaled], name, { type: "image/jpeg" }), { originalSize: [width, height] });
  } catch {
    return file;
  }
}

// The size of the upright image, from the head of the file.
async function imageSize(file) {
  const image = new Image(), address = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => { image.onload = resolve; image.onerror = reject; image.src = address; });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } finally {
    URL.revokeObjectURL(address);
  }
}

// The upright image as a JPEG of this size, transparency on white as on the server; null where the canvas is too large.
async function encode(file, width, height) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  canvas.width = width;
  canvas.height = height;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
