"""Damaged configs are built, or refused in one clear line: a sample of what experiments/mutate.py does by the thousand."""

import importlib.util
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / 'experiments' / 'mutate.py'


def test_thirty_damaged_configs():
  spec = importlib.util.spec_from_file_location('mutate', PATH)
  mutate = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(mutate)
  systems = mutate.sound()
  for seed in range(30):
    end, message, done = mutate.run(seed, systems)
    assert end in ('built', 'refused'), f'seed {seed}: {done}: {end}: {message}'
