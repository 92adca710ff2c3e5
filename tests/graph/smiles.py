"""Molecules for tests: drugs, rings, ions and unusual bonding."""

DRUG_LIKE = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "Cc1ccc(cc1)-c1cc(nn1-c1ccc(cc1)S(N)(=O)=O)C(F)(F)F",
    "CCCc1nn(C)c2c1nc([nH]c2=O)-c1cc(ccc1OCC)S(=O)(=O)N1CCN(C)CC1",
    "COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1",
    "COc1ccc2[nH]c(nc2c1)S(=O)Cc1ncc(C)c(OC)c1C",
    "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O",
    "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O",
    "CN(C)C(=N)NC(=N)N",
    "COc1ccc(CCN(C)CCCC(C#N)(C(C)C)c2ccc(OC)c(OC)c2)cc1OC",
    "C#Cc1cccc(Nc2ncnc3cc(OCCOC)c(OCCOC)cc23)c1",
    "OCCN1CCN(CCCN2c3ccccc3Sc3ccc(cc32)C(F)(F)F)CC1",
)
RINGS = (
    "C12C3C4C1C5C2C3C45",
    "C1C2CC3CC1CC(C2)C3",
    "c1ccc2c(c1)c1ccccc1-2",
    "c1ccc2cccc-2cc1",
    "C1=CC=CC=CC=C1",
    "C1CCCCCCCCCC1",
    "C1CC1CCC1CC1",
    "C1CN(CCOCCN2CCOCC2)CCO1",
)
IONS = ("[Li+]", "[Na+]", "[Cl-]", "F[P-](F)(F)(F)(F)F", "F[B-](F)(F)F", "CC(=O)[O-]", "C[NH3+]")
UNUSUAL = (
    "CS(=O)C",
    "CS(=O)(=O)[N-]S(=O)(=O)C(F)(F)F",
    "C[N+](=O)[O-]",
    "CN=[N+]=[N-]",
    "CC#N",
    "C=C=C",
    "CN=C=S",
    "[C-]#[N+]C",
    "C#[N+]C",
    "FS(F)(F)(F)(F)F",
    "COP(=O)(OC)OC",
    "[O-]Cl(=O)(=O)=O",
    "O",
    "[H][H]",
)
SUPPORTED = (*DRUG_LIKE, *RINGS, *(s for s in IONS if "B-" not in s), *UNUSUAL)
