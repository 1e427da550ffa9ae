"""Trains a model: python train.py --config=configs/python_docs_lstm.py --workdir=runs/demo.

Every field of the config can be set by a flag, such as --config.training.num_steps=500. A run that
was stopped (Ctrl-C, SIGTERM) continues when it is started again with the same workdir. An installed
package needs no clone: python -m zoo train python_docs_lstm --workdir=runs/demo does the same, see
zoo/commands/train.py.
"""

import signal

if __name__ == "__main__":  # until run_program takes over, Ctrl-C ends this without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

from zoo.commands import train
from zoo.terminal import run_script

if __name__ == "__main__":
    run_script(lambda: train.main(sys.argv[1:]))
