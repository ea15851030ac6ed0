"use strict";
// Only the rows in sight are in the document, so that 100,000 calls scroll as smoothly as ten.
// Text from calls reaches the page by textContent alone, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const [rowsBox, spacer, axis, overview] = ["rows", "spacer", "axis", "overview"].map(element);
const ROW = 20, TURN_ROW = 28, OVERSCAN = 12;

const calls = data.turns.flatMap((turn, number) => turn.calls.map((fields) => {
  const [id, tool, status, submitted, started, ended, flags, attempts, branch, text, error] = fields;
  return { id, tool: data.tools[tool], status: data.statuses[status], submitted, started, ended,
    flags: data.flags.filter((_, bit) => flags >> bit & 1), attempts, branch, text, error, turn: number };
}));
const begins = (call) => call.started ?? call.submitted;
const origin = (call) => state.origin === "turn" ? data.turns[call.turn].start : 0;

const state = { statuses: new Set(data.statuses), tool: "", find: "", view: "calls", origin: "turn",
  from: 0, to: 1, rows: [], order: [], chosen: null, limit: 1, busy: null };

// --- which rows there are -------------------------------------------------------------------

function matches(call) {
  if (!state.statuses.has(call.status) || (state.tool && call.tool !== state.tool)) return false;
  if (!state.find) return true;
  const words = [call.id, call.tool, call.branch, call.text, call.error];
  return words.some((word) => word && word.toLowerCase().includes(state.find));
}

function packed(found) {
  const lanes = new Map();
  for (const call of [...found].sort((a, b) => begins(a) - begins(b))) {
    if (!lanes.has(call.tool)) lanes.set(call.tool, []);
    const rows = lanes.get(call.tool);
    const free = rows.find((row) => row.until <= begins(call));
    if (free) { free.calls.push(call); free.until = call.ended; }
    else rows.push({ calls: [call], until: call.ended, name: rows.length ? "" : call.tool });
  }
  return [...lanes.values()].flat();
}

function rebuild() {
  const shown = calls.filter(matches), byTurn = data.turns.map(() => []);
  for (const call of shown) byTurn[call.turn].push(call);
  state.rows = [];
  let top = 0;
  const add = (row, height) => { state.rows.push({ ...row, top, height }); top += height; };
  data.turns.forEach((turn, number) => {
    const found = byTurn[number];
    if (!found.length) return;
    add({ turn: number, name: turn.name, count: found.length, calls: [] }, TURN_ROW);
    const rows = state.view === "lanes" ? packed(found) : found.map((call) => ({ calls: [call] }));
    for (const row of rows) add(row, ROW);
  });
  state.order = state.rows.flatMap((row) => row.calls);
  state.rows.forEach((row, number) => row.calls.forEach((call) => { call.row = number; }));
  if (!state.order.includes(state.chosen)) state.chosen = null;
  state.limit = Math.max(1, calls.reduce((most, call) => Math.max(most, call.ended - origin(call)), 0));
  state.busy = null;
  spacer.style.height = `${top}px`;
  element("shown").textContent = `${shown.length.toLocaleString()} of ${calls.length.toLocaleString()} calls`;
  draw();
}

// --- drawing --------------------------------------------------------------------------------

function time(us) {
  const [value, unit] = us >= 1e6 ? [us / 1e6, "s"] : us >= 1e3 ? [us / 1e3, "ms"] : [us, "µs"];
  return `${value >= 1000 ? value.toFixed(0) : Number(value.toPrecision(3))} ${unit}`;
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function ticks() {
  const span = state.to - state.from, rough = span / Math.max(2, axis.clientWidth / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let at = Math.ceil(state.from / step) * step; at <= state.to; at += step) found.push([at, step]);
  return found;
}

function tickText(at, step) {
  const [unit, name] = state.to >= 1e6 ? [1e6, "s"] : state.to >= 1e3 ? [1e3, "ms"] : [1, "µs"];
  const digits = Math.min(6, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
  return at === 0 ? "0" : `${(at / unit).toFixed(digits)} ${name}`;
}

let asked = false;
function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; drawNow(); });
}

