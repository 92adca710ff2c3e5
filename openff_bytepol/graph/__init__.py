"""Molecules as graphs: the only place that reads chemistry from RDKit or OpenFF."""

from openff_bytepol.graph.build import GraphOptions, build_graph
from openff_bytepol.graph.graph import MolecularGraph, batch_graphs

__all__ = ["GraphOptions", "MolecularGraph", "batch_graphs", "build_graph"]
