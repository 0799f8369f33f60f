"""The service's settings: from the command line, `DISPOSISI_*` variables or a TOML file, checked before it starts.

The command line beats the environment, the environment beats the file, the file beats the defaults.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from data.errors import DisposisiError

PREFIX = "DISPOSISI_"
FILE_VARIABLE = "DISPOSISI_SETTINGS"
_VALUE_SHOWN = 60
# A webhook's address may carry a key, a database URL a password.
_NEVER_SHOWN = {"database", "webhook_url", "webhook_secret"}
_SECRET_BYTES = (24, 64)


class BadSettings(DisposisiError):
    """Settings the service can't start with; `problems` holds a line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        title = f"{count} problem{'s' if count != 1 else ''} in the settings:"
        super().__init__("\n".join([title, *(f"  {problem}" for problem in self.problems)]))


def is_loopback(name: str) -> bool:
    """Whether a host's name or address (without brackets or port) is this machine's own."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _not_a_truth(value: object) -> object:
    """Pydantic would take `true` for 1."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


Whole = Annotated[int, BeforeValidator(_not_a_truth)]
Share = Annotated[float, BeforeValidator(_not_a_truth)]


class Settings(BaseSettings):
    """What the operator decides. Made by `load_settings`, which turns every problem into one `BadSettings`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_ignore_empty=True, hide_input_in_errors=True
    )

    bundle: Path = Field(
        Path("var/bundles/default"), description="The model's folder, a registry (its champion) or registry@alias."
    )
    region: str | None = Field(
        None, min_length=1, description="Region of complaints that name none; without it, the bundle's."
    )
    database: str = Field(
        "var/disposisi.db", min_length=1, repr=False, description="Where cases are kept; shared by all workers."
    )
    host: str = Field("127.0.0.1", min_length=1, max_length=253, description="Address to listen on.")
    port: Whole = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: Whole = Field(
        1, ge=1, le=64, description="Processes that answer behind one port; they share the model's memory."
    )
    webhook_url: HttpUrl | None = Field(None, repr=False, description="Where events are sent, one POST each.")
    webhook_secret: SecretStr | None = Field(
        None, validate_default=True, description="Key that signs the events; set it if the address is set, else not."
    )
    largest_body_bytes: Whole = Field(
        4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Largest body of a request, in bytes."
    )
    most_in_flight: Whole = Field(
        256, ge=1, le=10_000, description="Requests under way in one process; what comes beyond gets 503 at once."
    )
    requests_per_minute: Whole = Field(
        6000, ge=1, le=1_000_000, description="Requests a minute that each key may send; what comes beyond gets 429."
    )
    log_format: Literal["json", "text"] = Field("json", description="How log lines on standard error look.")
    secure_cookies: bool = Field(
        False, description="Whether cookies travel over TLS only; true once the desk stands behind TLS."
    )
    keep_retention: bool = Field(
        True, description="Whether texts past their keeping time are emptied, once a day, by the server."
    )
    blind_share: Share = Field(
        0.03, ge=0, le=1, description="Share of waiting cases that a moderator decides without seeing the suggestion."
    )
    audit_share: Share = Field(
        0.03, ge=0, le=1, description="Share of cases routed alone that a moderator checks without seeing where to."
    )
    shadow_bundle: Path | None = Field(
        None, description="A challenger that answers too, for comparison: its folder or registry@challenger."
    )
    drain_seconds: Whole = Field(
        10, ge=0, le=600, description="Seconds that requests under way get to finish when the service is stopped."
    )

    @field_validator("webhook_url")
    @classmethod
    def _is_safe_to_send_to(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and url.scheme != "https" and not is_loopback((url.host or "").strip("[]")):
            raise ValueError("events would travel unencrypted")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _signs_for_a_webhook(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if secret and not _is_webhook_secret(secret.get_secret_value()):
            raise ValueError("not a Standard Webhooks secret")
        # An address that was refused is missing here; it has its own problem.
        if "webhook_url" in info.data and bool(secret) != bool(info.data["webhook_url"]):
            raise ValueError("address and secret belong together")
        return secret


def load_settings(file: Path | None = None, **given: Any) -> Settings:
    """The settings, from `file` (or the one `DISPOSISI_SETTINGS` names), the environment, and `given` by command line.

    A given value of None counts as not given, an empty variable as not set. Raises `BadSettings` with every problem.
    Whether bundle, region and database can be used is for those who open them to say.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if not given.keys() <= Settings.model_fields.keys():
        raise TypeError(f"no such settings: {sorted(given.keys() - Settings.model_fields.keys())}")
    named = os.environ.get(FILE_VARIABLE)
    if file is None and named:
        file = Path(named)
    in_file, problems = _read_file(file) if file else ({}, [])
    environment = EnvSettingsSource(Settings)()
    problems += [_misspelt(name) for name in _unknown_variables()]
    problems += [_misspelt(name, file) for name in in_file if name not in Settings.model_fields]
    known = {name: value for name, value in in_file.items() if name in Settings.model_fields}
    merged = {**known, **environment, **given}
    sources = {
        **{name: f"{name} in {file}" for name in known},
        **{name: _variable(name) for name in environment},
        **{name: f"--{name.replace('_', '-')}" for name in given},
    }
    settings, refused = _validate(merged)
    if "webhook_url" in refused and "webhook_secret" not in {*merged, *refused}:
        refused.append("webhook_secret")  # an address that won't do needs its secret all the same
    problems += [_problem(name, merged, sources) for name in refused]
    if problems or settings is None:
        raise BadSettings(problems)
    return settings


