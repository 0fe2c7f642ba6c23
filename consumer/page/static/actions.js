// Who asked for or decided what, and why: the newest of GET /actions, in whichever way they came.

import { ask, count, el, table, time } from "./dom.js";

const EVERY_MS = 15000;
const SHOWN = 20;
const shown = document.getElementById("actions-shown");
const details = document.getElementById("actions-details");
const paused = () => document.getElementById("pause")?.getAttribute("aria-pressed") === "true";
let seen = "";

const about = (one) => [
  one.about,
  one.trading_day ? ` · ${one.first_day ? `${one.first_day} to ` : ""}${one.trading_day}` : "",
  one.cycle_id ? ` · run ${one.cycle_id}` : one.request ? " · waits" : "",
];

const draw = ({ actions, next }) => {
  if (!actions.length) return [el("p", { class: "soft" }, "Nobody has asked for anything yet; what the schedule does is no person's.")];
  const rows = actions.map((one) => [time(one.acted_at), one.author, one.action, el("span", {}, about(one)), one.reason ?? "", one.via]);
  return [
    table("Who did what", ["when", "who", "did", "of what", "why", "by"], rows),
    next ? el("p", { class: "soft" }, `The newest ${count(actions.length)}; `, el("a", { href: next }, "those before"), ".") : null,
  ].filter(Boolean);
};

const refresh = async () => {
  if (!details.open || (paused() && seen)) return;
  const found = await ask(`/actions?limit=${SHOWN}`).catch(() => null);
  const text = JSON.stringify(found);
  if (!found || text === seen) return; // what cannot be asked stays as it was: the banner says so
  seen = text;
  shown.replaceChildren(...draw(found));
};

details.addEventListener("toggle", refresh);
setInterval(refresh, EVERY_MS);
