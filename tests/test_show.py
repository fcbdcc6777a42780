"""`jssl show`: every option of every config."""

import json

import pytest

from jssl import cli, configs, show
from jssl.keys import DEFAULTS, REQUIRED


def leaves(place, value):
  """The options of a config: all values but those within values that name nothing."""
  if isinstance(value, dict) and 'name' in value:
    yield place
    for key, x in value.items():
      if key != 'name':
        yield from leaves(f'{place}.{key}', x)
  else:
    yield place


@pytest.mark.parametrize('name', sorted(configs.names()))
def test_every_option_of_a_config_is_shown(name):
  c = configs.load_config(name).to_dict()
  found = {option.place: option for option in show.show(name)['options']}
  assert all(option.means for option in found.values() if '.' not in option.place)
  for key in {*show.ONE, *show.BY_LABEL} & {*c}:
    value = c[key] or {}
    for place in leaves(key, value) if key in show.ONE else (x for label, of in value.items() for x in leaves(f'{key}.{label}', of)):
      if c[key]:
        assert found[place].given


def test_all_keys_have_a_meaning():
  assert {*show.MEANING} == {*DEFAULTS, *REQUIRED, 'name'} and {*show.HIDDEN} < {*show.MEANING}


def test_defaults_of_sizes_and_schedules_are_shown():
  found = {option.place: option for option in show.show('mae', ['backbone.depth=3'])['options']}
  assert found['backbone.depth'][1:4] == (3, 4, True) and found['backbone.heads'][1:4] == (4, 4, False)  # a vit_micro has 4 blocks
  assert found['backbone.ratio'].means == "width of a block's hidden layer over d."
  assert found['optimizer.learning_rate.warmup'].value == '10%' and 'warm-up' in found['optimizer.learning_rate.warmup'].means
  assert show.described('One.\n\nArgs:\n  a, b: of both,\n    in two lines.\n  c: last.\n\nReturns:\n  d: no.\n') == dict(
    a='of both, in two lines.', b='of both, in two lines.', c='last.'
  )


def test_the_command_prints_text_or_one_object(capsys):
  assert cli.main(['show', 'simclr:tiny', '--config.losses.nce.temperature=0.3']) == 0
  text = capsys.readouterr().out
  assert text.startswith('simclr:tiny  (other scales: small, ') and '*     temperature = 0.3  (default' in text
  assert max(map(len, text.splitlines())) <= 100
  assert cli.main(['show', 'simclr:tiny', '--json']) == 0
  found = json.loads(capsys.readouterr().out)
  assert found['scale'] == 'tiny' and {option['place'] for option in found['options']} >= {'batch_size', 'heads.projector.widths'}
  assert cli.main(['show', 'simclrr']) == 2 and 'did you mean simclr' in capsys.readouterr().err
