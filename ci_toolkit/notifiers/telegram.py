"""Messages by a Telegram bot (core.telegram.org/bots/api, sendMessage), or by a Bot API server of one's own.

Telegram knows no repetitions: a message whose answer was lost comes twice.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.message_http import send_message, service_address
from ci_toolkit.errors import ConfigError
from ci_toolkit.notifiers.secrets import secret
from ci_toolkit.notifiers.wording import Item, fitted, headline, items, without_mentions

if TYPE_CHECKING:
    from ci_toolkit.model.news import Digest
    from ci_toolkit.notifiers.spec import NotifierTools

TOKEN = "CI_NOTIFY_TELEGRAM_TOKEN"  # noqa: S105 - the name of a variable
URL = "CI_NOTIFY_TELEGRAM_URL"
_PUBLIC = "https://api.telegram.org"
_CHAT = "CI_NOTIFY_TELEGRAM_CHAT"
_LIMIT = 4096  # of UTF-16 units, after markup is taken out; it is counted here with its markup
_SHOWN_LINES = 10
_LINE_MAX = 160


class TelegramNotifier:
    """One message a digest."""

    name: ClassVar[str] = "telegram"
    follows_jobs: ClassVar[bool] = False

    def check(self, tools: NotifierTools) -> None:
        """Token, address and chat."""
        self._address(tools)
        chat = tools.settings.telegram_chat
        if chat is None:
            raise ConfigError("is missing", key=_CHAT, hint="the number of the chat, or @channel")
        if re.fullmatch(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64}", chat) is None:
            raise ConfigError("is no chat", key=_CHAT, got=chat, hint="write its number, or @channel")

    def send(self, digest: Digest, tools: NotifierTools) -> tuple[str, ...]:
        """Send it."""
        self.check(tools)
        body = {
            "chat_id": tools.settings.telegram_chat,
            "text": telegram_text(digest),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        send_message(
            "POST",
            f"{self._address(tools)}/sendMessage",
            json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            secrets=(secret(tools.environ, TOKEN),),
        )
        return ()

    def _address(self, tools: NotifierTools) -> str:
        token = secret(tools.environ, TOKEN, shape=r"[0-9]+:[A-Za-z0-9_-]{10,}", hint="what BotFather gave you")
        return f"{service_address(tools.environ.get(URL) or _PUBLIC, variable=URL)}/bot{token}"


def telegram_text(digest: Digest) -> str:
    """In the HTML that Telegram reads, within its limit."""
    return fitted(
        f"<b>{_plain(headline(digest))}</b>",
        map(_item, items(digest)),
        limit=_LIMIT,
        size=lambda text: len(text.encode("utf-16-le")) // 2,
        more=lambda left: f"\n… and {left} more",
    )


def _item(item: Item) -> tuple[str, str]:
    what = _plain(item.what)
    if item.url:
        what = f'<a href="{escape(item.url)}">{what}</a>'
    # Inside of code nothing is a link, a name or a command.
    why = f": <code>{_plain(item.why)}</code>" if item.why else ""
    lines = "\n".join(_plain(line[:_LINE_MAX]) for line in item.lines[-_SHOWN_LINES:])
    short = f"\n{what}{why}"
    return short, short + (f"\n<pre>{lines}</pre>" if lines else "")


def _plain(text: str) -> str:
    return escape(without_mentions(text), quote=False)
