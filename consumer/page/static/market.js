// Draws what the bars say of the whole market, beside the usual.

import { count, dayWords, el, facts, state, table } from "./dom.js";

const shares = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const KINDS = [["rows", "symbols with a bar", count], ["volume", "shares traded", (one) => shares.format(one)], ["unchanged", "unchanged closes", (one) => `${(100 * one).toFixed(1)} %`]];

const figure = (one, say) => {
  if (one.value === undefined) return el("span", { class: "note" }, "cannot be said");
  const usual = one.usual === undefined ? "too few sessions before it" : `usual ${say(one.usual)}`;
  return [el("b", {}, say(one.value)), " ", el("span", { class: "note" }, usual), one.word && [" ", state("late", one.word)]];
};

export const drawMarket = (days) => {
  const newest = days.find((one) => one.rows.value !== undefined);
  if (!newest) return [];
  return [
    el("h3", {}, `The market on ${dayWords(newest.trading_day)}`),
    newest !== days[0] && el("p", { class: "note" }, `Of ${dayWords(days[0].trading_day)} no bars are stored.`),
    facts(KINDS.map(([name, words, say]) => [words, figure(newest[name], say)])),
    newest.note && el("p", { class: "note" }, newest.note),
    el("details", {}, el("summary", {}, "The sessions before it"),
      table("Each beside the median of the 20 sessions before it; what is not stored whole, or is suspect, is no measure.", ["session", ...KINDS.map(([, words]) => words), "notes"],
        days.map((one) => [dayWords(one.trading_day), ...KINDS.map(([name, , say]) => figure(one[name], say)), [one.early_close ? "early close" : "", one.early_close && one.note ? "; " : "", one.note ?? ""]]))),
  ];
};
