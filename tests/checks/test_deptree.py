"""Who needs whom: circles, builder classes, and names that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import GitError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository


def add(
    repository: CheckedRepository, name: str, *depends: str, config: str = "", provides: tuple[str, ...] = ()
) -> None:
    package = SamplePackage(name=name, depends=depends, provides=provides)
    repository.write(package.folder(f"CI_PKGBUILD_SOURCE=custom\n{config}"))


def test_a_tree_is_silent(repository: CheckedRepository) -> None:
    add(repository, "a", "b", "c>=1")
    add(repository, "b", "c")
    add(repository, "c", "glibc")
    assert repository.found("deptree") == []


def test_a_circle_is_named_with_the_line_that_closes_it(repository: CheckedRepository) -> None:
    add(repository, "a", "glibc", "b>=2")
    add(repository, "b", "c")
    add(repository, "c", "a")
    assert repository.found("deptree") == [("a/.SRCINFO", 8, "needs itself: a → b → c → a")]
    assert [file for file, _, _ in repository.found("deptree", "c/PKGBUILD")] == ["c/.SRCINFO"]


def test_two_circles_are_two_problems(repository: CheckedRepository) -> None:
    for one, other in ("ab", "ba", "cd", "dc"):
        add(repository, one, other)
    assert [text for _, _, text in repository.found("deptree")] == [
        "needs itself: a → b → a",
        "needs itself: c → d → c",
    ]


def test_what_another_merely_provides_makes_no_circle(repository: CheckedRepository) -> None:
    add(repository, "xorg-git", "driver", provides=("xorg",))
    add(repository, "nvidia", "xorg", provides=("driver",))
    assert repository.found("deptree") == []


def test_a_name_that_several_folders_build_is_none_to_wait_for(repository: CheckedRepository) -> None:
    add(repository, "app", "linux")
    for variant in ("linux-a", "linux-b"):
        files = SamplePackage(name="linux").folder("CI_PKGBUILD_SOURCE=custom\nBUILDER_CLASS=9\n")
        repository.write({path.replace("linux/", f"{variant}/"): text for path, text in files.items()})
    assert repository.found("deptree") == []


def test_a_lower_class_that_would_not_wait_is_a_warning(repository: CheckedRepository) -> None:
    add(repository, "app", "lib", config="BUILDER_CLASS=2\n")
    add(repository, "lib", config="BUILDER_CLASS=3\n")
    add(repository, "late", "app", config="BUILDER_CLASS=9\n")
    result = repository.check("--only", "deptree")
    assert result.status == 0
    assert repository.found("deptree") == [
        ("app/.CI/config", 2, "is of class 2 and needs lib of class 3, and may be built first")
    ]
    assert len(repository.found("deptree", "lib")) == 1
    assert repository.found("deptree", "late") == []
    repository.write({".ci/config": "CI_BACKEND=local\n"})
    assert repository.found("deptree") == []  # its order is kept


def test_the_default_class_counts(repository: CheckedRepository) -> None:
    add(repository, "app", "lib")
    add(repository, "lib", config="BUILDER_CLASS=3\n")
    assert [line for _, line, _ in repository.found("deptree")] == [None]
    repository.write({".ci/config": "CI_DEFAULT_CLASS=3\n"})
    assert repository.found("deptree") == []


def test_a_package_that_is_dropped_while_another_needs_it(repository: CheckedRepository) -> None:
    add(repository, "app", "glibc", "lib>=1")
    add(repository, "lib")
    repo = repository.commit()
    assert repository.found("deptree") == []
    repo.git("rm", "-rq", "lib")
    (repository.top / "lib/src").mkdir(parents=True)  # what a build left there
    found = [("app/.SRCINFO", 8, "needs lib, which no package of this repository provides any more")]
    assert repository.found("deptree") == found
    assert repository.check("--only", "deptree").status == 5
    repository.commit()
    assert repository.found("deptree") == []
    assert repository.found("deptree", "--base", "HEAD^") == found


def test_a_name_that_a_package_merely_provided_may_be_the_distribution_s(repository: CheckedRepository) -> None:
    for name in ("app", "bar", "baz"):
        add(repository, name, "ffmpeg")
    add(repository, "ffmpeg-obs", provides=("ffmpeg",))
    repository.commit()
    add(repository, "ffmpeg-obs")
    text = "needs ffmpeg, as 2 others do, which no package of this repository provides any more"
    assert repository.found("deptree", "ffmpeg-obs") == [("app/.SRCINFO", 7, text)]
    assert repository.check("--only", "deptree").status == 0
    add(repository, "ffmpeg-git", provides=("ffmpeg",))
    assert repository.found("deptree") == []


def test_a_base_that_is_not_there_is_an_error(repository: CheckedRepository) -> None:
    add(repository, "app")
    repository.commit()
    result = repository.check("--only", "deptree", "--base", "nowhere")
    assert result.status == GitError.exit_status
    assert "there is no commit nowhere" in result.stderr
