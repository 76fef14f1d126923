// Photos that are larger than the server accepts are scaled down in the browser before they are sent.
import { pageData } from "./dom.js";

const QUALITY = 0.92;

// The file itself, or a smaller JPEG of the same name; what the browser cannot decode is sent as it is.
export async function shrinkImage(file) {
  if (!file.type.startsWith("image/") || file.type === "image/gif") return file;
  try {
    const { width, height } = await imageSize(file);
    const scale = Math.min(1, Math.sqrt(pageData.maxPixels / (width * height)));
    if (scale === 1 && file.size <= pageData.maxBytes) return file;
    // A file with few pixels and too many bytes is only encoded again.
    return await encode(file, Math.floor(width * scale), Math.floor(height * scale));
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

async function encode(file, width, height) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (!blob) return file;
  return new File([blob], file.name.replace(/\.[^.]*$/, "") + ".jpg", { type: "image/jpeg" });
}
