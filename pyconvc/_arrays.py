"""Whatever holds numbers -> a NumPy array, a view of it where there can be one."""

import numpy as np

__all__ = ["view"]


def view(value, name="array"):
    """An array over the values: by NumPy's own protocols and buffers, else by DLPack.

    Parameters
    ----------
    value : array_like
        Arrays of other libraries too, such as PyTorch's tensors in the CPU's memory.
    name : str
        What errors call it.

    Raises
    ------
    TypeError
        If the library that owns the values does not show them: for instance because a gradient is
        to be computed, or because they are in another device's memory.
    ValueError
        If rows of a sequence differ in length.

    Examples
    --------
    >>> import array
    >>> view(array.array("d", [1, 2])).dtype
    dtype('float64')
    """
    if type(value) is np.ndarray:
        return value
    only_dlpack = hasattr(value, "__dlpack__") and not hasattr(value, "__array__")
    try:
        return np.from_dlpack(value) if only_dlpack else np.asarray(value)
    except (RuntimeError, BufferError, TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{name}: a {type(value).__name__} that NumPy cannot read: {error}") from error
