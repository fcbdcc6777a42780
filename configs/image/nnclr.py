"""NNCLR. Dwibedi, Aytar, Tompson, Sermanet, Zisserman, ICCV 2021. arXiv:2104.14548, section 3.2 and Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.heads.projector = dict(name='mlp', widths=(256, 128), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 128))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.memories.support = dict(name='queue', of='views.k[1]', size=common.at(scale)(small=2048, tiny=64))
  c.losses.nce = dict(name='nnclr', of=dict(q='views.q', k='views.k', support='memory.support'), pairs='all', temperature=0.1)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
