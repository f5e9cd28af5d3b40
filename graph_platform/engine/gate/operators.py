"""The second line: what a plan may consist of, by an exact list for each release of an engine.

A release that is not in the table, or an operator that is not in the release's list, does not pass: whoever raises an
engine's pin runs `graph_platform_tests/engine/test_operators.py` and decides about each operator that is new. The lists
were taken from the engines' sources, and from the plans of the statements in that test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from graph_platform.engine.gate.clauses import Access
from graph_platform.engine.gate.functions import TABLE_FUNCTIONS, words
from graph_platform.engine.protocol import EngineVersion
from graph_platform.errors import ErrorCode, PlatformError

_TITLE = re.compile(r"[│|]\s*([A-Z_]+)\[[0-9]+\]\s*(?=[│|])")
_FUNCTION = re.compile(r"Function:\s*([A-Za-z_0-9]+)")


@dataclass(frozen=True)
class PlanOperators:
    """What the plans of one release may have: `reading` for everybody, `writing` for writers as well.

    `acting` are the others that are known, which no plan may have. A call of a table function is named with it.
    """

    reading: frozenset[str]
    writing: frozenset[str]
    acting: frozenset[str]

    def allowed(self, access: Access) -> frozenset[str]:
        """Those that a reader or a writer may have."""
        return self.reading if access == "read" else self.reading | self.writing


_READING = words(
    "AGGREGATE AGGREGATE_FINALIZE AGGREGATE_SCAN CROSS_PRODUCT DUMMY_SIMPLE_SINK DUMMY_SINK EMPTY_RESULT FILTER "
    "FLATTEN HASH_JOIN_BUILD HASH_JOIN_PROBE INDEX_LOOKUP INTERSECT INTERSECT_BUILD LIMIT MULTIPLICITY_REDUCER "
    "ORDER_BY ORDER_BY_MERGE ORDER_BY_SCAN PATH_PROPERTY_PROBE PRIMARY_KEY_SCAN_NODE_TABLE PROFILE PROJECTION "
    "RECURSIVE_EXTEND RESULT_COLLECTOR SCAN_NODE_TABLE SCAN_REL_TABLE SEMI_MASKER SKIP TABLE_FUNCTION_CALL TOP_K "
    "TOP_K_SCAN UNION_ALL_SCAN UNWIND"
) | {f"TABLE_FUNCTION_CALL:{name}" for name in (*TABLE_FUNCTIONS, "READ_FTABLE")}
_WRITING = words("ALTER CREATE_TABLE DELETE DROP INSERT MERGE SET_PROPERTY")
_ACTING = words(
    "ATTACH_DATABASE BATCH_INSERT COPY_TO CREATE_MACRO CREATE_SEQUENCE CREATE_TYPE DETACH_DATABASE EXPORT_DATABASE "
    "IMPORT_DATABASE INSTALL_EXTENSION LOAD_EXTENSION PARTITIONER STANDALONE_CALL TRANSACTION UNINSTALL_EXTENSION "
    "USE_DATABASE"
)

PLAN_OPERATORS: Mapping[tuple[str, str], PlanOperators] = {
    ("ladybug", "0.22.0"): PlanOperators(
        _READING
        | words(
            "COUNT_ANTI_EDGE_CHAIN COUNT_EXTEND_CHAIN COUNT_REL_TABLE GROUPED_REACHABLE_COUNT PACKED_EXTEND "
            "PACKED_FILTERED_COUNT QUERY_PRIMARY_KEY_LOOKUP REACHABLE_COUNT REL_DEGREE_TABLE UNWIND_DEDUP"
        ),
        _WRITING,
        _ACTING | words("ANALYZE CREATE_GRAPH CREATE_INDEX EXTENSION_CLAUSE USE_GRAPH"),
    ),
    ("ryugraph", "25.9.2"): PlanOperators(_READING, _WRITING, _ACTING),
}
"""By name and version of the engine. READ_FTABLE reads what the engine itself has put into memory."""


def check_operators(operators: AbstractSet[str], access: Access, engine: EngineVersion) -> None:
    """Refuse a plan with an operator that is not in the list of this release for this access.

    Raises:
        PlatformError: PERMISSION_DENIED. For an operator, or a release, that is on no list at all the message says so,
            since that is the platform's to mend and not the user's.
    """
    listed = PLAN_OPERATORS.get((engine.name, engine.version))
    if listed is None:
        raise PlatformError(
            ErrorCode.PERMISSION_DENIED,
            f"no list says what plans of {engine.name} {engine.version} may do, so it can answer nothing",
            f"there are lists for {', '.join(' '.join(release) for release in PLAN_OPERATORS)}; install one of them",
        )
    refused = sorted(operators - listed.allowed(access))
    if not refused:
        return
    known = listed.writing | listed.acting
    unheard = [name for name in refused if name not in known and not name.startswith("TABLE_FUNCTION_CALL:")]
    if unheard:
        raise PlatformError(
            ErrorCode.PERMISSION_DENIED,
            f"the plan of {engine.name} {engine.version} has an operator that is on no list: {', '.join(unheard)}",
            "this is a gap of the platform, not a fault of the query: please report the query with this message",
            {"operators": refused},
        )
    raise PlatformError(
        ErrorCode.PERMISSION_DENIED,
        f"the statement would do what is not allowed here: {', '.join(refused)}",
        details={"operators": refused},
    )


def plan_operators(drawing: str) -> frozenset[str]:
    """The operators in the drawing that `EXPLAIN` returns; a table function call also as `TABLE_FUNCTION_CALL:NAME`.

    A name or string in the statement can add a line to the drawing but take none away, so a forged one is only ever
    refused, never let through.
    """
    titles = [match.group(1) for match in _TITLE.finditer(drawing)]
    functions = [f"TABLE_FUNCTION_CALL:{name.upper()}" for name in _FUNCTION.findall(drawing)]
    if not titles or len(functions) < titles.count("TABLE_FUNCTION_CALL"):
        return frozenset({"UNREADABLE_PLAN"})
    return frozenset(titles) | frozenset(functions)
