"""Programs for QCEngine that it lacks: PySCF, tblite, AIMNet2, ALMO-EDA, Psi4 before 1.4.

`register` adds them to QCEngine in this process. Compute managers start QCEngine with a
bare ``python3``; `launcher` writes one that registers first.
"""

from __future__ import annotations

from active_learning.programs.launcher import register, write_launcher

__all__ = ["register", "write_launcher"]