function drawNow() {
  const scrollbar = rowsBox.offsetWidth - rowsBox.clientWidth;
  document.documentElement.style.setProperty("--bar", `${scrollbar}px`);
  const marks = ticks();
  axis.replaceChildren(...marks.map(([at, step]) => {
    const mark = make("span", "", tickText(at, step));
    mark.style.left = `${100 * (at - state.from) / (state.to - state.from)}%`;
    return mark;
  }));
  element("span").textContent = `${time(state.to - state.from)} in sight`;
  drawRows(marks);
  drawOverview();
}

function drawRows(marks) {
  const focused = rowsBox.contains(document.activeElement);
  const first = rowsBox.scrollTop - OVERSCAN * ROW, last = rowsBox.scrollTop + rowsBox.clientHeight + OVERSCAN * ROW;
  const made = [];
  for (let number = firstRow(first); number < state.rows.length && state.rows[number].top < last; number++) {
    made.push(drawRow(state.rows[number], number, marks));
  }
  // The spacer keeps its height meanwhile: a box that is empty for a moment loses its scroll position.
  spacer.replaceChildren(...made);
  const chosen = rowsBox.querySelector(".chosen");
  const reachable = chosen ?? rowsBox.querySelector(".bar");
  if (reachable) reachable.tabIndex = 0;
  // A focused bar that leaves the document would take the keyboard with it.
  if (focused) (chosen ?? rowsBox).focus({ preventScroll: true });
}

function firstRow(top) {
  let low = 0, high = state.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (state.rows[middle].top + state.rows[middle].height < top) low = middle + 1; else high = middle;
  }
  return low;
}

function drawRow(row, number, marks) {
  const box = make("div", row.turn === undefined ? "row" : "row turn");
  box.style.top = `${row.top}px`;
  box.setAttribute("role", "listitem");
  box.setAttribute("aria-setsize", state.rows.length);
  box.setAttribute("aria-posinset", number + 1);
  const name = make("div", "name"), track = make("div", "track");
  box.append(name, track);
  if (row.turn !== undefined) {
    const button = make("button", "link", row.name);
    button.title = "Zoom to this turn";
    button.addEventListener("click", () => zoomToTurn(row.turn));
    name.append(button);
    track.textContent = `${row.count.toLocaleString()} calls, ${time(data.turns[row.turn].wall)}`;
    return box;
  }
  const only = state.view === "calls" ? row.calls[0] : null;
  if (only) name.append(make("b", "", only.id), make("i", "", only.tool));
  else name.append(make("b", "", row.name));
  name.title = name.textContent;
  for (const [at] of marks) track.append(placed(make("div", "grid"), at));
  for (const call of only ? row.calls : visible(row.calls)) drawCall(track, call, only !== null);
  return box;
}

// The calls of a lane that can be told apart: of those that end within a pixel one is enough.
function visible(lane) {
  const apart = 1.5 * (state.to - state.from) / Math.max(1, axis.clientWidth);
  let edge = -Infinity;
  return lane.filter((call) => {
    const end = call.ended - origin(call);
    if (call.status === "ok" && call !== state.chosen && end < edge + apart) return false;
    edge = end;
    return true;
  });
}

const share = (us) => (us - state.from) / (state.to - state.from);

function placed(made, from, to) {
  made.style.left = `${100 * share(from)}%`;
  if (to !== undefined) made.style.width = `${100 * (share(to) - share(from))}%`;
  return made;
}

function drawCall(track, call, roomy) {
  const shift = origin(call), [submitted, start, end] = [call.submitted, begins(call), call.ended].map((at) => at - shift);
  if (end < state.from || submitted > state.to) return;
  if (roomy && start > submitted) track.append(placed(make("div", "wait"), submitted, start));
  const never = call.started === null ? " never" : "";
  const bar = placed(make("button", `bar ${call.status} ${call.flags.join(" ")}${never}`), start, end);
  bar.call = call;
  bar.tabIndex = -1;
  if (call === state.chosen) bar.classList.add("chosen");
  bar.setAttribute("aria-label", `${call.id}, ${call.tool}, ${call.status}, ${time(end - start)}`);
  track.append(bar);
  if (roomy) track.append(besides(call, start, end));
}

function besides(call, start, end) {
  const text = make("span", `text ${call.status}`, call.started === null ? "not started " : `${time(end - start)} `);
  const marks = [call.status === "ok" ? "" : call.status, ...call.flags].filter(Boolean).join(" · ");
  text.append(make("b", "", marks));
  if (share(end) < 0.82) text.style.left = `calc(${100 * Math.max(0, share(end))}% + 7px)`;
  else text.style.right = `calc(${100 * Math.max(0, 1 - share(Math.max(start, state.from)))}% + 7px)`;
  return text;
}

