"""What docs/notifications.md shows is what is sent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ci_toolkit.model.job import JobState
from ci_toolkit.notifiers.webhook import signature, webhook_value
from ci_toolkit.plugins import registered
from tests.support.digests import digest, news
from tests.support.message_services import WEBHOOK_KEY, WEBHOOK_SECRET

TEXT = (Path(__file__).parents[2] / "docs/notifications.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def test_the_check_of_signatures_takes_ours_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    is_ours, body = names["is_ours"], b'{"type": "x"}'
    headers = {
        "webhook-id": "d1",
        "webhook-timestamp": "1000",
        "webhook-signature": signature(WEBHOOK_KEY, "d1", "1000", body),
    }
    assert is_ours(headers, body, WEBHOOK_SECRET, now=lambda: 1100.0)
    assert not is_ours(headers, body + b" ", WEBHOOK_SECRET, now=lambda: 1100.0)
    assert not is_ours({**headers, "webhook-id": "d2"}, body, WEBHOOK_SECRET, now=lambda: 1100.0)
    assert not is_ours({**headers, "webhook-timestamp": "1001"}, body, WEBHOOK_SECRET, now=lambda: 1100.0)
    assert not is_ours(headers, body, WEBHOOK_SECRET, now=lambda: 2000.0)


def test_the_message_has_the_fields_that_are_shown() -> None:
    shown = json.loads(block("json"))
    sent = webhook_value(digest([news("broken", JobState.FAILED)]))
    assert shape(sent) == shape(shown)


def test_every_notifier_is_described() -> None:
    assert all(f"CI_NOTIFY={name}\n" in TEXT for name in registered("notifiers"))


def shape(value: Any) -> Any:
    """Names of fields, all the way down."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value if isinstance(inner, dict)] if isinstance(value, list) else None
