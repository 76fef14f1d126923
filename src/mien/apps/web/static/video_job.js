// The job of a video on the server: upload, progress, removal.
import { ApiError, request, storage } from "./api.js";

export const FINAL_STATES = ["done", "failed", "cancelled"];

// Resolves with the job. XMLHttpRequest, since fetch does not report the progress of an upload.
export function uploadVideo(path, file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const upload = new XMLHttpRequest();
    upload.open("POST", path);
    upload.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    if (storage.get("key")) upload.setRequestHeader("Authorization", `Bearer ${storage.get("key")}`);
    upload.upload.onprogress = event => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    upload.onload = () => {
      let response = {};
      try { response = JSON.parse(upload.responseText); } catch { /* not JSON: the status is enough */ }
      if (upload.status === 202) resolve(response);
      else reject(new ApiError(response.detail ?? `The server responded with status ${upload.status}.`, upload.status));
    };
    upload.onerror = () => reject(new ApiError("The video could not be uploaded. Is the server still running?"));
    upload.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal.addEventListener("abort", () => upload.abort());
    upload.send(file);
  });
}

// Calls onReport(job) after each change until the job ends; onLost() when the server does not know it any more;
// onProblem(message) when the server does not respond, which may be temporary. Returns a function that stops it.
export function followJob({ self, events }, { onReport, onLost, onProblem }) {
  const stream = new EventSource(events);
  let timer = 0, stopped = false;
  const report = job => {
    if (stopped) return;
    if (FINAL_STATES.includes(job.state)) stop();
    onReport(job);
  };
  for (const type of ["state", "end"]) stream.addEventListener(type, event => report(JSON.parse(event.data)));
  // Polling replaces the stream where the server has too many of them, or a proxy buffers events.
  stream.onerror = () => { stream.close(); schedule(1); };

  async function poll() {
    let delay = 1;
    try {
      report(await (await request(self)).json());
    } catch (error) {
      if (stopped) return;
      if (error.status === 404) { stop(); onLost(); return; }
      onProblem(error.message);
      delay = Math.max(error.retryAfter || 0, 3);
    }
    schedule(delay);
  }

  function schedule(seconds) {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(poll, 1000 * seconds);
  }

  function stop() {
    stopped = true;
    stream.close();
    clearTimeout(timer);
  }

  return stop;
}

// Removes the video and its results from the server; an error if it is not certain that they are removed.
export async function removeJob({ self }) {
  try {
    await request(self, { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}