def settings_table() -> list[tuple[str, str, str]]:
    """Each setting's variable, its default and a description with what is expected, in the order of `Settings`."""
    return [
        (_variable(name), _default(name) or "none", f"{(field.description or '').rstrip('.')} ({_expected(name)}).")
        for name, field in Settings.model_fields.items()
    ]


def _validate(merged: dict[str, Any]) -> tuple[Settings | None, list[str]]:
    """The settings, or the names of those that won't do.

    What Pydantic says is left behind here, so that no error that goes up holds a secret.
    """
    try:
        return Settings(**merged), []
    except ValidationError as error:
        return None, list(dict.fromkeys(str(item["loc"][0]) for item in error.errors(include_input=False)))


def _read_file(file: Path) -> tuple[dict[str, Any], list[str]]:
    """What a TOML file says, and what is wrong with the file as a whole."""
    try:
        if not file.is_file():
            return {}, [f"{file} is no file. Name a TOML file with --settings or {FILE_VARIABLE}, or leave both out."]
        return TomlConfigSettingsSource(Settings, file).toml_data, []
    except OSError as error:
        return {}, [f"{file} can't be read ({error.strerror}). Let the service's user read it."]
    except UnicodeDecodeError:
        return {}, [f"{file} is not UTF-8. Save it as UTF-8."]
    except tomllib.TOMLDecodeError as error:
        # Its text says what the parser missed and where, and may repeat a key, never a value.
        return {}, [f'{file} is not TOML: {error}. A line looks like: port = 8000, or: host = "127.0.0.1".']


def _unknown_variables() -> list[str]:
    known = {FILE_VARIABLE, *(_variable(name) for name in Settings.model_fields)}
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)


def _misspelt(name: str, file: Path | None = None) -> str:
    """A line for a variable, or a key of the file, that is no setting. Its value may be a secret and isn't shown."""
    bare = name.lower() if file else name.lower().removeprefix(PREFIX.lower())
    near = get_close_matches(bare, Settings.model_fields) or list(Settings.model_fields)
    known = " or ".join(near if file else map(_variable, near))
    return f"{name}{f' in {file}' if file else ''} is no setting; expected {known}. Correct it, or take it out."


def _problem(name: str, merged: dict[str, Any], sources: dict[str, str]) -> str:
    """One line: the name as the operator wrote it, the value unless it may be secret, what is expected, the way out."""
    source = sources.get(name, _variable(name))
    if name == "webhook_secret" and not merged.get("webhook_url"):
        return f"{source} is set, but webhook_url is not. Set {_variable('webhook_url')} too, or take the secret out."
    if name == "webhook_secret" and name not in merged:
        return (
            f"{source} is missing, but webhook_url is set; expected {_expected(name)}. Set it, or take the address out."
        )
    value = f"is {_shown(merged[name])}" if name not in _NEVER_SHOWN else "won't do (its value is not shown)"
    default = f" for {_default(name)}" if _default(name) else ""
    return f"{source} {value}; expected {_expected(name)}. Correct it, or leave it out{default}."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}..."


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _default(name: str) -> str:
    """A default as one would write it; empty if there is none."""
    default = Settings.model_fields[name].default
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


_EXPECTED = {
    "bundle": "the path of a folder",
    "region": "a region's code, such as kab-tangerang",
    "database": "an SQLite file, or a database URL such as postgresql+psycopg://user:password@host/name",
    "host": "an IP address or a name of this machine",
    "shadow_bundle": "the path of a folder, or registry@alias",
    "webhook_url": "an https address, or an http address of this machine itself",
    "webhook_secret": "whsec_ and the base64 of {} to {} random bytes".format(*_SECRET_BYTES),
}


def _expected(name: str) -> str:
    """What a setting's value must look like, with its bounds."""
    if name in _EXPECTED:
        return _EXPECTED[name]
    field = Settings.model_fields[name]
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (int, float):
        least = next(item.ge for item in field.metadata if hasattr(item, "ge"))
        most = next(item.le for item in field.metadata if hasattr(item, "le"))
        return f"a {'whole ' if field.annotation is int else ''}number from {least} to {most}"
    return " or ".join(get_args(field.annotation))


def _is_webhook_secret(text: str) -> bool:
    """Whether it is a secret as Standard Webhooks writes symmetric ones: whsec_ and the base64 of 24 to 64 bytes."""
    prefix, _, encoded = text.partition("_")
    try:
        length = len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return False
    return prefix == "whsec" and _SECRET_BYTES[0] <= length <= _SECRET_BYTES[1]
