// Keys press the buttons that name them, so that a key and its button can never differ.

const keyOf = (event) => (event.key.length === 1 ? event.key.toLowerCase() : event.key);
const types = (element) => element.matches("input:not([type=checkbox]):not([type=range]), textarea, select");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const open = document.querySelector("dialog[open]");
  if (open) {
    const choice = open.querySelector(`[data-choice="${CSS.escape(event.key)}"]`);
    if (choice) { event.preventDefault(); choice.click(); }
    return;
  }
  if (types(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.repeat) return;
  const target = document.querySelector(`[data-key="${CSS.escape(keyOf(event))}"]`);
  if (!target) return;
  event.preventDefault();
  if (types(target)) target.focus();
  else target.click();
});

const verdict = document.getElementById("verdict");
if (verdict) {
  const pairs = [...document.querySelectorAll("[data-pair]")];
  const keys = JSON.parse(document.getElementById("pair-keys")?.textContent ?? "[]");
  const current = () => Number(document.getElementById("viewer")?.dataset.at ?? 0);
  const all = verdict.querySelector("[name=all]");
  if (all && pairs.some((each) => each.dataset.decided)) all.checked = false;
  verdict.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.opens) return document.getElementById(button.dataset.opens).showModal();
    if (button.dataset.closes) return document.getElementById(button.dataset.closes).close();
    if (!button.dataset.answer || verdict.dataset.sent) return;
    verdict.dataset.sent = "1"; // a second press must not judge the next case
    verdict.elements.photograph.value = button.dataset.answer;
    verdict.elements.use.value = button.dataset.use ?? "";
    verdict.elements.pair.value = keys[current()] ?? "";
    verdict.submit();
  });
  window.addEventListener("pageshow", () => { delete verdict.dataset.sent; });
}
