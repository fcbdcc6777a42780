"""The alarm goes off when what holds a method up is taken out, and is silent otherwise."""

import pytest

from jssl import configs, run


def short(name, changes=None):
  """A system with its backbone, cut to 100 steps of 64 examples; 200 for DINO, whose slow teacher falls later.

  `changes` are to its passes and losses, by name; None takes an option out.
  """
  c = configs.module(name).get_config().to_dict()
  c |= dict(batch_size=64, steps=200 if name == 'dino' else 100, name=name, health_every=50)
  for name, options in (changes or {}).items():
    spec = c['passes' if name in c['passes'] else 'losses']
    spec[name] = {key: value for key, value in {**spec[name], **options}.items() if value is not None}
  return c


def alarms(config):
  return run.train(config, protocols=(), quiet=True)['alarms']


@pytest.mark.parametrize('name', [pytest.param('simclr', marks=pytest.mark.long), 'simsiam', pytest.param('vicreg', marks=pytest.mark.long)])
@pytest.mark.rotating
def test_silent_when_whole(name):
  assert alarms(short(name)) == []


@pytest.mark.parametrize(
  ('name', 'changes'),
  [
    ('simsiam', dict(match=dict(name='alignment'))),  # the same distance, its stop-gradient taken out
    pytest.param('simsiam', dict(views=dict(predictor=None)), marks=pytest.mark.long),
    pytest.param('dino', dict(distil=dict(of=('views.q', 'views.k'), teacher_temperature=0.04)), marks=pytest.mark.long),
  ],
  ids=['no stop-gradient', 'no predictor', 'no centring'],
)
@pytest.mark.rotating
def test_alarm_when_broken(name, changes):
  assert any('collapse' in line for line in alarms(short(name, changes)))
