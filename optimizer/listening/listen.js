"use strict";
(() => {
const $ = id => document.getElementById(id);
const players = {left: $("left"), right: $("right")}, votes = [...document.querySelectorAll("[data-choice]")];
let ballot = null, active = "left", heard = {left: 0, right: 0}, busy = false, tick = {left: null, right: null};
const say = words => { $("said").textContent = words; };

async function ask(path, options) {
  const answer = await fetch(path, options);
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.error);
  return document;
}
async function next() {
  for (const player of Object.values(players)) player.pause();
  let found;
  try { found = await ask("ballot"); }
  catch (error) { say(`The server does not answer: ${error.message}`); return; }
  $("progress").textContent = `${found.done} of ${found.total} pairs voted on`;
  ballot = found.ballot;
  $("test").hidden = !ballot;
  if (!ballot) { say("All pairs are voted on. Thank you! You can close this page."); return; }
  heard = {left: 0, right: 0};
  active = "left";
  ["left", "right"].forEach((side, index) => {
    players[side].src = `audio/${ballot}/${side}`;
    players[side].volume = Math.min(1, 10 ** (found.gain[index] / 20));
    tick[side] = null;
  });
  $("at").value = 0;
  say("");
  paint();
}
function paint() {
  for (const side of ["left", "right"])
    $(`play-${side}`).setAttribute("aria-pressed", String(side === active && !players[side].paused));
  const ready = ballot && !busy && heard.left >= 0.5 && heard.right >= 0.5;
  for (const button of votes) button.disabled = !ready;
}
function play(side) {
  const other = side === "left" ? "right" : "left", player = players[side];
  const at = players[active].currentTime;
  players[other].pause();
  if (side !== active && player.readyState > 0) player.currentTime = Math.min(at, Math.max(0, player.duration - 0.1));
  active = side;
  player.play().catch(error => { if (error.name !== "AbortError") say(`It cannot be played: ${error.message}`); });
}
const toggle = () => { if (players[active].paused) play(active); else players[active].pause(); };
const swap = () => play(active === "left" ? "right" : "left");
function seek(to) {
  const player = players[active];
  if (player.duration) player.currentTime = Math.min(Math.max(to, 0), player.duration - 0.05);
}
for (const side of ["left", "right"]) {
  const player = players[side];
  player.addEventListener("timeupdate", () => {
    // Seconds that were played, not jumped over.
    const now = player.currentTime, passed = tick[side] === null ? 0 : now - tick[side];
    if (!player.paused && passed > 0 && passed < 1.5) heard[side] += passed;
    tick[side] = now;
    if (side === active && player.duration) $("at").value = Math.round(1000 * now / player.duration);
    paint();
  });
  player.addEventListener("seeking", () => { tick[side] = null; });
  // A song shorter than the interval between two reports is heard once it ends.
  player.addEventListener("ended", () => { heard[side] = Math.max(heard[side], Math.min(player.duration, 0.5)); paint(); });
  for (const name of ["play", "pause"]) player.addEventListener(name, paint);
  player.addEventListener("error", () => { if (ballot) say("This song cannot be loaded."); });
  $(`play-${side}`).addEventListener("click", () => { if (side === active && !player.paused) player.pause(); else play(side); });
}
$("at").addEventListener("input", () => seek($("at").value / 1000 * (players[active].duration || 0)));
async function vote(choice) {
  if (busy || votes[0].disabled) return say("Listen to both songs first.");
  busy = true;
  paint();
  try {
    await ask("vote", {method: "POST", headers: {"Content-Type": "application/json"},
      body: JSON.stringify({ballot, choice, heard: [heard.left, heard.right]})});
    busy = false;
    await next();
  } catch (error) {
    busy = false;
    paint();
    say(`The vote was not kept: ${error.message}. Vote again.`);
  }
}
for (const button of votes) button.addEventListener("click", () => vote(button.dataset.choice));
const actions = {
  "1": () => play("left"), "2": () => play("right"), " ": toggle, x: swap, "0": () => seek(0),
  ArrowLeft: () => seek(players[active].currentTime - 5), ArrowRight: () => seek(players[active].currentTime + 5),
  f: () => vote("left"), j: () => vote("right"), t: () => vote("tie"),
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !ballot) return;
  if (event.key === " " && event.target.closest("button")) return;
  if (event.key.startsWith("Arrow") && event.target.closest("input")) return;
  const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
next();
})();
