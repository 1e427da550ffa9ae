"""Matrix products in a chosen precision."""

from functools import partial

import jax
import jax.numpy as jnp

from zoo.layers.fast.lookup import Lookup, take_rows


def product(x: jax.Array, kernel: jax.Array, dtype: str | None = None) -> jax.Array:
    """x @ kernel over the last axis of x, as one product over all leading axes.

    The operands are rounded to `dtype`, and the sums have the precision of x.

    Matrix units of TPUs and GPUs multiply bfloat16 several times faster than float32. Sums in
    float32 keep most of the accuracy. The two products of the backward pass are computed in the
    same way.

    The leading axes are flattened first, because the product over [B*T, D] is a third faster on a
    CPU than the same product over [B, T, D].

    Args:
        x: [..., D].
        kernel: [D, H].
        dtype: "bfloat16"; None means the precision of the operands.

    Returns:
        [..., H] in the dtype of x.

    Example:
        >>> product(jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]])).tolist()
        [[11.0]]
    """
    flat = x.reshape((-1, x.shape[-1]))
    found = flat @ kernel if dtype is None else _rounded_product(dtype, flat, kernel)
    return found.reshape((*x.shape[:-1], kernel.shape[-1]))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _rounded_product(dtype: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.matmul(x.astype(dtype), kernel.astype(dtype), preferred_element_type=x.dtype)


def _rounded_product_keeping(
    dtype: str, x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _rounded_product(dtype, x, kernel), (x, kernel)


def _rounded_product_backward(
    dtype: str, kept: tuple[jax.Array, jax.Array], grad: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Computes both gradients with rounded operands.

    Autodiff would not round `grad`, for which there is no matrix unit, and would round the sums.
    """
    x, kernel = kept
    return _rounded_product(dtype, grad, kernel.T), _rounded_product(dtype, x.T, grad)


_rounded_product.defvjp(_rounded_product_keeping, _rounded_product_backward)


def sum_of_products(
    x: jax.Array, y: jax.Array, dtype: str | None = None, *, rows_are_shared: bool = False
) -> jax.Array:
    """sum_{t,b} x_{tb} y_{tb}', the gradient of a kernel as a sum over steps and rows.

    A single device flattens the two axes into one. Devices that share the rows would then have to
    send each other all of x and y. So they keep the axes, add up their own rows, and exchange the
    sums. This costs a copy of x and y in another order.

    Args:
        x: [T, B, D].
        y: [T, B, H].
        dtype: the precision of the product, see `product`.
        rows_are_shared: whether the rows B are spread over several devices.

    Returns:
        [D, H] in the dtype of x.

    Example:
        >>> sum_of_products(jnp.ones((2, 3, 1)), jnp.ones((2, 3, 2))).tolist()
        [[6.0, 6.0]]
    """
    if not rows_are_shared:
        return product(x.reshape((-1, x.shape[-1])).T, y.reshape((-1, y.shape[-1])), dtype)
    rounded = dtype or x.dtype
    return jnp.einsum(
        "tbd,tbh->dh", x.astype(rounded), y.astype(rounded), preferred_element_type=x.dtype
    )


def affine(
    x: jax.Array | Lookup, kernel: jax.Array, bias: jax.Array, dtype: str | None = None
) -> jax.Array:
    """x @ kernel + bias over the last axis of x.

    Args:
        x: [..., D]. The table of a `Lookup` is multiplied before the lookup.
        kernel: [D, H].
        bias: [H].
        dtype: the precision of the product, see `product`.

    Returns:
        [..., H].

    Example:
        >>> affine(jnp.ones((2, 3, 4)), jnp.ones((4, 5)), jnp.zeros(5)).shape
        (2, 3, 5)
    """
    if isinstance(x, Lookup):
        flat = take_rows(product(x.table, kernel, dtype) + bias[None, :], x.rows.reshape(-1))
    else:
        flat = product(x.reshape((-1, x.shape[-1])), kernel, dtype) + bias[None, :]
    return flat.reshape((*x.shape[:-1], kernel.shape[-1]))
