// Draws one session, opened: what stands, what ran, what it waits for, what was found, and what filling it would cost.

import { ago, at, count, dayInFull, el, facts, lasting, left, lines, plural, state, svg, table, time } from "./dom.js";

export const waitsList = (waits) => waits.length > 0 && el("ul", { class: "waits" }, waits.map((one) => el("li", {}, el("b", {}, one.what), one.until && [", ", left(one.until)], ": ", el("span", { class: "soft" }, one.evidence))));

const WHOLE = ["final", "provisional", "retired"];

const dataSets = (day) => table(null, ["data set", "state", "rows or symbols", "fetched, from"], day.data_sets.map(({ verdict: one, due, deadline }) => [
  one.data_set,
  [state(one.later && one.state === "missing" ? "due" : one.state), one.outdated && el("span", { class: "note bad" }, " outdated"), !WHOLE.includes(one.state) && el("div", { class: "note" }, `due ${due}, at the latest `, at(deadline)), one.why && el("div", { class: "note" }, one.why)],
  [one.expected ? `${count(one.loaded)} of ${count(one.expected)}` : count(one.loaded), one.empty ? el("div", { class: "note" }, `${count(one.empty)} without trades`) : null, one.unproven ? el("div", { class: "note" }, `${count(one.unproven)} unproven`) : null],
  [one.since ? time(one.since) : "never", one.source && el("div", { class: "note" }, [one.source, one.cycle && `cycle ${one.cycle}`].filter(Boolean).join(", ")), one.request_id && el("div", { class: "note" }, "request ", el("code", {}, one.request_id))],
]));

const bar = (span, from, to) => {
  const start = new Date(span.began_at), end = span.ended_at ? new Date(span.ended_at) : to;
  const scale = 1000 / Math.max(1, to - from);
  const drawn = svg("svg", { class: "time", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "all", width: 1000, height: 10 }));
  if (span.began_at) drawn.append(svg("rect", { class: span.failed ? "failed" : span.open ? "" : "done", x: (start - from) * scale, width: Math.max(6, (end - start) * scale), height: 10, rx: 2 }));
  return drawn;
};

const run = (one, now, day) => {
  const { report } = one;
  const from = new Date(report.started_at), to = report.completed_at ? new Date(report.completed_at) : now;
  const about = one.first_day ? `, backfill of ${one.first_day} to ${one.trading_day}` : one.trading_day === day ? "" : `, for ${one.trading_day}; it brought what stands here`;
  const parts = one.parts.filter((part) => part.task !== "cycle");
  const troubled = parts.filter((part) => ["failed", "not_yet", "retrying"].includes(part.state));
  return el("div", { class: "run" },
    el("p", {}, el("b", {}, `Cycle ${report.cycle}`), " ", state(report.state), ` ${one.occasion}${about}, by ${report.requested_by}`),
    el("p", { class: "soft" }, "from ", time(report.started_at), report.completed_at ? [" to ", time(report.completed_at)] : " on", `, ${lasting(report.duration_seconds ?? 0)}; pass ${one.run_pass}; `, plural(Object.values(report.requests).reduce((a, b) => a + b, 0), "request")),
    report.reason && el("p", {}, report.reason),
    report.next_try_at && el("p", {}, "Next try ", left(report.next_try_at), ", ", time(report.next_try_at)),
    el("div", { class: "spans" }, table(null, ["task", "when", "parts", "attempts"], one.spans.map((span) => [span.task, bar(span, from, to), [`${count(span.done)} done`, span.failed ? el("span", { class: "note bad" }, ` ${count(span.failed)} failed`) : null, span.open ? el("span", { class: "note" }, ` ${count(span.open)} open`) : null], span.attempts]))),
    parts.length > 0 && el("details", { open: troubled.length > 0 || null }, el("summary", {}, troubled.length ? `${plural(troubled.length, "part")} in trouble` : "Its parts"),
      table(null, ["part", "state", "held by, since", "rows", "why"], (troubled.length ? troubled : parts).map((part) => [`${part.task} ${part.part}`, state(part.state), part.state === "running" ? [part.holder, el("div", { class: "note" }, "since ", ago(part.started_at), `, attempt ${part.attempt}`)] : part.started_at ? time(part.started_at) : "", part.row_count, [part.reason ?? "", part.failure_class ? el("div", { class: "note" }, part.failure_class) : null, part.state === "blocked" ? el("div", { class: "note" }, `waits for ${part.needs.join(", ")}`) : null]]))));
};

