"""Messages in a Matrix room (spec.matrix.org, client-server API v1.7 and later, PUT .../send/m.room.message/TXN)."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from ci_toolkit.effects.message_http import send_message, service_address
from ci_toolkit.errors import ConfigError
from ci_toolkit.notifiers.secrets import secret
from ci_toolkit.notifiers.wording import Item, fitted, headline, items, without_mentions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.model.news import Digest
    from ci_toolkit.notifiers.spec import NotifierTools

TOKEN = "CI_NOTIFY_MATRIX_TOKEN"  # noqa: S105 - the name of a variable
URL = "CI_NOTIFY_MATRIX_URL"
_ROOM = "CI_NOTIFY_MATRIX_ROOM"
_LIMIT_BYTES = 16_000  # an event may have 65,536 bytes, and has the text twice, with JSON's escapes
_SHOWN_LINES = 20
_LINE_MAX = 300


class MatrixNotifier:
    """One notice a digest. The transaction's name is the digest's, so that a repetition is no second message."""

    name: ClassVar[str] = "matrix"
    follows_jobs: ClassVar[bool] = False

    def check(self, tools: NotifierTools) -> None:
        """Token, homeserver and room."""
        secret(tools.environ, TOKEN, hint="an access token of the account that sends")
        self._homeserver(tools)
        room = tools.settings.matrix_room
        if room is None:
            raise ConfigError("is missing", key=_ROOM, hint="the room's identifier, which begins with !")
        if re.fullmatch(r"![^\s/?#]{1,254}", room) is None:
            hint = "write what its settings show as internal room ID, which begins with !"
            raise ConfigError("is no identifier of a room", key=_ROOM, got=room, hint=hint)

    def send(self, digest: Digest, tools: NotifierTools) -> tuple[str, ...]:
        """Send it."""
        self.check(tools)
        token = secret(tools.environ, TOKEN)
        room = quote(tools.settings.matrix_room or "", safe="")
        body = {
            "msgtype": "m.notice",
            "body": _fitted(_plain(headline(digest)), (_as_text(item) for item in items(digest)), "\n"),
            "format": "org.matrix.custom.html",
            "formatted_body": _fitted(f"<b>{_html(headline(digest))}</b>", map(_as_html, items(digest)), "<br>"),
            "m.mentions": {},  # it means nobody, whatever the text looks like
        }
        send_message(
            "PUT",
            f"{self._homeserver(tools)}/_matrix/client/v3/rooms/{room}/send/m.room.message/{digest.id}",
            json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            secrets=(token,),
        )
        return ()

    def _homeserver(self, tools: NotifierTools) -> str:
        address = tools.environ.get(URL, "")
        if not address:
            raise ConfigError("is missing in the environment", key=URL, hint="the homeserver's https://host")
        return service_address(address, variable=URL)


def _fitted(top: str, parts: Iterable[tuple[str, str]], line_end: str) -> str:
    return fitted(
        top,
        parts,
        limit=_LIMIT_BYTES,
        size=lambda text: len(json.dumps(text)) - 2,
        more=lambda left: f"{line_end}… and {left} more",
    )


def _as_text(item: Item) -> tuple[str, str]:
    rows = [f"\n{_plain(item.what)}" + (f": {_plain(item.why)}" if item.why else "")]
    rows += [item.url] if item.url else []
    lines = [f"| {_plain(line[:_LINE_MAX])}" for line in item.lines[-_SHOWN_LINES:]]
    return "\n".join(rows), "\n".join([*rows, *lines])


def _as_html(item: Item) -> tuple[str, str]:
    what = _html(item.what)
    if item.url:
        what = f'<a href="{escape(item.url)}">{what}</a>'
    why = f": <code>{_html(item.why)}</code>" if item.why else ""
    lines = "\n".join(_html(line[:_LINE_MAX]) for line in item.lines[-_SHOWN_LINES:])
    short = f"<br>{what}{why}"
    return short, short + (f"<pre><code>{lines}</code></pre>" if lines else "")


def _plain(text: str) -> str:
    return without_mentions(text)


def _html(text: str) -> str:
    return escape(without_mentions(text), quote=False)
