"""What is damaged works or is refused in one clear line: a sample of what experiments/mutate.py does by the thousand."""

import importlib

import pytest


@pytest.fixture
def mutate(monkeypatch, request):
  monkeypatch.syspath_prepend(request.config.rootpath / 'experiments')
  return importlib.import_module


@pytest.mark.rotating
def test_fifteen_damaged_configs(mutate):
  mutate = mutate('mutate')
  systems = mutate.sound()
  for seed in range(15):
    end, message, done = mutate.run(seed, systems)
    assert end in ('built', 'refused'), f'seed {seed}: {done}: {end}: {message}'


@pytest.mark.long
def test_runs_under_damaged_circumstances(mutate, tmp_path):
  runs = mutate('mutate_runs')
  base = runs.Base(tmp_path)
  for seed in range(1, 41):
    end, message, done = runs.run(seed, base)
    assert end in runs.FINE, f'seed {seed}: {done}: {end}: {message}'
