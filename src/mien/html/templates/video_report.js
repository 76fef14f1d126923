// One time for the slider, the film, the cursors and what each person shows.
const $ = (query, all) => all ? [...document.querySelectorAll(query)] : document.querySelector(query);
const slider = $(".slider input"), shown = $(".slider output"), film = $("video"), stage = $(".stage");

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

const tell = (chip, at) => {
  const step = stepAt(FILM.people[chip.dataset.person], at), words = chip.querySelector("span"), mix = chip.querySelector(".mix");
  mix.replaceChildren();
  words.className = step && step[2].length ? "" : "muted";
  if (!step) { words.textContent = "not seen"; return; }
  if (!step[2].length) { words.textContent = "could not be judged"; return; }
  // An event says more exactly what was shown than the mean of a step, which may lie across a change.
  const event = FILM.events[chip.dataset.person].find(([start, end]) => at >= start && at < end);
  const first = event ? event[2] : step[2].indexOf(Math.max(...step[2]));
  words.textContent = `${FILM.labels[first][1]} ${step[2][first]} %`;
  step[2].forEach((share, number) => {
    const part = document.createElement("u");
    part.style.cssText = `width:${share}%;background:${FILM.labels[number][2]}`;
    mix.append(part);
  });
};

const show = at => {
  shown.textContent = clock(at);
  const part = 100 * (at - FILM.start) / Math.max(FILM.end - FILM.start, 1e-6);
  $(".cursor", true).forEach(cursor => cursor.style.left = `${Math.min(Math.max(part, 0), 100)}%`);
  $(".chip", true).forEach(chip => tell(chip, Math.min(at, FILM.end - 0.001)));
};

const go = at => {
  slider.value = at;
  if (film && film.readyState) film.currentTime = at;
  show(at);
};

if (slider) {
  slider.addEventListener("input", () => go(+slider.value));
  $("[data-at]", true).forEach(button => button.addEventListener("click", event => { event.stopPropagation(); go(+button.dataset.at); }));
  $(".shares, .events", true).forEach(area => area.addEventListener("click", event => {
    const place = area.getBoundingClientRect();
    go(FILM.start + (FILM.end - FILM.start) * (event.clientX - place.left) / place.width);
  }));
  if (!film) stage.classList.add("bare");
  else {
    // A film that is not beside the page leaves the slider to itself.
    film.addEventListener("error", () => { film.remove(); stage.classList.add("bare"); });
    const follow = () => { slider.value = film.currentTime; show(film.currentTime); if (!film.paused) requestAnimationFrame(follow); };
    film.addEventListener("play", follow);
    film.addEventListener("seeked", () => { if (document.activeElement !== slider) { slider.value = film.currentTime; show(film.currentTime); } });
    if (film.error) film.dispatchEvent(new Event("error"));
  }
  show(FILM.start);
}
