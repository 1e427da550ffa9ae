"""The default model with another cell: a character GRU on the manual inside every Python.

python train.py --config=configs/python_docs_gru.py --workdir=runs/python_docs_gru
"""

from ml_collections import ConfigDict

import zoo


def get_config() -> ConfigDict:
    """Configures python_docs_lstm with another cell."""
    config = zoo.config("python_docs_lstm")
    config.model.cell = "gru"
    return config
