"""What is wrong with the pipelines of package repositories, as far as they tell the farm."""

from __future__ import annotations

from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing

_CHECKS = "ci_toolkit_farm_upstream_checks_total"
_MINE = 'repository="mine", source="pkgbuilds"'
_MINE_LABELS = {"repository": "mine", "source": "pkgbuilds"}

CHECKS_STOPPED = Alert(
    name="FarmChecksStopped",
    expr="time() - ci_toolkit_farm_last_checks_timestamp_seconds > 24 * 3600",
    severity="warning",
    summary="No pipeline of {{ $labels.source }} has looked at upstreams for {{ $value | humanizeDuration }}.",
    description="Packages grow old unnoticed. See whether its scheduled pipeline runs, and what the last one said.",
    cases=(
        AlertCase(
            series={f"ci_toolkit_farm_last_checks_timestamp_seconds{{{_MINE}}}": "0x1600"},
            at="25h",
            fires=(
                Firing(
                    labels=_MINE_LABELS,
                    summary="No pipeline of pkgbuilds has looked at upstreams for 1d 1h 0m 0s.",
                ),
            ),
        ),
        AlertCase(
            series={f"ci_toolkit_farm_last_checks_timestamp_seconds{{{_MINE}}}": "0x800 48000x800"},
            at="25h",
        ),
    ),
)
UPSTREAMS_ARE_SILENT = Alert(
    name="FarmUpstreamsAreSilent",
    expr=(
        f'sum by (repository, source) (increase({_CHECKS}{{outcome="could_not_ask"}}[6h]))'
        f" / sum by (repository, source) (increase({_CHECKS}[6h])) > 0.5"
        f" and sum by (repository, source) (increase({_CHECKS}[6h])) > 10"
    ),
    severity="warning",
    summary="Most upstreams of kind {{ $labels.source }} give {{ $labels.repository }} no answer.",
    description="They stay due. The pipeline's log has each error: a service that is down, a limit, or a token.",
    cases=(
        AlertCase(
            series={
                f'{_CHECKS}{{repository="mine", source="aur", outcome="could_not_ask"}}': "0+2x120",
                f'{_CHECKS}{{repository="mine", source="aur", outcome="unmoved"}}': "0+1x120",
                f'{_CHECKS}{{repository="mine", source="git", outcome="unmoved"}}': "0+1x120",
            },
            at="2h",
            fires=(
                Firing(
                    labels={"repository": "mine", "source": "aur"},
                    summary="Most upstreams of kind aur give mine no answer.",
                ),
            ),
        ),
        AlertCase(
            series={
                f'{_CHECKS}{{repository="mine", source="aur", outcome="could_not_ask"}}': "0+1x120",
                f'{_CHECKS}{{repository="mine", source="aur", outcome="unmoved"}}': "0+9x120",
                f'{_CHECKS}{{repository="few", source="aur", outcome="could_not_ask"}}': "0x60 3x60",
            },
            at="2h",
        ),
    ),
)
# How old a review is, nobody exposes. The smallest number of a day bridges a master that is being restarted.
REVIEWS_WAIT = Alert(
    name="FarmReviewsWait",
    expr="min_over_time(ci_toolkit_farm_open_reviews[1d]) > 0",
    lasting="6d",
    severity="info",
    summary="For a week there have always been reviews in {{ $labels.source }} that wait for somebody.",
    description="Their packages stay as they are until somebody has decided: at least {{ $value }} now.",
    cases=(
        AlertCase(
            series={f"ci_toolkit_farm_open_reviews{{{_MINE}}}": "3x4000 _x30 2x7000"},
            at="7d",
            fires=(
                Firing(
                    labels=_MINE_LABELS,
                    summary="For a week there have always been reviews in pkgbuilds that wait for somebody.",
                    description="Their packages stay as they are until somebody has decided: at least 2 now.",
                ),
            ),
        ),
        AlertCase(
            series={f"ci_toolkit_farm_open_reviews{{{_MINE}}}": "3x4000 0x60 2x7000"},
            at="7d",
        ),
    ),
)

PIPELINE_ALERTS: tuple[Alert, ...] = (CHECKS_STOPPED, UPSTREAMS_ARE_SILENT, REVIEWS_WAIT)
