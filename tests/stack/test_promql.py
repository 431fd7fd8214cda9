"""PromQL is understood as Prometheus does, as far as metrics and labels go."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import ConfigError
from ci_toolkit.stack.monitoring.promql import Aggregation, Operation, parse_promql, selectors
from ci_toolkit.stack.validating.exposed import Labels
from ci_toolkit.stack.validating.expression_labels import Examination

if TYPE_CHECKING:
    from pathlib import Path

# By expression: its metrics, each with the labels that are matched.
GOOD = {
    "up": [("up", "")],
    "a:b_c:sum{}": [("a:b_c:sum", "")],
    'x{a="b", c!~"}\\"",}': [("x", "a c")],
    "x{a='it''s'}".replace("''", "\\'"): [("x", "a")],
    '{__name__="x", job="j"}': [("x", "job")],
    '{job="j"}': [("", "job")],
    '{__name__=~"x|y"}': [("", "")],
    'x{by="1", on="2", offset="3", sum="4"}': [("x", "by on offset sum")],
    "sum(rate(x[5m]))": [("x", "")],
    "sum by (a, b) (x)": [("x", "")],
    "sum(x) without (a,)": [("x", "")],
    "SUM BY (a) (x)": [("x", "")],
    'topk(3, x{a="1"})': [("x", "a")],
    "quantile(0.9, x)": [("x", "")],
    'count_values("version", x)': [("x", "")],
    "x / on (a) group_left (b) y": [("x", ""), ("y", "")],
    "x * ignoring (a, b) group_right y": [("x", ""), ("y", "")],
    "x and on () y unless z or w": [("x", ""), ("y", ""), ("z", ""), ("w", "")],
    "x > bool 5": [("x", "")],
    "2 ^ 3 ^ -x": [("x", "")],
    "-x + +y": [("x", ""), ("y", "")],
    "1e3 * 0x1F + .5 - Inf + NaN": [],
    "x offset 1h30m": [("x", "")],
    "x offset -5m": [("x", "")],
    "x @ 1609746000": [("x", "")],
    "rate(x[5m] @ end())": [("x", "")],
    "x @ start() offset 5m": [("x", "")],
    "max_over_time(rate(x[5m])[1h:1m])": [("x", "")],
    "max_over_time(x[1h:])": [("x", "")],
    "rate(x[1h30m])": [("x", "")],
    'label_replace(x, "dst", "$1", "src", "(.*)")': [("x", "")],
    "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))": [("x_bucket", "")],
    "time() - x": [("x", "")],
    'absent(x{job="j"})': [("x", "job")],
    "vector(1) # up": [],
    "sum_of_all + rate_x + by_one": [("sum_of_all", ""), ("rate_x", ""), ("by_one", "")],
    "bottomk + offset": [("bottomk", ""), ("offset", "")],
    "x\n  /\ny": [("x", ""), ("y", "")],
}
BAD = [
    *("", "sum(", "x[5m", "x{a}", 'x{a="b" c="d"}', "x{a=b}", "x y", "rte(x[5m])", "x offset", "sum by x", "x + "),
    *("x ? y", '"unclosed', "sum by (a:b) (x)", "rate(x)"),
]


def spoken_of(text: str) -> list[tuple[str, str]]:
    """The metrics of an expression, each with the labels that are matched."""
    return [(one.name, " ".join(matcher.label for matcher in one.matchers)) for one in selectors(parse_promql(text))]


@pytest.mark.parametrize("text", GOOD)
def test_metrics_and_matched_labels_of_an_expression(text: str) -> None:
    assert spoken_of(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no PromQL: "):
        parse_promql(text)


@pytest.mark.parametrize(
    "text", ["(" * 5_000, "abs(" * 300, "x" + " + x" * 5_000, "x" + "^x" * 1_900, "-" * 3_000 + "x"]
)
def test_what_is_too_deep_is_refused_and_does_not_end_the_program(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is longer than|has more than 100 things|is no PromQL"):
        parse_promql(text)


def test_what_is_just_not_too_deep_is_read_and_examined() -> None:
    text = "abs(" * 40 + "x" + " + x" * 50 + ")" * 40
    tree = parse_promql(text)
    assert len(list(selectors(tree))) == 51
    examination = Examination(known={"x": Labels(names=frozenset({"a"}))})
    assert "a" in examination.labels(tree)
    assert examination.faults == []


def test_operators_bind_as_in_prometheus() -> None:
    tree = parse_promql("a or b + c * d ^ e ^ f")
    operators = []
    while isinstance(tree, Operation):
        operators.append(tree.operator)
        tree = tree.right
    assert operators == ["or", "+", "*", "^", "^"]
    minus = parse_promql("a - b - c")
    assert isinstance(minus, Operation)
    assert [one.name for one in selectors(minus.left)] == ["a", "b"]


def test_what_an_aggregation_keeps_is_read_before_and_behind_its_arguments() -> None:
    for text in ("sum by (a, b) (x)", "sum(x) by (a, b)"):
        tree = parse_promql(text)
        assert isinstance(tree, Aggregation)
        assert (tree.operator, tree.clause, tree.labels) == ("sum", "by", ("a", "b"))


def test_matching_is_read_with_what_it_takes_over() -> None:
    tree = parse_promql("x / ignoring (a) group_left (b, c) y")
    assert isinstance(tree, Operation)
    assert (tree.clause, tree.labels, tree.group, tree.included) == ("ignoring", ("a",), "group_left", ("b", "c"))


NAMES = st.sampled_from(["x", "y_total", "sum", "offset", "by", "rate", "job:z:avg", "le"])
Written = tuple[str, tuple[str, ...]]


def _combined(parts: st.SearchStrategy[Written]) -> st.SearchStrategy[Written]:
    functions = st.sampled_from(["abs({})", "sum by (a, le) ({})", "topk(2, {})", "({})", "-({})", "ceil( {} )  # x\n"])
    operators = st.sampled_from(["+", "and on (a)", "/ ignoring (b) group_left (c)", "== bool", "or", "^", "unless"])
    called = st.builds(lambda form, one: (form.format(one[0]), one[1]), functions, parts)
    joined = st.builds(lambda a, op, b: (f"({a[0]}) {op} ({b[0]})", a[1] + b[1]), parts, operators, parts)
    return called | joined


SIMPLE: st.SearchStrategy[Written] = st.builds(
    lambda name, after: (f"{name}{after}", (name,)),
    NAMES,
    st.sampled_from(["", '{a="sum(y)"}', "{}", " offset 5m", " @ 5 ", '{a!~"[\\\\]}]+", b="#"}']),
) | st.just(("vector(2)", ()))


@given(st.recursive(SIMPLE, _combined, max_leaves=12))
def test_whatever_is_built_of_series_speaks_of_these_and_no_others(written: Written) -> None:
    text, names = written
    assert tuple(one.name for one in selectors(parse_promql(text))) == names


def checked(rules: Path, *expressions: str) -> subprocess.CompletedProcess[str]:
    """What promtool says to a file with these expressions."""
    listed = [{"record": f"r{number}", "expr": text} for number, text in enumerate(expressions)]
    rules.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": listed}]}))
    return subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_same_and_refuses_the_same(tmp_path: Path) -> None:
    done = checked(tmp_path / "good.yml", *GOOD)
    assert done.returncode == 0, done.stderr
    for number, text in enumerate(BAD):
        assert checked(tmp_path / f"{number}.yml", text).returncode != 0, text
