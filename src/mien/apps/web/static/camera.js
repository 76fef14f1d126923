// The browser's camera; errors have a message for people.
export async function openCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers permit the camera only for https pages and for this machine itself (localhost).");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false });
  } catch (error) {
    const messages = { NotAllowedError: "The camera is not permitted for this page. Change this in the browser's address bar.",
      NotFoundError: "No camera was found.", NotReadableError: "The camera is in use by another program." };
    throw new Error(messages[error.name] ?? "The camera could not be opened.");
  }
  video.srcObject = stream;
  await video.play();
  return stream;
}

export function stopCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

// The current frame as a JPEG of at most this width; null before the first frame.
export function captureFrame(video, maxWidth, quality) {
  if (!video.videoWidth) return Promise.resolve(null);
  const scale = Math.min(1, maxWidth / video.videoWidth);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", quality));
}
