"""The recurrent language model of Mikolov et al. 2010 on the Penn Treebank, by truncated BPTT.

    python train.py --config=configs/penn_treebank_rnn_bptt.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_rnn_bptt

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt. --config.model.truncation=35 goes further
back. penn_treebank_rnn_bp.py has the same model with plain backpropagation.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 1_327  # 929,589 tokens in 20 streams, in chunks of 35
NUM_EPOCHS = 9


def get_config() -> ConfigDict:
    """Configures an Elman network of 200 units whose gradients go 5 steps back.

    Recurrent kernels have no weight decay, because it would shrink the memory of the network, which
    is its advantage over n-grams.
    """
    config = base_config("recurrent_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "word"
    config.data.batch_size = 20
    config.data.sequence_length = 35
    config.data.random_offset = True
    config.model.cell = "elman"
    config.model.embedding_size = 200
    config.model.hidden_sizes = (200,)
    config.model.truncation = 5
    config.model.tie_embeddings = True
    config.model.output_dropout_rate = 0.2
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 4e-3
    config.optimizer.weight_decay = 0.1
    config.optimizer.decay_recurrent_kernels = False
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 200
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    config.evaluation.num_streams = 20
    config.evaluation.sample_tokens = 40
    return config
