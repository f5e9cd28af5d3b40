"""What a writer may define: a grammar of its own, that derives no option, no query and no call of a function."""

from __future__ import annotations

import pytest

from graph_platform.engine.gate.statement import check_statement
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform_tests.engine.test_operators import WRITING


@pytest.mark.parametrize("text", WRITING)
def test_a_definition_or_a_writing_clause_is_let_through_for_a_writer_only(text: str) -> None:
    assert check_statement(text, "write").writes
    with pytest.raises(PlatformError) as refused:
        check_statement(text, "read")
    assert refused.value.code is ErrorCode.PERMISSION_DENIED


NO_DEFINITIONS = [
    "CREATE NODE TABLE t(id INT64, PRIMARY KEY(id)) WITH (storage='/dir', format='icebug-disk')",
    "CREATE NODE TABLE t(id INT64, PRIMARY KEY(id)) WITH (storage='http://host/dir')",
    "CREATE NODE TABLE t(id INT64 PRIMARY KEY) PARTITION BY HASH(id) PARTITIONS 3",
    "CREATE REL TABLE r(FROM a TO b) WITH (storage='/dir')",
    "CREATE NODE TABLE t AS LOAD FROM '/f' RETURN *",
    "CREATE NODE TABLE t AS MATCH (n) RETURN n.id",
    "CREATE REL TABLE r(FROM a TO b) AS MATCH (n)-->(m) RETURN n.id, m.id",
    "CREATE NODE TABLE t(id INT64 DEFAULT nextval('s'), PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, x STRING DEFAULT current_setting('home_directory'), PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, x INT64 DEFAULT 1 + 1, PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, x INT64 DEFAULT $p, PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, x INT64[] DEFAULT [size(x -> x)], PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, x SOMETHING, PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, PRIMARY KEY(id)) RETURN 1",
    "CREATE NODE TABLE a.t(id INT64, PRIMARY KEY(id))",
    "CREATE NODE TABLE t(id INT64, PRIMARY KEY)",
    "CREATE NODE TABLE 't'(id INT64, PRIMARY KEY(id))",
    "CREATE NODE TABLE t",
    "CREATE NODE TABLE",
    "CREATE REL TABLE r(since INT64)",
    "CREATE REL TABLE r(FROM a TO b, since INT64 DEFAULT random())",
    "CREATE REL TABLE r(FROM a TO b, MANY)",
    "CREATE TABLE t(id INT64)",
    "CREATE INDEX i FOR (n:City) ON (n.code)",
    "CREATE MACRO f(x) AS x",
    "CREATE TYPE t AS INT64",
    "CREATE SEQUENCE s",
    "CREATE GRAPH g",
    "CREATE USER u",
    "CREATE ROLE r",
    "ALTER TABLE t ADD x STRING DEFAULT anything('x')",
    "ALTER TABLE t ADD x STRING DEFAULT upper('x')",
    "ALTER TABLE t ADD x STRING DEFAULT x",
    "ALTER TABLE t ADD x STRING COMMENT 'x'",
    "ALTER TABLE t SET SORTED BY (x ASC)",
    "ALTER TABLE t DROP x, y",
    "ALTER TABLE t RENAME x y",
    "ALTER SEQUENCE s",
    "DROP TABLE t; DROP TABLE u",
    "DROP TABLE t, u",
    "DROP SEQUENCE s",
    "DROP MACRO f",
    "DROP INDEX t.i",
    "DROP GRAPH g",
    "DROP",
    "ALTER",
    "CREATE",
    "COMMENT ON TABLE t IS 'x'",
]


@pytest.mark.parametrize("text", NO_DEFINITIONS)
@pytest.mark.parametrize("prefix", ["", "EXPLAIN "])
def test_what_the_grammar_of_definitions_does_not_derive_is_refused_with_its_place(text: str, prefix: str) -> None:
    with pytest.raises(PlatformError) as refused:
        check_statement(prefix + text, "write")
    assert refused.value.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.QUERY_ERROR)
    assert refused.value.hint


def test_a_refused_definition_says_what_could_stand_there() -> None:
    with pytest.raises(PlatformError, match="WITH is not allowed in the definition of a table, at line 1") as refused:
        check_statement(NO_DEFINITIONS[0], "write")
    assert refused.value.hint and "without options" in refused.value.hint
