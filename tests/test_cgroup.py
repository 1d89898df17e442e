"""CPU quotas of control groups, read below a made-up root."""

import pytest

from pyconvc._cgroup import cpu_quota

V1_MOUNT = "30 29 0:26 {top} {point} rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct"
V2_MOUNT = "31 29 0:27 {top} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
OTHER_MOUNTS = [
    "29 28 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755",
    "33 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    "34 29 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset",
]
V1 = {"cpu.cfs_quota_us": "{}", "cpu.cfs_period_us": "100000"}
V2 = {"cpu.max": "{} 100000"}


@pytest.fixture
def root(tmp_path):
    """Writes a process's groups, mounts and quotas (in thousandths of a CPU, or text)."""

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(groups, mounts, quotas, files):
        write(tmp_path / "proc/self/cgroup", "\n".join(groups) + "\n")
        write(tmp_path / "proc/self/mountinfo", "\n".join(OTHER_MOUNTS + mounts) + "\n")
        for directory, quota in quotas.items():
            quota = quota * 100 if isinstance(quota, int) else quota
            for name, text in files.items():
                write(tmp_path / directory / name, text.format(quota) + "\n")
        return str(tmp_path)

    return build


@pytest.mark.parametrize(
    "quotas, expected",
    [
        ({"sys/fs/cgroup/a/b": 1500}, 1.5),
        ({"sys/fs/cgroup/a/b": 4000, "sys/fs/cgroup/a": 2000}, 2.0),
        ({"sys/fs/cgroup/a/b": 2000, "sys/fs/cgroup/a": 4000}, 2.0),
        ({"sys/fs/cgroup/a/b": "max", "sys/fs/cgroup": 3000}, 3.0),
        ({"sys/fs/cgroup/a/b": "max", "sys/fs/cgroup/a": "max"}, None),
        ({"sys/fs/cgroup/a/c": 1000}, None),
        ({}, None),
    ],
)
def test_quota_version_2(root, quotas, expected):
    mounts = [V2_MOUNT.format(top="/", point="/sys/fs/cgroup")]
    assert cpu_quota(root(["0::/a/b"], mounts, quotas, V2)) == expected


@pytest.mark.parametrize(
    "quotas, expected",
    [
        ({"sys/fs/cgroup/cpu,cpuacct/a": 2500}, 2.5),
        ({"sys/fs/cgroup/cpu,cpuacct/a": "-1"}, None),
        ({"sys/fs/cgroup/cpu,cpuacct/a": "-1", "sys/fs/cgroup/cpu,cpuacct": 3000}, 3.0),
        ({"sys/fs/cgroup/memory/a": 1000}, None),
    ],
)
def test_quota_version_1(root, quotas, expected):
    groups = ["5:memory:/a", "4:cpuset:/a", "3:cpu,cpuacct:/a", "1:name=systemd:/a"]
    mounts = [V1_MOUNT.format(top="/", point="/sys/fs/cgroup/cpu,cpuacct")]
    assert cpu_quota(root(groups, mounts, quotas, V1)) == expected


def test_quota_in_a_container_that_sees_the_hosts_paths(root):
    """The mount shows the container's own group at its top; the path is the host's."""
    groups = ["3:cpu,cpuacct:/docker/0123/inner"]
    mounts = [V1_MOUNT.format(top="/docker/0123", point="/sys/fs/cgroup/cpu")]
    quotas = {"sys/fs/cgroup/cpu": 2000, "sys/fs/cgroup/cpu/inner": 3000}
    assert cpu_quota(root(groups, mounts, quotas, V1)) == 2.0


def test_quota_with_both_versions_mounted(root):
    groups = ["3:cpu:/a", "0::/b"]
    mounts = [
        V1_MOUNT.format(top="/", point="/sys/fs/cgroup/cpu"),
        V2_MOUNT.format(top="/", point="/sys/fs/cgroup/unified"),
    ]
    assert cpu_quota(root(groups, mounts, {"sys/fs/cgroup/cpu/a": 5000}, V1)) == 5.0


def test_no_control_groups(tmp_path):
    assert cpu_quota(str(tmp_path)) is None


def test_unreadable_lines_are_no_limit(root):
    assert cpu_quota(root(["nonsense"], ["more nonsense"], {}, V2)) is None
