from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Place, PolicyError
from policies.parse import MAX_CHARS, MAX_DEPTH, decode, dotted, parse, scalar


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("2026-11-01", "2026-11-01"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("7", 7),
        ("-7", -7),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalar_follows_the_yaml_1_2_core_schema(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_scalar_not_a_number() -> None:
    value = scalar(".nan")
    assert isinstance(value, float)
    assert value != value


def test_quoted_scalars_are_text() -> None:
    assert parse("{a: '5', b: \"true\", c: ''}", "p").data == {"a": "5", "b": "true", "c": ""}


def test_data_and_lines() -> None:
    document = parse("policies:\n  - name: a\n    params:\n      rate: 0.5\n  - name: b\n", "p.yaml")
    assert document.data == {"policies": [{"name": "a", "params": {"rate": 0.5}}, {"name": "b"}]}
    assert document.place(("policies",)) == Place("p.yaml", 1)
    assert document.place(("policies", 0, "params", "rate")) == Place("p.yaml", 4)
    assert document.place(("policies", 1)) == Place("p.yaml", 5)


def test_place_of_what_is_not_there_is_its_nearest_ancestor() -> None:
    document = parse("a:\n  b: 1\n", "p.yaml")
    assert document.place(("a", "c", 3)) == Place("p.yaml", 1)
    assert str(parse("", "p.yaml").place(("x",))) == "p.yaml"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_an_empty_file_holds_nothing(text: str) -> None:
    assert parse(text, "p").data is None


def test_a_yaml_1_2_directive_is_fine() -> None:
    assert parse("%YAML 1.2\n---\na: on\n...\n", "p").data == {"a": "on"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "p.yaml:3: key 'a' is already given on line 1; keep one"),
        ("x:\n  a: 1\n  a: 3\n", "p.yaml:3: x: key 'a' is already given on line 2; keep one"),
        ("a: &x 1\n", "p.yaml:1: a: YAML anchors and aliases are not supported; write the value out"),
        ("a: [*x]\n", "p.yaml:1: a[0]: YAML anchors and aliases are not supported; write the value out"),
        ("*x : 1\n", "p.yaml:1: YAML anchors and aliases are not supported; write the value out"),
        ("a: !!str 5\n", "p.yaml:1: a: YAML tags (!…) are not supported; remove it"),
        ("a: !!python/object:os.system {}\n", "p.yaml:1: a: YAML tags (!…) are not supported; remove it"),
        ("a: 1\n---\nb: 1\n", "p.yaml:2: a second YAML document begins here; keep one document a file"),
        ("%YAML 1.1\n---\na: 1\n", "p.yaml:2: a %YAML directive other than 1.2; remove it"),
        ("? [a]\n: 1\n", "p.yaml:1: a key must be plain text, not a list or a mapping"),
        ("a: [1\nb", "p.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("\ta: 1", "p.yaml:1: not valid YAML: found character '\\t' that cannot start any token"),
        (
            "a: \x00",
            "p.yaml: not valid YAML: unacceptable character #x0000: special characters are not allowed",
        ),
    ],
)
def test_refusals_name_line_and_remedy(text: str, message: str) -> None:
    assert refused(text) == message


def test_depth_is_limited() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, "p").data
    assert "nested more than 40 levels" in refused("[" * 100_000)


def test_size_is_limited() -> None:
    assert "at most 1,048,576 are read" in refused("#" * (MAX_CHARS + 1))


def test_decode() -> None:
    assert decode("\ufeffa: ü".encode(), "p") == "a: ü"
    with pytest.raises(PolicyError, match=r"p\.yaml:2: the file is not UTF-8 text"):
        decode(b"a: 1\nb: \xff", "p.yaml")


def test_dotted() -> None:
    assert dotted(("policies", 0, "params", "rate")) == "policies[0].params.rate"
    assert dotted((0, "a")) == "[0].a"
    assert dotted(()) == ""


@given(st.text(alphabet=st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n\t\\0x.~é\x85")))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(PolicyError):
        parse(text, "p")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(alphabet="abc on:#-'\n", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz ", min_size=1, max_size=4), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_json_is_yaml(value: object) -> None:
    assert parse(json.dumps(value), "p").data == value
