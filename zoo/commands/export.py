"""`python -m zoo export`: writes a checkpoint in the formats of other tools."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UserError
from zoo.exchange import ARPA_WRITTEN_SUFFIXES, SAFETENSORS_SUFFIX, STABLEHLO_SUFFIX

if TYPE_CHECKING:
    from zoo.models.trained import Checkpoint

SUMMARY = "write a checkpoint as safetensors, StableHLO or ARPA"
EXAMPLES = """\
examples:
  python -m zoo export runs/lstm lstm.safetensors     weights, config and vocabulary in one file
  python -m zoo export runs/lstm lstm.stablehlo       a program for CPU, GPU and TPU
  python -m zoo export runs/kneser_ney kn5.arpa.gz    an n-gram model, for KenLM and SRILM
  python -m zoo evaluate kn5.arpa.gz --text=notes.txt

A .safetensors or ARPA file can be given in place of a checkpoint to every command that uses or
measures a model, such as generate and evaluate. The ARPA file may come from another toolkit (.arpa
or .lm; plain, .gz or .bz2). A .stablehlo file runs with jax alone; lstm.stablehlo.json, beside it,
describes its inputs and outputs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a released name, run or file")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="name with the ending .safetensors, .stablehlo, .arpa or .arpa.gz",
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the file.

    Raises:
        UserError: if the checkpoint has no such format, or the file cannot be written.
    """
    known = (SAFETENSORS_SUFFIX, STABLEHLO_SUFFIX, *ARPA_WRITTEN_SUFFIXES)
    if not arguments.file.endswith(known):
        raise UserError(
            f"{arguments.file} has an unknown ending; end the name with one of {', '.join(known)}"
        )
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    if arguments.file.endswith(SAFETENSORS_SUFFIX):
        _write_safetensors(arguments.file, checkpoint)
    elif arguments.file.endswith(STABLEHLO_SUFFIX):
        from zoo.exchange.stablehlo import describing, write_stablehlo

        write_stablehlo(arguments.file, checkpoint)
        print(f"{describing(Path(arguments.file))}: its inputs, outputs and vocabulary")
    else:
        _write_arpa(arguments.file, checkpoint)
    size = Path(arguments.file).expanduser().stat().st_size
    print(f"{arguments.file}: {size / 1e6:.1f} MB")


def _write_safetensors(file: str, checkpoint: "Checkpoint") -> None:
    from zoo.exchange.safetensors_file import StoredModel, write_safetensors
    from zoo.training.release import without_paths

    model = StoredModel(
        step=checkpoint.step,
        params=checkpoint.params,
        config=without_paths(checkpoint.config),
        vocabulary=checkpoint.vocabulary_record,
        progress=checkpoint.progress,
    )
    write_safetensors(file, model)


def _write_arpa(file: str, checkpoint: "Checkpoint") -> None:
    from zoo.exchange.arpa import write_arpa

    architecture = checkpoint.config["model"]["architecture"]
    if architecture != "ngram_lm":
        raise UserError(
            f"{checkpoint.name} has the architecture {architecture}, which has no ARPA format; end "
            "the name of the file with .safetensors, or export an n-gram model"
        )
    write_arpa(file, checkpoint.params, checkpoint.vocabulary)
