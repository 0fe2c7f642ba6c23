// Draws what is found: the cause in words, what heals it, and how to see that it did.

import { ago, command, count, el, facts, state } from "./dom.js";

const SHAPE = { gap: "missing", suspect: "suspect", "dead letters": "failed", boundary: "partial", caches: "late", stuck: "late", accepted: "retired", "not in this plan": "retired" };

const heals = (one, { onFill, deeds }) => {
  if (one.repairable === false) return "nothing of ours: it cannot be repaired on this plan";
  const fill = one.fillable ? el("button", { type: "button", onclick: () => onFill(one.first, one.last) }, "What would filling it cost?") : null;
  const acts = (one.acts ?? []).map((act) => el("button", { type: "button", "data-act": act.label, onclick: (event) => deeds.open(act, one.title, event.target) }, `${act.label} …`));
  if (!one.command && !acts.length) return "nobody: wait for it";
  return [(fill || acts.length > 0) && el("p", { class: "acts" }, fill, acts), one.command && command(one.command)];
};

export const drawFindings = (found, on) => {
  const list = found.map((one) => el("li", { class: "card" },
    el("h3", {}, state(SHAPE[one.kind], one.kind), one.title),
    facts([
      ["why", one.cause],
      [one.kind === "gap" ? "was due" : "since", one.since ? ago(one.since) : null],
      ["of", one.examples?.length ? `${one.examples.join(", ")}${(one.count ?? 1) > one.examples.length ? ` and ${count(one.count - one.examples.length)} more` : ""}` : null],
      ["cannot be repaired", one.by ? `${one.by} accepted it as it is: ${one.said}` : null],
      ["heals it", one.by ? null : heals(one, on)],
      ["seen healed by", one.recheck ? el("code", {}, one.recheck) : null],
    ]),
    on.deeds.about === one.title && on.deeds.box));
  // What was just done, of a finding that has gone with it, is still to be read.
  const gone = on.deeds.about && !found.some((one) => one.title === on.deeds.about) ? el("li", { class: "card" }, on.deeds.box) : null;
  const nothing = found.length ? null : el("p", { class: "card" }, state("final", "nothing found"), " Every session of the window is as it should be by now.");
  return [list.length || gone ? el("ul", { class: "found" }, gone, list) : null, nothing];
};
