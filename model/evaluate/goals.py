"""The figures that are measured of a network, their goals, and the table of both. No torch."""

# The sets of pictures that weights are reported on, and the split that each is.
SETS = {"classic": "test", "unseen": "more-test", "photos": "photos-test"}
# The rows of the table: a figure's title, and its goals for classic, unseen and photos. A goal of
# "-" means that the figure is not measured there, an empty one that it has no goal.
ROWS = {
    "ab_mse": ("ab mean squared error (the paper's loss)", ("0.0006", "0.0025", "0.0090")),
    "ciede2000_median": (
        "CIEDE2000 on the fruit, on photos on all that is in colour, median",
        ("2", "6", "10"),
    ),
    "colorfulness_ratio": ("colourfulness, generated over true", ("0.90 to 1.10",) * 3),
    "machine_rater": (
        "classifier two-sample test, accuracy (0.5 is chance)",
        ("0.60", "0.70", "-"),
    ),
    "white_chroma": ("chroma added to a white background", ("1", "1", "-")),
    "one_pin": ("CIEDE2000 with one pin of the true colour, median", ("-", "4", "-")),
    "three_pins": ("CIEDE2000 with three such pins, median", ("-", "3", "-")),
    "pin_near": (
        "effect of a pin of another hue on places of the same colour near it",
        ("-", "-", ""),
    ),
    "pin_elsewhere": ("effect of that pin on other colours of the photo", ("-", "-", "")),
    "across_scales": (
        "CIEDE2000 between a photo at 256 pixels and enlarged to 512 and 1,024, median",
        ("-", "-", "2"),
    ),
}

# The ratios of times that model.benchmark measures, and the highest that would do.
SPEED = {
    "forward pass, 256 px, against Zhang et al. 2016": 0.10,
    "12-megapixel JPEG against decode, Lab and back, encode": 2,
}


def figure(figures: dict[str, dict], part: str, key: str) -> str:
    """One figure of the set `part` as text, "-" where it was not measured."""
    value, digits = figures.get(part, {}).get(key), 4 if key == "ab_mse" else 2
    return "-" if value is None else f"{round(value, digits) + 0:.{digits}f}"  # no -0.00


def table(figures: dict[str, dict]) -> str:
    """The rows that were measured as Markdown, each figure with its goal in brackets."""
    lines = [f"| | {' | '.join(SETS)} |", "|---|---|---|---|"]
    for key, (title, goals) in ROWS.items():
        cells = [figure(figures, part, key) for part in SETS]
        if set(cells) != {"-"}:
            pairs = zip(cells, goals, strict=True)
            shown = [f"{cell} ({goal})" if goal and cell != "-" else cell for cell, goal in pairs]
            lines.append(f"| {title} | {' | '.join(shown)} |")
    return "\n".join(lines)


def as_markdown(weights: str, figures: dict[str, dict]) -> str:
    """The page scorecard.md."""
    counts = ", ".join(f"{name} {figures[name]['pictures']:,}" for name in figures)
    return (
        f"# {weights}, measured on pictures that no choice was based on\n\n"
        "classic: the test split of Fruits-360; unseen: varieties never trained on; photos: shop"
        f" photos never trained on. Pictures: {counts}. In brackets the goal: at most, or a range."
        " Made by `python -m model.scorecard --data DIR --more DIR --photos DIR"
        f" --weights {weights}`.\n\n{table(figures)}\n"
    )
