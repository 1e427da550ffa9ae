"""Which role does each name in Python source play? The corpus is the library inside Python.

    python train.py --config=configs/python_source_roles_tagger.py --workdir=runs/roles

Try --config.model.output=softmax|crf, --config.model.characters=none|recurrent|convolution and
--config.model.cell=elman|gru|lstm. The corpus has no keywords, marks and numbers, so the tagger has
to guess a role from the spelling of a name and from its neighbours.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 248  # 15,918 sentences in batches of 64
NUM_EPOCHS = 6


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 64, a convolution over characters, and a CRF."""
    config = base_config("tagger")
    config.data.bucket_lengths = (12, 24, 40)
    config.data.batch_size = 64
    config.data.min_count = 8
    config.model.embedding_size = 64
    config.model.hidden_sizes = (64,)
    config.model.characters = "convolution"
    config.model.character_size = 50
    config.model.word_dropout_rate = 0.05
    config.model.embedding_dropout_rate = 0.2
    config.model.output_dropout_rate = 0.2
    config.optimizer.learning_rate = 5e-3
    config.optimizer.schedule = "cosine"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 2 * STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
