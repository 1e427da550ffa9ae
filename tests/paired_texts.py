"""A config for a translator of a table of pairs."""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict
from tiny_run import file_settings

from zoo.training.config import base_config


def translator_config(table: Path, **settings: Any) -> ConfigDict:
    """A translator of a table, its cache beside it, with settings by their name in the config."""
    config = base_config("encoder_decoder")
    data = {
        **file_settings("parallel_text", table),
        "data.batch_size": 8,
        "model.embedding_size": 4,
        "model.hidden_size": 6,
    }
    config.update_from_flattened_dict(data | settings)
    return config
