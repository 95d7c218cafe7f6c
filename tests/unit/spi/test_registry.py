"""What a connector says whose package is not installed."""

from importlib.metadata import metadata

import pytest

from headgate.model.errors import UsageError
from headgate.spi import registry

GROUPS = [registry.SOURCES, registry.DESTINATIONS, registry.PLACES, registry.PRESETS]
EVERY = [(group, name) for group in GROUPS for name in registry.names(group)]


def hint_without(package: str, group: str, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    def not_there(_: object) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    # The entry points may be those of importlib_metadata, which takes over where something has imported it.
    monkeypatch.setattr(type(registry._points(group)[name]), "load", not_there)
    with pytest.raises(UsageError, match=f"needs the package {package}") as e:
        registry.load(group, name)
    return e.value.hint or ""


@pytest.mark.parametrize(("group", "name"), EVERY, ids=[f"{group}-{name}" for group, name in EVERY])
def test_a_missing_package_is_named_as_pip_can_install_it(
    group: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = {f"'headgate[{one}]'" for one in metadata("headgate").get_all("Provides-Extra") or ()}
    hint = hint_without("not_there", group, name, monkeypatch)
    assert hint.removeprefix("Install it: pip install ").removesuffix(".") in extras | {"'not_there'"}


@pytest.mark.parametrize("group", [registry.SOURCES, registry.DESTINATIONS])
def test_a_preset_needs_what_an_api_needs(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hint_without("urllib3", group, "preset", monkeypatch) == "Install it: pip install 'headgate[http]'."
