// One film's job on the server: sent, followed, removed.
import { ask, keep, Told } from "./api.js";

export const ENDS = ["done", "failed", "cancelled"];

// Browsers tell how far an upload is only through the older interface. Gives the job.
export function upload(path, file, progress, signal) {
  return new Promise((done, failed) => {
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    if (keep.get("key")) call.setRequestHeader("Authorization", `Bearer ${keep.get("key")}`);
    call.upload.onprogress = event => { if (event.lengthComputable) progress(event.loaded / event.total); };
    call.onload = () => {
      let answer = {};
      try { answer = JSON.parse(call.responseText); } catch { /* no JSON: the status says enough */ }
      call.status === 202 ? done(answer) : failed(new Told(answer.detail ?? `The server answered ${call.status}.`, call.status));
    };
    call.onerror = () => failed(new Told("The film could not be sent. Is the server still running?"));
    call.onabort = () => failed(new DOMException("left", "AbortError"));
    signal.addEventListener("abort", () => call.abort());
    call.send(file);
  });
}

// heard(job) is called with what the job is now, again and again until its end; lost() when the server knows it no
// more; trouble(words) while the server does not answer, which may pass. Returns a function that ends it all.
export function follow({ self, events }, { heard, lost, trouble }) {
  const stream = new EventSource(events);
  let timer = 0, over = false;
  const hear = job => {
    if (over) return;
    if (ENDS.includes(job.state)) leave();
    heard(job);
  };
  for (const kind of ["state", "end"]) stream.addEventListener(kind, event => hear(JSON.parse(event.data)));
  // Where too many listen already, or a proxy holds events back, asking does as well.
  stream.onerror = () => { stream.close(); later(1); };

  async function poll() {
    let wait = 1;
    try {
      hear(await (await ask(self)).json());
    } catch (error) {
      if (over) return;
      if (error.status === 404) { leave(); lost(); return; }
      trouble(error.message);
      wait = Math.max(error.after || 0, 3);
    }
    later(wait);
  }

  function later(seconds) {
    clearTimeout(timer);
    if (!over) timer = setTimeout(poll, 1000 * seconds);
  }

  function leave() {
    over = true;
    stream.close();
    clearTimeout(timer);
  }

  return leave;
}

// Only of what the server says is gone, nothing is left there.
export async function removed({ self }) {
  try {
    await ask(self, { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}
