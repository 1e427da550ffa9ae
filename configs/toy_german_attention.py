"""From a small German, made by a grammar, to English; its alignments are known.

    python train.py --config=configs/toy_german_attention.py --workdir=runs/toy_german

--config.model.encoder and --config.model.decoder=feedforward|elman|gru|lstm|transformer,
--config.model.context=vector|attention, --config.model.score=dot|scaled_dot|bilinear|additive.
Verb-initial and verb-final targets: --config.data.corpus=toy_verb_initial
--config.data.source_language=en --config.data.target_language=vso, or toy_verb_final and sov.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 156  # 10,000 pairs in batches of 64
NUM_EPOCHS = 10


def get_config() -> ConfigDict:
    """A bidirectional GRU of 2 x 64 reads, a GRU of 128 writes, with additive attention."""
    config = base_config("encoder_decoder")
    config.model.embedding_size = 128
    config.model.hidden_size = 128
    config.model.inner_size = 256
    config.model.output_dropout_rate = 0.1
    config.data.bucket_lengths = (16, 28, 42)  # the longest pair; few, for each is compiled
    config.optimizer.learning_rate = 3e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 100
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 5 * STEPS_PER_EPOCH
    config.evaluation.every_steps = 2 * STEPS_PER_EPOCH
    return config
