# Instruction-set tiers and threads of this build.


def isa_available():
    """Names of the tiers that this build has and this processor runs, slowest first."""
    names, i = [], 0
    while pyconvc_isa_available(i) != NULL:
        names.append(pyconvc_isa_available(i).decode())
        i += 1
    return tuple(names)


def _isa_error(name):
    return f"PYCONVC_ISA={name!r} is not one of the tiers available here: {', '.join(isa_available())}"


def isa():
    """Name of the tier in force."""
    cdef const char *name = pyconvc_isa_name()
    if name == NULL:
        raise RuntimeError(_isa_error(os.environ.get("PYCONVC_ISA", "")))
    return name.decode()


def has_openmp():
    """Whether this build has threads."""
    return bool(pyconvc_has_openmp())
