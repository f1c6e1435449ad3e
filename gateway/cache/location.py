"""Where a shared cache is: the one reading of its URL (pure).

    redis://user:password@host:6379/0                            one server; rediss:// with TLS
    unix:///run/redis.sock?db=0                                  one server on a socket of this machine
    redis+sentinel://user:password@host:26379,host/service/0     the primary that Sentinels name; rediss+sentinel://
    redis+cluster://user:password@host:6379,host                 a Cluster, by any of its nodes; rediss+cluster://

Law: no message repeats any part of a URL, since any part may be a password in the wrong place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Kind: TypeAlias = Literal["server", "socket", "sentinel", "cluster"]
Host: TypeAlias = tuple[str, int]

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
MAX_PORT: Final = 65535
FORMS: Final = (
    "redis://HOST:PORT/DB, unix:///PATH, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB or "
    "redis+cluster://HOST:PORT,HOST:PORT, with rediss for TLS"
)

_SCHEMES: Final[Mapping[str, tuple[Kind, bool]]] = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "unix": ("socket", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_TLS_PARAMETERS: Final = ("ca", "cert", "key")
_PARAMETERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "server": (),
    "socket": ("db",),
    "sentinel": ("sentinel_user", "sentinel_password"),
    "cluster": (),
}


@dataclass(frozen=True, slots=True)
class Login:
    """Who Pith is to a server."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files beyond the system's own certificate authorities."""

    ca: str | None = None
    """Certificates of the authorities to trust instead of the system's."""
    cert: str | None = None
    """Pith's own certificate, for servers that ask for one, as Redis does by default."""
    key: str | None = None
    """Its private key."""


@dataclass(frozen=True, slots=True)
class RedisLocation:
    """A cache in Redis. No `repr` shows a password."""

    kind: Kind
    url: str = field(repr=False)
    """As it was written."""
    hosts: tuple[Host, ...] = ()
    """Of a socket, none."""
    path: str = ""
    """Of a socket."""
    service: str = ""
    """What the Sentinels call the primary."""
    db: int = 0
    login: Login = Login()
    sentinel_login: Login = Login()
    tls: Tls | None = None
    """None: no TLS."""


def parse_location(url: str) -> RedisLocation:
    """The location a URL names. Raises ValueError saying what is wrong, never quoting."""
    if not url.isprintable() or " " in url:
        _refuse("holds a blank or a control character; percent-encode what belongs to a password")
    try:
        parts = urlsplit(url)
    except ValueError:
        _refuse("cannot be read as a URL; percent-encode special characters of a password")
    if parts.scheme not in _SCHEMES:
        _refuse(f"begins with nothing that is known; write memory://, {FORMS}")
    if parts.fragment or url.endswith("#"):
        _refuse("holds a #; in a password it is written %23")
    kind, is_tls = _SCHEMES[parts.scheme]
    options = _parameters(parts.query, (*_PARAMETERS[kind], *(_TLS_PARAMETERS if is_tls else ())))
    login, _, written = parts.netloc.rpartition("@")
    hosts = () if kind == "socket" else _hosts(kind, written)
    path, service, db = _path(kind, parts, options)
    return RedisLocation(
        kind,
        url,
        hosts,
        path,
        service,
        db,
        _login(login),
        Login(options.get("sentinel_user"), options.get("sentinel_password")),
        Tls(*map(options.get, _TLS_PARAMETERS)) if is_tls else None,
    )


def _refuse(message: str) -> NoReturn:
    raise ValueError(message) from None


def _parameters(query: str, known: tuple[str, ...]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True)
    except ValueError:
        _refuse("has something after ? that is no parameter; in a password a ? is written %3F")
    if any(name not in known for name, _ in pairs):
        takes = f"takes {', '.join(known)}" if known else "takes none"
        _refuse(f"has a parameter after ? that is not known: this kind of URL {takes}")
    return dict(pairs)


def _path(kind: Kind, parts: SplitResult, options: Mapping[str, str]) -> tuple[str, str, int]:
    """The socket's path, the service's name, and the database's number."""
    steps = [unquote(step) for step in parts.path.split("/")[1:] if step]
    match kind:
        case "socket":
            if parts.netloc.rpartition("@")[2] or not steps:
                _refuse("names no socket; write unix:///run/redis.sock, with three slashes")
            return unquote(parts.path), "", _db(options.get("db", "0"))
        case "sentinel":
            if len(steps) not in (1, 2):
                _refuse(
                    "names no service; write redis+sentinel://HOST:PORT/SERVICE, and /DB after it if not 0"
                )
            return "", steps[0], _db(steps[1]) if len(steps) == 2 else 0
        case "cluster":
            if steps:
                _refuse("names a database, and a Cluster has only one; end it after the hosts")
            return "", "", 0
        case "server":
            if len(steps) > 1:
                _refuse("has more than a database's number after the host; write redis://HOST:PORT/DB")
            return "", "", _db(steps[0]) if steps else 0


def _db(written: str) -> int:
    if not written.isascii() or not written.isdecimal() or len(written) > 5:
        _refuse("has a database that is no number; write one such as 0, at the end of the URL")
    return int(written)


def _hosts(kind: Kind, written: str) -> tuple[Host, ...]:
    hosts = tuple(
        _host(one, SENTINEL_PORT if kind == "sentinel" else REDIS_PORT) for one in written.split(",")
    )
    if kind == "server" and len(hosts) > 1:
        _refuse("names several hosts; for Sentinels write redis+sentinel://, for a Cluster redis+cluster://")
    return hosts


def _host(written: str, default: int) -> Host:
    """`host`, `host:port` or `[address]:port`."""
    name, bracket, rest = (
        written.removeprefix("[").partition("]") if written.startswith("[") else ("", "", "")
    )
    if not bracket:
        name, colon, port = written.partition(":")
    else:
        _, colon, port = rest.partition(":")
        if rest and not rest.startswith(":"):
            name = ""
    if not name or not name.isascii() or (colon and not _is_port(port)):
        _refuse(
            "has a host or port that cannot be read; write HOST:PORT, and percent-encode a password's : / @ ,"
        )
    return name, int(port) if colon else default


def _is_port(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) <= 5 and 0 < int(written) <= MAX_PORT


def _login(written: str) -> Login:
    user, _, password = written.partition(":")
    return Login(unquote(user) or None, unquote(password) or None)
