"""Upstreams and our accounts there: who is sent where, with which key.

An account that was told to slow down rests; the next one is tried meanwhile. Keys are
read from the environment or a file, never from a request, and never shown.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from fnmatch import fnmatchcase
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

from tollbook.config import ANTHROPIC, Config
from tollbook.config import Account as AccountSettings
from tollbook.config import Upstream as Settings
from tollbook.core.control import Key
from tollbook.core.errors import ConfigError
from tollbook.http.exchange import RefusedError
from tollbook.http.hosts import is_loopback

SLOW_DOWN = (429, 529)
"""The statuses of an answer that was not served, and may be asked for elsewhere."""

_KEY_CHARS_MAX = 8192
_KEY = re.compile(r"[!-~]{1,8192}")
_SECONDS = re.compile(r"[0-9]{1,6}", re.ASCII)
_REST_SECONDS_MAX = 3600
_LOOK_SECONDS = 1

Environ = Mapping[str, str]
Ticks = Callable[[], float]


class Account:
    """One key at an upstream.

    Raises:
        ConfigError: There is no key, or it is none.
    """

    def __init__(
        self, place: str, name: str, settings: AccountSettings, *, environ: Environ
    ) -> None:
        self.name = name
        self._place = place
        self._file = settings.key_file
        self._looked_at = time.monotonic()
        self._changed_at = 0
        self.rests_until = 0.0
        if bool(settings.key_env) == bool(settings.key_file):
            _refuse(place, "say where its key is: with key_env or with key_file")
        if settings.key_env:
            text = environ.get(settings.key_env, "").strip()
            if not text:
                _refuse(place, f"the variable {settings.key_env} is empty; set it")
            self._key = _checked(place, text)
        else:
            self._key = self._read()

    def key(self) -> str:
        """The key; a file that changed is read again within a second."""
        now = time.monotonic()
        if self._file and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            with suppress(ConfigError):  # half written, or away: what we know may do
                self._key = self._read()
        return self._key

    def rest(self, retry_after: str | None, usual_seconds: int, now: float) -> None:
        """Leave it alone for as long as it asks for, within limits."""
        asked = retry_after is not None and _SECONDS.fullmatch(retry_after.strip())
        seconds = int(retry_after or 0) if asked else usual_seconds
        self.rests_until = now + min(seconds, _REST_SECONDS_MAX)

    def _read(self) -> str:
        path = os.path.expanduser(self._file)
        try:
            changed_at = os.stat(path).st_mtime_ns
            if changed_at == self._changed_at:
                return self._key
            with open(path, encoding="utf-8") as file:
                text = file.read(_KEY_CHARS_MAX + 2).strip()
        except (OSError, UnicodeDecodeError) as error:
            _refuse(self._place, f"{self._file}: cannot be read; check it ({error!r})")
        self._changed_at = changed_at
        return _checked(self._place, text)


class Upstream:
    """A Messages API of somebody's.

    Raises:
        ConfigError: Its settings cannot be used.
    """

    def __init__(self, name: str, settings: Settings, *, environ: Environ) -> None:
        place = f"upstreams.{name}"
        self.name = name
        self.settings = settings
        self.base = _base(place, settings.base_url)
        if not settings.accounts:
            _refuse(place, f"has no account; add [{place}.accounts.main]")
        self._accounts = [
            Account(f"{place}.accounts.{each}", each, found, environ=environ)
            for each, found in settings.accounts.items()
        ]

    def accounts(self, now: float) -> list[Account]:
        """Those to try, in order; if all rest, the one that has rested longest."""
        awake = [each for each in self._accounts if each.rests_until <= now]
        return awake or [min(self._accounts, key=lambda each: each.rests_until)]

    def undressed(self) -> Upstream:
        """The same one without what the settings say of header lines."""
        bare = copy(self)
        bare.settings = msgspec.structs.replace(
            self.settings, set_headers={}, drop_headers=(), betas=()
        )
        return bare

    def takes(self, key: Key, project: str | None, model: str | None) -> bool:
        """Whether a request belongs here by what it says and who sends it."""
        wanted = self.settings
        return (
            (not wanted.keys or key.id in wanted.keys or key.name in wanted.keys)
            and (not wanted.projects or project in wanted.projects)
            and (
                not wanted.models
                or model is None
                or any(fnmatchcase(model, each) for each in wanted.models)
            )
        )


class Switchboard:
    """Every upstream.

    Args:
        config: The settings.
        environ: Where keys may be.

    Raises:
        ConfigError: An upstream's settings cannot be used.
    """

    def __init__(self, config: Config, environ: Environ = os.environ) -> None:
        stated = config.upstreams or {"anthropic": ANTHROPIC}
        self.upstreams = {
            name: Upstream(name, settings, environ=environ)
            for name, settings in stated.items()
        }

    def route(self, key: Key, project: str | None, model: str | None) -> Upstream:
        """The first upstream that takes a request.

        Raises:
            RefusedError: None does.
        """
        for upstream in self.upstreams.values():
            if upstream.takes(key, project, model):
                return upstream
        text = "no upstream takes this model from this key; see [upstreams] in config"
        raise RefusedError(403, "no_upstream", text)


def _base(place: str, url: str) -> str:
    """Where an upstream is: over TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        secret = parts.username is not None or bool(parts.query or parts.fragment)
        safe = parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))
        parts.port  # noqa: B018 - it looks whether that is a number
    except ValueError:
        host, secret, safe = "", False, False
    if not host or not safe or secret or not url.isascii():
        _refuse(place, f"base_url {url!r}: use https://, or http:// on this machine")
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host)


def _checked(place: str, key: str) -> str:
    if not _KEY.fullmatch(key):
        _refuse(place, "its key is empty, or no single line of plain characters")
    return key


def _refuse(place: str, what: str) -> NoReturn:
    message = f"{place}: {what}"
    raise ConfigError(message)
