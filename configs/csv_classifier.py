"""A classifier of your own texts: any .csv, .tsv or .jsonl file with named columns.

    python train.py --config=configs/csv_classifier.py --config.data.directory=texts.csv \
        --config.data.text_column=text --config.data.label_column=label --workdir=runs/mine

A single file is divided at random. A directory has train.csv, test.csv and perhaps validation.csv.
If a text may have several labels, add --config.data.label_separator=,
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config, leave_open


def get_config() -> ConfigDict:
    """Configures a classifier whose open fields `zoo.tasks.by_size` chooses."""
    config = base_config("classifier")
    config.data.corpus = "table_file"
    config.data.vocabulary_size = 20_000
    config.data.max_tokens = 400
    config.optimizer.schedule = "cosine"
    config.evaluation.patience = 5
    leave_open(config)
    return config
