// The page for videos: upload, progress of the analysis in the background, and its results.
import { announce, describeLabel, el, faceIcon, finder, formatPercent, formatTime, labelColour, pageData, replaceSection, svg } from "./dom.js";
import { ensureKey, query, request, sizeError, storage } from "./api.js";
import { watchFiles } from "./file_input.js";
import { FINAL_STATES, followJob, removeJob, uploadVideo } from "./video_job.js";

const FILES = { "report.html": "Report", "faces.csv": "Faces (CSV)", "events.csv": "Events (CSV)", "subtitles.vtt": "Subtitles (WebVTT)", "annotated.webm": "Annotated video" };
const MAX_TRACKS = 12;

export function start(root) {
  const find = finder(root);
  const bar = find("progress"), form = find("options");
  // The video of this page: { job, running, upload, stopFollowing }. Late responses for an earlier one are ignored.
  let video = null, stopped = false;
  const unwatchFiles = watchFiles(root, ([file]) => video?.running ? setNote("One video is analysed at a time: cancel this one first, or wait for its end.") : send(file));
  find("cancel").addEventListener("click", cancel);
  if (storage.get("video")) restore(storage.get("video"));

  async function send(file) {
    const current = replaceVideo(file.name), message = sizeError(file, pageData.maxVideoBytes);
    if (message) return fail(message);
    setStatus("");
    try {
      await ensureKey();
      if (current !== video) return;
      setStatus("Uploading …");
      const options = query({ name: file.name, fps: form.fps.value, blur: form.blur.checked ? 1 : "" });
      const job = await uploadVideo(`/api/v1/videos?${options}`, file, part => { if (current === video) { bar.max = 1; bar.value = part; } }, current.upload.signal);
      if (current !== video) return;
      storage.set("video", job.links.self);
      showJob(current, job);
      follow(current);
    } catch (error) {
      if (current === video) fail(error.message);
    }
  }

  // The video that this tab uploaded before another page was opened.
  async function restore(address) {
    let message = "", job = { source: "Your video", links: { self: address, events: `${address}/events` } };
    try {
      job = await (await request(address)).json();
    } catch (error) {
      if (error.status === 404) storage.set("video", "");
      else message = error.message;
    }
    if (video || stopped || !storage.get("video")) return;
    const current = replaceVideo(job.source);
    showJob(current, job);
    if (message) setStatus(message);
    if (current.running) follow(current);
  }

  function follow(current) {
    current.stopFollowing = followJob(current.job.links, {
      onReport: job => showJob(current, job),
      onLost: () => fail("The video and its results are no longer on the server."),
      onProblem: setStatus,
    });
  }

  function replaceVideo(name) {
    dropVideo();
    video = { job: null, running: true, upload: new AbortController(), stopFollowing() {} };
    find("name").textContent = name;
    replaceSection(find("intro"), find("job"), find("name"));
    find("progress-card").hidden = false;
    find("cancel").textContent = "Cancel";
    find("cancel").disabled = false;
    find("result").replaceChildren();
    find("facts").replaceChildren();
    setNote("");
    bar.removeAttribute("value");
    bar.hidden = false;
    return video;
  }

  function dropVideo() {
    video?.upload.abort();
    video?.stopFollowing();
    video = null;
  }

  function setStatus(text) {
    if (find("status").textContent !== text) find("status").textContent = text;
  }

  function setNote(text) {
    find("note").textContent = text;
    find("note").hidden = !text;
  }

  function showJob(current, report) {
    if (current !== video) return;
    const job = current.job = { ...current.job, ...report };
    const texts = { waiting: "Waiting in the queue …", running: "Analysing …", failed: job.error, cancelled: "Cancelled. The video and its results were removed from the server." };
    find("name").textContent = job.source;
    setStatus(texts[job.state] ?? "");
    if (job.state === "running" && job.of) {
      bar.max = job.of;
      bar.value = Math.min(job.seconds, job.of);
      showFacts([["Analysed", `${formatTime(job.seconds)} of ${formatTime(job.of)}`], ["Frames per second", job.frames_per_second], ["Tracks", job.tracks], ["Events", job.events]]);
    }
    if (FINAL_STATES.includes(job.state)) finish(current);
  }

  function showFacts(pairs) {
    find("facts").replaceChildren(...pairs.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
  }

  function finish(current) {
    const done = current.job.state === "done";
    current.running = false;
    bar.hidden = true;
    setNote("");
    find("cancel").textContent = "Another video";
    find("progress-card").hidden = done;
    find("facts").replaceChildren();
    find("result").replaceChildren(...done ? [resultView(current.job, reset, removeAll)] : []);
    if (done) announce("The video is analysed");
    else storage.set("video", "");
  }

  function fail(message) {
    dropVideo();
    setStatus(message);
    setNote("");
    bar.hidden = true;
    find("cancel").textContent = "Another video";
    storage.set("video", "");
  }

  async function cancel() {
    if (!video?.job || !video.running) return reset();
    const current = video;
    find("cancel").disabled = true;
    try {
      await removeJob(current.job.links);
      current.stopFollowing();
      showJob(current, { state: "cancelled" });
    } catch (error) {
      if (current === video) setNote(`The video may still be on the server. ${error.message}`);
    }
    if (current === video) find("cancel").disabled = false;
  }

  async function removeAll(problem) {
    const current = video;
    try {
      await removeJob(current.job.links);
      if (current !== video) return;
      reset();
      announce("The video and its results were removed");
    } catch (error) {
      problem.textContent = `The video may still be on the server. ${error.message}`;
      problem.hidden = false;
    }
  }

  function reset() {
    dropVideo();
    storage.set("video", "");
    replaceSection(find("job"), find("intro"), find("choose"));
  }

  return () => { stopped = true; dropVideo(); unwatchFiles(); };
}

function resultView(job, onReset, onRemove) {
  const { summary } = job, problem = el("p", { class: "note warn", role: "alert", hidden: true });
  const player = el("video", { class: "player", controls: true, playsinline: true, preload: "metadata", src: job.links["annotated.webm"], "aria-label": "The annotated video" });
  const links = job.results.filter(name => FILES[name]).map(name => el("a", { class: "button", href: `${job.links[name]}${name === "report.html" ? "" : "?save=1"}`, ...(name === "report.html" ? { target: "_blank", rel: "noopener" } : { download: name }) }, FILES[name]));
  const judged = summary.tracks.filter(track => track.judged_seconds > 0).slice(0, MAX_TRACKS);
  const others = summary.tracks.filter(track => !judged.includes(track));
  const view = createTrackView(summary, player), sections = judged.map(view.section);
  if (job.links["timeline.json"]) view.load(job.links["timeline.json"]);
  return el("div", {},
    job.damage ? el("p", { class: "note warn" }, job.damage) : null,
    el("p", { class: "lead" }, summary.description),
    job.results.includes("annotated.webm") ? player : null,
    el("p", { class: "downloads" }, links),
    sections,
    summary.tracks.length ? null : el("p", { class: "empty" }, "No face was found in this video."),
    others.length ? el("details", { class: "muted" }, el("summary", {}, `${others.length} more ${others.length === 1 ? "track" : "tracks"}, which were visible for less time or could not be judged`),
      el("ul", {}, others.map(track => el("li", {}, `Track ${track.track}: ${track.description}`)))) : null,
    el("p", { class: "live-buttons" }, el("button", { type: "button", class: "main", onclick: onReset }, "Another video"), el("button", { type: "button", onclick: () => onRemove(problem) }, "Delete the video and its results")),
    problem);
}

// The sections of the tracks: scores and events over time with the position of the player, and faces at the peaks.
function createTrackView(summary, player) {
  const duration = Math.max(summary.end - summary.start, 0.001), parts = new Map(), cursors = [];
  const position = seconds => 100 * Math.min(Math.max((seconds - summary.start) / duration, 0), 1);
  const moveCursors = () => cursors.forEach(cursor => { cursor.style.left = `${position(player.currentTime)}%`; });
  player.addEventListener("timeupdate", moveCursors);
  player.addEventListener("seeked", moveCursors);
  const seek = (seconds, scroll = true) => { player.currentTime = seconds; if (scroll) player.scrollIntoView({ block: "center" }); };

  function section(track) {
    const events = summary.events.filter(event => event.track === track.track);
    const scores = el("div", { class: "track-scores" }), peaks = el("div", { class: "track-peaks" }), cursor = el("i", { class: "cursor" });
    const bars = svg("svg", { viewBox: "0 0 1000 36", preserveAspectRatio: "none", role: "img", "aria-label": `Events of track ${track.track}` });
    for (const event of events) {
      const bar = svg("rect", { x: 10 * position(event.start), width: Math.max(10 * (position(event.end) - position(event.start)), 2), y: 0, height: 36, fill: labelColour(event.emotion) }, svg("title", {}, describeEvent(event)));
      bar.addEventListener("click", () => seek(event.start));
      bars.append(bar);
    }
    scores.addEventListener("click", event => {
      const box = scores.getBoundingClientRect();
      seek(summary.start + duration * (event.clientX - box.left) / box.width, false);
    });
    cursors.push(cursor);
    parts.set(track.track, { scores, peaks });
    const legend = Object.entries(track.emotions).filter(([, part]) => part >= 0.01).map(([label]) => el("span", {}, faceIcon(label), ` ${label}`));
    return el("section", { class: "track-events" }, el("h2", {}, `Track ${track.track}`), el("p", { class: "muted" }, track.description),
      el("div", { class: "track-timeline" }, scores, bars, cursor), el("p", { class: "legend muted" }, legend), peaks,
      events.length ? el("details", {}, el("summary", {}, events.length === 1 ? "One event" : `${events.length} events`),
        el("ul", {}, events.map(event => el("li", {}, el("button", { type: "button", onclick: () => seek(event.start) }, faceIcon(event.emotion), describeEvent(event)))))) : el("p", {}, "No event."));
  }

  // The drawings of the report; without them the page has the events alone.
  async function load(address) {
    let timeline;
    try {
      timeline = await (await request(address)).json();
    } catch {
      return;
    }
    for (const { track, areas, peaks } of timeline.tracks) {
      const part = parts.get(track);
      if (!part) continue;
      const drawing = svg("svg", { viewBox: `0 0 ${timeline.width} ${timeline.height}`, preserveAspectRatio: "none", role: "img", "aria-label": `Probabilities of track ${track} over time` });
      drawing.append(...areas.map(([path, fill]) => svg("path", fill ? { d: path, fill } : { d: path, class: "unjudged" })));
      part.scores.replaceChildren(drawing);
      part.peaks.replaceChildren(...peaks.map(({ emotion, peak, peak_at: at, image }) => {
        const text = `${describeLabel(emotion)} ${formatPercent(peak)}`;
        return el("button", { type: "button", hue: labelColour(emotion), onclick: () => seek(at) }, el("img", { src: image, alt: `Track ${track} ${text}`, width: 128, height: 128 }), el("span", {}, text), el("small", {}, formatTime(at)));
      }));
    }
  }

  return { section, load };
}

const describeEvent = event => `${formatTime(event.start)} to ${formatTime(event.end)}: ${describeLabel(event.emotion)}, peak ${formatPercent(event.peak)}`;
