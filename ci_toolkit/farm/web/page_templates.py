"""The templates of the farm's pages, filled in with what a view has gathered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from flask import Response, request

from ci_toolkit.model.worker import WorkerState
from ci_toolkit.reports.build_site.templating import page_frame, page_templates, template_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.farm.web.desk import Desk

_PACKAGE = "ci_toolkit.farm.web"
_FRAMED_BY_ITSELF = "; frame-ancestors 'self'"
_WORDS = {
    WorkerState.IDLE: "good",
    WorkerState.BUSY: "going",
    WorkerState.DRAINING: "over",
    WorkerState.QUARANTINED: "bad",
    WorkerState.UNFIT: "bad",
    WorkerState.AWAY: "over",
}


class Pages:
    """Fills the templates."""

    FRESH: ClassVar[str] = "fresh.js"
    FOLLOW: ClassVar[str] = "follow.js"

    def __init__(self, clean: Callable[[str], str], clock: Clock) -> None:
        """`clean` takes secrets out of what strangers wrote."""
        self._clock = clock
        self._templates = page_templates(clean, _PACKAGE)
        self._templates.filters |= {"worker_word": _WORDS.__getitem__}
        self._frames = {
            script: page_frame(template_part(script, _PACKAGE) if script else "", asks=bool(script))
            for script in ("", self.FRESH, self.FOLLOW)
        }

    def answer(
        self,
        desk: Desk | None,
        template: str,
        *,
        script: str = "",
        status: int = 200,
        **values: Any,  # noqa: ANN401 - whatever a template shows
    ) -> Response:
        """A page; links lead where they should however deep it lies, and whatever path a proxy puts in front."""
        name = (urlsplit(desk.farm.url).hostname or "farm") if desk else "farm"
        site = {"repository": name, **self._frames[script]}
        root = "../" * (request.path.count("/") - 1)
        now_s = self._clock.now()
        text = self._templates.get_template(template).render(site=site, root=root, now_s=now_s, **values)
        policy = f"{site['policy']}{_FRAMED_BY_ITSELF}"
        headers = {"Content-Security-Policy": policy}
        return Response(text, status=status, headers=headers, content_type="text/html; charset=utf-8")