const fold = (title, number, content) => number > 0 && [el("h3", {}, title), content];
const told = (value) => (value === null ? "nothing" : Object.entries(value).filter(([, one]) => one !== null).map(([name, one]) => `${name} ${one}`).join(", "));

export const drawDay = (day, { now, onClose, onDay, fill }) => {
  const { row, status } = day;
  return [
    el("div", { class: "day-head" }, el("h3", { id: "day-heading", tabindex: -1 }, dayInFull(row.trading_day)),
      el("button", { type: "button", onclick: () => onDay(-1), "aria-label": "The session before" }, "‹"),
      el("button", { type: "button", onclick: () => onDay(1), "aria-label": "The session after" }, "›"),
      el("button", { type: "button", onclick: onClose }, "Close")),
    el("p", {}, state(row.doing ?? row.state), " ", day.headline),
    status.missing.length > 0 && el("ul", { class: "lacks" }, status.missing.map((line) => el("li", {}, line))),
    row.early_close && el("p", { class: "soft" }, `Early close at ${row.closes}.`),
    row.late && el("p", { class: "note bad" }, "Its deadline was missed."),
    fold("What it waits for", day.waits.length, waitsList(day.waits)),
    el("h3", {}, "Runs"), day.runs.length ? day.runs.map((one) => run(one, now, row.trading_day)) : el("p", { class: "soft" }, "None was for this session, or its record is over its time."),
    day.fillable && [el("h3", {}, "Fill what lacks"), fill],
    el("h3", {}, "Data sets"), dataSets(day),
    fold("Found against it", day.findings.length, table(null, ["finding", "state", "what"], day.findings.map((one) => [`${one.finding_id} ${one.kind}`, one.state, [one.reason, one.settled_by ? el("div", { class: "note" }, `${one.state} by ${one.settled_by}: ${one.settled_reason}`) : null]]))),
    fold("Given up", day.letters.length, table(null, ["letter", "part", "reason"], day.letters.map((one) => [String(one.dead_letter_id), `${one.task ?? ""} ${one.part ?? ""}`, one.reason]))),
    fold("Restated by the vendor", day.restated.length, table(null, ["symbol", "change", "before", "after", "found"], day.restated.map((one) => [one.symbol, `${one.change} (${count(one.of)} of ${one.data_set})`, told(one.before), told(one.after), time(one.found_at)]))),
    fold("Came and was not loaded", day.set_aside.length, table(null, ["symbol", "flaw", "as it came"], day.set_aside.map((one) => [one.symbol ?? "", `${one.field ?? "row"}: ${one.flaw} (${count(one.of)} of ${one.data_set})`, el("code", {}, one.evidence)]))),
  ];
};

const PER = { second: "a second", minute: "a minute" };
const budgetNow = ({ at: read, paused_until: paused, windows }) => [
  paused ? el("p", {}, state("late", "paused"), " the vendor asked for a pause: ", left(paused), ` (${at(paused)})`) : null,
  windows.length ? el("div", { class: "progress" }, windows.map((one) => [
    el("span", {}, one.endpoint || "all requests"),
    el("progress", { max: one.limit, value: one.used, "aria-label": `${one.endpoint || "all requests"}: granted of those ${PER[one.name]}` }),
    el("span", {}, `${count(one.used)} of ${count(one.limit)} ${PER[one.name]}`, one.free_at && [", next ", left(one.free_at)])])) : "no limit is set",
  el("p", { class: "note" }, "read ", ago(read), ", by the clock of Redis"),
];

export const budgetFacts = (budget) => facts([
  ["limit", budget.limits],
  ["now", budget.state ? budgetNow(budget.state) : "no request is counted, or Redis does not answer"],
  ["the next cycle", [budget.due_at ? el("div", {}, "due ", time(budget.due_at), ` (${budget.rule})`) : "", lines(budget.tonight_words)]],
  [`since ${budget.month_since}`, `${plural(budget.total, "request")}${budget.total ? `: ${Object.entries(budget.by_endpoint).map(([name, number]) => `${count(number)} ${name}`).join(", ")}` : ""}`],
]);
