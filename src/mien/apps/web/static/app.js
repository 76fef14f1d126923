// Navigation between pages without losing the state of the tab; starts and stops the script of each page.
import { announce, el } from "./dom.js";

let stop = () => {}, navigation = 0;

async function start() {
  const main = document.getElementById("main"), current = ++navigation;
  const name = main.dataset.page;
  if (["photo", "live", "video", "explain", "models"].includes(name)) {
    const page = await import(`./${name}.js`);
    if (current === navigation) stop = page.start(main, navigate) ?? (() => {});
  }
  main.dataset.ready = "";
}

export async function navigate(address, { back = false } = {}) {
  const url = new URL(address, location.href);
  let page;
  try {
    const response = await fetch(url, { headers: { Accept: "text/html" } });
    if (!response.ok) throw new Error(response.status);
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    location.href = url;
    return;
  }
  navigation++;
  stop();
  stop = () => {};
  document.getElementById("main").replaceWith(document.adoptNode(page.getElementById("main")));
  document.title = page.title;
  if (!back) history.pushState({}, "", url);
  for (const link of document.querySelectorAll(".bar-top nav a")) {
    const current = new URL(link.href).pathname === url.pathname;
    current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  if (!back) window.scrollTo(0, 0);
  document.getElementById("main").focus({ preventScroll: true });
  announce(document.title);
  await start();
}

const PAGES = /^\/(live|video|explain|models|about|api)?$/;

document.addEventListener("click", event => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href, location.href);
  if (link.target || link.hasAttribute("download") || url.origin !== location.origin || !PAGES.test(url.pathname)) return;
  if (url.hash && url.pathname === location.pathname) return;
  event.preventDefault();
  navigate(url);
});
let path = location.pathname;
addEventListener("popstate", () => {
  if (location.pathname === path && location.hash) return;
  path = location.pathname;
  navigate(location.href, { back: true });
});
addEventListener("pagehide", () => stop());
// A file that is dropped outside the drop zone must not replace the page.
for (const type of ["dragover", "drop"]) addEventListener(type, event => event.preventDefault());

start().catch(() => document.getElementById("main").prepend(
  el("p", { class: "note warn", role: "alert" }, "A part of this page could not be loaded. Reload the page.")));
