"""The study file: what it says is taken, what is wrong in it is named with its line."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.plan.config import StudyConfig
from study.plan.study_file import read_study_file
from study.plan.texts import Texts, as_toml
from study.prepare import __main__ as prepare

NEEDED = 'title = "Colours"\ncontact = "Jo"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "study.toml"


def mistakes(file: Path, text: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as refused:
        read_study_file(file)
    return str(refused.value).splitlines()


def test_a_title_and_a_contact_are_enough(file):
    file.write_text(NEEDED)
    config = read_study_file(file)
    assert (config.name, config.title, config.contact) == ("study", "Colours", "Jo")
    assert (config.protocol, config.mode) == ("rating", "counterbalanced")
    assert (config.pairs, config.practice) == (10, 2)


def test_real_or_fake_has_forty_pairs_unless_the_file_says_otherwise(file):
    file.write_text(f'{NEEDED}protocol = "real-or-fake"')
    assert (read_study_file(file).pairs, read_study_file(file).practice) == (40, 10)
    file.write_text(f'{NEEDED}protocol = "real-or-fake"\npairs = 7')
    assert read_study_file(file).pairs == 7


def test_the_template_shows_every_field_with_its_default(file):
    file.write_text(prepare.TEMPLATE.read_text())
    config = read_study_file(file)
    defaults = StudyConfig(name="study", title=config.title, contact=config.contact)
    assert config == defaults
    shown = prepare.TEMPLATE.read_text()
    for part in (StudyConfig, *(type(getattr(config, name)) for name in StudyConfig.model_fields)):
        if part is not Texts:
            for name in getattr(part, "model_fields", ()):
                assert f"\n{name} = " in shown or f"\n# {name} = " in shown or f"[{name}]" in shown


def test_a_frozen_study_gives_its_config_back(file):
    file.write_text(f'{NEEDED}arms = ["control", "colornet", "paper"]\npairs = 9\nquota = 3')
    config = read_study_file(file)
    assert StudyConfig.model_validate(config.model_dump(mode="json")) == config


WRONG = [  # a field, a value of it, what is said
    ("name", '"a b"', 'must be made of letters, digits, dots, hyphens and underscores, not "a b"'),
    ("name", "3", "must be text in quotes, not 3"),
    ("title", '""', "must not be empty"),
    ("title", "3", "must be text in quotes, not 3"),
    ("protocol", '"ratin"', 'must be "rating" or "real-or-fake", not "ratin"'),
    ("mode", '"random"', 'must be "counterbalanced" or "paper", not "random"'),
    ("arms", '"colornet"', 'must be a list such as ["control", "colornet"], not "colornet"'),
    ("arms", "[]", 'must begin with "control", the pictures in true colours'),
    ("arms", '["colornet"]', 'must begin with "control", the pictures in true colours'),
    ("arms", '["control"]', 'must name a model after "control", such as "colornet"'),
    (
        "arms",
        '["control", "a/x.safetensors", "b/x.safetensors"]',
        "must all be different, and two are called 'x'",
    ),
    ("arms", '["control", 3]', "must be text in quotes, not 3"),
    (
        "arms",
        '["control", {folder = "a/b/"}, "b/"]',
        "must all be different, and two are called 'b'",
    ),
    ("arms", '["control", {name = "x"}]', "must have one of weights, folder and command for 'x'"),
    ("arms", '["control", {command = "x {input} {output}"}]', "must have a name in each table"),
    (
        "arms",
        '["control", {weights = "paper", luminance = "own"}]',
        "must not say luminance = \"own\" for 'paper': it has none",
    ),
    ("pairs", "7", "must be even, so that control and colornet are shown equally often"),
    ("pairs", "0", "must be at least 2, not 0"),
    ("pairs", "2000", "must be at most 1000, not 2000"),
    ("pairs", "10.0", "must be a whole number, not 10.0"),
    ("pairs", '"10"', 'must be a whole number, not "10"'),
    ("pairs", "true", "must be a whole number, not true"),
    ("pictures", "3", "must be text in quotes, not 3"),
    (
        "pictures",
        '"nowhere"',
        "must be fruits360, rendered or a folder, and there is no folder 'nowhere'",
    ),
    ("seed", "-1", "must be at least 0, not -1"),
    ("seed", str(2**63), f"must be less than {2**63:,}, not {2**63}"),
    ("practice", "-1", "must be at least 0, not -1"),
    ("quota", "0", "must be at least 1, not 0"),
    ("stale_minutes", "0", "must be at least 1, not 0"),
    ("exposure_seconds", "0", "must be more than 0, not 0"),
    ("exposure_seconds", "inf", "must be a number, not Infinity"),
    ("margin", "0", "must be more than 0, not 0"),
    ("margin", "nan", "must be a number, not NaN"),
    ("contact", '" "', "must not be empty"),
    ("scale", "1", "must be a table of its own, not 1"),
    ("scale.step", "2", "must be 0.5 or 1, not 2"),
    ("scale.step", "true", "must be 0.5 or 1, not true"),
    ("checks", "true", "must be a table of its own, not true"),
    ("checks.attention", "1", "must be true or false, not 1"),
    ("checks.too_fast_seconds", "-0.5", "must be at least 0, not -0.5"),
    ("checks.straight_lining", '"no"', 'must be true or false, not "no"'),
    ("checks.color_vision", "0", "must be true or false, not 0"),
    ("checks.plates", "true", "is not known here"),
    ("checks.screen", "0", "must be true or false, not 0"),
    ("completion", "[]", "must be a table of its own, not []"),
    ("completion.code", "7", "must be text in quotes, not 7"),
    ("completion.url", '"http://a.org"', "must be an address that begins with https://"),
    ("completion.url", '"https://"', "must be an address that begins with https://"),
    ("completion.url", '"https://[a"', "must be an address that begins with https://"),
    ("completion.url", '"https://a.org/\'"', "must be an address that begins with https://"),
    ("recruitment", "1", "must be a table of its own, not 1"),
    ("recruitment.where", "1", "must be text in quotes, not 1"),
    ("recruitment.payment", "1", "must be text in quotes, not 1"),
    ("recruitment.criteria", "1", "must be text in quotes, not 1"),
    ("texts", "1", "must be a table of its own, not 1"),
    ("texts.start", '""', "must not be empty"),
    ("texts.question", '"{x}"', "has {x}, which is not filled in; there are: none"),
    ("texts.progress", '"{number}"', "lacks {total}; to be filled in are: {number}, {total}"),
    ("texts.next", '"{"', "has a brace that is not closed or holds more than a word"),
    ("texts.done", '"{total.x}"', "has {total.x}, which is not filled in; there are: {total}"),
    ("texts.done", '"{total:q}"', "has a brace that is not closed or holds more than a word"),
]


@pytest.mark.parametrize("inline", [False, True], ids=["[table]", "dotted"])
@pytest.mark.parametrize(("field", "value", "sentence"), WRONG)
def test_each_field_wrong_in_turn_is_named_with_its_line(file, field, value, sentence, inline):
    table, _, key = field.rpartition(".")
    needed = "".join(f"{line}\n" for line in NEEDED.splitlines() if not line.startswith(field))
    if table and not inline:
        text, line = f"{needed}\n[{table}]  # of it\n\n{key} = {value}\n", needed.count("\n") + 4
    else:
        text, line = f"# a study\n{field} = {value}\n{needed}", 2
    assert mistakes(file, text) == [f"study.toml, line {line}: {field} {sentence}."]


def test_every_field_has_its_turn():
    turns = {field.partition(".")[0] for field, _, _ in WRONG}
    assert turns == set(StudyConfig.model_fields)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(file):
    text = """pratice = 2
