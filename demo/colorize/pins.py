"""Colours chosen by hand: pins on the picture, and the row "Other colours".

The browser keeps the pins with their undo history, so that a ring is there at once and no answer
of the server can bring back an older one; the server is told all pins each time. The canvas owns
its `value` in the browser; everything else comes from the server.
"""

import base64

import cv2
import gradio as gr
import numpy as np

JPEG = [
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]

# value: {photo, open, pins: [[x, y, "#rrggbb"]...], undo: [pins...], place: [x, y] or null}, of
# the photo it names; any other photo has none yet. All places are in pixels of the photo.
CANVAS = """${(() => {
  if (!photo) return "";
  const { open, pins, undo, place } =
    value.photo === photo ? value : { open: false, pins: [], undo: [], place: null };
  const percent = (pixel, pixels) => (100 * (pixel + 0.5)) / pixels;
  const at = ([x, y]) => `left: ${percent(x, width)}%; top: ${percent(y, height)}%;`;
  const here = (spot) => place && spot[0] === place[0] && spot[1] === place[1];
  const chosen = pins.findIndex(here);
  const palettes = typeof likely === "undefined" ? [] : [likely];
  const colors = palettes.find(({ place }) => here(place))?.colors ?? [];
  const button = (name, text, off) =>
    `<button type="button" data-do="${name}" class="plain"
      ${off ? "disabled" : ""}>${text}</button>`;
  const views = `<div class="views">
    <button type="button" data-do="close" aria-pressed="${!open}">Before and after</button>
    <button type="button" data-do="open" aria-pressed="${open}">Pin a colour</button></div>`;
  if (!open) return views;
  const rings = pins.map((pin, index) =>
    `<button type="button" class="ring ${index === chosen ? "chosen" : ""}" data-pin="${index}"
      style="${at(pin)} --pin: ${pin[2]}"
      aria-label="Pin ${index + 1}, ${pin[2]}">${index + 1}</button>`);
  const empty = place && chosen < 0 ? `<span class="ring chosen" style="${at(place)}"></span>` : "";
  const swatches = colors.map((color) =>
    `<button type="button" class="swatch" data-color="${color}" style="background: ${color}"
      aria-label="${color}" title="${color}"></button>`);
  const other = chosen < 0 ? "#808080" : pins[chosen][2];
  const palette = place
    ? `<span>${chosen < 0 ? "Colour here:" : `Pin ${chosen + 1}:`}</span>
       <span class="swatches">${swatches.join("")}</span>
       <label>Any other <input type="color" value="${other}"></label>`
    : "<span>Click a place on the picture, then choose its colour.</span>";
  return `${views}
    <div class="picture" tabindex="0" role="group" style="--width: ${width}; --height: ${height}"
      aria-label="The picture. Arrow keys choose a place, Enter shows its colours.">
      <img src="${picture}" alt="" draggable="false">${rings.join("")}${empty}</div>
    <div class="palette" aria-live="polite">${palette}</div>
    <div class="palette">${button("undo", "Undo", !undo.length)}
      ${button("remove", "Remove", chosen < 0)}
      ${button("clear", "Clear all", !pins.length)}</div>`;
})()}"""

CANVAS_SCRIPT = """
const none = { open: false, pins: [], undo: [], place: null };
const state = () => (props.value.photo === props.photo ? props.value : none);
const set = (change) => { props.value = { ...state(), photo: props.photo, ...change }; };
const same = (a, b) => a[0] === b[0] && a[1] === b[1];
const repaint = (pins, change) => {
  set({ pins, undo: [...state().undo, state().pins], ...change });
  trigger("input");
};
const choose = (place) => { set({ place }); trigger("select"); };
const give = (color) => {
  const { pins, place } = state();
  const pin = [...place, color];
  const known = pins.some((other) => same(other, place));
  repaint(known ? pins.map((other) => (same(other, place) ? pin : other)) : [...pins, pin]);
};
const inside = (x, y) => [
  Math.min(Math.max(Math.floor(x), 0), props.width - 1),
  Math.min(Math.max(Math.floor(y), 0), props.height - 1),
];
const acts = {
  open: () => set({ open: true }),
  close: () => set({ open: false }),
  remove: () => repaint(state().pins.filter((pin) => !same(pin, state().place)), { place: null }),
  clear: () => repaint([], { place: null }),
  undo: () => {
    const undo = [...state().undo];
    set({ pins: undo.pop(), undo, place: null });
    trigger("input");
  },
};
element.addEventListener("click", ({ target, clientX, clientY }) => {
  const { pin, color, do: act } = target.closest("button")?.dataset ?? {};
  const picture = target.closest(".picture");
  if (act) acts[act]();
  else if (color) give(color);
  else if (pin) choose(state().pins[pin].slice(0, 2));
  else if (picture) {
    const box = picture.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * props.width;
    choose(inside(x, ((clientY - box.top) / box.height) * props.height));
  }
});
element.addEventListener("change", ({ target }) => {
  if (target.type === "color") give(target.value);
});
element.addEventListener("keydown", (event) => {
  const step = Math.max(1, Math.max(props.width, props.height) / (event.shiftKey ? 100 : 25));
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const { pins, place } = state();
  const ring = event.target.dataset.pin;
  if (ring && ["Delete", "Backspace"].includes(event.key)) {
    set({ place: pins[ring].slice(0, 2) });
    acts.remove();
  } else if (!event.target.matches(".picture")) return;
  else if (event.key in steps) {
    const [x, y] = place ?? [props.width / 2, props.height / 2];
    const [right, down] = steps[event.key];
    set({ place: place ? inside(x + right * step, y + down * step) : inside(x, y) });
  } else if (event.key === "Enter" && place) choose(place);
  else return;
  event.preventDefault();
});
element.addEventListener("take", ({ detail }) => {
  if (JSON.stringify(detail) !== JSON.stringify(state().pins)) repaint(detail, { place: null });
});
if (state().place) trigger("select");
"""

