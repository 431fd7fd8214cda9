"""The examples of docs/stack.md: `python -m tests.docs.render_examples` writes anew what their stack.toml is rendered to.

They have no version of ci-toolkit in them and no plugin, so that they change with what is rendered alone. Dashboards,
which are the same with and without containers, lie there once.
"""

from __future__ import annotations

from pathlib import Path

from ci_toolkit.formats.farm_layout import farm_layout, parse_farm_table
from ci_toolkit.stack.deployment import Deployment
from ci_toolkit.stack.rendering import rendered
from ci_toolkit.stack.stack_file import parse_stack

COMMAND = "python -m tests.docs.render_examples"
TOP = Path(__file__).parents[2] / "docs/stack"
FARM_FILE = TOP / "compose/master/farm.toml"
EXAMPLES = ("compose", "systemd")
DASHBOARDS = "grafana/dashboards/"


def main() -> None:
    """Write all files, and remove those that are rendered no longer."""
    for name in EXAMPLES:
        expected, there = example(name), committed(name)
        for path in there.keys() - expected.keys():
            (TOP / name / path).unlink()
        for path, content in expected.items():
            (TOP / name / path).parent.mkdir(parents=True, exist_ok=True)
            (TOP / name / path).write_bytes(content)


def deployment_of(name: str) -> Deployment:
    """What one example describes; both are about the same farm."""
    farm = farm_layout(parse_farm_table(FARM_FILE.read_bytes(), file=str(FARM_FILE)))
    stack = parse_stack((TOP / name / "stack.toml").read_bytes())
    deployment = Deployment(stack=stack, farm=farm, bundles=(), version="")
    deployment.check()
    return deployment


def example(name: str) -> dict[str, bytes]:
    """What one is rendered to, by path; of the second one without dashboards."""
    outputs = {output.path: output.content for output in rendered(deployment_of(name))}
    left_out = DASHBOARDS if name != EXAMPLES[0] else "nothing/"
    return {path: content for path, content in outputs.items() if not path.startswith(left_out)}


def committed(name: str) -> dict[str, bytes]:
    """What lies there beside the files that people write, and those that a rendering in place makes."""
    folder = TOP / name
    by_people = {folder / "stack.toml", FARM_FILE}
    by_place = {folder / ".stack.json", folder / ".stack.lock", *folder.glob("secrets/*")}
    paths = {path for path in folder.rglob("*") if path.is_file()} - by_people - by_place
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


if __name__ == "__main__":
    main()
