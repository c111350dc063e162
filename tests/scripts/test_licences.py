"""The script of licences: what packages declare, what is allowed, what is needed here."""

import runpy
from email.message import Message
from importlib.metadata import PackageNotFoundError

import pytest

from tests.helpers.paths import SCRIPTS

SCRIPT = runpy.run_path(str(SCRIPTS / "licences.py"))
declared, is_allowed, packages = SCRIPT["declared"], SCRIPT["is_allowed"], SCRIPT["packages"]


def metadata(*fields: tuple[str, str]) -> Message:
    found = Message()
    for name, value in fields:
        found[name] = value
    return found


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "MIT"), ("License", "GPL")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        (
            [
                ("Classifier", "License :: OSI Approved :: BSD License"),
                ("Classifier", "License :: Public Domain"),
            ],
            "BSD AND CC0-1.0",
        ),
        ([("Classifier", "License :: OSI Approved"), ("License", "Apache 2.0")], "Apache-2.0"),
        ([("License", "a whole\ntext")], ""),
        ([], ""),
    ],
)
def test_what_a_package_declares(fields, licence):
    assert declared(metadata(*fields)) == licence


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("(MIT OR GPL-2.0-only) AND GPL-2.0-only", False),
        ("", False),
        ("UNKNOWN", False),
    ],
)
def test_what_is_allowed(expression, allowed):
    assert is_allowed(expression) == allowed


def test_dependencies_of_dependencies_are_followed():
    names = {one.name for one in packages(["torch>=2", "tzdata; sys_platform == 'x'"], "auricle")}
    assert {"torch", "sympy", "mpmath"} <= names
    assert "tzdata" not in names
    with pytest.raises(PackageNotFoundError):
        packages(["no-such-package-anywhere"], "auricle")


def test_all_licences_are_allowed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["licences.py", "--dev"])
    with pytest.raises(SystemExit) as ended:
        SCRIPT["main"]()
    if "not installed" in str(ended.value.code):
        pytest.skip(f"{ended.value.code}")
    assert ended.value.code == 0, capsys.readouterr().out
