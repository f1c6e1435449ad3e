from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.cache.location import FORMS, parse_location
from gateway.config import load, open_policies, variables
from gateway.errors import ConfigError
from gateway.settings import Config
from gateway.upstreams.settings import UpstreamConfig
from policies.errors import PolicyError
from policies.load import default_policies
from policies.watch import PolicyFile


def read(tmp_path: Path, text: str, env: dict[str, str] | None = None, **flags: object) -> Config:
    path = tmp_path / "pith.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, env or {}, flags)


def refused(tmp_path: Path, text: str, env: dict[str, str] | None = None, **flags: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, env, **flags)
    return str(caught.value).replace(f"{tmp_path}/", "").split("\n")


def test_defaults() -> None:
    config = load(None, {}, {})
    assert config == Config()
    assert config.upstreams == {"openai": UpstreamConfig(url="https://api.openai.com")}
    assert (config.listen.host, config.listen.port) == ("127.0.0.1", 8080)
    assert (config.mode, config.max_body_bytes, config.allow_overrides) == ("on", 33_554_432, True)
    assert (config.compressor.deadline_ms, config.compressor.max_batch_tokens) == (500, 16384)
    assert config.upstream_for("/v1/anything", None) == "openai"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing yet\n") == Config()


def test_flags_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    text = "compressor: {deadline_ms: 1, max_batch_tokens: 1001, device: cpu}\nmode: shadow\n"
    env = {"PITH_COMPRESSOR__DEADLINE_MS": "2", "PITH_COMPRESSOR__MAX_BATCH_TOKENS": "1002"}
    flags: dict[str, object] = {"compressor.deadline_ms": 3, "mode": None}
    config = read(tmp_path, text, env, **flags)
    assert config.compressor.deadline_ms == 3
    assert config.compressor.max_batch_tokens == 1002
    assert config.compressor.device == "cpu"
    assert config.compressor.precision == "auto"
    assert config.mode == "shadow"


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mode: shadow")
    (tmp_path / "b.yaml").write_text("mode: off")
    env = {"PITH_CONFIG": str(tmp_path / "a.yaml")}
    assert load(None, env, {}).mode == "shadow"
    assert load(tmp_path / "b.yaml", env, {}).mode == "off"
    assert load(None, {"PITH_CONFIG": ""}, {}).mode == "on"


EXAMPLES = {
    "FEEDBACK_REASONS": "true",
    "ENDPOINT": "http://collector:4318",
    "SAMPLE": "0.1",
    "KIND": "http",
    "URL": "http://h",
    "KEY": "pass",
    "ASK_USAGE": "false",
    "MAX_IN_FLIGHT": "7",
    "MAX_COMPRESSING": "7",
    "CONNECT": "2",
    "BUDGET": "0.5",
    "SCORER": "frequency",
    "DEVICE": "cuda:1",
    "PRECISION": "bf16",
    "MAX_BATCH_TOKENS": "4096",
    "DEADLINE_MS": "40",
    "USD_PER_HOUR": "1.5",
    "ISOLATION": "thread",
    "WATCHDOG_S": "1.5",
    "REMOTE": "http://gpu:8080",
    "REMOTE_KEY": "env:K",
    "QUEUE_MS": "40",
    "CACHE": "memory://",
    "CACHE_TIMEOUT_MS": "80",
    "CACHE_MAX_BYTES": "2000000",
    "LEDGER": "sqlite:///x.db",
    "LEDGER_RETENTION_DAYS": "90",
    "PATH": "kept",
    "DAYS": "30",
    "MAX_BYTES": "2000000",
    "MODE": "shadow",
    "LISTEN": "off",
    "TOKEN": "env:PITH_ADMIN__TOKEN",
    "LEVEL": "debug",
    "WORKERS": "3",
    "POLICIES": "p.yaml",
    "HOST": "0.0.0.0",
    "PORT": "0",
    "MAX_BODY_BYTES": "2048",
    "ALLOW_OVERRIDES": "false",
    "PROVIDER": "anthropic",
    "REQUIRE_KEYS": "false",
    "KEY_STORE": "postgresql://u:p@h/d",
    "HEADER_READ_S": "1.5",
    "BODY_READ_S": "1.5",
    "QUEUE_S": "1.5",
    "CONNECT_S": "1.5",
    "FIRST_BYTE_S": "1.5",
    "STREAM_IDLE_S": "1.5",
    "WRITE_STALL_S": "1.5",
    "ANNOUNCE_S": "1.5",
    "LIMIT_S": "1.5",
}


