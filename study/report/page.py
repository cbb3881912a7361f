"""A report as one self-contained page, without scripts, for the screen and for paper.

The study's texts, the names of pictures and models and the raters' own are escaped by the template;
nothing is marked as safe but the plots, whose texts matplotlib escapes.
"""

import base64
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from study import wording
from study.report import plots, text
from study.report.findings import Report
from study.report.lead import lead
from study.report.methods import methods
from study.report.sections import order, sections
from study.report.source import Frozen, Source
from study.stats.describe import PictureScores, Score
from study.stats.ratings import CONTROL

TEMPLATE = "report.html.jinja"
# Length of a picture's longer side, in pixels: sharp enough beside its scores.
SIDE = 176


@dataclass(frozen=True)
class Version:
    """A picture in one condition: its colours as a data URI, and what they scored."""

    condition: str
    color: str
    score: Score


@dataclass(frozen=True)
class GalleryPicture:
    """A picture of the gallery."""

    name: str
    gray: str
    versions: list[Version]


def as_html(source: Source, report: Report) -> str:
    """The page of `report`, the `findings` of `source`, whose pictures are loaded."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    study, colours = source.study, plots.colours(report.models)
    return environment.get_template(TEMPLATE).render(
        report=report,
        study=study,
        wording=wording,
        simulated=text.SIMULATED,
        title=study.config.title if study else wording.printable(Path(source.name).name, 120),
        about=text.source(report),
        lead=lead(report) if report.ratings else text.nothing(report),
        sections=list(sections(report)) if report.ratings else [],
        colours=colours,
        swatches={report.label(name): colour for name, colour in colours.items()},
        plots=_plots(source, report),
        gallery=_gallery(study, report) if study else [],
        order=order(report),
        methods=methods(study, report) if study else [],
        written=datetime.now(UTC),
    )


def _unbroken(value: object) -> object:
    """`value` for the page; no line ends within "p = .012"."""
    for sign in "=<>" if isinstance(value, str) else "":
        value = value.replace(f"p {sign} ", f"p\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    return value


def _plots(source: Source, report: Report) -> list[tuple[str, Markup]]:
    """Captions and drawings."""
    if not report.ratings:
        return []
    return [
        (f"{title}: {caption}.", Markup(plots.svg(draw(source.ratings, report), title)))  # noqa: S704
        for title, draw, caption in plots.drawings(report)
    ]


def _gallery(study: Frozen, report: Report) -> list[GalleryPicture]:
    """The pictures with their versions and what they scored, in the order of `report`."""
    images = {picture.name: picture for picture in study.pictures}
    scored = {each.picture: each for each in report.pictures}
    scored |= {name: PictureScores(name, None, {}) for name in images if name not in scored}
    return [
        GalleryPicture(
            wording.printable(name, 120),
            _data_uri(images[name].gray),
            [
                Version(condition, _data_uri(images[name].colors[condition]), of.score(condition))
                for condition in (CONTROL, *report.models)
                if condition in images[name].colors
            ],
        )
        for name, of in scored.items()
    ]


def _data_uri(png: bytes) -> str:
    """The picture, made smaller and compressed."""
    with Image.open(io.BytesIO(png)) as picture:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
