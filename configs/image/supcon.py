"""SupCon. Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, NeurIPS 2020. arXiv:2004.11362, Eq. 2."""

from jssl.configs import common


def get_config():
  c = common.image()
  c.kind = 'supervised'
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.terms.nce = dict(name='two_view', objective=dict(name='sup_con', temperature=0.1), columns=dict(labels='label'))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=3)
  return c
