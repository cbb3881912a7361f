"""A rater's way through a study (start, steps, answers, pictures) and the page that shows it.

What other rooms need is here; the page's parts, which need Gradio, are imported by their names.
"""

from study.rate.answers import answer
from study.rate.identity import Identity
from study.rate.pictures import picture
from study.rate.start import Begun, begin, known
from study.rate.steps import Feedback, Finished, Pair, View, go_on, resume

__all__ = [
    "Begun",
    "Feedback",
    "Finished",
    "Identity",
    "Pair",
    "View",
    "answer",
    "begin",
    "go_on",
    "known",
    "picture",
    "resume",
]
