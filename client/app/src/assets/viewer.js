// Turns pictures by keys and wheel, and sets the window by dragging. Without it the page's links do the same.
// @ts-check

const figure = /** @type {HTMLElement} */ (document.getElementById("viewer"));
const picture = /** @type {HTMLImageElement} */ (document.getElementById("picture"));
const where = /** @type {HTMLElement} */ (document.getElementById("where"));
const image = figure.dataset.image;
const instances = Number(figure.dataset.instances);
const frames = Number(figure.dataset.frames);
const at = { n: Number(figure.dataset.n), f: Number(figure.dataset.f) };
/** Center and width in the image's values; empty until one was chosen. @type {number[]} */
let shown = (figure.dataset.window ?? "").split(",").filter(Boolean).map(Number);

function show() {
  const set = shown.length === 2 ? shown.map(Math.round).join(",") : "";
  const query = `window=${encodeURIComponent(set)}`;
  picture.src = `/image/${image}/${at.n}/${at.f}?${query}`;
  const text = `Picture ${at.n} of ${instances}`;
  picture.alt = text;
  where.textContent = frames > 1 ? `${text}, frame ${at.f} of ${frames}` : text;
  history.replaceState(null, "", `/image/${image}/look?n=${at.n}&f=${at.f}&${query}`);
}

/** Goes on by some pictures: through the frames of one instance, or through instances of one frame each. @param {number} by */
function turn(by) {
  const [part, count] = frames > 1 ? /** @type {const} */ (["f", frames]) : /** @type {const} */ (["n", instances]);
  const next = Math.min(count, Math.max(1, at[part] + by));
  if (next !== at[part]) {
    at[part] = next;
    show();
  }
}

figure.addEventListener("keydown", (event) => {
  const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
  if (by !== undefined) {
    event.preventDefault();
    turn(by);
  }
});

figure.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    turn(Math.sign(event.deltaY));
  },
  { passive: false },
);

/** @type {{ x: number, y: number, from: number[] } | null} */
let dragged = null;
picture.addEventListener("pointerdown", (event) => {
  if (shown.length === 2) {
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    dragged = { x: event.clientX, y: event.clientY, from: shown };
  }
});
picture.addEventListener("pointermove", (event) => {
  if (dragged === null) return;
  const [center, width] = dragged.from;
  const step = width / 256;
  shown = [center + (event.clientY - dragged.y) * step, Math.max(1, width + (event.clientX - dragged.x) * step)];
});
picture.addEventListener("pointerup", () => {
  if (dragged !== null) show();
  dragged = null;
});
