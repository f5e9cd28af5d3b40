"""A DuckDB file as a warehouse: Trino's SQL is translated, described without running, and exported with COPY.

The file is opened read-only and the database is locked down before the first statement of a user: nothing outside the
file is read, and nothing is written outside the storage folder. DuckDB itself never reaches a bucket: it writes into a
folder of this machine, and this program uploads what is there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import duckdb
from sqlglot import exp

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.problems import ProblemCode
from graph_platform.mapping.report import Problem
from graph_platform.mapping.sql import check_query, locate
from graph_platform.mapping.translation import PRELUDE, to_duckdb
from graph_platform.storage.protocol import Storage
from graph_platform.storage.scratch import scratch_folder
from graph_platform.warehouse.duckdb_relations import relations_of
from graph_platform.warehouse.duckdb_types import plain_type, trino_type
from graph_platform.warehouse.protocol import Column, ExportProgress, ExportState, Refusal, Relation

FILE_NAME = "part-0.parquet"
UPLOADED_FILE_BYTES = 256 * 1024**2
"""About how large the files of an uploaded export are. A cancellation waits for the one that is on its way."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # else a table's name may mean a variable of this program
    "preserve_insertion_order": False,  # else an export of any size is held in memory
}
# Connections of one process to one file share one database with one configuration.
_OPENING = threading.Lock()


@dataclass
class _Export:
    cursor: duckdb.DuckDBPyConnection
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    outcome: ExportProgress = ExportProgress(ExportState.RUNNING)
    thread: threading.Thread | None = None


class _Stopped(Exception):
    """The export was cancelled between two uploads."""


