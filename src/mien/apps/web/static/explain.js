// The network opened on one face. The picture stays in the tab; what is asked stands in the address.
import { el } from "./dom.js";
import { dropPlace } from "./file_input.js";
import { board } from "./dashboard.js";
import { why } from "./face_result.js";
import { hold, tab } from "./tab_state.js";
import { patiently, query, tooLarge } from "./api.js";

const ASKED = ["face", "target", "versus", "methods"];

export function start(root, go) {
  const one = name => root.querySelector(`[data-${name}]`);
  const form = one("ask"), problem = one("problem");
  let leaving = null, told = null, view = "board", stepsFor = "";
  const remove = dropPlace(root, ([file]) => { hold(file, file.name); open(); });
  form.addEventListener("change", event => { if (event.target.name === "face") clear("target", "versus"); ask(); });
  one("other").addEventListener("click", () => { one("inside").hidden = true; one("opening").hidden = false; one("choose").focus(); });
  for (const button of root.querySelectorAll("[data-view]")) button.addEventListener("click", () => look(button.dataset.view));
  if (tab.photo) open(Object.fromEntries(new URLSearchParams(location.search)));

  function open(wanted = {}) {
    one("opening").hidden = true;
    one("inside").hidden = false;
    const faces = tab.photo.result?.faces.length ?? 1;
    options("face", Array.from({ length: Math.max(faces, 1) }, (_, i) => [String(i + 1), `${i + 1} of ${faces || 1}`]), wanted.face);
    options("target", [["", "what it said"]], "");
    options("versus", [["", "anything else"]], "");
    if (wanted.methods) form.methods.value = wanted.methods;
    told = null;
    one("board").replaceChildren();
    one("steps").replaceChildren();
    stepsFor = "";
    ask({ target: wanted.target, versus: wanted.versus });
  }

  function options(name, pairs, chosen) {
    const select = form[name];
    select.replaceChildren(...pairs.map(([value, words]) => el("option", { value }, words)));
    if (pairs.some(([value]) => value === chosen)) select.value = chosen;
  }

  function clear(...names) {
    for (const name of names) form[name].value = "";
  }

  function words(more = {}) {
    const said = Object.fromEntries(ASKED.map(name => [name, form[name].value]));
    return { ...said, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value)) };
  }

  async function ask(more) {
    const said = words(more), large = tooLarge(tab.photo.blob);
    leaving?.abort();
    leaving = new AbortController();
    const mine = leaving;
    trouble(large);
    if (large) return;
    one("board").classList.add("old");
    const slow = setTimeout(() => { one("waiting").hidden = false; }, 200);
    try {
      const answer = await patiently(`/api/v1/explanations?${query({ ...said, name: tab.photo.name, layers: "auto", maps: 48 })}`, send(mine.signal));
      const { explanations: [found], size } = await answer.json();
      if (mine !== leaving) return;
      if (!found) { trouble("No face was found in this picture. Try one in which a face is larger, or faces the camera."); return; }
      told = found;
      labels(said);
      remember(said);
      board(one("board"), told, tab.photo, size);
      one("title").textContent = why(told);
      if (view === "steps") await steps();
    } catch (error) {
      if (error.name !== "AbortError") trouble(error.message);
    } finally {
      clearTimeout(slow);
      if (mine === leaving) { one("waiting").hidden = true; one("board").classList.remove("old"); }
    }
  }

  function send(signal, accept = "application/json") {
    return { method: "POST", body: tab.photo.blob, kind: "application/octet-stream", signal, accept };
  }

  function trouble(sentence) {
    problem.textContent = sentence;
    problem.hidden = !sentence;
    if (sentence) one("board").replaceChildren();
  }

  function labels(said) {
    const all = Object.keys(told.scores);
    options("target", [["", `what it said (${told.emotion})`], ...all.map(label => [label, label])], said.target);
    options("versus", [["", "anything else"], ...all.filter(label => label !== told.target).map(label => [label, label])], said.versus);
  }

  function remember(said) {
    const address = new URLSearchParams(Object.entries(said).filter(([name, value]) => value && !(name === "methods" && value === "cam")));
    if (location.pathname === "/inside") history.replaceState({}, "", `/inside?${address}`);
  }

  async function look(wanted) {
    view = wanted;
    for (const button of root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    one("board").hidden = view !== "board";
    one("steps").hidden = view !== "steps";
    sheet(view === "steps");
    if (view === "steps" && told) await steps();
  }

  // The server sends the whole walkthrough, with its own style sheet and script.
  async function steps() {
    const said = words(), key = JSON.stringify(said);
    if (key === stepsFor) return;
    one("waiting").hidden = false;
    try {
      const ask = { ...said, name: tab.photo.name, layers: "auto" };
      const answer = await patiently(`/api/v1/explanations?${query({ ...ask, part: "body" })}`, send(null, "text/html"));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      await style("walkthrough.css");
      one("steps").replaceChildren(...page.body.childNodes, keepWhole(ask));
      const script = el("script", { type: "module", src: `${assets()}/walkthrough.js?${Date.now()}` });
      one("steps").append(script);
      stepsFor = key;
    } catch (error) {
      trouble(error.message);
    }
    one("waiting").hidden = true;
  }

  function keepWhole(ask) {
    return el("p", {}, el("button", { type: "button", onclick: async () => {
      const answer = await patiently(`/api/v1/explanations?${query(ask)}`, send(null, "text/html"));
      const link = el("a", { href: URL.createObjectURL(await answer.blob()), download: "walkthrough.html" });
      link.click();
    } }, "Save these steps as a page"));
  }

  return () => { leaving?.abort(); remove(); sheet(false); };
}

// The style sheet of the walkthrough is disabled beside the dashboard.
function sheet(on) {
  const link = document.querySelector("link[href$='/walkthrough.css']");
  if (link) link.disabled = !on;
}

const assets = () => document.querySelector("link[rel=stylesheet]").getAttribute("href").replace(/\/style\.css$/, "");

function style(name) {
  const href = `${assets()}/${name}`;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise(done => document.head.append(el("link", { rel: "stylesheet", href, onload: done, onerror: done })));
}
