// The page for photos: one or many, read one after the other, each shown as soon as it is there.
import { el, say, save, told } from "./dom.js";
import { dropPlace } from "./file_input.js";
import { boxed } from "./annotated_image.js";
import { card } from "./face_result.js";
import { hold, tab } from "./tab_state.js";
import { ask, patiently, query, tooLarge } from "./api.js";

const AT_ONCE = 2;

export function start(root, go) {
  const one = name => root.querySelector(`[data-${name}]`);
  const opening = one("opening"), tools = one("tools"), results = one("results"), progress = one("progress");
  let done = [], leaving = new AbortController(), addresses = [];
  const remove = dropPlace(root, read);
  one("more").addEventListener("click", again);
  for (const button of tools.querySelectorAll("[data-save]")) button.addEventListener("click", () => saveAll(button.dataset.save));
  if (tab.came.length) read(tab.came.splice(0));

  function again() {
    leaving.abort();
    leaving = new AbortController();
    done = [];
    results.replaceChildren();
    tools.hidden = true;
    opening.hidden = false;
    opening.querySelector("[data-choose]").focus();
    forget();
  }

  function forget() {
    addresses.forEach(address => URL.revokeObjectURL(address));
    addresses = [];
  }

  async function read(files) {
    opening.hidden = true;
    tools.hidden = false;
    const entries = files.map(file => ({ file, place: waiting(file) }));
    results.prepend(...entries.map(entry => entry.place));
    let finished = 0;
    const tell = () => { progress.textContent = files.length > 1 && finished < files.length ? `${finished} of ${files.length} read` : summary(); };
    tell();
    const queue = [...entries], signal = leaving.signal;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let entry; (entry = queue.shift()) && !signal.aborted;) {
        await readOne(entry, signal);
        finished++;
        if (!signal.aborted) tell();
      }
    }));
    if (!signal.aborted) say(progress.textContent);
  }

  function summary() {
    const faces = done.reduce((sum, each) => sum + each.result.faces.length, 0);
    const failed = results.querySelectorAll(".read.failed").length;
    const photos = done.length === 1 ? "one photo" : `${done.length} photos`;
    const found = faces === 0 ? "No face" : faces === 1 ? "One face" : `${faces} faces`;
    return `${done.length ? `${found} in ${photos}` : ""}${failed ? `${done.length ? "; " : ""}${failed} could not be read` : ""}`;
  }

  async function readOne({ file, place }, signal) {
    const large = tooLarge(file);
    if (large) return refuse(place, file, large);
    try {
      const answer = await patiently(`/api/v1/readings?${query({ name: file.name })}`, { method: "POST", body: file, kind: "application/octet-stream", signal });
      const [result] = (await answer.json()).pictures;
      done.push({ file, result });
      await show(place, file, result);
    } catch (error) {
      if (error.name !== "AbortError") refuse(place, file, error.message);
    }
  }

  async function show(place, file, result) {
    const inside = number => { hold(file, file.name, result); go(`/inside?face=${number}`); };
    const mark = (number, on) => {
      for (const each of place.querySelectorAll(`[data-number="${number}"]`)) each.classList.toggle("marked", on);
    };
    const many = result.faces.length;
    const cards = result.faces.map((reading, i) => card(reading, i + 1, many, inside));
    cards.forEach((each, i) => {
      each.addEventListener("mouseenter", () => mark(i + 1, true));
      each.addEventListener("mouseleave", () => mark(i + 1, false));
    });
    const none = el("p", { class: "empty" }, told.noFace);
    const source = await address(file);
    place.replaceChildren(
      el("header", {}, el("h3", {}, file.name), el("p", { class: "muted" }, `${result.size[0]} × ${result.size[1]}, found by ${result.detector}, read by ${result.model}`),
        many ? el("span", { class: "saves" }, el("button", { type: "button", onclick: event => annotated(event.target, file) }, "Save annotated")) : ""),
      el("div", { class: "read-in" }, boxed(source, result, { inside, mark }), el("div", { class: "who" }, many ? cards : none)));
    place.removeAttribute("aria-busy");
    if (done.length === 1) hold(file, file.name, result);
  }

  // What browsers cannot show themselves (HEIC, TIFF) the server hands back as JPEG, boxes and all.
  async function address(file) {
    const own = URL.createObjectURL(file);
    addresses.push(own);
    try {
      const probe = new Image();
      probe.src = own;
      await probe.decode();
      return own;
    } catch {
      const answer = await patiently(`/api/v1/readings?${query()}`, { method: "POST", body: file, kind: "application/octet-stream", accept: "image/jpeg" });
      addresses.push(URL.createObjectURL(await answer.blob()));
      return addresses.at(-1);
    }
  }

  async function annotated(button, file) {
    button.disabled = true;
    try {
      const answer = await patiently(`/api/v1/readings?${query({ name: file.name })}`, { method: "POST", body: file, kind: "application/octet-stream", accept: "image/jpeg" });
      save(await answer.blob(), `${stem(file.name)}-mien.jpg`);
    } catch (error) {
      button.after(el("p", { class: "doubt", role: "alert" }, error.message));
    }
    button.disabled = false;
  }

  async function saveAll(kind) {
    if (kind === "json") {
      save(new Blob([JSON.stringify({ pictures: done.map(each => each.result) }, null, 2)], { type: "application/json" }), "mien.json");
      return;
    }
    // The server has the one way to write the table; it reads the pictures again for it.
    const parts = [];
    try {
      for (const { file } of done) {
        const answer = await ask(`/api/v1/readings?${query({ name: file.name })}`, { method: "POST", body: file, kind: "application/octet-stream", accept: "text/csv" });
        const text = await answer.text();
        parts.push(parts.length ? text.slice(text.indexOf("\n") + 1) : text);
      }
      save(new Blob(parts, { type: "text/csv" }), "mien.csv");
    } catch (error) {
      progress.textContent = error.message;
    }
  }

  return () => { leaving.abort(); remove(); forget(); };
}

const stem = name => name.replace(/\.[^.]*$/, "") || "photo";

function waiting(file) {
  return el("article", { class: "read", "aria-busy": "true" }, el("header", {}, el("h3", {}, file.name)),
    el("p", { class: "waiting" }, el("span", { class: "spinner", "aria-hidden": "true" }), "Reading …"));
}

function refuse(place, file, words) {
  place.classList.add("failed");
  place.removeAttribute("aria-busy");
  place.replaceChildren(el("header", {}, el("h3", {}, file.name)), el("p", { class: "note warn", role: "alert" }, words));
}
