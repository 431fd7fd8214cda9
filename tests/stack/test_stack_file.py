"""stack.toml: what it may say, and what it is told where it says something else."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.stack.stack_file import parse_stack, schema_text


def test_an_empty_file_is_a_whole_stack() -> None:
    stack = parse_stack(b"")
    assert (stack.farm, stack.run_by, stack.loki.retention_hours) == ("master", "compose", 720)
    assert stack.loki.tenants == ("farm",)
    assert stack.alerts.is_empty
    assert stack.prometheus.scrape_seconds == 30


def test_everything_can_be_said() -> None:
    stack = parse_stack(
        b"""
        farm = "../farm"
        run_by = "systemd"
        [workers.big]
        metrics = "https://big.example.org:9990"
        [loki]
        storage = "s3"
        tenants = ["one", "two"]
        s3 = {endpoint = "https://s3.example.org", bucket = "logs"}
        [alerts]
        telegram = {chat = -100123}
        email = {to = "a@example.org", from = "b@example.org", smarthost = "mail.example.org:587", username = "b"}
        [limits.prometheus]
        memory = "4g"
        [plugins.search]
        SHARDS = 3
        alerts = {webhook = {url = "https://hooks.example.org/x"}}
        """
    )
    assert stack.loki.s3 is not None
    assert (stack.loki.s3.bucket, stack.loki.s3.region) == ("logs", "us-east-1")
    assert stack.alerts.telegram == -100123
    assert stack.plugins == {"search": {"SHARDS": 3}}
    webhook = stack.plugin_targets["search"].webhook
    assert webhook is not None
    assert (webhook.url, webhook.sends_token) == ("https://hooks.example.org/x", False)
    assert stack.limits["prometheus"].memory == "4g"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("farm = 3", "farm: 3 is not of type 'string'"),
        ('farms = "x"', "farms is no key here (did you mean farm?)"),
        ('run_by = "docker"', "run_by cannot be 'docker' (compose, systemd)"),
        (
            '[loki]\nretention = 3\n[workers.a]\nfold = "b"',
            "loki.retention is no key here (did you mean retention_hours?); workers.a.fold",
        ),
        ("[alerts.telegram]", "alerts.telegram.chat is missing"),
        ("[plugins.x.alerts.telegram]", "plugins.x.alerts.telegram.chat is missing"),
        ('[loki]\nstorage = "s3"', "loki.storage wants a table loki.s3"),
        ('[loki.s3]\nendpoint = "https://x"\nbucket = "abc"', 'loki.storage is not "s3"'),
        ('[workers.a]\nfolder = "a"\nmetrics = "http://b:1"', "workers.a is both on this machine and elsewhere"),
        ('name = "x\\n"', "has a control character"),
        ('[plugins.x]\n"a\\u0001b" = 1', "a control character"),
        ('[image]\nname = "evil image"', "image.name cannot be 'evil image'"),
        ('[prometheus]\nreaders = ["0.0.0.0/0; allow all"]', "prometheus.readers.0 cannot be"),
        ('tls = "../../etc;x"', "tls cannot be"),
        ("a = ", "is no TOML"),
        ("[images]\nlokki = 'x:1'", "images"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^stack\.toml: ") as told:
        parse_stack(text.encode())
    assert said in str(told.value)


def test_the_schema_is_one_and_the_guide_describes_every_key() -> None:
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    guide = (Path(__file__).parents[2] / "docs/stack.md").read_text()
    keys = [
        *schema["properties"],
        *(key for described in schema["properties"].values() for key in described.get("properties", {})),
    ]
    assert [key for key in keys if f"`{key}`" not in guide] == []
