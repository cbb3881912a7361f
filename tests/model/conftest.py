"""What the tests of training share: few pictures, and a run that nothing interrupted."""

from pathlib import Path

import pytest


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch) -> Path:
    """Runs are written below the working directory: an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def two_varieties(rendered_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the rendered varieties in the layout of Fruits-360."""
    root = tmp_path_factory.mktemp("two-varieties")
    (root / "Training").mkdir()
    for folder in sorted((rendered_dir / "Training").iterdir())[:2]:
        (root / "Training" / folder.name).symlink_to(folder)
    return root


@pytest.fixture(scope="session")
def whole(two_varieties: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the recipe `paper` that nothing interrupted."""
    from tests.support.training import train_paper

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        assert train_paper(two_varieties, "--run", "whole") == 0
        return Path("results/whole").resolve()
