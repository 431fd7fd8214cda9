"""The configuration as text, JSON, a JSON schema for editors, and the reference page of the documentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ci_toolkit.model.config_keys import PACKAGE_KEYS, REPOSITORY_KEYS, Key, Shape
from ci_toolkit.model.finding import Severity
from ci_toolkit.review.assessing import OWN_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.config_values import ConfigValue

_SCHEMAS: Mapping[Shape, Mapping[str, Any]] = {
    Shape.BOOLEAN: {"enum": ["true", "false"]},
    Shape.COUNT: {"pattern": "^[0-9]{1,9}$"},
    Shape.BUILDER: {"pattern": "^([1-9][0-9]*|[A-Za-z0-9][A-Za-z0-9_.-]*)$"},
    Shape.REPOSITORY: {"pattern": "^[a-z0-9_+][a-z0-9_.+-]*$"},
    Shape.PATTERN: {"format": "regex"},
}


def values_text(values: Iterable[ConfigValue]) -> str:
    """A line a key: `KEY=value`, and where that comes from."""
    rows = [(f"{value.key.name}={value.text or ''}", value.origin) for value in values]
    width = min(60, max(len(assignment) for assignment, _ in rows))
    return "".join(f"{assignment:<{width}}  # {origin}\n" for assignment, origin in rows)


def values_json(values: Iterable[ConfigValue]) -> str:
    """The same for machines."""
    rows = {value.key.name: {"value": value.text, "origin": value.origin} for value in values}
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def explained(value: ConfigValue) -> str:
    """All there is to say of one key."""
    default = "nothing" if value.key.default is None else value.key.default
    lines = [
        f"{value.key.name}: {value.key.meaning}",
        f"  form       {value.key.shape.value}",
        f"  default    {default}",
        f"  value      {value.text if value.text is not None else 'nothing'}",
        f"  from       {value.origin}",
    ]
    if value.hidden:
        lines.append(f"  overrides  {value.hidden}")
    return "\n".join(lines) + "\n"


def schema_json() -> str:
    """A JSON schema of the three files; unknown keys of the first two belong to other tools and are allowed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of a package repository",
        "$defs": {"package": _schema(PACKAGE_KEYS), "repository": _schema(REPOSITORY_KEYS), "review": _rules_schema()},
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("package", "repository", "review")],
    }
    return json.dumps(schema, indent=2) + "\n"


def reference_page() -> str:
    """`docs/configuration.md`."""
    return "\n".join(
        [
            "# Configuration",
            "",
            "One `KEY=value` a line; `#` starts a comment at the start of a line only. This page is made from the",
            "program's own tables by `ci-toolkit config reference`.",
            "",
            "## `.CI/config`, of one package",
            "",
            *_table(PACKAGE_KEYS),
            "",
            "## `.ci/config`, of the whole repository",
            "",
            "A variable of the same name in the environment wins over the file.",
            "",
            *_table(REPOSITORY_KEYS),
            "",
            "## `.ci/review.toml`: rules of reviews",
            "",
            "    [severity]",
            f'    depends-changed = "high"    # {", ".join(severity.word for severity in Severity)}',
            "",
            "    [official-dependency]       # changes of dependencies on these repositories' packages are minor",
            "    enabled = true",
            '    repositories = ["core", "extra"]',
            "",
            "`minor` switches a rule off; a rule that is marked can only be made worse. The file is read from the",
            "default branch alone. Rules may say of one place that it is worse or better than usual.",
            "",
            *_rules_table(),
            "",
        ]
    )


def _rules_table() -> list[str]:
    rows = []
    for rule in sorted(OWN_RULES, key=lambda rule: (-rule.severity, rule.id)):
        meaning = f"{rule.meaning[:1].upper()}{rule.meaning[1:].rstrip('.')}"
        rows.append(f"| `{rule.id}` | {rule.severity.word}{' (fixed)' if rule.fixed else ''} | {meaning} |")
    return ["| rule | severity | what it says |", "| --- | --- | --- |", *rows]


def _rules_schema() -> dict[str, Any]:
    words = {"enum": [severity.word for severity in Severity]}
    rules = {rule.id: {"description": rule.meaning, **words} for rule in OWN_RULES}
    official = {"enabled": {"type": "boolean"}, "repositories": {"type": "array", "items": {"type": "string"}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "severity": {"type": "object", "properties": rules, "additionalProperties": words},
            "official-dependency": {"type": "object", "properties": official, "additionalProperties": False},
        },
    }


def _schema(keys: Mapping[str, Key]) -> dict[str, Any]:
    properties = {}
    for name, key in keys.items():
        properties[name] = {"type": "string", "description": key.meaning, **_SCHEMAS.get(key.shape, {})}
        if key.default is not None:
            properties[name]["default"] = key.default
    return {"type": "object", "properties": properties}


def _table(keys: Mapping[str, Key]) -> list[str]:
    rows = [
        f"| `{key.name}` | {key.meaning} | {key.shape.value} | {f'`{key.default}`' if key.default else ''} |"
        for key in keys.values()
    ]
    return ["| key | meaning | form | default |", "| --- | --- | --- | --- |", *rows]
