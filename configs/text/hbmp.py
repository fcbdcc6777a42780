"""Sentence embeddings by iterative refinement (HBMP). Talman, Yli-Jyra, Tiedemann, NLE 2019. arXiv:1808.08762, section 3."""

from jssl.configs.text import infersent

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = infersent.get_config(scale)
  c.number = 181
  c.parts = ()
  c.backbone = dict(name='recurrent', depth=3, refine=True, **at(small=dict(width=64, hidden=32), tiny=dict(width=8, hidden=8)))
  c.heads.relation = dict(name='compared', widths=(*at(small=(64, 64), tiny=(8, 8)), 3))
  c.claim = None
  return c
