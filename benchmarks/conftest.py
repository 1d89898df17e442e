"""Options of the benchmark suites."""

import pytest

import pyconvc


def pytest_addoption(parser):
    parser.addoption("--threads", type=int, help="of every library; default: pyconvc's default")


@pytest.fixture
def count(request) -> int:
    return request.config.getoption("--threads") or pyconvc.get_num_threads()
