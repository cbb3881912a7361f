"""The figures that are measured of a network, their goals, and the table of both. No torch."""

# The sets of pictures that weights are reported on, and the split that each is.
SETS = {
    "classic": "test",
    "unseen": "more-test",
    "photos": "photos-test",
    "general": "general-val",
    "kodak": "general-test",
}
# What each set is, for readers.
ABOUT_SETS = (
    "None of these pictures was learned from. classic: the test split of Fruits-360, the same fruit"
    " as in Training; unseen: fruit varieties never trained on; photos: photos taken in shops;"
    " general: ordinary photos for validation, by which choices were made; kodak: 24 ordinary"
    " photos, like the first three for reporting only."
)
# The rows of the table: a figure's title, and its goals for the sets, in their order. A goal of "-"
# means that the figure is not measured there, an empty one that it has no goal.
ROWS = {
    "ab_mse": (
        "ab mean squared error (the paper's loss)",
        ("0.0006", "0.0022", "0.0080", "", ""),
    ),
    "of_grey": ("the same, as a share of the error of all grey", ("", "", "", "0.55", "")),
    "ciede2000_median": (
        "CIEDE2000 on the fruit, on photos on all that is in colour, median",
        ("2", "6", "10", "", ""),
    ),
    "colorfulness_ratio": (
        "colourfulness, generated over true",
        ("0.90 to 1.10", "0.90 to 1.10", "0.90 to 1.10", "0.75 to 1.10", ""),
    ),
    "machine_rater": (
        "classifier two-sample test, accuracy (0.5 is chance)",
        ("0.65", "0.80", "-", "-", "-"),
    ),
    "white_chroma": ("chroma added to a white background", ("1", "1", "-", "-", "-")),
    "one_pin": (
        "CIEDE2000 with one pin of the true colour, median",
        ("-", "3.2", "-", "-", "-"),
    ),
    "three_pins": ("CIEDE2000 with three such pins, median", ("-", "2.4", "-", "-", "-")),
    "pin_near": (
        "effect of a pin of another hue on places of the same colour near it",
        ("-", "-", "", "-", "-"),
    ),
    "pin_elsewhere": (
        "effect of that pin on other colours of the photo",
        ("-", "-", "", "-", "-"),
    ),
    "at_512": (
        "CIEDE2000 to the colours of the same photo at 256 pixels, median: at 512 pixels",
        ("-", "-", "2", "2", "-"),
    ),
    "at_1024": ("- at 1,024 pixels", ("-", "-", "2", "2", "-")),
    "white_border": ("- with a white border of 4 percent", ("-", "-", "2", "2", "-")),
    "black_border": ("- with a black border of 4 percent", ("-", "-", "2", "2", "-")),
    "sepia": ("- as sepia", ("-", "-", "2", "2", "-")),
    "half_contrast": ("- at half contrast", ("-", "-", "2", "2", "-")),
    "skin": ("CIEDE2000 of skin on portraits, median", ("-", "-", "-", "5", "-")),
    "skin_worst": (
        "- in the worst third of London faces by luminance",
        ("-", "-", "-", "6", "-"),
    ),
    "skin_hue": (
        "- share of the portraits with a hue of 20 to 75 degrees",
        ("-", "-", "-", "at least 0.98", "-"),
    ),
    "guessed": (
        "share of pictures whose colours are called a guess",
        ("0.03", "0.03", "0.03", "", "-"),
    ),
    "guessed_worst": (
        "- of the worst fifth by CIEDE2000",
        ("-", "-", "-", "at least 0.60", "-"),
    ),
    "guessed_best": ("- of the best half", ("-", "-", "-", "0.10", "-")),
}

# The ratios of times that model.benchmark measures, and the highest that would do.
SPEED = {
    "forward pass, 256 px, against Zhang et al. 2016": 0.12,
    "12-megapixel JPEG against decode, Lab and back, encode": 1,
}


def sets_of(key: str) -> dict[str, str]:
    """{set: goal} of the sets in which a figure is measured."""
    return {part: goal for part, goal in zip(SETS, ROWS[key][1], strict=True) if goal != "-"}


def figure(figures: dict[str, dict], part: str, key: str) -> str:
    """One figure of the set `part` as text, "-" where it was not measured."""
    value, digits = figures.get(part, {}).get(key), 4 if key == "ab_mse" else 2
    return "-" if value is None else f"{round(value, digits) + 0:.{digits}f}"  # no -0.00


def table(figures: dict[str, dict]) -> str:
    """The rows that were measured as Markdown, each figure with its goal in brackets."""
    lines = [f"| | {' | '.join(SETS)} |", "|---" * (len(SETS) + 1) + "|"]
    for key, (title, goals) in ROWS.items():
        cells = [figure(figures, part, key) for part in SETS]
        if set(cells) != {"-"}:
            pairs = zip(cells, goals, strict=True)
            shown = [f"{cell} ({goal})" if goal and cell != "-" else cell for cell, goal in pairs]
            lines.append(f"| {title} | {' | '.join(shown)} |")
    return "\n".join(lines)


def as_markdown(weights: str, figures: dict[str, dict]) -> str:
    """The page scorecard.md."""
    counts = ", ".join(f"{name} {figures[name]['pictures']:,}" for name in SETS if name in figures)
    return (
        f"# {weights}, measured\n\n{ABOUT_SETS} Pictures: {counts}. In brackets the goal: at most,"
        " a range, or at least. Made by `python -m model.scorecard --data DIR --more DIR"
        f" --photos DIR --general DIR --weights {weights}`.\n\n{table(figures)}\n"
    )
