/* One question at a time. Text from the lake is only ever set as textContent. */
"use strict";

const $ = id => document.getElementById(id);
const video = $("video");
const state = { items: [], at: 0, told: null, loaded: new Map(), saving: 0, asked: 0 };
const KEYS = { 1: "yes", y: "yes", 2: "no", n: "no", 3: "unsure", u: "unsure" };
const SIGNS = { ">=": "≥", "<=": "≤", "==": "=" };
const AHEAD = 2; // items whose previews are cut in advance

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

async function ask(path, body) {
  const how = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  const answer = await fetch(path, how);
  const told = (answer.headers.get("content-type") || "").includes("json") ? await answer.json() : { detail: await answer.text() };
  if (!answer.ok) throw new Error(told.detail || told.reason || answer.statusText);
  return told;
}

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function load(index) {
  if (!state.loaded.has(index)) {
    const asked = ask(`/items/${index}`);
    asked.catch(() => state.loaded.delete(index));
    state.loaded.set(index, asked);
  }
  return state.loaded.get(index);
}

async function show(index) {
  state.at = index;
  progress();
  const isDone = index >= state.items.length;
  $("done").hidden = !isDone;
  $("item").hidden = isDone;
  video.pause();
  if (isDone) return;
  let told;
  try {
    told = await load(index);
  } catch (problem) {
    complain(`This item cannot be shown: ${problem.message}. Skip it with →.`);
    return;
  }
  if (state.at !== index) return;
  complain("");
  state.told = told;
  draw(told, state.items[index]);
  $("missing").hidden = true;
  video.src = `/previews/${index}.mp4`;
  scrollTo(0, 0);
  video.play().catch(() => {}); // a browser may want a key press first
  for (let next = index + 1; next <= index + AHEAD && next < state.items.length; next += 1) {
    load(next).then(() => fetch(`/previews/${next}.mp4`, { headers: { Range: "bytes=0-0" } })).catch(() => {});
  }
}

function draw(told, item) {
  $("question").textContent = told.question;
  $("hint").textContent = told.hint;
  $("aspect").textContent = item.measure ? `${item.question}: ${item.measure.replaceAll("_", " ")}` : item.question;
  $("facts").textContent = [...told.facts, `${told.source} at ${clock(told.start_s)}`, told.subject].join(" · ");
  pressed(item.answer);
  const classes = document.body.classList;
  classes.toggle("two", told.sides.length > 1);
  classes.toggle("words", Boolean(told.heard || told.sides.some(side => side.text)));
  drawSides(told);
  drawScores(told);
}

function drawSides(told) {
  const boxes = [], sides = [], lanes = [];
  told.sides.forEach((side, n) => {
    const second = n ? "b" : "";
    const box = element("div", second);
    const [x1, y1, x2, y2] = side.box;
    Object.assign(box.style, { left: `${x1 * 100}%`, top: `${y1 * 100}%`, width: `${(x2 - x1) * 100}%`, height: `${(y2 - y1) * 100}%` });
    if (told.sides.length > 1) box.append(element("span", "", side.role));
    if (y1 < .08) box.classList.add("high");
    boxes.push(box);
    const card = element("div", `side ${second}`);
    const words = element("div");
    words.append(element("h2", "", `${side.role === "person" ? "outlined person" : side.role}${side.voice ? ` · voice ${side.voice}` : ""}`));
    words.append(side.text ? element("q", "", side.text) : element("em", "", side.role === "listener" ? "says nothing here" : "no words recognised"));
    const canvas = element("canvas");
    Object.assign(canvas, { width: 320, height: 320 }); // until its picture is known
    card.append(canvas, words);
    sides.push(card);
    const lane = element("i", second);
    Object.assign(lane.style, { left: `${side.from_s / told.duration_s * 100}%`, width: `${(side.to_s - side.from_s) / told.duration_s * 100}%` });
    lanes.push(lane);
  });
  if (told.heard && told.sides.length === 1) {
    const card = element("div", "side voice"), words = element("div");
    words.append(element("h2", "", "heard, not outlined"), element("q", "", told.heard));
    card.append(words);
    sides.push(card);
  }
  $("boxes").replaceChildren(...boxes);
  $("sides").replaceChildren(...sides);
  $("lanes").replaceChildren(...lanes);
}

