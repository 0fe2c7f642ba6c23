// Makes elements, says times in New York's hours, and asks the service.

export const el = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
};

const SVG = "http://www.w3.org/2000/svg";
export const svg = (name, attributes = {}, ...children) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// A shape for each state, so that none is told by its colour alone.
const CIRCLE = { d: "M8 1.8a6.2 6.2 0 1 1 0 12.4a6.2 6.2 0 1 1 0-12.4z" };
const SHAPES = {
  final: [{ ...CIRCLE, class: "full" }, { d: "M5 8.2l2.2 2.2L11.2 6", class: "cut" }],
  provisional: [CIRCLE, { d: "M8 2a6 6 0 0 1 0 12z", class: "full" }],
  partial: [{ d: "M8 1.8A6.2 6.2 0 1 0 14.2 8H8z" }],
  missing: [{ d: "M2.5 2.5h11v11h-11z" }, { d: "M5.5 5.5l5 5m0-5l-5 5" }],
  suspect: [{ d: "M8 1.8L14.8 14H1.2z" }, { d: "M8 6v4M8 12v.1" }],
  running: [{ d: "M8 1.8A6.2 6.2 0 1 1 1.8 8" }, { d: "M1.8 8l-.8-2.4M1.8 8l2.3-.9" }],
  queued: [{ d: "M3 8h.1M8 8h.1M13 8h.1" }],
  retired: [{ d: "M3 8h10" }],
  due: [CIRCLE, { d: "M8 4.6V8l2.3 1.6" }],
};
Object.assign(SHAPES, {
  late: SHAPES.suspect, failed: SHAPES.missing, not_yet: SHAPES.due, done: SHAPES.final, complete: SHAPES.final,
  waiting: SHAPES.queued, ready: SHAPES.queued, blocked: SHAPES.queued, pending: SHAPES.queued, retrying: SHAPES.partial,
  in_progress: SHAPES.running, cancelled: SHAPES.retired, superseded: SHAPES.retired,
});

export const state = (name, words = name) => {
  const shape = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  for (const path of SHAPES[name] ?? SHAPES.retired) shape.append(svg("path", path));
  return el("span", { class: `state s-${name}`, title: words }, shape, el("span", { class: "word" }, words.replaceAll("_", " ")));
};

// Times are told by the service's clock: this machine's may be wrong.
let ahead = 0;
export const setClock = (instant) => { ahead = new Date(instant) - Date.now(); };
export const now = () => new Date(Date.now() + ahead);

const zone = { timeZone: "America/New_York" };
const hours = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { ...zone, weekday: "short", day: "2-digit", month: "short" });
const dated = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "short", day: "2-digit", month: "short" });
const years = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" });

export const clock = (instant) => `${seconds.format(new Date(instant))} ET`;
export const at = (instant) => {
  const one = new Date(instant);
  const time = `${hours.format(one)} ET`;
  return days.format(one) === days.format(now()) ? time : `${days.format(one)} ${time}`.replace(",", "");
};
export const dayWords = (day) => dated.format(new Date(`${day}T12:00:00Z`)).replace(",", "");
export const dayInFull = (day) => years.format(new Date(`${day}T12:00:00Z`));
export const time = (instant) => el("time", { datetime: instant, title: new Date(instant).toISOString() }, at(instant));

export const lasting = (s) => {
  const [span, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([one]) => s >= one) ?? [1, "s"];
  const whole = Math.floor(s / span);
  const rest = unit === "h" && s < 36000 ? Math.floor((s % 3600) / 60) : 0;
  return `${whole} ${unit}${rest ? ` ${rest} min` : ""}`;
};
export const count = (number) => (number ?? 0).toLocaleString("en-US");
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

// Spans that tell an age or what is left; brought up to date each second, without a word to screen readers.
export const ago = (instant) => el("span", { "data-ago": instant }, agoWords(instant));
export const left = (instant) => el("span", { "data-left": instant }, leftWords(instant));
const agoWords = (instant) => `${lasting(Math.max(0, (now() - new Date(instant)) / 1000))} ago`;
const leftWords = (instant) => {
  const s = (new Date(instant) - now()) / 1000;
  return s > 0 ? `in ${lasting(s)}` : "now";
};
export const tick = () => {
  for (const one of document.querySelectorAll("[data-ago]")) one.textContent = agoWords(one.dataset.ago);
  for (const one of document.querySelectorAll("[data-left]")) one.textContent = leftWords(one.dataset.left);
};

export const command = (text) => {
  const button = el("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select and copy it"; }
  } }, "Copy");
  return el("span", { class: "command" }, el("code", {}, text), button);
};

export const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

// Lines of a text, each for itself.
export const lines = (text) => text.split("\n").map((one) => el("div", {}, one.trim()));

// It may be wider than its place: then the keyboard scrolls it.
export const table = (caption, heads, rows) => el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption ?? heads.filter(Boolean).join(", ") }, el("table", {},
  caption ? el("caption", {}, caption) : null,
  el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
  el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, n) => el(n ? "td" : "th", n ? { class: typeof cell === "number" ? "number" : null, "data-head": heads[n] } : { scope: "row" }, typeof cell === "number" ? count(cell) : cell ?? "")))))));

// What the service refuses is a problem document, whose detail names the cure.
export class Refused extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}
export const ask = async (path, options = {}) => {
  let answer;
  try {
    answer = await fetch(path, { ...options, signal: AbortSignal.timeout(30000) });
  } catch {
    throw new Refused(0, "the service does not answer");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.detail ?? `the service answered ${answer.status}`);
  return body;
};
