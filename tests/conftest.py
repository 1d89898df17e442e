"""How many examples hypothesis draws, and what is under test.

``pytest --hypothesis-profile=thorough`` draws many.
"""

from hypothesis import settings

import pyconvc

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("quick")


def pytest_report_header():
    """Which of the tiers the tests run on."""
    tiers = ", ".join(pyconvc.isa_available())
    return f"pyconvc {pyconvc.__version__}: tier {pyconvc.isa()} of {tiers}"