NEEDED = {
    "PROVIDER": {
        "PITH_UPSTREAMS__OPENAI__KIND": "litellm",
        "PITH_UPSTREAMS__OPENAI__KEY": "env:K",
        "K": "sk-1",
    },
    "REMOTE_KEY": {"K": "sk-1"},
}
"""What a variable is wrong without."""


@pytest.mark.parametrize("name", sorted(variables()))
def test_every_scalar_has_a_variable(name: str) -> None:
    last = name.removeprefix("PITH_").split("__")[-1]
    value = EXAMPLES[last]
    found: object = load(None, {name.replace("<NAME>", "OPENAI"): value, **NEEDED.get(last, {})}, {})
    for part in variables()[name]:
        key = "openai" if part == "<NAME>" else part
        found = found[key] if isinstance(found, dict) else getattr(found, str(key))
    expected = {
        "CACHE": "None",
        "KEY": "None",
        "TOKEN": "*" * 10,
        "KEY_STORE": "*" * 10,
        "REMOTE_KEY": "*" * 10,
        "FEEDBACK_REASONS": "True",
        "ALLOW_OVERRIDES": "False",
        "ASK_USAGE": "False",
        "REQUIRE_KEYS": "False",
    }
    assert str(found) == expected.get(name.split("__")[-1].removeprefix("PITH_"), value)


def test_variables_add_to_the_default_upstream_and_make_new_ones() -> None:
    env = {"PITH_UPSTREAMS__OPENAI__KEY": "env:K", "K": "sk-1", "PITH_UPSTREAMS__LOCAL__URL": "http://h:1"}
    upstreams = load(None, env, {}).upstreams
    assert upstreams["openai"] == UpstreamConfig.model_construct(
        kind="http", url="https://api.openai.com", key=SecretStr("sk-1")
    )
    assert upstreams["local"].url == "http://h:1"


@pytest.mark.parametrize(
    ("env", "problems"),
    [
        ({"PITH_MODE": "of"}, ["PITH_MODE: mode: value 'of': must be 'on', 'shadow' or 'off'"]),
        (
            {"PITH_COMPRESSOR__DEADLINE_MS": "soon"},
            [
                "PITH_COMPRESSOR__DEADLINE_MS: compressor.deadline_ms: value 'soon': must be a whole number, "
                "e.g. 500"
            ],
        ),
        ({"PITH_MDOE": "on"}, ["PITH_MDOE: no such setting; did you mean PITH_MODE?"]),
        ({"PITH_LISTEN_PORT": "1"}, ["PITH_LISTEN_PORT: no such setting; did you mean PITH_LISTEN__PORT?"]),
        ({"PITH_A__B": "1"}, ["PITH_A__B: no such setting; docs/configuration.md lists all variables"]),
        (
            {"PITH_UPSTREAMS____URL": "1"},
            ["PITH_UPSTREAMS____URL: no such setting; did you mean PITH_UPSTREAMS__<NAME>__URL?"],
        ),
    ],
)
def test_wrong_variables(env: dict[str, str], problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, env, {})
    assert str(caught.value).split("\n") == problems


def test_variables_of_others_are_left_alone() -> None:
    env = {
        "PITH_SECRET": "x" * 32,
        "PITH_PORT": "tcp://10.0.0.1:8080",
        "PITH_PORT_8080_TCP_ADDR": "10.0.0.1",
        "PITH_SERVICE_HOST": "10.0.0.1",
        "PITH_CACHE_SERVICE_PORT": "6379",
        "PITH_TAG": "1",
        "HOME": "/",
    }
    assert load(None, env, {}) == Config()


def test_flags_are_named_as_such() -> None:
    with pytest.raises(
        ConfigError, match=r"^command line: listen\.port: value 70000: input should be less than"
    ):
        load(None, {}, {"listen.port": 70000})


