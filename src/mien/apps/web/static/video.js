// A film: sent, read in the background, followed by events (or by asking), and shown with what was found.
import { clock, el, face, hue, looks, percent, say, svg, told } from "./dom.js";
import { dropPlace } from "./file_input.js";
import { ENDS, follow, removed, upload } from "./video_job.js";
import { ask, keep, query, tooLarge, unlock } from "./api.js";

const NAMES = { "report.html": "Report", "faces.csv": "Faces (CSV)", "events.csv": "Events (CSV)", "subtitles.vtt": "Subtitles (WebVTT)", "annotated.webm": "Painted film" };

export function start(root) {
  const one = name => root.querySelector(`[data-${name}]`);
  const bar = one("progress"), form = one("options");
  // The film on this page: { job, busy, sending, leave }. What comes late of an earlier one is not for this page.
  let film = null, gone = false;
  const remove = dropPlace(root, ([file]) => film?.busy ? note("One film is read at a time: cancel this one first, or wait for its end.") : begin(file));
  one("cancel").addEventListener("click", cancel);
  if (keep.get("film")) find(keep.get("film"));

  async function begin(file) {
    const mine = fresh(file.name), large = tooLarge(file, told.maxFilmBytes);
    if (large) return fail(large);
    tell("");
    try {
      await unlock();
      if (mine !== film) return;
      tell("Sending …");
      const words = query({ name: file.name, fps: form.fps.value, blur: form.blur.checked ? 1 : "" });
      const sent = await upload(`/api/v1/videos?${words}`, file, part => { if (mine === film) { bar.max = 1; bar.value = part; } }, mine.sending.signal);
      if (mine !== film) return;
      keep.set("film", sent.links.self);
      show(mine, sent);
      listen(mine);
    } catch (error) {
      if (mine === film) fail(error.message);
    }
  }

  // The film that this tab sent before another page was opened.
  async function find(address) {
    let words = "", job = { source: "Your film", links: { self: address, events: `${address}/events` } };
    try {
      job = await (await ask(address)).json();
    } catch (error) {
      if (error.status === 404) keep.set("film", "");
      words = error.status === 404 ? "" : error.message;
    }
    if (film || gone || !keep.get("film")) return;
    const mine = fresh(job.source);
    show(mine, job);
    if (words) tell(words);
    if (mine.busy) listen(mine);
  }

  function listen(mine) {
    mine.leave = follow(mine.job.links, {
      heard: now => show(mine, now),
      lost: () => fail("The film and what was made of it are gone from the server."),
      trouble: tell,
    });
  }

  function fresh(name) {
    leave();
    film = { job: null, busy: true, sending: new AbortController(), leave() {} };
    one("opening").hidden = true;
    one("job").hidden = false;
    one("name").textContent = name;
    one("going").hidden = false;
    one("cancel").textContent = "Cancel";
    one("cancel").disabled = false;
    one("result").replaceChildren();
    one("facts").replaceChildren();
    note("");
    bar.removeAttribute("value");
    bar.hidden = false;
    return film;
  }

  function leave() {
    film?.sending.abort();
    film?.leave();
    film = null;
  }

  function tell(words) {
    if (one("told").textContent !== words) one("told").textContent = words;
  }

  function note(words) {
    one("note").textContent = words;
    one("note").hidden = !words;
  }

  function show(mine, now) {
    if (mine !== film) return;
    const job = mine.job = { ...mine.job, ...now };
    const read = { waiting: "Waiting for its turn …", reading: "Reading …", failed: job.error, cancelled: "Cancelled. Nothing is left of it on the server." };
    one("name").textContent = job.source;
    tell(read[job.state] ?? "");
    if (job.state === "reading" && job.of) {
      bar.max = job.of;
      bar.value = Math.min(job.seconds, job.of);
      facts([["Read", `${clock(job.seconds)} of ${clock(job.of)}`], ["Frames a second", job.frames_per_second], ["Tracks", job.tracks], ["Events", job.events]]);
    }
    if (ENDS.includes(job.state)) end(mine);
  }

  function facts(pairs) {
    one("facts").replaceChildren(...pairs.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
  }

  function end(mine) {
    const done = mine.job.state === "done";
    mine.busy = false;
    bar.hidden = true;
    note("");
    one("cancel").textContent = "Another film";
    one("going").hidden = done;
    one("facts").replaceChildren();
    one("result").replaceChildren(...done ? [result(mine.job, again, removeAll)] : []);
    if (done) say("The film is read");
    else keep.set("film", "");
  }

  function fail(words) {
    leave();
    tell(words);
    note("");
    bar.hidden = true;
    one("cancel").textContent = "Another film";
    keep.set("film", "");
  }

  async function cancel() {
    if (!film?.job || !film.busy) return again();
    const mine = film;
    one("cancel").disabled = true;
    try {
      await removed(mine.job.links);
      mine.leave();
      show(mine, { state: "cancelled" });
    } catch (error) {
      if (mine === film) note(`The film may still be on the server. ${error.message}`);
    }
    if (mine === film) one("cancel").disabled = false;
  }

  async function removeAll(problem) {
    const mine = film;
    try {
      await removed(mine.job.links);
      if (mine !== film) return;
      again();
      say("Everything of the film was removed");
    } catch (error) {
      problem.textContent = `The film may still be on the server. ${error.message}`;
      problem.hidden = false;
    }
  }

  function again() {
    leave();
    keep.set("film", "");
    one("job").hidden = true;
    one("opening").hidden = false;
    one("choose").focus();
  }

  return () => { gone = true; leave(); remove(); };
}

function result(job, again, removeAll) {
  const { summary: found } = job, film = el("video", { class: "film", controls: true, playsinline: true, preload: "metadata", src: job.links["annotated.webm"], "aria-label": "The painted film" });
  const links = job.results.map(name => el("a", { class: "button", href: `${job.links[name]}${name === "report.html" ? "" : "?save=1"}`, ...(name === "report.html" ? { target: "_blank", rel: "noopener" } : { download: name }) }, NAMES[name]));
  const people = found.tracks.filter(one => one.visible_seconds > 0), problem = el("p", { class: "note warn", role: "alert", hidden: true });
  return el("div", {},
    job.damage ? el("p", { class: "note warn" }, job.damage) : null,
    job.results.includes("annotated.webm") ? film : null,
    el("p", { class: "downloads" }, links),
    people.length ? people.slice(0, 12).map(one => track(one, found, film)) : el("p", { class: "empty" }, "No face was found in this film."),
    people.length > 12 ? el("p", { class: "muted" }, `${people.length - 12} more tracks are in the report.`) : null,
    el("p", { class: "live-buttons" }, el("button", { type: "button", class: "main", onclick: again }, "Another film"), el("button", { type: "button", onclick: () => removeAll(problem) }, "Delete everything of this film")),
    problem);
}

// The events of one track along the video, and the same as text; a click on one seeks to it.
function track(summary, found, film) {
  const span = Math.max(found.end - found.start, 0.001), own = found.events.filter(event => event.track === summary.track);
  const line = svg("svg", { viewBox: "0 0 1000 36", preserveAspectRatio: "none", role: "img", "aria-label": `Track ${summary.track} along the film` });
  const seek = event => { film.currentTime = event.start; film.scrollIntoView({ block: "center" }); };
  for (const event of own) {
    const piece = svg("rect", { x: 1000 * (event.start - found.start) / span, width: Math.max(1000 * (event.end - event.start) / span, 2), y: 0, height: 36, fill: hue(event.emotion) }, svg("title", {}, words(event)));
    piece.addEventListener("click", () => seek(event));
    line.append(piece);
  }
  const most = Object.entries(summary.emotions).slice(0, 3).map(([label, part]) => el("span", {}, face(label), ` ${label} ${percent(part)} `));
  return el("section", { class: "track-film" }, el("h2", {}, `Track ${summary.track}`), line,
    el("p", { class: "legend muted" }, `${clock(summary.visible_seconds)} in sight. `, most),
    own.length ? el("details", {}, el("summary", {}, own.length === 1 ? "One event" : `${own.length} events`),
      el("ul", {}, own.map(event => el("li", {}, el("button", { type: "button", onclick: () => seek(event) }, face(event.emotion), words(event)))))) : el("p", {}, "No expression lasted."));
}

const words = event => `${clock(event.start)} to ${clock(event.end)}: ${looks(event.emotion)}, up to ${percent(event.peak)}`;
