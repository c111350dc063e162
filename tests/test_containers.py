"""The files of containers: they start the service as it is, with little power."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch

import pytest
import typer

from auricle.cli import app
from tests.helpers.paths import ROOT

yaml = pytest.importorskip("yaml")
DOCKERFILES = [ROOT / "docker/Dockerfile", ROOT / "spaces/Dockerfile"]
COMPOSE = ROOT / "docker/compose.yaml"


def instructions(path) -> list[tuple[str, str]]:
    """(keyword, the rest in one line) of each instruction."""
    lines = [one for one in path.read_text().splitlines() if not one.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [tuple(one.split(maxsplit=1)) for one in joined.splitlines() if one.strip()]


def options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z-]+", text))


@pytest.fixture(scope="module")
def known() -> set[str]:
    command = typer.main.get_command(app).commands["serve"]
    return {name for parameter in command.params for name in parameter.opts}


@pytest.fixture(scope="module")
def services() -> dict:
    return yaml.safe_load(COMPOSE.read_text())["services"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_images_start_the_service_as_a_user_without_rights(path, known):
    found = instructions(path)
    words = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE"}
    words |= {"STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {keyword for keyword, _ in found} <= words
    assert [rest for keyword, rest in found if keyword == "USER"][-1] not in ("root", "0")
    start = " ".join(rest for keyword, rest in found if keyword in ("ENTRYPOINT", "CMD"))
    assert "serve" in start
    assert "0.0.0.0" in start
    assert options(start) <= known
    assert any("models fetch tiny" in rest for keyword, rest in found if keyword == "RUN")


def test_what_the_image_needs_is_sent_to_its_build():
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    copied = [
        source
        for keyword, rest in instructions(DOCKERFILES[0])
        if keyword == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert any(fnmatch(source, pattern) for pattern in allowed), source
        assert (ROOT / source).exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= set(copied)
    for path in DOCKERFILES:
        for extras in re.findall(r"\.\[([\w,]+)\]", path.read_text()):
            assert set(extras.split(",")) <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_composed_services_have_little_power(services, name, known):
    service = services[name]
    assert service["profiles"] == [name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert any(one.startswith("/tmp:") for one in service["tmpfs"])
    assert options(" ".join(service["command"])) <= known
    assert "--api-key-file=/run/secrets/api-key" in service["command"]
    assert service["secrets"] == ["api-key"]
    build = service["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).is_file()
    arguments = {
        rest.partition("=")[0] for keyword, rest in instructions(DOCKERFILES[0]) if keyword == "ARG"
    }
    assert build.get("args", {}).keys() <= arguments


def test_the_space_has_its_front_matter():
    _, front, _ = (ROOT / "spaces/README.md").read_text().split("---\n", 2)
    found = yaml.safe_load(front)
    assert (found["sdk"], found["app_port"]) == ("docker", 7860)
    assert f"--port {found['app_port']}" in DOCKERFILES[1].read_text()
    assert len(found["short_description"]) <= 60
