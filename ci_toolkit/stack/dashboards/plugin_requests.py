"""What a plugin answers, drawn: how much is asked of it, how much of that fails, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.dashboards.page import Page, lines, number, numbers_of, worse_from

if TYPE_CHECKING:
    from ci_toolkit.stack.deployment import Bundle

_ERRORS = worse_from(0.01, 0.05)


def requests_page(bundle: Bundle, *, name: str) -> Page | None:
    """The page of a plugin that says by which metrics its requests are counted; None for others."""
    requests = bundle.fragment.requests
    if requests is None:
        return None
    counted, errors = _series(bundle, requests.total), requests.errors
    bucket = f"{requests.duration}_bucket"

    def rate(matchers: str, over: str) -> str:
        return f"sum(rate({counted}{matchers}[{over}]))"

    def share(over: str) -> str:
        # A counter that never counted an error has no series for it: then it is none of all.
        return f"(({rate(f'{{{errors}}}', over)} or vector(0)) / {rate('', over)})"

    def slow(share_below: float, over: str) -> str:
        return f"histogram_quantile({share_below}, sum by (le) (rate({bucket}[{over}])))"

    now, drawn = "5m", "$__rate_interval"
    return Page(
        name=name,
        title=f"Plugin {bundle.name}",
        description=f"What {bundle.name} is asked, what of it fails, and how long it takes.",
        owner=bundle.name,
        placed=(
            number("Requests", rate("", now), unit="reqps", width=8),
            number("Errors", numbers_of(share(now)), unit="percentunit", steps=_ERRORS, width=8),
            number("95 of 100 take less than", numbers_of(slow(0.95, now)), unit="s", width=8),
            lines("Requests", {"all": rate("", drawn), "errors": rate(f"{{{errors}}}", drawn)}, unit="reqps"),
            lines("Share of errors", {"errors": share(drawn)}, unit="percentunit"),
            lines("Duration", {"median": slow(0.5, drawn), "95 of 100": slow(0.95, drawn)}, unit="s", width=24),
        ),
    )


def _series(bundle: Bundle, name: str) -> str:
    """The name under which Prometheus has a counter that may be given by either of its names."""
    declared = {metric.name: metric.series[0] for metric in bundle.fragment.metrics if metric.kind == "counter"}
    return declared.get(name, name)
