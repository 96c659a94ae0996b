// Two photos beside each other or laid over each other, all in the browser.
//
// The other document's photo gives the coordinates: its pixels. The transform of a pair maps shares of the searched photo
// (mirrored first, where that was found) to shares of the other one; as a CSS matrix it lays the one over the other
// at every zoom without asking the server.

const MODES = ["side", "overlay", "blink", "curtain", "difference", "chequers"];
const KEPT = "doc_assets.viewer"; // mode, zoom and place outlive a page: the next pair is seen as this one was

export function product(a, b) {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

export const scaling = (x, y) => [[x, 0, 0], [0, y, 0], [0, 0, 1]];
const MIRROR = [[-1, 0, 1], [0, 1, 0], [0, 0, 1]];
const QUARTER_TURN = [[0, 1, 0], [-1, 0, 1], [0, 0, 1]]; // counter-clockwise, in shares

/** From pixels of the searched photo to pixels of the same, mirrored and turned as the other one stands. */
export function uprightMatrix(quarterTurns, mirrored, own) {
  let matrix = mirrored ? MIRROR : scaling(1, 1);
  for (let turn = 0; turn < quarterTurns; turn += 1) matrix = product(QUARTER_TURN, matrix);
  const [width, height] = quarterTurns % 2 ? [own.height, own.width] : [own.width, own.height];
  return { matrix: product(scaling(width, height), product(matrix, scaling(1 / own.width, 1 / own.height))), width, height };
}

/** From pixels of the searched photo to pixels of the other one. */
export function pixelMatrix(transform, mirrored, own, other) {
  const shares = scaling(1 / own.width, 1 / own.height);
  const seen = mirrored ? product(MIRROR, shares) : shares;
  return product(scaling(other.width, other.height), product(transform, seen));
}

export const cssMatrix = ([[a, b, c], [d, e, f], [g, h, i]]) =>
  `matrix3d(${[a, d, 0, g, b, e, 0, h, 0, 0, 1, 0, c, f, 0, i].join(",")})`;

export function applied(matrix, [x, y]) {
  const [u, v, w] = matrix.map((row) => row[0] * x + row[1] * y + row[2]);
  return [u / w, v / w];
}

/** The turn, scale and shift that lays two places over two others. */
export function similarity([p, q], [r, s]) {
  const [dx, dy] = [q[0] - p[0], q[1] - p[1]];
  const [ex, ey] = [s[0] - r[0], s[1] - r[1]];
  const length = dx * dx + dy * dy;
  if (!length) return null;
  const a = (dx * ex + dy * ey) / length;
  const b = (dx * ey - dy * ex) / length;
  return [[a, -b, r[0] - a * p[0] + b * p[1]], [b, a, r[1] - b * p[0] - a * p[1]], [0, 0, 1]];
}

const make = (parent, name, className) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  parent.append(element);
  return element;
};

class Viewer {
  constructor(root, pairs) {
    this.root = root;
    this.pairs = pairs;
    this.stage = root.querySelector(".stage");
    this.hint = root.querySelector(".hint");
    this.state = { mode: "side", zoom: 1, x: 0, y: 0, opacity: 0.5, curtain: 0.5, upright: true, keypoints: false, page: false, grey: false, invert: false };
    Object.assign(this.state, JSON.parse(sessionStorage.getItem(KEPT) ?? "{}"));
    this.anchors = null;
    this.build();
    this.listen();
    this.show(Number(root.dataset.at));
  }

  build() {
    this.own = this.pane(this.root.dataset.own);
    this.other = this.pane(this.root.dataset.other);
    this.over = make(this.other.world, "div", "over");
    this.laid = make(this.over, "img");
    this.laid.alt = this.root.dataset.own;
    for (const pane of [this.other, this.own]) pane.marks = make(pane.world, "div", "marks");
  }

  pane(label) {
    const element = make(this.stage, "figure", "pane");
    const view = make(element, "div", "view");
    const world = make(view, "div", "world");
    const image = make(world, "img");
    image.alt = label;
    image.draggable = false;
    const caption = make(element, "figcaption");
    caption.textContent = label;
    return { element, view, world, image, caption };
  }

  get pair() { return this.pairs[this.at]; }

  get matrix() {
    if (this.manual) return this.manual;
    const { transform, mirrored } = this.pair;
    if (!transform || !this.other.size || !this.own.size) return null;
    return pixelMatrix(transform, mirrored, this.own.size, this.other.size);
  }

