"""Files at a server that takes PUT: what fails for the moment is asked for again, and the rest is told."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.object_http import ObjectHttp
from ci_toolkit.errors import PublishError
from tests.support.object_service import ObjectService
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def service() -> Iterator[ObjectService]:
    with ObjectService() as service:
        service.files["cache/one"] = b"x" * 100_000
        yield service


@pytest.fixture
def objects(service: ObjectService) -> Iterator[ObjectHttp]:
    with closing(ObjectHttp(url=f"{service.url}/cache", clock=QuickClock(), attempts=3)) as objects:
        yield objects


def test_an_answer_that_is_cut_off_in_the_middle_is_asked_for_again(
    service: ObjectService, objects: ObjectHttp
) -> None:
    service.fail("GET cache/one", halves=True, times=2)
    assert objects.read("one", limit_bytes=1 << 20) == b"x" * 100_000


def test_one_that_is_always_cut_off_is_told_in_a_sentence(service: ObjectService, objects: ObjectHttp) -> None:
    service.fail("GET cache/one", halves=True, times=1000)
    with pytest.raises(PublishError, match=r"GET http://127.0.0.1:[0-9]+/cache/one: the answer was cut off"):
        objects.read("one", limit_bytes=1 << 20)


def test_what_is_larger_than_it_may_be_is_not_asked_for_again(service: ObjectService, objects: ObjectHttp) -> None:
    with pytest.raises(PublishError, match="has more than 10 bytes"):
        objects.read("one", limit_bytes=10)
    assert len(service.requests) == 1
