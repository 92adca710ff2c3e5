"""Second-generation ALMO-EDA (https://doi.org/10.1039/C6CP03784D) on PySCF.

Closed shells, any number of fragments, Hartree-Fock and Kohn-Sham with hybrids, range
separation, meta-GGA, VV10, D3(BJ) and D4, with exact or density-fitted integrals.
"""

from openff_bytepol.qm.almo.decompose import decompose

__all__ = ["decompose"]