class DuckDBWarehouse:
    """A DuckDB file.

    Args:
        path: the file; it must exist.
        storage: the folder under which exports may write, None where nothing is exported.
        bucket: where the exports go from there, None where that folder is where they stay. It then holds nothing for
            longer than an export takes.
        threads: threads of one statement; 0 for as many as there are cores.
        memory_limit: of the whole database, such as `4GB`; empty for DuckDB's own choice (80 % of the machine).

    Raises:
        PlatformError: BACKEND_UNREACHABLE, if the file is missing, locked by another process, or no database.
    """

    dialect = "duckdb"

    def __init__(
        self,
        path: Path,
        *,
        storage: Path | None = None,
        bucket: Storage | None = None,
        threads: int = 0,
        memory_limit: str = "",
    ) -> None:
        self._path = path
        self._storage = storage
        self._bucket = bucket
        self._lock = threading.Lock()
        self._exports: dict[str, _Export] = {}
        self._closed = False
        with _OPENING:
            self._connection = _connected(path)
            try:
                _lock_down(self._connection, path, storage, threads, memory_limit)
            except BaseException:
                self._connection.close()
                raise

    @property
    def export_warning(self) -> str | None:
        """None: DuckDB writes the files itself."""
        return None

    def tagged(self, **tags: str) -> Self:
        """Itself: there are no pages that would show a tag."""
        return self

    def describe(self, sql: str) -> tuple[Column, ...]:
        """The result columns, bound but not run. A column without a name in Trino comes with an empty one."""
        query, tree = self._translated(sql)
        cursor = self._cursor()
        try:
            relation = cursor.sql(query)
            if relation is None:
                raise Refusal(ProblemCode.SQL_NOT_A_QUERY, "the SQL returns nothing")
            names, types = list(relation.columns), list(relation.types)
        except duckdb.Error as error:
            raise self._refusal(error, sql) from error
        finally:
            cursor.close()
        shown = trino_names(tree, names)
        return tuple(Column(name, str(trino_type(kind))) for name, kind in zip(shown, types, strict=True))

    def fetch(self, sql: str, row_limit: int, limit_seconds: float) -> tuple[tuple[Any, ...], ...]:
        """The first rows; a statement that takes longer is interrupted."""
        query, _ = self._translated(sql)
        cursor = self._cursor()
        late = threading.Event()

        def interrupt() -> None:
            late.set()
            with suppress(duckdb.Error):  # it ended just now
                cursor.interrupt()

        timer = threading.Timer(limit_seconds, interrupt)
        timer.daemon = True
        timer.start()
        try:
            rows = cursor.execute(query).fetchmany(row_limit)
        except duckdb.InterruptException as error:
            if not late.is_set():
                raise _unreachable(self._path, error) from error
            message = f"the warehouse did not end a statement at its limit of {limit_seconds:g} s"
            hint = "make it cheaper, or raise the limit in the settings"
            raise PlatformError(ErrorCode.QUERY_TIMEOUT, message, hint) from error
        except duckdb.Error as error:
            raise self._refusal(error, sql) from error
        finally:
            timer.cancel()
            cursor.close()
        return tuple(tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in rows)

    def relations(self, schema: str | None = None) -> tuple[Relation, ...]:
        """Tables with their declared keys, and the views that hold. The schema of unqualified names is `main`."""
        cursor = self._cursor()
        try:
            return relations_of(cursor, schema)
        except duckdb.Error as error:
            raise _unreachable(self._path, error) from error
        finally:
            cursor.close()

    def tables(self) -> tuple[str, ...]:
        """Tables and views: those of the main schema by name, others with their schema."""
        cursor = self._cursor()
        try:
            rows = cursor.execute(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_catalog = current_database() AND table_schema NOT IN ('information_schema', 'pg_catalog') "
                "ORDER BY ALL"
            ).fetchall()
        except duckdb.Error as error:
            raise _unreachable(self._path, error) from error
        finally:
            cursor.close()
        return tuple(name if schema == "main" else f"{schema}.{name}" for schema, name in rows)

    def submit_export(self, query_id: str, sql: str, uri: str, remember: Callable[[str], None]) -> None:
        """Write Parquet in a thread of its own. It ends with this process, so nothing is remembered."""
        query, _ = self._translated(sql)
        write: Callable[[_Export, str], int]
        if self._bucket is not None and self._storage is not None:
            write = partial(_upload, self._storage, self._bucket, self._bucket.key(uri))
        else:
            write = partial(_copy, _made(local_folder(uri)) / FILE_NAME, "")
        export = _Export(self._cursor())
        with self._lock:
            if query_id in self._exports:
                export.cursor.close()
                raise PlatformError(ErrorCode.ALREADY_EXISTS, f"the export {query_id} was already submitted")
            self._exports[query_id] = export
        export.thread = threading.Thread(
            target=_run, args=(export, query, write), name=f"export-{query_id}", daemon=True
        )
        export.thread.start()

    def adopt_export(self, query_id: str, state: str, remember: Callable[[str], None]) -> None:
        """Nothing to adopt: an export of another process ended with it."""

    def poll_export(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """UNKNOWN for an export of another process: it ended with that process."""
        with self._lock:
            export = self._exports.get(query_id)
        if export is None:
            return ExportProgress(ExportState.UNKNOWN)
        export.done.wait(max(0.0, wait_seconds))
        return export.outcome

    def cancel_export(self, query_id: str) -> None:
        """Interrupt the export and wait until its thread has let go of the file, or has uploaded the one at hand."""
        with self._lock:
            export = self._exports.get(query_id)
        if export is None:
            return
        export.stop.set()
        # An interrupt that comes before the statement has begun is lost, so it is repeated until the thread ends.
        while not export.done.is_set():
            with suppress(duckdb.Error):  # the thread may have closed it just now
                export.cursor.interrupt()
            export.done.wait(0.05)

    def forget_exports(self, prefixes: Sequence[str]) -> None:
        """Nothing is kept of an export."""

    def close(self) -> None:
        """Interrupt the exports and close the file; a second call does nothing."""
        with self._lock:
            self._closed = True
            running = list(self._exports)
        for query_id in running:
            self.cancel_export(query_id)
        self._connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._closed:
                raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the warehouse {self._path} was closed")
            cursor = self._connection.cursor()
        cursor.execute(PRELUDE)  # what is temporary is each cursor's own
        return cursor

    def _translated(self, sql: str) -> tuple[str, exp.Expr]:
        checked = check_query(sql)
        translation = to_duckdb(checked)
        if translation.sql is None or checked.tree is None:
            raise _as_refusal(translation.errors)
        return translation.sql, checked.tree

    def _refusal(self, error: duckdb.Error, sql: str) -> Refusal | PlatformError:
        text = str(error)
        if isinstance(error, (duckdb.IOException, duckdb.FatalException, duckdb.ConnectionException)):
            return _unreachable(self._path, error)
        for pattern, code in _NAMES_IN_ERRORS:
            match = pattern.search(text)
            if match is None:
                continue
            subject = ".".join(part.strip('"') for part in match.groups() if part)
            if pattern is _NO_SUCH_ALIAS:
                subject = _column_of(subject, sql)
            candidates = self._candidates(code, subject, text)
            line, column = locate(sql, subject) or (None, None)
            message = f"{_NOUNS[code]} {subject} does not exist"
            return Refusal(code, message, line, column, subject, candidates)
        message = _plain(text)
        named = re.match(r'(?:column|Ambiguous reference to column name) "([^"]+)"', message)
        line, column = (locate(sql, named[1]) if named else None) or (None, None)
        return Refusal(ProblemCode.SQL_SEMANTICS, message, line, column)

    def _candidates(self, code: ProblemCode, subject: str, text: str) -> tuple[str, ...]:
        known: Sequence[str] = ()
        if code is ProblemCode.TABLE_NOT_FOUND:
            known = self.tables()
        elif bindings := re.search(r"Candidate bindings: (.*)|Did you mean (.*)\?", text):
            # DuckDB names what is least unlike, however unlike that is.
            known = re.findall(r'"((?:[^"]|"")+)"', bindings[0])
            subject = subject.rpartition(".")[2]
        lowered = {name.lower(): name for name in known}
        close = get_close_matches(subject.lower(), list(lowered), n=3, cutoff=0.5)
        return tuple(lowered[name] for name in close)


_NOUNS = {
    ProblemCode.TABLE_NOT_FOUND: "the table",
    ProblemCode.COLUMN_NOT_FOUND: "the column",
    ProblemCode.FUNCTION_NOT_FOUND: "the function",
}
_NO_SUCH_ALIAS = re.compile(r'Referenced table "(.+?)" not found')
_NAMES_IN_ERRORS: Sequence[tuple[re.Pattern[str], ProblemCode]] = (
    (re.compile(r'Table with name "?(.+?)"? does not exist'), ProblemCode.TABLE_NOT_FOUND),
    (_NO_SUCH_ALIAS, ProblemCode.COLUMN_NOT_FOUND),
    (re.compile(r'Referenced column "(.+?)" not found'), ProblemCode.COLUMN_NOT_FOUND),
    (re.compile(r'(?:Table|Values list) "([^"]+)" does not have a column named "(.+?)"'), ProblemCode.COLUMN_NOT_FOUND),
    (re.compile(r"Function with name \"?([\w.]+)\"? does not exist"), ProblemCode.FUNCTION_NOT_FOUND),
)


def _column_of(alias: str, sql: str) -> str:
    """The first column that a query takes from an alias, as it is written: Trino misses the column, not the alias."""
    tree = check_query(sql).tree
    columns = tree.find_all(exp.Column) if tree is not None else ()
    return next((f"{alias}.{column.name}" for column in columns if column.table.lower() == alias.lower()), alias)


def trino_names(tree: exp.Expr, names: list[str]) -> list[str]:
    """The names that Trino would give the result columns, empty for a column without one.

    DuckDB names every column after its expression, and a second `a` of a subquery `a_1`; Trino names only columns,
    fields and what has an alias. Columns of a `*` keep the name that DuckDB found.
    """
    query = tree
    while isinstance(query, (exp.Subquery, exp.SetOperation)):
        query = query.this
    if isinstance(query, exp.Values):
        return [""] * len(names)
    if not isinstance(query, exp.Select):
        return names
    items = list(query.expressions)
    stars = [i for i, item in enumerate(items) if item.is_star]
    shown = list(names)
    head = stars[0] if stars else len(items)
    tail = len(items) - 1 - stars[-1] if stars else 0
    for i in range(min(head, len(shown))):
        shown[i] = _own_name(items[i], shown[i])
    for i in range(1, tail + 1):
        shown[-i] = _own_name(items[-i], shown[-i])
    return shown


def _own_name(item: exp.Expr, found: str) -> str:
    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Alias):
        return str(item.alias)
    if isinstance(item, exp.Column):
        return found
    return str(item.expression.name) if isinstance(item, exp.Dot) else ""


