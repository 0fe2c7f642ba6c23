// Shows what a button would do; then, and only then, with who and why, has it done.

import { ask, el } from "./dom.js";
import { Signing, knownToken, post } from "./signing.js";

// One at a time: its box stands under the finding that it is about, and outlives a new drawing of the findings.
export class Deeds {
  constructor({ needsToken, onDone }) {
    this.needsToken = needsToken;
    this.onDone = onDone;
    this.box = el("div", { class: "fill deed" });
    this.about = null;
  }

  async open(act, about, opener) {
    this.about = about;
    this.label = act.label;
    this.box.replaceChildren(el("p", { class: "loading" }, "Asking what it would do …"));
    opener.closest("li").append(this.box);
    try {
      const shown = act.preview ? await ask(act.preview) : { words: act.effect, lines: [], body: {}, refused: null };
      this.show(act, shown);
    } catch (error) {
      this.show(act, { words: "", lines: [], body: {}, refused: error.message });
    }
  }

  show(act, { words, lines, body, refused }) {
    const signing = new Signing(this.needsToken());
    const said = el("p", { class: "said", tabindex: -1, role: "status" });
    const go = el("button", { type: "submit", class: "main" }, act.label);
    const form = el("form", { class: "ask sign" }, signing.fields, go, el("button", { type: "button", onclick: () => this.close() }, "Cancel"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const done = await signing.post(act.path, { ...act.body, ...body });
        said.textContent = `Done: ${done.words}.`;
        form.replaceWith(el("p", {}, el("button", { type: "button", onclick: () => this.close() }, "Close")));
        this.onDone(done.words);
      } catch (error) {
        said.textContent = error.message;
      }
      said.focus();
    });
    this.box.replaceChildren(
      el("p", { tabindex: -1 }, el("b", {}, words)),
      lines.length ? el("ul", {}, lines.map((line) => el("li", {}, line))) : "",
      refused ? el("p", { class: "note bad" }, `It cannot be done: ${refused}`) : form,
      refused ? el("p", {}, el("button", { type: "button", onclick: () => this.close() }, "Close")) : "",
      said);
    this.box.scrollIntoView({ block: "nearest" });
    (refused ? this.box.querySelector("button") : signing.by.value ? signing.reason : signing.by).focus({ preventScroll: true });
  }

  close() {
    // The findings may have been drawn anew since: the button is another one, and may be gone.
    const button = [...(this.box.closest("li")?.querySelectorAll("[data-act]") ?? [])].find((one) => one.dataset.act === this.label);
    this.box.remove();
    this.about = null;
    (button ?? document.getElementById("findings-heading")).focus();
  }
}

// Reads everything anew, whatever was read before; the token is asked for once, where one is wanted.
export const lookAgain = (needsToken, onRead) => {
  const said = el("span", { class: "soft", role: "status" });
  const secret = el("input", { type: "password", "aria-label": "token", placeholder: "token", autocomplete: "off", hidden: true });
  const form = el("form", { class: "ask" }, el("button", { type: "submit" }, "Look again now"), secret, said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    secret.value ||= knownToken();
    if (needsToken() && !secret.value) { secret.hidden = false; secret.focus(); return; }
    said.textContent = "Looking …";
    try {
      said.textContent = onRead(await post("/page/recheck", {}, secret.value));
      secret.hidden = true;
    } catch (error) {
      said.textContent = error.message;
      if (error.status === 401) { secret.value = ""; secret.hidden = false; secret.focus(); }
    }
  });
  return form;
};
