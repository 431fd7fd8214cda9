"""JSON to anybody's own service, signed as Standard Webhooks says (standardwebhooks.com, specification 1.0.0).

`webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 of `ID.TIMESTAMP.BODY`, where ID and TIMESTAMP (seconds
since 1970) are the headers `webhook-id` and `webhook-timestamp`; the key is what stands behind `whsec_` in base64. The
id stays the same when a message is sent again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from ci_toolkit.effects.message_http import send_message, service_address
from ci_toolkit.errors import ConfigError
from ci_toolkit.notifiers.secrets import secret
from ci_toolkit.notifiers.wording import fitted, headline, items, without_mentions

if TYPE_CHECKING:
    from ci_toolkit.model.news import Digest, JobNews
    from ci_toolkit.notifiers.spec import NotifierTools
    from ci_toolkit.notifiers.wording import Item

URL = "CI_NOTIFY_WEBHOOK_URL"
SECRET = "CI_NOTIFY_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
_PREFIX = "whsec_"
_HINT = "whsec_ and at least 24 bytes in base64, such as openssl rand -base64 32 prints"
_LEAST_BYTES = 24
_MOST_JOBS = 500
_SHOWN_LINES = 20
_LINE_MAX = 500
_TEXT_LIMIT = 3_000


class WebhookNotifier:
    """One POST a digest."""

    name: ClassVar[str] = "webhook"
    follows_jobs: ClassVar[bool] = False

    def check(self, tools: NotifierTools) -> None:
        """Address and key."""
        self._address(tools)
        self._key(tools)

    def send(self, digest: Digest, tools: NotifierTools) -> tuple[str, ...]:
        """Send it."""
        address, key = self._address(tools), self._key(tools)
        body = json.dumps(webhook_value(digest), ensure_ascii=False).encode()
        sent_at = str(int(tools.clock.now()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": digest.id,
            "webhook-timestamp": sent_at,
            "webhook-signature": signature(key, digest.id, sent_at, body),
        }
        send_message("POST", address, body, headers=headers, secrets=(address,))
        return ()

    def _address(self, tools: NotifierTools) -> str:
        hint = "the address that takes what is sent"
        return service_address(secret(tools.environ, URL, hint=hint), variable=URL, may_be_plain=True)

    def _key(self, tools: NotifierTools) -> bytes:
        text = secret(tools.environ, SECRET, hint=_HINT)
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(_PREFIX) or len(key) < _LEAST_BYTES:
            raise ConfigError("is no key", key=SECRET, hint=_HINT)
        return key


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """What proves that a message is ours, and from when it is."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def webhook_value(digest: Digest) -> dict[str, Any]:
    """What is sent: `text` for people, the rest for programs; docs/notifications.md describes it."""
    return {
        "type": "builds.digest",
        "timestamp": datetime.fromtimestamp(digest.at_s, UTC).isoformat(timespec="seconds"),
        "data": {
            "repository": digest.repository,
            "url": digest.url,
            "text": _text(digest),
            "counts": {
                **{state.value: many for state, many in digest.counts.jobs.items()},
                "removed": digest.counts.removed,
                "workers": digest.counts.workers,
            },
            "backlog": digest.backlog_since_s is not None,
            "jobs": [_job(news) for news in digest.jobs[:_MOST_JOBS]],
            "removed": list(digest.removed),
            "workers": [
                {"worker": one.worker, "text": without_mentions(one.text), "at": one.at_s} for one in digest.workers
            ],
        },
    }


def _job(news: JobNews) -> dict[str, Any]:
    job = news.job
    return {
        "job": job.number,
        "package": job.pkgbase,
        "version": without_mentions(job.version) if job.version else None,
        "state": job.state.value,
        "kinds": sorted(kind.value for kind in news.kinds),
        "reason": without_mentions(job.reason),
        "source": news.source,
        "commit": job.commit,
        "ended_at": job.ended_at_s,
        "worker": job.worker,
        "url": news.url,
        "log": [without_mentions(line[:_LINE_MAX]) for line in news.last_lines[-_SHOWN_LINES:]],
    }


def _text(digest: Digest) -> str:
    def line(item: Item) -> tuple[str, str]:
        text = without_mentions(f"\n{item.what}" + (f": {item.why}" if item.why else ""))
        return text, text

    return fitted(
        without_mentions(headline(digest)),
        map(line, items(digest)),
        limit=_TEXT_LIMIT,
        more=lambda left: f"\n… and {left} more",
    )
