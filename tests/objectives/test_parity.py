"""Objectives against other libraries, value and gradient to 1e-5: live where these are installed, and against stored values everywhere."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.oracles import references

ROOT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).with_name('parity.json')


def check(library: str, values) -> None:
  """`values` gives their value and gradient by name and comparison."""
  comparisons = references.LIBRARIES[library]()
  figures = {name: references.errors(parity, *values(name, parity)) for name, parity in comparisons.items()}
  for name, (value, gradient) in figures.items():
    print(f'{library:24} {name:48} value {value:.1e} gradient {gradient:.1e}')
  assert not {name: figure for name, figure in figures.items() if max(figure) > 1e-5}


@pytest.mark.parametrize('library', references.LIBRARIES)
def test_parity(library):
  references.LIBRARIES[library]()  # makes lightly fit for import
  if missing := references.absent(library):
    pytest.skip(missing)
  check(library, lambda name, parity: references.theirs(library, parity))


@pytest.mark.parametrize('library', references.STORED)
@pytest.mark.rotating
def test_stored_parity(library):
  stored = json.loads(STORED.read_text())['values'][library]

  def values(name, parity):
    assert stored[name]['inputs'] == references.fingerprint(parity), 'the inputs are not those of the stored values; tests/run_parity --write'
    return stored[name]['value'], [np.asarray(g) for g in stored[name]['gradient']]

  assert set(stored) == set(references.LIBRARIES[library]()), 'comparisons were added or removed; tests/run_parity --write'
  check(library, values)


def test_stored_versions_are_those_that_are_pinned():
  pins = dict(re.findall(r'^([\w-]+)==(\S+)$', (ROOT / 'tests' / 'parity.txt').read_text(), re.M))
  versions = json.loads(STORED.read_text())['versions']  # of the libraries that objectives are compared with
  assert {name: pins[name] for name in pins.keys() & versions.keys()}.items() <= versions.items(), 'tests/run_parity --write'
