// The picture to pin colours on, which pins.html draws. The canvas keeps, as its `value`,
//   {photo, open, pins: [[x, y, "#rrggbb"]...], reach, undo: [{pins, reach}...],
//    place: [x, y] or null}
// of the photo that it names; any other photo has no pins yet. All places are in pixels of the photo.
const none = { open: false, pins: [], reach: "object", undo: [], place: null };
const reaches = ["spot", "object", "everything"];
const state = () => (props.value.photo === props.photo ? props.value : none);
const set = (change) => { props.value = { ...state(), photo: props.photo, ...change }; };
const same = (a, b) => a[0] === b[0] && a[1] === b[1];
const repaint = (change) => {
  const { pins, reach, undo } = state();
  set({ undo: [...undo, { pins, reach }], ...change });
  trigger("input");
};
const choose = (place) => {
  set({ place });
  trigger("select");
  requestAnimationFrame(() =>
    element.querySelector(".colors")?.scrollIntoView({ block: "nearest", behavior: "smooth" }));
};
const give = (color) => {
  const { pins, place } = state();
  const pin = [...place, color];
  const known = pins.find((other) => same(other, place));
  if (known?.[2] === color) return;
  repaint({
    pins: known ? pins.map((other) => (same(other, place) ? pin : other)) : [...pins, pin],
  });
};
const inside = (x, y) => [
  Math.min(Math.max(Math.floor(x), 0), props.width - 1),
  Math.min(Math.max(Math.floor(y), 0), props.height - 1),
];
const placeAt = ({ clientX, clientY }) => {
  const box = element.querySelector(".picture").getBoundingClientRect();
  const [x, y] = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  return inside(x * props.width, y * props.height);
};
const acts = {
  open: () => set({ open: true }),
  close: () => set({ open: false }),
  remove: () => {
    const { pins, place } = state();
    repaint({ pins: pins.filter((pin) => !same(pin, place)), place: null });
  },
  clear: () => repaint({ pins: [], place: null }),
  undo: () => {
    const undo = [...state().undo];
    set({ ...undo.pop(), undo, place: null });
    trigger("input");
  },
};
element.addEventListener("click", (event) => {
  const { pin, color, do: act } = event.target.closest("button")?.dataset ?? {};
  if (act) acts[act]();
  else if (color) give(color);
  else if (pin) choose(state().pins[pin].slice(0, 2));
  else if (event.target.closest(".picture")) choose(placeAt(event));
});
element.addEventListener("change", ({ target }) => {
  if (target.type === "color") give(target.value);
  else if (target.type === "range") repaint({ reach: reaches[target.value] });
});
// A pin that is dragged goes along at once, and counts as moved where it is let go.
let dragged = null;
element.addEventListener("pointerdown", (event) => {
  const ring = event.target.closest("button.ring");
  if (!ring || event.button) return;
  dragged = { ring, pin: ring.dataset.pin, from: event, to: null };
});
element.addEventListener("pointermove", (event) => {
  if (event.pointerId !== dragged?.from.pointerId) return;
  const { ring, from } = dragged;
  if (!dragged.to) {
    if (Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) < 4) return;
    element.setPointerCapture(event.pointerId);
  }
  const [x, y] = (dragged.to = placeAt(event));
  ring.style.left = `${(100 * (x + 0.5)) / props.width}%`;
  ring.style.top = `${(100 * (y + 0.5)) / props.height}%`;
});
element.addEventListener("pointerup", (event) => {
  if (event.pointerId !== dragged?.from.pointerId) return;
  const { pin, to } = dragged;
  dragged = null;
  if (!to) return;
  // the click that follows is part of the drag
  const swallow = (event) => event.stopPropagation();
  element.addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => element.removeEventListener("click", swallow, { capture: true }));
  const { pins } = state();
  if (same(pins[pin], to)) return set({});
  const others = (other, index) => index === Number(pin) || !same(other, to);
  const moved = pins.map((other, index) => (index === Number(pin) ? [...to, other[2]] : other));
  repaint({ pins: moved.filter(others), place: null });
});
element.addEventListener("pointercancel", () => {
  dragged = null;
  set({});
});
const undoByKey = (event) => {
  if (!element.isConnected) return document.removeEventListener("keydown", undoByKey);
  const wanted = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
  const typing = event.target.matches("textarea, input:not([type=range], [type=color])");
  if (!wanted || typing || !state().open || !state().undo.length) return;
  event.preventDefault();
  acts.undo();
};
document.addEventListener("keydown", undoByKey);
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
  if (JSON.stringify(detail) !== JSON.stringify(state().pins))
    repaint({ pins: detail, place: null });
});
if (state().place) trigger("select");
