"""Where candidates come from: pools of molecules, their geometries, dimers from liquids."""