def test_a_flag_below_something_that_is_no_mapping(tmp_path: Path) -> None:
    text = "listen: 8080\ncompressor: {device: 5}\n"
    assert refused(tmp_path, text, {"PITH_LISTEN__HOST": "h"}, **{"listen.port.x": 1}) == [
        "pith.yaml:1: listen: value 8080: must be a mapping of keys to values",
        "pith.yaml:2: compressor.device: value 5: must be auto, cpu, cuda or cuda:N, or a list of them",
    ]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (
            "https://api.openai.com/v1",
            "value 'https://api.openai.com/v1' ends in /v1, and requests bring /v1 themselves: the upstream "
            "would see /v1/v1; use 'https://api.openai.com'",
        ),
        (
            "http://h:1/llm/v1/",
            "value 'http://h:1/llm/v1/' ends in /v1, and requests bring /v1 themselves: the upstream would "
            "see /v1/v1; use 'http://h:1/llm'",
        ),
        ("ftp://h", "value 'ftp://h': begin with http:// or https:// and a host"),
        ("api.openai.com", "value 'api.openai.com': begin with http:// or https:// and a host"),
        ("http://", "value 'http://': begin with http:// or https:// and a host"),
        ("http://h:port", "is not a URL: its host or port cannot be read; e.g. http://10.0.0.5:8000"),
        ("http://[::1", "is not a URL: its host or port cannot be read; e.g. http://10.0.0.5:8000"),
        (
            "http://me:hunter2@h",
            "holds a user name or password; remove it and name the credential with key: env:NAME",
        ),
        ("http://h/?key=hunter2", "holds a query or fragment; remove it, requests bring their own"),
        ("http://h#", "holds a query or fragment; remove it, requests bring their own"),
        ("http://h/a b", "must be a plain URL such as https://api.openai.com"),
        ("http://h\\\\@x", "must be a plain URL such as https://api.openai.com"),
    ],
)
def test_urls(tmp_path: Path, url: str, problem: str) -> None:
    text = f'upstreams:\n  openai:\n    url: "{url}"\n'
    assert refused(tmp_path, text) == [f"pith.yaml:3: upstreams.openai.url: {problem}"]


def test_a_url_may_have_a_path_prefix(tmp_path: Path) -> None:
    config = read(tmp_path, 'upstreams: {openai: {url: "http://[::1]:8000/v1beta/openai/"}}')
    assert config.upstreams["openai"].url == "http://[::1]:8000/v1beta/openai"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("env:NOPE", "environment variable NOPE is not set; set it, or use key: pass"),
        ("env:EMPTY", "environment variable EMPTY is not set; set it, or use key: pass"),
        ("sk-hunter2", "must be pass, none or env:NAME; a credential itself does not belong in a file"),
        ('"env:"', "must be pass, none or env:NAME; a credential itself does not belong in a file"),
        ("env:sk-hunter2", "must be pass, none or env:NAME; a credential itself does not belong in a file"),
        ("5", "must be pass, none or env:NAME; a credential itself does not belong in a file"),
    ],
)
def test_keys(tmp_path: Path, key: str, problem: str) -> None:
    text = f"upstreams: {{openai: {{url: http://h, key: {key}}}}}"
    assert refused(tmp_path, text, {"EMPTY": ""}) == [f"pith.yaml:1: upstreams.openai.key: {problem}"]


def test_a_key_is_read_and_not_shown(tmp_path: Path) -> None:
    config = read(tmp_path, "upstreams: {openai: {url: http://h, key: env:MINE}}", {"MINE": "sk-hunter2"})
    key = config.upstreams["openai"].key
    assert key is not None
    assert key.get_secret_value() == "sk-hunter2"
    assert "hunter2" not in repr(config)
    assert read(tmp_path, "upstreams: {openai: {url: http://h, key: pass}}").upstreams["openai"].key is None


def test_a_provider_is_named_with_its_key_and_its_place_if_it_has_none(tmp_path: Path) -> None:
    text = """
upstreams:
  claude: {kind: litellm, provider: anthropic, key: "env:KEY"}
  near: {kind: litellm, provider: azure_ai, url: "http://h/v1/", key: "env:KEY"}
routes: [{model: "claude-*", upstream: claude}, {upstream: near}]
"""
    upstreams = read(tmp_path, text, {"KEY": "sk-1"}).upstreams
    assert [(one.kind, one.provider, one.url) for one in upstreams.values()] == [
        ("litellm", "anthropic", ""),
        ("litellm", "azure_ai", "http://h/v1"),
    ]


