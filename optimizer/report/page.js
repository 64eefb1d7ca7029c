"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const songs = data.songs, STEP = 60;
const $ = id => document.getElementById(id);
const player = $("player"), bar = $("bar"), body = document.querySelector("#table tbody");
const el = (name, attributes, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
};
const SVG = "http://www.w3.org/2000/svg";
const drawing = (box, d) => {
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", box); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", d); svg.append(path);
  return svg;
};
const two = value => value.toFixed(2);
const title = song => `${song.t}, ${song.b} BPM, ${song.k}`;
const reference = song => data.studies.length > 1 ? `${data.studies[song.s]} ${song.n}` : `${song.n}`;

// Players. An embedded song becomes a blob once, when it is first wanted.
const blobs = new Map();
const source = row => {
  const where = songs[row].a;
  if (where !== "#") return where || "";
  if (!blobs.has(row)) {
    const bytes = Uint8Array.from(atob($(`audio-${row}`).textContent), c => c.charCodeAt(0));
    blobs.set(row, URL.createObjectURL(new Blob([bytes], {type: "audio/mpeg"})));
  }
  return blobs.get(row);
};
for (const card of document.querySelectorAll("audio[data-row]"))
  if (songs[+card.dataset.row].a === "#") card.src = source(+card.dataset.row);
document.addEventListener("play", event => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);

// The table: all songs are sorted and filtered, rows are made as they are scrolled to.
const columns = [
  {name: "Play", cell: playCell},
  ...(data.studies.length > 1 ? [{name: "Study", key: s => data.studies[s.s]}] : []),
  {name: "Trial", key: s => s.n, num: true},
  {name: "Score", key: s => s.v, num: true, show: two},
  {name: "Shrunken", key: s => s.w, num: true, show: two, narrow: true},
  ...(data.several ? [{name: "Genre", key: s => s.g, narrow: true}] : []),
  {name: "Style", key: s => s.t},
  {name: "BPM", key: s => s.b, num: true},
  {name: "Key", key: s => s.k},
  {name: "Language", key: s => s.l, narrow: true},
  {name: "Phase", key: s => s.p, narrow: true},
  {name: "Waveform", cell: waveCell, narrow: true},
];
let shown = [], made = 0, sorted = {column: columns.findIndex(c => c.name === "Score"), down: true}, current = -1;

function playCell(song, row) {
  const button = el("button", {type: "button", class: "play", onclick: () => { mark(row); toggle(); }});
  button.disabled = !song.a;
  button.setAttribute("aria-label", song.a ? `Play song ${reference(song)}, ${title(song)}` : `Song ${reference(song)} has no audio here`);
  button.textContent = "▶";
  return button;
}
function waveCell(song) {
  if (!song.f) return "";
  let d = "";
  for (let i = 0; i < song.f.length; i++) {
    const half = 0.4 + parseInt(song.f[i], 36) / 35 * 12;
    d += `M${i + 0.5} ${(13 - half).toFixed(1)}V${(13 + half).toFixed(1)}`;
  }
  return drawing(`0 0 ${song.f.length} 26`, d);
}
const head = document.querySelector("#table thead tr");
columns.forEach((column, index) => {
  const cell = el("th", {scope: "col", class: [column.num ? "num" : "", column.narrow ? "narrow" : ""].join(" ").trim()});
  if (column.key) {
    cell.append(el("button", {type: "button", onclick: () => {
      sorted = {column: index, down: sorted.column === index ? !sorted.down : !!column.num && column.name !== "Trial"};
      refresh();
    }}, column.name));
  } else cell.append(column.name);
  head.append(cell);
});
function rowOf(row) {
  const song = songs[row], tr = el("tr", {"data-row": row, onclick: event => { if (!event.target.closest("button")) mark(row); }});
  columns.forEach(column => {
    const cell = el(column.name === "Trial" ? "th" : "td", {class: [column.num ? "num" : "", column.narrow ? "narrow" : ""].join(" ").trim()});
    if (column.name === "Trial") cell.scope = "row";
    cell.append(column.cell ? column.cell(song, row) : String((column.show || String)(column.key(song))));
    tr.append(cell);
  });
  return tr;
}
function make(upTo) {
  const end = Math.min(shown.length, upTo), fragment = document.createDocumentFragment();
  for (; made < end; made++) fragment.append(rowOf(shown[made]));
  body.append(fragment);
  $("more").hidden = made >= shown.length;
  paint();
}
const choice = {g: $("f-g"), t: $("f-t"), k: $("f-k"), l: $("f-l"), p: $("f-p")};
for (const [field, select] of Object.entries(choice)) {
  const values = [...new Set(songs.map(song => song[field]))].sort();
  select.append(el("option", {value: ""}, "all"), ...values.map(value => el("option", {value}, value)));
  select.parentElement.hidden = values.length < 2;
  if (values.length < 2) select.parentElement.style.display = "none";
  select.addEventListener("change", refresh);
}
$("f-text").addEventListener("input", refresh);
$("f-v").addEventListener("input", refresh);
$("f-clear").addEventListener("click", () => {
  for (const select of Object.values(choice)) select.value = "";
  $("f-text").value = $("f-v").value = "";
  refresh();
});
const haystack = songs.map(s => `${data.studies[s.s]} ${s.n} ${s.g} ${s.t} ${data.captions[s.c]} ${s.b} ${s.k} ${s.l} ${s.p}`.toLowerCase());
function refresh() {
  const words = $("f-text").value.toLowerCase().split(/\s+/).filter(Boolean), least = parseFloat($("f-v").value);
  const {key} = columns[sorted.column], way = sorted.down ? -1 : 1;
  shown = songs.map((_, row) => row).filter(row =>
    Object.entries(choice).every(([field, select]) => !select.value || String(songs[row][field]) === select.value)
    && !(songs[row].v < least) && words.every(word => haystack[row].includes(word)));
  shown.sort((a, b) => {
    const x = key(songs[a]), y = key(songs[b]);
    return way * (x < y ? -1 : x > y ? 1 : 0) || songs[b].v - songs[a].v || songs[a].n - songs[b].n;
  });
  head.childNodes.forEach((cell, index) => {
    if (!columns[index].key) return;
    cell.setAttribute("aria-sort", index !== sorted.column ? "none" : sorted.down ? "descending" : "ascending");
  });
  body.textContent = "";
  made = 0;
  make(STEP);
  $("count").textContent = shown.length === songs.length ? `${songs.length} songs` : `${shown.length} of ${songs.length} songs`;
}
$("more").addEventListener("click", () => make(made + STEP));
new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) make(made + STEP); }, {rootMargin: "600px"}).observe($("more"));

