// A film: sent, read in the background, followed by events (or by asking), and shown with what was found.
import { clock, el, face, hue, looks, percent, say, svg } from "./dom.js";
import { dropPlace } from "./drop.js";
import { ask, keep, query, tooLarge, Told } from "./talk.js";
import { told } from "./dom.js";

const ENDS = ["done", "failed", "cancelled"];
const NAMES = { "report.html": "Report", "faces.csv": "Faces (CSV)", "events.csv": "Events (CSV)", "subtitles.vtt": "Subtitles (WebVTT)", "film.webm": "Painted film" };

export function start(root) {
  const one = name => root.querySelector(`[data-${name}]`);
  const bar = one("progress"), form = one("options");
  let job = null, events = null, timer = 0, sending = null, left = false;
  const remove = dropPlace(root, ([file]) => begin(file));
  one("cancel").addEventListener("click", cancel);
  const known = keep.get("film");
  if (known) follow(known);

  async function begin(file) {
    open(file.name);
    const large = tooLarge(file, told.maxFilmBytes);
    if (large) return fail(large);
    tell("Sending …");
    try {
      const words = query({ name: file.name, fps: form.fps.value, blur: form.blur.checked ? 1 : "" });
      job = await upload(`/api/v1/videos?${words}`, file, part => { bar.max = 1; bar.value = part; });
      keep.set("film", job.links.self);
      show(job);
      listen();
    } catch (error) {
      if (error.name !== "AbortError") fail(error.message);
    }
  }

  // Browsers tell how far an upload is only through the older interface.
  function upload(path, file, progress) {
    return new Promise((done, failed) => {
      const call = sending = new XMLHttpRequest();
      call.open("POST", path);
      call.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      if (keep.get("key")) call.setRequestHeader("Authorization", `Bearer ${keep.get("key")}`);
      call.upload.onprogress = event => { if (event.lengthComputable) progress(event.loaded / event.total); };
      call.onload = () => {
        sending = null;
        let answer = {};
        try { answer = JSON.parse(call.responseText); } catch { /* no JSON: the status says enough */ }
        call.status === 202 ? done(answer) : failed(new Told(answer.detail ?? `The server answered ${call.status}.`, call.status));
      };
      call.onerror = () => failed(new Told("The film could not be sent. Is the server still running?"));
      call.onabort = () => failed(Object.assign(new Error("left"), { name: "AbortError" }));
      call.send(file);
    });
  }

  async function follow(address) {
    try {
      job = await (await ask(address)).json();
    } catch {
      keep.set("film", "");
      return;
    }
    if (left) return;
    open(job.source);
    show(job);
    if (!ENDS.includes(job.state)) listen();
  }

  function listen() {
    events = new EventSource(job.links.events);
    const heard = event => show(JSON.parse(event.data));
    events.addEventListener("state", heard);
    events.addEventListener("end", event => { quiet(); heard(event); });
    // Where too many listen already, or a proxy holds events back, asking does as well.
    events.onerror = () => { quiet(); timer = setInterval(poll, 1000); };
  }

  async function poll() {
    try {
      const now = await (await ask(job.links.self)).json();
      if (ENDS.includes(now.state)) quiet();
      show(now);
    } catch (error) {
      quiet();
      fail(error.status === 404 ? "The film and what was made of it are gone from the server." : error.message);
    }
  }

  function quiet() {
    events?.close();
    events = null;
    clearInterval(timer);
  }

  function open(name) {
    one("opening").hidden = true;
    one("job").hidden = false;
    one("name").textContent = name;
    one("going").hidden = false;
    one("cancel").textContent = "Cancel";
    one("result").replaceChildren();
    one("facts").replaceChildren();
    bar.removeAttribute("value");
    bar.hidden = false;
  }

  function tell(words) {
    if (one("told").textContent !== words) one("told").textContent = words;
  }

  function show(now) {
    if (left || !job) return;
    job = { ...job, ...now };
    const read = { waiting: "Waiting for its turn …", reading: "Reading …", done: "", failed: job.error, cancelled: "Cancelled. Nothing is left of it on the server." };
    tell(read[job.state] ?? "");
    if (job.state === "reading" && job.of) {
      bar.max = job.of;
      bar.value = Math.min(job.seconds, job.of);
      facts([["Read", `${clock(job.seconds)} of ${clock(job.of)}`], ["Frames a second", job.frames_per_second], ["People", job.people], ["Events", job.events]]);
    }
    if (ENDS.includes(job.state)) end();
  }

  function facts(pairs) {
    one("facts").replaceChildren(...pairs.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
  }

  function end() {
    bar.hidden = true;
    one("cancel").textContent = "Another film";
    if (job.state === "done") {
      one("going").hidden = true;
      one("result").replaceChildren(result(job, again, removeAll));
      say("The film is read");
    } else {
      one("facts").replaceChildren();
      keep.set("film", "");
    }
  }

  function fail(words) {
    tell(words);
    bar.hidden = true;
    one("cancel").textContent = "Another film";
    job = null;
    keep.set("film", "");
  }

  async function cancel() {
    if (sending) { sending.abort(); sending = null; return again(); }
    if (!job || ENDS.includes(job.state)) return again();
    one("cancel").disabled = true;
    quiet();
    await ask(job.links.self, { method: "DELETE" }).catch(() => {});
    one("cancel").disabled = false;
    show({ state: "cancelled" });
  }

  async function removeAll() {
    await ask(job.links.self, { method: "DELETE" }).catch(() => {});
    again();
    say("Everything of the film was removed");
  }

  function again() {
    quiet();
    job = null;
    keep.set("film", "");
    one("job").hidden = true;
    one("opening").hidden = false;
    one("choose").focus();
  }

  return () => { left = true; quiet(); sending?.abort(); remove(); };
}

function result(job, again, removeAll) {
  const { found } = job, film = el("video", { class: "film", controls: true, playsinline: true, preload: "metadata", src: job.links["film.webm"], "aria-label": "The painted film" });
  const links = job.results.map(name => el("a", { class: "button", href: `${job.links[name]}${name === "report.html" ? "" : "?save=1"}`, ...(name === "report.html" ? { target: "_blank", rel: "noopener" } : { download: name }) }, NAMES[name]));
  const people = found.people.filter(one => one.seen > 0);
  return el("div", {},
    job.complaint ? el("p", { class: "note warn" }, job.complaint) : null,
    job.results.includes("film.webm") ? film : null,
    el("p", { class: "downloads" }, links),
    people.length ? people.slice(0, 12).map(one => track(one, found, film)) : el("p", { class: "empty" }, "No face was found in this film."),
    people.length > 12 ? el("p", { class: "muted" }, `${people.length - 12} more people are in the report.`) : null,
    el("p", { class: "live-buttons" }, el("button", { type: "button", class: "main", onclick: again }, "Another film"), el("button", { type: "button", onclick: removeAll }, "Delete everything of this film")));
}

// One person's events along the film; a click goes there.
function track(person, found, film) {
  const span = Math.max(found.end - found.start, 0.001), own = found.events.filter(event => event.person === person.person);
  const line = svg("svg", { viewBox: "0 0 1000 36", preserveAspectRatio: "none", role: "img", "aria-label": own.map(event => `${clock(event.start)} to ${clock(event.end)}: ${looks(event.label)}`).join("; ") || "no expression lasted" });
  for (const event of own) {
    const piece = svg("rect", { x: 1000 * (event.start - found.start) / span, width: Math.max(1000 * (event.end - event.start) / span, 2), y: 0, height: 36, fill: hue(event.label) },
      svg("title", {}, `${looks(event.label)}, ${clock(event.start)} to ${clock(event.end)}, up to ${percent(event.peak)}`));
    piece.addEventListener("click", () => { film.currentTime = event.start; film.scrollIntoView({ block: "center" }); });
    line.append(piece);
  }
  const most = Object.entries(person.looks).slice(0, 3).map(([label, part]) => el("span", {}, face(label), ` ${label} ${percent(part)} `));
  return el("section", { class: "track-film" }, el("h3", {}, `Person ${person.person}`), line,
    el("p", { class: "legend muted" }, `${clock(person.seen)} in sight. `, most));
}