@pytest.mark.parametrize(
    ("upstream", "problem"),
    [
        ("kind: litellm, key: env:KEY", "provider: is missing; add it"),
        ("kind: litellm, provider: openai, key: env:KEY", "itself is kind: http"),
        ("kind: litellm, provider: anthropic", "key: is missing; add it"),
        ("kind: litellm, provider: anthropic, key: pass", "key: a provider's key is needed"),
        ("kind: litellm, provider: anthropic, key: none", "key: a provider's key is needed"),
        ("kind: litellm, provider: azure_ai, key: env:KEY", "url: is missing; add it"),
        ("kind: litellm, provider: xai, url: 'http://169.254.169.254', key: env:KEY", "url: value"),
        ("provider: anthropic, url: http://h", "provider: is for kind: litellm only"),
        ("key: env:KEY", "url: is missing; add it"),
        ("url: http://h/v1", "ends in /v1"),
    ],
)
def test_what_does_not_go_with_the_kind_is_said(tmp_path: Path, upstream: str, problem: str) -> None:
    found = refused(tmp_path, f"upstreams: {{one: {{{upstream}}}}}", {"KEY": "sk-hunter2"})
    assert any(problem in line for line in found), found
    assert "hunter2" not in "".join(found)


def test_what_this_version_has_not_is_said(tmp_path: Path) -> None:
    text = """
upstreams: {claude: {kind: grpc, url: http://h}}
cache: http://:hunter2@h
ledger: mysql://u:hunter2@h/db
compressor: {device: tpu, precision: int4, deadline_ms: 0}
virtual_keys: []
"""
    problems = refused(tmp_path, text)
    assert problems[:6] == [
        "pith.yaml:2: upstreams.claude.kind: value 'grpc': must be 'http' or 'litellm'",
        f"pith.yaml:3: cache: begins with nothing that is known; write memory://, {FORMS}",
        "pith.yaml:4: ledger: must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
        "pith.yaml:5: compressor.device: value 'tpu': must be auto, cpu, cuda or cuda:N, or a list of them",
        "pith.yaml:5: compressor.precision: value 'int4': must be 'auto', 'fp32', 'fp16', 'bf16' or 'int8'",
        "pith.yaml:5: compressor.deadline_ms: value 0: input should be greater than or equal to 1",
    ]
    assert problems[6].startswith(
        "pith.yaml:6: virtual_keys: unknown key; known here: admin, allow_overrides, cache"
    )
    assert "hunter2" not in "".join(problems)


@pytest.mark.parametrize(
    ("cache", "problem"),
    [
        ("rediss://u:hunter2@h:port", "has a host or port that cannot be read"),
        ("env:hunter2@h", "must be env:NAME with the name of an environment variable"),
        ("env:ABSENT", "environment variable ABSENT is not set; set it to the cache's URL"),
        ("17", "must be a URL: memory://, redis://HOST:PORT/DB"),
    ],
)
def test_a_cache_that_cannot_be_is_refused_without_its_password(
    tmp_path: Path, cache: str, problem: str
) -> None:
    [said] = refused(tmp_path, f"cache: {cache}")
    assert said.startswith("pith.yaml:1: cache: ")
    assert problem in said
    assert "hunter2@" not in said


def test_a_cache_is_read_and_its_password_not_shown(tmp_path: Path) -> None:
    written = "redis://pith:hunter2@h:7000/3"
    in_file, in_variable = read(tmp_path, f"cache: {written}"), load(None, {"PITH_CACHE": written}, {})
    named = read(tmp_path, "cache: env:WHERE", {"WHERE": written})
    assert in_file.cache == in_variable.cache == named.cache == parse_location(written)
    assert named.cache is not None
    assert (named.cache.hosts, named.cache.login.password) == ((("h", 7000),), "hunter2")
    assert "hunter2" not in repr(named)
    assert read(tmp_path, "cache: memory://").cache is read(tmp_path, "").cache is None


ROUTES = """
upstreams: {openai: {url: http://a}, claude: {url: http://b}, local: {url: http://c}}
routes:
  - {path: "/v1/messages*", upstream: claude}
  - {path: "/v1/*", model: "llama-*", upstream: local}
  - {upstream: openai}
"""


