"""A small AWD-LSTM on the Penn Treebank: 9.8 million parameters, a bit over two hours on 2 cores.

    python train.py --config=configs/penn_treebank_awd_small.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_awd_small

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

import zoo

STEPS_PER_EPOCH = 331  # 929,589 tokens in 40 streams, in chunks of 70
NUM_EPOCHS = 42


def get_config() -> ConfigDict:
    """Configures layers of 800 and 400 units with the dropout of the large model, and AdamW."""
    config = zoo.config("penn_treebank_awd")
    config.model.hidden_sizes = (800, 400)
    config.model.matmul_dtype = "float32"  # a CPU multiplies float32 faster than bfloat16
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 3e-3
    config.optimizer.momentum = 0.0
    config.optimizer.weight_decay = 0.02
    config.optimizer.warmup_steps = 500
    config.optimizer.schedule = "cosine"
    config.training.averaging = "first_step"
    config.training.averaging_decay = 0.999
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.training.log_every_steps = STEPS_PER_EPOCH
    config.training.steps_per_call = 10
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
