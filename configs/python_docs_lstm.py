"""The default model: a character LSTM on the language manual inside every Python.

python train.py --config=configs/python_docs_lstm.py --workdir=runs/python_docs_lstm
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """Configures one layer of 256, which takes three to four minutes on 2 cores."""
    config = base_config("recurrent_lm")
    config.data.corpus = "python_docs"
    config.data.batch_size = 32
    config.data.sequence_length = 64
    config.data.random_offset = True
    config.model.cell = "lstm"
    config.model.embedding_size = 64
    config.model.hidden_sizes = (256,)
    config.model.output_dropout_rate = 0.1
    config.optimizer.learning_rate = 4e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 100
    config.training.num_steps = 3000
    config.training.log_every_steps = 100
    config.training.checkpoint_every_steps = 500
    config.evaluation.every_steps = 500
    config.evaluation.num_streams = 8
    return config