  async show(at) {
    this.at = at;
    this.manual = null;
    this.anchors = null;
    this.root.dataset.at = at;
    const { own, other, ownPage, otherPage, otherName } = this.pair;
    this.other.caption.textContent = [this.root.dataset.other, otherName].filter(Boolean).join(" · ");
    const paged = this.state.page && ownPage && otherPage;
    const load = (image, address) => new Promise((done) => {
      if (!address) { image.removeAttribute("src"); return done(null); }
      image.onload = () => done({ width: image.naturalWidth, height: image.naturalHeight });
      image.onerror = () => done(null);
      image.src = address;
    });
    [this.other.size, this.own.size] = await Promise.all([
      load(this.other.image, paged ? otherPage : other),
      load(this.own.image, paged ? ownPage : own),
      load(this.laid, own),
    ]);
    this.paged = paged;
    this.draw();
    this.root.dataset.ready = at;
    for (const address of JSON.parse(document.getElementById("ahead")?.textContent ?? "[]")) new Image().src = address;
  }

  /** How the searched photo is shown beside the other one. */
  turn() {
    const { quarterTurns, mirrored } = this.state.upright && !this.paged ? this.pair : {};
    this.own.shown = this.own.size && uprightMatrix(quarterTurns ?? 0, mirrored ?? false, this.own.size);
    this.other.shown = this.other.size;
    if (this.own.shown) this.own.image.style.transform = cssMatrix(this.own.shown.matrix);
    const says = quarterTurns || mirrored ? this.root.dataset.upright : "";
    this.own.caption.textContent = [this.root.dataset.own, says].filter(Boolean).join(" · ");
  }

  aligned() { return !this.paged && this.matrix !== null; }

