"""A farm whose Buildbot keeps its data in PostgreSQL, which may be restarted under it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny
from tests.support.postgres import running_postgres


def test_a_database_that_is_restarted_loses_nothing(tmp_path: Path) -> None:
    # The tests' own folder is closed to the user that runs the database.
    place = Path(tempfile.mkdtemp(prefix="ci-toolkit-postgres-", dir="/var/tmp"))
    place.chmod(0o755)
    try:
        with (
            running_postgres(place / "postgres") as postgres,
            running_farm(FarmStand(top=tmp_path / "master", database=postgres.url, deadline_s=4), stubs=True) as farm,
        ):
            farm.tell("one", "during", "hang")
            farm.submit("r1", Tiny(name="before"), Tiny(name="during", depends=("before",)), Tiny(name="after"))
            farm.building("during")
            postgres.stop()
            farm.tell("one", "during", "skipped")
            postgres.start()
            farm.submit("r2", Tiny(name="later", depends=("during",)))
            assert set(farm.finished().values()) == {"skipped"}
    finally:
        shutil.rmtree(place)
