// What the pages do beyond links and forms; without this script they work the same, by reloading.
const $ = (s, from = document) => from.querySelector(s), all = (s, from = document) => [...from.querySelectorAll(s)];
const typing = (e) => e.target.closest("input, textarea, select, [contenteditable]");

// Live parts. The server says that something changed; the page is read again, and parts with data-part that differ are put
// in its place. A part that somebody points at or has the focus in waits, so that nothing moves under a finger.
const held = (e) => e.matches(":hover, :focus-within");
let later = 0;
async function refresh() {
  let next;
  try {
    const answer = await fetch($("meta[name=again]")?.content ?? location.href, { headers: { "X-Live": "1" } });
    if (!answer.ok || answer.redirected) return;
    next = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch { return; }
  for (const old of all("[data-part]")) {
    const fresh = $(`[data-part="${CSS.escape(old.dataset.part)}"]`, next);
    if (!fresh || old.isEqualNode(fresh)) continue;
    if (held(old)) {
      clearTimeout(later);
      later = setTimeout(refresh, 2000);
      continue;
    }
    const opened = all("details", old).map((d) => d.open);
    old.replaceWith(fresh);
    all("details", fresh).forEach((d, i) => { d.open ||= opened[i]; });
    fresh.classList.add("moved");
    setTimeout(() => fresh.classList.remove("moved"), 700);
  }
  document.title = next.title;
  ages();
}
const stream = document.body.dataset.live;
if (stream) {
  const source = new EventSource(stream);
  const mark = (on) => all("[data-stream]").forEach((e) => e.classList.toggle("off", !on));
  source.addEventListener("change", refresh);
  source.onopen = () => mark(true);
  source.onerror = () => mark(false);
}

// Ages: <time data-age datetime=…>, within the hour in which they mean something.
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
function ages() {
  for (const e of all("time[data-age]")) {
    const s = Math.round((new Date(e.dateTime) - Date.now()) / 1000);
    if (s > -3600 && s <= 0) e.textContent = s > -60 ? words.format(s, "second") : words.format(Math.ceil(s / 60), "minute");
  }
}
ages();
setInterval(ages, 1000);

// Keys: data-key names the one that presses an element; J and K move through a list marked data-list; / goes to the search; ? shows
// the dialog with id "keys". G and then a letter presses data-key="g q".
let first = "";
function move(step) {
  const items = all("[data-list] a[href]"), now = items.indexOf(document.activeElement);
  const from = now >= 0 ? now : items.findIndex((a) => a.closest("[aria-current]") || a.matches("[aria-current]"));
  items[Math.max(0, Math.min(items.length - 1, from + step))]?.focus();
}
addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e) || $("dialog[open]")) return;
  const key = e.key.toLowerCase(), chord = first ? `${first} ${key}` : key;
  first = "";
  const target = $(`[data-key="${CSS.escape(chord)}"]`);
  if (target) target.click();
  else if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
  else if (key === "/") $("[data-search]")?.focus();
  else if (key === "?") $("dialog#keys")?.showModal();
  else if (key === "g" && $('[data-key^="g "]')) { first = key; setTimeout(() => { first = ""; }, 1500); return; }
  else return;
  e.preventDefault();
});

// Passkeys. A form marked data-passkey asks for a challenge, has the browser sign it, and is sent with the answer; data-name is the id of
// the field that says who it is. Where the browser has no passkeys, a form that needs them stays hidden.
const keys = window.PublicKeyCredential?.parseRequestOptionsFromJSON && navigator.credentials;
if (keys) all("[data-passkey]").forEach((f) => { f.hidden = false; });
async function sign(form, button) {
  const { passkey: to, name } = form.dataset, failed = $("[role=alert]", form);
  button.ariaBusy = "true";
  failed.hidden = true;
  try {
    const asked = await fetch("/passkey", { method: "POST", body: new URLSearchParams({ to, name: document.getElementById(name)?.value ?? "" }) });
    if (!asked.ok) throw asked;
    const { publicKey } = await asked.json();
    form.elements.answer.value = JSON.stringify(to === "add"
      ? await keys.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
      : await keys.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }));
    form.submit();
  } catch {
    failed.hidden = false;
    button.ariaBusy = null;
  }
}
addEventListener("submit", (e) => {
  if (!keys || !e.target.dataset.passkey) return;
  e.preventDefault();
  e.stopImmediatePropagation();
  if (!e.submitter.ariaBusy) sign(e.target, e.submitter);
});

// A form is sent once. Its button keeps its width and says what happens (data-busy).
addEventListener("submit", (e) => {
  const button = e.submitter;
  if (e.target.dataset.sent) return e.preventDefault();
  if (e.target.method !== "post") return;
  e.target.dataset.sent = "1";
  if (!button) return;
  button.ariaBusy = "true";
  if (button.dataset.busy) {
    button.style.minInlineSize = `${button.offsetWidth}px`;
    button.textContent = button.dataset.busy;
  }
});
addEventListener("pageshow", (e) => {
  if (!e.persisted) return;
  all("form[data-sent]").forEach((f) => delete f.dataset.sent);
  all("[aria-busy=true]").forEach((b) => { b.ariaBusy = null; });
});

// Dialogs open by data-opens, copying is by data-copy; both are hidden without a script. Selects marked data-send send their form.
addEventListener("click", async (e) => {
  const opens = e.target.closest("[data-opens]"), copies = e.target.closest("[data-copy]"), closes = e.target.closest("[data-closes]");
  if (opens) { const d = document.getElementById(opens.dataset.opens); if (d) { e.preventDefault(); d.showModal(); } }
  if (closes) { const d = closes.closest("dialog"); if (d) { e.preventDefault(); d.close(); } }
  if (copies) {
    await navigator.clipboard.writeText($(copies.dataset.copy)?.textContent.trim() ?? "");
    copies.textContent = copies.dataset.copied ?? copies.textContent;
  }
});
// A file that is too large is told of before it is sent.
addEventListener("change", (e) => {
  const { most, long } = e.target.dataset;
  if (most) { e.target.setCustomValidity(e.target.files[0]?.size > most ? long : ""); e.target.reportValidity(); }
});
all("[data-script]").forEach((e) => { e.hidden = false; });
addEventListener("change", (e) => { if (e.target.matches("[data-send]")) e.target.form.requestSubmit(); });
$(".field.wrong :is(input, select, textarea)")?.focus();
