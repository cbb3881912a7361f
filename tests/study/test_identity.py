"""Which IDs from links are taken, and which stand in for one."""

import pytest

from study.rate.identity import Identity, can_be_id

UNFILLED = """
    ${e://Field/PROLIFIC_PID} %SURVEY_CODE% [PROLIFIC_PID] {{%PROLIFIC_PID%}} {PROLIFIC_PID} <ID>
    [[worker_id]] $PID$ ##RID## @@id@@ __ID__ (null) :id *ID* |USER_ID| e://Field/ID
    PROLIFIC_PID workerId participantid participant-id YOUR_ID YOUR_ID_HERE INSERT_ID_HERE
    ASSIGNMENT_ID_NOT_AVAILABLE SURVEY_CODE RATER NAME
    undefined null None NULL NaN nil NA N/A #N/A true false unknown anonymous [objectObject]
    ... … - -- _ ? . XXXX xxxxxxxx xxx-xxx 00000000-0000-0000-0000-000000000000
    M\N{REPLACEMENT CHARACTER}ller M%FCller M%C3%BCller a\u200bb #12
""".split()
FILLED = """
    60a1b2c3d4e5f60718293a4b A2XYZ7QWERTY1 48213 7 007 rater-1 RATER_7 Müller O'Brien
    jo.doe+study@example.org 3f2504e0-4f89-11d3-9a0c-0305e82c3301 second Nina Nadine Ida Hans-Ulrich
    हिन्दी 李 Null7 c2VjcmV0LzE= test
""".split()  # fmt: skip


@pytest.mark.parametrize("text", [*UNFILLED, "", "x" * 101, "a\0b"])
def test_what_many_links_have_in_common_is_no_id(text):
    assert not can_be_id(text)


@pytest.mark.parametrize("text", [*FILLED, "Anna B"])
def test_what_one_person_has_is_an_id(text):
    assert can_be_id(text)


@pytest.mark.parametrize(
    ("parameters", "who"),
    [
        ({}, None),
        ({"tab": "rate", "utm_source": "x"}, None),
        ({"rater": " 17 "}, Identity("17")),
        ({"Prolific_Pid": "a1", "study_id": "s1", "SESSION_ID": ""}, Identity("a1", "s1")),
        ({"PROLIFIC_PID": "a1", "rater": "b2"}, Identity("a1")),
        ([("rater", "a1"), ("rater", "a1")], Identity("a1")),
    ],
)
def test_parameters_that_are_taken(parameters, who):
    assert Identity.of(parameters) == who


@pytest.mark.parametrize(
    "parameters",
    [
        {"rater": ""},
        {"STUDY_ID": "s1"},
        {"PROLIFIC_PID": "a1", "SESSION_ID": "{{%SESSION_ID%}}"},
        {"PROLIFIC_PID": "undefined", "rater": "b2"},
        [("rater", "a1"), ("rater", "b2")],
        [("rater", "a1"), ("RATER", "A1")],
    ],
)
def test_parameters_that_are_refused(parameters):
    with pytest.raises(ValueError, match="a rater and a visit|two values"):
        Identity.of(parameters)
