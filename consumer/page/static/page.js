// The page: asks for the first answer, draws it, keeps it up, and opens what is asked for.

import { drawCalendar } from "./calendar.js";
import { budgetFacts, drawDay, waitsList } from "./day.js";
import { ago, ask, at, clock, command, count, el, facts, left, now, plural, setClock, state, table, tick, time } from "./dom.js";
import { Filling } from "./filling.js";
import { Deeds, lookAgain } from "./deeds.js";
import { drawFindings } from "./findings.js";
import { Live } from "./live.js";
import { drawMarket } from "./market.js";

const $ = (id) => document.getElementById(id);
let overview = null;
let calendar = null;
let older = [];
let open = null;
let seen = {};
const needsToken = () => overview?.needs_token;
const deeds = new Deeds({ needsToken, onDone: () => live.now(true) });
const filling = new Filling({ needsToken, onAsked: () => setTimeout(() => live.now(), 500) });

// What has not changed is not drawn again: nobody loses his place, and a screen reader is not told twice.
const draw = (id, value, make) => {
  const text = JSON.stringify(value);
  if (seen[id] === text) return;
  seen[id] = text;
  $(id).replaceChildren(...make().flat(3).filter(Boolean));
};

const SERVING = { served: "final", under_way: "running", suspect: "suspect", late: "late" };

const progress = (run) => run && [
  el("p", { class: "now" }, state(run.state, `cycle ${run.cycle} ${run.state}`), ` for ${run.trading_day}, since `, ago(run.started_at)),
  el("div", { class: "progress" }, Object.entries(run.parts).map(([task, parts]) => [
    el("span", {}, task), el("progress", { max: Math.max(1, parts.total), value: parts.done, "aria-label": `${task}: parts done` }),
    el("span", {}, `${count(parts.done)} of ${count(parts.total)} parts${parts.failed ? `, ${count(parts.failed)} failed` : ""}, ${count(run.rows[task] ?? 0)} rows`)])),
];

const drawVerdict = () => {
  const { status, serving, headline: sentence, waits } = overview;
  $("verdict").dataset.state = status.serving.service;
  if ($("sentence").textContent !== sentence) $("sentence").textContent = sentence;
  document.title = `${status.serving.service.replace("_", " ")} · ${sentence}`;
  const behind = Object.entries(status.behind);
  const { later, missing } = status.session;
  draw("verdict-more", [overview.read_at, { ...status, now: 0, next_due: { ...status.next_due, in_seconds: 0 } }, serving, waits], () => [
    missing.length ? el("ul", { class: "lacks" }, missing.slice(0, 6).map((line) => el("li", {}, line)), missing.length > 6 && el("li", {}, `and ${count(missing.length - 6)} more`)) : null,
    !status.last_run && !status.current ? el("p", { class: "soft" }, "Nothing has been loaded yet. A running service begins by itself at the next due time; to begin now: ", command("maintenance trigger")) : null,
    facts([
      ["due", [state(SERVING[status.serving.service], status.serving.service.replace("_", " ")), ` ${serving.replace("under_way", "under way")}`]],
      ["read", ago(overview.read_at)],
      ["next run", [status.next_due.reason, status.next_due.at ? [", ", left(status.next_due.at), ` (${at(status.next_due.at)})`] : ""]],
      ["comes later", later.length ? later.join("; ") : null],
      ["behind", behind.length ? `${count(behind.length)} older ${behind.length === 1 ? "session" : "sessions"}; see the findings` : null],
      ["last whole, final", `${status.last_run ?? "none yet"}, ${status.last_final ?? "none yet"}`],
      ["source", status.source?.words],
    ]),
    progress(status.current),
    waits.length ? [el("p", { class: "now" }, el("b", {}, "It waits for")), waitsList(waits)] : null,
  ]);
};

const drawTable = () => {
  const shown = { ...calendar, sessions: [...calendar.sessions, ...older.flatMap((one) => one.sessions)], closed: [...calendar.closed, ...older.flatMap((one) => one.closed)], before: (older.at(-1) ?? calendar).before };
  const focused = document.activeElement?.closest?.("#table td, #table th");
  const place = focused && [focused.parentElement.dataset.day, focused.cellIndex];
  draw("table", [shown, open], () => drawCalendar(shown, { open, onOpen: openDay, onOlder: showOlder }));
  if (place && !document.activeElement?.closest?.("#table")) document.querySelector(`#table tr[data-day="${place[0]}"]`)?.cells[place[1]]?.focus();
};

