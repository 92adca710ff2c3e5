"""Properties of liquids: simulation protocols, analysis and estimators over OpenMM."""
