"""Objectives against other libraries, where these are installed: value and gradient to 1e-5."""

import importlib

import pytest

from tests.oracles import references


@pytest.mark.parametrize('library', references.LIBRARIES)
def test_parity(library):
  try:
    importlib.import_module(library)
  except Exception as missing:  # binaries of torch that do not fit each other raise more than ImportError
    pytest.skip(f'{library} cannot be imported: {missing}')
  figures = {name: references.errors(library, parity) for name, parity in references.LIBRARIES[library]().items()}
  for name, (value, gradient) in figures.items():
    print(f'{library:24} {name:48} value {value:.1e} gradient {gradient:.1e}')
  assert not {name: figure for name, figure in figures.items() if max(figure) > 1e-5}
