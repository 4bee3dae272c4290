"""The folder of an engine of our own can be removed, whatever the engine left mounted in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compose.engine import unmount_below


def test_a_folder_in_which_a_network_namespace_is_mounted_can_be_removed(tmp_path: Path) -> None:
    folder, beside = tmp_path / "engine", tmp_path / "engine-2"
    for place in (folder / "exec" / "netns" / "left", beside / "kept"):
        place.parent.mkdir(parents=True)
        place.touch()
        done = subprocess.run(["mount", "--bind", "/proc/self/ns/net", str(place)], check=False, capture_output=True)
        if done.returncode != 0:
            pytest.skip("whoever runs this may not mount")
    try:
        with pytest.raises(OSError, match="busy"):
            shutil.rmtree(folder)
        unmount_below(folder)
        shutil.rmtree(folder)
        assert not folder.exists()
        with pytest.raises(OSError, match="busy"):  # what is beside it is left alone
            shutil.rmtree(beside)
    finally:
        unmount_below(tmp_path)
