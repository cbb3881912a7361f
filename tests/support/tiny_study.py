"""Studies of tiny pictures, for tests that need many sessions and no colorizer."""

import numpy as np
import sqlalchemy as sa

from study.db.engine import writing
from study.db.tables import Study
from study.plan import design
from study.plan.config import StudyConfig
from study.plan.questions import QUESTIONS
from study.prepare import manifest, stimuli

STUDY = "tiny"
NO_QUESTIONS = {question.step: False for question in QUESTIONS if question.optional}


def add_study(engine: sa.Engine, **fields) -> StudyConfig:
    """Freeze a study with these fields; pictures are noise of 8x8 pixels."""
    config = StudyConfig(
        **{"name": STUDY, "title": "Tiny", "contact": "Jo", "pictures": "rendered", "seed": 1}
        | fields
    )
    rng = np.random.default_rng(config.seed)
    wanted = design.kinds_of_pairs(config.pairs, rng)
    extra = config.practice + config.checks.attention
    photos = [
        stimuli.Photo(f"picture {number}", kind, rng.integers(0, 255, (8, 8, 3)).astype(np.uint8))
        for number, kind in enumerate([*wanted, *["apple"] * extra])
    ]
    colored = {
        name: lambda photo, by=number: np.roll(photo.rgb, by, axis=2)
        for number, name in enumerate(config.models, 1)
    }
    main, others = photos[: config.pairs], photos[config.pairs :]
    made = list(stimuli.make(config, main, others, colored))
    frozen = {"study": config.name, "pictures": [], "weights": {}, "versions": {}}
    with writing(engine) as database:
        study = Study(
            name=config.name,
            pictures_from="noise",
            seed=config.seed,
            config=config.model_dump(mode="json"),
            manifest=frozen,
            manifest_sha256=manifest.digest(frozen),
            stimuli=made,
        )
        database.add(study)
    return config
