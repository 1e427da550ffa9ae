"""The same captions by a Transformer.

    python train.py --config=configs/multi30k_transformer.py \
        --config.data.directory=DIR --workdir=runs/multi30k_transformer

DIR and the extras are the same as for multi30k_attention.py.
"""

from ml_collections import ConfigDict

import zoo


def get_config() -> ConfigDict:
    """Configures three layers of 256 on either side, four heads and one shared embedding matrix."""
    config = zoo.config("multi30k_attention")
    config.model.encoder = "transformer"
    config.model.decoder = "transformer"
    config.model.hidden_size = 256
    config.model.num_layers = 3
    config.model.inner_size = 512
    config.model.share_embeddings = True
    config.model.tie_embeddings = True
    config.model.embedding_dropout_rate = 0.2
    config.model.layer_dropout_rate = 0.2
    config.model.output_dropout_rate = 0.0
    return config
