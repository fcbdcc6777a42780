"""Layer-wise MDL probing. Fayyaz, Aghazadeh, Modarressi, Mohebbi, Pilehvar, BlackboxNLP 2021. arXiv:2109.05958, sections 3 and 4."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='rotten_tomatoes', length=24)
  c.number = 170
  c.evaluators = dict(profile=dict(name='description_length'))
  c.claim = dict(
    metric='profile_moved', beats=('mixing_weights',), margin=0.2, lower=True,
    variants=dict(mixing_weights=('evaluators.profile.name=mixing_weights',)),
  )  # fmt: skip
  return c