# versions: [{picture, pins}...], the colours first shown and the others; pins: those of the picture
OTHERS = """<p>${title}</p>
<div class="row">${versions.map((version, index) =>
  `<button type="button" data-index="${index}"
    aria-label="${index ? `Other colours ${index}` : "The colours first shown"}"
    aria-pressed="${JSON.stringify(version.pins) === JSON.stringify(pins)}"><img
    src="${version.picture}" alt="" draggable="false"></button>`).join("")}</div>"""

OTHERS_SCRIPT = """
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  const take = (detail) => new CustomEvent("take", { detail, bubbles: true });
  if (button) document.querySelector("#pins .views").dispatchEvent(
    take(props.versions[button.dataset.index].pins));
});
"""

CSS = """
#pins .html-container, #others .html-container { padding: 0; }
#pins .views { display: flex; gap: 4px; }
#pins .views button { padding: 6px 12px; color: var(--body-text-color);
  border-bottom: 2px solid transparent; }
#pins .views button[aria-pressed=true] { color: var(--color-accent);
  border-color: var(--color-accent); }
.gradio-container:has(#pins .picture) #result,
.gradio-container:has(#pins .views) #result [data-testid=block-label] { display: none; }
#pins .picture { position: relative; margin: 8px auto; cursor: crosshair;
  width: min(100%, 70vh * var(--width) / var(--height));
  aspect-ratio: var(--width) / var(--height); touch-action: manipulation; }
#pins .picture img { display: block; width: 100%; height: 100%; margin: 0; user-select: none; }
#pins .ring { position: absolute; width: 26px; height: 26px; transform: translate(-50%, -50%);
  border: 3px solid #fff; border-radius: 50%; background: var(--pin, transparent); color: #fff;
  font: 600 12px/20px sans-serif; text-align: center; text-shadow: 0 0 2px #000, 0 0 2px #000;
  box-shadow: 0 0 0 1.5px #000; padding: 0; }
#pins .ring::after { content: ""; position: absolute; inset: -11px; border-radius: 50%; }
#pins span.ring { pointer-events: none; }
#pins .ring.chosen { box-shadow: 0 0 0 1.5px #000, 0 0 0 4px var(--color-accent); }
#pins .palette { display: flex; flex-wrap: wrap; align-items: center; gap: 8px;
  min-height: 44px; color: var(--body-text-color); }
#pins .swatches { display: contents; }
#pins .swatch { width: 36px; height: 36px; border-radius: 6px; }
#pins .swatch, #pins input[type=color] { border: 1px solid var(--border-color-primary); }
#pins label { display: flex; align-items: center; gap: 6px; }
#pins input[type=color] { width: 44px; height: 36px; padding: 2px; border-radius: 6px;
  background: none; cursor: pointer; }
#pins .plain { padding: 6px 12px; border-radius: 6px;
  background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color); }
#pins .plain:disabled { opacity: 0.45; cursor: default; }
#others p { margin: 0 0 6px; color: var(--block-title-text-color); }
#others .row { display: grid; grid-template-columns: repeat(5, 1fr); gap: 8px; }
#others img { display: block; width: 100%; aspect-ratio: 1; margin: 0; object-fit: contain; }
#others button { border: 1px solid var(--border-color-primary); border-radius: 6px;
  overflow: hidden; }
#others button[aria-pressed=true] { box-shadow: 0 0 0 3px var(--color-accent); }
#pins :is(button, input, .picture):focus-visible, #others button:focus-visible {
  outline: 3px solid var(--color-accent); outline-offset: 2px; }
"""


def canvas() -> gr.HTML:
    """The picture to pin colours on. Events: `select`, a place was chosen; `input`, the pins
    changed."""
    return gr.HTML(
        value={},
        html_template=CANVAS,
        js_on_load=CANVAS_SCRIPT,
        apply_default_css=False,
        visible=False,
        elem_id="pins",
        photo="",
        picture="",
        width=1,
        height=1,
    )


def others() -> gr.HTML:
    """The row of other versions, each of them a button that sets its pins."""
    return gr.HTML(
        html_template=OTHERS,
        js_on_load=OTHERS_SCRIPT,
        apply_default_css=False,
        visible=False,
        elem_id="others",
        versions=[],
        title="",
        pins=[],
    )


def data_url(rgb: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB as a JPEG inside the page."""
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), JPEG)[1]
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