function drawOverview() {
  const scale = devicePixelRatio || 1, width = overview.clientWidth, height = overview.clientHeight;
  overview.width = width * scale;
  overview.height = height * scale;
  // Counting sorts every call, which is too slow to repeat while scrolling.
  if (state.busy?.length !== Math.max(1, width)) state.busy = inFlight(Math.max(1, width));
  const busy = state.busy, peak = Math.max(1, ...busy);
  element("peak").textContent = `${peak.toLocaleString()} in flight at most`;
  const look = getComputedStyle(document.documentElement), brush = overview.getContext("2d");
  brush.scale(scale, scale);
  brush.fillStyle = look.getPropertyValue("--soft");
  busy.forEach((count, x) => brush.fillRect(x, height - (height - 4) * count / peak, 1, height));
  brush.fillStyle = look.getPropertyValue("--focus");
  brush.globalAlpha = 0.18;
  const [left, right] = [state.from, state.to].map((at) => width * at / state.limit);
  if (right - left < width - 1) brush.fillRect(left, 0, right - left, height);
}

// The most calls in flight at once within each pixel column; of several turns on one axis, the
// busiest counts.
function inFlight(width) {
  const busy = new Array(width).fill(0);
  const begun = state.order.filter((call) => call.started !== null);
  const together = state.origin === "turn" ? data.turns.map((_, turn) => begun.filter((call) => call.turn === turn)) : [begun];
  for (const group of together) countInFlight(group, busy);
  return busy;
}

function countInFlight(group, busy) {
  const steps = group.flatMap((call) => [[call.started - origin(call), 1], [call.ended - origin(call), -1]]);
  steps.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let count = 0, column = 0;
  for (const [at, change] of steps) {
    const next = Math.min(busy.length - 1, Math.floor(busy.length * at / state.limit));
    while (column < next) {
      column++;
      busy[column] = Math.max(busy[column], count);
    }
    count += change;
    busy[column] = Math.max(busy[column], count);
  }
}

// --- details --------------------------------------------------------------------------------

function describe(call) {
  const list = make("dl"), shift = data.turns[call.turn].start;
  const line = (name, value, tag) => {
    const cell = make("dd");
    cell.append(value instanceof Node ? value : make(tag ?? "span", "", value));
    list.append(make("dt", "", name), cell);
  };
  const status = [call.status, ...call.flags].join(" · ");
  line("call", `${call.id} · ${call.tool} · ${data.turns[call.turn].name}${call.branch === null ? "" : ` · branch ${call.branch}`}`);
  line("status", make("span", `mark ${call.status}`, status + (call.attempts > 1 ? ` · ${call.attempts} attempts` : "")));
  line("times", (call.started === null ? "never started" : `waited ${time(call.started - call.submitted)}, ran ${time(call.ended - call.started)}`)
    + `, ended ${time(call.ended - shift)} after the turn began`);
  if (call.error) line("error", call.error, "code");
  if (call.text) line("arguments", call.text, "code");
  element("details").classList.remove("empty");
  element("details").replaceChildren(list);
}

// Keys move the view to the call; a pointer is there already.
function choose(call, move = false) {
  state.chosen = call;
  describe(call);
  if (!move) return draw();
  const row = state.rows[call.row];
  if (row.top < rowsBox.scrollTop) rowsBox.scrollTop = row.top;
  const below = row.top + row.height - rowsBox.clientHeight;
  if (below > rowsBox.scrollTop) rowsBox.scrollTop = below;
  const [start, end] = [begins(call), call.ended].map((at) => at - origin(call));
  if (end < state.from || start > state.to) moveTo(start - (state.to - state.from) / 2, state.to - state.from);
  rowsBox.scrollIntoView({ block: "nearest" });
  drawNow();
  rowsBox.querySelector(".chosen")?.focus({ preventScroll: true });
}

// --- zoom -----------------------------------------------------------------------------------

function moveTo(from, span) {
  const width = Math.min(state.limit, Math.max(10, span));
  state.from = Math.min(Math.max(0, from), state.limit - width);
  state.to = state.from + width;
  draw();
}

