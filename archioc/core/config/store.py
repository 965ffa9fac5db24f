"""The store block: where samples are archived, and the secrets for it."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from archioc.core.config.value_types import Block, Duration, FilePath, Secret, at_least, between
from archioc.core.errors import ConfigError

MIN_RETENTION_S = 3600
"""InfluxDB takes no retention below an hour."""


class InfluxVersion(StrEnum):
    """How an InfluxDB is written to."""

    AUTO = "auto"
    V1 = "v1"
    V2 = "v2"


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("must be a URL such as http://host:8086") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password; there are keys of their own for them")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_fits or re.search(r"\s", text):
        raise ValueError("must be a URL such as http://host:8086")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path")
    return text.rstrip("/")


def _named(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("must be a name that can be printed")
    return text


_Name = Annotated[str, AfterValidator(_named)]
_Retention = Annotated[Duration, at_least(MIN_RETENTION_S, "s")]


class Create(StrEnum):
    """When a missing database or bucket is made."""

    FIRST = "first"
    ALWAYS = "always"


class InfluxStore(Block):
    """An InfluxDB server, 1.6 or later."""

    url: Annotated[str, AfterValidator(_url)]
    """Address of the server, such as `http://host:8086`; without user and password."""

    org: str = ""
    """Organisation (2.x and later); empty for 1.x."""

    bucket: _Name
    """Bucket; in 1.x the database, or `database/retention policy`."""

    token: Secret | None = None
    """API token, or `${NAME}` for an environment variable."""

    token_file: FilePath | None = None
    """File that holds the API token; read at use, so a new token needs no restart."""

    username: _Name | None = None
    """User of a 1.x server that asks for one."""

    password: Secret | None = None
    """Password of `username`, or `${NAME}` for an environment variable."""

    password_file: FilePath | None = None
    """File that holds the password of `username`; read at use."""

    retention: _Retention | None = None
    """How long samples are kept (duration, at least 1h; plain numbers are seconds); left out: what the server has."""

    create: Create = Create.FIRST
    """A missing database or bucket is made at the `first` start only; `always`: also where one that was there is gone."""

    replication: Annotated[int, Field(ge=1, le=99)] | None = None
    """Copies of each sample (1.x and clusters, 1 to 99) in a database or policy that is made; left out: what the server has."""

    version: InfluxVersion = InfluxVersion.AUTO
    """`v1` writes to `/write`, `v2` to `/api/v2/write` (1.8, 2.x, 3.x); `auto` asks the server."""

    timeout: Annotated[Duration, between(0.1, 3600, "s")] = 30.0
    """Longest wait for an answer (duration, 0.1s to 1h; plain numbers are seconds)."""

    verify_tls: bool = True
    """Check the certificate of an https server."""

    ca_file: FilePath | None = None
    """Certificates (PEM) to trust instead of those of the system."""

    gzip: bool = True
    """Compress what is sent."""

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file are both given; one is enough")
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given; one is enough")
        has_password = self.password is not None or self.password_file is not None
        if has_password != (self.username is not None):
            raise ValueError("username and a password (password or password_file) go together")
        if has_password and (self.token is not None or self.token_file is not None):
            raise ValueError("a token and a username are both given; one way to log in is enough")
        return self

    def secret_token(self) -> str | None:
        """The API token, None when there is none. Raises ConfigError when its file cannot be used."""
        return _secret_text("store.influxdb.token_file", self.token, self.token_file)

    def secret_password(self) -> str | None:
        """The password, None when there is none. Raises ConfigError when its file cannot be used."""
        return _secret_text("store.influxdb.password_file", self.password, self.password_file)


class EmbeddedStore(Block):
    """The store that comes with ArchIOC, for one machine."""

    directory: FilePath = Field(default=Path("store"), validate_default=False)
    """Where its files lie; left out: `store` in the state directory."""

    retention: _Retention | None = None
    """How long samples are kept (duration, at least 1h; plain numbers are seconds); left out: for ever."""


def _block_if_named(value: object) -> object:
    return {} if value is None else value


class Store(Block):
    """Where samples are archived: one of the two, the embedded store when neither is named."""

    influxdb: Annotated[InfluxStore | None, BeforeValidator(_block_if_named)] = Field(default=None, validate_default=False)
    """Archive in an InfluxDB server."""

    embedded: Annotated[EmbeddedStore | None, BeforeValidator(_block_if_named)] = Field(default=None, validate_default=False)
    """Archive in files of our own; this is the default."""

    @model_validator(mode="before")
    @classmethod
    def _embedded_by_default(cls, value: object) -> object:
        if value is None:
            return {"embedded": {}}
        if isinstance(value, dict) and not {"influxdb", "embedded"} & value.keys():
            return {**value, "embedded": {}}
        return value

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        if self.influxdb is not None and self.embedded is not None:
            raise ValueError("influxdb and embedded are both given; choose one")
        return self

    def with_embedded_in(self, state_dir: Path) -> Self:
        """The block with the embedded store's default directory placed in the state directory."""
        if self.embedded is None:
            return self
        # A directory that the file gave is absolute already, and stays what it is.
        embedded = self.embedded.model_copy(update={"directory": state_dir / self.embedded.directory})
        return self.model_copy(update={"embedded": embedded})


def _secret_text(key: str, secret: SecretStr | None, file: Path | None) -> str | None:
    if file is None:
        return secret.get_secret_value() if secret is not None else None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is not UTF-8 text"
        raise ConfigError(file, None, key, f"cannot be read: {reason}") from None
    if not text:
        raise ConfigError(file, None, key, "the file is empty")
    return text
