"""The statements that load a snapshot's Parquet files, and what an engine's refusal of one means. Pure.

The engines' COPY is positional: it takes the columns as they come, whatever they are called. Checking that the files
have the manifest's columns is `files.py`'s work, and must come first.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from graph_platform.engine.cypher import quoted, text_literal
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.types.loading import load_expression
from graph_platform.mapping.types.text import EngineType, parse_engine_type
from graph_platform.stored.manifest import ManifestTable


def copy_statement(table: ManifestTable, folder: Path) -> str:
    """The COPY that loads every file of a folder into the definition's table.

    `/*` with the format told, because `*.parquet` misses files without an extension. A column that COPY's own cast
    would crash on is converted by the mapping's expression, which costs a `LOAD FROM` in between.
    """
    source = f"{text_literal(f'{folder}/*')} (file_format='parquet'"
    ends = f"from={text_literal(table.from_node)}, to={text_literal(table.to_node or '')}" if table.from_node else ""
    references = [quoted(column.name) for column in table.columns]
    expressions = [
        load_expression(reference, column.file_type, column.engine_type)
        for reference, column in zip(references, table.columns, strict=True)
    ]
    target = f"COPY {quoted(table.table)} FROM"
    if not any(expressions):
        return f"{target} {source}{', ' if ends else ''}{ends})"
    loaded = ", ".join(expression or reference for expression, reference in zip(expressions, references, strict=True))
    return f"{target} (LOAD FROM {source}) RETURN {loaded})" + (f" ({ends})" if ends else "")


_FLOATS = frozenset({"FLOAT", "DOUBLE"})


def nan_statement(table: ManifestTable, folder: Path) -> str | None:
    """The query that counts the rows with a NaN, None where no column can have one.

    Not looked at: lists, maps and structs that hold strings too, since their text may have the letters as well.
    """
    tests = []
    for column in table.columns:
        bases = _bases(parse_engine_type(column.engine_type))
        if bases <= _FLOATS and "[" not in column.engine_type and "(" not in column.engine_type:
            tests.append(f"{quoted(column.name)} <> {quoted(column.name)}")
        elif bases & _FLOATS and "STRING" not in bases:
            tests.append(f"lower(CAST({quoted(column.name)} AS STRING)) CONTAINS 'nan'")
    if not tests:
        return None
    source = f"{text_literal(f'{folder}/*')} (file_format='parquet')"
    return f"LOAD FROM {source} WHERE {' OR '.join(tests)} RETURN count(*)"


def _bases(kind: EngineType) -> set[str]:
    return {kind.base} if not kind.inner else set().union(*map(_bases, kind.inner))


def nan_problem(table: ManifestTable, rows: int) -> LoadProblem:
    """The refusal of a definition with NaN, for an engine that would not keep its numbers."""
    what = f"{'node' if table.kind == 'node' else 'edge'} {table.name}"
    found = [c.name for c in table.columns if _bases(parse_engine_type(c.engine_type)) & _FLOATS]
    return LoadProblem(
        table.kind,
        table.name,
        "nan",
        f"{what}: {rows} rows have NaN in {' or '.join(found)}, beside which this engine loses the numbers",
        "write IF(is_nan(column), NULL, column), or use ladybug",
    )


@dataclass(frozen=True)
class LoadProblem:
    """Why one definition could not be loaded. `sql` is the change of its SQL that mends it, where one is known."""

    kind: str
    definition: str
    cause: str
    message: str
    hint: str | None
    value: str | None = None


_DUPLICATE = re.compile(r"Found duplicated primary key value (.*), which violates", re.S)
_NULL = re.compile(r"Found NULL, which violates the non-null constraint")
_MISSING = re.compile(r"Unable to find primary key value (.*)\.\s*$", re.S)
# Ryugraph packs UUIDs as signed numbers, and fails on the smallest beside one that begins with 8 to f.
_NIL_UUID = re.compile(r"cannot negate INT128_MIN")
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.I)
_MEMORY = re.compile(r"buffer pool is full|unable to allocate memory", re.I)


def missing_key(message: str) -> str | None:
    """The key that an edge's end has and no node does, from the engine's message; None if that is not its trouble."""
    found = _MISSING.search(message)
    return found.group(1) if found else None


def load_problem(table: ManifestTable, message: str, missing_end: str | None = None) -> LoadProblem:
    """What the engine's refusal of a COPY means for the definition.

    Args:
        missing_end: "from" or "to" for an edge whose end is missing, where it is known.
    """
    what = f"{'node' if table.kind == 'node' else 'edge'} {table.name}"
    columns = [column.name for column in table.columns]
    key = table.primary_key or columns[0]
    if duplicate := _DUPLICATE.search(message):
        value = duplicate.group(1)
        return LoadProblem(
            table.kind,
            table.name,
            "duplicate_key",
            f"{what}: duplicate primary key value {value!r} in {key}",
            f"use SELECT DISTINCT, or GROUP BY {key} and aggregate the other columns",
            value,
        )
    if _NULL.search(message):
        at = key if table.kind == "node" else f"{columns[0]} or {columns[1]}"
        test = (
            f"{key} IS NOT NULL" if table.kind == "node" else f"{columns[0]} IS NOT NULL AND {columns[1]} IS NOT NULL"
        )
        return LoadProblem(table.kind, table.name, "null_key", f"{what}: NULL in {at}", f"add WHERE {test}")
    if _NIL_UUID.search(message):
        found = ", ".join(column.name for column in table.columns if "UUID" in column.engine_type)
        return LoadProblem(
            table.kind,
            table.name,
            "nil_uuid",
            f"{what}: this engine cannot load the UUID {UUID(int=0)} beside others ({found})",
            f"write NULLIF(column, UUID '{UUID(int=0)}'), or declare STRING and CAST the column AS VARCHAR",
        )
    missing = missing_key(message)
    if missing is not None:
        return _missing_problem(table, what, missing, missing_end)
    return LoadProblem(table.kind, table.name, "refused", f"{what}: {message}", None)


def _missing_problem(table: ManifestTable, what: str, value: str, end: str | None) -> LoadProblem:
    sides = {
        "from": (table.columns[0].name, table.from_node),
        "to": (table.columns[1].name, table.to_node),
    }
    wanted = [sides[end]] if end else list(sides.values())
    nodes = " or ".join(dict.fromkeys(str(node) for _, node in wanted))
    column = " or ".join(column for column, _ in wanted)
    joins = " and ".join(f"{column} with the key of {node}" for column, node in wanted)
    return LoadProblem(
        table.kind,
        table.name,
        "missing_end",
        f"{what}: edge end {value!r} ({column}) is not in node table {nodes}",
        f"JOIN the definition's SQL with the SQL of node {nodes}: {joins}",
        value,
    )


def skipped_problem(table: ManifestTable, broken: list[str]) -> LoadProblem:
    """The entry of an edge that was not tried, because a node of its ends could not be loaded."""
    return LoadProblem(
        table.kind,
        table.name,
        "skipped",
        f"edge {table.name}: not loaded, because node {' and '.join(broken)} could not be",
        None,
    )


def load_error(problems: list[LoadProblem]) -> PlatformError:
    """One error that lists every problem."""
    real = [problem for problem in problems if problem.cause != "skipped"]
    more = f" (and {len(real) - 1} more)" if len(real) > 1 else ""
    return PlatformError(
        ErrorCode.DATA_LOAD_ERROR,
        real[0].message + more,
        real[0].hint,
        {"errors": [_document(problem) for problem in problems]},
    )


def environment_error(message: str, folder: Path, free_bytes: int, needed_bytes: int) -> PlatformError | None:
    """The error for a refusal that says nothing about the data: a full disk, too little memory. None for any other."""
    if _FULL.search(message):
        return PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"no space left in {folder}: {free_bytes} bytes are free, the Parquet files have {needed_bytes}",
            "free space there; a database takes up to five times the bytes of its Parquet files",
            {"folder": str(folder), "free_bytes": free_bytes, "needed_bytes": needed_bytes},
        )
    if _MEMORY.search(message):
        return PlatformError(
            ErrorCode.DATABASE_ERROR,
            f"the engine's memory is too small to load this: {message}",
            "raise GRAPH_PLATFORM_ENGINE_MEMORY_BYTES",
        )
    return None


def _document(problem: LoadProblem) -> dict[str, Any]:
    return {name: value for name, value in asdict(problem).items() if value is not None}
