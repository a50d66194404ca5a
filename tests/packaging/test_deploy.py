"""The deployment files: without a cluster they are held against schemas and against the program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from honeytrace.__main__ import main
from honeytrace._config import SETTINGS, variables
from honeytrace.server.run import DEFAULT_PORT, KEYS_VARIABLE
from honeytrace.store.urls import PASSWORD_VARIABLE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
KNOWN = {KEYS_VARIABLE, PASSWORD_VARIABLE, *(v for s in SETTINGS.values() for v in variables(s))}
POSTGRES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "PGDATA"}


def manifests() -> list[dict[str, Any]]:
    """All documents of the manifests, but for the one of kustomize itself."""
    return [
        document
        for path in sorted(KUBERNETES.glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text())
    ]


def pods() -> list[dict[str, Any]]:
    """The templates of pods, in whatever makes them."""
    found: list[dict[str, Any]] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "template" in value and "spec" in value["template"]:
                found.append(value["template"])
            for each in value.values():
                look(each)

    for document in manifests():
        look(document)
    return [each for each in found if "containers" in each["spec"]]


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["spec"]["containers"]]


def test_the_compose_file_is_valid() -> None:
    """It meets the published schema, and refuses to start without its secrets."""
    path = DEPLOY / "compose.yaml"
    tool = Path(sys.executable).with_name("check-jsonschema")
    command = [tool, "--builtin-schema", "vendor.compose-spec", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    text = path.read_text()
    for name in ("POSTGRES_PASSWORD", KEYS_VARIABLE):
        assert f"${{{name}:?" in text
    services = yaml.safe_load(text)["services"]
    ours = services["node"]["environment"] | services["migrate"]["environment"]
    assert ours.keys() <= KNOWN
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
    assert f"--to=node:{DEFAULT_PORT}" in services["balancer"]["command"]


def test_every_manifest_is_whole() -> None:
    """Each has a kind and a name, all are listed, and selectors choose the pods they mean."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == there
    labels = [pod["metadata"]["labels"] for pod in pods()]
    names = set()
    for document in manifests():
        assert document["apiVersion"]
        names.add((document["kind"], document["metadata"]["name"]))
        selector = document.get("spec", {}).get("selector")
        if selector:
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= each.items() for each in labels), document["kind"]
    assert len(names) == len(manifests())


def test_a_volume_is_where_it_is_mounted() -> None:
    """Each mount has its volume, and each container that is ours runs without rights."""
    claims = {
        claim["metadata"]["name"]
        for document in manifests()
        for claim in document.get("spec", {}).get("volumeClaimTemplates", ())
    }
    for pod in pods():
        volumes = claims | {each["name"] for each in pod["spec"].get("volumes", ())}
        for container in pod["spec"]["containers"]:
            assert {each["name"] for each in container.get("volumeMounts", ())} <= volumes
            if container["image"] == "honeytrace":
                assert pod["spec"]["securityContext"]["runAsNonRoot"]
                assert container["securityContext"]["readOnlyRootFilesystem"]


def test_secrets_come_from_the_secret() -> None:
    """Passwords and keys stand in no file, and every variable is one that is read."""
    for container in containers():
        for each in container.get("env", ()):
            assert each["name"] in KNOWN | POSTGRES
            if "PASSWORD" in each["name"] or "KEYS" in each["name"]:
                assert each["valueFrom"]["secretKeyRef"]["name"] == "honeytrace"
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            assert not re.search(r"://[^/\s]*:[^/\s@$]+@", path.read_text())


def test_probes_and_ports_are_those_of_the_server() -> None:
    """Health decides over the life of a node, readiness over what it is given."""
    (node,) = (each for each in containers() if each["name"] == "honeytrace")
    assert node["livenessProbe"]["httpGet"]["path"] == "/health"
    assert node["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert node["ports"][0]["containerPort"] == DEFAULT_PORT
    assert f"EXPOSE {DEFAULT_PORT}" in (DEPLOY / "Dockerfile").read_text()


@pytest.mark.parametrize(
    "arguments",
    [each["args"] for each in containers() if "args" in each]
    + [yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["migrate"]["command"]],
    ids=" ".join,
)
def test_commands_are_understood(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The command line knows each command and each option that is given to it."""
    words = [each for each in arguments if not each.startswith("-")]
    command = words[:2] if words[0] == "store" else words[:1]
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    for option in (each for each in arguments if each.startswith("--")):
        assert option in shown


def test_the_image_installs_extras_that_there_are() -> None:
    """Each extra of the Dockerfile is one of the package."""
    found = re.search(r"honeytrace\[([\w,]+)\]", (DEPLOY / "Dockerfile").read_text())
    assert found is not None
    project = (ROOT / "pyproject.toml").read_text()
    for extra in found[1].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here")
def test_kustomize_builds_them() -> None:
    """kubectl puts the manifests together, in one namespace."""
    command = ["kubectl", "kustomize", str(KUBERNETES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    built = [each for each in yaml.safe_load_all(done.stdout) if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in built} == {"honeytrace"}
    assert len(built) == len(manifests())  # the settings in place of the namespace
