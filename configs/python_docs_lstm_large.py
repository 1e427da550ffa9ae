"""A larger character LSTM on the manual inside every Python.

python train.py --config=configs/python_docs_lstm_large.py --workdir=runs/large
"""

from ml_collections import ConfigDict

import zoo


def get_config() -> ConfigDict:
    """Configures two layers of 512, tied embeddings, and much dropout for the small corpus."""
    config = zoo.config("python_docs_lstm")
    config.data.sequence_length = 128
    config.model.embedding_size = 512
    config.model.hidden_sizes = (512, 512)
    config.model.tie_embeddings = True
    config.model.embedding_dropout_rate = 0.2
    config.model.layer_dropout_rate = 0.5
    config.model.output_dropout_rate = 0.5
    config.model.weight_dropout_rate = 0.3
    config.model.dropout_shares_steps = True
    config.optimizer.learning_rate = 2e-3
    config.training.num_steps = 5000
    return config