// By key or button, the chosen call stays where it is.
function zoom(factor, at = chosenShare()) {
  const span = state.to - state.from, middle = state.from + at * span;
  moveTo(middle - at * span * factor, span * factor);
}

function chosenShare() {
  if (!state.chosen) return 0.5;
  const [start, end] = [begins(state.chosen), state.chosen.ended].map((at) => share(at - origin(state.chosen)));
  return end < 0 || start > 1 ? 0.5 : (Math.max(0, start) + Math.min(1, end)) / 2;
}

const fit = () => moveTo(0, state.limit);

function zoomToTurn(number) {
  const { start, wall } = data.turns[number], from = state.origin === "turn" ? 0 : start;
  moveTo(from - wall * 0.02, wall * 1.06);
  const row = state.rows.find((candidate) => candidate.turn === number);
  if (row) rowsBox.scrollTop = row.top;
}

// --- wiring ---------------------------------------------------------------------------------

function wireControls() {
  const counts = (key) => calls.reduce((map, call) => map.set(call[key], (map.get(call[key]) ?? 0) + 1), new Map());
  const statuses = counts("status"), tools = counts("tool");
  for (const status of data.statuses.filter((name) => statuses.has(name))) {
    const label = make("label"), box = make("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      state.statuses[box.checked ? "add" : "delete"](status);
      rebuild();
    });
    label.append(box, make("span", `mark ${status}`, `${status} ${statuses.get(status).toLocaleString()}`));
    element("statuses").append(label);
  }
  for (const tool of data.tools) element("tool").append(new Option(`${tool} (${tools.get(tool) ?? 0})`, tool));
  element("tool").addEventListener("change", (event) => { state.tool = event.target.value; rebuild(); });
  element("view").addEventListener("change", (event) => { state.view = event.target.value; rebuild(); });
  element("find").addEventListener("input", (event) => { state.find = event.target.value.toLowerCase(); rebuild(); });
  element("origin").addEventListener("change", (event) => { state.origin = event.target.value; rebuild(); fit(); });
  element("controls").addEventListener("submit", (event) => event.preventDefault());
  element("zoom-in").addEventListener("click", () => zoom(0.5));
  element("zoom-out").addEventListener("click", () => zoom(2));
  element("zoom-fit").addEventListener("click", fit);
  for (const button of document.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => zoomToTurn(Number(button.dataset.turn)));
  }
}

function wireRows() {
  rowsBox.addEventListener("scroll", draw);
  rowsBox.addEventListener("pointerover", (event) => { if (event.target.call) describe(event.target.call); });
  rowsBox.addEventListener("pointerleave", () => { if (state.chosen) describe(state.chosen); });
  rowsBox.addEventListener("click", (event) => { if (event.target.call) choose(event.target.call); });
  rowsBox.addEventListener("focusin", (event) => { if (event.target.call && event.target.call !== state.chosen) choose(event.target.call); });
  rowsBox.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 20, PageUp: -20, Home: -Infinity, End: Infinity }[event.key];
    const at = state.order.indexOf(state.chosen);
    if (step === undefined || !state.order.length) return;
    event.preventDefault();
    choose(state.order[Math.min(state.order.length - 1, Math.max(0, at + step))], true);
  });
  rowsBox.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const box = axis.getBoundingClientRect(), turned = event.deltaY || event.deltaX;
    if (event.ctrlKey) zoom(1.0015 ** turned, Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    else moveTo(state.from + turned / box.width * (state.to - state.from), state.to - state.from);
  }, { passive: false });
}

function wireOverview() {
  let from = null;
  const at = (event) => state.limit * event.offsetX / overview.clientWidth;
  overview.addEventListener("pointerdown", (event) => { from = at(event); overview.setPointerCapture(event.pointerId); });
  overview.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = at(event), few = 4 * state.limit / overview.clientWidth;
    if (Math.abs(to - from) > few) moveTo(Math.min(from, to), Math.abs(to - from));
  });
  overview.addEventListener("pointerup", () => { from = null; });
  overview.addEventListener("dblclick", fit);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
  const action = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: fit }[event.key];
  if (action) action();
});
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

element("chart").hidden = calls.length === 0;
wireControls();
wireRows();
wireOverview();
rebuild();
fit();
