"""The command that installs an extra fits the installation."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from auricle import extras
from auricle.extras import install_command


class Installed:
    def __init__(self, **files: str) -> None:
        self.files = files

    def read_text(self, name: str) -> str | None:
        return self.files.get(name.removesuffix(".json"))


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({}, 'pip install "auricle[av]"'),
        ({"url": "DIR", "dir_info": {}}, 'pip install "DIR[av]"'),
        ({"url": "DIR", "dir_info": {"editable": True}}, 'pip install -e "DIR[av]"'),
        ({"url": "file:///gone/auricle.whl", "archive_info": {}}, 'pip install "auricle[av]"'),
        (
            {"url": "https://host/auricle.whl", "archive_info": {}},
            'pip install "auricle[av] @ https://host/auricle.whl"',
        ),
        (
            {
                "url": "https://host/a.git",
                "vcs_info": {"vcs": "git", "commit_id": "0f", "requested_revision": "v1"},
            },
            'pip install "auricle[av] @ git+https://host/a.git@v1"',
        ),
        (
            {
                "url": "https://host/a.git",
                "vcs_info": {"vcs": "git", "commit_id": "0f"},
                "subdirectory": "py",
            },
            'pip install "auricle[av] @ git+https://host/a.git@0f#subdirectory=py"',
        ),
    ],
)
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_command_names_where_the_package_came_from(
    installer: str, origin: dict, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my auricle"
    folder.mkdir()
    text = json.dumps(origin).replace("DIR", folder.as_uri())
    found = Installed(direct_url=text, INSTALLER=f"{installer}\n")
    monkeypatch.setattr(extras.metadata, "distribution", lambda _: found)
    expected = expected.replace("DIR", str(folder))
    assert install_command("av") == ("uv " if installer == "uv" else "") + expected


def test_a_checkout_without_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras.metadata, "distribution", absent)
    assert install_command("av") == f'pip install -e "{extras.CHECKOUT}[av]"'
    monkeypatch.setattr(extras, "CHECKOUT", tmp_path)
    assert install_command("av") == 'pip install "auricle[av]"'