contact = "Jo"
arms = [
  "control",
  "colornet", "paper",
]
quota = 0
[texts]
consent = '''
seed = -1
{nobody} {contact}
'''
questoin = "?"
[checks]
"too_fast_seconds" = "a"
"""
    assert mistakes(file, text) == [
        "study.toml, line 1: pratice is not known here; did you mean practice?",
        "study.toml, line 7: quota must be at least 1, not 0.",
        "study.toml, line 9: texts.consent has {nobody}, which is not filled in;"
        " there are: {contact}.",
        "study.toml, line 13: texts.questoin is not known here; did you mean question?",
        'study.toml, line 15: checks.too_fast_seconds must be a number, not "a".',
        "study.toml: title is missing.",
    ]
    fewer = f'{NEEDED}arms = ["control", "colornet", "paper"]'
    sentence = (
        "must be a multiple of 3, so that control, colornet and paper are shown equally often."
    )
    assert mistakes(file, fewer) == [f"study.toml: pairs {sentence}"]


def test_weights_that_are_not_there_are_named(file):
    (mistake,) = mistakes(file, f'{NEEDED}arms = ["control", "nobody"]')
    assert mistake.startswith("study.toml, line 3: There are no weights 'nobody'; there are ")
    (mistake,) = mistakes(file, f'{NEEDED}arms = ["control", "my.safetensors"]')
    assert mistake.startswith("study.toml, line 3: There are no weights '")


def test_arms_are_called_by_their_table_their_run_or_their_folder(file):
    (file.parent / "zhang").mkdir()
    runs = [file.parent / "results" / run / "weights.safetensors" for run in ("a", "b")]
    for weights in runs:
        weights.parent.mkdir(parents=True)
        weights.touch()
    a, b = (f'"results/{run}/weights.safetensors"' for run in "ab")
    file.write_text(
        f'{NEEDED}arms = ["control", {a}, {b}, "zhang/", {{name = "Zhang 2016", folder = "zhang"}}]'
    )
    config = read_study_file(file)
    assert list(config.models) == ["a", "b", "zhang", "Zhang 2016"]
    assert StudyConfig.frozen(config.model_dump(mode="json")) == config


def test_a_study_that_was_frozen_before_keeps_the_names_of_its_arms():
    arms = ["control", "results/a/weights.safetensors", "paper"]
    stored = {"name": "old", "title": "Old", "contact": "Jo", "pairs": 9, "arms": arms}
    assert StudyConfig.frozen(stored).shown_arms == ("control", "weights", "paper")


def test_mistakes_in_tables_of_arms_have_the_line_of_their_table(file):
    (file.parent / "mine").mkdir()
    tables = """pairs = 9
