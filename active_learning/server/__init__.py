"""An embedded QCArchive: PostgreSQL, QCFractal and compute managers in one folder.

For users without a server of their own. Everything listens on the loopback interface or a
local socket only, lives in the campaign's folder, and is found again after a crash.
"""

from __future__ import annotations

from active_learning.server.control import (
    EmbeddedServer,
    ServerStatus,
    server_status,
    start_server,
    stop_server,
)

__all__ = [
    "EmbeddedServer",
    "ServerStatus",
    "server_status",
    "start_server",
    "stop_server",
]
