"""Which part of Python is a sentence of its manual about? The corpus is inside Python.

    python train.py --config=configs/python_docs_topics_classifier.py --workdir=runs/topics

Try --config.model.pooling=last|mean|max|attention and --config.model.cell=elman|gru|lstm|none.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 49  # 1,594 sentences in batches of 32
NUM_EPOCHS = 12


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 64 with max pooling and dropout."""
    config = base_config("classifier")
    config.data.vocabulary_size = 4000
    config.model.embedding_size = 64
    config.model.hidden_sizes = (64,)
    config.model.head_size = 64
    config.model.word_dropout_rate = 0.2
    config.model.embedding_dropout_rate = 0.2
    config.model.pooled_dropout_rate = 0.4
    config.optimizer.learning_rate = 3e-3
    config.optimizer.schedule = "cosine"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 4 * STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
