"""Connections to a QCArchive server: embedded, or any other by address.

Credentials come from the environment, ``BYTEPOL_QCARCHIVE_TOKEN``, or
``BYTEPOL_QCARCHIVE_USERNAME`` with ``BYTEPOL_QCARCHIVE_PASSWORD``, or else from the system's
keyring (``keyring set openff-bytepol ADDRESS`` holds a token). They are never written down.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from active_learning.server.layout import ServerSettings
from openff_bytepol.exceptions import DataError, MissingDependencyError, ServerError

Result = TypeVar("Result")
EMBEDDED = "embedded"
_PREFIX = "BYTEPOL_QCARCHIVE_"


def check_address(address: str) -> None:
    """Refuse addresses that are not http(s) or carry credentials.

    Raises
    ------
    DataError
        With the remedy.
    """
    if address == EMBEDDED:
        return
    parts = urlsplit(address)
    if parts.username or parts.password:
        raise DataError(
            f"the address of {parts.hostname} holds credentials; give them by {_PREFIX}TOKEN, or "
            f"{_PREFIX}USERNAME and {_PREFIX}PASSWORD, in the environment"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise DataError(f"'{address}' is no server: use 'embedded', https://… or http://…")


class Connection:
    """Calls a server, connecting when needed and again after failures.

    Parameters
    ----------
    address
        ``embedded``, or that of a server.
    folder
        Of the embedded server.
    size
        Of the embedded server.
    verify
        Check TLS certificates.
    """

    def __init__(
        self, address: str, folder: Path, size: ServerSettings, *, verify: bool = True
    ) -> None:
        check_address(address)
        self._address = address
        self._folder = folder
        self._size = size
        self._verify = verify
        self._client: Any = None

    @property
    def name(self) -> str:
        """Address without credentials, for provenance."""
        return self._address

    def call(self, function: Callable[[Any], Result]) -> Result:
        """Result of a function of the client, on a second connection if the first is lost.

        Raises
        ------
        ServerError
            If the server cannot be reached, or refuses the call.
        """
        connected = self._client is not None
        try:
            return self._attempt(function)
        except _lost_connections() as error:
            self._client = None
            if not connected:
                raise self._unreachable(error) from None
        try:
            return self._attempt(function)
        except _lost_connections() as error:
            self._client = None
            raise self._unreachable(error) from None

    def _attempt(self, function: Callable[[Any], Result]) -> Result:
        try:
            if self._client is None:
                self._client = self._connect()
            return function(self._client)
        except _refusals() as error:
            raise ServerError(f"{self.name}: {_without_secrets(str(error))}") from None

    def _unreachable(self, error: Exception) -> ServerError:
        return ServerError(
            f"{self.name}: no connection ({type(error).__name__}); is the server up and the "
            "address right?"
        )

    def _connect(self) -> Any:
        try:
            from qcportal import PortalClient
        except ImportError as error:
            raise MissingDependencyError(
                "labels from QCArchive need qcportal: pip install 'openff-bytepol[qc]'"
            ) from error
        if self._address == EMBEDDED:
            from active_learning.server.control import start_server

            server = start_server(self._folder, self._size)
            return PortalClient(server.uri, show_motd=False)
        _knock(self._address)
        return PortalClient(
            self._address, verify=self._verify, show_motd=False, **credentials(self._address)
        )


def _knock(address: str) -> None:
    """Fail at once where nothing listens; the client would try for a minute."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=10).close()
    except OSError as error:
        raise ConnectionError(str(error)) from None


def credentials(address: str) -> dict[str, str]:
    """Arguments of ``PortalClient``; empty for guests."""
    token = os.environ.get(f"{_PREFIX}TOKEN")
    username = os.environ.get(f"{_PREFIX}USERNAME")
    password = os.environ.get(f"{_PREFIX}PASSWORD")
    if token:
        if not token.startswith("qcf_"):
            raise DataError(f"{_PREFIX}TOKEN is no API token of QCFractal; those begin with qcf_")
        return {"api_token": token}
    if username and password:
        return {"username": username, "password": password}
    if username or password:
        raise DataError(f"set both {_PREFIX}USERNAME and {_PREFIX}PASSWORD, or neither")
    try:
        import keyring
    except ImportError:
        return {}
    stored = keyring.get_password("openff-bytepol", address)
    return {"api_token": stored} if stored else {}


def _without_secrets(text: str) -> str:
    for name in ("TOKEN", "PASSWORD"):
        secret = os.environ.get(_PREFIX + name)
        if secret:
            text = text.replace(secret, "***")
    return text


def _lost_connections() -> tuple[type[Exception], ...]:
    from qcportal.client_base import AllowedConnectionExceptions

    return tuple(AllowedConnectionExceptions)


def _refusals() -> tuple[type[Exception], ...]:
    from qcportal.client_base import PortalRequestError
    from qcportal.exceptions import AuthenticationFailure, UserReportableError

    return (PortalRequestError, AuthenticationFailure, UserReportableError)
