"""Debian's packages unpacked, against stand-ins of apt and dpkg."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lab.stack.cache import Cache
from lab.stack.debian import upstream
from lab.stack.errors import StackError
from tests.lab.stack.machine import GO, Machine


def test_debian_is_unpacked_once_and_then_found(machine: Machine) -> None:
    """The second time nothing is asked of apt, which may be gone."""
    machine.with_apt()
    first = machine.provide(flavour="debian")
    assert first["prometheus"].version == "2.42.0"
    assert machine.kept() == ["programs/prometheus/2.42-debian", "programs/promtool/2.42-debian"]
    for tool in ("apt-get", "apt-cache", "dpkg"):
        (machine.bin / tool).unlink()
    assert machine.provide(flavour="debian") == first
    assert (machine.folder / "asked").read_text() == "download prometheus\n"


@pytest.mark.parametrize("lists", ["no-lists", "old-lists"])
def test_missing_or_old_package_lists_are_fetched_for_this_run_alone(
    machine: Machine, lists: str
) -> None:
    """Lists go to the run's own folder, so no root is needed and the machine is left as it is."""
    machine.with_apt()
    machine.say(lists)
    assert machine.provide(flavour="debian")["promtool"].version == "2.42.0"
    asked = (machine.folder / "asked").read_text()
    assert asked.count("update") == 1
    assert f"Dir::State::Lists={machine.root}/tmp/" in asked


def test_debian_alone_says_plainly_that_there_is_no_apt(machine: Machine) -> None:
    """The error names what is missing and the other way."""
    with pytest.raises(StackError) as error:
        machine.provide(flavour="debian")
    expected = "Debian's prometheus: no apt-get on this machine; use --flavour current"
    assert str(error.value).startswith(expected)


def test_debian_of_another_age_says_plainly_what_it_offers(machine: Machine) -> None:
    """Another release's Prometheus is not passed off as 2.42."""
    machine.with_apt()
    machine.say("candidate", "2.53.3+ds1-2")
    with pytest.raises(StackError, match=r"offers 2\.53\.3\+ds1-2, the tests are held to 2\.42;"):
        machine.provide(flavour="debian")
    assert machine.kept() == []


def test_debian_offline_shows_what_apt_said(machine: Machine) -> None:
    """The last lines of a failing command stand below the error."""
    machine.with_apt()
    machine.say("no-lists")
    machine.say("offline")
    with pytest.raises(StackError) as error:
        machine.provide(flavour="debian")
    assert "apt-get update: apt-get ended with status 100;" in str(error.value)
    assert "  | E: Failed to fetch" in str(error.value)


def test_a_package_without_its_program_keeps_nothing_of_it(machine: Machine) -> None:
    """A package that has changed is named."""
    machine.with_apt()
    machine.say("half")
    with pytest.raises(StackError, match="has no usr/bin/promtool"):
        machine.provide("promtool", flavour="debian")
    assert "programs/promtool/2.42-debian" not in machine.kept()


WRAPPED = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/share/prometheus" "$3/usr/share/doc"
echo 'echo "a template"' > "$3/usr/share/prometheus/default.tmpl"
for name in prometheus promtool; do
  echo '#!/bin/sh' > "$3/usr/bin/$name"
  echo '. /usr/share/prometheus/default.tmpl' >> "$3/usr/bin/$name"
done
"""


def _with_data(machine: Machine) -> None:
    machine.with_apt()
    machine.put("dpkg", WRAPPED)
    debian, built = machine.recipes
    machine.recipes = (replace(debian, share="usr/share/prometheus"), built)
    for tool in ("dirname", "readlink", "id"):
        (machine.bin / tool).symlink_to(shutil.which(tool) or "")


def test_a_program_sees_its_data_where_debian_compiled_it_to_be(machine: Machine) -> None:
    """The machine's own /usr/share stays as it is, and damage to the data is noticed."""
    _with_data(machine)
    for tool in ("unshare", "mount"):
        (machine.bin / tool).symlink_to(shutil.which(tool) or "")
    try:
        promtool = machine.provide("promtool", flavour="debian")["promtool"]
    except StackError as error:
        pytest.skip(str(error))
    done = subprocess.run([promtool.path], capture_output=True, text=True, check=True)
    assert done.stdout == "a template\n"
    assert not Path("/usr/share/prometheus/default.tmpl").exists()
    data = promtool.path.parent / "share"
    assert [each.name for each in data.iterdir()] == ["prometheus"]
    (data / "prometheus" / "default.tmpl").write_text("exit 1")
    assert Cache(machine.root).find("promtool", machine.recipes[0].key) is None


def test_where_a_mount_namespace_is_refused_nothing_is_kept(machine: Machine) -> None:
    """Debian's program could not start there, now or next time; `any` goes on to Go."""
    _with_data(machine)
    machine.put("unshare", "#!/bin/sh\nexit 1\n")
    for _ in range(2):
        with pytest.raises(StackError, match="refuses a mount namespace; use --flavour current"):
            machine.provide("promtool", flavour="debian")
    assert machine.kept() == []
    machine.put("go", GO)
    assert machine.provide("promtool")["promtool"].source == "go"


def test_debians_parts_are_cut_off_a_version() -> None:
    """Epoch, repacking and revision are Debian's; the rest is upstream's."""
    assert upstream("2.42.0+ds-5+deb12u1") == "2.42.0"
    assert upstream("1:0.25.0-1+b4") == "0.25.0"
    assert upstream("2.45.3~rc1-1") == "2.45.3"
