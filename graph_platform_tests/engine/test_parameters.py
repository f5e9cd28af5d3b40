"""Parameters: what is answered is what was sent, or it was refused by name; on both engines, for any JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph_platform.engine.connect import load_engine
from graph_platform.engine.parameters import check_json, check_question, is_untyped, kept_parameter, read_json
from graph_platform.engine.protocol import Database
from graph_platform.errors import ErrorCode, PlatformError

MEMORY_BYTES = 128 * 1024**2

KEYS = ("x", "y", "X", "key", "value", "", "a b", "é", "`", "a.b", "id", "offset", "it's", '"q"', "x\\y", "ß", "\u212a")
TEXTS = ("", "a", "2020-01-01", "null", "1", "true", "it's", "\\x41", "😀", "[1]", "{x: 1}", " s ", "x" * 5000, "\x01")
WHOLE = (0, 1, -1, 127, 128, -129, 255, 32767, 70000, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, -(2**63))
FRACTIONS = (0.0, -0.0, 1.0, 1.5, 1e308, 5e-324, 0.1, 2.0**53)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(WHOLE),
    st.sampled_from(FRACTIONS),
    st.sampled_from(TEXTS),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def _like(shape: Any) -> st.SearchStrategy[Any]:
    """Values of one shape, now and then with a null, or with the keys of an object in another order."""
    alike: st.SearchStrategy[Any]
    if isinstance(shape, dict):
        fields = {key: _like(value) for key, value in shape.items()}
        alike = st.one_of(st.fixed_dictionaries(fields), st.fixed_dictionaries(dict(reversed(fields.items()))))
    elif isinstance(shape, list):
        alike = st.lists(_like(shape[0]), max_size=3) if shape else st.just([])
    else:
        kinds = {bool: st.booleans(), int: st.sampled_from(WHOLE), float: st.sampled_from(FRACTIONS)}
        alike = kinds.get(type(shape), st.sampled_from(TEXTS))
    return st.one_of(alike, alike, alike, st.none())


LISTS_OF_ONE_SHAPE = ANY_JSON.flatmap(lambda shape: st.lists(_like(shape), max_size=4))


def opened(engine_name: str, path: Path) -> Database:
    return load_engine(engine_name).open(path, read_only=False, memory_bytes=MEMORY_BYTES, threads=1)


def answer(database: Database, cypher: str, value: Any) -> Any:
    found = database.query(cypher, {"a": kept_parameter("a", value)}, timeout_seconds=30, row_limit=100)
    return [list(row) for row in found.rows]


def widened(sent: Any, found: Any) -> Any:
    """What was sent, with 1.0 for 1 where that was found: the one thing that is sent in another way, for lists."""
    if isinstance(sent, dict) and isinstance(found, dict):
        return {key: widened(value, found.get(key)) for key, value in sent.items()}
    if isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        return [widened(*pair) for pair in zip(sent, found, strict=True)]
    whole = type(sent) is int and abs(sent) <= 2**53
    return found if whole and isinstance(found, float) and found == sent else sent


def same(one: Any, other: Any) -> bool:
    """Equal as JSON texts are: 1 is not 1.0 and not true, and the order of keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def test_any_parameter_is_answered_as_it_was_sent_or_refused_by_name(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    outcomes = {"kept": 0, "refused": 0}

    @settings(max_examples=1500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(ANY_JSON | LISTS_OF_ONE_SHAPE)
    def asked(value: Any) -> None:
        try:
            found = answer(database, "RETURN $a", value)
            assert same(found, [[widened(value, found[0][0])]])
            if isinstance(value, list):
                rows = answer(database, "UNWIND $a AS r RETURN r", value)
                assert same(rows, [[item] for item in found[0][0]])
            outcomes["kept"] += 1
        except PlatformError as error:
            assert error.code is (ErrorCode.QUERY_ERROR if is_untyped(value) else ErrorCode.VALIDATION_FAILED), error
            assert str(error.details["parameter"]).startswith("$a") and "$a" in error.message
            outcomes["refused"] += 1

    asked()
    assert min(outcomes.values()) > 100, outcomes
    database.close()


KEPT: list[Any] = [
    *WHOLE,
    *FRACTIONS,
    *TEXTS,
    None,
    True,
    {},
    [1, None],
    [None, "a"],
    [{}, {}],
    [[], [1]],
    [[], [[]], [[1]]],
    [{"x": 1, "y": 2}, {"y": 3, "x": 4}],
    [{"x": None}, {"x": 1}],
    [{"x": 1, "y": "s", "z": True, "t": ["a"]}, {"x": 2, "y": None, "z": None, "t": []}],
    {"key": [1], "value": ["a"]},
    [{"key": ["a"], "value": [1]}, {"key": ["b"], "value": [2]}],
    {"z": 1, "p": {"a": 1, "b": True}},
    {"p": {"a": 1, "b": True}, "z": 5},
    {"key": [1, 2], "value": 3},
    {"": 1, "a b": {"`": "x"}},
    [True, None, False],
    ["2020-01-01", "x"],
    "x" * 500_000,
]


def test_what_looks_like_something_else_is_kept_too(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    deep: Any = 1
    for _ in range(49):
        deep = [deep]
    for value in (*KEPT, deep):
        assert same(answer(database, "RETURN $a", value), [[value]]), value
    database.close()


def test_a_whole_number_beside_fractions_is_kept_as_one_with_a_fraction(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    most = 2**53
    for sent, kept in (
        ([1, 2.5], [1.0, 2.5]),
        ([0.5, None, most, -most, 0], [0.5, None, float(most), -float(most), 0.0]),
        (
            [{"x": 1, "y": 1, "z": 1}, {"x": 2.5, "y": 2, "z": None}],
            [{"x": 1.0, "y": 1, "z": 1}, {"x": 2.5, "y": 2, "z": None}],
        ),
        ([[1, 2], [], [2.5]], [[1.0, 2.0], [], [2.5]]),
        ({"p": [[{"x": 1}], [{"x": 0.5}]]}, {"p": [[{"x": 1.0}], [{"x": 0.5}]]}),
        ({"x": 1, "y": 2.5}, {"x": 1, "y": 2.5}),
        ([2**53 + 1, 1], [2**53 + 1, 1]),
    ):
        assert same(answer(database, "RETURN $a", sent), [[kept]]), sent
    assert same(answer(database, "UNWIND $a AS x RETURN sum(x)", [1, 2.5]), [[3.5]])
    database.close()


def test_a_list_of_nothing_works_where_the_statement_says_its_type_and_is_named_elsewhere(
    engine_name: str, tmp_path: Path
) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    database.execute("CREATE NODE TABLE T(id INT64, PRIMARY KEY(id))")
    database.execute("CREATE (:T {id: 1})")
    assert answer(database, "MATCH (t:T) WHERE t.id IN $a RETURN t.id", []) == []
    assert answer(database, "MATCH (t:T) WHERE NOT t.id IN $a RETURN t.id", []) == [[1]]
    assert answer(database, "UNWIND $a AS x RETURN x", []) == []
    assert answer(database, "RETURN CAST($a AS INT64[])", []) == [[[]]]
    assert answer(database, "RETURN $a + [1]", []) == [[[1]]]
    for value in ([], [None], [None, None]):
        for cypher in ("RETURN $a", "RETURN size($a)", "RETURN [$a]", "RETURN $a[1]", "RETURN {x: $a}"):
            with pytest.raises(PlatformError) as refused:
                answer(database, cypher, value)
            assert refused.value.code is ErrorCode.QUERY_ERROR
            assert "$a" in refused.value.message and "CAST($a AS" in str(refused.value.hint)
    database.close()


def test_a_statement_reaches_the_engine_as_it_was_checked(engine_name: str, tmp_path: Path) -> None:
    """One of the packages puts values into the text: `to_json($a)` in quotes or a comment would make Cypher of one."""
    database = opened(engine_name, tmp_path / "graph.db")
    for value in ("[1]", '["*/ CREATE NODE TABLE T(id INT64, PRIMARY KEY(id)) //"]', "x", None):
        assert answer(database, "RETURN 'to_json($a)' AS t, $a AS v", value) == [["to_json($a)", value]]
        assert answer(database, "RETURN $a AS v /* to_json($a) */", value) == [[value]]
    assert database.schema() == ()
    database.close()


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ([{"x": 1}, {"y": 2}], "$a[1]", "same keys"),
        ([{"x": 1}, {"X": 1}], "$a[1]", "same keys"),
        ([{"x": 1}, {"x": 1, "y": 2}], "$a[1]", "same keys"),
        ([1, "a"], "$a[1]", "text"),
        ([True, 1], "$a[1]", "a whole number"),
        ([True, "x"], "$a[1]", "text"),
        ([2.5, 2**53 + 1], "$a[1]", "double"),
        ([{"x": [-(2**53) - 1]}, {"x": [None, 2.5]}], "$a[0].x[0]", "double"),
        ([True, 2.5], "$a[1]", "fraction"),
        (["1", 2.5], "$a[1]", "fraction"),
        ([None, 1, [1]], "$a[2]", "a list"),
        ([[1], None], "$a[1]", "null"),
        ([None, {"x": 1}], "$a[0]", "null"),
        ([{"x": {"y": 1}}, {"x": None}], "$a[1].x", "null"),
        ({"b": [{"x": [1]}, {"x": ["s"]}]}, "$a.b[1].x[]", "text"),
        ({"x": None}, "$a.x", "null inside an object"),
        ({"x": []}, "$a.x", "without values"),
        ([[], []], "$a[]", "without values"),
        ([{"x": None}, {"x": None}], "$a[].x", "null inside an object"),
        ({"x": 1, "X": 2}, "$a.X", "one name"),
        ({"_id": 1, "_label": "L"}, "$a._id", "engine"),
        ({"a b": [1, "s"]}, '$a["a b"][1]', "text"),
        ({"p": {"a": 1, "b": True}, "q": {"a": 1, "b": True}}, "$a", "two keys"),
        ({"x": {"z": [1], "p": {"a": 1, "b": True}}}, "$a.x", "two keys"),
        (2**63, "$a", "64 bits"),
        ([1, {"a": 2**70}], "$a[1].a", "64 bits"),
        (-(2**63) - 1, "$a", "64 bits"),
        ("a\0", "$a", "NUL"),
        ({"\0": 1}, "$a", "NUL"),
        (["\ud800"], "$a[0]", "surrogate"),
        ({"\udfff": 1}, "$a", "surrogate"),
        (float("nan"), "$a", "nan"),
        ([1.0, float("inf")], "$a[1]", "inf"),
        ({1: 1}, "$a", "a key"),
        (object(), "$a", "object"),
    ],
)
def test_what_an_engine_would_change_is_refused_with_its_place(value: Any, place: str, words: str) -> None:
    with pytest.raises(PlatformError) as refused:
        kept_parameter("a", value)
    assert refused.value.code is ErrorCode.VALIDATION_FAILED
    assert refused.value.details == {"parameter": place}
    assert words in refused.value.message and f"parameter {place}:" in refused.value.message


def test_nesting_has_a_limit_and_no_recursion() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(PlatformError, match="nested more than 50"):
        check_json("a", deep)
    while isinstance(deep, list):  # Python frees what is nested recursively, and not without end
        deep = deep.pop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e999", "larger"),
        ("-1e999", "larger"),
        ("1e-999", "nearer to 0"),
        ("0." + "0" * 400 + "1", "nearer to 0"),
        ("9007199254740993.0", "digits"),
        ("0.12345678901234567890123", "digits"),
        ("NaN", "NaN"),
        ("-Infinity", "Infinity"),
        ("9" * 5000, "5000 digits"),
        ('{"x": 1, "x": 2}', "written twice"),
    ],
)
def test_json_that_python_would_read_as_something_else_is_refused_with_its_place(text: str, words: str) -> None:
    for document, place in ((f"[{text}]", "$a[0]"), (f'{{"b": [1, {text}]}}', "$a.b[1]")):
        with pytest.raises(PlatformError) as refused:
            check_json("a", read_json(document))
        assert words in refused.value.message
        assert str(refused.value.details["parameter"]).startswith(place)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_read_however_it_was_printed(value: float) -> None:
    for text in (repr(value), format(value, ".16e"), format(value, ".20e"), format(value, ".800e")):
        assert same(read_json(text), value), text


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, '{"a":' * 50_000, "nope", "01", "\ufeff1"])
def test_what_is_not_json_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)


@pytest.mark.parametrize("cypher", ["RETURN '\ud800'", "RETURN '\0'"])
def test_a_statement_that_is_no_text_is_refused_before_it_is_sent(cypher: str) -> None:
    with pytest.raises(PlatformError) as refused:
        check_question(cypher, {})
    assert refused.value.code is ErrorCode.VALIDATION_FAILED


def test_only_a_list_of_nothing_is_untyped() -> None:
    assert is_untyped([]) and is_untyped([None]) and not is_untyped([[]]) and not is_untyped({})
