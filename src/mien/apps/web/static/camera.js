// The browser's camera; errors have a message for people.
// deviceId selects one of listCameras(); without it the browser selects.
export async function openCamera(video, deviceId = "") {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers permit the camera only for https pages and for this machine itself (localhost).");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }) }, audio: false });
  } catch (error) {
    const messages = { NotAllowedError: "The camera is not permitted for this page. Change this in the browser's address bar.",
      NotFoundError: "No camera was found.", NotReadableError: "The camera is in use by another program." };
    throw new Error(messages[error.name] ?? "The camera could not be opened.");
  }
  video.srcObject = stream;
  await video.play();
  return stream;
}

// The cameras of the machine, whose names are known once one was permitted.
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(device => device.kind === "videoinput").map((device, i) => ({ id: device.deviceId, name: device.label || `Camera ${i + 1}` }));
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
