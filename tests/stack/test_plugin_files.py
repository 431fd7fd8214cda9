"""Files of plugins: what reads them can read them, although their first line says where they are from."""

from __future__ import annotations

import json

import pytest

from ci_toolkit.errors import ConfigError, PluginError
from ci_toolkit.stack.output import Origin, origin_of
from ci_toolkit.stack.plugin_files import plugin_outputs
from ci_toolkit.stack_fragments.spec import Fragment, Template
from tests.support.stacks import STACK, deployed


def filled(path: str, text: str, options: str = "") -> bytes:
    """The file that a template becomes."""
    template = Fragment(templates=(Template(path=path, text=text),))
    [output] = plugin_outputs(deployed(f"{STACK}[plugins.hello]\n{options}", hello=template))
    return output.content


def test_a_template_of_json_stays_json_whatever_is_filled_in() -> None:
    content = filled("a.json", '{"level": "${LEVEL}", "n": 1}', 'LEVEL = "high"\n')
    assert list(json.loads(content).items())[1:] == [("level", "high"), ("n", 1)]
    assert origin_of(content) is Origin.GENERATED
    with pytest.raises(PluginError, match=r"hello from hello-plugin 1\.0: template a\.json is no JSON"):
        filled("a.json", '{"level": "${LEVEL}"}', """LEVEL = 'a"b'\n""")
    with pytest.raises(PluginError, match="holds no JSON object"):
        filled("a.json", "[1]")


def test_a_value_is_not_filled_in_again() -> None:
    assert b"\na=${LEVEL} $5\n" in filled("a.conf", "a=${LEVEL}\n", "LEVEL = '${LEVEL} $5'\n")
    with pytest.raises(ConfigError, match=r"plugins\.hello\.COMPOSE_FILE is missing"):
        filled("a.conf", "a=${COMPOSE_FILE}\n")