const showOlder = async (day) => {
  older.push(await ask(`/page/calendar/${day}`));
  drawTable();
};

const drawAll = () => {
  setClock(overview.status.now);
  calendar = overview.calendar;
  drawVerdict();
  drawTable();
  const focused = document.activeElement;
  draw("found", [overview.findings, deeds.about], () => drawFindings(overview.findings, { onFill: openFilled, deeds }));
  if (deeds.box.contains(focused)) focused.focus({ preventScroll: true });
  drawMarketOnce();
  live.atWork = Boolean(overview.status.current);
};

// Asked again when the bars of a session are not what they were: the figures are of each load once.
let marketOf = null;
const drawMarketOnce = async () => {
  const bars = JSON.stringify(overview.calendar.sessions.map((one) => [one.trading_day, one.cells?.find((cell) => cell.data_set === "daily_bars")?.state, one.in_progress]));
  if (bars === marketOf) return;
  marketOf = bars;
  const days = await ask("/page/market").catch(() => { marketOf = null; return null; });
  if (days && !live.paused) draw("market", days, () => drawMarket(days));
};

const failed = (error) => {
  document.body.dataset.away = "";
  banner(`${error.message}. ${overview ? `What you see is as of ${clock(overview.status.now)}.` : ""} Trying again.`);
  if (overview) return;
  $("verdict").dataset.state = "error";
  $("sentence").textContent = `Nothing can be said: ${error.message}`;
  $("verdict-more").replaceChildren(el("p", { class: "soft" }, "In a terminal, ", el("code", {}, "maintenance doctor"), " names the cause and its cure."));
};

const banner = (text) => { $("banner").hidden = !text; $("banner").textContent = text; };

const refresh = async (events, everything) => {
  try {
    const found = await ask("/page/overview");
    if (live.paused) return; // what was asked before the pause is not shown in it
    overview = found;
    delete document.body.dataset.away;
    if ($("live").dataset.state !== "away") banner("");
    drawAll();
  } catch (error) {
    failed(error);
    return;
  }
  if (everything || !logged) await readLog();
  else if (events.length) hear(events);
  if (open && !live.paused && (!events.length || live.atWork || events.some(({ event }) => event.trading_day === open || !event.trading_day))) await showDay(open);
};

// Asked for once, and after a break; what is told meanwhile comes by itself.
let logged = null;
const LOG_LENGTH = 60;
const readLog = async () => {
  const events = await ask("/page/log").catch(() => null);
  if (events && !live.paused) drawLog(events);
};

const hear = (events) => {
  const known = new Set(logged.map(({ id }) => id));
  drawLog([...events.filter(({ id }) => !known.has(id)).reverse(), ...logged].slice(0, LOG_LENGTH));
};

const drawLog = (events) => {
  logged = events;
  draw("log-shown", events, () => {
    if (!events.length) return [el("p", { class: "soft" }, "Nothing has been told yet; events come with the first cycle.")];
    const list = (some) => el("ol", { class: "log" }, some.map(line));
    const older = events.slice(LOG_FIRST);
    return [list(events.slice(0, LOG_FIRST)), older.length ? el("details", {}, el("summary", {}, `${count(older.length)} before these`), list(older)) : null];
  });
};

const LOG_FIRST = 12;
const line = ({ event }) => el("li", {}, el("time", { datetime: event.at, title: clock(event.at) }, at(event.at)), el("span", {}, event.event.replaceAll("_", " ")), el("span", { class: "soft" }, [event.trading_day, event.task, event.part, event.detail].filter(Boolean).join(" · ")));

const dayNeighbour = (step) => {
  const days = [...document.querySelectorAll("#table tr[data-day]")].map((one) => one.dataset.day);
  const to = days[days.indexOf(open) - step];
  if (to) openDay(to);
};

const showDay = async (day) => {
  try {
    const found = await ask(`/page/day/${day}`);
    if (open !== day) return;
    const focused = document.activeElement?.id;
    draw("day", [day, { ...found, status: { ...found.status, updated_at: 0, run: null } }], () => drawDay(found, { now: now(), onClose: closeDay, onDay: dayNeighbour, fill: filling.box }));
    if (focused === "day-heading") $("day-heading")?.focus();
  } catch (error) {
    seen.day = null;
    $("day").replaceChildren(el("p", { class: "note bad" }, error.message), el("button", { type: "button", onclick: closeDay }, "Close"));
  }
};

