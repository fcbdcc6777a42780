"""Retrofitting. Faruqui, Dodge, Jauhar, Dyer, Hovy, Smith, NAACL 2015. arXiv:1411.4166, section 2."""

from jssl.configs import common


def get_config():
  c = common.frozen_minilm(data='lexicon', length=8)
  c.number = 266
  c.evaluators = dict(words=dict(name='retrofitted', transform=dict(name='retrofit')))
  c.claim = dict(
    metric='words_simlex', beats=('plain', 'rewired'), margin=0.02, seeds=1,
    variants=dict(
      plain=('evaluators.words.transform=None',),
      rewired=('evaluators.words.transform.name=retrofit_random',),
    ),
  )  # fmt: skip
  return c
