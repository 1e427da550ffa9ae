"""What the published reference implementations call their arrays, in terms of our cells.

Each function takes the arrays of a file (inputs, parameters, first state) by the names there, runs
our cell on them, and gives the outputs `y` and last states by the names there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from zoo.layers.cells import make_cell
from zoo.layers.cells.base import Cell
from zoo.layers.recurrent import Recurrence, recurrence

Arrays = dict[str, Any]
Form = Callable[[Arrays, Arrays, Arrays, str], Arrays]


def run_layer(
    name: str, size: int, params: Arrays, x: Any, carry: Any, scan: str, **more: Any
) -> Recurrence:
    return recurrence(make_cell(name, size, **more), params, x, carry, scan=scan)


def run_given(
    cell: Cell, projected: Any, carry: Any, scan: str, params: Any = None, **changed: Any
):
    """Runs a cell on what its `project` would have made of an input, some methods changed."""
    members = {"project": lambda self, params, inputs: projected, **changed}
    given = type("Given", (type(cell),), members)(**vars(cell))
    batch, steps = jax.tree.leaves(projected)[0].shape[:2]
    dummy = jnp.zeros((batch, steps, 1))
    return recurrence(given, params or {}, dummy, carry, scan=scan)


def last_of(names: str, carry: Any) -> Arrays:
    return {f"final.{name}": array for name, array in zip(names, carry, strict=True)}


def torch_layer(name: str, states: str, x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """torch.nn.RNN and LSTM, and GRU with a second bias inside its reset gate."""
    bias, recurrent = p["bias_ih_l0"], p["bias_hh_l0"]
    size = p["weight_hh_l0"].shape[1]
    params = {"input_kernel": p["weight_ih_l0"].T, "recurrent_kernel": p["weight_hh_l0"].T}
    params["bias"] = bias + recurrent
    if name == "gru":
        params["bias"] = jnp.concatenate([(bias + recurrent)[: 2 * size], bias[2 * size :]])
        params["candidate_bias"] = recurrent[2 * size :]
    result = run_layer(name, size, params, x["x"], tuple(start[s] for s in states), scan)
    return {"y": result.outputs} | last_of(states, result.carry)


def in_our_order(array: Any, order: tuple[int, ...]) -> Any:
    """Blocks along the last axis, where `order` says which of theirs is our i, f, g, o."""
    blocks = jnp.split(array, len(order), axis=-1)
    return jnp.concatenate([blocks[number] for number in order], axis=-1)


def peephole(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """tf_keras' LSTMCell: blocks i, g, f, o, and 1 is added to f's sum."""
    size, order = len(p["w_f_diag"]), (0, 2, 1, 3)
    inputs = p["kernel"].shape[0] - size
    params = {
        "input_kernel": in_our_order(p["kernel"][:inputs], order),
        "recurrent_kernel": in_our_order(p["kernel"][inputs:], order),
        "bias": in_our_order(p["bias"], order).at[size : 2 * size].add(1.0),
        "input_peephole": p["w_i_diag"],
        "forget_peephole": p["w_f_diag"],
        "output_peephole": p["w_o_diag"],
    }
    result = run_layer("peephole_lstm", size, params, x["x"], (start["h"], start["c"]), scan)
    return {"y": result.outputs} | last_of("hc", result.carry)


def mogrifier(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """DeepMind's lamb: blocks g, o, f, i."""
    size, order = start["h"].shape[1], (3, 2, 0, 1)
    params = {
        "input_kernel": in_our_order(p["W"][:-size], order),
        "recurrent_kernel": in_our_order(p["W"][-size:], order),
        "bias": in_our_order(p["b"], order),
    }
    for number in range(5):
        params[f"round_{number + 1}_kernel"] = p[f"fm_{number}_weight"]
        params[f"round_{number + 1}_bias"] = p[f"fm_{number}_bias"]
    result = run_layer("mogrifier_lstm", size, params, x["x"], (start["h"], start["c"]), scan)
    return {"y": result.outputs} | last_of("hc", result.carry)


