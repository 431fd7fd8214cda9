"""A plugin that breaks its contract is refused with its name, whatever it gives, and never ends in a traceback."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit import plugins
from ci_toolkit.model.metric import Metric
from ci_toolkit.stack_fragments.spec import (
    Alert,
    Dashboard,
    Fragment,
    Mount,
    Panel,
    Requests,
    SeedTable,
    Service,
    Template,
)
from tests.support.stack_folders import files_below, stack_folder, toolkit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_GOOD = Service(name="hostile", image="example.org/x:1.0", port=80, health=("true",))


class HostilePlugin:
    """Does what the test of the moment has it do."""

    name = "hostile"
    answer: Callable[[Any], Any]

    def fragment(self, setting: Any) -> Any:
        return type(self).answer(setting)


class Text(str):
    """Harmless when it is looked at for the first time."""

    __slots__ = ()

    def __str__(self) -> str:
        return "harmless"


class Lying(Mapping[str, str]):
    """Never the same twice."""

    def __getitem__(self, key: str) -> str:
        raise LookupError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("A",))

    def __len__(self) -> int:
        return 0


class MuteError(Exception):
    """Cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], Any]], tuple[int, str]]:
    entry = EntryPoint("hostile", "tests.stack.test_asking_plugins:HostilePlugin", "ci_toolkit.stack_fragments")
    monkeypatch.setattr(plugins, "_installed", lambda: (entry,))
    monkeypatch.setattr("ci_toolkit.stack.validating.all_checks._BY_PROGRAMS", ())
    top = stack_folder(tmp_path)

    def rendering(answer: Callable[[Any], Any]) -> tuple[int, str]:
        monkeypatch.setattr(HostilePlugin, "answer", staticmethod(answer), raising=False)
        status, said = toolkit(top, "render")
        if status:
            assert "docker-compose.yml" not in files_below(top)
        return status, said

    return rendering


def _raise(error: BaseException) -> Any:
    raise error


_ROWS = SeedTable(name="t", columns={"a": "text"}, rows=(("x",),))
_ALERT = Alert(name="A", expr="up", severity="info", summary="s")
_PANEL = Panel(title="t", queries={"a": "up"})


# What a type checker would not let a plugin do is what is done here.
_changed: Any = replace
_fragment: Any = Fragment
_mount: Any = Mount
_metric: Any = Metric
_requests: Any = Requests


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: _raise(ValueError("one\ntwo")), "failed: ValueError: one two"),
        (lambda _: _raise(MuteError()), "failed: MuteError\n"),
        (lambda _: sys.exit(0), "failed: SystemExit: 0"),
        (lambda _: HostilePlugin().fragment(_), "failed: RecursionError"),
        (lambda _: {"services": ()}, "what it gives is of type dict, and has to be Fragment"),
        (lambda _: object.__new__(Fragment), "failed: AttributeError"),
        (lambda _: _fragment(services=None), "services is of type NoneType, and has to be tuple"),
        (lambda _: _fragment(services=[_GOOD]), "services is of type list, and has to be tuple"),
        (lambda _: _fragment(services=(one for one in [_GOOD])), "services is of type generator, and has to be tuple"),
        (lambda _: _fragment(services=("hostile",)), "services[0] is of type str, and has to be Service"),
        (lambda _: _fragment(services=(_GOOD,) * 10_000), "services has 10000 entries, and may have 1000"),
        (lambda _: _fragment(internal=None), "internal is of type NoneType, and has to be str"),
        (lambda _: _fragment(needs_redis="no"), "needs_redis is of type str, and has to be bool"),
        (lambda _: _fragment(requests=("a", "b")), "requests is of type tuple, and has to be Requests or None"),
        (lambda _: _fragment(requests=_requests(total=1, errors="", duration="")), "requests.total is of type int"),
        (lambda _: _with(name=Text("hostile")), "services[0].name is of type Text, and has to be str"),
        (lambda _: _with(port="80"), "services[0].port is of type str, and has to be int or None"),
        (lambda _: _with(port=True), "services[0].port is of type bool"),
        (lambda _: _with(cpus=float("nan")), "services[0].cpus is larger than any number may be"),
        (lambda _: _with(command="serve"), "services[0].command is of type str, and has to be tuple"),
        (lambda _: _with(command=("serve", 3)), "services[0].command[1] is of type int"),
        (lambda _: _with(environment=None), "services[0].environment is of type NoneType, and has to be Mapping"),
        (lambda _: _with(environment={"A": 3}), "services[0].environment['A'] is of type int, and has to be str"),
        (lambda _: _with(environment=Lying()), "failed: LookupError: A"),
        (
            lambda _: _with(mounts=(_mount(source=None, target="/x"),)),
            "services[0].mounts[0].source is of type NoneType",
        ),
        (lambda _: _with(command=("a" * 2_000_000,)), "services[0].command[0] has 2000000 characters"),
        (lambda _: _template("\ud800"), "templates[0].text has a NUL in it, or half of a character"),
        (lambda _: _template("a\0"), "templates[0].text has a NUL in it"),
        (lambda _: _fragment(seeds=(_changed(_ROWS, rows=((10**5000,),)),)), "rows[0][0] is larger than any number"),
        (lambda _: _fragment(seeds=(_changed(_ROWS, rows=((b"x",),)),)), "rows[0][0] is of type bytes"),
        (
            lambda _: _fragment(alerts=(_changed(_ALERT, severity="fatal"),)),
            "severity cannot be 'fatal' (critical, warning, info)",
        ),
        (
            lambda _: _fragment(
                dashboards=(Dashboard(name="hostile", title="t", panels=(_changed(_PANEL, shown_as="pie"),)),)
            ),
            "dashboards[0].panels[0].shown_as cannot be 'pie' (timeseries, stat, table, bargauge",
        ),
        (lambda _: _fragment(metrics=(_metric(name="a", kind="sum", meaning=""),)), "metrics[0].kind cannot be 'sum'"),
        (lambda _: _with(name="host\x1b[31mile\nprivileged: true"), r"service host\x1b[31mile\nprivileged: true: its"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_the_plugins_name(
    render: Callable[..., tuple[int, str]], answer: Callable[[Any], Any], said: str
) -> None:
    status, told = render(answer)
    assert "stack_fragments: hostile from" in told
    assert said in told
    assert told.count("\n") == 1
    assert status == 15


def _with(**changes: Any) -> Fragment:
    return Fragment(services=(replace(_GOOD, **changes),))


def _template(text: str) -> Fragment:
    return Fragment(templates=(Template(path="a.conf", text=text),))


def test_an_answer_that_is_another_one_each_time_is_refused(render: Callable[..., tuple[int, str]]) -> None:
    numbers = itertools.count(1)
    status, told = render(lambda _: _with(port=next(numbers)))
    assert (status, "gives another fragment each time it is asked" in told) == (15, True)
    orders = itertools.cycle((("A", "B"), ("B", "A")))
    status, told = render(lambda _: _with(environment=dict.fromkeys(next(orders), "")))
    assert (status, "gives another fragment each time it is asked" in told) == (15, True)


def test_what_fits_is_taken_as_it_is(render: Callable[..., tuple[int, str]]) -> None:
    table = SeedTable(name="t", columns={"a": "numeric", "b": "text"}, rows=((1, None), (2.5, "x")))
    assert render(lambda _: Fragment(services=(_GOOD,), seeds=(table,)))[0] == 0
