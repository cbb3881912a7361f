"""The error that every part of the study raises."""


class StudyError(Exception):
    """Something a person can act on; the message is one sentence for them."""