def qrnn(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their f is what comes in, 1 minus ours."""
    sign = jnp.repeat(jnp.array([1.0, -1.0, 1.0]), start["c"].shape[1])
    params = {"input_kernel": p["weight"].T * sign[None], "bias": p["bias"] * sign}
    result = run_layer("qrnn", start["c"].shape[1], params, x["x"], (start["c"],), scan)
    return {"y": result.outputs} | last_of("c", result.carry)


def sru(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """The four numbers of a unit stand side by side."""
    size = start["c"].shape[1]
    kernel = p["weight"].reshape((-1, size, 4)).swapaxes(1, 2).reshape((-1, 4 * size))
    zero = jnp.zeros(size)
    params = {
        "input_kernel": kernel,
        "bias": jnp.concatenate([zero, p["bias"], zero]),
        "forget_vector": p["weight_c"][:size],
        "reset_vector": p["weight_c"][size:],
    }
    result = run_layer("sru", size, params, x["x"], (start["c"],), scan)
    return {"y": result.outputs} | last_of("c", result.carry)


def rg_lru(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their gates see their own half of the input, which is what goes in as well."""
    size = start["h"].shape[1]

    def whole(blocks: Any) -> Any:
        return jax.scipy.linalg.block_diag(*blocks)

    kernels = [whole(p["a_gate_w"]), whole(p["input_gate_w"]), jnp.eye(size)]
    biases = [p["a_gate_b"].ravel(), p["input_gate_b"].ravel(), jnp.zeros(size)]
    params = {"input_kernel": jnp.concatenate(kernels, 1), "bias": jnp.concatenate(biases)}
    params["decay"] = p["a_param"]
    result = run_layer("rg_lru", size, params, x["x"], (start["h"],), scan)
    return {"y": result.outputs} | last_of("h", result.carry)


def lru(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Six complex numbers for eight units, and a skip for each unit."""
    params = {"nu": p["nu_log"], "theta": p["theta_log"], "gamma": p["gamma_log"]}
    params |= {"input_real": p["B_re"].T, "input_imag": p["B_im"].T}
    params |= {"output_real": p["C_re"].T, "output_imag": p["C_im"].T}
    params["skip_kernel"] = jnp.diag(p["D"])
    carry = (jnp.zeros((len(x["u"]), len(p["nu_log"])), complex),)
    return {"y": run_layer("lru", 8, params, x["u"], carry, scan).outputs}


def s5(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Six complex numbers, each with its conjugate, and a skip for each unit."""
    params = {"log_decay": jnp.log(-p["Lambda_re"]), "frequency": p["Lambda_im"]}
    params |= {"log_step": p["log_step"][:, 0], "skip_kernel": jnp.diag(p["D"])}
    for part, index in (("real", 0), ("imag", 1)):
        params[f"input_{part}"] = p["B"][..., index].T
        params[f"output_{part}"] = p["C"][..., index].T
    carry = (jnp.zeros((len(x["u"]), len(p["Lambda_re"])), complex),)
    return {"y": run_layer("s5", 8, params, x["u"], carry, scan).outputs}


def s4d(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Time is their last axis."""
    params = {"log_decay": p["log_A_real"], "frequency": p["A_imag"], "log_step": p["log_dt"]}
    params |= {"output_real": p["C"][..., 0], "output_imag": p["C"][..., 1], "skip": p["D"]}
    cell = make_cell("s4d", 8, num_states=4)
    result = run_given(cell, x["u"].swapaxes(1, 2), None, scan, params)
    return {"y": result.outputs.swapaxes(1, 2)}


def mamba(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Time is their last axis."""
    moved = {name: array.swapaxes(1, 2) for name, array in x.items()}
    step = jax.nn.softplus(moved["delta"] + p["delta_bias"][None, None])
    projected = {"u": moved["u"], "z": moved["z"], "step": step}
    projected |= {"write": moved["B"], "read": moved["C"]}
    params = {"log_decay": jnp.log(-p["A"]), "skip": p["D"]}
    result = run_given(make_cell("s6", 8, num_states=4), projected, None, scan, params)
    return {"y": result.outputs.swapaxes(1, 2)} | last_of("h", result.carry)


def heads(name: str, x: Arrays, carry: Any, scan: str, **changed: Any) -> Any:
    """A cell with two heads of four, without norm and gate; y is [B, T, 2, 4]."""
    batch, steps = x["q"].shape[:2]
    projected = x | {"gate": jnp.zeros((batch, steps, 8))}
    changed["finish"] = lambda self, y, gate: y.reshape(gate.shape)
    result = run_given(make_cell(name, 8, num_heads=2), projected, carry, scan, **changed)
    return result.outputs.reshape((batch, steps, 2, 4)), result.carry


def linear_attention(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their q and k are positive already."""
    carry, same = (start["S"], start["z"][:, 0]), {"features": lambda self, x: x}
    y, (memory, total) = heads("linear_attention", x, carry, scan, **same)
    return {"y": y, "final.S": memory, "final.z": total[:, None]}


def retention(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    return {"y": heads("retnet", x, None, scan)[0]}


def gla(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their decay is a logarithm already."""
    given = {name: x[name] for name in "qkv"} | {"decay": x["gk"]}
    y, carry = heads("gla", given, (start["S"],), scan, log_decay=lambda self, decay: decay)
    return {"y": y} | last_of("S", carry)


def delta(name: str, x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their keys have the length one and their beta is one already; the decay is undone."""
    given = {key: x[key] for key in (*"qkv", "beta")}
    params = {}
    if "g" in x:
        given["decay"] = 4.0 + jnp.log(jnp.expm1(-x["g"]))
        params = {"log_pace": jnp.zeros(2)}
    same = {"normalise": lambda self, k: k, "rate": lambda self, beta: beta}
    y, carry = heads(name, given, (start["S"],), scan, params=params, **same)
    return {"y": y} | last_of("S", carry)


def rwkv7(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their kernels multiply from the left, and their state is [value, key]."""
    kernels = [p[name].T for name in ("Wr", "Wk", "Wv")] + [p[f"W{name}1"] for name in "wag"]
    mixes = [p[f"m{name}"] for name in "rkvwag"]
    renamed = {
        "decay_up": "Ww2",
        "decay_bias": "w_bias",
        "rate_up": "Wa2",
        "rate_bias": "a_bias",
        "gate_up": "Wg2",
        "removed_scale": "k_k",
        "added_scale": "k_a",
        "bonus": "r_k",
        "norm_scale": "ln_w",
        "norm_bias": "ln_b",
    }
    params = {ours: p[theirs] for ours, theirs in renamed.items()}
    params["input_kernel"] = jnp.concatenate(kernels, axis=1)
    params["mix"], params["output_kernel"] = jnp.stack(mixes), p["Wo"].T
    last = start["last_x"]
    before = [last * m[None] @ kernel for m, kernel in zip(mixes, kernels, strict=True)]
    members = {
        "rank": p["Wa1"].shape[1],
        "normalise": lambda self, k: k / jnp.linalg.norm(k, axis=-1, keepdims=True),
    }
    cell = type("Given", (type(make_cell("rwkv7", 8)),), members)(size=8, num_heads=2)
    carry = (start["S"].swapaxes(2, 3), jnp.concatenate(before, axis=1))
    result = recurrence(cell, params, x["x"], carry, scan=scan)
    return {"y": result.outputs, "final.S": result.carry[0].swapaxes(2, 3)}


def mlstm(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Their axes are rows, heads, time."""
    moved = {name: array.swapaxes(1, 2) for name, array in x.items()}
    given = {name: moved[name] for name in "qkv"}
    given |= {"input": moved["igate_preact"][..., 0], "forget": moved["fgate_preact"][..., 0]}
    carry = (start["c"], start["n"][..., 0], start["m"][..., 0, 0])
    y, (c, n, m) = heads("mlstm", given, carry, scan)
    return {
        "y": y.swapaxes(1, 2),
        "final.c": c,
        "final.n": n[..., None],
        "final.m": m[..., None, None],
    }


def slstm(x: Arrays, p: Arrays, start: Arrays, scan: str) -> Arrays:
    """Blocks i, f, z, o; the states stand in one array, h, c, n, m."""
    params = {"recurrent_kernel": p["R"].swapaxes(1, 2)}
    projected = x["x"] + p["b"][None, None]
    cell = make_cell("slstm", 8, num_heads=2)
    result = run_given(cell, projected, tuple(start["ycnm"]), scan, params)
    return {"y": result.outputs}


# By the name of the file.
FORMS: dict[str, Form] = {
    "rnn_tanh": partial(torch_layer, "elman", "h"),
    "rnn_relu": partial(torch_layer, "elman_relu", "h"),
    "gru_reset_after": partial(torch_layer, "gru", "h"),
    "lstm": partial(torch_layer, "lstm", "hc"),
    "lstm_peephole_tf": peephole,
    "mogrifier_lstm_lamb": mogrifier,
    "qrnn_fo_w1": qrnn,
    "sru_tanh_k4": sru,
    "rglru": rg_lru,
    "lru": lru,
    "s4d_zoh": s4d,
    "s5_zoh_conj": s5,
    "mamba1_full": mamba,
    "linear_attn_norm": linear_attention,
    "retention": retention,
    "gla": gla,
    "delta_rule": partial(delta, "delta_net"),
    "delta_rule_beta2": partial(delta, "delta_net_signed"),
    "gated_delta_rule": partial(delta, "gated_delta_net"),
    "rwkv7_timemix_layer0": rwkv7,
    "mlstm_step": mlstm,
    "slstm": slstm,
}
