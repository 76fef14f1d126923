// A place for files: dropped on it, pasted anywhere, chosen, taken with the camera, or one of the samples.
import { el, say, told } from "./dom.js";
import { camera, stopCamera } from "./camera.js";

// came(files) is called with a list of File; returns a function that takes the listeners of the document away.
export function dropPlace(root, came) {
  const place = root.querySelector(".drop"), input = place.querySelector("[data-file]");
  const shot = place.querySelector("[data-camera]"), take = place.querySelector("[data-take]");
  const give = files => { if (files.length) came([...files]); };
  place.querySelector("[data-choose]").addEventListener("click", () => input.click());
  for (const each of [input, shot].filter(Boolean)) {
    each.addEventListener("change", () => { give([...each.files]); each.value = ""; });
  }
  take?.addEventListener("click", () => matchMedia("(pointer: coarse)").matches ? shot.click() : photograph(give));
  let inside = 0;
  place.addEventListener("dragenter", () => { inside++; place.classList.add("over"); });
  place.addEventListener("dragleave", () => { inside = Math.max(inside - 1, 0); place.classList.toggle("over", inside > 0); });
  const drop = event => { inside = 0; place.classList.remove("over"); event.preventDefault(); give(event.dataTransfer?.files ?? []); };
  const paste = event => {
    const files = [...event.clipboardData?.files ?? []];
    if (files.length) { event.preventDefault(); give(files.map(named)); }
  };
  document.addEventListener("drop", drop);
  document.addEventListener("paste", paste);
  for (const button of root.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => sample(button.dataset.sample).then(file => give([file])));
  }
  return () => { document.removeEventListener("drop", drop); document.removeEventListener("paste", paste); };
}

async function sample(name) {
  const answer = await fetch(`${told.asset}/samples/${name}`);
  return new File([await answer.blob()], name, { type: "image/jpeg" });
}

const named = file => file.name && file.name !== "image.png" ? file : new File([file], "pasted.png", { type: file.type });

// The camera in a dialog: look, and take.
async function photograph(give) {
  const video = el("video", { muted: true, playsInline: true, "aria-label": "Your camera" });
  const problem = el("p", { class: "note warn", role: "alert", hidden: true });
  const dialog = el("dialog", { "aria-labelledby": "take-title" }, el("h2", { id: "take-title" }, "Take a photo"), video, problem,
    el("p", {}, el("small", {}, `The photo is sent to ${location.host}, read there, and not kept. The camera closes with this window.`)),
    el("p", { class: "live-buttons" }, el("button", { type: "button", class: "main", "data-shoot": true }, "Take it"), el("button", { type: "button", "data-leave": true }, "Cancel")));
  let stream = null;
  dialog.addEventListener("close", () => { stopCamera(stream); dialog.remove(); });
  dialog.querySelector("[data-leave]").addEventListener("click", () => dialog.close());
  dialog.querySelector("[data-shoot]").addEventListener("click", async () => {
    const blob = await frame(video, 1280, 0.92);
    dialog.close();
    if (blob) give([new File([blob], "photo.jpg", { type: "image/jpeg" })]);
  });
  document.body.append(dialog);
  dialog.showModal();
  try {
    stream = await camera(video);
    if (!dialog.open) stopCamera(stream);
    say("The camera is open");
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    dialog.querySelector("[data-shoot]").disabled = true;
  }
}

// What the video shows now, as a JPEG no wider than most; null before its first frame.
export function frame(video, most, quality) {
  if (!video.videoWidth) return Promise.resolve(null);
  const shrink = Math.min(1, most / video.videoWidth);
  const canvas = el("canvas", { width: Math.round(video.videoWidth * shrink), height: Math.round(video.videoHeight * shrink) });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise(done => canvas.toBlob(done, "image/jpeg", quality));
}
