"""How much CPU time the control groups of this process grant it (Linux, cgroups(7))."""

import functools

__all__ = ["cpu_quota"]


@functools.cache
def cpu_quota(root=""):
    """Read the CPU quota of this process's control groups, version 1 and 2.

    Parameters
    ----------
    root : str
        Directory that stands for "/".

    Returns
    -------
    float or None
        CPUs' worth of time, the least of the process's own groups and all groups above them; None
        where there is no limit or no control group.
    """
    try:
        directories = list(_directories(root))
    except (OSError, ValueError):
        return None
    quotas = []
    for kind, directory in directories:
        try:
            quotas.append(_QUOTA[kind](directory))
        except (OSError, ValueError):  # no limit here, or not ours to read
            continue
    return min(quotas, default=None)


def _quota_v2(directory):
    quota, period = _read(directory + "/cpu.max").split()
    return int(quota) / int(period)  # ValueError where there is no limit: "max"


def _quota_v1(directory):
    quota = int(_read(directory + "/cpu.cfs_quota_us"))
    if quota < 0:
        raise ValueError("no limit")
    return quota / int(_read(directory + "/cpu.cfs_period_us"))


_QUOTA = {"cgroup2": _quota_v2, "cgroup": _quota_v1}  # by the filesystem's type


def _directories(root):
    """Pairs (filesystem type, directory): the groups of this process and all groups above them."""
    paths = dict(_groups(_read(root + "/proc/self/cgroup")))
    for mount in _read(root + "/proc/self/mountinfo").splitlines():
        fields, _, filesystem = mount.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        if kind not in paths or (kind == "cgroup" and "cpu" not in options.split(",")):
            continue
        top, point = fields.split(" ")[3:5]
        names = [name for name in _below(paths[kind], top).split("/") if name]
        for depth in range(len(names), -1, -1):
            yield kind, "/".join([root + point, *names[:depth]])


def _groups(text):
    """Pairs (filesystem type, path) of the groups that can limit CPU time."""
    for line in text.splitlines():  # number:controllers:path; version 2 names no controllers
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield "cgroup2", path
        elif "cpu" in controllers.split(","):
            yield "cgroup", path


def _below(path, top):
    """`path` as seen from a mount that shows the hierarchy from the group `top` on."""
    top = top.rstrip("/")
    return path[len(top) :] if f"{path}/".startswith(f"{top}/") else path


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
