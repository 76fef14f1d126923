// The browser's camera, and what to say when there is none.
export async function camera(video) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers open the camera only for pages from https or from this very machine (localhost).");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false });
  } catch (error) {
    const why = { NotAllowedError: "The camera was not allowed. The browser's address bar has the switch for it.",
      NotFoundError: "No camera was found.", NotReadableError: "The camera is in use by another program." };
    throw new Error(why[error.name] ?? "The camera could not be opened.");
  }
  video.srcObject = stream;
  await video.play();
  return stream;
}

export function stopCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
