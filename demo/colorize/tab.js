// The "Colorize" tab in the browser: the vividness, a photo that cannot be shown, where to look.
(() => {
  // Gradio's `release` event comes from pointers alone; the DOM's `change` also comes with the
  // arrow keys.
  document.addEventListener("change", ({ target }) => {
    if (target.matches("#vividness [type=range]"))
      target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
  });

  // A typed number is also taken with Enter. It is brought into the slider's range; where it is no
  // number, the one before stays.
  const typed = "#vividness [type=number]";
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches(typed)) target.dataset.before = target.value;
  });
  document.addEventListener("keydown", ({ target, key }) => {
    if (key === "Enter" && target.matches(typed)) target.blur();
  });
  document.addEventListener("blur", ({ target }) => {
    if (!(target instanceof Element && target.matches(typed))) return;
    const { value, dataset } = target;
    const { min, max } = document.querySelector("#vividness [type=range]");
    const number = Number(value === "" ? dataset.before : value);
    target.value = Math.min(Math.max(number, Number(min)), Number(max));
    if (target.value !== value) target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);

  // A photo that the browser cannot show says so.
  document.addEventListener("error", ({ target }) => {
    if (target instanceof Element && target.matches("#photo img"))
      target.alt = "No preview: the browser does not show this file.";
  }, true);
  document.addEventListener("load", ({ target }) => {
    if (target instanceof Element && target.matches("#photo img")) target.alt = "";
  }, true);

  window.scrollToResult = (photo) => {
    const result = document.querySelector("#result");
    if (photo) result.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };
})();
