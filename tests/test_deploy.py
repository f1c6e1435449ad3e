"""The image and the deployment examples, as far as reading them can tell: nothing builds or starts them."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.config import load, variables
from gateway.hashing import VARIABLE as SECRET
from tests.tracked import ROOT, project, text_of, tracked

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """The Dockerfile's instructions, continuation lines joined, comments left out."""
    lines = [line for line in text_of("Dockerfile").splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def stage(name: str) -> list[Instruction]:
    bodies: dict[str, list[Instruction]] = {}
    for instruction in instructions():
        if instruction[0] == "FROM":
            current = bodies.setdefault(instruction[1].split(" AS ")[1], [])
        current.append(instruction)
    return bodies[name]


def all_of(word: str, stage_name: str) -> list[str]:
    return [rest for found, rest in stage(stage_name) if found == word]


def documents(path: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text_of(path)))


def test_the_image_has_a_stage_that_builds_and_one_that_runs() -> None:
    bases = [rest for word, rest in instructions() if word == "FROM"]
    assert [base.split(" AS ")[1] for base in bases] == ["build", "runtime"]
    assert len({base.split(" AS ")[0] for base in bases}) == 1, "a venv runs on the Python that made it"
    assert not any("pip" in command for command in all_of("RUN", "runtime"))


def test_the_image_takes_its_device_from_a_build_argument() -> None:
    assert all_of("ARG", "build") == ["DEVICE=cpu"]
    (install,) = [command for command in all_of("RUN", "build") if "--require-hashes" in command]
    assert '-r "requirements/$DEVICE.txt"' in install
    assert all(f" {device}) " in install for device in ("cpu", "cuda", "*"))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_everything_copied_is_tracked_and_not_ignored(device: str) -> None:
    sources = [source for copy in all_of("COPY", "build") for source in copy.split()[:-1]]
    allowed = [
        line.removeprefix("!") for line in text_of(".dockerignore").splitlines() if line.startswith("!")
    ]
    assert len(sources) > 6
    for source in (source.replace("${DEVICE}", device) for source in sources):
        assert any(path == source or path.startswith(f"{source}/") for path in tracked()), source
        assert any(fnmatch(source, pattern) for pattern in allowed), f"{source} is in .dockerignore"


def test_the_image_copies_every_package() -> None:
    (patterns,) = [project()["tool"]["setuptools"]["packages"]["find"]["include"]]  # type: ignore[index]  # TOML
    copied = [copy.split()[0] for copy in all_of("COPY", "build")]
    assert {pattern.rstrip("*") for pattern in patterns} <= set(copied)


def test_the_image_runs_as_a_user_who_owns_only_the_data() -> None:
    (user,) = all_of("USER", "runtime")
    assert int(user) > 0
    assert any(f"--uid {user}" in command for command in all_of("RUN", "runtime"))
    assert all_of("VOLUME", "runtime") == all_of("WORKDIR", "runtime") == ["/var/lib/pith"]


def test_the_image_checks_its_health_without_other_tools() -> None:
    (check,) = all_of("HEALTHCHECK", "runtime")
    command = check.partition(" CMD ")[2]
    assert command.startswith('["python", "-c", ')
    port = all_of("EXPOSE", "runtime")[0]
    assert f"http://127.0.0.1:{port}/pith/healthz" in command
    compile(command.split('"')[5], "HEALTHCHECK", "exec")


def test_the_image_starts_pith() -> None:
    assert all_of("ENTRYPOINT", "runtime") == ['["pith"]']
    assert all_of("CMD", "runtime") == ['["serve"]']
    assert "HF_HUB_OFFLINE" not in text_of("Dockerfile"), "models named by their hub name can be fetched"


def settings(environment: dict[str, str]) -> dict[str, str]:
    """Pith's own variables, as compose fills them in when its caller sets none."""
    filled = {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in environment.items()}
    return {name: value for name, value in filled.items() if name.startswith("PITH_")}


def test_every_setting_given_is_one_that_pith_takes() -> None:
    image = dict(entry.split("=", 1) for rest in all_of("ENV", "runtime") for entry in rest.split())
    (compose,) = documents("deploy/compose.yaml")
    pod = documents("deploy/kubernetes.yaml")[0]["spec"]["template"]["spec"]
    given = [
        settings(image),
        settings(compose["services"]["pith"]["environment"]),
        settings({entry["name"]: entry.get("value", "") for entry in pod["containers"][0]["env"]}),
    ]
    for environment in given:
        assert environment.keys() <= variables().keys() | {SECRET}
        load(None, environment, {})
    assert load(None, settings(image), {}).listen.host == "0.0.0.0"
    assert str(load(None, settings(image), {}).listen.port) == all_of("EXPOSE", "runtime")[0]


def test_compose_offers_a_cache_in_redis() -> None:
    (compose,) = documents("deploy/compose.yaml")
    pith, redis = compose["services"]["pith"], compose["services"]["redis"]
    assert (ROOT / "deploy" / pith["build"]["context"] / "Dockerfile").is_file()
    assert f"DEVICE={pith['build']['args']['DEVICE']}" in all_of("ARG", "build")
    assert pith["depends_on"] == {"redis": {"condition": "service_healthy", "required": False}}
    assert redis["profiles"] == ["shared-cache"]
    [asked] = re.findall(r"PITH_CACHE=(\S+)", text_of("deploy/compose.yaml"))
    cache = load(None, {"PITH_CACHE": asked}, {}).cache
    assert cache is not None
    assert [name for name, _ in cache.hosts] == ["redis"]
    assert pith["volumes"] == [f"{next(iter(compose['volumes']))}:/var/lib/pith"]


def test_kubernetes_probes_liveness_and_readiness_apart() -> None:
    replicas, service, *_ = documents("deploy/kubernetes.yaml")
    pod = replicas["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/pith/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/pith/readyz", "port": "http"}
    assert container["image"] == f"pith:{project()['project']['version']}"
    assert container["ports"] == [{"name": "http", "containerPort": int(all_of("EXPOSE", "runtime")[0])}]
    assert str(pod["spec"]["securityContext"]["runAsUser"]) == all_of("USER", "runtime")[0]
    assert (
        service["spec"]["selector"]
        == pod["metadata"]["labels"]
        == replicas["spec"]["selector"]["matchLabels"]
    )
    claims = {claim["metadata"]["name"] for claim in replicas["spec"]["volumeClaimTemplates"]}
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims | volumes


def test_kubernetes_replicas_share_a_cache_and_a_secret() -> None:
    replicas, _, redis, service = documents("deploy/kubernetes.yaml")
    assert replicas["spec"]["replicas"] > 1
    (pith,), (server,) = (one["spec"]["template"]["spec"]["containers"] for one in (replicas, redis))
    given = {entry["name"]: entry for entry in pith["env"]}
    cache = load(None, {"PITH_CACHE": given["PITH_CACHE"]["value"]}, {}).cache
    assert cache is not None
    assert cache.hosts == ((service["metadata"]["name"], service["spec"]["ports"][0]["port"]),)
    assert cache.login.password == server["args"][1] == "$(REDIS_PASSWORD)"
    assert given["REDIS_PASSWORD"] == server["env"][0]
    assert given[SECRET]["valueFrom"]["secretKeyRef"]["key"] == "secret"
    assert service["spec"]["selector"] == redis["spec"]["selector"]["matchLabels"]
    assert "allkeys-lru" in server["command"]
