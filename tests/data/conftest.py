import os

import pytest


@pytest.fixture(scope='session')
def prepared(tmp_path_factory):
  """One folder of prepared sets for all the tests of this folder."""
  return tmp_path_factory.mktemp('sets')


@pytest.fixture(autouse=True)
def no_folder_of_the_user(monkeypatch, tmp_path):
  monkeypatch.setitem(os.environ, 'JSSL_DATA_DIR', str(tmp_path / 'unused'))