def _run(export: _Export, query: str, write: Callable[[_Export, str], int]) -> None:
    try:
        export.outcome = ExportProgress(ExportState.FINISHED, rows=write(export, query))
    except _Stopped:
        export.outcome = ExportProgress(ExportState.FAILED, error="the export was cancelled")
    except PlatformError as error:
        # Storage that does not answer now is worth another attempt, as a warehouse is that forgot the query.
        state = ExportState.UNKNOWN if error.code is ErrorCode.BACKEND_UNREACHABLE else ExportState.FAILED
        export.outcome = ExportProgress(state, error=error.message)
    except Exception as error:  # noqa: BLE001 - whatever it was, the caller learns it from the poll
        export.outcome = ExportProgress(ExportState.FAILED, error=_plain(str(error)) or type(error).__name__)
    finally:
        export.done.set()
        export.cursor.close()


def _copy(target: Path, options: str, export: _Export, query: str) -> int:
    """Write the result to one file, or with the option for it to a folder of several; returns its rows."""
    relation = export.cursor.sql(query)
    columns = ", ".join(
        _quoted(name)
        if str(kind) == plain_type(kind)
        else f"CAST({_quoted(name)} AS {plain_type(kind)}) AS {_quoted(name)}"
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    row = export.cursor.execute(
        f"COPY (SELECT {columns} FROM ({query})) TO {_literal(str(target))} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd{options})"
    ).fetchone()
    return int(row[0]) if row else 0


def _upload(scratch: Path, bucket: Storage, key: str, export: _Export, query: str) -> int:
    """Write the whole result on this machine, then upload it; returns its rows.

    Only what DuckDB has finished is uploaded: a query that fails on its last row leaves nothing in the bucket.
    """
    with scratch_folder(scratch.resolve()) as folder:
        files = folder / "files"
        rows = _copy(files, f", FILE_SIZE_BYTES {UPLOADED_FILE_BYTES}", export, query)
        for file in sorted(files.iterdir()):
            if export.stop.is_set():
                raise _Stopped
            bucket.put(file, f"{key}/{file.name}")
            file.unlink()
    return rows


def local_folder(uri: str) -> Path:
    """The folder of a `file://` URL, percent-escapes resolved.

    Raises:
        PlatformError: VALIDATION_FAILED, for a URL of another kind.
    """
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        message = f"DuckDB writes to folders of this machine, and {uri} is not one"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "use a storage URL such as file:///data/storage")
    # A `?` or `#` in a folder's name reaches here only unescaped, since nothing gives such a URL a query.
    tail = ("?" + parts.query if parts.query else "") + ("#" + parts.fragment if parts.fragment else "")
    return Path(unquote(parts.path + tail))


