import pytest

from outgate.errors import ConfigError
from outgate.stores.shipped import shipped


def test_a_shipped_file_is_found():
    assert shipped("certs", "trust.yaml").is_file()


def test_a_folder_is_found():
    assert shipped("rules").is_dir()


def test_what_is_not_shipped_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigError, match=r"'rules/no-such' is missing from this installation, install Outgate again"):
        shipped("rules", "no-such")
