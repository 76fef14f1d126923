// The result of one image from the server, with what is needed to display it.
import { postImage, query } from "./api.js";

// image: the decoded <img>; tags: position and text of each label, empty if the image has its labels already.
// maxWidth and maxHeight limit the image on the page; labels are readable in that size.
export async function readImage(blob, name, { maxWidth, maxHeight, signal }) {
  let image = await decodeImage(blob);
  const width = image ? Math.min(image.naturalWidth, maxWidth, maxHeight * image.naturalWidth / image.naturalHeight) : maxWidth;
  const options = { display_width: Math.max(Math.round(width), 1) };
  const response = await postReadings(blob, name, { signal, options });
  const [result] = (await response.json()).images;
  // Without the tags, the result is what the command line prints.
  let tags = result.faces.map(face => face.tag);
  for (const face of result.faces) delete face.tag;
  if (!image) {
    // A format that the browser cannot display (HEIC, TIFF): the server's annotated JPEG takes its place.
    const annotated = await postReadings(blob, name, { accept: "image/jpeg", signal, options });
    image = await decodeImage(await annotated.blob());
    tags = [];
  }
  return { result, tags, image };
}

export function postReadings(blob, name, { options, ...how } = {}) {
  return postImage(`/api/v1/readings?${query({ name, ...options })}`, blob, how);
}

async function decodeImage(blob) {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  try {
    await image.decode();
    return image;
  } catch {
    URL.revokeObjectURL(image.src);
    return null;
  }
}

// A face with the background around it, as a square canvas. The size is that of the result.
export function cropFace(image, [x, y, width, height], size) {
  const side = Math.min(1.5 * Math.max(width, height), ...size), scale = image.naturalWidth / size[0];
  const left = Math.min(Math.max(x + width / 2 - side / 2, 0), size[0] - side);
  const top = Math.min(Math.max(y + height / 2 - side / 2, 0), size[1] - side);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 96;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left * scale, top * scale, side * scale, side * scale, 0, 0, 96, 96);
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
