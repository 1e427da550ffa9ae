"""The same captions without attention, through one vector (the bottleneck).

    python train.py --config=configs/multi30k_no_attention.py \
        --config.data.directory=DIR --workdir=runs/multi30k_no_attention

DIR and the extras are the same as for multi30k_attention.py.
"""

from ml_collections import ConfigDict

import zoo


def get_config() -> ConfigDict:
    """Configures a decoder without attention, which reads the source's vector at every step."""
    config = zoo.config("multi30k_attention")
    config.model.context = "vector"
    config.model.reads_vector = True
    return config
