"""Record batches as JSON text, by the rules of the table in `graph_platform.engine.values`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graph_platform.engine.results.batches import Batches


def json_pieces(batches: Batches, elapsed_seconds: Callable[[], float]) -> Iterator[bytes]:
    """The document of an answer (`columns`, `types`, `rows`, `row_count`, `truncated`, `elapsed_seconds`) in pieces.

    The pieces are UTF-8 and together one JSON document. What comes after the rows is known only when they are through,
    so it stands last.

    Args:
        elapsed_seconds: asked once, after the last row.

    Raises:
        PlatformError: as iterating `batches` does.
    """
    raise NotImplementedError
