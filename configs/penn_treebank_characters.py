"""A character LSTM on the Penn Treebank: 13.8 million parameters, for one GPU.

    python train.py --config=configs/penn_treebank_characters.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_characters

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt. Published (Merity et al. 2018, "An analysis
of neural language modeling at multiple scales"): 1.175 bits per character on the test split. This
config was not run to its end here.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 261  # 5.02 million characters in 128 streams, in chunks of 150
NUM_EPOCHS = 500


def get_config() -> ConfigDict:
    """Configures the published recipe: three layers, tied embeddings, weight dropout, Adam."""
    config = base_config("recurrent_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "character"
    config.data.batch_size = 128
    config.data.sequence_length = 150
    config.data.random_offset = True
    config.model.cell = "lstm"
    config.model.embedding_size = 200
    config.model.hidden_sizes = (1000, 1000, 200)
    config.model.tie_embeddings = True
    config.model.embedding_dropout_rate = 0.1
    config.model.layer_dropout_rate = 0.25
    config.model.output_dropout_rate = 0.1
    config.model.weight_dropout_rate = 0.5
    config.model.dropout_shares_steps = True
    config.model.matmul_dtype = "bfloat16"
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.weight_decay = 1.2e-6
    config.optimizer.clip_norm = 0.25
    config.optimizer.schedule = "step"
    config.optimizer.decay_factor = 0.1
    config.optimizer.decay_start_steps = 300 * STEPS_PER_EPOCH
    config.optimizer.decay_every_steps = 100 * STEPS_PER_EPOCH
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.steps_per_call = 50
    config.training.log_every_steps = STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 20 * STEPS_PER_EPOCH
    config.evaluation.every_steps = 5 * STEPS_PER_EPOCH
    config.evaluation.num_streams = 64
    return config
