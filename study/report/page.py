"""A report as one self-contained page, without scripts, for the screen and for paper.

The study's texts, the names of pictures and models and the raters' own are escaped by the template;
nothing is marked as safe but the plots, whose texts matplotlib escapes.
"""

import base64
import io
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from study import wording as words
from study.report import methods, plots, wording
from study.report.source import Picture, Source
from study.stats.ratings import CONTROL

TEMPLATE = "report.html.jinja"
SIDE = 176  # pixels of a picture's longer side: sharp enough beside its scores


def as_html(source: Source, report: dict) -> str:
    """The page of `report`, the `findings` of `source`, whose pictures are loaded."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    study = source.study
    return environment.get_template(TEMPLATE).render(
        report=report,
        study=study,
        say=wording,
        words=words,
        title=study.config.title if study else words.printable(Path(source.name).name, 120),
        colours=plots.colours(report["models"]),
        models=_models(source, report),
        plots=_plots(source, report),
        pictures=_pictures(source, report),
        methods=methods.methods(study, report) if study else [],
        written=datetime.now(UTC),
    )


def _unbroken(value: object) -> object:
    """`value` for the page; no line ends within "p = .012"."""
    for sign in "=<>" if isinstance(value, str) else "":
        value = value.replace(f"p {sign} ", f"p\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    return value


def _models(source: Source, report: dict) -> dict[str, str]:
    """What each condition is, in words."""
    names = {CONTROL: "true colours"} | dict.fromkeys(report["models"], "generated")
    if source.study and report["models"] == ["generated"]:
        names["generated"] = f"by {', '.join(source.study.config.models)}"
    return names


def _plots(source: Source, report: dict) -> list[tuple[str, Markup]]:
    """Captions and drawings."""
    if source.table.empty:
        return []
    if source.real_or_fake:
        drawn = [("How often each rater was fooled", plots.rates, plots.RATES)]
    else:
        drawn = [
            ("Ratings by condition", plots.ratings, plots.RATINGS),
            ("Each rater's difference", plots.differences, plots.DIFFERENCES),
        ]
    return [
        (f"{title}: {caption}.", Markup(plots.svg(draw(source.table, report), title)))  # noqa: S704
        for title, draw, caption in drawn
    ]


def _pictures(source: Source, report: dict) -> list[dict]:
    """A picture with its versions and what they scored, in the order of `report`."""
    images = {picture.name: picture for picture in source.study.pictures} if source.study else {}
    scores = {each["picture"]: each for each in report["pictures"]}
    return [
        _picture(name, images.get(name), scores.get(name, {}), report) for name in scores | images
    ]


def _picture(name: str, image: Picture | None, scores: dict, report: dict) -> dict:
    conditions = [CONTROL, *report["models"]]
    if image:
        conditions = [each for each in conditions if each in image.colors]
    return {
        "name": words.printable(name, 120),
        "gray": _data_uri(image.gray) if image else None,
        "versions": [
            {
                "condition": condition,
                "color": _data_uri(image.colors[condition]) if image else None,
                "mean": scores.get(f"{condition}_mean"),
                "sd": scores.get(f"{condition}_sd"),
                "raters": scores.get(f"{condition}_raters", 0),
                "difference": scores.get(f"{condition}_difference"),
            }
            for condition in conditions
        ],
    }


def _data_uri(png: bytes) -> str:
    """The picture, made smaller and compressed."""
    with Image.open(io.BytesIO(png)) as picture:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
