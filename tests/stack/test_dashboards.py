"""Dashboards: what Grafana is given can be shown, and answers what a person wants to know."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest
import yaml

from ci_toolkit.farm.web.routes import PAGE_ROUTES
from ci_toolkit.model.job import JobState
from ci_toolkit.model.metric import Metric
from ci_toolkit.model.worker import WorkerState
from ci_toolkit.stack.dashboards.grafana import grafana_outputs
from ci_toolkit.stack.dashboards.pages import dashboard_outputs, dashboard_uid
from ci_toolkit.stack.monitoring.promql import parse_promql, selectors, without_variables
from ci_toolkit.stack.output import json_output
from ci_toolkit.stack.validating.dashboards import dashboard_faults
from ci_toolkit.stack_fragments.spec import Dashboard, Fragment, Panel, Requests
from tests.support.stacks import FARM, deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output

Json = dict[str, Any]
MIRROR = Fragment(
    metrics=(
        Metric(name="mirror_requests", kind="counter", meaning="Requests.", labels=("code",)),
        Metric(name="mirror_seconds", kind="histogram", meaning="Time."),
    ),
    requests=Requests(total="mirror_requests_total", errors='code=~"5.."', duration="mirror_seconds"),
)
QUESTIONS = {
    "ci_toolkit_farm_repository_fault": "farm-queue",
    "ci_toolkit_farm_oldest_job_age_seconds": "farm-queue",
    "ci_toolkit_farm_builds_total": "farm-builds",
    "ci_toolkit_farm_publications_total": "farm-builds",
    "ci_toolkit_farm_build_duration_seconds_bucket": "farm-durations",
    "ci_toolkit_farm_worker_state": "farm-workers",
    "ci_toolkit_worker_disk_free_bytes": "farm-workers",
    "ci_toolkit_farm_upstream_checks_total": "farm-upstreams",
    "ci_toolkit_farm_last_checks_timestamp_seconds": "farm-upstreams",
    "ci_toolkit_farm_open_reviews": "farm-reviews",
    "ci_toolkit_farm_request_duration_seconds_bucket": "farm-api",
    "ci_toolkit_farm_notifications_total": "farm-notifications",
}


def page(name: str, *panels: Panel) -> Dashboard:
    """A dashboard of a plugin."""
    return Dashboard(name=name, title=name.title(), panels=panels or (Panel(title="Up", queries={"up": "up"}),))


def shown(deployment: Deployment) -> dict[str, Json]:
    """The dashboards of a stack by the name of their file."""
    return {output.path.split("/")[-1]: json.loads(output.content) for output in dashboard_outputs(deployment)}


def queries(dashboard: Json, source: str = "prometheus") -> Iterator[str]:
    """The expressions of a dashboard."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == source:
                yield target["expr"]


def faults(deployment: Deployment, *, change: Callable[[Json], object] = lambda _: None) -> list[str]:
    """What is wrong with a stack's dashboards after a change of the first of them."""
    first, *others = dashboard_outputs(deployment)
    changed = json.loads(first.content)
    change(changed)
    outputs: list[Output] = [json_output(first.path, changed), *others, *grafana_outputs(deployment)]
    return list(dashboard_faults(outputs))


def test_grafana_can_show_all_of_them() -> None:
    kinds: tuple[Literal["timeseries", "stat", "table", "bargauge"], ...] = ("timeseries", "stat", "table", "bargauge")
    panels = [Panel(title=kind, queries={"up": "up"}, shown_as=kind) for kind in (*kinds, *reversed(kinds))]
    more = replace(MIRROR, dashboards=(page("mirror-more", *panels), page("mirror-" + "long" * 15)))
    assert faults(deployed(mirror=more, zoo=Fragment(dashboards=(page("zoo"),)))) == []


@pytest.mark.parametrize("metric", QUESTIONS)
def test_each_question_is_answered_on_the_page_that_is_called_so(metric: str) -> None:
    named = {one.name for text in queries(shown(deployed())[f"{QUESTIONS[metric]}.json"])
             for one in selectors(parse_promql(without_variables(text)))}  # fmt: skip
    assert metric in named


def test_the_overview_leads_from_each_number_to_the_page_that_says_more() -> None:
    pages = shown(deployed())
    uids = {dashboard["uid"] for dashboard in pages.values()}
    linked = {link["url"].split("?")[0] for panel in pages["farm.json"]["panels"] for link in panel.get("links", ())}
    assert linked == {f"/d/{uid}" for uid in uids - {"farm", "farm-logs"}}


