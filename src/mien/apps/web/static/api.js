// Talking to the server: every failure becomes a Told with a sentence for people.
import { el, told } from "./dom.js";

export class Told extends Error {
  constructor(words, status = 0, after = 0) {
    super(words);
    this.status = status;
    this.after = after;
  }
}

export async function ask(path, { method = "GET", body, kind, accept = "application/json", signal } = {}) {
  for (;;) {
    const headers = { Accept: accept };
    if (kind) headers["Content-Type"] = kind;
    const key = keep.get("key");
    if (key) headers.Authorization = `Bearer ${key}`;
    let answer;
    try {
      answer = await fetch(path, { method, body, headers, signal, cache: "no-store", credentials: "omit" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Told("The server cannot be reached. Is it still running?");
    }
    if (answer.ok) return answer;
    if (answer.status === 401 && await askForKey()) continue;
    throw new Told(await sentence(answer), answer.status, Number(answer.headers.get("Retry-After") ?? 0));
  }
}

// Where a server needs a key, it is asked for here and tried on something small: a film would be sent in vain.
export async function unlock() {
  if (told.locked) await ask("/api/v1/models");
}

async function sentence(answer) {
  try {
    return (await answer.json()).detail ?? `The server answered ${answer.status}.`;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

// The same again, a few times, while the server says that it is busy.
export async function patiently(path, how) {
  for (let round = 0; ; round++) {
    try {
      return await ask(path, how);
    } catch (error) {
      if (error.status !== 503 || round === 5) throw error;
      await new Promise(done => setTimeout(done, 1000 * Math.max(error.after, 1)));
    }
  }
}

// What is sent beside a picture: its name, the tab's model, and what the caller adds.
export function query(more = {}) {
  const words = { ...more };
  if (keep.get("model")) words.model = keep.get("model");
  const known = Object.entries(words).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return new URLSearchParams(known).toString();
}

export function tooLarge(blob, most = told.maxBytes) {
  return blob.size > most ? `“${blob.name ?? "The file"}” has ${mega(blob.size)} MB; this server takes up to ${mega(most)} MB.` : "";
}

const mega = bytes => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

// For the tab alone, until it closes; browsers that forbid it forget.
export const keep = {
  get(name) { try { return sessionStorage.getItem(`mien.${name}`); } catch { return null; } },
  set(name, value) { try { value ? sessionStorage.setItem(`mien.${name}`, value) : sessionStorage.removeItem(`mien.${name}`); } catch { /* forgotten */ } },
};

let asking = null;

function askForKey() {
  asking ??= new Promise(done => {
    const input = el("input", { type: "password", autocomplete: "off", required: true, id: "key" });
    const dialog = el("dialog", { "aria-labelledby": "key-title" },
      el("h2", { id: "key-title" }, "This server needs a key"),
      el("form", { method: "dialog", class: "options" }, el("label", { for: "key" }, "Key", input),
        el("button", { class: "main", value: "use" }, "Use it"), el("button", { value: "", formnovalidate: true }, "Cancel")),
      el("p", { class: "muted" }, el("small", {}, "It is kept in this tab until the tab closes.")));
    dialog.addEventListener("close", () => {
      const use = dialog.returnValue === "use" && input.value;
      keep.set("key", use ? input.value : "");
      dialog.remove();
      asking = null;
      done(Boolean(use));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}
