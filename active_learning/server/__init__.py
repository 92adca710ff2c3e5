"""An embedded QCArchive: PostgreSQL, QCFractal and compute managers in one folder.

For users without a server of their own. Everything listens on the loopback interface or a
local socket only, lives in the campaign's folder, and is found again after a crash. See
`control.start_server`, `control.server_status` and `control.stop_server`.
"""
