"""What tests of several folders share; the fixtures themselves are in `tests/conftest.py`."""