@pytest.mark.parametrize(
    ("path", "model", "upstream"),
    [
        ("/v1/messages/count_tokens", "gpt-5", "claude"),
        ("/v1/chat/completions", "llama-4", "local"),
        ("/v1/chat/completions", "gpt-5", "openai"),
        ("/v1/chat/completions", None, "openai"),
        ("/other", "llama-4", "openai"),
    ],
)
def test_routes(tmp_path: Path, path: str, model: str | None, upstream: str) -> None:
    assert read(tmp_path, ROUTES).upstream_for(path, model) == upstream


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "upstreams: {claude: {url: http://b}}\nroutes:\n  - {upstream: claud}\n",
            "pith.yaml:3: routes[0].upstream: value 'claud': no such upstream; did you mean 'claude'?",
        ),
        (
            "routes:\n  - {model: x, upstream: openai}\n",
            "pith.yaml:2: routes[0]: has conditions, so some requests would have no upstream; end with "
            "{upstream: NAME}",
        ),
        (
            "upstreams: {a: {url: http://a}, b: {url: http://b}}\n",
            "pith.yaml:1: upstreams: there are several and no routes; add routes to say which serves what",
        ),
        ("upstreams: {}\n", "pith.yaml:1: upstreams: there are none; name one"),
    ],
)
def test_routes_that_lead_nowhere(tmp_path: Path, text: str, problem: str) -> None:
    assert refused(tmp_path, text) == [problem]


def test_the_only_upstream_serves_everything(tmp_path: Path) -> None:
    assert read(tmp_path, "upstreams: {local: {url: http://c}}").upstream_for("/x", None) == "local"


def test_policies_by_default_are_the_packaged_ones() -> None:
    assert open_policies(Config()).current == default_policies()


def test_policies_in_a_file_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("policies: [{name: mine}]")
    source = open_policies(read(tmp_path, "policies: mine.yaml"))
    assert isinstance(source, PolicyFile)
    assert source.path == tmp_path / "mine.yaml"
    assert [policy.name for policy in source.current.policies] == ["mine"]


def test_policies_in_a_variable_are_relative_to_the_working_directory(tmp_path: Path) -> None:
    assert read(tmp_path, "policies: mine.yaml", {"PITH_POLICIES": "other.yaml"}).policies == Path(
        "other.yaml"
    )


def test_policies_written_in_the_configuration(tmp_path: Path) -> None:
    source = open_policies(read(tmp_path, "policies: [{name: a, mode: off}]"))
    assert [policy.mode for policy in source.current.policies] == ["off"]
    assert not source.reload()


def test_policies_that_are_wrong(tmp_path: Path) -> None:
    assert refused(tmp_path, "policies:\n  - {name: a, params: {rte: 1}}\n") == [
        "pith.yaml:2: policies[0].params.rte: unknown key; did you mean 'rate'?"
    ]
    assert refused(tmp_path, "policies: 5") == [
        "pith.yaml:1: policies: value 5: must be the path of a file, in quotes"
    ]
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read") as caught:
        open_policies(read(tmp_path, "policies: nowhere.yaml"))
    assert isinstance(caught.value.__cause__, PolicyError)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read \(No such file or directory\)"):
        load(tmp_path / "gone.yaml", {}, {})


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    assert refused(tmp_path, "- 1", {"PITH_MODE": "on"}, **{"listen.port": 1}) == [
        "pith.yaml:1: value [1]: must be a mapping of keys to values"
    ]


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254", "http://[::ffff:169.254.169.254]:80", "http://2852039166", "http://[fe80::1]"],
)
def test_an_address_nobody_is_forwarded_to_is_refused_with_its_line(tmp_path: Path, url: str) -> None:
    [problem] = refused(tmp_path, f'upstreams:\n  meta:\n    url: "{url}"\n')
    assert problem.startswith(f"pith.yaml:3: upstreams.meta.url: value {url!r}: is a ")
    assert problem.endswith(" in allow_addresses")


