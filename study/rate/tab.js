// The rater's page in the browser: keys, focus, and when and for how long pictures are in sight.
// study/rate/tab.py puts a heading with `data-step` at the top of each step; all else that is needed
// is in data attributes, so that nothing here is specific to a study.
(() => {
  const PATIENCE = 30_000; // Time that the server has to reply, in milliseconds.
  const identified = ["prolific_pid", "rater"]; // In small letters; capitals do not matter.
  const parameters = new URLSearchParams(location.search);
  const recruited =
    parameters.get("tab") === "rate" ||
    [...parameters.keys()].some((name) => identified.includes(name.trim().toLowerCase()));
  document.documentElement.classList.toggle("recruited", recruited);

  const seen = (selector) =>
    [...document.querySelectorAll(selector)].find((element) => element.offsetParent);
  const painted = () =>
    new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

  let step = null; // The step in sight.
  let shownAt = null; // The time at which its pictures came into sight, by the browser's clock.
  let answered = {}; // The answer that was sent last.
  let ahead = []; // Pictures of the next pair; the browser does not drop what is kept here.

  const enter = (heading) => {
    const first = step === null;
    step = heading.dataset.step;
    shownAt = null;
    const pair = seen(".pair");
    if (pair) load(pair);
    if (first) return; // Opening the page leaves the focus where it is.
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: "nearest" });
  };

  const load = async (pair) => {
    try {
      await Promise.all([...pair.querySelectorAll("img")].map((image) => image.decode()));
    } catch {
      if (pair.isConnected) pair.dataset.phase = "missing";
      return;
    }
    if (pair.dataset.exposure) pair.dataset.phase = "ready";
    else {
      pair.dataset.phase = "shown";
      await seeing();
      pair.dataset.phase = "answer";
    }
    ahead = pair.dataset.upcoming.split(" ").filter(Boolean).map((token) => {
      const image = new Image();
      image.src = `picture/${token}`;
      return image;
    });
  };

  const seeing = async () => {
    const now = step;
    await painted();
    if (step === now) shownAt = performance.now();
  };

  const expose = async (pair) => {
    pair.dataset.phase = "shown";
    await seeing();
    const end = performance.now() + 1000 * Number(pair.dataset.exposure);
    const cover = (now) => {
      if (now < end - 8) requestAnimationFrame(cover); // The nearest of 60 frames a second.
      else pair.dataset.phase = "answer";
    };
    requestAnimationFrame(cover);
  };

  // The browser's measurements of an answer. An answer that is sent again, because it could not be
  // stored, was given when it was first sent.
  const measured = (step, value) => {
    if (answered.step !== step || answered.value !== value)
      answered = { step, value, at: performance.now() };
    return {
      response_ms: shownAt === null ? null : answered.at - shownAt,
      viewport_width: innerWidth,
      viewport_height: innerHeight,
      pixel_ratio: devicePixelRatio,
    };
  };

  // Send what a rater does at a step and return what is shown next, or null where the server does
  // not reply properly. A second click meanwhile waits for the reply to the first.
  let sending = null; // {step, told}
  const send = (route, step, given) => {
    if (sending?.step === step) return sending.told;
    const ours = { step, told: post(route, given()).catch(() => null) };
    sending = ours;
    return ours.told.finally(() => { if (sending === ours) sending = null; });
  };

  const post = async (route, given) => {
    const told = await fetch(route, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(given),
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (!told.ok) throw new Error(told.status);
    return told.json();
  };

  window.answer = (token, step, value) =>
    send("answer", step, () => ({ token, step, value, measured: measured(step, value) }));
  window.goOn = (token) => send("resume", "", () => ({ token }));

  // What is shown, place by place; a place that is not named stays as it is.
  window.spread = (shown, names) =>
    names.map((name) => (name in shown ? shown[name] : { __type__: "update" }));

  // The token of the session that this browser was handed last. A link goes on in another browser
  // under another token, and its end is told to the browser that was there.
  window.hand = (key, token) => {
    try {
      if (token) localStorage.setItem(key, token);
    } catch {} // The browser keeps nothing.
  };
  window.handed = (key) => {
    try {
      return localStorage.getItem(key) ?? "";
    } catch {
      return "";
    }
  };

  let looking = false;
  const look = () => {
    looking = false;
    const heading = seen("#rate .head");
    if (heading && heading.dataset.step !== step) enter(heading);
  };
  new MutationObserver(() => {
    if (!looking) requestAnimationFrame(look);
    looking = true;
  }).observe(document, { childList: true, subtree: true, attributes: true });

  // No answer before the pictures have been in sight.
  document.addEventListener("click", (event) => {
    const pair = seen(".pair");
    if (!pair) return;
    if (event.target.closest("#show")) expose(pair);
    if (pair.dataset.phase !== "answer" && event.target.closest("#next, #left, #right")) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);

  // Digits choose as they are typed (1 and then 0 is 10; 7, point, 5 is a half point where the scale
  // has half points), arrow keys move the choice, Enter goes on.
  const onScale = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
  const inList = { ...onScale, ArrowDown: 1, ArrowUp: -1 };
  const sides = { ArrowLeft: "#left", ArrowRight: "#right" };
  let typed = "";

  const choices = () => {
    const inputs = [...seen("#rating, #choice").querySelectorAll("input")];
    const values = inputs.map((input) => input.closest("label").textContent.trim());
    const choose = (index) => {
      inputs[index]?.click();
      inputs[index]?.focus();
    };
    return { values, chosen: inputs.findIndex((input) => input.checked), choose };
  };

  const move = (step) => {
    const { values, chosen, choose } = choices();
    const from = chosen >= 0 ? chosen : step > 0 ? -1 : values.length;
    choose(Math.min(Math.max(from + step, 0), values.length - 1));
  };

  const type = (key) => {
    const { values, chosen, choose } = choices();
    if (typed.replace(".", "") !== (values[chosen] ?? "")) typed = "";
    const longer = values.indexOf(typed + key);
    const afterPoint = typed.endsWith(".");
    typed = key === "." || longer >= 0 ? typed + key : afterPoint ? "" : key;
    if (longer >= 0) choose(longer);
    else if (key !== "." && !afterPoint) choose(values.indexOf(key));
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !seen("#rate .head")) return;
    if (event.target.matches("textarea, input:not([type=radio]), [contenteditable]")) return;
    let done = true;
    if (event.key === "Enter" && !event.target.matches("button, a"))
      seen("#rate .go")?.click();
    else if (event.key in sides && seen("#left")) seen(sides[event.key]).focus();
    else if (event.key in onScale && seen("#rating, #choice"))
      move((seen("#rating") ? onScale : inList)[event.key]);
    else if (/^[0-9.,]$/.test(event.key) && seen("#rating, #choice"))
      type(event.key.replace(",", "."));
    else done = false;
    if (done) event.preventDefault();
  });
})();
