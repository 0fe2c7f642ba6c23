// Draws one symbol: its bars, its volume against the usual, what Redis says beside the tables, and where each comes from.

import { at, count, dayWords, el, facts, state, table, time } from "./dom.js";

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Fetched when the first symbol is shown: the page's first answer needs no chart.
let loading;
const charts = () => (loading ??= new Promise((resolve, reject) => {
  document.head.append(el("link", { rel: "stylesheet", href: "/page/files/uPlot.css" }), el("script", { src: "/page/files/uPlot.js", onload: () => resolve(window.uPlot), onerror: () => reject(new Error("the charts cannot be loaded")) }));
}));

const axes = (values) => {
  const common = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line"), width: 1 }, font: "12px system-ui" };
  return [{ ...common, ...values }, { ...common, size: 62, values: (_, ticks) => ticks.map((one) => (one >= 1e6 ? `${one / 1e6}M` : one >= 1e4 ? `${one / 1e3}k` : one)) }];
};

// Lines at the days of splits, dividends and boundaries.
const marker = (marks, days) => ({ hooks: { draw: [(chart) => {
  const { ctx, bbox } = chart;
  ctx.save();
  for (const one of marks) {
    const place = days.findIndex((day) => day >= one.day);
    if (place < 0) continue;
    const x = chart.valToPos(place, "x", true);
    ctx.strokeStyle = style(one.kind === "boundary" ? "--missing" : one.kind === "split" ? "--suspect" : "--provisional");
    ctx.setLineDash(one.kind === "dividend" ? [2, 4] : one.kind === "split" ? [8, 4] : []);
    ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
  }
  ctx.restore();
}] } });

const drawChart = (uPlot, host, options, data) => {
  const chart = new uPlot({ width: host.clientWidth || 600, height: 260, legend: { live: true }, cursor: { y: false }, ...options }, data, host);
  new ResizeObserver(() => chart.setSize({ width: host.clientWidth, height: 260 })).observe(host);
};

const drawBars = (uPlot, host, found) => {
  const days = found.bars.map((bar) => bar.trading_day);
  const of = (name) => found.bars.map((bar) => (bar[name] === null ? null : bar[name] * bar.factor));
  drawChart(uPlot, host, {
    scales: { x: { time: false } },
    axes: axes({ values: (_, ticks) => ticks.map((one) => (Number.isInteger(one) && days[one] ? dayWords(days[one]).slice(4) : "")) }),
    series: [{ label: "session", value: (_, one) => days[one] ?? "" }, { label: "high", stroke: style("--line") }, { label: "low", stroke: style("--line") }, { label: "close, on today’s basis", stroke: style("--accent"), width: 2 }],
    bands: [{ series: [1, 2], fill: style("--queued-back") }],
    plugins: [marker(found.marks, days)],
  }, [days.map((_, n) => n), of("high"), of("low"), of("close")]);
};

const slotTime = (slot) => `${String(4 + Math.floor(slot / 12)).padStart(2, "0")}:${String((slot % 12) * 5).padStart(2, "0")}`;

const drawProfile = (uPlot, host, { today, average, day, sessions }) => {
  // The cache leaves out slots before the first volume: there the mean is 0.
  const first = average.findIndex((one) => one !== null);
  const usual = average.map((one, n) => (one === null && n < first ? 0 : one));
  drawChart(uPlot, host, {
    scales: { x: { time: false } },
    axes: axes({ values: (_, ticks) => ticks.map((one) => slotTime(Math.min(191, one))) }),
    series: [{ label: "time, ET", value: (_, one) => (one === null ? "" : slotTime(one)) }, { label: `${day}`, stroke: style("--accent"), width: 2 }, { label: `mean of ${sessions.length} sessions`, stroke: style("--soft"), dash: [6, 4], spanGaps: true }],
  }, [average.map((_, n) => n), today.length ? today : average.map(() => null), usual]);
};

const equal = (one) => (one === null ? state("retired", "neither has it") : one ? state("final", "equal") : state("late", "they differ"));

const why = (one) => [one.what, one.load ? `load ${one.load.load_id}: ${one.load.source}${one.load.request_id ? `, ${one.load.request_id}` : ""}` : "its record is gone, or it was never loaded", one.load ? time(one.load.fetched_at) : "", one.load ? `${one.load.task} ${one.load.part}${one.origin ? `, cycle ${one.origin.cycle_id} (${one.origin.kind} by ${one.origin.requested_by})` : ""}` : ""];

export const drawSymbol = async (place, found) => {
  const { listing, profile } = found;
  const bars = el("div", { class: "chart", role: "img", "aria-label": `Closes of ${found.symbol}; the table below has them` });
  const slots = el("div", { class: "chart", role: "img", "aria-label": `Accumulated volume of ${found.symbol} against its mean` });
  const newest = found.bars.at(-1);
  place.replaceChildren(el("div", { class: "card" },
    el("h3", {}, found.symbol, listing?.company_name ? ` · ${listing.company_name}` : ""),
    facts([
      ["listed", listing ? `${listing.state}${listing.ticker_type ? `, ${listing.ticker_type}` : ""}, last seen ${listing.last_seen}` : "in no listing"],
      ["traded before as", found.names.slice(1).join(", ")],
      ["newest bar", newest ? `${newest.trading_day}: close ${newest.close}, volume ${count(newest.volume)}` : "none within half a year"],
      ["its series begins", found.cut_on ? `${found.cut_on}, by a person’s word` : null],
    ]),
    found.bars.length ? bars : null,
    found.marks.length ? table("Splits, dividends, boundaries", ["day", "what", "of", "counts"], found.marks.map((one) => [one.day, one.kind, one.words, one.counts ? "yes" : "no"])) : el("p", { class: "soft" }, "No split, dividend or boundary within half a year."),
    el("h3", {}, "Volume so far in the day, against the usual"),
    profile.day ? slots : el("p", { class: "soft" }, "No slots are stored of it."),
    el("p", {}, "Redis beside the tables, as of ", profile.as_of ?? "no day", ": ", equal(profile.equal)),
    table("What Redis holds, and what the tables would have it hold", ["key", "equal", "Redis", "tables"], found.compared.map((one) => [el("code", {}, one.key), equal(one.equal), one.cached ?? "nothing", one.equal ? "the same" : one.stored ?? "nothing"])),
    table("Why these values", ["value", "from", "fetched", "by"], found.why.map(why)),
    el("details", {}, el("summary", {}, "The bars as a table"), table(null, ["session", "open", "high", "low", "close", "volume", "load"], [...found.bars].reverse().map((bar) => [bar.trading_day, ...["open", "high", "low", "close"].map((name) => String(bar[name] ?? "")), bar.volume, String(bar.load_id ?? "")])))));
  const uPlot = await charts();
  if (found.bars.length) drawBars(uPlot, bars, found);
  if (profile.day) drawProfile(uPlot, slots, profile);
};