  draw() {
    const { state } = this;
    const laid = this.aligned() && state.mode !== "side";
    sessionStorage.setItem(KEPT, JSON.stringify(state));
    this.stage.className = `stage ${laid ? state.mode : "side"}${state.grey ? " grey" : ""}${state.invert ? " invert" : ""}`;
    this.own.element.hidden = laid;
    this.over.hidden = !laid;
    this.hint.textContent = this.says();
    this.turn();
    for (const pane of [this.other, this.own]) this.place(pane);
    if (laid) this.lay();
    this.mark();
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === state.mode));
      button.disabled = button.dataset.mode !== "side" && !this.aligned();
    }
    for (const button of this.root.querySelectorAll("[data-toggle]"))
      button.setAttribute("aria-pressed", String(Boolean(state[button.dataset.toggle])));
  }

  says() {
    if (this.anchors) return `${this.root.dataset.hint} (${this.anchors.length} / 4)`;
    if (!this.other.size || !this.own.size) return this.root.dataset.gone;
    return this.aligned() || this.paged ? "" : this.root.dataset.noTransform;
  }

  /** One zoom and place for both sides: the place is a share of the pane. */
  place(pane) {
    if (!pane.shown || pane.element.hidden) return;
    const { clientWidth: width, clientHeight: height } = pane.view;
    const fit = Math.min(width / pane.shown.width, height / pane.shown.height);
    const scale = fit * this.state.zoom;
    const x = (width - pane.shown.width * scale) / 2 + this.state.x * width;
    const y = (height - pane.shown.height * scale) / 2 + this.state.y * height;
    pane.scale = scale;
    pane.world.style.width = `${pane.shown.width}px`;
    pane.world.style.height = `${pane.shown.height}px`;
    pane.world.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    pane.world.style.setProperty("--scale", scale);
  }

  lay() {
    this.laid.style.transform = cssMatrix(this.matrix);
    const { mode, opacity, curtain } = this.state;
    this.over.style.opacity = mode === "overlay" ? opacity : mode === "blink" && this.blinked ? 0 : 1;
    this.over.style.clipPath = mode === "curtain" ? `inset(0 ${100 - curtain * 100}% 0 0)` : "none";
  }

  mark() {
    for (const pane of [this.other, this.own]) pane.marks.replaceChildren();
    if (this.anchors)
      this.anchors.forEach(({ pane, place }, number) => this.dot(pane, place, Math.floor(number / 2) + 1));
    if (!this.state.keypoints || this.paged || !this.pair.lines) return;
    for (const [x, y, u, v] of this.pair.lines) {
      if (this.own.size) this.dot(this.own, applied(this.own.shown.matrix, [x * this.own.size.width, y * this.own.size.height]));
      if (this.other.size) this.dot(this.other, [u * this.other.size.width, v * this.other.size.height]);
    }
  }

  dot(pane, [x, y], label = "") {
    const dot = make(pane.marks, "span", label ? "anchor" : "keypoint");
    dot.textContent = label;
    dot.style.left = `${x}px`;
    dot.style.top = `${y}px`;
  }

  set(changes) { Object.assign(this.state, changes); this.draw(); }

  listen() {
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      this.pressed(button.dataset);
      if (event.detail) button.blur(); // pressed with a mouse: the space bar is for blinking then
    });
    const links = [...document.querySelectorAll("[data-pair]")];
    const turn = (step) => links[this.at + step]?.click();
    document.addEventListener("keydown", (event) => {
      if (event.target.matches("input, textarea, select") || document.querySelector("dialog[open]")) return;
      if (event.key === "ArrowLeft") turn(-1);
      else if (event.key === "ArrowRight") turn(1);
      else if (document.body.dataset.shortcuts === "off") return;
      else if (event.key === "[") this.set({ opacity: Math.max(0, this.state.opacity - 0.1) });
      else if (event.key === "]") this.set({ opacity: Math.min(1, this.state.opacity + 0.1) });
      else if (event.key === " " && this.state.mode === "blink" && !event.target.matches("button, a, summary")) { event.preventDefault(); this.blinked = !this.blinked; this.draw(); }
    });
    this.root.querySelector("#opacity").addEventListener("input", (event) => this.set({ opacity: event.target.value / 100, mode: "overlay" }));
    new ResizeObserver(() => this.draw()).observe(this.stage);
    for (const pane of [this.other, this.own]) this.listenTo(pane);
  }

  pressed({ mode, toggle, do: action }) {
    if (mode && mode === "blink" && this.state.mode === "blink") { this.blinked = !this.blinked; this.draw(); }
    else if (mode) this.set({ mode });
    else if (toggle) { this.set({ [toggle]: !this.state[toggle] }); if (toggle === "page") this.show(this.at); }
    else if (action === "reset") { this.manual = null; this.anchors = null; this.set({ zoom: 1, x: 0, y: 0 }); }
    else if (action === "align") { this.anchors = this.anchors ? null : []; this.set({ mode: "side" }); }
  }

  listenTo(pane) {
    let held = null;
    pane.view.addEventListener("pointerdown", (event) => {
      if (this.anchors) return this.anchor(pane, event);
      held = [event.clientX, event.clientY];
      pane.view.setPointerCapture(event.pointerId);
    });
    pane.view.addEventListener("pointermove", (event) => {
      if (this.state.mode === "curtain" && !held) {
        const box = pane.world.getBoundingClientRect();
        return this.set({ curtain: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) });
      }
      if (!held) return;
      const [x, y] = held;
      held = [event.clientX, event.clientY];
      this.set({ x: this.state.x + (event.clientX - x) / pane.view.clientWidth, y: this.state.y + (event.clientY - y) / pane.view.clientHeight });
    });
    for (const end of ["pointerup", "pointercancel"]) pane.view.addEventListener(end, () => { held = null; });
    pane.view.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomAt(pane, event, event.deltaY < 0 ? 1.2 : 1 / 1.2);
    }, { passive: false });
  }

  /** What lies under the pointer stays there. */
  zoomAt(pane, event, factor) {
    const zoom = Math.min(40, Math.max(1, this.state.zoom * factor));
    const grown = zoom / this.state.zoom;
    const box = pane.view.getBoundingClientRect();
    const from = [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top) / box.height - 0.5];
    const moved = (place, at) => (zoom === 1 ? 0 : at - (at - place) * grown);
    this.set({ zoom, x: moved(this.state.x, from[0]), y: moved(this.state.y, from[1]) });
  }

  anchor(pane, event) {
    const wanted = this.anchors.length % 2 ? this.other : this.own;
    if (pane !== wanted) return;
    const box = pane.world.getBoundingClientRect();
    this.anchors.push({ pane, place: [(event.clientX - box.left) / pane.scale, (event.clientY - box.top) / pane.scale] });
    if (this.anchors.length === 4) {
      const [a, b, c, d] = this.anchors.map((each) => each.place);
      const laid = similarity([a, c], [b, d]);
      this.manual = laid && product(laid, this.own.shown.matrix);
      this.anchors = null;
      this.state.mode = "overlay";
    }
    this.draw();
  }
}

const root = typeof document === "undefined" ? null : document.getElementById("viewer");
if (root) new Viewer(root, JSON.parse(document.getElementById("pairs").textContent));
