"""The rows of a plugin in a real PostgreSQL: made once, kept when they were changed, owned by the plugin's role."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from ci_toolkit.stack.plugin_files import seed_sql
from tests.support.postgres import running_postgres
from tests.support.stack_plugins import LEDGER, PLUGINS
from tests.support.stacks import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    place = Path(tempfile.mkdtemp(prefix="ci-toolkit-postgres-", dir="/var/tmp"))
    place.chmod(0o755)
    try:
        with running_postgres(place / "postgres") as running:
            yield running
    finally:
        shutil.rmtree(place)


def seed(postgres: Postgres, folder: Path, password: str) -> str:
    """Run the file as the compose service does; what psql said."""
    deployment = deployed(ledger=LEDGER)
    (folder / "password").write_text(f"{password}\n")
    text = seed_sql(deployment, deployment.bundles[0])
    text = text.replace("/run/secrets/ledger-database-password", str(folder / "password"))
    (folder / "seed.sql").write_text(text)
    argv = ("psql", "--no-psqlrc", "--quiet", "--host=127.0.0.1", f"--port={postgres.port}", "--username=farm")
    done = subprocess.run(
        (*argv, "postgres", f"--file={folder / 'seed.sql'}"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_rows_are_made_once_and_what_was_changed_stays(postgres: Postgres, tmp_path: Path) -> None:
    assert password_free(seed(postgres, tmp_path, "it's $(secret)"))
    url = postgres.url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT * FROM plugin_ledger.ledger ORDER BY id").fetchall()
        assert [tuple(row[:3]) for row in rows] == [row[:3] for row in sorted(LEDGER.seeds[0].rows)]
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE schemaname = 'plugin_ledger'").fetchone()
        assert owner == ("plugin_ledger",)
        connection.execute("UPDATE plugin_ledger.ledger SET text = 'mine' WHERE id = 'MIT'")
        connection.execute("DELETE FROM plugin_ledger.ledger WHERE id = 'odd'")
    assert password_free(seed(postgres, tmp_path, "another"))
    with psycopg.connect(url) as connection:
        again: dict[str, str] = dict(connection.execute("SELECT id, text FROM plugin_ledger.ledger").fetchall())
    assert again == {"MIT": "mine", "none": "", "odd": "E'\u2028'"}


def password_free(said: str) -> bool:
    return "secret" not in said and "another" not in said


def test_no_row_can_end_its_statement() -> None:
    deployment = deployed(ledger=PLUGINS["ledger"])
    lines = [line for line in seed_sql(deployment, deployment.bundles[0]).splitlines() if line.startswith("INSERT")]
    assert len(lines) == len(LEDGER.seeds[0].rows)
    assert all(line.endswith(") ON CONFLICT DO NOTHING;") for line in lines)
