"""SupCon. Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, NeurIPS 2020. arXiv:2004.11362, Eq. 2."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.kind = 'supervised'
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='sup_con', of=dict(q='views.q', k='views.k', labels='batch.label'), pairs='all', temperature=0.1)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