def test_what_is_chosen_by_a_state_is_one_that_there_is() -> None:
    there = {state.value for state in (*JobState, *WorkerState)} | {"busy", "free"}
    for dashboard in shown(deployed()).values():
        for text in queries(dashboard):
            for one in selectors(parse_promql(without_variables(text))):
                chosen = {
                    name for matcher in one.matchers if matcher.label == "state" for name in matcher.value.split("|")
                }
                assert chosen <= there, text


def test_readers_choose_the_repository_where_a_page_is_by_repository() -> None:
    pages = shown(deployed())
    (variable,) = pages["farm-queue.json"]["templating"]["list"]
    assert variable["name"] == "repository"
    assert pages["farm-api.json"]["templating"]["list"] == []
    own = Panel(title="Mine", queries={"all": 'ci_toolkit_farm_jobs{repository=~"$repository"}'})
    plugin = shown(deployed(zoo=Fragment(dashboards=(page("zoo", own),))))["plugin-zoo.json"]
    assert [one["name"] for one in plugin["templating"]["list"]] == ["repository"]


def test_pages_lead_to_the_farms_own() -> None:
    links = {link["title"]: link["url"] for link in shown(deployed())["farm.json"]["links"]}
    own = {route.rule for route in PAGE_ROUTES}
    assert links["Queue"] == "https://farm.example.org/queue"
    assert {links[title].removeprefix("https://farm.example.org") for title in ("Farm", "Queue", "Workers")} <= own
    assert links["Buildbot"] == "https://farm.example.org/buildbot/"
    plain = FARM.replace('web = "tcp:8020:interface=127.0.0.1"', "")
    assert "Buildbot" not in {link["title"] for link in shown(deployed(farm=plain))["farm.json"]["links"]}


def test_a_plugin_has_pages_for_what_it_says_and_none_else() -> None:
    ours = set(shown(deployed()))
    assert set(shown(deployed(silent=Fragment()))) == ours
    assert set(shown(deployed(mirror=MIRROR))) - ours == {"plugin-mirror.json"}
    both = replace(MIRROR, dashboards=(page("mirror-more"),))
    assert set(shown(deployed(mirror=both))) - ours == {"plugin-mirror.json", "plugin-mirror-more.json"}


def test_requests_of_a_plugin_are_the_top_of_the_page_that_has_its_name() -> None:
    joined = shown(deployed(mirror=replace(MIRROR, dashboards=(page("mirror"),))))["plugin-mirror.json"]
    assert joined["title"] == "Mirror"
    assert [panel["title"] for panel in joined["panels"]] == [
        *("Requests", "Errors", "95 of 100 take less than", "Requests", "Share of errors", "Duration", "Up")
    ]
    rate, share, slow = list(queries(joined))[:3]
    assert rate == "sum(rate(mirror_requests_total[5m]))"
    assert 'mirror_requests_total{code=~"5.."}' in share
    assert slow.startswith("(histogram_quantile(0.95, sum by (le) (rate(mirror_seconds_bucket")


def test_numbers_and_tables_tell_what_is_now_and_graphs_what_was() -> None:
    for dashboard in shown(deployed(mirror=MIRROR)).values():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                if target["datasource"]["type"] == "prometheus":
                    assert target["instant"] is (panel["type"] in ("stat", "table", "bargauge"))


def test_columns_of_a_table_are_called_what_its_queries_are_called() -> None:
    both = Panel(title="Two", queries={"one": "up", "two": "up"}, shown_as="table")
    alone = Panel(title="One", queries={"one": "up"}, shown_as="table")
    panels = shown(deployed(zoo=Fragment(dashboards=(page("zoo", both, alone),))))["plugin-zoo.json"]["panels"]
    names = [panel["transformations"][-1]["options"]["renameByName"] for panel in panels]
    assert names == [{"Value #A": "one", "Value #B": "two"}, {"Value": "one"}]


def test_texts_of_plugins_stay_texts() -> None:
    evil = Panel(title='"}\n</script>', queries={'{{job}}"': 'up{job="\\"}"}'}, description="é\\")
    (panel,) = shown(deployed(zoo=Fragment(dashboards=(page("zoo", evil),))))["plugin-zoo.json"]["panels"]
    assert panel["title"] == evil.title
    assert (panel["targets"][0]["legendFormat"], panel["targets"][0]["expr"]) == next(iter(evil.queries.items()))


