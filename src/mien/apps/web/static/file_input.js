// A drop zone: files are dropped, pasted, chosen, taken with the camera, or one of the samples.
import { announce, el, pageData } from "./dom.js";
import { captureFrame, openCamera, stopCamera } from "./camera.js";

// Calls onFiles with a list of File. Returns a function that removes the listeners of the document.
export function watchFiles(root, onFiles) {
  const zone = root.querySelector(".drop"), input = zone.querySelector("[data-file]");
  const cameraInput = zone.querySelector("[data-camera]"), cameraButton = zone.querySelector("[data-take]");
  const pass = files => { if (files.length) onFiles([...files]); };
  zone.querySelector("[data-choose]").addEventListener("click", () => input.click());
  for (const each of [input, cameraInput].filter(Boolean)) {
    each.addEventListener("change", () => { pass([...each.files]); each.value = ""; });
  }
  cameraButton?.addEventListener("click", () => matchMedia("(pointer: coarse)").matches ? cameraInput.click() : takePhoto(pass));
  // dragenter and dragleave are sent for every element inside the zone too.
  let depth = 0;
  zone.addEventListener("dragenter", () => { depth++; zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => { depth = Math.max(depth - 1, 0); zone.classList.toggle("over", depth > 0); });
  const drop = event => { depth = 0; zone.classList.remove("over"); event.preventDefault(); pass(event.dataTransfer?.files ?? []); };
  const paste = event => {
    const files = [...event.clipboardData?.files ?? []];
    if (files.length) { event.preventDefault(); pass(files.map(nameFile)); }
  };
  document.addEventListener("drop", drop);
  document.addEventListener("paste", paste);
  for (const button of root.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => loadSample(button.dataset.sample).then(file => pass([file])));
  }
  return () => { document.removeEventListener("drop", drop); document.removeEventListener("paste", paste); };
}

async function loadSample(name) {
  const response = await fetch(`${pageData.asset}/samples/${name}`);
  return new File([await response.blob()], name, { type: "image/jpeg" });
}

const nameFile = file => file.name && file.name !== "image.png" ? file : new File([file], "pasted.png", { type: file.type });

// A dialog with the camera.
async function takePhoto(onFiles) {
  const video = el("video", { muted: true, playsInline: true, "aria-label": "Your camera" });
  const problem = el("p", { class: "note warn", role: "alert", hidden: true });
  const dialog = el("dialog", { "aria-labelledby": "take-title" }, el("h2", { id: "take-title" }, "Take a photo"), video, problem,
    el("p", {}, el("small", {}, `The photo is sent to ${location.host}, analysed there, and not stored. The camera is closed with this dialog.`)),
    el("p", { class: "live-buttons" }, el("button", { type: "button", class: "main", "data-shoot": true }, "Take photo"), el("button", { type: "button", "data-close": true }, "Cancel")));
  let stream = null;
  dialog.addEventListener("close", () => { stopCamera(stream); dialog.remove(); });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.querySelector("[data-shoot]").addEventListener("click", async () => {
    const blob = await captureFrame(video, 1280, 0.92);
    dialog.close();
    if (blob) onFiles([new File([blob], "photo.jpg", { type: "image/jpeg" })]);
  });
  document.body.append(dialog);
  dialog.showModal();
  try {
    stream = await openCamera(video);
    if (!dialog.open) stopCamera(stream);
    announce("The camera is open");
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    dialog.querySelector("[data-shoot]").disabled = true;
  }
}
