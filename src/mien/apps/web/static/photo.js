// The page for photos: one or several, each displayed as soon as its result arrives.
import { announce, download, el, finder, pageData, replaceSection } from "./dom.js";
import { sizeError } from "./api.js";
import { annotatedImage } from "./annotated_image.js";
import { faceList } from "./face_list.js";
import { watchFiles } from "./file_input.js";
import { shrinkImage } from "./image_scaling.js";
import { postReadings, readImage } from "./readings.js";
import { keepPhoto } from "./tab_state.js";

const CONCURRENT = 2;

export function start(root, navigate) {
  const find = finder(root);
  const intro = find("intro"), tools = find("tools"), results = find("results"), progress = find("progress");
  let done = [], controller = new AbortController(), images = [];
  const unwatchFiles = watchFiles(root, readFiles);
  find("more").addEventListener("click", reset);
  for (const button of tools.querySelectorAll("[data-save]")) button.addEventListener("click", () => saveAll(button.dataset.save));

  function reset() {
    controller.abort();
    controller = new AbortController();
    done = [];
    results.replaceChildren();
    replaceSection(tools, intro, intro.querySelector("[data-choose]"));
    revokeUrls();
  }

  function revokeUrls() {
    images.forEach(image => URL.revokeObjectURL(image.src));
    images = [];
  }

  async function readFiles(files) {
    replaceSection(intro, tools, find("heading"));
    const entries = files.map(file => ({ file, article: waitingArticle(file) }));
    results.prepend(...entries.map(entry => entry.article));
    let finished = 0;
    const showProgress = () => { progress.textContent = files.length > 1 && finished < files.length ? `${finished} of ${files.length} read` : summary(); };
    showProgress();
    const queue = [...entries], signal = controller.signal;
    await Promise.all(Array.from({ length: CONCURRENT }, async () => {
      for (let entry; (entry = queue.shift()) && !signal.aborted;) {
        await readFile(entry, signal);
        finished++;
        if (!signal.aborted) showProgress();
      }
    }));
    if (!signal.aborted) announce(progress.textContent);
  }

  function summary() {
    const count = done.reduce((sum, each) => sum + each.result.faces.length, 0);
    const failed = results.querySelectorAll(".photo-result.failed").length;
    const photos = done.length === 1 ? "one photo" : `${done.length} photos`;
    const faces = count === 0 ? "No face" : count === 1 ? "One face" : `${count} faces`;
    return `${done.length ? `${faces} in ${photos}` : ""}${failed ? `${done.length ? "; " : ""}${failed} could not be read` : ""}`;
  }

  async function readFile({ file: original, article }, signal) {
    const file = await shrinkImage(original);
    if (signal.aborted) return;
    const message = sizeError(file);
    if (message) return showError(article, file, message);
    try {
      const photo = await readImage(file, file.name, { ...imageLimits(article), signal });
      images.push(photo.image);
      done.push({ file, result: photo.result });
      showResult(article, file, photo);
    } catch (error) {
      if (error.name !== "AbortError") showError(article, file, error.message);
    }
  }

  function showResult(article, file, photo) {
    const { result } = photo, count = result.faces.length;
    const onExplain = number => { keepPhoto(file, file.name, photo); navigate(`/explain?face=${number}`); };
    article.replaceChildren(
      el("header", {}, el("h3", {}, file.name), el("p", { class: "muted" }, `${result.size[0]} × ${result.size[1]}${describeScaling(file)}, detector ${result.detector}, model ${result.model}`),
        count ? el("span", { class: "saves" }, el("button", { type: "button", onclick: event => saveAnnotated(event.target, file) }, "Save annotated")) : ""),
      count ? faceList(photo, onExplain) : el("div", { class: "photo-body" }, annotatedImage(photo, {}), el("p", { class: "empty" }, pageData.noFace)));
    article.removeAttribute("aria-busy");
    if (done.length === 1) keepPhoto(file, file.name, photo);
  }

  async function saveAnnotated(button, file) {
    button.disabled = true;
    try {
      const response = await postReadings(file, file.name, { accept: "image/jpeg" });
      download(await response.blob(), `${file.name.replace(/\.[^.]*$/, "") || "photo"}-mien.jpg`);
    } catch (error) {
      button.after(el("p", { class: "doubt", role: "alert" }, error.message));
    }
    button.disabled = false;
  }

  async function saveAll(format) {
    if (format === "json") {
      download(new Blob([JSON.stringify({ images: done.map(each => each.result) }, null, 2)], { type: "application/json" }), "mien.json");
      return;
    }
    // The server writes the table, and reads the images again for it.
    const parts = [];
    try {
      for (const { file } of done) {
        const response = await postReadings(file, file.name, { accept: "text/csv" });
        const text = await response.text();
        parts.push(parts.length ? text.slice(text.indexOf("\n") + 1) : text);
      }
      download(new Blob(parts, { type: "text/csv" }), "mien.csv");
    } catch (error) {
      progress.textContent = error.message;
    }
  }

  return () => { controller.abort(); unwatchFiles(); revokeUrls(); };
}

// The largest size of an image on the page, as in the style sheet: beside the faces, or above them on a small screen.
function imageLimits(article) {
  const wide = matchMedia("(min-width: 56rem)").matches;
  return { maxWidth: article.clientWidth * (wide ? 0.56 : 1), maxHeight: innerHeight * (wide ? 0.8 : 0.38) };
}

const describeScaling = ({ originalSize }) => originalSize ? ` (scaled down in the browser from ${originalSize[0]} × ${originalSize[1]})` : "";

function waitingArticle(file) {
  return el("article", { class: "photo-result", "aria-busy": "true" }, el("header", {}, el("h3", {}, file.name)),
    el("p", { class: "waiting" }, el("span", { class: "spinner", "aria-hidden": "true" }), "Reading …"));
}

function showError(article, file, message) {
  article.classList.add("failed");
  article.removeAttribute("aria-busy");
  article.replaceChildren(el("header", {}, el("h3", {}, file.name)), el("p", { class: "note warn", role: "alert" }, message));
}
