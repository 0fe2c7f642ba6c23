// Asks who and why, and for the token where one is wanted: who and the token are kept for this tab, reasons are offered again.

import { Refused, ask, el } from "./dom.js";

const BY = "maintenance-by", REASONS = "maintenance-reasons", TOKEN = "maintenance-token";
const kept = (name) => sessionStorage.getItem(name);
const reasons = () => JSON.parse(kept(REASONS) ?? "[]");

// After a deed the answer is said, and the focus is on it.
export class Signing {
  constructor(needsToken) {
    const datalist = el("datalist", { id: `reasons-${Math.random().toString(36).slice(2)}` }, reasons().map((one) => el("option", { value: one })));
    this.by = el("input", { name: "by", required: true, maxlength: 50, autocomplete: "off", value: kept(BY) ?? "", placeholder: "your name" });
    this.reason = el("input", { name: "reason", required: true, maxlength: 140, autocomplete: "off", list: datalist.id, placeholder: "for the record" });
    this.secret = needsToken ? el("input", { type: "password", name: "token", autocomplete: "off", value: kept(TOKEN) ?? "", placeholder: "MAINTENANCE_API_TOKEN" }) : null;
    this.fields = [el("label", {}, "Who", this.by), el("label", { class: "wide" }, "Why", this.reason), this.secret && el("label", {}, "Token", this.secret), datalist];
  }

  // Post body to path with who and why. Throws Refused.
  async post(path, body) {
    const by = this.by.value.trim(), reason = this.reason.value.trim();
    const answer = await post(path, { ...body, by, reason }, this.secret?.value);
    sessionStorage.setItem(BY, by);
    sessionStorage.setItem(REASONS, JSON.stringify([...new Set([reason, ...reasons()])].slice(0, 8)));
    return answer;
  }
}

export const knownToken = () => kept(TOKEN) ?? "";

export const post = async (path, body, secret) => {
  const headers = { "Content-Type": "application/json" };
  if (secret) headers.Authorization = `Bearer ${secret}`;
  try {
    const answer = await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (secret) sessionStorage.setItem(TOKEN, secret);
    return answer;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) sessionStorage.removeItem(TOKEN);
    throw error;
  }
};