const openDay = async (day) => {
  if (open !== day) { filling.span(day); seen.day = null; $("day").replaceChildren(el("p", { class: "loading", id: "day-heading" }, `Asking about ${day} …`)); }
  open = day;
  $("day").hidden = false;
  history.replaceState(null, "", `#${day}`);
  drawTable();
  await showDay(day);
  $("day-heading")?.focus({ preventScroll: true });
  $("day").scrollIntoView({ block: "nearest" });
};

const openFilled = async (first, last) => {
  await openDay(last);
  filling.span(first, last);
  await filling.forecast();
  (filling.box.querySelector("button.main") ?? filling.first).focus();
};

const closeDay = () => {
  const day = open;
  open = null;
  $("day").hidden = true;
  history.replaceState(null, "", location.pathname);
  drawTable();
  document.querySelector(`#table tr[data-day="${day}"] th`)?.focus();
};

const LIVE = { live: "live", paused: "paused", away: "not connected", asking: "asking every half minute" };
const tell = (name) => {
  $("live").dataset.state = name;
  $("live-words").textContent = LIVE[name];
  if (name === "away") { document.body.dataset.away = ""; document.title = `not connected · ${document.title.replace(/^not connected · /, "")}`; banner(`The service does not answer. ${overview ? `What you see is as of ${clock(overview.status.now)}.` : ""} Trying again.`); }
  if (name === "live" || name === "asking") { delete document.body.dataset.away; banner(""); }
};
const live = new Live({ refresh, tell });

const pause = () => {
  const pausing = !live.paused;
  $("pause").setAttribute("aria-pressed", String(pausing));
  $("pause").textContent = pausing ? "Resume" : "Pause";
  if (pausing) { live.pause(); return; }
  live.start();
  live.now(true);
};

const THEMES = ["system", "light", "dark"];
const setTheme = (name) => {
  if (name === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
  $("theme").textContent = `Theme: ${name}`;
  localStorage.setItem("maintenance-theme", name);
};
const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(localStorage.getItem("maintenance-theme") ?? "system") + 1) % 3]);

const showSymbol = async (event) => {
  event.preventDefault();
  const name = $("symbol-name").value.trim();
  $("symbol-shown").replaceChildren(el("p", { class: "card loading" }, `Asking about ${name} …`));
  try {
    const [{ drawSymbol }, found] = await Promise.all([import("./symbol.js"), ask(`/page/symbol/${encodeURIComponent(name)}`)]);
    await drawSymbol($("symbol-shown"), found);
  } catch (error) {
    $("symbol-shown").replaceChildren(el("p", { class: "card note bad" }, error.message));
  }
};

const showBudget = async () => {
  if (!$("budget-details").open) return;
  $("budget-shown").replaceChildren(el("p", { class: "loading" }, "Asking the plan …"));
  try { $("budget-shown").replaceChildren(budgetFacts(await ask("/page/budget"))); } catch (error) { $("budget-shown").replaceChildren(el("p", { class: "note bad" }, error.message)); }
};

const DECIDED = { replayed: "done", dropped: "retired", accepted: "retired", rejected: "retired" };
const showDecided = async () => {
  if (!$("decided-details").open) return;
  try {
    const found = await ask("/page/decided");
    $("decided-shown").replaceChildren(found.length ? table("Decisions", ["when", "what", "as", "who", "why"], found.map((one) => [time(one.at), `${one.what} ${one.about}`, state(DECIDED[one.settled] ?? "retired", one.settled), one.by, one.reason ?? "no reason given"])) : el("p", { class: "soft" }, "Nobody had to."));
  } catch (error) { $("decided-shown").replaceChildren(el("p", { class: "note bad" }, error.message)); }
};

$("again").append(lookAgain(needsToken, (found) => {
  overview = found;
  drawAll();
  return `Looked again at ${clock(found.status.now)}: ${found.findings.length ? plural(found.findings.length, "finding") : "nothing found"}.`;
}));
$("decided-details").addEventListener("toggle", showDecided);
$("pause").addEventListener("click", pause);
$("theme").addEventListener("click", nextTheme);
$("symbol-form").addEventListener("submit", showSymbol);
$("budget-details").addEventListener("toggle", showBudget);
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && open) closeDay();
  if (event.key === "p") pause();
  if (event.key === "t") nextTheme();
  if (event.key === "/") { event.preventDefault(); $("symbol-name").focus(); }
});
setTheme(localStorage.getItem("maintenance-theme") ?? "system");
setInterval(tick, 1000);
live.start();
live.now().then(() => { if (/^#\d{4}-\d\d-\d\d$/.test(location.hash)) openDay(location.hash.slice(1)); });
