// Keys press the buttons that name them, so that a key and its button can never differ.

/** The key as it is written on a button: with Hangul switched on, too, Y is Y. */
export function keyOf({ key, code }) {
  if (key.length !== 1 && key !== "Process") return key;
  if (/^[!-~]$/.test(key)) return key.toLowerCase();
  const place = /^(?:Key|Digit)([A-Z0-9])$/.exec(code ?? "");
  return place ? place[1].toLowerCase() : key;
}

const types = (element) => element.matches("input:not([type=checkbox]):not([type=range]), textarea, select");

const off = document.body.dataset.shortcuts === "off";
document.addEventListener("keydown", (event) => {
  if (off || event.ctrlKey || event.metaKey || event.altKey) return;
  const open = document.querySelector("dialog[open]");
  if (open) {
    const choice = open.querySelector(`[data-choice="${CSS.escape(keyOf(event))}"]`);
    if (choice) { event.preventDefault(); choice.click(); }
    return;
  }
  if (types(event.target)) {
    if (event.key === "Escape" && !event.isComposing) event.target.blur();
    return;
  }
  if (event.repeat) return;
  const target = document.querySelector(`[data-key="${CSS.escape(keyOf(event))}"]`);
  if (!target) return;
  event.preventDefault();
  if (types(target)) target.focus();
  else target.click();
});

// What was typed stays with its case until it is filed: going on, or a page loaded again, loses nothing.
const note = document.getElementById("note");
const written = note?.elements.comment;
if (note) {
  const kept = `doc_assets.note.${note.dataset.case}`;
  if (written.defaultValue) sessionStorage.setItem(kept, written.defaultValue); // came back with a verdict that was refused
  written.value = sessionStorage.getItem(kept) ?? "";
  written.addEventListener("input", () => sessionStorage.setItem(kept, written.value));
  note.addEventListener("submit", (event) => {
    if (!written.value.trim()) return event.preventDefault();
    sessionStorage.removeItem(kept);
  });
  document.getElementById("verdict")?.addEventListener("formdata", () => sessionStorage.removeItem(kept));
}

const verdict = document.getElementById("verdict");
if (verdict) {
  const keys = JSON.parse(document.getElementById("pair-keys")?.textContent ?? "[]");
  const current = () => Number(document.getElementById("viewer")?.dataset.at ?? 0);
  const judge = ({ answer, use = "" }) => {
    if (verdict.dataset.sent) return; // a second press must not judge the next case
    written.required = use === "other";
    if (!written.reportValidity()) return written.focus();
    verdict.dataset.sent = "1";
    verdict.elements.photograph.value = answer;
    verdict.elements.use.value = use;
    verdict.elements.comment.value = written.value;
    verdict.elements.pair.value = keys[current()] ?? "";
    verdict.requestSubmit();
  };
  verdict.addEventListener("click", (event) => {
    const { opens, closes, answer, use } = event.target.closest("button")?.dataset ?? {};
    if (opens) document.getElementById(opens).showModal();
    else if (closes) document.getElementById(closes).close();
    else if (answer) {
      verdict.querySelector("dialog").close();
      judge({ answer, use });
    }
  });
  window.addEventListener("pageshow", () => { delete verdict.dataset.sent; });

  // Whoever is at work on a case keeps it; a page that is only left open does not.
  let atWork = true;
  for (const sign of ["keydown", "pointermove", "wheel"])
    window.addEventListener(sign, () => { atWork = true; }, { passive: true });
  setInterval(async () => {
    if (!atWork || document.hidden || verdict.dataset.sent) return;
    atWork = false;
    const body = new URLSearchParams({ csrfmiddlewaretoken: verdict.elements.csrfmiddlewaretoken.value });
    const answer = await fetch(verdict.dataset.hold, { method: "POST", body }).catch(() => null);
    if (answer?.status === 409) window.location.reload(); // says who has it, or why it cannot be judged
  }, 1000 * Number(verdict.dataset.every));
}

// Small copies of pictures that somebody searched for (search.js) are nobody else's: they leave with whoever sent them.
if (!document.querySelector("nav.person"))
  for (const name of Object.keys(sessionStorage)) if (name.startsWith("doc_assets.sent")) sessionStorage.removeItem(name);
