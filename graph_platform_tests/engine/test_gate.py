"""The gate: what is a clause and what only looks like one, and that no attack on it gets through on a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.budget import MAX_EDGES, MAX_OPERATORS
from graph_platform.engine.gate.clauses import Access
from graph_platform.engine.gate.functions import FUNCTIONS, KEYWORDS_BEFORE_BRACKET, LAMBDA_FUNCTIONS
from graph_platform.engine.gate.lexer import MAX_DEPTH, MAX_TOKENS, Kind, tokens
from graph_platform.engine.gate.operators import check_operators
from graph_platform.engine.gate.statement import check_statement
from graph_platform.errors import ErrorCode, PlatformError

NAMES_NOT_CLAUSES = [
    "MATCH (n:Export) RETURN n.load, n.delete, n . copy",
    "MATCH (n:Load|Create)-[:SET|DELETE]->(m) RETURN n",
    "MATCH (n) WHERE n.name = 'delete this; LOAD FROM \"x\"' RETURN n",
    'MATCH (n) WHERE n.name = "it\\"s // not a comment" RETURN n',
    "RETURN {set: 1, load: 2, `copy`: 3}",
    "MATCH (load:Person) RETURN load.name, (load), [load]",
    "MATCH (n) RETURN n.x AS create, n.y AS set, n.z AS load",
    "MATCH (n:`CREATE`) RETURN n.`LOAD FROM`",
    "MATCH (`delete`) RETURN `delete`",
    "RETURN 1 // LOAD FROM 'x'",
    "RETURN /* CREATE (n) */ 1",
    "MATCH (comment)-[use:USED]->(import) RETURN comment, use",
    "MATCH (n {set: $set}) RETURN n",
    "MATCH (größe:Größe) RETURN größe.länge",
    "RETURN\u00a01",
    "match (n) return n;",
    "  \n RETURN 'a\nb'  ;  // end",
    "MATCH (a)-[:CALL]->(l:Load) RETURN l.load",
    "MATCH (a)-[e:EXPORT|IMPORT]-(b) RETURN e",
    "MATCH (n) RETURN {delete: n.x, call: 1, `set`: 2}.delete",
    "MATCH (call {set: 1, load: 2})-[set:SET*1..2]->(:Call:Set) RETURN call, set.load, 1 + load, 2 - call, [set]",
    "MATCH (n) WHERE n.x > load AND merge = 1 AND n.list = delete RETURN count(call)",
    "WITH 1 AS copy, 2 AS attach, 3 AS install, 4 AS begin RETURN copy AS export, drop, use AS update ORDER BY comment",
    "MATCH copy = (a)-->(b) RETURN nodes(copy) AS import",
    "MATCH (n:Person) RETURN n.x AS `load`, `call`, `set` ORDER BY `delete` DESC",
    "RETURN list_filter([1], x -> load > 1)",
]


@pytest.mark.parametrize("text", NAMES_NOT_CLAUSES)
def test_a_name_that_looks_like_a_clause_is_let_through(text: str) -> None:
    assert not check_statement(text, "read").writes


def test_comments_and_odd_spaces_do_not_reach_the_engine() -> None:
    statement = check_statement("MATCH /* one */ (n)\u00a0// two\n RETURN n.a,\n n . b ;", "read")
    assert statement.text == "MATCH (n) RETURN n.a, n . b"


def test_the_parameters_are_named() -> None:
    assert check_statement("RETURN $a, '$b', `$c`, $d /* $e */", "read").parameters == {"a", "d"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ErrorCode.QUERY_ERROR),
        (" // nothing", ErrorCode.QUERY_ERROR),
        (";", ErrorCode.QUERY_ERROR),
        ("EXPLAIN", ErrorCode.QUERY_ERROR),
        ("RETURN 1; RETURN 2", ErrorCode.QUERY_ERROR),
        ("RETURN 1;;", ErrorCode.QUERY_ERROR),
        ("RETURN 'open", ErrorCode.QUERY_ERROR),
        ("RETURN `open", ErrorCode.QUERY_ERROR),
        ("RETURN /* open", ErrorCode.QUERY_ERROR),
        ("RETURN (1", ErrorCode.QUERY_ERROR),
        ("RETURN 1)", ErrorCode.QUERY_ERROR),
        ("RETURN [1)", ErrorCode.QUERY_ERROR),
        ("RETURN '\\q'", ErrorCode.QUERY_ERROR),
        ("RETURN '\ud800'", ErrorCode.QUERY_ERROR),
        ("RETURN 'a\0b'", ErrorCode.QUERY_ERROR),
        ("RETURN 1\0", ErrorCode.QUERY_ERROR),
        ("RETURN $", ErrorCode.QUERY_ERROR),
        ("SELECT 1", ErrorCode.QUERY_ERROR),
        ("RETURN \\u0031", ErrorCode.QUERY_ERROR),
        ("RETURN\u200b1", ErrorCode.QUERY_ERROR),
        ("RETURN " + "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1), ErrorCode.QUERY_ERROR),
        ("RETURN 1" + "+1" * MAX_TOKENS, ErrorCode.QUERY_ERROR),
        ("USE other", ErrorCode.PERMISSION_DENIED),
        ("BEGIN TRANSACTION", ErrorCode.PERMISSION_DENIED),
        ("MATCH (n) SET n.x = 1", ErrorCode.PERMISSION_DENIED),
    ],
)
def test_what_is_not_one_statement_is_refused_with_its_position(text: str, code: ErrorCode) -> None:
    with pytest.raises(PlatformError) as refused:
        check_statement(text, "read")
    assert refused.value.code is code
    if text.strip("; \n") and "nothing" not in text:
        assert refused.value.details["line"] == 1


def _cases(depth: int, inner: str = "1") -> str:
    return "RETURN " + "CASE WHEN true THEN " * depth + inner + " ELSE 0 END" * depth


def _edges(count: int, edge: str = "-[:KNOWS]->") -> str:
    return "MATCH (a)" + "".join(f"{edge}(b{i})" for i in range(count)) + " RETURN count(*)"


TOO_MUCH = [
    ("RETURN 1" + "+1" * (MAX_OPERATORS + 1), "operators"),
    ("MATCH (n) WHERE n.id = 0" + " OR n.id = 1" * MAX_OPERATORS + " RETURN n", "operators"),
    ("RETURN " + "(" * 5 + "1" + ("+1" * 300 + ")") * 5, "operators"),
    (_edges(MAX_EDGES + 1), "edges"),
    (_edges(MAX_EDGES + 1, "<-[:KNOWS]-"), "edges"),
    (_edges(MAX_EDGES + 1, "--"), "edges"),
    ("RETURN range(1, 1000000000)", "elements"),
    ("UNWIND `range`(1000000000, (-1), -1) AS x RETURN x", "elements"),
    ("RETURN range(1, 1000000000, 2)", "elements"),
    ("RETURN repeat('x', 2000000000)", "elements"),
    ("RETURN repeat('0123456789', 2000000)", "elements"),
    ("RETURN lpad('x', 2000000000, 'y')", "elements"),
]


@pytest.mark.parametrize(("text", "reason"), TOO_MUCH, ids=lambda value: value[:30])
def test_what_a_planner_would_choke_on_is_refused_with_a_hint(text: str, reason: str) -> None:
    with pytest.raises(PlatformError, match=reason) as refused:
        check_statement(text, "read")
    assert refused.value.code is ErrorCode.QUERY_ERROR
    assert refused.value.hint
    assert refused.value.details["line"] == 1


ENOUGH = [
    _cases(1000),
    "MATCH (n) " * 100 + "RETURN count(*)",
    "RETURN " + ", ".join(["CASE WHEN true THEN 1 END"] * 100),
    "RETURN " + " + ".join(["CASE WHEN true THEN 'end' ELSE 'x' END"] * 100),
    "RETURN 1" + "+1" * (MAX_OPERATORS - 1),
    "RETURN [" + ", ".join(["-1"] * 3000) + "]",
    "UNWIND range(1, 1000000) AS x RETURN count(x)",
    "UNWIND range(1, 1000000000, 1000) AS x RETURN count(x)",
    "RETURN repeat('x', 1000000)",
]


@pytest.mark.parametrize("text", ENOUGH, ids=lambda value: value[:30])
def test_what_is_within_the_limits_is_let_through(text: str) -> None:
    assert check_statement(text, "read").text


def test_a_refused_name_comes_with_the_way_to_write_it() -> None:
    with pytest.raises(PlatformError, match="line 2, column 2") as refused:
        check_statement("MATCH (n)\n LOAD x", "read")
    assert refused.value.hint == "if it is a name, quote it: `LOAD`"


ATTACKS = [
    "LOAD FROM '{file}' RETURN *",
    "load from '{file}' return *",
    "EXPLAIN LOAD FROM '{file}' RETURN *",
    "PROFILE LOAD FROM '{file}' RETURN *",
    "EXPLAIN LOGICAL LOAD FROM '{file}' RETURN *",
    "/**/LOAD/**/FROM/**/'{file}'/**/RETURN *",
    "LOAD\u00a0FROM\u2003'{file}' RETURN *",
    "LOAD WITH HEADERS (a STRING) FROM '{file}' RETURN *",
    "MATCH (n) LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x LOAD FROM '{file}' RETURN *",
    "WITH 1 AS x LOAD FROM '{file}' RETURN *",
    "RETURN 1 UNION ALL LOAD FROM '{file}' RETURN column0",
    "RETURN 1 AS load UNION ALL LOAD FROM '{file}' RETURN column0 AS load",
    "RETURN 1; LOAD FROM '{file}' RETURN *",
    "RETURN 1;LOAD FROM '{file}' RETURN *;",
    "RETURN 1 /* x **/ ' /* */ AS a UNION ALL LOAD FROM \"{file}\" RETURN column0 AS a //'",
    "RETURN 'x\\' UNION ALL LOAD FROM \"{file}\" RETURN column0 //'",
    'RETURN "\\\\" LOAD FROM \'{file}\' RETURN * //"',
    "RETURN `a``b` UNION ALL LOAD FROM '{file}' RETURN *",
    "RETURN 1 // x\r UNION ALL LOAD FROM '{file}' RETURN *",
    "RETURN 1 // x\u2028 UNION ALL LOAD FROM '{file}' RETURN *",
    "MATCH (n) WHERE EXISTS {{ LOAD FROM '{file}' RETURN * }} RETURN n",
    "MATCH (n) RETURN COUNT {{ LOAD FROM '{file}' RETURN * }}",
    "CALL {{ LOAD FROM '{file}' RETURN * }} RETURN 1",
    "MATCH (n) WITH n AS load LOAD FROM '{file}' RETURN *",
    "MATCH (n:A|LOAD) LOAD FROM '{file}' RETURN *",
    "\\u004cOAD FROM '{file}' RETURN *",
    "\u2112OAD FROM '{file}' RETURN *",
    "LOAD FROM frame RETURN *",
    "LOAD FROM $frame RETURN *",
    "LOAD FROM read_csv('{file}') RETURN *",
    "CALL read_csv_serial('{file}') RETURN *",
    "CALL READ_PARQUET('{file}') RETURN *",
    "CALL `read_csv_parallel`('{file}') RETURN *",
    "RETURN read_csv_serial('{file}')",
    "CALL file_info() RETURN *",
    "CALL project_graph_cypher('g', 'LOAD FROM \"{file}\" RETURN *')",
    "COPY (MATCH (n) RETURN n.*) TO '{out}'",
    "copy (return 1) to '{out}'",
    "EXPLAIN COPY (MATCH (n) RETURN n.*) TO '{out}'",
    "PROFILE COPY (MATCH (n:City) RETURN n.*) TO '{out}'",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "COPY City FROM '{file}'",
    "COPY City FROM (LOAD FROM '{file}' RETURN *)",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs",
    "LOAD EXTENSION '{file}'",
    "LOAD httpfs",
    "UPDATE httpfs",
    "ATTACH '{file}' AS x (dbtype duckdb)",
    "DETACH x",
    "DETACH DATABASE x",
    "USE x",
    "CALL threads=1",
    "CALL home_directory='/tmp'",
    "CALL file_search_path = '/etc'",
    "CALL timeout=1",
    "CALL current_setting('home_directory') RETURN *",
    "CALL/**/current_setting('home_directory') RETURN *",
    "CREATE MACRO f(x) AS x + 1",
    "CREATE SEQUENCE s",
    "CREATE NODE TABLE T AS LOAD FROM '{file}' RETURN *",
    "CREATE NODE TABLE T(id INT64, PRIMARY KEY(id))",
    "CREATE (:City {{code: 'evil'}})",
    "MATCH (n) CREATE (:City {{code: 'evil'}})",
    "MERGE (:City {{code: 'evil'}})",
    "MATCH (n) SET n.code = 'evil'",
    "MATCH (n) DELETE n",
    "MATCH (n) DETACH DELETE n",
    "MATCH (n) DETACH/**/DELETE n",
    "MATCH (n) WITH n AS set SET set.code = 'evil'",
    "DROP TABLE City",
    "ALTER TABLE City ADD x INT64",
    "COMMENT ON TABLE City IS 'evil'",
    "BEGIN TRANSACTION",
    "COMMIT",
    "ROLLBACK",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "RETURN nextval('s')",
    "EXPLAIN EXPLAIN LOAD FROM '{file}' RETURN *",
    "PROFILE EXPLAIN LOAD FROM '{file}' RETURN *",
    # AS, and every other word before a clause, may be a name
    "WITH 1 AS AS LOAD FROM '{file}' (file_format='csv', header=true, delim='|') WHERE false RETURN *",
    "with 1 as as load from '{file}' return *",
    "PROFILE WITH 1 AS AS LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS AS LOAD FROM '{file}' RETURN *",
    "MATCH (AS:City) WITH AS LOAD FROM '{file}' RETURN *",
    "MATCH (n:City) WITH n AS AS LOAD FROM '{file}' RETURN *",
    "RETURN 1 AS column0 UNION ALL WITH 1 AS AS LOAD FROM '{file}' RETURN column0",
    "WITH 1 AS AS LOAD WITH HEADERS (a STRING) FROM '{file}' RETURN *",
    "WITH 1 AS AS CALL read_csv_serial('{file}') RETURN *",
    "WITH 1 AS AS CALL read_parquet('{file}') RETURN *",
    "WITH 1 AS AS CALL current_setting('threads') RETURN *",
    "WITH 1 AS AS CREATE (:City {{code: 'evil'}})",
    "MATCH (n) WITH n AS AS SET AS.code = 'evil'",
    "MATCH (n) WITH n AS AS DETACH DELETE AS",
    "MATCH (n) WITH n AS AS MERGE (:City {{code: 'evil'}})",
    "MATCH (FROM:City) WITH FROM LOAD FROM '{file}' RETURN *",
    "WITH 1 AS call CALL read_csv_serial('{file}') RETURN *",
    "UNWIND [1] AS match LOAD FROM '{file}' RETURN *",
    "MATCH (n) WITH * LOAD FROM '{file}' RETURN *",
    "MATCH (n) WITH n.* LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x WITH x WHERE x = 3! LOAD FROM '{file}' RETURN *",
    "MATCH (n) WHERE n.code IN ['a'] LOAD FROM '{file}' RETURN *",
    "MATCH (n) WHERE EXISTS {{ MATCH (n) }} LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x WITH x LIMIT 1 LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x WITH x LIMIT 1LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x WITH x LIMIT $p LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x WITH x WHERE x = .5LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS x WITH x WHERE 'a' = 'a'LOAD FROM '{file}' RETURN *",
    "UNWIND [1] AS `x`LOAD FROM '{file}' RETURN *",
    "MATCH (n)LOAD FROM '{file}' RETURN *",
    "RETURN 1 UNION LOAD FROM '{file}' RETURN *",
    "CALL show_tables() YIELD id, name, type, `database name`, comment LOAD FROM '{file}' RETURN *",
    "CALL show_tables() LOAD FROM '{file}' RETURN *",
    "MATCH (n) WITH n ORDER BY n.code DESC LOAD FROM '{file}' RETURN *",
    "MATCH (n) WITH CASE WHEN true THEN 1 END AS x WHERE CASE WHEN true THEN true END LOAD FROM '{file}' RETURN *",
    # what the binding of LadybugDB would put into a string
    "RETURN $p AS p, 'to_json($p)' AS q",
    "RETURN $p AS `TO_JSON( $p )`",
    # lambdas where an engine wants a value
    "RETURN size(x -> x)",
    "RETURN abs(x->x)",
    "RETURN coalesce(1, x -> x)",
    "RETURN `nodes`((x, y) -> x)",
    "RETURN list_transform(x -> x, [1])",
    "RETURN list_transform([1], size(x -> x))",
    "RETURN list_filter(DISTINCT x -> x, [1])",
    "RETURN CAST(x -> x AS STRING)",
    "RETURN CAST(x -> x, 'STRING')",
    "RETURN count(AS -> AS)",
    "RETURN nullif([1], x /**/ -> x)",
    "MATCH (n) WHERE keys(n -> n) RETURN n",
    "CALL table_info(x -> x) RETURN *",
    "RETURN list_filter([1, 2], (x, y) -> x > y)",
    "RETURN list_reduce([1, 2], x -> x)",
    # a reduction to another type: an engine takes a number for the address of a text
    "RETURN list_reduce(range(1, 3), (x, y) -> 'a')",
    "RETURN list_reduce(range(1, 3), (x, y) -> [x])",
    "RETURN list_reduce(range(1, 3), (x, y) -> concat(x, y))",
    "RETURN list_reduce(range(1, 3), (x, y) -> x + $p)",
    "RETURN list_reduce(range(1, 3), (x, y) -> (x + y).a)",
    "MATCH (n:City) RETURN list_reduce(range(1, 3), (x, y) -> n)",
]


def test_no_attack_reads_the_canary_or_writes_a_file(engine_name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary.csv"
    canary.write_text("CANARY-7f3a\n")
    database = load_engine(engine_name).open(
        tmp_path / "graph.db", read_only=False, memory_bytes=128 * 1024**2, threads=1
    )
    database.execute("CREATE NODE TABLE City(code STRING, PRIMARY KEY(code))")
    database.execute("CREATE (:City {code: 'AMS'})")
    database.execute("CREATE SEQUENCE s")
    assert database.query(f"LOAD FROM '{canary}' RETURN *", timeout_seconds=5, row_limit=5).rows == (("CANARY-7f3a",),)
    for attack in ATTACKS:
        text = attack.format(file=canary, out=tmp_path / "out")
        seen = ""
        try:
            statement = check_statement(text, "read", engine_name)
            values = dict.fromkeys(statement.parameters, '["\\"] AS q UNION ALL LOAD FROM ", "')
            check_operators(database.operators(statement.subject, values), "read", database.version)
            seen = repr(database.query(statement.text, values, timeout_seconds=5, row_limit=100))
        except PlatformError as error:
            assert error.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.QUERY_ERROR), text
            seen = str(error.message)
        assert "CANARY" not in seen, text
        assert {item.name for item in tmp_path.iterdir()} <= {"graph.db", "graph.db.wal", "canary.csv"}, text
    assert database.query("MATCH (n) RETURN n.code", timeout_seconds=5, row_limit=5).rows == (("AMS",),)
    database.close()


def test_a_writer_gets_no_further_at_files_than_a_reader(engine_name: str, tmp_path: Path) -> None:
    assert engine_name
    for attack in ATTACKS:
        if "{file}" in attack or "{out}" in attack or attack.startswith(("CALL", "INSTALL", "FORCE", "USE", "UPDATE")):
            text = attack.format(file=tmp_path / "canary", out=tmp_path / "out")
            try:
                statement = check_statement(text, "write")
            except PlatformError:
                continue
            kinds = {token.kind for token in tokens(statement.text) if str(tmp_path) in token.text}
            assert kinds <= {Kind.STRING} and "LOAD FROM" not in statement.text.split("'")[0], text


@given(st.text(alphabet="LOADFRM lo'\"`/*\\\n\r\u00a0;(){}[]$x1.:|, ", max_size=60))
def test_whatever_passes_is_read_back_as_the_same_tokens(text: str) -> None:
    try:
        statement = check_statement(f"RETURN 1 {text}", "read")
    except PlatformError as error:
        assert error.code in (ErrorCode.QUERY_ERROR, ErrorCode.PERMISSION_DENIED)
        return
    again = check_statement(statement.text, "read")
    assert again == statement
    assert "/*" not in "".join(token.text for token in tokens(again.text) if token.kind is Kind.SIGN)


@pytest.mark.parametrize("access", ["read", "write"])
@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if "load from" in attack.lower()])
def test_no_load_from_reaches_an_engine_but_in_a_string(attack: str, access: Access) -> None:
    try:
        statement = check_statement(attack.format(file="f", out="o"), access)
    except PlatformError:
        return
    assert "LOAD" not in {token.word for token in tokens(statement.text)}


@pytest.mark.parametrize("value", ['"', "1"])
def test_text_into_which_a_binding_would_put_a_value_is_refused(value: str) -> None:
    for text in (
        "RETURN 'to_json($p)'",
        "RETURN 'x To_Json(\n\t$p )'",
        "MATCH (`to_json($p)`) RETURN 1",
        "RETURN to_json($p)",
    ):
        with pytest.raises(PlatformError):
            check_statement(text + f", '{value}'", "read")
    assert check_statement("RETURN 'to_json(p)', 'to_json is $p'", "read").text


LAMBDAS = [
    "RETURN list_transform([1, 2], x -> x + 1)",
    "RETURN list_filter([1, 2], load->load > 1)",
    "RETURN list_reduce([1, 2], (x, y) -> x + y)",
    "RETURN list_reduce([1, 2], (`set`, y) -> (set + y) * 2 + `y`), 'a'",
    "RETURN `list_transform`([[1]], x -> list_transform(x, y -> y * 2))",
    "RETURN `any`([1, 2], x -> x > 1)",
]
ARROWS = [
    "MATCH (a)-[e:KNOWS]->(b)-->(c)<--(d)<-[:KNOWS]-(e)--(f) RETURN a",
    "MATCH (a) - [e:KNOWS] - > (b) - - > (c) < - - (d) RETURN a",
    "MATCH (a) WHERE (a)-[:KNOWS]->() AND (a)-->() RETURN a.x - b.y, a.x < -1, 1 - (2) > 3",
    "MATCH (a)<-->(b) RETURN a",
]


@pytest.mark.parametrize("text", LAMBDAS)
def test_a_lambda_is_let_through_where_its_function_takes_one(text: str) -> None:
    assert check_statement(text, "read").text


def test_the_functions_that_take_a_lambda_do(engine_name: str, tmp_path: Path) -> None:
    database = load_engine(engine_name).open(
        tmp_path / "graph.db", read_only=False, memory_bytes=128 * 1024**2, threads=1
    )
    for name, variables in LAMBDA_FUNCTIONS.items():
        body = "x -> x > 1" if variables == 1 else "(x, y) -> x + y"
        database.query(f"RETURN `{name}`([1, 2], {body})", timeout_seconds=5, row_limit=1)
    for text in LAMBDAS:
        database.query(text, timeout_seconds=5, row_limit=1)
    database.close()


@pytest.mark.parametrize("text", ARROWS)
def test_the_arrow_of_an_edge_is_no_lambda(text: str) -> None:
    assert check_statement(text, "read").text


def test_a_misplaced_lambda_is_told_with_what_takes_one() -> None:
    with pytest.raises(PlatformError, match="line 1, column 15") as refused:
        check_statement("RETURN size(x -> x)", "read")
    assert refused.value.code is ErrorCode.QUERY_ERROR
    assert refused.value.hint and "list_filter" in refused.value.hint


def test_a_keyword_before_a_bracket_calls_nothing(engine_name: str, tmp_path: Path) -> None:
    database = load_engine(engine_name).open(
        tmp_path / "graph.db", read_only=False, memory_bytes=128 * 1024**2, threads=1
    )
    found = database.query("CALL show_functions() RETURN name", timeout_seconds=5, row_limit=10_000)
    assert {str(name).upper() for (name,) in found.rows} & KEYWORDS_BEFORE_BRACKET <= FUNCTIONS
    database.close()


def test_a_name_that_is_a_keyword_hides_nothing_from_the_limits() -> None:
    with pytest.raises(PlatformError, match="more than") as refused:
        check_statement("WITH 1 AS match RETURN match" + " + 1" * (MAX_OPERATORS + 1), "read")
    assert refused.value.code is ErrorCode.QUERY_ERROR


FILTERS_BEFORE_READING = [
    "WITH 1 AS x WHERE x > 0 RETURN x",
    "EXPLAIN WITH DISTINCT 1 AS x WITH x AS y WHERE true RETURN y",
    "RETURN 1 AS x UNION ALL WITH 1 AS x WHERE x > 0 RETURN x",
    "WITH 1 AS match WHERE match > 0 RETURN match",
]


@pytest.mark.parametrize("text", FILTERS_BEFORE_READING)
def test_a_filter_that_crashes_ryugraph_is_refused_there_and_nowhere_else(text: str) -> None:
    with pytest.raises(PlatformError, match="before anything was read") as refused:
        check_statement(text, "read", "ryugraph")
    assert refused.value.hint and "UNWIND" in refused.value.hint
    assert check_statement(text, "read", "ladybug").text


@pytest.mark.parametrize(
    "text",
    [
        "UNWIND [1] AS x WITH x WHERE x > 0 RETURN x",
        "MATCH (n) WITH n WHERE n.x > 0 RETURN n",
        "WITH 1 AS x MATCH (n) WHERE n.x = x RETURN n",
        "CALL show_tables() WITH 1 AS x WHERE x > 0 RETURN x",
        "WITH EXISTS { MATCH (n) WHERE n.x = 1 } AS x RETURN x",
    ],
)
def test_a_filter_after_reading_is_let_through(text: str) -> None:
    assert check_statement(text, "read", "ryugraph").text
