"""Lookups of names, remembered for a moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from graph_platform.warehouse.trino.lookups import RememberedLookups, Rows


class Server:
    """Answers with how many questions it had, at once or when it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = Event()
        self.may_answer.set()

    def __call__(self, sql: str) -> Rows:
        self.asked.append(sql)
        assert self.may_answer.wait(30)
        return [[len(self.asked)]]


def test_a_question_is_asked_again_only_after_its_time() -> None:
    now = [100.0]
    server, lookups = Server(), RememberedLookups(10, lambda: now[0])
    assert lookups.rows("a", server) == lookups.rows("a", server) == [[1]]
    assert lookups.rows("b", server) == [[2]]
    now[0] += 10
    assert lookups.rows("a", server) == [[3]]


def test_threads_with_one_question_ask_it_once() -> None:
    server, lookups = Server(), RememberedLookups(10)
    server.may_answer.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(lookups.rows, "a", server) for _ in range(8)]
        server.may_answer.set()
        assert [answer.result() for answer in answers] == [[[1]]] * 8
    assert server.asked == ["a"]


def test_a_failure_is_not_remembered() -> None:
    lookups = RememberedLookups(10)

    def fail(_: str) -> Rows:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        lookups.rows("a", fail)
    assert lookups.rows("a", Server()) == [[1]]
