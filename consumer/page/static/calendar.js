// Draws the sessions as a table that the keyboard moves in: what stands of each data set, and what is being done.

import { dayWords, el, state } from "./dom.js";

const NAMES = { daily_bars: "daily bars", volume_slots: "volume slots", slot_trades: "trades a slot", others: "figures, caches" };
const LEGEND = ["final", "provisional", "partial", "missing", "suspect", "running", "queued", "due", "retired"];

// One word a cell: what is being done comes before what stands, so that nothing queued looks done.
export const wordOf = (cell) => cell.doing ?? (cell.due && cell.state === "missing" ? "due" : cell.state);

const notes = (cell) => [
  cell.late && el("span", { class: "note bad" }, "deadline missed"),
  cell.doing && cell.state !== "missing" && el("span", { class: "note" }, `${cell.state} stands`),
  cell.counted && !(cell.data_set === "others" && cell.state === "missing") && el("span", { class: "note" }, cell.state === "partial" && cell.data_set === "others" ? `lacks ${cell.counted}` : cell.counted),
  cell.due && el("span", { class: "note" }, `by ${cell.due}`),
  cell.outdated && el("span", { class: "note bad" }, "outdated"),
  cell.backfilled && el("span", { class: "note" }, "backfilled"),
];

const dataCell = (cell, name) => {
  if (!cell) return el("td", { class: `of-${name}`, tabindex: -1 }, el("span", { class: "note", title: "not kept of this session" }, "–", el("span", { class: "sr" }, " not kept")));
  return el("td", { class: `of-${name}`, tabindex: -1, title: cell.why ?? null }, state(wordOf(cell)), notes(cell));
};

const row = (one, columns, open) => {
  const cells = Object.fromEntries((one.cells ?? []).map((cell) => [cell.data_set, cell]));
  const word = one.doing ?? (one.in_progress ? "due" : one.state);
  return el("tr", { "data-day": one.trading_day, "aria-selected": open === one.trading_day ? "true" : "false" },
    el("th", { scope: "row", tabindex: -1 }, dayWords(one.trading_day), one.early_close && el("span", { class: "note" }, ` early close ${one.closes}`)),
    el("td", { tabindex: -1, title: one.sentence, class: "of-session" }, state(word, one.in_progress && word === "due" ? "in progress" : word), one.late && el("span", { class: "note bad" }, "deadline missed")),
    columns.map(({ name }) => dataCell(cells[name], name)));
};

const weekOf = (day) => { const one = new Date(`${day}T12:00:00Z`); return Math.floor((one / 86400000 + 3) / 7); };

export const drawCalendar = (calendar, { open, onOpen, onOlder }) => {
  const { columns } = calendar;
  const lines = [...calendar.sessions.map((one) => ({ day: one.trading_day, one })), ...calendar.closed.map((one) => ({ day: one.day, closed: one }))]
    .sort((a, b) => (a.day < b.day ? 1 : -1));
  const rows = lines.map(({ day, one, closed }, n) => {
    const made = one ? row(one, columns, open) : el("tr", { class: "closed" }, el("td", { colspan: columns.length + 2 }, `${dayWords(day)}: closed, ${closed.reason}`));
    if (lines[n + 1] && weekOf(lines[n + 1].day) !== weekOf(day)) made.classList.add("week");
    return made;
  });
  const grid = el("table", { class: "grid", role: "grid", "aria-label": "Sessions by data set" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "session"), el("th", { scope: "col" }, "in all"), columns.map((one) => el("th", { scope: "col", class: `of-${one.name}`, title: one.meaning }, NAMES[one.name] ?? one.name)))),
    el("tbody", {}, rows));
  moveIn(grid, onOpen);
  return [
    grid,
    calendar.before && el("p", {}, el("button", { type: "button", class: "plain", onclick: () => onOlder(calendar.before) }, "Older sessions")),
    el("p", { class: "legend" }, LEGEND.map((name) => state(name))),
  ];
};

// One cell can be reached by Tab; arrows, Home and End move from there. Enter, Space or a click opens its day.
const moveIn = (grid, onOpen) => {
  const rows = [...grid.tBodies[0].rows].filter((one) => one.dataset.day);
  if (rows[0]) rows[0].cells[0].tabIndex = 0;
  const focus = (cell) => {
    if (!cell) return;
    for (const other of grid.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  };
  grid.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td, th");
    const at = rows.indexOf(cell?.parentElement);
    if (at < 0) return;
    const { cellIndex } = cell;
    const cells = rows[at].cells;
    const to = { ArrowDown: rows[at + 1]?.cells[cellIndex], ArrowUp: rows[at - 1]?.cells[cellIndex], ArrowRight: cells[cellIndex + 1], ArrowLeft: cells[cellIndex - 1], Home: cells[0], End: cells[cells.length - 1] };
    if (event.key in to) { event.preventDefault(); focus(to[event.key]); }
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onOpen(rows[at].dataset.day); }
  });
  grid.addEventListener("click", (event) => {
    const line = event.target.closest("tr[data-day]");
    if (line) onOpen(line.dataset.day);
  });
};
