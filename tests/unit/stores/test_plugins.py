"""Plug-ins, as packages that are really built, installed by pip, and found where they lie."""

import os
import subprocess
import sys
import zipfile

import pytest
from asked import asked

from outgate.actions.identify import identify, wants_body
from outgate.errors import ConfigError
from outgate.stores.catalog_files import load_catalog
from outgate.stores.plugins import load_plugins
from outgate.worker.frames import Learn, packed
from outgate.worker.frames import asked as learned

SERVICE = """outgate: service/v1alpha
service: tiny
speaks: tinywire
hosts: [tiny.test]
"""
PLAIN = """outgate: service/v1alpha
service: plain
hosts: [plain.test]
operations: {hello: {on: GET /hello, access: read, tier: T0}}
"""
WIRE = """
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation
from outgate.actions.speakers import Speaker


def wants_body(request, service, catalog):
    return request.method == "POST"


def identify(request, service, catalog):
    if request.path == "/rest":
        return ()
    return (Action(service=service.name, operation="wired", access=Access.WRITE, tier=Tier.T1, confidence=Confidence.PROTOCOL),)


def operations(service):
    return (Operation(service=service, operation="wired", access=Access.WRITE, tier=Tier.T1),)


SPEAKER = Speaker(name="tinywire", wants_body=wants_body, identify=identify, operations=operations)
LOCAL = Speaker(name="local", wants_body=lambda *_: False, identify=identify, operations=operations)
NOT_ONE = "hello"
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Build a wheel with these files and entry points, install it, and put it on the path; where that is."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def put(name, files, points):
        plain = name.replace("-", "_")
        wheel = tmp_path / f"{plain}-1.2-py3-none-any.whl"
        info = f"{plain}-1.2.dist-info"
        listed = "".join(
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in said.items()) for group, said in points.items()
        )
        meta = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": listed,
        }
        with zipfile.ZipFile(wheel, "w") as made:
            for path, text in {**files, **meta}.items():
                made.writestr(path, text)
            made.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in (*files, *meta, f"{info}/RECORD")))
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(site), str(wheel)]
        subprocess.run(pip, check=True, capture_output=True)
        return site

    return put


@pytest.fixture
def tiny(install):
    """A package with a catalog and a protocol."""
    files = {"tiny_outgate/__init__.py": "", "tiny_outgate/wire.py": WIRE, "tiny_outgate/services/tiny.yaml": SERVICE}
    points = {
        "outgate.catalogs": {"tiny": "tiny_outgate/services"},
        "outgate.protocols": {"tinywire": "tiny_outgate.wire:SPEAKER"},
    }
    return install("tiny-outgate", files, points)


def problems(*names):
    with pytest.raises(ConfigError) as error:
        load_plugins(names)
    return "\n".join(map(str, error.value.problems))


def test_a_package_brings_services_and_the_protocol_that_they_speak(tiny):
    (plugin,) = load_plugins(["tiny-outgate"])
    assert str(plugin) == "tiny-outgate 1.2: catalog services, protocol tinywire"
    catalog = load_catalog(plugins=(plugin,))
    (action,) = identify(asked("POST https://tiny.test/x"), catalog)
    assert (action.name, action.access) == ("tiny.wired", "write")
    assert identify(asked("GET https://tiny.test/rest"), catalog)[0].name == "tiny.GET"
    assert wants_body(asked("POST https://tiny.test/x"), catalog)
    assert catalog.operation("tiny.wired") is not None


def test_one_that_nobody_named_is_as_if_it_were_not_there(tiny):
    assert load_plugins([]) == ()
    assert "tiny" not in load_catalog().services()


def test_it_goes_with_the_catalog_to_the_process_that_reads_bodies(tiny):
    catalog = load_catalog(plugins=load_plugins(["tiny-outgate"]))
    again = learned(packed(Learn(catalog)))
    assert identify(asked("POST https://tiny.test/x"), again.catalog)[0].name == "tiny.wired"


def test_of_a_package_that_brings_data_alone_nothing_is_run(install):
    bomb = {"bomb/__init__.py": "raise SystemExit('run')", "bomb/services/plain.yaml": PLAIN}
    install("bomb", bomb, {"outgate.catalogs": {"plain": "bomb/services"}})
    catalog = load_catalog(plugins=load_plugins(["bomb"]))
    assert identify(asked("GET https://plain.test/hello"), catalog)[0].name == "plain.hello"


def test_a_broken_service_file_of_a_package_refuses_the_start(install):
    install("broken", {"broken/services/x.yaml": "outgate: nonsense"}, {"outgate.catalogs": {"x": "broken/services"}})
    with pytest.raises(ConfigError, match=r"broken/services/x\.yaml:1:10: unknown language 'nonsense'"):
        load_catalog(plugins=load_plugins(["broken"]))


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({}, "it brings nothing"),
        ({"outgate.catalogs": {"x": "odd/missing"}}, "names a folder that is not there"),
        ({"outgate.catalogs": {"x": "../../etc"}}, "names no folder of the package"),
        ({"outgate.protocols": {"aws": "odd.wire:SPEAKER"}}, "is the name of one that Outgate has"),
        ({"outgate.protocols": {"rest": "odd.wire:SPEAKER"}}, "is the name of one that Outgate has"),
        ({"outgate.protocols": {"other": "odd.wire:SPEAKER"}}, "is no Speaker of that name"),
        ({"outgate.protocols": {"x": "odd.wire:NOT_ONE"}}, "is no Speaker of that name"),
        ({"outgate.protocols": {"x": "odd.wire:MISSING"}}, "can't be loaded: AttributeError"),
        ({"outgate.protocols": {"x": "odd.nowhere:X"}}, "can't be loaded: ModuleNotFoundError"),
        ({"outgate.protocols": {"local": "odd.wire:LOCAL"}}, "can't go to another process"),
    ],
)
def test_one_that_is_broken_is_refused(install, monkeypatch, points, said):
    install("odd", {"odd/__init__.py": "", "odd/wire.py": WIRE}, points)
    for name in [name for name in sys.modules if name.partition(".")[0] == "odd"]:
        monkeypatch.delitem(sys.modules, name)
    assert said in problems("odd")


def test_every_problem_is_told_at_once():
    said = problems("no-such-package-here", "../x")
    assert "plug-in no-such-package-here: no such package is installed beside outgate" in said
    assert "that is no name of a package" in said


def test_the_program_names_the_plug_ins_that_the_settings_name(tiny, tmp_path):
    (tmp_path / "config.yaml").write_text("outgate: settings/v1alpha\nplugins: [tiny-outgate]\n")
    environ = {**os.environ, "PYTHONPATH": str(tiny), "OUTGATE_CONFIG": str(tmp_path)}
    outgate = [sys.executable, "-m", "outgate"]
    said = subprocess.run([*outgate, "actions", "services"], env=environ, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "plug-in tiny-outgate 1.2: catalog services, protocol tinywire"
    told = subprocess.run(
        [*outgate, "explain", "POST https://tiny.test/x"], env=environ, capture_output=True, text=True, check=True
    )
    assert "tiny.wired" in told.stdout