[[arms]]
name = "control"
[[arms]]
name = "a"
folder = "nowhere/"
[[arms]]
weights = "mine"
"""
    assert mistakes(file, NEEDED + tables) == [
        "study.toml, line 6: there is no folder 'nowhere/'.",
        "study.toml, line 9: 'mine' is a folder; write \"mine/\".",
    ]
    (mistake,) = mistakes(file, NEEDED + tables.replace('folder = "nowhere/"', 'command = "x {a}"'))
    assert mistake == (
        "study.toml, line 8: arms.command must have {input} and {output}, each once."
    )
    misspelt = tables.replace("folder", "foldr").replace('"mine"', "3")
    assert mistakes(file, NEEDED + misspelt) == [
        "study.toml, line 8: arms.foldr is not known here; did you mean folder?",
        "study.toml, line 10: arms.weights must be text in quotes, not 3.",
    ]


def test_nobody_else_has_coloured_what_the_program_draws(file):
    (mistake,) = mistakes(file, f'{NEEDED}arms = ["control", "mine/"]\npictures = "rendered"')
    assert mistake.startswith('study.toml, line 4: pictures must be a folder or "fruits360"')


def test_the_papers_mode_compares_two_arms(file):
    text = f'{NEEDED}mode = "paper"\narms = ["control", "colornet", "paper"]'
    sentence = "arms must be control and one model in mode paper; try counterbalanced."
    assert mistakes(file, text) == [f"study.toml, line 4: {sentence}"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title = ", "study.toml, line 1: this is not valid TOML (invalid value)."),
        ("a = 1\nb = [1,", "study.toml, line 2: this is not valid TOML (unclosed array)."),
        (
            "a = 1\na = 2\n",
            "study.toml, line 2: this is not valid TOML (cannot overwrite a value).",
        ),
        ('a = 1\nb = "\\u0000"', "study.toml, line 2: \\u0000 cannot be stored."),
        (f"seed = {'1' * 5000}", "study.toml, line 1: this is not valid TOML"),
        ("a = 1\n" * 20_000, "study.toml is too large for a study file."),
    ],
)
def test_invalid_toml_is_reported_with_its_line(file, text, sentence):
    (mistake,) = mistakes(file, text)
    assert mistake.startswith(sentence.partition(" (")[0])


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "latin.toml").write_bytes('title = "Größe"'.encode("latin-1"))
    for name, sentence in (
        ("none.toml", "There is no file"),
        ("latin.toml", "latin.toml is not text in UTF-8."),
        (".", "is a folder, not a study file."),
    ):
        with pytest.raises(StudyError, match=sentence):
            read_study_file(tmp_path / name)


VALUES = st.recursive(
    st.integers() | st.floats() | st.booleans() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


@given(field=st.sampled_from(sorted({field for field, _, _ in WRONG})), value=VALUES)
def test_any_value_is_taken_or_told_in_a_sentence(tmp_path_factory, field, value):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    needed = "".join(f"{line}\n" for line in NEEDED.splitlines() if not line.startswith(field))
    file.write_text(f"{field} = {_toml(value)}\n{needed}", encoding="utf-8")
    try:
        read_study_file(file)
    except StudyError as error:
        sentence = str(error)
        assert sentence.isprintable(), "one line"
        named = sentence.startswith(f"any.toml, line 1: {field} ") or field == "arms"
        assert named or "cannot be stored" in sentence
        assert len(sentence) < 250
        for jargon in ("pydantic", "Value error", "Input", "Undefined", "kind"):
            assert jargon not in sentence


# Texts


def test_a_translation_is_taken_whole_and_the_study_file_has_the_last_word(file):
    german = Texts().model_dump() | {"start": "Los", "next": "Weiter"}
    (file.parent / "german.toml").write_text(as_toml(Texts(**german)), encoding="utf-8")
    file.write_text(f'texts_file = "german.toml"\n{NEEDED}[texts]\nnext = "Nächstes"\n')
    texts = read_study_file(file).texts
    assert (texts.start, texts.next) == ("Los", "Nächstes")


def test_mistakes_in_a_translation_are_told_with_its_own_lines(file):
    (file.parent / "german.toml").write_text('start = "Los"\nnext = ""\nnxt = "x"\n')
    told = mistakes(file, f'texts_file = "german.toml"\n{NEEDED}')
    assert told[:2] == [
        "german.toml, line 2: next must not be empty.",
        "german.toml, line 3: nxt is not known here; did you mean next?",
    ]
    texts = len(Texts.model_fields)
    assert told[2:] == [
        f"german.toml: {texts - 2} texts are missing: consent_title, consent, consent_box"
        f" and {texts - 5} more; python -m study.prepare --texts prints all of them."
    ]
    for value, sentence in (
        ('"nobody.toml"', "there is no texts_file 'nobody.toml'."),
        ("3", "texts_file must be the name of a file in quotes."),
    ):
        assert mistakes(file, f"{NEEDED}texts_file = {value}") == [
            f"study.toml, line 3: {sentence}"
        ]


def test_the_texts_to_translate_are_all_texts(capsys):
    assert prepare.main(["--texts"]) == 0
    assert tomllib.loads(capsys.readouterr().out) == Texts().model_dump()


@pytest.mark.parametrize(
    ("protocol", "told"),
    [("rating", "13 pairs 3 minutes"), ("real-or-fake", "51 pairs 6 minutes")],
)
def test_the_consent_is_honest_and_names_whom_to_ask(protocol, told):
    config = StudyConfig(name="x", title="x", contact="Jo, jo@example.org", protocol=protocol)
    text = " ".join(config.consent_text().split())
    assert " ".join(re.findall(r"\d+ pairs|\d+ minutes", text)) == told, "with practice and check"
    assert "Jo, jo@example.org" in text
    for stored in (
        "your answers",
        "the order of the pictures",
        "when you began",
        "how long you took",
        "pixel ratio of your browser's window",
        "participant ID",
        "random number kept in this browser",
    ):
        assert stored in text


def test_no_text_before_the_end_tells_raters_that_some_colours_are_true():
    config = StudyConfig(name="x", title="x", contact="x")
    texts = config.texts
    said = [config.consent_text(), config.instructions_text(), texts.question, texts.progress]
    said += [texts.color_alt, texts.gray_alt, texts.keys, texts.practice]
    for text in said:
        for word in ("control", "generated", "program", "computer", "network", "made up", "blue."):
            assert word not in text.replace("network address", "").lower()
    assert "painted blue on purpose" in config.debrief_text()


def test_the_instructions_name_the_ends_of_the_scale_or_the_seconds():
    config = StudyConfig(name="x", title="x", contact="x")
    assert config.texts.scale_low in config.instructions_text()
    assert config.texts.scale_high in config.instructions_text()
    assert "Practice pairs: 2." in config.instructions_text()
    fakes = config.model_copy(update={"protocol": "real-or-fake", "exposure_seconds": 0.5})
    assert "You see both for 0.5 s" in fakes.instructions_text()


def test_a_study_that_an_older_version_froze_can_be_read():
    stored = StudyConfig(name="old", title="Old", contact="me").model_dump(mode="json")
    stored |= {"given_up": 1, "texts": stored["texts"] | {"farewell": "Bye"}}
    stored["checks"] |= {"plates": True}
    stored["texts"] |= {"progress": "{number:02d}/{total}", "done": "Thanks"}
    stored["texts"] |= {"picture_size": "{size} x {size}, on a phone {narrow} x {narrow}"}
    old = StudyConfig.frozen(stored)
    assert (old.title, old.filled("done", total=9)) == ("Old", "Thanks")
    assert old.filled("progress", number=3, total=9) == "03/9"
    assert old.filled("picture_size") == "256 x 256, on a phone 160 x 160"
