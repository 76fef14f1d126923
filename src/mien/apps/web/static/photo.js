// The page for photos: one or several, each displayed as soon as its result arrives.
import { announce, download, el, finder, pageData } from "./dom.js";
import { annotatedImage } from "./annotated_image.js";
import { postImage, query, sizeError } from "./api.js";
import { faceCard } from "./face_result.js";
import { watchFiles } from "./file_input.js";
import { keepPhoto } from "./tab_state.js";

const CONCURRENT = 2;

export function start(root, navigate) {
  const find = finder(root);
  const intro = find("intro"), tools = find("tools"), results = find("results"), progress = find("progress");
  let done = [], controller = new AbortController(), objectUrls = [];
  const unwatchFiles = watchFiles(root, readFiles);
  find("more").addEventListener("click", reset);
  for (const button of tools.querySelectorAll("[data-save]")) button.addEventListener("click", () => saveAll(button.dataset.save));

  function reset() {
    controller.abort();
    controller = new AbortController();
    done = [];
    results.replaceChildren();
    tools.hidden = true;
    intro.hidden = false;
    intro.querySelector("[data-choose]").focus();
    revokeUrls();
  }

  function revokeUrls() {
    objectUrls.forEach(url => URL.revokeObjectURL(url));
    objectUrls = [];
  }

  async function readFiles(files) {
    intro.hidden = true;
    tools.hidden = false;
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

  async function readFile({ file, article }, signal) {
    const message = sizeError(file);
    if (message) return showError(article, file, message);
    try {
      const response = await post(file, { signal });
      const [result] = (await response.json()).images;
      done.push({ file, result });
      await showResult(article, file, result);
    } catch (error) {
      if (error.name !== "AbortError") showError(article, file, error.message);
    }
  }

  async function showResult(article, file, result) {
    const onExplain = number => { keepPhoto(file, file.name, result); navigate(`/explain?face=${number}`); };
    const mark = (number, marked) => {
      for (const each of article.querySelectorAll(`[data-number="${number}"]`)) each.classList.toggle("marked", marked);
    };
    const count = result.faces.length;
    const cards = result.faces.map((reading, i) => faceCard(reading, i + 1, count, onExplain));
    cards.forEach((card, i) => {
      card.addEventListener("mouseenter", () => mark(i + 1, true));
      card.addEventListener("mouseleave", () => mark(i + 1, false));
    });
    const source = await imageUrl(file);
    article.replaceChildren(
      el("header", {}, el("h3", {}, file.name), el("p", { class: "muted" }, `${result.size[0]} × ${result.size[1]}, detector ${result.detector}, model ${result.model}`),
        count ? el("span", { class: "saves" }, el("button", { type: "button", onclick: event => saveAnnotated(event.target, file) }, "Save annotated")) : ""),
      el("div", { class: "photo-body" }, annotatedImage(source, result, { onExplain, mark }),
        el("div", { class: "face-cards" }, count ? cards : el("p", { class: "empty" }, pageData.noFace))));
    article.removeAttribute("aria-busy");
    if (done.length === 1) keepPhoto(file, file.name, result);
  }

  function post(file, options) {
    return postImage(`/api/v1/readings?${query({ name: file.name })}`, file, options);
  }

  // Formats that the browser cannot display (HEIC, TIFF) are replaced by the server's annotated JPEG.
  async function imageUrl(file) {
    const url = URL.createObjectURL(file);
    objectUrls.push(url);
    try {
      const image = new Image();
      image.src = url;
      await image.decode();
      return url;
    } catch {
      const response = await post(file, { accept: "image/jpeg" });
      objectUrls.push(URL.createObjectURL(await response.blob()));
      return objectUrls.at(-1);
    }
  }

  async function saveAnnotated(button, file) {
    button.disabled = true;
    try {
      const response = await post(file, { accept: "image/jpeg" });
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
        const response = await post(file, { accept: "text/csv" });
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

function waitingArticle(file) {
  return el("article", { class: "photo-result", "aria-busy": "true" }, el("header", {}, el("h3", {}, file.name)),
    el("p", { class: "waiting" }, el("span", { class: "spinner", "aria-hidden": "true" }), "Reading …"));
}

function showError(article, file, message) {
  article.classList.add("failed");
  article.removeAttribute("aria-busy");
  article.replaceChildren(el("header", {}, el("h3", {}, file.name)), el("p", { class: "note warn", role: "alert" }, message));
}