def test_nobody_edits_in_the_browser_what_is_rendered_anew() -> None:
    assert not any(dashboard["editable"] for dashboard in shown(deployed(mirror=MIRROR)).values())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_share_of_errors_is_none_while_nothing_has_failed_and_no_number_while_nothing_is_asked(
    tmp_path: Path,
) -> None:
    share = list(queries(shown(deployed(mirror=MIRROR))["plugin-mirror.json"]))[1]
    cases: tuple[tuple[dict[str, str], list[float]], ...] = (
        ({"200": "0+60x20"}, [0]),
        ({"200": "0+60x20", "500": "0+20x20"}, [0.25]),
        ({"200": "60x20", "500": "20x20"}, []),
    )
    tests = [
        {
            "interval": "1m",
            "input_series": [
                {"series": f'mirror_requests_total{{code="{code}"}}', "values": counted}
                for code, counted in series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": share,
                    "eval_time": "10m",
                    "exp_samples": [{"labels": "{}", "value": value} for value in told],
                }
            ],
        }
        for series, told in cases
    ]
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"tests": tests}))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_an_address_is_the_name_or_where_that_is_none_a_part_and_a_digest() -> None:
    assert dashboard_uid("plugin-mirror_2") == "plugin-mirror_2"
    long = dashboard_uid("plugin-" + "a" * 60)
    assert len(long) == 40
    assert long != dashboard_uid("plugin-" + "a" * 61)
    assert dashboard_uid("a.b") != dashboard_uid("a-b")


def move(dashboard: Json) -> None:
    """Put a panel over another one."""
    dashboard["panels"][2]["gridPos"]["x"] = 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (move, "panel 'Repositories that stand' lies over 'Farm'"),
        (lambda d: d["panels"][1]["gridPos"].update(x=-1), "panel 'Farm' is not within the 24 columns"),
        (lambda d: d["panels"][1].update(id=1), "panel 'Farm' has the id 1 of 'Why is nothing being built?'"),
        (lambda d: d["panels"][1].update(targets=[]), "panel 'Farm' asks nothing"),
        (lambda d: d["panels"][1]["targets"][0].update(expr=" "), "panel 'Farm': query A is empty"),
        (
            lambda d: d["panels"][1]["targets"].append(d["panels"][1]["targets"][0]),
            "panel 'Farm' has two queries of one refId",
        ),
        (
            lambda d: d["panels"][1]["datasource"].update(uid="thanos"),
            "panel 'Farm': there is no datasource thanos of type prometheus",
        ),
        (
            lambda d: d["panels"][1]["targets"][0]["datasource"].update(uid="loki"),
            "panel 'Farm': there is no datasource loki of type prometheus",
        ),
        (
            lambda d: d["templating"]["list"][0]["datasource"].update(uid="x"),
            "variable repository: there is no datasource x of type prometheus",
        ),
        (lambda d: d.update(uid="a b"), "uid 'a b' is none that Grafana takes"),
        (
            lambda d: d["panels"][2]["links"][0].update(url="/d/farm-cue"),
            "panel 'Repositories that stand' leads to a dashboard farm-cue, which is not there",
        ),
    ],
)
def test_what_grafana_could_not_show_is_told_with_file_and_panel(change: Callable[[Json], object], fault: str) -> None:
    assert faults(deployed(), change=change) == [f"grafana/dashboards/farm.json: {fault}"]


def test_two_plugins_that_want_one_address_are_told() -> None:
    pair = deployed(a=Fragment(dashboards=(page("a-b"),)), z=Fragment(dashboards=(page("a-b"),)))
    first, second = pair.bundles
    said = faults(replace(pair, bundles=(first, replace(second, name="a-b"))))
    assert said == ["grafana/dashboards/plugin-a-b.json: uid plugin-a-b is that of 'A-B' and of 'A-B'"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    texts = [text for dashboard in shown(deployed(mirror=MIRROR)).values() for text in queries(dashboard)]
    asked = [re.sub(r"\$__\w+", "5m", text) for text in texts]
    rules = [{"record": f"r{number}", "expr": text} for number, text in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(texts)} rules found" in done.stdout
