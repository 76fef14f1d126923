// One time for the slider, the video, the cursors and the chip of each track.
const $ = (query, all) => all ? [...document.querySelectorAll(query)] : document.querySelector(query);
const slider = $(".slider input"), output = $(".slider output"), video = $("video"), stage = $(".stage");

const clock = seconds => {
  const tenths = Math.round(Math.max(seconds, 0) * 10);
  if (tenths < 600) return (tenths / 10).toFixed(1) + " s";
  const two = number => String(number).padStart(2, "0"), whole = Math.floor(tenths / 10);
  const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}.${tenths % 10}`;
};

const stepAt = (steps, at) => {
  let low = 0, high = steps.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, [start, end] = steps[middle];
    if (at < start) high = middle - 1; else if (at >= end) low = middle + 1; else return steps[middle];
  }
};

const updateChip = (chip, at) => {
  const step = stepAt(VIDEO.steps[chip.dataset.track], at), words = chip.querySelector("span"), mix = chip.querySelector(".mix");
  mix.replaceChildren();
  words.className = step && step[2].length ? "" : "muted";
  if (!step) { words.textContent = "not visible"; return; }
  if (!step[2].length) { words.textContent = "could not be judged"; return; }
  // An event is more precise than the mean of a step, during which the expression may change.
  const event = VIDEO.events[chip.dataset.track].find(([start, end]) => at >= start && at < end);
  const first = event ? event[2] : step[2].indexOf(Math.max(...step[2]));
  words.textContent = `${VIDEO.labels[first][1]} ${step[2][first]} %`;
  step[2].forEach((score, number) => {
    const part = document.createElement("u");
    part.style.cssText = `width:${score}%;background:${VIDEO.labels[number][2]}`;
    mix.append(part);
  });
};

const showTime = at => {
  output.textContent = clock(at);
  const part = 100 * (at - VIDEO.start) / Math.max(VIDEO.end - VIDEO.start, 1e-6);
  $(".cursor", true).forEach(cursor => cursor.style.left = `${Math.min(Math.max(part, 0), 100)}%`);
  $(".chip", true).forEach(chip => updateChip(chip, Math.min(at, VIDEO.end - 0.001)));
};

// The time of the last seek. The player rounds times; an event that starts at this time must still be found.
let seekTime = null;

const seek = at => {
  slider.value = at;
  seekTime = at;
  if (video && video.readyState) video.currentTime = at;
  showTime(at);
};

if (slider) {
  slider.addEventListener("input", () => seek(+slider.value));
  $("[data-at]", true).forEach(button => button.addEventListener("click", event => { event.stopPropagation(); seek(+button.dataset.at); }));
  $(".scores, .events", true).forEach(area => area.addEventListener("click", event => {
    const box = area.getBoundingClientRect();
    seek(VIDEO.start + (VIDEO.end - VIDEO.start) * (event.clientX - box.left) / box.width);
  }));
  if (!video) stage.classList.add("bare");
  else {
    // Without the video file beside the page the slider works alone.
    video.addEventListener("error", () => { video.remove(); stage.classList.add("bare"); });
    const follow = () => { slider.value = video.currentTime; showTime(video.currentTime); if (!video.paused) requestAnimationFrame(follow); };
    video.addEventListener("play", follow);
    video.addEventListener("seeked", () => {
      if (document.activeElement === slider) return;
      const rounded = seekTime !== null && Math.abs(video.currentTime - seekTime) < 0.05;
      slider.value = rounded ? seekTime : video.currentTime;
      showTime(rounded ? seekTime : video.currentTime);
    });
    if (video.error) video.dispatchEvent(new Event("error"));
  }
  showTime(VIDEO.start);
}