def _made(folder: Path) -> Path:
    try:
        _make(folder)
        return folder.resolve()  # what DuckDB was allowed is the real path
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror or error}"
        raise PlatformError(ErrorCode.STORAGE_ERROR, message, "check the storage setting and its disk") from error


def _make(folder: Path) -> None:
    """Make a folder and its parents, also while somebody else removes empty ones."""
    for _ in range(100):
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return
    folder.mkdir(parents=True, exist_ok=True)


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    if not path.is_file():
        message = f"the warehouse {path} does not exist"
        hint = "set GRAPH_PLATFORM_WAREHOUSE to duckdb:///FILE, or create the file"
        raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, hint)
    try:
        return duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.Error as error:
        raise _unreachable(path, error) from error


def _lock_down(
    connection: duckdb.DuckDBPyConnection, path: Path, storage: Path | None, threads: int, memory_limit: str
) -> None:
    folder = f"{storage.resolve()}/" if storage else None
    state = connection.execute("SELECT current_setting('lock_configuration'), current_setting('allowed_directories')")
    locked, allowed = state.fetchone() or (False, [])
    if locked:
        if folder and folder not in allowed:
            message = f"this process already uses the warehouse {path} with another storage folder"
            raise PlatformError(ErrorCode.INVALID_STATE, message, "close it first, or use a process for each")
        return
    # The zone and the calendar are an extension that the wheel has built in.
    statements = ["LOAD icu", "SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL integer_division = true"]
    if threads:
        statements.append(f"SET GLOBAL threads = {int(threads)}")
    if memory_limit:
        statements.append(f"SET GLOBAL memory_limit = {_literal(memory_limit)}")
    if folder:
        statements.append(f"SET GLOBAL allowed_directories = [{_literal(folder)}]")
    for statement in (*statements, "SET GLOBAL enable_external_access = false", "SET GLOBAL lock_configuration = true"):
        connection.execute(statement)


def _unreachable(path: Path, error: duckdb.Error) -> PlatformError:
    text = str(error)
    holder = re.search(r"lock is held in (.+?)\. ", text + " ")
    if holder:
        message = f"the warehouse {path} is open for writing in {holder[1]}"
        return PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, "end that process, or let it close the file")
    return PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the warehouse {path} cannot be used: {_plain(text)}")


def _as_refusal(problems: Sequence[Problem]) -> Refusal:
    first = problems[0]
    at = first.position
    message = first.message + (f" ({first.hint})" if first.hint else "")
    return Refusal(first.code, message, at.line if at else None, at.column if at else None)


def _plain(text: str) -> str:
    """DuckDB's message without its own rendering of the SQL, which is not the user's text."""
    kept = re.split(r"\n+LINE |\n\tCandidate functions:", text, maxsplit=1)[0]
    return " ".join(re.sub(r"^[A-Z][\w ]*? Error: ", "", kept.strip()).split())


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