// The marked song and the player.
let loaded = -1, kept = {a: -1, b: -1};
function paint() {
  for (const tr of body.children) {
    const row = +tr.dataset.row, button = tr.querySelector(".play");
    if (row === current) tr.setAttribute("aria-current", "true"); else tr.removeAttribute("aria-current");
    const playing = row === loaded && !player.paused;
    button.textContent = playing ? "❚❚" : "▶";
    if (songs[row].a) button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} song ${reference(songs[row])}, ${title(songs[row])}`);
  }
}
function mark(row) {
  current = row;
  const song = songs[row];
  bar.hidden = false;
  $("now").textContent = title(song);
  $("now-more").textContent = `${song.p}, trial ${reference(song)}, score ${two(song.v)}, ${two(song.w)} once luck is taken off`;
  if (player.paused && row !== loaded) load(row);
  paint();
  if ($("detail").open) detail();
  wave();
  const place = shown.indexOf(row);
  if (place >= made) make(place + STEP);
  // Also after a click: the player must not cover the row it plays.
  if (place >= 0) body.children[place].scrollIntoView({block: "nearest"});
}
function load(row) {
  loaded = row;
  const where = source(row);
  if (where) player.src = where; else { player.removeAttribute("src"); player.load(); }
}
function play(at) {
  if (!songs[loaded].a) return say("This song has no audio here.");
  if (at) {
    const seek = () => { player.currentTime = Math.min(at, (player.duration || at) - 0.05); };
    if (player.readyState > 0) seek(); else player.addEventListener("loadedmetadata", seek, {once: true});
  }
  player.play().catch(error => { if (error.name !== "AbortError") say(`It cannot be played: ${error.message}`); });
}
function toggle() {
  if (current < 0) return;
  if (loaded === current && !player.paused) return player.pause();
  if (loaded !== current) load(current);
  play();
}
function step(by) {
  if (!shown.length) return;
  const place = shown.indexOf(current);
  mark(shown[Math.min(Math.max(place < 0 ? 0 : place + by, 0), shown.length - 1)]);
}
function skip(by) {
  step(by);
  if (current >= 0 && current !== loaded) load(current);
  if (current >= 0) play();
}
player.addEventListener("error", () => { if (player.getAttribute("src")) say("The audio file is not beside this page."); });
for (const name of ["play", "pause", "ended"]) player.addEventListener(name, paint);
player.addEventListener("timeupdate", wave);

// A and B: the same moment of two songs.
function keep(slot) {
  if (current < 0) return;
  kept[slot] = current;
  $(`is-${slot}`).textContent = reference(songs[current]);
  $("swap").disabled = kept.a < 0 || kept.b < 0;
  say(`${slot.toUpperCase()} is song ${reference(songs[current])}.`);
}
function swap() {
  if (kept.a < 0 || kept.b < 0) return say("Keep one song as A and one as B first.");
  const next = loaded === kept.a ? kept.b : kept.a, at = player.currentTime;
  load(next);
  mark(next);
  play(at);
  say(`${next === kept.a ? "A" : "B"}: song ${reference(songs[next])}`);
}
$("set-a").addEventListener("click", () => keep("a"));
$("set-b").addEventListener("click", () => keep("b"));
$("swap").addEventListener("click", swap);

// Waveform of the marked song.
const canvas = $("wave"), pen = canvas.getContext("2d");
function wave() {
  const song = songs[current], style = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!song || !song.f) return;
  const bars = song.f.length, width = canvas.width / bars, middle = canvas.height / 2;
  const done = loaded === current && player.duration ? player.currentTime / player.duration * bars : 0;
  for (let i = 0; i < bars; i++) {
    const half = Math.max(1, parseInt(song.f[i], 36) / 35 * (middle - 1));
    pen.fillStyle = style.getPropertyValue(i < done ? "--warm" : "--accent");
    pen.fillRect(i * width, middle - half, Math.max(width - 1.5, 1), 2 * half);
  }
}
canvas.addEventListener("click", event => {
  if (loaded !== current) load(current);
  const box = canvas.getBoundingClientRect();
  play((event.clientX - box.left) / box.width * (player.duration || songs[current].d));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", wave);

// Details and copies.
function detail() {
  const song = songs[current], box = $("detail-body");
  if (!song) return;
  const parts = song.q.map((value, i) => [data.parts[i], value]).filter(([, value]) => value !== null);
  box.replaceChildren(
    el("div", {}, el("h3", {}, "Caption"), el("p", {}, data.captions[song.c]), el("h3", {}, "Recipe"),
      el("p", {}, `${song.g} / ${song.t}, ${song.b} BPM, ${song.k}, ${song.m === "6" ? "6/8" : song.m + "/4"}, ${song.l}, seed ${song.e}, ${song.d} s`)),
    el("div", {}, el("h3", {}, "Lyrics"), el("pre", {tabindex: "0"}, data.lyrics[song.y])));
  if (parts.length) box.append(el("div", {}, el("h3", {}, "Parts of the score"), el("table", {}, el("tbody", {},
    ...parts.map(([name, value]) => el("tr", {}, el("th", {scope: "row"}, name), el("td", {class: "num"}, two(value))))))));
  if (song.u) {
    const low = Math.min(...song.u), high = Math.max(...song.u), span = high - low || 1;
    const d = song.u.map((v, i) => `${i ? "L" : "M"}${(i / (song.u.length - 1) * 300).toFixed(1)} ${(58 - (v - low) / span * 56).toFixed(1)}`).join("");
    box.append(el("div", {}, el("h3", {}, "Score over the song"), drawing("0 0 300 60", d), el("p", {class: "quiet"}, `from ${two(low)} to ${two(high)}`)));
  }
}
$("detail").addEventListener("toggle", () => { if ($("detail").open) detail(); });
function recipe(song) {
  return JSON.stringify({genre: song.g, style: song.t, caption: data.captions[song.c], bpm: song.b, key: song.k, language: song.l,
    lyrics: data.lyrics[song.y], seed: song.e, duration: song.d, time_signature: song.m}, null, 2);
}
function command(song) {
  const [start, end] = data.commands[song.s];
  return `${start} ${song.n}${end ? " " + end : ""}`;
}
async function copy(text, what) {
  try { await navigator.clipboard.writeText(text); }
  catch {
    const area = el("textarea", {"aria-label": "text to copy"});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied.`);
}
const copyRecipe = () => { if (current >= 0) copy(recipe(songs[current]), "Recipe"); };
$("copy-recipe").addEventListener("click", copyRecipe);
$("copy-command").addEventListener("click", () => { if (current >= 0) copy(command(songs[current]), "Command"); });
let silence;
function say(words) {
  $("said").textContent = words;
  clearTimeout(silence);
  silence = setTimeout(() => { $("said").textContent = ""; }, 5000);
}

const actions = {
  j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
  " ": () => { if (current < 0) step(1); toggle(); }, n: () => skip(1), p: () => skip(-1),
  ArrowLeft: () => { player.currentTime = Math.max(0, player.currentTime - 5); },
  ArrowRight: () => { player.currentTime = Math.min(player.duration || 0, player.currentTime + 5); },
  a: () => keep("a"), b: () => keep("b"), x: swap, c: copyRecipe, "/": () => $("f-text").focus(),
};
document.addEventListener("keydown", event => {
  const target = event.target, arrows = event.key.startsWith("Arrow");
  if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key] || !$("shortcuts").checked) return;
  if (target.closest("input,select,textarea,audio")) return;
  if (event.key === " " && target.closest("button,summary,a")) return;
  if (arrows && current < 0) return;
  event.preventDefault();
  actions[event.key]();
});
refresh();
document.documentElement.dataset.ready = "true";
})();
