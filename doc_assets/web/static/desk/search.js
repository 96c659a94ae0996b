// Choosing, dropping and pasting files; waiting for a search; the searched picture beside what was found.
//
// Where pictures are not kept on the server, this tab keeps a small copy of each picture file that it sent, for itself
// alone and until it is closed, so that both can be compared all the same.

const SENT = "doc_assets.sent"; // of the search that was sent last
const SIDE = 1024;
const kept = (number) => `doc_assets.sent.${number}`;

const form = document.getElementById("search");
if (form) {
  const { files: input } = form.elements;
  const chosen = document.getElementById("chosen");
  const wrong = document.getElementById("wrong");
  const { maxBytes, maxFiles, tooLarge, tooMany } = form.dataset;

  const fault = () => {
    const files = [...input.files];
    if (files.length > Number(maxFiles)) return tooMany;
    return files.reduce((sum, file) => sum + file.size, 0) > Number(maxBytes) ? tooLarge : "";
  };

  const show = () => {
    chosen.replaceChildren(...[...input.files].map((file) => {
      const line = document.createElement("li");
      line.textContent = `${file.name} (${Math.ceil(file.size / 1024).toLocaleString()} KB)`;
      return line;
    }));
    wrong.textContent = fault();
    wrong.hidden = !wrong.textContent;
  };

  const add = (files) => {
    if (!files.length) return;
    const all = new DataTransfer();
    for (const file of [...input.files, ...files]) all.items.add(file);
    input.files = all.files;
    show();
    form.querySelector("button.primary").focus();
  };

  input.addEventListener("change", show);
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    add(event.clipboardData.files);
  });
  for (const name of ["dragover", "drop"]) // anywhere on the page: a near miss must not open the file instead
    document.addEventListener(name, (event) => {
      event.preventDefault();
      document.getElementById("drop").classList.toggle("over", name === "dragover");
      if (name === "drop") add(event.dataTransfer.files);
    });
  document.addEventListener("dragleave", () => document.getElementById("drop").classList.remove("over"));

  form.addEventListener("submit", async (event) => {
    if (form.dataset.sent || fault()) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    if (form.elements.keep.value) return;
    event.preventDefault();
    const copies = await Promise.all([...input.files].map(smallCopy));
    try { sessionStorage.setItem(SENT, JSON.stringify(copies)); } catch { sessionStorage.removeItem(SENT); }
    form.submit();
  });
  window.addEventListener("pageshow", () => { delete form.dataset.sent; });
}

/** A picture as a data URL, at most SIDE pixels long; null for what the browser does not decode. */
async function smallCopy(file) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return null;
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
}

const number = /^\/searches\/(\d+)/.exec(window.location.pathname)?.[1];
if (number && sessionStorage.getItem(SENT)) {
  sessionStorage.setItem(kept(number), sessionStorage.getItem(SENT));
  sessionStorage.removeItem(SENT);
}

const waits = document.getElementById("waits");
if (waits) {
  const look = async () => {
    const answer = await fetch(waits.dataset.state).catch(() => null);
    const found = answer?.ok ? await answer.json().catch(() => null) : null;
    if (answer && !answer.ok || answer?.redirected) return window.location.reload();
    if (found?.ended) return window.location.reload();
    if (found && waits.textContent !== found.says) waits.textContent = found.says;
    setTimeout(look, 1000);
  };
  setTimeout(look, 500);
}

const pairs = document.getElementById("pairs");
if (pairs && number) { // before the pair viewer reads them: scripts run in their order
  const copies = JSON.parse(sessionStorage.getItem(kept(number)) ?? "[]");
  const shown = JSON.parse(pairs.textContent);
  for (const pair of shown) if (!pair.own && pair.ownFile !== null) pair.own = copies[pair.ownFile] ?? null;
  pairs.textContent = JSON.stringify(shown);
}
