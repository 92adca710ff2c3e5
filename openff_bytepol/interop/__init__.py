"""Interfaces to OpenMM, GROMACS, AMBER and the published ByteFF-Pol files."""
