"""``python -m active_learning.programs SCRIPT …`` runs a script that knows the programs."""

from active_learning.programs.launcher import main

main()
