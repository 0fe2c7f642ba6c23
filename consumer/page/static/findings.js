// Draws what is found: the cause in words, what heals it, and how to see that it did.

import { ago, command, count, el, facts, state } from "./dom.js";

const SHAPE = { gap: "missing", suspect: "suspect", "dead letters": "failed", boundary: "partial", caches: "late", stuck: "late", "not in this plan": "retired" };

const heals = (one, onFill) => {
  if (one.repairable === false) return "nothing of ours: it cannot be repaired on this plan";
  const button = one.fillable ? el("button", { type: "button", onclick: () => onFill(one.first, one.last) }, "What would filling it cost?") : null;
  if (!one.command) return "nobody: wait for it";
  return [button && el("p", {}, button), command(one.command)];
};

export const drawFindings = (found, { onFill }) => {
  if (!found.length) return [el("p", { class: "card" }, state("final", "nothing found"), " Every session of the window is as it should be by now.")];
  return [el("ul", { class: "found" }, found.map((one) => el("li", { class: "card" },
    el("h3", {}, state(SHAPE[one.kind], one.kind), one.title),
    facts([
      ["why", one.cause],
      [one.kind === "gap" ? "was due" : "since", one.since ? ago(one.since) : null],
      ["of", one.examples?.length ? `${one.examples.join(", ")}${(one.count ?? 1) > one.examples.length ? ` and ${count(one.count - one.examples.length)} more` : ""}` : null],
      ["heals it", heals(one, onFill)],
      ["seen healed by", one.recheck ? el("code", {}, one.recheck) : null],
    ]))))];
};
