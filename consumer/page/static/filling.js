// Asks what a backfill would touch and cost; then, and only then, lets it be asked for.

import { ask, command, count, el, lines, plural } from "./dom.js";
import { Signing } from "./signing.js";

export class Filling {
  constructor({ needsToken, onAsked }) {
    this.needsToken = needsToken;
    this.onAsked = onAsked;
    this.first = el("input", { type: "date", name: "first", required: true, "aria-label": "first session" });
    this.last = el("input", { type: "date", name: "last", required: true, "aria-label": "last session" });
    this.shown = el("div");
    this.form = el("form", { class: "ask" }, this.first, el("span", {}, "to"), this.last, el("button", { type: "submit" }, "What would it do?"));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.forecast(); });
    this.box = el("div", { class: "fill" }, this.form, this.shown);
  }

  span(first, last = first) {
    this.first.value = first;
    this.last.value = last;
    this.shown.replaceChildren();
  }

  async forecast() {
    this.shown.replaceChildren(el("p", { class: "loading" }, "Asking the plan …"));
    try {
      this.offer(await ask(`/page/forecast/${this.first.value}/${this.last.value}`));
    } catch (error) {
      this.shown.replaceChildren(el("p", { class: "note bad" }, error.message));
    }
  }

  offer(found) {
    const parts = Object.entries(found.parts);
    const signing = new Signing(this.needsToken());
    this.go = el("button", { type: "submit", class: "main" }, `Fill ${plural(found.sessions, "session")}`);
    const form = el("form", { class: "ask sign" }, signing.fields, this.go);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.ask(found, signing); });
    this.said = el("p", { class: "said", tabindex: -1 });
    this.shown.replaceChildren(
      el("p", {}, el("b", {}, parts.length ? `It would run ${parts.map(([task, number]) => `${plural(number, "part")} of ${task}`).join(", ")}.` : "Nothing lacks there: it would do nothing.")),
      el("div", {}, lines(found.words)),
      ...(found.gaps.length ? [el("ul", {}, ...found.gaps.slice(0, 12).map((line) => el("li", {}, line)), found.gaps.length > 12 ? el("li", {}, `and ${count(found.gaps.length - 12)} more`) : "")] : []),
      ...(parts.length ? [form] : []),
      this.said,
      el("p", {}, "In a terminal: ", command(found.command)));
    this.box.scrollIntoView({ block: "nearest" });
  }

  async ask(found, signing) {
    try {
      const accepted = await signing.post("/page/backfill", { first: found.first, last: found.last, task: found.task, parts: found.parts });
      this.said.textContent = `Asked for (${accepted.entry_id}). It runs behind all other work; the calendar shows it.`;
      this.go.disabled = true;
      this.onAsked();
    } catch (error) {
      this.said.textContent = error.status === 409 ? `${error.message}. Ask again what it would do.` : error.message;
    }
    this.said.focus();
  }
}
