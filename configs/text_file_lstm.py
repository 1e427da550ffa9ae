"""A character LSTM on any UTF-8 text.

    python train.py --config=configs/text_file_lstm.py --config.data.directory=FILE --workdir=DIR

FILE is one file, split 90/5/5 by position, or a directory with train.txt, valid.txt and test.txt.
"""

from ml_collections import ConfigDict

import zoo
from zoo.training.config import leave_open


def get_config() -> ConfigDict:
    """Configures the default model for the user's corpus; rare characters are unknown."""
    config = zoo.config("python_docs_lstm")
    config.data.corpus = "text_file"
    config.data.min_count = 2
    config.evaluation.patience = 5
    leave_open(config)
    return config
