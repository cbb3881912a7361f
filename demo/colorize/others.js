// The row "Other colours", which others.html draws from
//   versions: [{picture, pins}...], the colours first shown and the others
//   pins: those of the picture
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  const take = (detail) => new CustomEvent("take", { detail, bubbles: true });
  if (button) document.querySelector("#pins .views").dispatchEvent(
    take(props.versions[button.dataset.index].pins));
});
