// Moves between pages without losing what the tab holds, and starts and stops the script of each page.
import { el, say } from "./dom.js";

let stop = () => {}, turn = 0;

async function start() {
  const main = document.getElementById("main"), mine = ++turn;
  const name = main.dataset.page;
  if (["photo", "live", "video", "inside", "models"].includes(name)) {
    const page = await import(`./${name}.js`);
    if (mine === turn) stop = page.start(main, go) ?? (() => {});
  }
  main.dataset.ready = "";
}

export async function go(address, { back = false } = {}) {
  const url = new URL(address, location.href);
  let page;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    location.href = url;
    return;
  }
  turn++;
  stop();
  stop = () => {};
  document.getElementById("main").replaceWith(document.adoptNode(page.getElementById("main")));
  document.title = page.title;
  if (!back) history.pushState({}, "", url);
  for (const link of document.querySelectorAll(".bar-top nav a")) {
    const here = new URL(link.href).pathname === url.pathname;
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  if (!back) window.scrollTo(0, 0);
  document.getElementById("main").focus({ preventScroll: true });
  say(document.title);
  await start();
}

const OURS = /^\/(live|video|inside|models|about|api)?$/;

document.addEventListener("click", event => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href, location.href);
  if (link.target || link.hasAttribute("download") || url.origin !== location.origin || !OURS.test(url.pathname)) return;
  if (url.hash && url.pathname === location.pathname) return;
  event.preventDefault();
  go(url);
});
let here = location.pathname;
addEventListener("popstate", () => {
  if (location.pathname === here && location.hash) return;
  here = location.pathname;
  go(location.href, { back: true });
});
addEventListener("pagehide", () => stop());
// A file that is dropped beside the place for it must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, event => event.preventDefault());

start().catch(() => document.getElementById("main").prepend(
  el("p", { class: "note warn", role: "alert" }, "A part of this page could not be loaded. Load it again.")));
