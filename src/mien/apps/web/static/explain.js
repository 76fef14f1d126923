// The page of explanations. The image stays in the tab; the options are in the address.
import { download, el, finder, replaceSection } from "./dom.js";
import { annotatedImage } from "./annotated_image.js";
import { postImage, query, sizeError } from "./api.js";
import { explanationTitle, headline } from "./face_result.js";
import { watchFiles } from "./file_input.js";
import { shrinkImage } from "./image_scaling.js";
import { cropFace, readImage } from "./readings.js";
import { keepPhoto, tab } from "./tab_state.js";

const OPTIONS = ["face", "target", "versus", "methods"];
const NO_FACE = "No face was found in this image. Try one in which a face is larger, or turned to the camera.";

export function start(root) {
  const find = finder(root);
  const form = find("options"), problem = find("problem");
  let controller = null, explanation = null, view = "dashboard", walkthroughKey = "", stopped = false;
  const unwatchFiles = watchFiles(root, async ([original]) => {
    const file = await shrinkImage(original);
    if (stopped) return;
    keepPhoto(file, file.name);
    open();
  });
  form.addEventListener("change", event => {
    if (event.target.name === "face") for (const name of ["target", "versus"]) form[name].value = "";
    update();
  });
  find("other").addEventListener("click", () => replaceSection(find("explanation"), find("intro"), find("choose")));
  for (const button of root.querySelectorAll("[data-view]")) button.addEventListener("click", () => selectView(button.dataset.view));
  if (tab.photo) open(Object.fromEntries(new URLSearchParams(location.search)));

  function open(options = {}) {
    replaceSection(find("intro"), find("explanation"), find("title"));
    find("faces").hidden = true;
    if (tab.photo.result) showFaces(options.face);
    else {
      setOptions("face", [[options.face || "1", options.face || "1"]], options.face || "1");
      readFaces(tab.photo);
    }
    setOptions("target", [["", "the prediction"]], "");
    setOptions("versus", [["", "all others"]], "");
    if (options.methods) form.methods.value = options.methods;
    explanation = null;
    find("dashboard").replaceChildren();
    find("walkthrough").replaceChildren();
    walkthroughKey = "";
    update({ target: options.target, versus: options.versus });
  }

  // The faces of an image that was chosen on this page; the largest is explained at the same time.
  async function readFaces(photo) {
    const limits = pictureLimits();
    if (sizeError(photo.blob)) return;
    try {
      const read = await readImage(photo.blob, photo.name, limits);
      if (tab.photo !== photo || stopped) return;
      keepPhoto(photo.blob, photo.name, read);
      showFaces(form.face.value);
    } catch { /* The explanation of the same image reports the problem. */ }
  }

  function showFaces(selected) {
    const { result, image } = tab.photo, count = Math.max(result.faces.length, 1);
    setOptions("face", Array.from({ length: count }, (_, i) => [String(i + 1), `${i + 1} of ${count}`]), selected);
    find("faces").hidden = count < 2;
    if (count < 2) return;
    const select = number => {
      form.face.value = String(number);
      form.face.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const buttons = result.faces.map((reading, i) => el("button", { type: "button", "data-number": String(i + 1), "aria-label": `Face ${i + 1} ${headline(reading)}`, onclick: () => select(i + 1) },
      cropFace(image, reading.box, result.size), el("b", { class: "number" }, String(i + 1))));
    find("faces").replaceChildren(annotatedImage(tab.photo, { onSelect: select, action: "Explain" }), el("div", { class: "face-crops" }, buttons));
    markFace();
  }

  function markFace() {
    for (const each of find("faces").querySelectorAll("button")) each.setAttribute("aria-pressed", String(each.dataset.number === form.face.value));
    for (const tag of find("faces").querySelectorAll(".tags g")) tag.classList.toggle("selected", tag.dataset.number === form.face.value);
  }

  function setOptions(name, pairs, selected) {
    const select = form[name];
    select.replaceChildren(...pairs.map(([value, text]) => el("option", { value }, text)));
    if (pairs.some(([value]) => value === selected)) select.value = selected;
  }

  function readOptions(more = {}) {
    const options = Object.fromEntries(OPTIONS.map(name => [name, form[name].value]));
    return { ...options, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value)) };
  }

  async function update(more) {
    markFace();
    const options = readOptions(more), message = sizeError(tab.photo.blob);
    controller?.abort();
    controller = new AbortController();
    const current = controller;
    setProblem(message);
    if (message) return;
    find("dashboard").classList.add("outdated");
    const spinner = setTimeout(() => { find("waiting").hidden = false; }, 200);
    try {
      // The page without an explanation loads without the scripts that display one.
      const [response, { renderDashboard }] = await Promise.all([post({ ...options, maps: 48 }, { signal: current.signal }), import("./dashboard.js")]);
      const { explanations } = await response.json();
      if (current !== controller) return;
      if (!explanations.length) { setProblem(NO_FACE); return; }
      [explanation] = explanations;
      setLabels(options);
      setAddress(options);
      renderDashboard(find("dashboard"), explanation);
      find("title").textContent = explanationTitle(explanation);
      if (view === "walkthrough") await loadWalkthrough();
    } catch (error) {
      if (error.name !== "AbortError") setProblem(error.message);
    } finally {
      clearTimeout(spinner);
      if (current === controller) { find("waiting").hidden = true; find("dashboard").classList.remove("outdated"); }
    }
  }

  function post(options, how) {
    return postImage(`/api/v1/explanations?${query({ ...options, name: tab.photo.name, layers: "auto" })}`, tab.photo.blob, how);
  }

  function setProblem(message) {
    problem.textContent = message;
    problem.hidden = !message;
    if (message) find("dashboard").replaceChildren();
  }

  function setLabels({ target, versus }) {
    const labels = Object.keys(explanation.scores);
    setOptions("target", [["", `the prediction (${explanation.emotion})`], ...labels.map(label => [label, label])], target);
    setOptions("versus", [["", "all others"], ...labels.filter(label => label !== explanation.target).map(label => [label, label])], versus);
  }

  function setAddress(options) {
    const parameters = new URLSearchParams(Object.entries(options).filter(([name, value]) => value && !(name === "methods" && value === "cam")));
    if (location.pathname === "/explain") history.replaceState({}, "", `/explain?${parameters}`);
  }

  async function selectView(name) {
    view = name;
    for (const button of root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    find("dashboard").hidden = view !== "dashboard";
    find("walkthrough").hidden = view !== "walkthrough";
    enableWalkthroughStyle(view === "walkthrough");
    if (view === "walkthrough" && explanation) await loadWalkthrough();
  }

  // The server renders the walkthrough; its style sheet and its script are those of the standalone page.
  async function loadWalkthrough() {
    const options = readOptions(), key = JSON.stringify(options);
    if (key === walkthroughKey) return;
    find("waiting").hidden = false;
    try {
      const response = await post({ ...options, part: "body" }, { accept: "text/html" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      await loadStyle("walkthrough.css");
      find("walkthrough").replaceChildren(...page.body.childNodes, saveButton(options));
      // The parameter makes the browser run the script again for the new content.
      find("walkthrough").append(el("script", { type: "module", src: `${assetFolder()}/walkthrough.js?${Date.now()}` }));
      walkthroughKey = key;
    } catch (error) {
      setProblem(error.message);
    }
    find("waiting").hidden = true;
  }

  function saveButton(options) {
    return el("p", {}, el("button", { type: "button", onclick: async () => {
      const response = await post(options, { accept: "text/html" });
      download(await response.blob(), "walkthrough.html");
    } }, "Save the walkthrough as a page"));
  }

  return () => { stopped = true; controller?.abort(); unwatchFiles(); enableWalkthroughStyle(false); };
}

// The largest size of the image on the page, as in the style sheet.
const pictureLimits = () => ({ maxWidth: document.getElementById("main").clientWidth * (matchMedia("(min-width: 46rem)").matches ? 0.5 : 0.9), maxHeight: innerHeight * 0.36 });

// The style sheet of the walkthrough is disabled beside the dashboard.
function enableWalkthroughStyle(enabled) {
  const link = document.querySelector("link[href$='/walkthrough.css']");
  if (link) link.disabled = !enabled;
}

const assetFolder = () => document.querySelector("link[rel=stylesheet]").getAttribute("href").replace(/\/style\.css$/, "");

function loadStyle(name) {
  const href = `${assetFolder()}/${name}`;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise(resolve => document.head.append(el("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve })));
}
