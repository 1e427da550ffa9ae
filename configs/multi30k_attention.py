"""Image captions from German to English by a recurrent network with attention.

    python train.py --config=configs/multi30k_attention.py \
        --config.data.directory=DIR --workdir=runs/multi30k_attention

DIR has train.de, train.en, val.de, val.en, test_2016_flickr.de and test_2016_flickr.en
(Multi30k, Elliott et al. 2016). It needs the extras subwords and translation.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 453  # 29,000 pairs in batches of 64
NUM_EPOCHS = 12


def get_config() -> ConfigDict:
    """Configures a bidirectional GRU encoder of 2 x 256, a GRU decoder of 512, and subwords."""
    config = base_config("encoder_decoder")
    config.data.corpus = "multi30k"
    config.data.vocabulary = "subword"
    config.data.vocabulary_size = 6000
    config.data.share_vocabulary = True
    config.data.max_tokens = 60
    config.model.embedding_size = 256
    config.model.hidden_size = 512
    config.model.score = "bilinear"
    config.model.embedding_dropout_rate = 0.3
    config.model.output_dropout_rate = 0.4
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 400
    config.training.label_smoothing = 0.1
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
