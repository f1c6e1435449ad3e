"""What the configuration may say of the admin listener.

Without a token it listens on loopback alone: whoever is on the machine may ask. Any other address wants one.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, model_validator

from gateway.address import Address, parse_address
from gateway.environment import environment, value_of, variable_of
from policies.params import Frozen

OFF: Final = "off"
TOKEN_VARIABLE: Final = "PITH_ADMIN_TOKEN"  # noqa: S105  # the name of a variable
MIN_TOKEN_CHARACTERS: Final = 16


def _read_listen(listen: object) -> object:
    if not isinstance(listen, str):
        raise ValueError(f"value {listen!r}: must be HOST:PORT, such as 127.0.0.1:8081, or off")
    if listen != OFF:
        parse_address(listen)
    return listen


def _read_token(token: object, info: ValidationInfo) -> SecretStr | None:
    """`env:NAME`: the token is there. Silent: PITH_ADMIN_TOKEN if it is set, else there is none."""
    name = TOKEN_VARIABLE if token is None else variable_of(token)
    if name is None:
        raise ValueError("must be env:NAME; the token itself does not belong in a file")
    if token is None and not environment(info).get(name):
        return None
    value = value_of(name, info, remedy="set it, or leave the token out")
    if len(value) < MIN_TOKEN_CHARACTERS or not value.isascii():
        raise ValueError(
            f"environment variable {name}: use at least {MIN_TOKEN_CHARACTERS} ASCII characters, "
            "e.g. the output of `openssl rand -hex 32`"
        )
    return SecretStr(value)


class AdminConfig(Frozen):
    """The admin listener."""

    listen: Annotated[str, BeforeValidator(_read_listen)] = "127.0.0.1:8081"
    """HOST:PORT; port 0 takes any free one; `off`: there is none."""
    token: Annotated[SecretStr | None, BeforeValidator(_read_token), Field(validate_default=True)] = None
    """Written `env:NAME`; silent: PITH_ADMIN_TOKEN where it is set."""

    @model_validator(mode="after")
    def _is_safe(self) -> AdminConfig:
        if self.address is not None and not self.address.is_loopback and self.token is None:
            raise ValueError(
                f"listen is {self.listen!r}, which others reach, and there is no token: "
                f"set {TOKEN_VARIABLE}, or listen on 127.0.0.1"
            )
        return self

    @property
    def address(self) -> Address | None:
        """Where it listens; None when it is off."""
        return None if self.listen == OFF else parse_address(self.listen)


def read_admin(admin: object) -> object:
    """`admin: off` is short for a listener that is off."""
    return {"listen": OFF} if admin == OFF else admin