function figure(value) {
  if (value === null) return "–";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function drawScores(told) {
  const shown = [];
  let role = null;
  for (const score of told.scores) {
    if (told.sides.length > 1 && score.role !== role) shown.push(element("h2", "", role = score.role));
    const row = element("div", score.is_asked ? "score asked" : "score");
    const unit = ["1", ""].includes(score.unit) ? "" : ` ${score.unit}`;
    const asks = score.keep === "between" ? `${figure(score.threshold)}–${figure(score.upper)}` : `${SIGNS[score.keep] || score.keep} ${figure(score.threshold)}`;
    row.append(element("span", "", score.gate.replaceAll("_", " ") + (score.mode === "score_only" ? " (informs only)" : "")));
    row.append(element("b", score.verdict, score.value === null ? score.reason || "not evaluated" : `${figure(score.value)}${unit}`));
    if (score.value !== null && score.threshold !== null) row.append(scoreBar(score));
    row.append(element("small", "", `${score.level} ${asks}${unit}${score.is_asked ? ` · ${score.doc}` : ""}`));
    row.title = score.doc;
    shown.push(row);
  }
  $("scores").replaceChildren(...shown);
}

function scoreBar(score) {
  const span = score.high - score.low || 1;
  const place = value => Math.min(100, Math.max(0, (value - score.low) / span * 100));
  const bar = element("div", "bar"), keep = element("div", "keep"), at = element("div", "at");
  const [from, to] = { ">": [place(score.threshold), 100], ">=": [place(score.threshold), 100], "<": [0, place(score.threshold)],
    "<=": [0, place(score.threshold)], "==": [place(score.threshold), place(score.threshold)], between: [place(score.threshold), place(score.upper)] }[score.keep];
  Object.assign(keep.style, { left: `${from}%`, width: `${to - from}%` });
  at.style.left = `${2 + place(score.value) * .96}%`;
  bar.append(keep);
  for (const value of [score.threshold, score.upper]) {
    if (value === null) continue;
    const cut = element("div", "cut");
    cut.style.left = `${place(value)}%`;
    bar.append(cut);
  }
  bar.append(at);
  return bar;
}

/* Fits the outlines to the picture inside its element, which may have black bars. */
function fit() {
  if (!video.videoWidth) return;
  const scale = Math.min(video.clientWidth / video.videoWidth, video.clientHeight / video.videoHeight);
  const width = video.videoWidth * scale, height = video.videoHeight * scale;
  Object.assign($("boxes").style, { width: `${width}px`, height: `${height}px`,
    left: `${video.offsetLeft + (video.clientWidth - width) / 2}px`, top: `${video.offsetTop + (video.clientHeight - height) / 2}px` });
}

function tick() {
  requestAnimationFrame(tick);
  const told = state.told;
  if (!told || !video.videoWidth || $("item").hidden) return;
  const now = video.currentTime, whole = video.duration || told.duration_s;
  if (document.activeElement !== $("seek")) $("seek").value = now / whole * 1000;
  $("clock").textContent = `${now.toFixed(1)} / ${whole.toFixed(1)} s`;
  $("play").textContent = video.paused ? "▶" : "❚❚";
  told.sides.forEach((side, n) => {
    const isOn = now >= side.from_s && now < side.to_s + .04;
    $("boxes").children[n].classList.toggle("off", !isOn);
    const card = $("sides").children[n];
    card.classList.toggle("off", !isOn);
    if (isOn) closeUp(card.querySelector("canvas"), side.box);
  });
}

function closeUp(canvas, [x1, y1, x2, y2]) {
  const w = (x2 - x1) * video.videoWidth, h = (y2 - y1) * video.videoHeight;
  if (w < 2 || h < 2) return;
  const width = 320, height = Math.round(width * h / w);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(video, x1 * video.videoWidth, y1 * video.videoHeight, w, h, 0, 0, width, height);
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function pressed(answer) {
  for (const button of $("answers").children) button.setAttribute("aria-pressed", String(button.dataset.answer === answer));
}

function progress() {
  const done = state.items.filter(item => item.answer).length, all = state.items.length;
  $("bar").style.width = `${all ? done / all * 100 : 0}%`;
  $("bar").parentElement.setAttribute("aria-valuenow", done);
  $("bar").parentElement.setAttribute("aria-valuemax", all);
  $("count").textContent = `${done} of ${all} answered`;
  $("saving").textContent = state.saving ? "saving…" : "";
}

/* The next question is shown before the answer is stored; if storing fails, the question comes back. */
async function answer(word) {
  const index = state.at, item = state.items[index];
  if (!item || !state.told) return;
  const before = item.answer;
  item.answer = word;
  state.saving += 1;
  show(index + 1);
  try {
    await ask("/answers", { item: index, answer: word });
  } catch (problem) {
    item.answer = before;
    await show(index);
    complain(`This answer was not stored: ${problem.message}. Please answer again.`);
  }
  state.saving -= 1;
  progress();
}

function play() {
  if (video.paused) video.play().catch(() => {}); else video.pause();
}

function again() {
  video.currentTime = 0;
  video.play().catch(() => {});
}

function speed() {
  video.defaultPlaybackRate = video.playbackRate = video.playbackRate === 1 ? .5 : 1;
  $("slow").textContent = video.playbackRate === 1 ? "1×" : "½×";
}

function move(step) {
  const to = state.at + step;
  if (to >= 0 && to <= state.items.length) show(to);
}

function scores() {
  document.body.classList.toggle("noscores");
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const acts = { " ": play, r: again, d: speed, s: scores, ArrowLeft: () => move(-1), ArrowRight: () => move(1) };
  if (key === " " && event.target instanceof HTMLButtonElement && event.target.id !== "play" && event.target.matches(":focus-visible")) return;
  const act = KEYS[key] ? () => answer(KEYS[key]) : acts[key];
  if (!act || (event.target === $("seek") && key.startsWith("Arrow"))) return;
  event.preventDefault();
  act();
}, true);

$("answers").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button) { button.blur(); answer(button.dataset.answer); }
});
$("play").addEventListener("click", play);
$("slow").addEventListener("click", speed);
$("again").addEventListener("click", () => move(-1));
$("seek").addEventListener("input", event => { video.currentTime = event.target.value / 1000 * (video.duration || 0); });
$("seek").addEventListener("change", event => event.target.blur());
video.addEventListener("click", play);
video.addEventListener("loadedmetadata", fit);
video.addEventListener("error", async () => {
  const told = await fetch(`/previews/${state.at}.mp4`).then(a => a.ok ? { detail: "the browser cannot play it" } : a.json()).catch(() => ({ detail: "the review server has stopped" }));
  $("missing").textContent = `No preview: ${told.detail || told.reason}`;
  $("missing").hidden = false;
});
new ResizeObserver(fit).observe(video);
addEventListener("beforeunload", event => { if (state.saving) event.preventDefault(); });

ask("/items").then(told => {
  state.items = told.items;
  const first = state.items.findIndex(item => !item.answer);
  requestAnimationFrame(tick);
  return show(first < 0 ? state.items.length : first);
}).catch(problem => complain(problem.message));
