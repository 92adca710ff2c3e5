"""Models against quantum-mechanical reference energies."""
