"""A character LSTM on the plays of Shakespeare, 1.1 MB.

    python train.py --config=configs/tiny_shakespeare_lstm.py --workdir=runs/tiny_shakespeare

The text is downloaded, or read from input.txt in --config.data.directory=DIR.
"""

from ml_collections import ConfigDict

import zoo


def get_config() -> ConfigDict:
    """Configures python_docs_lstm for a corpus that is twice as long."""
    config = zoo.config("python_docs_lstm")
    config.data.corpus = "tiny_shakespeare"
    config.training.num_steps = 5000
    return config