def test_an_address_that_the_configuration_names_is_fine(tmp_path: Path) -> None:
    text = "upstreams:\n  meta: {url: 'http://169.254.10.5', allow_addresses: [169.254.10.5]}\n"
    assert read(tmp_path, text).upstreams["meta"].url == "http://169.254.10.5"
    [problem] = refused(tmp_path, text.replace("[169.254.10.5]", "[here]"))
    assert "value 'here': must be an address or a network" in problem


@pytest.mark.parametrize(
    ("written", "devices"),
    [
        ("cuda:1", ("cuda:1",)),
        ("[cuda:0, cuda:1]", ("cuda:0", "cuda:1")),
        ('"cuda:0, cuda:1,cpu"', ("cuda:0", "cuda:1", "cpu")),
        ("[auto]", ("auto",)),
    ],
)
def test_one_device_or_several(tmp_path: Path, written: str, devices: tuple[str, ...]) -> None:
    file = tmp_path / "pith.yaml"
    file.write_text(f"compressor: {{device: {written}, isolation: process, watchdog_s: 5}}\n")
    placement = load(file, {}, {}).compressor.placement
    assert placement.devices == devices
    assert (placement.isolation, placement.watchdog_s) == ("process", 5)


@pytest.mark.parametrize("written", ["[]", "[cuda:0, cuda:0]", "[auto, cpu]", "[cuda, cuda:0]"])
def test_several_devices_are_named_once_each(tmp_path: Path, written: str) -> None:
    [problem] = refused(tmp_path, f"compressor: {{device: {written}}}\n")
    assert problem.endswith("of several devices name each once, as cpu or cuda:N")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("remote: 5", "must be a plain URL such as http://gpu:8080"),
        ('remote: "gpu:8080"', "begin with http:// or https:// and a host"),
        ("remote_key: sk-secret", "must be env:NAME"),
        ('remote_key: "env:NOT_THERE"', "environment variable NOT_THERE is not set"),
    ],
)
def test_a_remote_scorer_that_cannot_be(tmp_path: Path, written: str, why: str) -> None:
    [problem] = refused(tmp_path, f"compressor: {{{written}}}\n")
    assert why in problem
    assert "sk-secret" not in problem


def test_the_ledgers_url_may_be_in_a_variable(tmp_path: Path) -> None:
    config = read(tmp_path, "ledger: env:DB", {"DB": "postgresql://pith:hunter2@db/pith"})
    assert config.ledger == config.key_store_url == "postgresql://pith:hunter2@db/pith"
    assert "hunter2" not in repr(config)
    for text, env in (("ledger: env:DB", {}), ("ledger: 'env:'", {}), ("ledger: env:DB", {"DB": "hunter2"})):
        [problem] = refused(tmp_path, text, env)
        assert problem.startswith("pith.yaml:1: ledger: ")
        assert "hunter2" not in problem


JUDGED = """
upstreams: {openai: {url: "https://api.openai.com"}, judge: {url: "https://judge.example", key: none}}
policies:
  - name: rag
    experiment:
      salt: s
      variants: [{name: control, weight: 1, mode: "off"}, {name: half, weight: 1}]
      mirror: {judge: {upstream: WHERE, model: m}}
"""


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("judgee", "value 'judgee': the configuration has no such upstream; did you mean 'judge'?"),
        ("openai", "is an upstream with key: pass, and a judge has no caller whose key could be passed"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_told_at_the_start(tmp_path: Path, where: str, why: str) -> None:
    config = read(tmp_path, JUDGED.replace("WHERE", where), {})
    with pytest.raises(ConfigError, match="policy 'rag'") as caught:
        open_policies(config)
    assert why in str(caught.value)
    assert open_policies(read(tmp_path, JUDGED.replace("WHERE", "judge"), {})).current.named("rag")


def test_a_policy_file_with_a_judge_that_cannot_be_asked_changes_nothing(tmp_path: Path) -> None:
    upstreams, _, policies = JUDGED.partition("policies:")
    file = tmp_path / "policies.yaml"
    file.write_text("policies:" + policies.replace("WHERE", "judge"))
    source = open_policies(read(tmp_path, upstreams + f"policies: {file}", {}))
    file.write_text("policies:" + policies.replace("WHERE", "nowhere"))
    assert not source.reload()
    assert source.problem is not None
    assert "no such upstream" in source.problem
    assert source.current.named("rag") is not None
