// The picture to pin colours on, which pins.html draws. The canvas keeps, as its `value`,
//   {photo, open, pins: [[x, y, "#rrggbb"]...], undo: [pins...], place: [x, y] or null}
// of the photo that it names; any other photo has no pins yet. All places are in pixels of the photo.
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
