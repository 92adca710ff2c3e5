"""Models on disk: shipped ones, the user's own, and published ByteFF-Pol checkpoints."""

from openff_bytepol.models.byteff2 import fetch_byteff2, import_byteff2
from openff_bytepol.models.registry import list_models, load_model, predict
from openff_bytepol.models.storage import save_model

__all__ = [
    "fetch_byteff2",
    "import_byteff2",
    "list_models",
    "load_model",
    "predict",
    "save_model",
]
