"""A character feed-forward model of Bengio et al. 2003 on the manual inside every Python.

python train.py --config=configs/python_docs_feedforward.py --workdir=runs/python_docs_feedforward
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """Configures a window of 12 characters, 384 hidden units, and Adam with a cosine schedule."""
    config = base_config("feedforward_lm")
    config.data.corpus = "python_docs"
    config.data.batch_size = 32
    config.data.sequence_length = 64
    config.data.random_offset = True
    config.model.window = 12
    config.model.embedding_size = 32
    config.model.hidden_size = 384
    config.model.hidden_dropout_rate = 0.1
    config.optimizer.learning_rate = 4e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 100
    config.training.num_steps = 3000
    config.training.checkpoint_every_steps = 500
    config.evaluation.every_steps = 500
    config.evaluation.num_streams = 8
    return config
