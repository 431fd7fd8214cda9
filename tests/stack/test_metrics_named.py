"""Dashboards and rules speak of metrics and labels that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.model.metric import Metric
from ci_toolkit.stack.dashboards.pages import dashboard_outputs
from ci_toolkit.stack.output import yaml_output
from ci_toolkit.stack.validating.metrics_named import metric_faults
from ci_toolkit.stack_fragments.spec import Dashboard, Fragment, Panel, Requests
from tests.support.stacks import deployed

if TYPE_CHECKING:
    from ci_toolkit.stack.output import Output

MIRROR = (
    Metric(name="mirror_requests", kind="counter", meaning="Requests.", labels=("code",)),
    Metric(name="mirror_seconds", kind="histogram", meaning="Time."),
)


def drawn(expr: str, legend: str = "all") -> list[str]:
    """What is wrong with a panel of the plugin `mirror`."""
    panel = Panel(title="Hits", queries={legend: expr})
    fragment = Fragment(metrics=MIRROR, dashboards=(Dashboard(name="mirror-hits", title="Hits", panels=(panel,)),))
    deployment = deployed(mirror=fragment)
    return list(metric_faults(deployment, dashboard_outputs(deployment)))


def rules(expr: str, *, path: str = "prometheus/rules/farm.yml", summary: str = "") -> Output:
    """A file with one alert."""
    rule = {"alert": "Late", "expr": expr, "labels": {"severity": "info"}, "annotations": {"summary": summary}}
    return yaml_output(path, {"groups": [{"name": "g", "rules": [rule]}]})


def test_the_farms_own_dashboards_speak_of_what_the_farm_tells() -> None:
    deployment = deployed()
    assert list(metric_faults(deployment, dashboard_outputs(deployment))) == []


@pytest.mark.parametrize(
    "expr",
    [
        "sum by (code) (rate(mirror_requests_total[5m]))",
        "histogram_quantile(0.5, sum by (le) (rate(mirror_seconds_bucket[$__rate_interval])))",
        'mirror_requests_total{code="200", instance="x", plugin="mirror", service="mirror"}',
        "sum without (code) (mirror_requests_total)",
        'up{job="plugin-mirror"} == 0',
        "process_resident_memory_bytes",
        'ALERTS{alertname="Late", anything="else"}',
        "ci_toolkit_farm_jobs",
        "mirror_requests_total / on (job) group_left (state) ci_toolkit_farm_jobs",
        'sum by (part) (label_replace(mirror_requests_total, "part", "$1", "code", "(.).."))',
        'count_values("n", mirror_requests_total)',
        '{__name__="mirror_requests_total", code="200"}',
        "time() - vector(5)",
    ],
)
def test_what_is_there_may_be_named(expr: str) -> None:
    assert drawn(expr) == []


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("mirror_request_total", "there is no metric mirror_request_total (did you mean mirror_requests_total"),
        ("mirror_requests", "there is no metric mirror_requests (did you mean"),
        ("mirror_seconds", "there is no metric mirror_seconds (did you mean"),
        ('mirror_requests_total{cod="200"}', "mirror_requests_total has no label cod (did you mean code?)"),
        ("sum by (coda) (mirror_requests_total)", "what sum by is about has no label coda (did you mean code?)"),
        ("sum by (code) (sum by (job) (mirror_requests_total))", "what sum by is about has no label code"),
        ("sum without (codes) (mirror_requests_total)", "what sum without is about has no label codes"),
        (
            "histogram_quantile(0.5, sum(rate(mirror_seconds_bucket[5m])))",
            "what histogram_quantile is about has no label le",
        ),
        ("sum by (le) (mirror_seconds_count)", "has no label le"),
        ("mirror_requests_total / on (cole) mirror_requests_total", "neither side of / has the label cole"),
        ('{job="plugin-mirror"}', "series are chosen without the name of a metric"),
        ('{__name__=~"mirror_.*"}', "series are chosen without the name of a metric"),
        ("sum(mirror_requests_total", "is no PromQL"),
        ("absent(mirror_hits)", "there is no metric mirror_hits"),
        ('ci_toolkit_farm_jobs{worker="big"}', "ci_toolkit_farm_jobs has no label worker"),
    ],
)
def test_what_is_not_there_is_named_with_file_and_panel(expr: str, fault: str) -> None:
    (said,) = drawn(expr)
    assert said.startswith("grafana/dashboards/plugin-mirror-hits.json: panel 'Hits': ")
    assert fault in said


@pytest.mark.parametrize(
    ("expr", "left", "gone"),
    [
        ("mirror_requests_total", "code", "state"),
        ("sum(mirror_requests_total)", "", "code"),
        ("sum by (code) (mirror_requests_total)", "code", "instance"),
        ("sum without (code) (mirror_requests_total)", "instance", "code"),
        ("topk(5, mirror_requests_total)", "code", "state"),
        ('count_values("n", mirror_requests_total)', "n", "code"),
        ("histogram_quantile(0.5, rate(mirror_seconds_bucket[5m]))", "instance", "le"),
        ("mirror_requests_total / on (code) mirror_requests_total", "code", "instance"),
        ("mirror_requests_total / ignoring (code) mirror_requests_total", "instance", "code"),
        ("mirror_requests_total / on (job) group_left (state) ci_toolkit_farm_jobs", "state", "repository"),
        ("mirror_requests_total / on (job) group_right (code) ci_toolkit_farm_jobs", "repository", "plugin"),
        ("mirror_requests_total and on (job) ci_toolkit_farm_jobs", "code", "state"),
        ("mirror_requests_total or ci_toolkit_farm_jobs", "state", "outcome"),
        ("60 * mirror_requests_total", "code", "state"),
        ("mirror_requests_total > 5", "code", "state"),
        ('label_replace(mirror_requests_total, "part", "$1", "code", "(.)")', "part", "state"),
        ("vector(5)", "", "job"),
    ],
)
def test_a_legend_may_speak_of_labels_that_are_left(expr: str, left: str, gone: str) -> None:
    assert drawn(expr, f"code {{{{ {left} }}}}" if left else "all") == []
    (said,) = drawn(expr, f"{{{{{gone}}}}}")
    assert f"its text has the label {gone}, which its series do not have" in said


def test_what_readers_choose_from_is_a_label_that_is_there() -> None:
    deployment = deployed()
    queue = next(o for o in dashboard_outputs(deployment) if o.path.endswith("farm-queue.json"))
    for asked, fault in (("repository_fault, repo)", "label repo,"), ("faults, repository)", "no metric")):
        changed = queue.content.replace(b"repository_fault, repository)", asked.encode())
        (said,) = metric_faults(deployment, [replace(queue, content=changed)])
        assert said.startswith("grafana/dashboards/farm-queue.json: variable repository: ")
        assert fault in said


def test_neither_a_plugin_nor_the_farm_speaks_of_metrics_of_another_plugin() -> None:
    page = Dashboard(name="other", title="Other", panels=(Panel(title="Hits", queries={"": "mirror_requests_total"}),))
    deployment = deployed(mirror=Fragment(metrics=MIRROR), other=Fragment(dashboards=(page,)))
    ours = rules("rate(mirror_requests_total[5m]) > 5")
    said = list(metric_faults(deployment, [*dashboard_outputs(deployment), ours]))
    assert [fault.split(" (")[0] for fault in said] == [
        "grafana/dashboards/plugin-other.json: panel 'Hits': there is no metric mirror_requests_total",
        "prometheus/rules/farm.yml: alert Late: there is no metric mirror_requests_total",
    ]


def test_rules_are_read_as_well_and_so_are_their_texts() -> None:
    deployment = deployed(mirror=Fragment(metrics=MIRROR))
    own = "prometheus/rules/plugin-mirror.yml"
    good = rules("sum by (code) (mirror_requests_total)", path=own, summary="Many {{ $labels.code }}.")
    assert list(metric_faults(deployment, [good])) == []
    bad = rules("sum by (code) (mirror_requests_total)", path=own, summary="At {{ $labels.instance }}.")
    (said,) = metric_faults(deployment, [bad])
    assert said == f"{own}: alert Late: its text has the label instance, which its series do not have"


def test_what_a_plugin_says_of_its_requests_is_held_against_its_metrics() -> None:
    requests = Requests(total="mirror_requests", errors='codes=~"5.."', duration="mirror_time")
    deployment = deployed(mirror=Fragment(metrics=MIRROR, requests=requests))
    said = " ".join(metric_faults(deployment, dashboard_outputs(deployment)))
    assert "mirror_requests_total has no label codes (did you mean code?)" in said
    assert "there is no metric mirror_time_bucket" in said
    assert "there is no metric mirror_requests" not in said
