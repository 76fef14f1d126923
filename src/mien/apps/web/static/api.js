// Requests to the server. Every failure is an ApiError with a message for people.
import { el, pageData } from "./dom.js";

export class ApiError extends Error {
  constructor(message, status = 0, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export async function request(path, { method = "GET", body, type, accept = "application/json", signal } = {}) {
  for (;;) {
    const headers = { Accept: accept };
    if (type) headers["Content-Type"] = type;
    const key = storage.get("key");
    if (key) headers.Authorization = `Bearer ${key}`;
    let response;
    try {
      response = await fetch(path, { method, body, headers, signal, cache: "no-store", credentials: "omit" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("The server cannot be reached. Is it still running?");
    }
    if (response.ok) return response;
    if (response.status === 401 && await requestKey()) continue;
    throw new ApiError(await errorMessage(response), response.status, Number(response.headers.get("Retry-After") ?? 0));
  }
}

// The same, repeated a few times while the server is busy.
export async function requestWithRetry(path, options) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await request(path, options);
    } catch (error) {
      if (error.status !== 503 || attempt === 5) throw error;
      await new Promise(resolve => setTimeout(resolve, 1000 * Math.max(error.retryAfter, 1)));
    }
  }
}

// Posts an image and resolves with the response.
export function postImage(path, blob, { accept, signal, type = "application/octet-stream" } = {}) {
  return requestWithRetry(path, { method: "POST", body: blob, type, accept, signal });
}

// If the server needs a key, ask for it with a small request: a large upload without a key would be in vain.
export async function ensureKey() {
  if (pageData.keyRequired) await request("/api/v1/models");
}

async function errorMessage(response) {
  try {
    return (await response.json()).detail ?? `The server responded with status ${response.status}.`;
  } catch {
    return `The server responded with status ${response.status}.`;
  }
}

// The query string: the parameters that have a value, and the model of this tab.
export function query(parameters = {}) {
  const all = { ...parameters };
  if (storage.get("model")) all.model = storage.get("model");
  const pairs = Object.entries(all).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return new URLSearchParams(pairs).toString();
}

// The message for a file that is larger than the server accepts, else an empty text.
export function sizeError(blob, limit = pageData.maxBytes) {
  const name = blob.name ?? "The file";
  return blob.size > limit ? `“${name}” has ${megabytes(blob.size)} MB; this server accepts up to ${megabytes(limit)} MB.` : "";
}

const megabytes = bytes => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

// Values of this tab, until it is closed; without effect in browsers that forbid storage.
export const storage = {
  get(name) { try { return sessionStorage.getItem(`mien.${name}`); } catch { return null; } },
  set(name, value) { try { value ? sessionStorage.setItem(`mien.${name}`, value) : sessionStorage.removeItem(`mien.${name}`); } catch { /* forbidden */ } },
};

let keyDialog = null;

// Resolves with true when a key was entered.
function requestKey() {
  keyDialog ??= new Promise(resolve => {
    const input = el("input", { type: "password", autocomplete: "off", required: true, id: "key" });
    const dialog = el("dialog", { "aria-labelledby": "key-title" },
      el("h2", { id: "key-title" }, "This server needs a key"),
      el("form", { method: "dialog", class: "options" }, el("label", { for: "key" }, "Key", input),
        el("button", { class: "main", value: "use" }, "Use key"), el("button", { value: "", formnovalidate: true }, "Cancel")),
      el("p", { class: "muted" }, el("small", {}, "It is stored in this tab until the tab is closed.")));
    dialog.addEventListener("close", () => {
      const entered = dialog.returnValue === "use" && input.value;
      storage.set("key", entered ? input.value : "");
      dialog.remove();
      keyDialog = null;
      resolve(Boolean(entered));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return keyDialog;
}
