"""The units of a farm without containers: closed as far as builds allow, and no value of a plugin begins a line."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, PluginError
from ci_toolkit.stack.deployment import PORTS
from ci_toolkit.stack.rendering import rendered as everything
from ci_toolkit.stack.units.credentials import credential_path
from ci_toolkit.stack.units.unit_text import variable, word
from ci_toolkit.stack.units.units import role_sql, systemd_outputs
from ci_toolkit.stack.validating.names import name_faults
from ci_toolkit.stack_fragments.spec import Fragment, Mount, Secret, SeedTable, Service
from tests.support.postgres import Postgres, running_postgres
from tests.support.stacks import FARM, STACK, deployed, deployed_with

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMD = f'run_by = "systemd"\nfarm = "/var/lib/ci-toolkit-farm"\n{STACK}'
USUAL = SYSTEMD.replace('"worker-one"', '"/var/lib/ci-toolkit-worker/one"')
# With one of these bubblewrap makes no namespace, or no /proc in it, or packages may not hold what they hold.
FORBIDDEN = (
    *("PrivateDevices", "PrivateUsers", "ProcSubset", "ProtectKernelLogs", "ProtectKernelTunables", "ProtectProc"),
    *("RestrictNamespaces", "RestrictSUIDSGID", "SystemCallFilter"),
)


def rendered(stack: str = SYSTEMD, farm: str = FARM, **plugins: Fragment) -> dict[str, str]:
    outputs = systemd_outputs(deployed(stack, farm=farm, **plugins))
    return {output.path: output.content.decode() for output in outputs}


def logical(unit: str) -> list[str]:
    """Its lines as systemd has them: without comments, and continued ones as one."""
    kept = "\n".join(line for line in unit.splitlines() if not line.startswith(("#", ";")))
    return [line for line in kept.replace("\\\n", " ").splitlines() if line]


def plugin(value: str) -> Fragment:
    """A plugin that has a value wherever it may have one of its own."""
    service = Service(
        name="hello",
        image="hello:1",
        command=("run", value),
        environment={"VALUE": value},
        health=("check", value),
        secrets=(Secret(name="hello-key", owner=7),),
        mounts=(Mount(source="hello-data", target="/data"), Mount(source="./hello.ini", target="/hello.ini")),
        port=8080,
        uses=("hello",),
        after=("postgres",),
    )
    sidecar = Service(name="hello-side", dockerfile="FROM scratch", beside="hello", port=8081)
    seed = SeedTable(name="rows", columns={"a": "text"}, rows=())
    return Fragment(services=(service, sidecar), internal="hello", needs_redis=True, seeds=(seed,))


def test_containers_have_no_units() -> None:
    assert rendered(STACK) == {}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize(("unit", "most"), [("farm-master", 20), ("farm-worker@", 60), ("stack-database", 15)])
def test_units_stay_as_closed_as_they_are(tmp_path: Path, unit: str, most: int) -> None:
    path = tmp_path / f"ci-toolkit-{unit}.service"
    path.write_text(rendered()[f"systemd/{path.name}"])
    argv = ("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={most}", path)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_worker_is_not_so_closed_that_it_cannot_build() -> None:
    text = rendered()["systemd/ci-toolkit-farm-worker@.service"]
    assert not re.findall(rf"^(?:{'|'.join(FORBIDDEN)})=", text, re.MULTILINE)


@pytest.mark.parametrize(
    "value",
    [
        "a\nExecStartPre=/bin/id",
        "a\n[Service]\nUser=root",
        'a" "b',
        "a\\",
        "a\\\nUser=root",
        "\r\nUser=root",
        "\x00\x0b\x0c\x1c\x85\u2028User=root",
        "; /bin/id",
        "#",
        "%h%n",
        "$HOME ${HOME}",
        "'",
        "\udc80",
    ],
)
def test_no_value_of_a_plugin_is_more_than_a_word(value: str) -> None:
    harmless, hostile = rendered(hello=plugin("x")), rendered(hello=plugin(value))
    assert list(harmless) == list(hostile)
    for path, text in hostile.items():
        shown = [line.partition("=")[0] for line in logical(text)]
        assert shown == [line.partition("=")[0] for line in logical(harmless[path])]
    start = next(
        line for line in logical(hostile["systemd/ci-toolkit-farm-hello.service"]) if line.startswith("ExecStart=")
    )
    # Outside of quotes there are plain words alone.
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", start)
    assert re.fullmatch(r"ExecStart=[A-Za-z0-9_./:@=,+ -]+", outside)
    assert not re.search(r"(?<!%)(?:%%)*%(?!%)", start)
    assert not re.search(r"(?<!\$)(?:\$\$)*\$(?!\$)", start)


@pytest.mark.parametrize(
    "service",
    [
        Service(name="hello\nUser=root", image="hello:1"),
        Service(name="hello b", image="hello:1"),
        Service(name="hello", image="hello:1", after=("b\nUser=root",)),
        Service(name="hello", image="hello:1", beside="%n"),
    ],
)
def test_no_name_of_a_service_is_more_than_one(service: Service) -> None:
    with pytest.raises(PluginError):
        rendered(hello=Fragment(services=(service,)))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("--name=a", "--name=a"),
        ("", '""'),
        ("a b", '"a b"'),
        ('a"\\', '"a\\"\\\\"'),
        ("50% of $x", '"50%% of $$x"'),
        ("a\nb", '"a\\x0ab"'),
        ("ä\u2028", '"ä\\xe2\\x80\\xa8"'),
    ],
)
def test_a_word_is_written_as_systemd_reads_it(text: str, written: str) -> None:
    assert word(text) == written


def test_a_variable_may_have_a_dollar_and_no_specifier() -> None:
    assert variable("A", "$x %h") == '"A=$x %%h"'


def test_a_sidecar_of_the_master_is_found_by_the_masters_name_as_in_containers() -> None:
    side = Service(name="seal", image="seal:1", beside="master", port=8090, health=("true",))
    asks = Service(name="hello", image="hello:1", health=("true",), uses=("seal",))
    files = rendered(seal=Fragment(services=(side,), internal="seal"), hello=Fragment(services=(asks,)))
    start = files["systemd/ci-toolkit-farm-hello.service"].split()
    assert "--env=PLUGIN_SEAL_INTERNAL_URL=http://master:8090" in start
    assert "--add-host=master:10.0.2.2" in start


def test_a_plugins_service_is_confined_and_reached_on_loopback_alone() -> None:
    files = rendered(hello=plugin("x"))
    start = files["systemd/ci-toolkit-farm-hello.service"].split()
    assert {"--read-only", "--cap-drop=all", "--memory=256m", "--cpus=1.0"} <= set(start)
    published = [one for one in start if one.startswith("--publish=")]
    assert published == ["--publish=127.0.0.1:8080:8080", "--publish=127.0.0.1:8081:8081"]
    # By the names that it finds others by in containers, too.
    assert "--env=PLUGIN_HELLO_INTERNAL_URL=http://hello:8080" in start
    assert "--add-host=redis:10.0.2.2" in start
    assert "--volume=/etc/ci-toolkit/stack/secrets/hello-key:/run/secrets/hello-key:ro" in start
    side = files["systemd/ci-toolkit-farm-hello-side.service"].split()
    assert "--network=container:ci-toolkit-farm-hello" in side
    assert [one for one in side if one.startswith(("--publish", "--add-host"))] == []
    assert "Environment=PLUGIN_HELLO_INTERNAL_URL=http://127.0.0.1:8080" in logical(
        files["systemd/ci-toolkit-farm-master.service"]
    )


@pytest.mark.parametrize(
    ("words", "written"),
    [(("wget", "-q", "http://x"), r'["wget", "-q", "http://x"]'), (("/healthy",), "CMD /healthy")],
)
def test_a_service_is_asked_for_its_health_without_a_shell(words: tuple[str, ...], written: str) -> None:
    fragment = Fragment(services=(Service(name="hello", image="hello:1", health=words),))
    text = rendered(hello=fragment)["systemd/ci-toolkit-farm-hello.service"]
    assert word(f"--health-cmd={written}") in text
    assert "--health-on-failure=kill" in text


def test_what_stack_toml_says_of_a_service_is_what_it_may_use() -> None:
    limits = '[limits.hello]\nmemory = "2g"\n[limits.prometheus]\nmemory = "700m"\ncpus = 0.25\n'
    files = rendered(SYSTEMD + limits, hello=plugin("x"))
    assert "--memory=2g" in files["systemd/ci-toolkit-farm-hello.service"].split()
    prometheus = logical(files["systemd/prometheus.service.d/ci-toolkit-stack.conf"])
    assert {"MemoryMax=700M", "CPUQuota=25%"} <= set(prometheus)


def test_without_plugins_there_is_nothing_of_theirs() -> None:
    files = rendered(USUAL)
    assert set(files) == {
        "postgres/role.sql",
        "systemd/ci-toolkit-farm-master.service",
        "systemd/ci-toolkit-farm-worker@.service",
        "systemd/ci-toolkit-stack-database.service",
        "systemd/ci-toolkit-stack.target",
        *(
            f"systemd/{unit}.service.d/ci-toolkit-stack.conf"
            for unit in ("grafana-server", "loki", "nginx", "prometheus", "prometheus-alertmanager", "promtail")
        ),
    }
    assert "podman" not in "".join(files.values()).replace("podman maps", "")
    assert "redis" not in "".join(files.values())


def test_the_target_wants_every_unit_that_there_is() -> None:
    files = rendered(hello=plugin("x"))
    wanted = {line.removeprefix("Wants=") for line in logical(files["systemd/ci-toolkit-stack.target"])}
    units = {path.split("/")[1].removesuffix(".d") for path in files if path.startswith("systemd/")}
    assert units - wanted == {"ci-toolkit-stack.target", "ci-toolkit-farm-worker@.service"}


def test_every_unit_is_handed_its_own_secrets_where_it_looks_for_them() -> None:
    stack = SYSTEMD + '[prometheus]\ntoken = true\n[alerts.telegram]\nchat = 7\n[loki]\nstorage = "s3"\n'
    stack += '[loki.s3]\nendpoint = "https://s3.example.org"\nbucket = "logs"\n'
    handed = {}
    for path, text in rendered(stack, hello=plugin("x")).items():
        for line in logical(text):
            if line.startswith("LoadCredential="):
                name, _, source = line.removeprefix("LoadCredential=").partition(":")
                assert source == f"/etc/ci-toolkit/stack/secrets/{name}"
                handed[name] = path.split("/")[1].removesuffix(".d")
    assert handed == {name: credential_path(name).split("/")[3] for name in handed}
    assert set(handed) == {
        *("database-password", "database-url", "farm-token", "grafana-password", "redis-password"),
        *("hello-database-password", "s3-credentials", "telegram-token"),
    }


@pytest.mark.parametrize(
    ("stack", "lines"),
    [
        (SYSTEMD, ["StateDirectory=ci-toolkit-farm", "WorkingDirectory=/var/lib/ci-toolkit-farm"]),
        (
            SYSTEMD.replace("/var/lib/ci-toolkit-farm", "here"),
            ["ReadWritePaths=/etc/ci-toolkit/stack/here", "WorkingDirectory=/etc/ci-toolkit/stack/here"],
        ),
    ],
)
def test_a_master_may_write_into_its_folder_and_what_it_publishes(stack: str, lines: list[str]) -> None:
    unit = logical(rendered(stack)["systemd/ci-toolkit-farm-master.service"])
    assert {*lines, "ReadWritePaths=-/srv/repositories"} <= set(unit)


def test_a_worker_elsewhere_is_run_there() -> None:
    path = "systemd/ci-toolkit-farm-worker@one.service.d/ci-toolkit-stack.conf"
    assert path not in rendered(USUAL)
    text = rendered(SYSTEMD.replace("worker-one", "/srv/one"))[path]
    assert {"ReadWritePaths=/srv/one", "ExecStart="} <= set(logical(text))
    assert "farm worker run /srv/one\n" in text


@pytest.mark.parametrize("publish", ["/srv/a b", "/srv/%h", "/srv/../etc/x"])
def test_a_folder_that_a_unit_cannot_name_is_said_with_its_key(publish: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rendered(farm=FARM.replace("/srv/repositories/mine", publish))
    assert (caught.value.file, caught.value.key) == ("farm.toml", "repositories.mine.publish")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    # Not among pytest's folders: the server runs as a user that may not look into these.
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        with running_postgres(Path(place) / "postgres") as server:
            yield server


def test_the_role_is_made_once_and_has_the_password_of_its_file(postgres: Postgres, tmp_path: Path) -> None:
    def psql(user: str, sql: str) -> tuple[int, str]:
        argv = ("psql", "-X", "-q", "-t", "-A", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", user, "postgres")
        done = subprocess.run(argv, input=sql, capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    # The one that this server was made with has the name that is wanted.
    assert psql("farm", "CREATE ROLE boss SUPERUSER LOGIN") == (0, "")
    assert psql("boss", "ALTER ROLE farm RENAME TO other") == (0, "")
    secret = tmp_path / "password"
    sql = role_sql().replace(credential_path("database-password"), str(secret))
    assert sql != role_sql()
    status, said = psql("boss", sql)
    assert status != 0
    assert "secrets/database-password is missing or empty" in said
    for password in ("it's \\ :one", "another"):
        secret.write_text(f"{password}\n")
        assert psql("boss", sql) == (0, "")
        stored = psql("boss", "SELECT rolpassword FROM pg_authid WHERE rolname = 'farm'")[1].strip()
        assert _is_password(password, stored)
    owner = psql("boss", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'farm'")
    assert owner == (0, "farm\n")
    assert psql("boss", "SELECT rolsuper FROM pg_roles WHERE rolname = 'farm'") == (0, "f\n")


def _is_password(password: str, stored: str) -> bool:
    """Whether a server that keeps that lets somebody in with the password (RFC 5802)."""
    _, iterations, salt, stored_key = re.split(r"[$:]", stored)[:4]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return base64.b64encode(key).decode() == stored_key


def test_a_port_of_the_file_holds_for_who_listens_and_for_who_goes_there() -> None:
    ports = {
        "postgres": 15432,
        "redis": 16379,
        "prometheus": 19090,
        "alertmanager": 19093,
        "loki": 13100,
        "promtail": 19080,
        "grafana": 13000,
    }
    stack = f"{SYSTEMD}[ports]\n" + "".join(f"{name} = {port}\n" for name, port in ports.items())
    listening = {
        "postgres": ("systemd/ci-toolkit-stack-database.service", "--port=15432"),
        "redis": ("systemd/redis-server.service.d/ci-toolkit-stack.conf", "echo port 16379"),
        "prometheus": ("systemd/prometheus.service.d/ci-toolkit-stack.conf", "--web.listen-address=127.0.0.1:19090"),
        "alertmanager": (
            "systemd/prometheus-alertmanager.service.d/ci-toolkit-stack.conf",
            "--web.listen-address=127.0.0.1:19093",
        ),
        "loki": ("loki/loki.yml", "http_listen_port: 13100"),
        "promtail": ("promtail/promtail.yml", "http_listen_port: 19080"),
        "grafana": ("systemd/grafana-server.service.d/ci-toolkit-stack.conf", "GF_SERVER_HTTP_PORT=13000"),
    }
    plugins = {"hello": Fragment(services=(Service(name="hello", image="h:1", health=("a",)),), needs_redis=True)}
    files = {output.path: output.content.decode() for output in everything(deployed_with(plugins, stack=stack))}
    for name, (path, said) in listening.items():
        assert said in files[path], name
    usual = "|".join(str(port) for port in PORTS.values())
    for path, content in files.items():
        assert not re.search(rf"127\.0\.0\.1:({usual})\b", content), path


def test_a_certificate_of_workers_may_lie_anywhere() -> None:
    stack = f'{SYSTEMD}[prometheus]\nworkers_ca = "/etc/ssl/ca.pem"\n'
    files = {output.path: output.content.decode() for output in everything(deployed(stack))}
    assert "ca_file: /etc/ssl/ca.pem\n" in files["prometheus/prometheus.yml"]


def test_the_port_that_loki_has_besides_is_nobody_elses() -> None:
    service = Service(name="hello", image="h:1", health=("a",), port=9095)
    deployment = deployed(SYSTEMD, hello=Fragment(services=(service,)))
    [fault] = name_faults(deployment, everything(deployment))
    assert fault == "port of this machine 9095 is there 2 times: loki, plugin hello: hello"


def test_redis_keeps_what_it_has_taken_as_it_does_in_containers() -> None:
    plugin = Fragment(services=(Service(name="hello", image="h:1", health=("a",)),), needs_redis=True)
    assert "echo appendonly yes" in rendered(hello=plugin)["systemd/redis-server.service.d/ci-toolkit-stack.conf"]
