"""Errors of services in tests: each must keep the token to itself."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.client import ForgeReview

if TYPE_CHECKING:
    from collections.abc import Callable


def refused(secret: str, call: Callable[[], object]) -> ForgeError:
    """The error of a call, in which, and in whose causes, the secret is nowhere."""
    with pytest.raises(ForgeError) as caught:
        call()
    error: BaseException | None = caught.value
    assert secret not in "".join(traceback.format_exception(caught.value))
    while error is not None:
        request = getattr(error, "request", None)
        assert secret not in f"{error} {error!r} {error.args} {vars(error)} {getattr(request, 'headers', '')}"
        error = error.__cause__ or error.__context__
    return caught.value


def shown(number: int, branch: str = "update-paru", **what: Any) -> ForgeReview:
    """An open review that nobody has looked at."""
    values = {"url": "", "target": "main", "status": "open", "title": "", "body": ""} | what
    return ForgeReview(number=number, branch=branch, **values)
